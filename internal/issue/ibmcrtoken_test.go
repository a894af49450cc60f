package issue_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

func TestIBMCRToken(t *testing.T) {
	t.Parallel()
	const sub = "system:serviceaccount:ci:runner"
	host := identity.TrimScheme(stacktest.ForeignIssuer)
	p := newProfiles(t)
	for name, k := range map[string]struct {
		rules  []identity.ProfileRule
		links  []identity.ProfileLink
		claims []any
		life   int // seconds, 0 for a refusal
	}{
		"nothing":                          {},
		"a claim":                          {rules: []identity.ProfileRule{crRule("team", "EQUALS", `"red"`)}, claims: []any{"team", "red"}, life: 3600},
		"a claim within":                   {rules: []identity.ProfileRule{crRule("a.b", "EQUALS", `"red"`)}, claims: []any{"a", map[string]any{"b": "red"}}, life: 3600},
		"another value":                    {rules: []identity.ProfileRule{crRule("team", "EQUALS", `"red"`)}, claims: []any{"team", "blue"}},
		"no such claim":                    {rules: []identity.ProfileRule{crRule("team", "NOT_EQUALS", `"red"`)}},
		"another issuer's":                 {rules: []identity.ProfileRule{withRealm(crRule("sub", "EQUALS", `"alice"`), gitHub)}},
		"no issuer":                        {rules: []identity.ProfileRule{withRealm(crRule("sub", "EQUALS", `"alice"`), "")}},
		"one of two conditions":            {rules: []identity.ProfileRule{withBoth(crRule("team", "EQUALS", `"red"`), crRule("sub", "EQUALS", `"bob"`))}, claims: []any{"team", "red"}},
		"both conditions":                  {rules: []identity.ProfileRule{withBoth(crRule("team", "EQUALS", `"red"`), crRule("sub", "EQUALS", `"alice"`))}, claims: []any{"team", "red"}, life: 3600},
		"a rule for SAML":                  {rules: []identity.ProfileRule{{Type: identity.RuleSAML, RealmName: stacktest.ForeignIssuer, Conditions: crRule("sub", "EQUALS", `"alice"`).Conditions}}},
		"an expiration":                    {rules: []identity.ProfileRule{withEnd(crRule("sub", "EQUALS", `"alice"`), 900)}, life: 900},
		"an expiration beyond":             {rules: []identity.ProfileRule{withEnd(crRule("sub", "EQUALS", `"alice"`), 7200)}, life: 3600},
		"the longer of two":                {rules: []identity.ProfileRule{withEnd(crRule("sub", "EQUALS", `"alice"`), 900), withEnd(crRule("aud", "EQUALS", `"app"`), 1800)}, life: 1800},
		"namespace of a pod":               {rules: []identity.ProfileRule{saRule("ci")}, claims: []any{"sub", sub, "kubernetes.io", pod("ci", "runner")}, life: 3600},
		"namespace by subject":             {rules: []identity.ProfileRule{saRule("ci")}, claims: []any{"sub", sub}, life: 3600},
		"namespace of another pod":         {rules: []identity.ProfileRule{saRule("prod")}, claims: []any{"sub", sub}},
		"a claim called namespace":         {rules: []identity.ProfileRule{saRule("ci")}, claims: []any{"namespace", "ci"}},
		"a pod by link":                    {links: []identity.ProfileLink{saLink(host, "ci", "runner")}, claims: []any{"sub", sub, "kubernetes.io", pod("ci", "runner")}, life: 3600},
		"a pod by link and subject":        {links: []identity.ProfileLink{saLink(host, "ci", "runner")}, claims: []any{"sub", sub}, life: 3600},
		"a pod by link and claim":          {links: []identity.ProfileLink{saLink(host, "ci", "runner")}, claims: []any{"kubernetes.io", pod("ci", "runner")}, life: 3600},
		"subject and claim at odds":        {links: []identity.ProfileLink{saLink(host, "ci", "runner")}, claims: []any{"sub", "system:serviceaccount:x:y", "kubernetes.io", pod("ci", "runner")}},
		"another pod":                      {links: []identity.ProfileLink{saLink(host, "ci", "runner")}, claims: []any{"sub", "system:serviceaccount:ci:other"}},
		"another cluster":                  {links: []identity.ProfileLink{saLink("idp.example.org:6443", "ci", "runner")}, claims: []any{"sub", sub}},
		"a subject with a colon":           {links: []identity.ProfileLink{saLink(host, "ci", "runner")}, claims: []any{"sub", sub + ":x"}},
		"a subject without a name":         {links: []identity.ProfileLink{saLink(host, "ci", "runner")}, claims: []any{"sub", "system:serviceaccount:ci:"}},
		"a link to a machine":              {links: []identity.ProfileLink{{CRType: "VSI", CRN: identity.ClusterCRN(stacktest.AccountA, host)}}, claims: []any{"sub", sub}},
		"no service account, and no names": {rules: []identity.ProfileRule{saRule("")}},
	} {
		p.check(p.Directory.DeleteTrustedProfile(t.Context(), p.root, p.profile.Name))
		p.profile = p.newProfile("deployer")
		for _, r := range k.rules {
			p.rule(r)
		}
		for _, l := range k.links {
			p.link(l)
		}
		token, subject := p.f.token(stacktest.ForeignIssuer, k.claims...), any("alice")
		if len(k.claims) > 0 && k.claims[0] == "sub" {
			subject = k.claims[1]
		}
		for how, which := range map[string]issue.IBMProfileName{"by ID": p.byID(), "by name": {Name: "deployer"}, "unnamed": {}} {
			got, err := p.cr(token, which)
			if k.life == 0 {
				wantKind(t, name+", "+how, err, identity.KindInvalidCredentials)
				continue
			}
			if err != nil || got.ExpiresIn != k.life || got.Refresh != "" || !p.accepted(got) {
				t.Errorf("%s, %s: %v, %d s, want %d", name, how, err, got.ExpiresIn, k.life)
				continue
			}
			v := claimsOf(t, got.Access)
			if by := v["authn"].(map[string]any); v["iam_id"] != p.profile.ID || by["iam_id"] != "crn-"+identity.ClusterCRN(stacktest.AccountA, host) ||
				by["sub"] != subject || v["grant_type"] != issue.IBMGrantCRToken {
				t.Errorf("%s, %s: %v", name, how, v)
			}
		}
	}
}

