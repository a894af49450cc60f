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

// profiles is a cloud with a foreign issuer, and a trusted profile that nobody
// can become yet.
type profiles struct {
	*cloud
	f       *foreign
	profile identity.User
}

func newProfiles(t testing.TB, opts ...stacktest.Option) *profiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t, append([]stacktest.Option{stacktest.WithSite(func(s *directory.SiteSpec) {
		s.Providers = append(s.Providers, directory.ProviderSpec{AccountID: stacktest.AccountA, URL: gitHub, ClientIDs: []string{"app"}})
	})}, opts...)...)
	c.Foreign.Set(stacktest.ForeignIssuer, "k1", key.Public())
	c.Foreign.Set(gitHub, "k1", key.Public())
	p := &profiles{cloud: c, f: &foreign{office: &office{Stack: c.Stack, t: t}, key: key}}
	p.profile = p.newProfile("deployer")
	return p
}

func (p *profiles) newProfile(name string) identity.User {
	p.t.Helper()
	u, err := p.Directory.CreateTrustedProfile(p.t.Context(), p.root, directory.NewTrustedProfile{Name: name})
	p.check(err)
	return u
}

func (p *profiles) admit(kind, identifier string) {
	p.t.Helper()
	_, err := p.Directory.AddProfileIdentity(p.t.Context(), p.root, p.profile.Name, identity.ProfileIdentity{Type: kind, Identifier: identifier})
	p.check(err)
}

func (p *profiles) rule(r identity.ProfileRule) identity.ProfileRule {
	p.t.Helper()
	out, err := p.Directory.CreateProfileRule(p.t.Context(), p.root, p.profile.Name, r)
	p.check(err)
	return out
}

func (p *profiles) link(l identity.ProfileLink) identity.ProfileLink {
	p.t.Helper()
	out, err := p.Directory.CreateProfileLink(p.t.Context(), p.root, p.profile.Name, l)
	p.check(err)
	return out
}

func (p *profiles) assume(access identity.Secret, which issue.IBMProfileName) (issue.IBMTokens, error) {
	return p.Issuer.IBMAssume(p.t.Context(), issue.IBMAssumeGrant{Access: access, Profile: which, Client: bx})
}

func (p *profiles) byID() issue.IBMProfileName { return issue.IBMProfileName{ID: p.profile.Name} }

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

func TestIBMAssume(t *testing.T) {
	t.Parallel()
	p := newProfiles(t)
	user, robot := p.userKey(stacktest.TestUser), p.serviceKey(issue.NewIBMKey{})
	p.admit("user", user.IAMID())
	p.admit("serviceid", strings.TrimPrefix(robot.UserID, "iam-"))
	crn := identity.IAMIdentityCRN(stacktest.AccountA, "profile", p.profile.Name)
	byKey := p.mustLogIn(user.Text)
	byPassword, err := p.password(stacktest.TestUser, stacktest.TestPassword, "")
	p.check(err)
	for name, k := range map[string]struct {
		with  issue.IBMTokens
		which issue.IBMProfileName
		who   string
	}{
		"user by ID":                {byKey, p.byID(), user.IAMID()},
		"user by CRN":               {byKey, issue.IBMProfileName{CRN: crn}, user.IAMID()},
		"user by name":              {byKey, issue.IBMProfileName{Name: "deployer", Account: stacktest.AccountA}, user.IAMID()},
		"all of it":                 {byKey, issue.IBMProfileName{ID: p.profile.Name, CRN: crn, Name: "deployer", Account: stacktest.AccountA}, user.IAMID()},
		"user by password":          {byPassword, p.byID(), user.IAMID()},
		"service ID, by profile ID": {p.mustLogIn(robot.Text), p.byID(), robot.UserID},
	} {
		got, err := p.assume(k.with.Access, k.which)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := claimsOf(t, got.Access)
		id := p.profile.ID
		said := fmt.Sprint(v["iam_id"], " ", v["id"], " ", v["identifier"], " ", v["sub"], " ", v["realmid"], " ", v["sub_type"], " ", v["name"], " ", v["grant_type"], " ", v["amr"])
		if want := id + " " + id + " " + p.profile.Name + " " + p.profile.Name + " iam Profile deployer " + issue.IBMGrantAssume + " <nil>"; said != want {
			t.Errorf("%s: %s, want %s", name, said, want)
		}
		if who := v["authn"].(map[string]any)["iam_id"]; who != k.who || got.Refresh != "" || got.SessionID == k.with.SessionID || got.ExpiresAt.After(k.with.ExpiresAt) {
			t.Errorf("%s: proved by %v, %+v", name, who, got)
		}
		c, err := p.Access.IBMToken(t.Context(), got.Access)
		if err != nil || c.PrincipalID != id || c.Kind != identity.ServiceID || c.Interactive || c.MFA {
			t.Errorf("%s: %v, %+v", name, err, c)
		}
		if _, err := p.assume(got.Access, p.byID()); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("%s: a profile became a profile: %v", name, err)
		}
	}
	lines := p.AuditLines(t)
	if !strings.Contains(lines, `"eventName":"AssumeGrant"`) || strings.Contains(lines, byKey.Access.Reveal()) {
		t.Error("the log lacks the event, or holds a token")
	}
}

