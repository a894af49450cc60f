package issue_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestIBMLogoutEndsItsOwn: of the log-ins that a token descends from only its own
// can be ended by it, and nothing lives on.
func TestIBMLogoutEndsItsOwn(t *testing.T) {
	t.Parallel()
	p := newProfiles(t)
	who := p.tester()
	byCode, err := p.useCode(p.passcode(who))
	p.check(err)
	caller := func(tokens issue.IBMTokens) *identity.Caller {
		c, err := p.Access.IBMToken(t.Context(), tokens.Access)
		p.check(err)
		return c
	}
	wantKind(t, "the console's session", p.Issuer.IBMLogout(t.Context(), caller(byCode), who.Lineage.Last(identity.LineageLogin)), identity.KindNotFound)
	p.admit("user", caller(byCode).IAMID())
	assumed, err := p.assume(byCode.Access, p.byID())
	p.check(err)
	wantKind(t, "the one who assumed", p.Issuer.IBMLogout(t.Context(), caller(assumed), byCode.SessionID), identity.KindNotFound)
	p.check(p.Issuer.IBMLogout(t.Context(), caller(assumed), assumed.SessionID))
	if p.accepted(assumed) || !p.accepted(byCode) {
		t.Error("the profile's token lives, or the one behind it does not")
	}
	p.check(p.Issuer.IBMLogout(t.Context(), caller(byCode), byCode.SessionID))
	_, err = p.refresh(byCode.Refresh)
	wantKind(t, "refresh after log-out", err, identity.KindExpiredToken)
	if p.accepted(byCode) {
		t.Error("the token lives after the log-out")
	}
	if _, err := p.Issuer.ConsolePasscode(t.Context(), who); err != nil {
		t.Errorf("the console's session ended too: %v", err)
	}
}

// TestIBMUsedRefreshTokenStaysUsed though lifetimes became shorter and the session
// was pruned.
func TestIBMUsedRefreshTokenStaysUsed(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	first := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text)
	short := 900
	_, err := c.Directory.UpdateIBMAccountSettings(t.Context(), c.root, stacktest.AccountA, "*", directory.IBMSettingsChange{RefreshTokenSeconds: &short})
	c.check(err)
	second, err := c.refresh(first.Refresh)
	c.check(err)
	c.Clock.Advance(16 * time.Minute)
	_, err = c.refresh(second.Refresh)
	wantKind(t, "a successor that is too old", err, identity.KindExpiredToken)
	c.Clock.Advance(2 * time.Hour)
	c.check(c.Issuer.Prune(t.Context()))
	_, err = c.refresh(first.Refresh)
	wantKind(t, "the used one", err, identity.KindInvalidGrant)
}

// TestIBMClientIsShownByName: what cannot be a name, such as an API key, is kept
// nowhere.
func TestIBMClientIsShownByName(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	key := c.serviceKey(issue.NewIBMKey{})
	for id, want := range map[string]string{"bx": "bx", "": "default", key.Text.Reveal(): "other", "a b": "other", strings.Repeat("a", 33): "other"} {
		client := issue.IBMClient{ID: id}
		tokens, err := c.Issuer.IBMAPIKey(t.Context(), key.Text, "", client)
		c.check(err)
		if got := fmt.Sprint(claimsOf(t, tokens.Access)["client_id"]); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
		if _, err := c.Issuer.IBMRefresh(t.Context(), tokens.Refresh, "", issue.IBMClient{ID: id + "x"}); err == nil {
			t.Errorf("%q: another client refreshes", id)
		}
		if _, err := c.Issuer.IBMRefresh(t.Context(), tokens.Refresh, "", client); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestIBMOwnKeyIsForbidden by whoever forbids access keys.
func TestIBMOwnKeyIsForbidden(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	_, err := c.Directory.Apply(t.Context(), c.Operator(), directory.SiteSpec{Users: []directory.UserSpec{{
		AccountID: stacktest.AccountA, Name: stacktest.TestUser, Realm: "shasta", InlinePolicies: map[string]string{
			"no-secrets": `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:CreateAccessKey","Resource":"arn:aws:iam::*:user/*"}}`,
		},
	}}}, false)
	c.check(err)
	tokens, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	caller, err := c.Access.IBMToken(t.Context(), tokens.Access)
	c.check(err)
	_, err = c.Issuer.NewIBMAPIKey(t.Context(), caller, issue.NewIBMKey{Name: "mine"})
	wantKind(t, "own key", err, identity.KindAccessDenied)
}

// TestIBMProfileMisses are counted with the guesses of an address.
func TestIBMProfileMisses(t *testing.T) {
	t.Parallel()
	p := newProfiles(t, stacktest.WithLimits(authn.Limits{AddressBurst: 5, AddressPerMinute: 1, PairBurst: 1000, PrincipalBurst: 1000}))
	made := p.rule(crRule("sub", "EQUALS", `"alice"`))
	token := p.f.token(stacktest.ForeignIssuer)
	for range 8 {
		_, err := p.cr(token, issue.IBMProfileName{})
		wantKind(t, "a hit", err, "")
	}
	p.check(p.Directory.DeleteProfileRule(t.Context(), p.root, p.profile.Name, made.ID))
	for range 5 {
		_, err := p.cr(token, issue.IBMProfileName{})
		wantKind(t, "a miss", err, identity.KindInvalidCredentials)
	}
	_, err := p.cr(token, issue.IBMProfileName{})
	wantKind(t, "one more", err, identity.KindThrottled)
}
