package directory_test

import (
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestPasswordIsNoWayIntoRealm: roles trust the tokens of a realm, so whoever
// may only give passwords must not make users of it.
func TestPasswordIsNoWayIntoRealm(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	const team = `"Resource":"arn:aws:iam::*:user/team/*"}`
	helpdesk := limited(t, s, a, "helpdesk", `{"Effect":"Allow","Action":["iam:CreateUser","iam:CreateLoginProfile","iam:UpdateLoginProfile"],`+team)
	admin := limited(t, s, a, "admin", `{"Effect":"Allow","Action":"iam:*",`+team)
	if _, err := s.Directory.CreateUser(ctx, helpdesk, directory.NewUser{Name: "puppet", Path: "/team/"}); err != nil {
		t.Fatal(err)
	}
	const password = "Tr0ub4dor&3-staple"
	logIn := func() error {
		set, err := s.Issuer.Password(ctx, issue.PasswordGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, Username: "puppet", Password: password})
		if err == nil {
			_, err = s.Issuer.WebIdentity(ctx, issue.WebIdentityRequest{RoleARN: roleARNA, RoleSessionName: "session", Token: set.AccessToken})
		}
		return err
	}
	if _, err := s.Directory.CreateLoginProfile(ctx, helpdesk, "puppet", password, false); identity.KindOf(err) != denied {
		t.Errorf("without the right to make one join: %v", err)
	}
	if err := logIn(); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("the user logs in: %v", err)
	}
	if _, err := s.Directory.CreateLoginProfile(ctx, admin, "puppet", password, false); err != nil {
		t.Fatal(err)
	}
	if err := logIn(); err != nil {
		t.Errorf("a user that may be in the realm: %v", err)
	}
	if err := s.Directory.UpdateLoginProfile(ctx, helpdesk, "puppet", password+"2", nil); err != nil {
		t.Errorf("another password for one who is in the realm: %v", err)
	}
}