// TestIBMAssumeIsRefused: absent, foreign, disabled and unnamed profiles answer
// alike.
func TestIBMAssumeIsRefused(t *testing.T) {
	t.Parallel()
	p := newProfiles(t)
	user, other, robot := p.userKey(stacktest.TestUser), p.userKey("service"), p.serviceKey(issue.NewIBMKey{})
	p.admit("user", user.IAMID())
	off := p.newProfile("off")
	_, err := p.Directory.AddProfileIdentity(t.Context(), p.root, off.Name, identity.ProfileIdentity{Type: "user", Identifier: user.IAMID()})
	p.check(err)
	p.change(off.ID, func(u *identity.User) { u.Disabled = true })
	robotsCRN := identity.IAMIdentityCRN(stacktest.AccountA, "profile", p.profile.Name)
	good := p.mustLogIn(user.Text).Access
	rootKey := p.key(issue.NewIBMKey{})
	p.change(p.profile.ID, func(u *identity.User) { // behind the back of the rules
		v := *u.Profile
		v.Identities = append([]identity.ProfileIdentity{{Type: "user", Identifier: rootKey.IAMID()}, {Type: "crn", Identifier: robot.UserID}}, v.Identities...)
		u.Profile = &v
	})
	name := func(n, account string) issue.IBMProfileName {
		return issue.IBMProfileName{Name: n, Account: account}
	}
	for _, k := range []struct {
		what   string
		access identity.Secret
		which  issue.IBMProfileName
		want   identity.Kind
	}{
		{"who is named", good, p.byID(), ""},
		{"a user who is not named", p.mustLogIn(other.Text).Access, p.byID(), identity.KindInvalidCredentials},
		{"a service ID that is named as CRN alone", p.mustLogIn(robot.Text).Access, p.byID(), identity.KindInvalidCredentials},
		{"root", p.mustLogIn(rootKey.Text).Access, p.byID(), identity.KindInvalidCredentials},
		{"no profile", good, issue.IBMProfileName{}, identity.KindInvalidCredentials},
		{"an account alone", good, issue.IBMProfileName{Account: stacktest.AccountA}, identity.KindInvalidCredentials},
		{"an absent profile", good, issue.IBMProfileName{ID: "Profile-x"}, identity.KindInvalidCredentials},
		{"a service ID for a profile", good, issue.IBMProfileName{ID: strings.TrimPrefix(robot.UserID, "iam-")}, identity.KindInvalidCredentials},
		{"an IAM ID", good, issue.IBMProfileName{ID: p.profile.ID}, identity.KindInvalidCredentials},
		{"an absent name", good, name("x", ""), identity.KindInvalidCredentials},
		{"a name in another case", good, name("Deployer", stacktest.AccountA), identity.KindInvalidCredentials},
		{"a name in another account", good, name("deployer", stacktest.AccountB), identity.KindInvalidCredentials},
		{"an ID with another's name", good, issue.IBMProfileName{ID: p.profile.Name, Name: "off"}, identity.KindInvalidCredentials},
		{"an ID with another CRN", good, issue.IBMProfileName{ID: p.profile.Name, CRN: robotsCRN + "x"}, identity.KindInvalidCredentials},
		{"a CRN of another account", good, issue.IBMProfileName{CRN: strings.Replace(robotsCRN, stacktest.AccountA, stacktest.AccountB, 1)}, identity.KindInvalidCredentials},
		{"no CRN", good, issue.IBMProfileName{CRN: p.profile.Name}, identity.KindInvalidCredentials},
		{"a disabled profile", good, issue.IBMProfileName{ID: off.Name}, identity.KindInvalidCredentials},
		{"a bent token", flipped(good), p.byID(), identity.KindInvalidBearer},
		{"an API key", user.Text, p.byID(), identity.KindInvalidBearer},
		{"nothing", "", p.byID(), identity.KindInvalidBearer},
		{"a huge token", identity.Secret(strings.Repeat("A", 1<<20)), p.byID(), identity.KindInvalidBearer},
	} {
		_, err := p.assume(k.access, k.which)
		wantKind(t, k.what, err, k.want)
		if k.want == identity.KindInvalidCredentials && identity.AsError(err).Public != "" {
			t.Errorf("%s: the error tells %q", k.what, identity.AsError(err).Public)
		}
	}
}

