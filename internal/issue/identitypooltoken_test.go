package issue_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/keyring"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func (p *pools) openID(id string, logins issue.Logins) (identity.Secret, error) {
	out, err := p.Issuer.PoolOpenIDToken(p.t.Context(), issue.PoolTokenRequest{IdentityID: id, Logins: logins})
	return out.Token, err
}

func newClassic(t *testing.T) *pools {
	t.Helper()
	p := newPools(t)
	p.settings(func(s *directory.IdentityPoolSettings) { s.AllowClassicFlow, s.AllowUnauthenticated = true, true })
	return p
}

func TestPoolOpenIDToken(t *testing.T) {
	t.Parallel()
	p := newPools(t)
	id := p.id(p.login())
	_, err := p.openID(id, p.login())
	wantText(t, "without the classic flow", err, "Basic (classic) flow is not enabled, please use enhanced flow.")

	p = newClassic(t)
	id = p.id(p.login())
	token, err := p.openID(id, p.login())
	if err != nil {
		t.Fatal(err)
	}
	c := claimsOf(t, token)
	amr, _ := c["amr"].([]any)
	if c["iss"] != stacktest.ExternalURL+"/identity_pool/"+p.pool.ID || c["sub"] != id || c["aud"] != p.pool.ID || len(amr) != 3 ||
		amr[0] != "authenticated" || amr[1] != foreignName || amr[2] != foreignName+":OIDC:alice" {
		t.Errorf("got %v", c)
	}
	facts, keys, err := p.Issuer.IdentityPoolIssuer(p.pool.ID)
	if err != nil || facts.Issuer != c["iss"] || !strings.Contains(string(keys), `"RS256"`) {
		t.Errorf("issuer: %+v %s %v", facts, keys, err)
	}
	_, _, err = p.Issuer.IdentityPoolIssuer("us-east-1:0")
	wantKind(t, "issuer of no pool", err, identity.KindNotFound)

	got, err := webIdentity(t, p.Stack, p.authRole, token, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Provider != identity.CognitoIdentity || got.Audience != p.pool.ID || got.Subject != id {
		t.Errorf("got %+v", got)
	}
	caller := p.caller(got.Keys)
	if caller.Name != "members" || caller.Pool == nil || caller.Pool.IdentityID != id || caller.Pool.PoolID != p.pool.ID || strings.Join(caller.Pool.AMR, " ") != "authenticated "+foreignName+" "+foreignName+":OIDC:alice" {
		t.Errorf("got %s %+v", caller.Name, caller.Pool)
	}
	for name, end := range map[string]func() error{
		"identity deleted": func() error {
			_, err := p.Directory.DeleteIdentities(t.Context(), p.rootA, []string{id})
			return err
		},
	} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		_, err = p.try(got.Keys)
		wantKind(t, name+": keys", err, identity.KindExpiredToken)
		_, err = webIdentity(t, p.Stack, p.authRole, token, 0)
		wantKind(t, name+": token", err, identity.KindExpiredIdentity)
	}
}