func withRealm(r identity.ProfileRule, realm string) identity.ProfileRule {
	r.RealmName = realm
	return r
}

func withEnd(r identity.ProfileRule, seconds int) identity.ProfileRule {
	r.Expiration = seconds
	return r
}

func withBoth(r, s identity.ProfileRule) identity.ProfileRule {
	r.Conditions = append(r.Conditions, s.Conditions...)
	return r
}

// TestIBMCRTokenIsRefused tries tokens that prove nothing to a profile which lets
// any in that the issuer signs.
func TestIBMCRTokenIsRefused(t *testing.T) {
	t.Parallel()
	p := newProfiles(t, stacktest.WithPools())
	anybody := crRule("iss", "NOT_EQUALS", `"x"`)
	p.rule(anybody)
	for _, own := range []string{stacktest.ExternalURL + "/identity", stacktest.ExternalURL + "/auth/realms/shasta"} {
		p.rule(withRealm(anybody, own))
	}
	good := p.f.token(stacktest.ForeignIssuer)
	key := p.serviceKey(issue.NewIBMKey{})
	byKey := p.mustLogIn(key.Text)
	realm := shastaLogin(t, p.Stack)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.check(err)
	now := p.Clock.Now().Unix()
	claims := map[string]any{"iss": stacktest.ForeignIssuer, "sub": "alice", "aud": "app", "exp": now + 300, "iat": now}
	for name, k := range map[string]struct {
		token identity.Secret
		want  identity.Kind
	}{
		"good":                       {good, ""},
		"bent":                       {flipped(good), identity.KindInvalidIdentity},
		"unsigned":                   {unsign(good), identity.KindInvalidIdentity},
		"by another key":             {sign(t, stranger, "k1", claims), identity.KindInvalidIdentity},
		"for another audience":       {p.f.token(stacktest.ForeignIssuer, "aud", "other"), identity.KindInvalidIdentity},
		"for no audience":            {p.f.token(stacktest.ForeignIssuer, "aud", []string{}), identity.KindInvalidIdentity},
		"expired":                    {p.f.token(stacktest.ForeignIssuer, "exp", now-600), identity.KindExpiredIdentity},
		"of an unregistered issuer":  {p.f.token("https://other.example.org"), identity.KindInvalidIdentity},
		"of a realm":                 {realm.AccessToken, identity.KindInvalidIdentity},
		"of the token service":       {byKey.Access, identity.KindInvalidIdentity},
		"an access token of theirs":  {p.f.token(stacktest.ForeignIssuer, "token_use", "access"), identity.KindInvalidIdentity},
		"one that tells of an event": {p.f.token(stacktest.ForeignIssuer, "events", map[string]any{}), identity.KindInvalidIdentity},
		"nothing":                    {"", identity.KindInvalidIdentity},
		"huge":                       {identity.Secret(strings.Repeat("A", 1<<20)), identity.KindInvalidIdentity},
	} {
		_, err := p.cr(k.token, p.byID())
		wantKind(t, name, err, k.want)
	}
	for name, which := range map[string]issue.IBMProfileName{
		"absent": {ID: "Profile-x"}, "another account": {ID: p.profile.Name, Account: stacktest.AccountB}, "another name": {ID: p.profile.Name, Name: "x"},
		"of another account, unnamed": {Account: stacktest.AccountB},
	} {
		_, err := p.cr(good, which)
		wantKind(t, name, err, identity.KindInvalidCredentials)
	}
	// Two that fit: one has to be named.
	second := p.newProfile("second")
	_, err = p.Directory.CreateProfileRule(t.Context(), p.root, second.Name, anybody)
	p.check(err)
	_, err = p.cr(good, issue.IBMProfileName{})
	wantKind(t, "two that fit", err, identity.KindInvalidInput)
	_, err = p.cr(good, issue.IBMProfileName{Name: "second"})
	wantKind(t, "one of two by name", err, "")
	p.change(second.ID, func(u *identity.User) { u.Disabled = true })
	_, err = p.cr(good, issue.IBMProfileName{})
	wantKind(t, "the only one that is on", err, "")
}

