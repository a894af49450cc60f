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
	made    identity.ProfileRule // in tests that end it
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
		"identity removed": func(p *profiles, k issue.CreatedIBMKey, _ issue.IBMTokens) {
			p.check(p.Directory.DeleteProfileIdentity(p.t.Context(), p.root, p.profile.Name, "serviceid", k.UserID))
		},
		"identities replaced": func(p *profiles, _ issue.CreatedIBMKey, _ issue.IBMTokens) {
			_, err := p.Directory.SetProfileIdentities(p.t.Context(), p.root, p.profile.Name, "*", nil)
			p.check(err)
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