// TestPoolTokenIsForItsRoles: the token is taken where a trust policy asks for
// the pool and for "amr", and nowhere else.
func TestPoolTokenIsForItsRoles(t *testing.T) {
	t.Parallel()
	p := newClassic(t)
	member, err := p.openID(p.id(p.login()), p.login())
	if err != nil {
		t.Fatal(err)
	}
	guest, err := p.openID(p.id(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	trust := func(name, condition string) string {
		return p.role(stacktest.AccountA, name, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":`+condition+`}}`)
	}
	aud := `"StringEquals":{"cognito-identity.amazonaws.com:aud":"` + p.pool.ID + `"}`
	noAMR := trust("no-amr", `{`+aud+`}`)
	forAll := trust("amr-for-all", `{`+aud+`,"ForAllValues:StringLike":{"cognito-identity.amazonaws.com:amr":"*"}}`)
	otherPool := trust("other-pool", `{"StringEquals":{"cognito-identity.amazonaws.com:aud":"us-east-1:00000000-0000-4000-8000-000000000000"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"authenticated"}}`)
	theirs := p.role(stacktest.AccountB, "theirs", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{`+aud+`,"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"authenticated"}}}}`)
	for name, c := range map[string]struct {
		role  string
		token identity.Secret
		want  identity.Kind
	}{
		"member":                  {p.authRole, member, ""},
		"guest":                   {p.guest, guest, ""},
		"guest as member":         {p.authRole, guest, identity.KindAccessDenied},
		"member as guest":         {p.guest, member, identity.KindAccessDenied},
		"no condition on amr":     {noAMR, member, identity.KindAccessDenied},
		"met by no amr at all":    {forAll, member, identity.KindAccessDenied},
		"another pool":            {otherPool, member, identity.KindAccessDenied},
		"another account":         {theirs, member, identity.KindInvalidIdentity},
		"a realm's role":          {roleA, member, identity.KindAccessDenied},
		"root":                    {rootA, member, identity.KindAccessDenied},
		"the log-in token itself": {p.authRole, p.idToken(), identity.KindInvalidIdentity},
	} {
		_, err := webIdentity(t, p.Stack, c.role, c.token, 0)
		wantKind(t, name, err, c.want)
	}
	_, err = p.getID(issue.Logins{"daypass.example.com/identity_pool/" + p.pool.ID: member})
	wantText(t, "as a log-in", err, "Token is not from a supported provider of this identity pool.")
	_, err = p.Issuer.UserInfo(t.Context(), "shasta", member)
	wantKind(t, "userinfo", err, identity.KindInvalidBearer)
	p.Clock.Advance(10 * time.Minute)
	_, err = webIdentity(t, p.Stack, p.authRole, member, 0)
	wantKind(t, "expired", err, identity.KindExpiredIdentity)
}

// TestPoolTokenCarriesItsLogin: what ends the log-in ends the token.
func TestPoolTokenCarriesItsLogin(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*pools){
		"user disabled": disableTestUser,
		"signed out":    signOutTestUser,
		"flow closed":   func(p *pools) { p.settings(func(s *directory.IdentityPoolSettings) { s.AllowClassicFlow = false }) },
		"pool deleted": func(p *pools) {
			if err := p.Directory.DeleteIdentityPool(p.t.Context(), p.rootA, p.pool.ID); err != nil {
				p.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newClassic(t)
			at := p.Clock.Now().Add(-time.Minute)
			logins := p.userLogin("dp_mfa", at.UnixMilli())
			token, err := p.openID(p.id(logins), logins)
			if err != nil {
				t.Fatal(err)
			}
			got, err := webIdentity(t, p.Stack, p.authRole, token, 0)
			if err != nil {
				t.Fatal(err)
			}
			if c := p.caller(got.Keys); !c.MFA || !c.MFATime.Equal(at) {
				t.Errorf("MFA %v at %v, want %v", c.MFA, c.MFATime, at)
			}
			end(p)
			_, err = webIdentity(t, p.Stack, p.authRole, token, 0)
			if k := identity.KindOf(err); k != identity.KindExpiredIdentity && k != identity.KindInvalidIdentity {
				t.Errorf("token: got %v", err)
			}
		})
	}
}

// TestNobodySpeaksForAPool: a provider that signs as a pool's issuer is none.
func TestNobodySpeaksForAPool(t *testing.T) {
	t.Parallel()
	p := newClassic(t)
	for _, issuer := range []string{p.pool.Issuer(stacktest.ExternalURL), stacktest.ExternalURL + "/" + userPool} {
		_, err := p.Directory.CreateOpenIDConnectProvider(t.Context(), p.rootA, directory.NewProvider{URL: issuer, ClientIDs: []string{p.pool.ID}})
		wantKind(t, "registering "+issuer, err, identity.KindInvalidInput)
		p.update(func(tx store.Tx) error {
			return store.Providers.Put(tx, &identity.Provider{AccountID: stacktest.AccountB, URL: issuer, ClientIDs: []string{p.pool.ID}})
		})
		p.Foreign.Set(issuer, "k1", p.key.Public())
		_, err = webIdentity(t, p.Stack, "arn:demo:iam::"+stacktest.AccountB+":role/any", p.token(issuer, "aud", p.pool.ID), 0)
		wantKind(t, "a token of "+issuer, err, identity.KindInvalidIdentity)
	}
	// The pool's keys sign for the pool alone: not with another issuer inside.
	text, err := p.JWTs.Sign(p.pool.KeySet(), keyring.RS256, []byte(`{"iss":"`+stacktest.ExternalURL+`/auth/realms/shasta","sub":"x","aud":"shasta","exp":9999999999,"iat":1}`), "JWT")
	if err != nil {
		t.Fatal(err)
	}
	_, err = webIdentity(t, p.Stack, roleA, identity.Secret(text), 0)
	wantKind(t, "the pool's key under a realm's issuer", err, identity.KindInvalidIdentity)
}