// TestIBMCRTokenEnds: what ends a web identity or its provider ends the profile's
// token.
func TestIBMCRTokenEnds(t *testing.T) {
	t.Parallel()
	providerARN := identity.ProviderARN("aws", stacktest.AccountA, stacktest.ForeignIssuer)
	for name, end := range map[string]func(p *profiles){
		"web identity revoked": func(p *profiles) {
			_, err := p.Directory.RevokeSessions(p.t.Context(), p.Operator(), directory.RevokeSpec{Scope: directory.ScopeWebIdentity, ID: stacktest.ForeignIssuer, Subject: "alice"})
			p.check(err)
		},
		"provider deleted": func(p *profiles) {
			p.check(p.Directory.DeleteOpenIDConnectProvider(p.t.Context(), p.root, providerARN))
		},
		"profile deleted": func(p *profiles) {
			p.check(p.Directory.DeleteTrustedProfile(p.t.Context(), p.root, p.profile.Name))
		},
		"rule deleted": func(p *profiles) {
			p.check(p.Directory.DeleteProfileRule(p.t.Context(), p.root, p.profile.Name, p.made.ID))
		},
		"rule for another": func(p *profiles) {
			_, err := p.Directory.UpdateProfileRule(p.t.Context(), p.root, p.profile.Name, p.made.ID, "*", crRule("sub", "EQUALS", `"bob"`))
			p.check(err)
		},
	} {
		p := newProfiles(t)
		p.made = p.rule(crRule("sub", "EQUALS", `"alice"`))
		token := p.f.token(stacktest.ForeignIssuer)
		got, err := p.cr(token, p.byID())
		p.check(err)
		p.Clock.Advance(time.Second)
		end(p)
		if p.accepted(got) {
			t.Errorf("%s: the token is still accepted", name)
		}
		if _, err := p.cr(token, p.byID()); err == nil {
			t.Errorf("%s: the profile is still given", name)
		}
	}
}

