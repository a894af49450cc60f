package issue_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// crayService is a token service for the administrators of the realm.
func crayService() *identity.TokenService {
	return &identity.TokenService{
		AccountID: stacktest.AccountA, Name: "cray", Realms: []string{"shasta"}, Audience: []string{"shasta"}, Keys: identity.OwnKeys,
		Rules: []identity.TokenServiceRule{{Claim: "resource_access.shasta.roles", Value: "admin", Role: stacktest.RoleName}},
	}
}

func putService(t testing.TB, s *stacktest.Stack, services ...*identity.TokenService) {
	t.Helper()
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		for _, v := range services {
			if err := store.TokenServices.Put(tx, v); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// serve calls the one token service of a stack.
func serve(t testing.TB, s *stacktest.Stack, tok identity.Secret) (issue.TokenServiceKeys, error) {
	t.Helper()
	return s.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: "api.example.com", Token: tok})
}

func TestTokenServiceOwnKeys(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	putService(t, s, crayService())
	set := shastaLogin(t, s)
	got, err := s.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: "api.example.com:8443", Token: set.AccessToken, Forwarded: true})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.AccessKeyID, "ASIA") || got.Secret == "" || got.SessionToken == "" || got.EndpointURL != stacktest.ExternalURL ||
		!got.ExpiresAt.Equal(s.Clock.Now().Add(time.Hour)) {
		t.Errorf("got %s until %v at %s", got.AccessKeyID, got.ExpiresAt, got.EndpointURL)
	}
	o := &office{Stack: s, t: t}
	c := o.caller(identity.SessionKeys{AccessKeyID: got.AccessKeyID, SecretAccessKey: got.Secret, SessionToken: got.SessionToken})
	if want := "arn:aws:sts::" + stacktest.AccountA + ":assumed-role/" + stacktest.RoleName + "/" + stacktest.TestUser; c.ARN != want {
		t.Errorf("the session is %s, want %s", c.ARN, want)
	}
	if sub := claimsOf(t, set.AccessToken)["sub"]; c.SourceIdentity != sub {
		t.Errorf("source identity: got %s, want %s", c.SourceIdentity, sub)
	}
}
