package issue_test

import (
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// keysFor shows an access token and asks for session keys.
func (c *cloud) keysFor(t issue.IBMTokens, seconds int) (issue.IBMKeys, error) {
	c.t.Helper()
	caller, err := c.Access.IBMToken(c.t.Context(), t.Access)
	c.check(err)
	return c.Issuer.IBMSessionKeys(c.t.Context(), caller, seconds)
}

// signs reports whom S3 takes session keys for.
func (c *cloud) signs(k issue.IBMKeys) (*identity.Caller, error) {
	return (&office{Stack: c.Stack, t: c.t}).try(k.Keys)
}

// TestIBMSessionKeys: whoever shows a token of IBM's dialect gets session keys of
// its own, which end with the token.
func TestIBMSessionKeys(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	key := c.serviceKey(issue.NewIBMKey{})
	byService := c.mustLogIn(key.Text)
	byPassword, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	for name, v := range map[string]struct {
		tokens  issue.IBMTokens
		kind    identity.PrincipalKind
		id      string
		seconds int
		life    time.Duration
	}{
		"service ID":          {byService, identity.ServiceID, key.UserID, 0, time.Hour},
		"user":                {byPassword, identity.IAMUser, c.user(stacktest.TestUser).ID, 0, time.Hour},
		"shorter":             {byPassword, identity.IAMUser, c.user(stacktest.TestUser).ID, 900, 15 * time.Minute},
		"longer than token's": {byPassword, identity.IAMUser, c.user(stacktest.TestUser).ID, 43200, time.Hour},
	} {
		keys, err := c.keysFor(v.tokens, v.seconds)
		c.check(err)
		caller, err := c.signs(keys)
		c.check(err)
		if caller.Kind != v.kind || caller.PrincipalID != v.id || !caller.Temporary || caller.ARN != keys.ARN || caller.UserID != keys.UserID || keys.AccountID != stacktest.AccountA {
			t.Errorf("%s: %+v of %+v", name, caller, keys)
		}
		if left := keys.Keys.Expiration.Sub(c.Clock.Now()); left > v.life || left < v.life-2*time.Second || keys.Keys.Expiration.After(v.tokens.ExpiresAt) {
			t.Errorf("%s: %s left of the keys", name, left)
		}
		if caller.Lineage.Get(identity.LineageLogin) != v.tokens.SessionID {
			t.Errorf("%s: lineage %v without the log-in %s", name, caller.Lineage, v.tokens.SessionID)
		}
	}
	if _, err := c.keysFor(byPassword, 60); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("a minute: %v", err)
	}
	// Late in the token's life the keys are short, whatever the least is that can
	// be asked for.
	c.Clock.Advance(55 * time.Minute)
	keys, err := c.keysFor(byPassword, 3600)
	c.check(err)
	if left := keys.Keys.Expiration.Sub(c.Clock.Now()); left > 5*time.Minute {
		t.Errorf("%s left of keys of a token that ends in 5 minutes", left)
	}
}

// TestIBMSessionKeysEnd: what ends the log-in, or the API key behind it, ends the
// keys, and a logged-out token yields none.
func TestIBMSessionKeysEnd(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	key := c.serviceKey(issue.NewIBMKey{})
	first, second := c.mustLogIn(key.Text), c.mustLogIn(key.Text)
	ofFirst, err := c.keysFor(first, 0)
	c.check(err)
	ofSecond, err := c.keysFor(second, 0)
	c.check(err)
	caller, err := c.Access.IBMToken(ctx, first.Access)
	c.check(err)

	wantKind(t, "another's session", c.Issuer.IBMLogout(ctx, caller, second.SessionID), identity.KindNotFound)
	c.check(c.Issuer.IBMLogout(ctx, caller, first.SessionID))
	if c.accepted(first) {
		t.Error("the token is accepted after its log-out")
	}
	_, err = c.signs(ofFirst)
	wantKind(t, "keys after the log-out", err, identity.KindExpiredToken)
	_, err = c.refresh(first.Refresh)
	wantKind(t, "refresh token after the log-out", err, identity.KindExpiredToken)
	_, err = c.Issuer.IBMSessionKeys(ctx, caller, 0)
	wantKind(t, "a caller from before the log-out", err, identity.KindExpiredToken)
	if _, err := c.signs(ofSecond); err != nil {
		t.Errorf("the other log-in's keys: %v", err)
	}
	c.check(c.Directory.DeleteIBMAPIKey(ctx, c.root, key.ID))
	_, err = c.signs(ofSecond)
	wantKind(t, "keys after the end of the API key", err, identity.KindExpiredToken)
}

// TestIBMSessionKeysRefused: neither session keys nor long-term ones come here,
// and a policy may deny it in words.
func TestIBMSessionKeysRefused(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	tokens, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	keys, err := c.keysFor(tokens, 0)
	c.check(err)
	session, err := c.signs(keys)
	c.check(err)
	for name, caller := range map[string]*identity.Caller{
		"session keys": session, "a long-term key": c.root, "the operator": c.Operator(), "nobody": {},
	} {
		_, err := c.Issuer.IBMSessionKeys(ctx, caller, 0)
		wantKind(t, name, err, identity.KindAccessDenied)
		wantKind(t, name+" logging out", c.Issuer.IBMLogout(ctx, caller, tokens.SessionID), identity.KindAccessDenied)
	}
	_, err = c.Directory.Apply(ctx, c.Operator(), directory.SiteSpec{Users: []directory.UserSpec{{
		AccountID: stacktest.AccountA, Name: stacktest.TestUser, Realm: "shasta", InlinePolicies: map[string]string{
			"no-keys": `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"sts:GetSessionToken","Resource":"*"}}`,
		},
	}}}, false)
	c.check(err)
	_, err = c.keysFor(tokens, 0)
	wantKind(t, "denied in words", err, identity.KindAccessDenied)
	n := 0
	c.check(c.DB.View(ctx, func(r store.Reader) error {
		list, err := store.SessionRecords.List(r, "", "", store.After{}, 0)
		n = len(list)
		return err
	}))
	if n > 1 {
		t.Errorf("%d sessions are recorded", n)
	}
}
