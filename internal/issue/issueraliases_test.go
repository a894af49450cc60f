package issue_test

import (
	"fmt"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	insideIssuer = "http://keycloak.services.local:8080/realms/shasta"
	httpIssuer   = "http://idp.example.org" // ForeignIssuer, but for the scheme
)

// withAliases gives the foreign provider of account A aliases.
func (f *foreign) withAliases(aliases ...string) {
	f.t.Helper()
	_, err := f.Directory.Apply(f.t.Context(), f.Operator(), directory.SiteSpec{Providers: []directory.ProviderSpec{
		{AccountID: stacktest.AccountA, URL: stacktest.ForeignIssuer, ClientIDs: []string{"app", "app2"}, IssuerAliases: aliases},
	}}, false)
	if err != nil {
		f.t.Fatal(err)
	}
}

// TestIssuerAliases: a token of an alias is the provider's in all that follows.
func TestIssuerAliases(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	const p = "idp.example.org"
	role := f.trust("aliased", stacktest.ForeignIssuer, withWebIdentity,
		`{"StringEquals":{"`+p+`:aud":"app","`+p+`:sub":"alice","`+p+`:iss":"`+stacktest.ForeignIssuer+`"}}`)
	inB := f.role(stacktest.AccountB, "aliased", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:demo:iam::`+
		stacktest.AccountB+`:oidc-provider/`+p+`"},"Action":"sts:AssumeRoleWithWebIdentity"}}`)
	try := func(what, role, issuer string, want identity.Kind, pairs ...any) issue.WebIdentityResult {
		t.Helper()
		got, err := webIdentity(t, f.Stack, role, f.token(issuer, pairs...), 0)
		wantKind(t, what, err, want)
		return got
	}
	for _, alias := range []string{insideIssuer, httpIssuer} {
		try("before it is one", role, alias, identity.KindInvalidIdentity)
	}
	f.withAliases(insideIssuer, httpIssuer)
	var live []identity.SessionKeys
	for _, issuer := range []string{insideIssuer, httpIssuer, stacktest.ForeignIssuer} {
		got := try(issuer, role, issuer, "")
		if got.Provider != stacktest.ForeignIssuer {
			t.Errorf("%s: the provider is %s", issuer, got.Provider)
		}
		c := f.caller(got.Keys)
		if want := identity.ProviderARN("aws", stacktest.AccountA, stacktest.ForeignIssuer); c.ProviderARN != want {
			t.Errorf("%s: the session's provider is %s", issuer, c.ProviderARN)
		}
		if want := identity.WebIdentityID(stacktest.ForeignIssuer, "alice"); !strings.Contains(lineageText(c), want) {
			t.Errorf("%s: the lineage is %v", issuer, c.Lineage)
		}
		live = append(live, got.Keys)
		try(issuer+", another subject", role, issuer, identity.KindAccessDenied, "sub", "mallory")
		try(issuer+", another audience", role, issuer, identity.KindInvalidIdentity, "aud", "x")
	}
	for name, issuer := range map[string]string{
		"with a slash": insideIssuer + "/", "in another case": strings.ToUpper(insideIssuer), "without its path": "http://keycloak.services.local:8080",
		"of the other scheme": strings.Replace(insideIssuer, "http:", "https:", 1),
	} {
		try(name, role, issuer, identity.KindInvalidIdentity)
	}
	for _, alias := range []string{insideIssuer, httpIssuer} {
		try("in another account", inB, alias, identity.KindInvalidIdentity)
	}
	try("the issuer itself in the other account", inB, stacktest.ForeignIssuer, "")

	// The subject is revoked under the provider's name, whatever its token said.
	f.update(func(tx store.Tx) error {
		return f.Access.Revoke(tx, identity.Revocation{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(stacktest.ForeignIssuer, "alice")})
	})
	for i, keys := range live {
		_, err := f.try(keys)
		wantKind(t, fmt.Sprintf("session %d, whose subject was revoked", i), err, identity.KindExpiredToken)
	}
}

func lineageText(c *identity.Caller) string {
	var b strings.Builder
	for _, a := range c.Lineage {
		b.WriteString(a.ID + " ")
	}
	return b.String()
}

// TestAliasesOfTokenServices: the token service's list names the provider, and
// its aliases count with it; a removed one ends what there was.
func TestAliasesOfTokenServices(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	f.withAliases(insideIssuer)
	f.trust("aliased", stacktest.ForeignIssuer, `["sts:AssumeRoleWithWebIdentity","sts:SetSourceIdentity"]`, `{"StringEquals":{"idp.example.org:aud":"app"}}`)
	putService(t, f.Stack, &identity.TokenService{
		AccountID: stacktest.AccountA, Name: "cray", Providers: []string{stacktest.ForeignIssuer}, Audience: []string{"app"}, Keys: identity.OwnKeys,
		Rules: []identity.TokenServiceRule{{Claim: "groups", Value: "admin", Role: "aliased"}},
	})
	get := func(issuer string) (issue.TokenServiceKeys, error) {
		return f.Issuer.TokenService(t.Context(), issue.TokenServiceRequest{Host: "h", Token: f.token(issuer, "typ", "Bearer", "groups", []string{"admin"})})
	}
	keys, err := get(insideIssuer)
	wantKind(t, "alias", err, "")
	_, err = get(httpIssuer)
	wantKind(t, "no alias", err, identity.KindInvalidIdentity)
	session := identity.SessionKeys{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.Secret, SessionToken: keys.SessionToken}
	if _, err := f.try(session); err != nil {
		t.Fatal(err)
	}
	f.withAliases()
	_, err = get(insideIssuer)
	wantKind(t, "removed alias", err, identity.KindInvalidIdentity)
	if _, err := f.try(session); identity.KindOf(err) != identity.KindExpiredToken {
		t.Errorf("keys of a removed alias: %v", err)
	}
}
