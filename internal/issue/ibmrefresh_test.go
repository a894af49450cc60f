package issue_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// logIns are log-ins with a first refresh token that is sealed, and with one
// that is stored.
func (c *cloud) logIns() map[string]issue.IBMTokens {
	c.t.Helper()
	stored, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	return map[string]issue.IBMTokens{"sealed": c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text), "stored": stored}
}

func TestIBMRefresh(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for name, first := range c.logIns() {
		before := c.families()
		c.Clock.Advance(time.Minute)
		second, err := c.refresh(first.Refresh)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if second.SessionID != first.SessionID || second.Refresh == first.Refresh || !c.accepted(second) || !c.accepted(first) {
			t.Errorf("%s: %+v after %+v", name, second, first)
		}
		if after := c.families(); (after > before) != (name == "sealed") {
			t.Errorf("%s: %d families before its use, %d after", name, before, after)
		}
		c.Clock.Advance(9 * time.Second)
		again, err := c.refresh(first.Refresh)
		if err != nil || again.Refresh != second.Refresh {
			t.Errorf("%s, shown again at once: %v, the same token %v", name, err, again.Refresh == second.Refresh)
		}
		third, err := c.refresh(second.Refresh)
		if err != nil || third.Refresh == second.Refresh {
			t.Fatalf("%s: %v", name, err)
		}
		// Once the successor was used, whoever shows the one before it should not
		// have it.
		_, err = c.refresh(first.Refresh)
		wantKind(t, name+", used twice", err, identity.KindInvalidGrant)
		for what, token := range map[string]issue.IBMTokens{"first": first, "second": second, "third": third} {
			if c.accepted(token) {
				t.Errorf("%s: the %s access token lives after a reuse", name, what)
			}
			_, err := c.refresh(token.Refresh)
			wantKind(t, name+": the "+what+" refresh token after a reuse", err, identity.KindExpiredToken)
		}
	}
}

func TestIBMRefreshLate(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for name, first := range c.logIns() {
		if _, err := c.refresh(first.Refresh); err != nil {
			t.Fatal(err)
		}
		c.Clock.Advance(11 * time.Second)
		_, err := c.refresh(first.Refresh)
		wantKind(t, name+", shown again too late", err, identity.KindInvalidGrant)
	}
	for _, name := range []string{"sealed", "stored"} {
		first := c.logIns()[name]
		c.Clock.Advance(72*time.Hour - time.Second)
		next, err := c.refresh(first.Refresh)
		if err != nil {
			t.Fatalf("%s, just in time: %v", name, err)
		}
		c.Clock.Advance(72 * time.Hour)
		_, err = c.refresh(next.Refresh)
		wantKind(t, name+", too old", err, identity.KindExpiredToken)
	}
	for name, first := range c.logIns() {
		c.Clock.Advance(72 * time.Hour)
		_, err := c.refresh(first.Refresh)
		wantKind(t, name+", never used", err, identity.KindExpiredToken)
	}
}