// TestIBMCRRuleThatTrustsMore ends nothing.
func TestIBMCRRuleThatTrustsMore(t *testing.T) {
	t.Parallel()
	p := newProfiles(t)
	p.rule(crRule("sub", "EQUALS", `"alice"`))
	got, err := p.cr(p.f.token(stacktest.ForeignIssuer), p.byID())
	p.check(err)
	p.rule(crRule("sub", "EQUALS", `"bob"`))
	p.link(saLink("issuer.example.com", "ci", "runner"))
	if !p.accepted(got) {
		t.Error("a rule more ended the token")
	}
}

// TestIBMCRRulesOfSharedIssuers must name somebody, when they are written and
// when a token comes.
func TestIBMCRRulesOfSharedIssuers(t *testing.T) {
	t.Parallel()
	p := newProfiles(t)
	in := func(claim, operator, value string) identity.ProfileRule {
		return withRealm(crRule(claim, operator, value), gitHub)
	}
	for _, r := range []identity.ProfileRule{
		in("iss", "EQUALS", `"`+gitHub+`"`), in("aud", "EQUALS", `"app"`), in("sub", "NOT_EQUALS", `"mallory"`), in("sub", "CONTAINS", `"repo:octo/app:x"`),
		in("ref", "EQUALS", `"refs/heads/main"`),
	} {
		_, err := p.Directory.CreateProfileRule(t.Context(), p.root, p.profile.Name, r)
		wantKind(t, fmt.Sprint(r.Conditions), err, identity.KindValidation)
		p.change(p.profile.ID, func(u *identity.User) { u.Profile.Rules = []identity.ProfileRule{r} })
		_, err = p.cr(p.f.token(gitHub, "sub", "repo:octo/app:x", "ref", "refs/heads/main"), p.byID())
		wantKind(t, fmt.Sprint(r.Conditions, " at use"), err, identity.KindInvalidCredentials)
	}
	p.change(p.profile.ID, func(u *identity.User) { u.Profile.Rules = nil })
	p.rule(withBoth(in("sub", "EQUALS", `"repo:octo/app:x"`), in("ref", "EQUALS", `"refs/heads/main"`)))
	_, err := p.cr(p.f.token(gitHub, "sub", "repo:octo/app:x", "ref", "refs/heads/main"), p.byID())
	wantKind(t, "names the repository", err, "")
}

func (p *profiles) cr(token identity.Secret, which issue.IBMProfileName) (issue.IBMTokens, error) {
	return p.Issuer.IBMCRToken(p.t.Context(), issue.IBMCRGrant{Token: token, Profile: which, Client: bx})
}

// crRule lets tokens of the foreign issuer with a claim become the profile.
func crRule(claim, operator, value string) identity.ProfileRule {
	return identity.ProfileRule{
		Type: identity.RuleCompute, CRType: "VSI", RealmName: stacktest.ForeignIssuer,
		Conditions: []identity.ProfileCondition{{Claim: claim, Operator: operator, Value: value}},
	}
}

func saRule(namespace string) identity.ProfileRule {
	r := crRule("namespace", "EQUALS", `"`+namespace+`"`)
	r.CRType = "IKS_SA"
	return r
}

func saLink(issuer, namespace, name string) identity.ProfileLink {
	return identity.ProfileLink{CRType: "IKS_SA", CRN: identity.ClusterCRN(stacktest.AccountA, issuer), Namespace: namespace, Resource: name}
}

func pod(namespace, name string) map[string]any {
	return map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": name, "uid": "1"}}
}
