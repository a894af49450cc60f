package directory_test

import (
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestIBMAccountSettings: lifetimes count for tokens given from then on, and a
// site file leaves them alone.
func TestIBMAccountSettings(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	change := func(c *identity.Caller, account, tag string, access, refresh *int) (identity.IBMSettings, error) {
		return s.Directory.UpdateIBMAccountSettings(ctx, c, account, tag, directory.IBMSettingsChange{AccessTokenSeconds: access, RefreshTokenSeconds: refresh})
	}
	number := func(n int) *int { return &n }
	_, err := s.Directory.IBMAccountSettings(ctx, a, stacktest.AccountA)
	expect(t, "without a section", err, absent, "")
	apply := func() int {
		changes, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: ibmSpec()}, false)
		must(t, err)
		return len(changes)
	}
	apply()
	logIn := func() issue.IBMTokens {
		tokens, err := s.Issuer.IBMAPIKey(ctx, otherKeyText, "", issue.IBMClient{})
		must(t, err)
		return tokens
	}
	before, err := s.Directory.IBMAccountSettings(ctx, a, stacktest.AccountA)
	if tokens := logIn(); err != nil || before.AccessTokenLife() != time.Hour || before.RefreshTokenLife() != 72*time.Hour || tokens.ExpiresIn != 3600 {
		t.Errorf("%v, %+v, %d s", err, before, tokens.ExpiresIn)
	}
	tag := before.EntityTag().String()
	for _, step := range []struct {
		name            string
		tag             string
		access, refresh *int
		kind            identity.Kind
	}{
		{"no tag", "", number(900), nil, identity.KindMissingParameter},
		{"another tag", "1-" + tag[2:], number(900), nil, identity.KindConflict},
		{"too short", tag, number(899), nil, identity.KindValidation},
		{"too long", tag, number(3601), nil, identity.KindValidation},
		{"below nothing", tag, nil, number(-1), identity.KindValidation},
		{"beyond 72 hours", tag, nil, number(259201), identity.KindValidation},
	} {
		_, err := change(a, stacktest.AccountA, step.tag, step.access, step.refresh)
		expect(t, step.name, err, step.kind, "")
	}
	after, err := change(a, stacktest.AccountA, tag, number(900), number(3600))
	if err != nil || len(after.History) != 1 || len(after.History[0].Params) != 2 || after.EntityTag().String() == tag {
		t.Errorf("%v, %+v", err, after)
	}
	if same, err := change(a, stacktest.AccountA, "*", number(900), nil); err != nil || same.Tag != after.Tag {
		t.Errorf("no change: %v, %+v", err, same)
	}
	if n := apply(); n != 0 {
		t.Errorf("the site changed %d things", n)
	}
	tokens := logIn()
	if tokens.ExpiresIn != 900 {
		t.Errorf("access tokens live %d s", tokens.ExpiresIn)
	}
	s.Clock.Advance(59 * time.Minute)
	next, err := s.Issuer.IBMRefresh(ctx, tokens.Refresh, "", issue.IBMClient{})
	must(t, err)
	s.Clock.Advance(time.Hour)
	_, err = s.Issuer.IBMRefresh(ctx, next.Refresh, "", issue.IBMClient{})
	expect(t, "a refresh token an hour old", err, identity.KindExpiredToken, "")
}

func TestIBMAccountSettingsRights(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	plain, _ := robot(t, s, a, "")
	reader, _ := robot(t, s, a, allow("account.get", crn+"account:"+stacktest.AccountA))
	for name, c := range map[string]struct {
		caller       *identity.Caller
		account      string
		read, change identity.Kind
	}{
		"root":                     {a, stacktest.AccountA, "", ""},
		"without a policy":         {plain, stacktest.AccountA, denied, denied},
		"may read":                 {reader, stacktest.AccountA, "", denied},
		"of another account":       {reader, stacktest.AccountB, denied, denied},
		"of one that is not":       {reader, "999999999999", denied, denied},
		"another account's root":   {b, stacktest.AccountA, denied, denied},
		"an account of no section": {b, stacktest.AccountB, absent, absent},
	} {
		_, err := s.Directory.IBMAccountSettings(ctx, c.caller, c.account)
		expect(t, name+" reads", err, c.read, "")
		_, err = s.Directory.UpdateIBMAccountSettings(ctx, c.caller, c.account, "*", directory.IBMSettingsChange{})
		expect(t, name+" changes", err, c.change, "")
	}
}