// TestIBMRefreshIsBound: a token is good for the client that got it, as it showed
// itself then.
func TestIBMRefreshIsBound(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for name, first := range c.logIns() {
		for what, client := range map[string]issue.IBMClient{
			"none": {}, "another": {ID: "app", Secret: "bx"}, "another secret": {ID: "bx", Secret: "b"}, "no secret": {ID: "bx"},
			"shifted": {ID: "bxb", Secret: "x"},
		} {
			_, err := c.Issuer.IBMRefresh(t.Context(), first.Refresh, "", client)
			wantKind(t, name+" by client "+what, err, identity.KindInvalidGrant)
		}
		_, err := c.Issuer.IBMRefresh(t.Context(), first.Refresh, stacktest.AccountB, bx)
		wantKind(t, name+", for another account", err, identity.KindAccessDenied)
		if _, err := c.Issuer.IBMRefresh(t.Context(), first.Refresh, stacktest.AccountA, bx); err != nil {
			t.Errorf("%s, by its own client afterwards: %v", name, err)
		}
	}
	first := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text)
	realm := shastaLogin(t, c.Stack)
	for what, token := range map[string]identity.Secret{
		"empty": "", "an access token": first.Access, "a realm's": realm.RefreshToken, "made up": "dpr_" + identity.Secret(strings.Repeat("A", 43)),
		"cut": first.Refresh[:len(first.Refresh)-1], "prefix alone": "dpi_", "turned": flipped(first.Refresh), "huge": "dpi_" + identity.Secret(strings.Repeat("A", 1<<20)),
	} {
		_, err := c.refresh(token)
		wantKind(t, what, err, identity.KindInvalidGrant)
	}
	_, err := c.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: first.Refresh})
	wantKind(t, "at a realm", err, identity.KindInvalidGrant)
	second, err := c.refresh(first.Refresh)
	c.check(err)
	_, err = c.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: second.Refresh})
	wantKind(t, "a stored one at a realm", err, identity.KindInvalidGrant)
}

// flipped is a text with another character in its middle.
func flipped(s identity.Secret) identity.Secret {
	b := []byte(s.Reveal())
	if b[len(b)/2]++; b[len(b)/2] == 'z'+1 {
		b[len(b)/2] = 'a'
	}
	return identity.Secret(b)
}

// TestIBMSessionEnds: whatever ends a log-in ends its refresh tokens, used or
// not, for as long as they live.
func TestIBMSessionEnds(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	revoke := func(kind identity.LineageKind, id string) error {
		_, err := c.DB.Update(ctx, func(tx store.Tx) error { return c.Access.Revoke(tx, identity.Revocation{Kind: kind, ID: id}) })
		return err
	}
	for what, end := range map[string]func(k issue.CreatedIBMKey, t issue.IBMTokens) error{
		"key disabled": func(k issue.CreatedIBMKey, _ issue.IBMTokens) error {
			return c.Directory.DisableIBMAPIKey(ctx, c.root, k.ID, true)
		},
		"key deleted": func(k issue.CreatedIBMKey, _ issue.IBMTokens) error {
			return c.Directory.DeleteIBMAPIKey(ctx, c.root, k.ID)
		},
		"service ID deleted": func(k issue.CreatedIBMKey, _ issue.IBMTokens) error {
			return c.Directory.DeleteServiceID(ctx, c.root, strings.TrimPrefix(k.UserID, "iam-"))
		},
		"session revoked": func(_ issue.CreatedIBMKey, t issue.IBMTokens) error {
			return revoke(identity.LineageLogin, t.SessionID)
		},
		"principal revoked": func(k issue.CreatedIBMKey, _ issue.IBMTokens) error {
			return revoke(identity.LineagePrincipal, k.UserID)
		},
		"owner disabled": func(k issue.CreatedIBMKey, _ issue.IBMTokens) error {
			c.change(k.UserID, func(u *identity.User) { u.Disabled = true })
			return nil
		},
		"owner needs a second factor": func(k issue.CreatedIBMKey, _ issue.IBMTokens) error {
			c.change(k.UserID, func(u *identity.User) { u.MFARequired = true })
			return nil
		},
	} {
		for _, used := range []bool{false, true} {
			key := c.serviceKey(issue.NewIBMKey{})
			tokens := c.mustLogIn(key.Text)
			if used {
				next, err := c.refresh(tokens.Refresh)
				c.check(err)
				tokens = next
			}
			c.check(end(key, tokens))
			if c.accepted(tokens) {
				t.Errorf("%s, used before %v: the access token lives", what, used)
			}
			_, err := c.refresh(tokens.Refresh)
			wantKind(t, what, err, identity.KindExpiredToken)
			// Nobody forgets that while the token could still be shown.
			c.Clock.Advance(71 * time.Hour)
			c.check(c.Access.PruneRevocations(ctx))
			_, err = c.refresh(tokens.Refresh)
			wantKind(t, what+", three days later", err, identity.KindExpiredToken)
		}
	}
}

