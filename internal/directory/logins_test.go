package directory_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/sigv4"
	"daypass/internal/stacktest"
	"daypass/internal/store"
	"daypass/internal/token"
)

const (
	rootARNA   = "arn:aws:iam::" + stacktest.AccountA + ":root"
	roleARNA   = "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.RoleName
	readerARN  = "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.ReadOnlyRole
	userARN    = "arn:aws:iam::" + stacktest.AccountA + ":user/" + stacktest.TestUser
	foreignARN = "arn:aws:iam::" + stacktest.AccountA + ":oidc-provider/idp.example.org"
	ownIssuer  = stacktest.ExternalURL + "/auth/realms/shasta"
)

// logIn gives a realm's tokens.
func logIn(t testing.TB, s *stacktest.Stack, realm, client, user, password string) issue.TokenSet {
	t.Helper()
	set, err := s.Issuer.Password(t.Context(), issue.PasswordGrant{
		Realm: realm, Client: issue.ClientProof{ID: client}, Username: user, Password: identity.Secret(password),
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func exchange(t testing.TB, s *stacktest.Stack, arn string, jwt identity.Secret) identity.SessionKeys {
	t.Helper()
	out, err := s.Issuer.WebIdentity(t.Context(), issue.WebIdentityRequest{RoleARN: arn, RoleSessionName: "session", Token: jwt})
	if err != nil {
		t.Fatal(err)
	}
	return out.Keys
}

// session is a session of the role, by the test user's log-in.
func session(t testing.TB, s *stacktest.Stack) (identity.SessionKeys, issue.TokenSet) {
	t.Helper()
	set := logIn(t, s, "shasta", "shasta", stacktest.TestUser, stacktest.TestPassword)
	return exchange(t, s, roleARNA, set.AccessToken), set
}

func rootSession(t testing.TB, s *stacktest.Stack, email, arn string) identity.SessionKeys {
	t.Helper()
	return exchange(t, s, arn, logIn(t, s, identity.RootRealm, "root-client", email, stacktest.RootPassword).AccessToken)
}

// accept signs a request with keys and asks access who it is.
func accept(t testing.TB, s *stacktest.Stack, k identity.SessionKeys) (*identity.Caller, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8080/bucket", nil)
	r.RequestURI = "/bucket"
	err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey.Reveal(), SessionToken: k.SessionToken.Reveal()},
		"us-east-1", "s3", sigv4.UnsignedPayload, s.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Access.Authenticate(r, access.ServiceS3, "")
	return &a.Caller, err
}

func accepted(t testing.TB, s *stacktest.Stack, k identity.SessionKeys) *identity.Caller {
	t.Helper()
	c, err := accept(t, s, k)
	if err != nil {
		t.Fatalf("%s: %v", k.AccessKeyID, err)
	}
	return c
}

// want says whether keys must work.
func want(t testing.TB, s *stacktest.Stack, what string, k identity.SessionKeys, alive bool) {
	t.Helper()
	_, err := accept(t, s, k)
	if alive && err != nil {
		t.Errorf("%s: %v, want it to work", what, err)
	}
	if !alive && identity.KindOf(err) != identity.KindExpiredToken && identity.KindOf(err) != identity.KindUnknownAccessKey {
		t.Errorf("%s: %v, want it to have ended", what, err)
	}
}

// child is what a caller obtains in an account, for a role there.
func child(t testing.TB, s *stacktest.Stack, c *identity.Caller, account, partition, roleID string) identity.SessionKeys {
	t.Helper()
	lineage, err := c.Descend(account)
	if err != nil {
		t.Fatal(err)
	}
	now := s.Clock.Now()
	keys, _, err := s.Sessions.Mint(&token.SessionClaims{
		Kind: identity.RoleSession, AccountID: account, Partition: partition, PrincipalID: roleID, SessionName: "child",
		IssuedMS: now.UnixMilli(), ExpiresAt: now.Add(time.Hour), Position: s.DB.Snapshot().Position(), Lineage: lineage,
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func roleID(t testing.TB, s *stacktest.Stack, account, name string) string {
	t.Helper()
	r, err := store.Roles.By(s.DB.Snapshot(), "name", store.Join(account, name))
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func revoke(t testing.TB, s *stacktest.Stack, c *identity.Caller, spec directory.RevokeSpec) directory.Revoked {
	t.Helper()
	out, err := s.Directory.RevokeSessions(t.Context(), c, spec)
	if err != nil {
		t.Fatalf("%+v: %v", spec, err)
	}
	return out
}

// foreign is an issuer that account A trusts.
type foreign struct{ key *ecdsa.PrivateKey }

func newForeign(t testing.TB, s *stacktest.Stack) *foreign {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Foreign.Set(stacktest.ForeignIssuer, "k1", key.Public())
	return &foreign{key}
}

func (f *foreign) token(t testing.TB, s *stacktest.Stack) identity.Secret {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: f.key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := s.Clock.Now().Unix()
	b, _ := json.Marshal(map[string]any{"iss": stacktest.ForeignIssuer, "sub": "alice", "aud": "app", "exp": now + 36000, "iat": now})
	jws, err := signer.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return identity.Secret(out)
}