// TestIBMAssumedEnds: what ends the log-in, its proof or the profile ends what was
// obtained, and its time is that of the token that was shown.
func TestIBMAssumedEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *profiles, key issue.CreatedIBMKey, shown issue.IBMTokens){
		"key disabled": func(p *profiles, k issue.CreatedIBMKey, _ issue.IBMTokens) {
			p.check(p.Directory.DisableIBMAPIKey(p.t.Context(), p.root, k.ID, true))
		},
		"key deleted": func(p *profiles, k issue.CreatedIBMKey, _ issue.IBMTokens) {
			p.check(p.Directory.DeleteIBMAPIKey(p.t.Context(), p.root, k.ID))
		},
		"service ID deleted": func(p *profiles, k issue.CreatedIBMKey, _ issue.IBMTokens) {
			p.check(p.Directory.DeleteServiceID(p.t.Context(), p.root, strings.TrimPrefix(k.UserID, "iam-")))
		},
		"profile deleted": func(p *profiles, _ issue.CreatedIBMKey, _ issue.IBMTokens) {
			p.check(p.Directory.DeleteTrustedProfile(p.t.Context(), p.root, p.profile.Name))
		},
		"profile disabled": func(p *profiles, _ issue.CreatedIBMKey, _ issue.IBMTokens) {
			p.change(p.profile.ID, func(u *identity.User) { u.Disabled = true })
		},
		"log-in ended": func(p *profiles, _ issue.CreatedIBMKey, shown issue.IBMTokens) {
			_, err := p.Directory.RevokeSessions(p.t.Context(), p.Operator(), directory.RevokeSpec{Scope: directory.ScopeLogin, ID: shown.SessionID})
			p.check(err)
		},
		"token's time": func(p *profiles, _ issue.CreatedIBMKey, shown issue.IBMTokens) {
			p.Clock.Advance(shown.ExpiresAt.Sub(p.Clock.Now()))
		},
	} {
		p := newProfiles(t)
		key := p.serviceKey(issue.NewIBMKey{})
		p.admit("serviceid", key.UserID)
		shown := p.mustLogIn(key.Text)
		p.Clock.Advance(20 * time.Minute)
		got, err := p.assume(shown.Access, p.byID())
		p.check(err)
		if got.ExpiresAt.After(shown.ExpiresAt) || got.ExpiresIn != 2400 || !p.accepted(got) {
			t.Errorf("%s: %d s", name, got.ExpiresIn)
		}
		end(p, key, shown)
		if p.accepted(got) {
			t.Errorf("%s: the token is still accepted", name)
		}
		if _, err := p.assume(shown.Access, p.byID()); err == nil {
			t.Errorf("%s: the profile is still given", name)
		}
	}
}

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
	} {
		p := newProfiles(t)
		p.rule(crRule("sub", "EQUALS", `"alice"`))
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
