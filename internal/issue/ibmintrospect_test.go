package issue_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// TestIBMIntrospect: a caller of the account learns what a living access token
// says, and of everything else nothing.
func TestIBMIntrospect(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	robot := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text)
	caller, err := c.Access.IBMToken(ctx, robot.Access)
	c.check(err)
	login := c.tester()
	person, err := c.useCode(c.passcode(login))
	c.check(err)
	claims, err := c.Issuer.IBMIntrospect(ctx, caller, person.Access)
	c.check(err)
	if string(claims["iam_id"]) != `"`+c.user(stacktest.TestUser).IAMID()+`"` || string(claims["session_id"]) != `"`+person.SessionID+`"` || claims["exp"] == nil {
		t.Errorf("%s", claims)
	}
	for name := range claims {
		if name == "sid" || strings.HasPrefix(name, "dp_") {
			t.Errorf("claim %s is told", name)
		}
	}
	if own, err := c.Issuer.IBMIntrospect(ctx, caller, robot.Access); err != nil || string(own["sub_type"]) != `"ServiceId"` {
		t.Errorf("its own: %v, %s", err, own)
	}
	stranger := *caller
	stranger.AccountID = stacktest.AccountB
	key := c.serviceKey(issue.NewIBMKey{})
	ended := c.mustLogIn(key.Text)
	c.check(c.Directory.DisableIBMAPIKey(ctx, c.root, key.ID, true))
	for name, k := range map[string]struct {
		caller *identity.Caller
		token  identity.Secret
	}{
		"by another account":     {&stranger, person.Access},
		"a refresh token":        {caller, person.Refresh},
		"a sealed refresh token": {caller, robot.Refresh},
		"an API key":             {caller, key.Text},
		"a realm's token":        {caller, shastaLogin(t, c.Stack).AccessToken},
		"one whose key is off":   {caller, ended.Access},
		"cut":                    {caller, person.Access[:len(person.Access)-1]},
		"empty":                  {caller, ""},
		"huge":                   {caller, identity.Secret(strings.Repeat("a", 1<<20))},
	} {
		if got, err := c.Issuer.IBMIntrospect(ctx, k.caller, k.token); err != nil || got != nil {
			t.Errorf("%s: %v, %s", name, err, got)
		}
	}
	c.check(c.Issuer.ConsoleLogout(ctx, login))
	if got, err := c.Issuer.IBMIntrospect(ctx, caller, person.Access); err != nil || got != nil {
		t.Errorf("after the log-out: %v, %s", err, got)
	}
	c.Clock.Advance(time.Hour)
	if got, err := c.Issuer.IBMIntrospect(ctx, caller, robot.Access); err != nil || got != nil {
		t.Errorf("too old: %v, %s", err, got)
	}
}