// TestIBMFirstRefreshRaces: of many at once that show one first token, all get
// the same successor.
func TestIBMFirstRefreshRaces(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	first := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text)
	const n = 8
	got := make([]identity.Secret, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			out, err := c.refresh(first.Refresh)
			if err != nil {
				t.Errorf("try %d: %v", i, err)
			}
			got[i] = out.Refresh
		})
	}
	wg.Wait()
	for i := range n {
		if got[i] != got[0] || got[i] == "" {
			t.Errorf("try %d got another token", i)
		}
	}
	if c.families() != 1 {
		t.Errorf("%d families", c.families())
	}
}

// TestIBMPrune: a family goes when its time is over, and its first token cannot
// begin it anew.
func TestIBMPrune(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	first := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text)
	if _, err := c.refresh(first.Refresh); err != nil {
		t.Fatal(err)
	}
	c.Clock.Advance(74 * time.Hour)
	c.check(c.Issuer.Prune(t.Context()))
	if c.families() != 0 {
		t.Errorf("%d families are left", c.families())
	}
	_, err := c.refresh(first.Refresh)
	wantKind(t, "afterwards", err, identity.KindExpiredToken)
}

// counting counts the statements that a store is asked.
type counting struct {
	store.Engine
	asked atomic.Int64
}

func (e *counting) Update(ctx context.Context, fn func(store.Tx) error) (identity.Position, error) {
	e.asked.Add(1)
	return e.Engine.Update(ctx, fn)
}

func (e *counting) View(ctx context.Context, fn func(store.Reader) error) (identity.Position, error) {
	e.asked.Add(1)
	return e.Engine.View(ctx, fn)
}

// TestIBMAPIKeyAsksNoStore: a log-in by an API key that was seen before costs the
// store nothing.
func TestIBMAPIKeyAsksNoStore(t *testing.T) {
	t.Parallel()
	engine := &counting{Engine: store.NewMemory()}
	c := newCloud(t, stacktest.WithEngine(engine))
	made := c.serviceKey(issue.NewIBMKey{})
	key := made.Text
	c.mustLogIn(key)
	before := engine.asked.Load()
	for range 10 {
		if tokens := c.mustLogIn(key); tokens.Refresh == "" || !c.accepted(tokens) {
			t.Error("no refresh token, or no access")
		}
	}
	if n := engine.asked.Load() - before; n != 0 {
		t.Errorf("ten log-ins asked the store %d times", n)
	}
	c.check(c.Access.FlushUses(t.Context()))
	c.mustLogIn(key)
	c.check(c.Access.FlushUses(t.Context()))
	if use, err := c.Directory.IBMAPIKeyActivity(t.Context(), c.root, made.ID); err != nil || use.Count != 12 || !use.At.Equal(c.Clock.Now()) {
		t.Errorf("%v, %+v", err, use)
	}
}

// FuzzIBMRefresh shows texts as refresh tokens: none of them is one.
func FuzzIBMRefresh(f *testing.F) {
	c := newCloud(f)
	first := c.mustLogIn(c.serviceKey(issue.NewIBMKey{}).Text)
	stored, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	good := map[string]bool{first.Refresh.Reveal(): true, stored.Refresh.Reveal(): true}
	for _, seed := range []string{"", "dpi_", "dpr_", "dpi_AQAAAAE", "dpi_" + strings.Repeat("A", 900), first.Access.Reveal()} {
		f.Add(seed)
	}
	for token := range good {
		f.Add(token[:len(token)-1])
		f.Add(token + "A")
		f.Add(strings.ToUpper(token))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if good[text] {
			t.Skip()
		}
		if _, err := c.Issuer.IBMRefresh(t.Context(), identity.Secret(text), "", bx); identity.KindOf(err) != identity.KindInvalidGrant {
			t.Errorf("got %v", err)
		}
	})
}
