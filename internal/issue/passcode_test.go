package issue_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// person logs a person in at the console.
func (c *cloud) person(place, name, password, code string) *identity.Caller {
	c.t.Helper()
	s, err := c.Issuer.ConsoleLogin(c.t.Context(), issue.ConsoleLogin{
		Place: place, Username: name, Password: identity.Secret(password), Code: identity.Secret(code),
	})
	c.check(err)
	who, err := c.Access.Cookie(c.t.Context(), s.Cookie)
	c.check(err)
	return who
}

func (c *cloud) tester() *identity.Caller {
	c.t.Helper()
	return c.person("shasta", stacktest.TestUser, stacktest.TestPassword, "")
}

// passcode is a new one of a person.
func (c *cloud) passcode(who *identity.Caller) identity.Secret {
	c.t.Helper()
	p, err := c.Issuer.ConsolePasscode(c.t.Context(), who)
	c.check(err)
	return p.Text
}

func (c *cloud) useCode(code identity.Secret) (issue.IBMTokens, error) {
	return c.Issuer.IBMPasscode(c.t.Context(), code, "", bx)
}

func TestPasscode(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	who := c.tester()
	p, err := c.Issuer.ConsolePasscode(t.Context(), who)
	c.check(err)
	if !p.ExpiresAt.Equal(c.Clock.Now().Add(5*time.Minute)) || len(p.Text) != 14 {
		t.Errorf("%+v", p)
	}
	tokens, err := c.useCode(p.Text)
	c.check(err)
	v := claimsOf(t, tokens.Access)
	user := c.user(stacktest.TestUser)
	if v["iam_id"] != user.IAMID() || v["grant_type"] != issue.IBMGrantPasscode || fmt.Sprint(v["amr"]) != "[pwd]" || v["session_id"] != tokens.SessionID {
		t.Errorf("%v", v)
	}
	caller, err := c.Access.IBMToken(t.Context(), tokens.Access)
	if err != nil || !caller.Interactive || caller.Console || caller.PrincipalID != user.ID || caller.MFA {
		t.Errorf("%v, %+v", err, caller)
	}
	next, err := c.refresh(tokens.Refresh)
	if err != nil || !c.accepted(next) || next.SessionID != tokens.SessionID {
		t.Errorf("%v, %+v", err, next)
	}
	if v := claimsOf(t, next.Access); v["grant_type"] != issue.IBMGrantPasscode {
		t.Errorf("refreshed: %v", v)
	}
	last, err := c.Issuer.LastPasscode(t.Context(), who)
	if err != nil || last.Last == nil || !last.Last.UsedAt.Equal(c.Clock.Now()) {
		t.Errorf("%v, %+v", err, last.Last)
	}
	_, err = c.useCode(p.Text)
	wantKind(t, "used twice", err, identity.KindInvalidCredentials)
	if !c.accepted(next) {
		t.Error("a code that is shown twice ends what it gave")
	}
}

// TestPasscodeSaysWhatWasProved: a second factor at the console is one of the
// log-in, and of its refreshes.
func TestPasscodeSaysWhatWasProved(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	code := c.device(stacktest.TestUser)
	c.change(c.user(stacktest.TestUser).ID, func(u *identity.User) { u.MFARequired = true })
	who := c.person("shasta", stacktest.TestUser, stacktest.TestPassword, code())
	proved := c.Clock.Now()
	c.Clock.Advance(time.Minute)
	s, err := c.Issuer.ConsoleSeen(t.Context(), who) // as each page does
	c.check(err)
	who, err = c.Access.Cookie(t.Context(), s.Cookie)
	c.check(err)
	tokens, err := c.useCode(c.passcode(who))
	c.check(err)
	next, err := c.refresh(tokens.Refresh)
	c.check(err)
	for name, k := range map[string]issue.IBMTokens{"first": tokens, "refreshed": next} {
		caller, err := c.Access.IBMToken(t.Context(), k.Access)
		if amr := claimsOf(t, k.Access)["amr"]; err != nil || fmt.Sprint(amr) != "[pwd totp otp mfa]" || !caller.MFA || !caller.MFATime.Equal(proved) {
			t.Errorf("%s: %v, %v, %+v", name, err, amr, caller)
		}
	}
}

// TestPasscodeAsTyped: how a person types it does not matter.
func TestPasscodeAsTyped(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for name, typed := range map[string]func(string) string{
		"lower case": strings.ToLower, "without hyphens": func(s string) string { return strings.ReplaceAll(s, "-", "") },
		"with spaces":  func(s string) string { return " " + strings.ReplaceAll(s, "-", " ") + "\n" },
		"O and I":      func(s string) string { return strings.NewReplacer("0", "O", "1", "I").Replace(s) },
		"l and dashes": func(s string) string { return strings.NewReplacer("0", "o", "1", "l", "-", "--").Replace(s) },
	} {
		if _, err := c.useCode(identity.Secret(typed(c.passcode(c.tester()).Reveal()))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	code := c.passcode(c.tester()).Reveal()
	for name, text := range map[string]string{
		"nothing": "", "cut": code[1:], "longer": code + "0", "of other letters": "U" + code[1:], "long": strings.Repeat(code, 100), "not text": code[:13] + "\xff",
	} {
		_, err := c.useCode(identity.Secret(text))
		wantKind(t, name, err, identity.KindInvalidCredentials)
	}
	if _, err := c.useCode(identity.Secret(code)); err != nil {
		t.Error(err)
	}
}

// TestPasscodeIsRefused: a code is good for five minutes, until there is a new
// one, and as long as the log-in and the user that it comes from.
func TestPasscodeIsRefused(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	for name, end := range map[string]func(who *identity.Caller, code *identity.Secret){
		"too old":    func(*identity.Caller, *identity.Secret) { c.Clock.Advance(5 * time.Minute) },
		"replaced":   func(who *identity.Caller, _ *identity.Secret) { c.passcode(who) },
		"logged out": func(who *identity.Caller, _ *identity.Secret) { c.check(c.Issuer.ConsoleLogout(ctx, who)) },
		"log-in ended": func(who *identity.Caller, _ *identity.Secret) {
			c.check(c.Directory.EndOwnSession(ctx, who, who.Lineage.Get(identity.LineageLogin)))
		},
		"all others ended": func(who *identity.Caller, _ *identity.Secret) { _, err := c.Issuer.ConsoleOnly(ctx, who); c.check(err) },
		"user disabled": func(who *identity.Caller, _ *identity.Secret) {
			c.change(who.PrincipalID, func(u *identity.User) { u.Disabled = true })
		},
		"user of another realm": func(who *identity.Caller, _ *identity.Secret) {
			c.change(who.PrincipalID, func(u *identity.User) { u.Realm = "other" })
		},
		"account disabled": func(*identity.Caller, *identity.Secret) { c.account(func(a *identity.Account) { a.Disabled = true }) },
		"an API key":       func(_ *identity.Caller, code *identity.Secret) { *code = c.serviceKey(issue.NewIBMKey{}).Text },
		"a cookie": func(_ *identity.Caller, code *identity.Secret) {
			s, err := c.Issuer.ConsoleLogin(ctx, issue.ConsoleLogin{Place: "shasta", Username: stacktest.TestUser, Password: stacktest.TestPassword})
			c.check(err)
			*code = s.Cookie
		},
	} {
		user := c.user(stacktest.TestUser)
		who := c.tester()
		code := c.passcode(who)
		end(who, &code)
		_, err := c.useCode(code)
		wantKind(t, name, err, identity.KindInvalidCredentials)
		c.change(user.ID, func(u *identity.User) { *u = *user })
		c.account(func(a *identity.Account) { a.Disabled = false })
	}
	code := c.passcode(c.tester())
	_, err := c.Issuer.IBMPasscode(ctx, code, stacktest.AccountB, bx)
	wantKind(t, "for another account", err, identity.KindAccessDenied)
	for kind, fn := range map[identity.Kind]func(*identity.User){
		identity.KindMFARequired:     func(u *identity.User) { u.MFARequired = true },
		identity.KindPasswordExpired: func(u *identity.User) { u.MustChangePassword = true },
	} {
		user := c.user(stacktest.TestUser)
		c.change(user.ID, fn)
		_, err := c.useCode(code)
		wantKind(t, string(kind), err, kind)
		c.change(user.ID, func(u *identity.User) { *u = *user })
	}
	if _, err := c.Issuer.IBMPasscode(ctx, code, stacktest.AccountA, bx); err != nil {
		t.Errorf("after all that, the code: %v", err)
	}
}

// account changes account A.
func (c *cloud) account(fn func(*identity.Account)) {
	c.t.Helper()
	_, err := c.DB.Update(c.t.Context(), func(tx store.Tx) error {
		a, err := store.Accounts.Get(tx, stacktest.AccountA)
		if err != nil {
			return err
		}
		v := *a
		fn(&v)
		return store.Accounts.Put(tx, &v)
	})
	c.check(err)
}

// TestPasscodeEndsWithItsLogin: what ends the log-in at the console ends all that
// its code gave, for as long as that could live.
func TestPasscodeEndsWithItsLogin(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	ctx := t.Context()
	for name, end := range map[string]func(who *identity.Caller, t issue.IBMTokens){
		"logged out": func(who *identity.Caller, _ issue.IBMTokens) { c.check(c.Issuer.ConsoleLogout(ctx, who)) },
		"its own session": func(who *identity.Caller, t issue.IBMTokens) {
			c.check(c.Directory.EndOwnSession(ctx, who, t.SessionID))
		},
		"all others": func(who *identity.Caller, _ issue.IBMTokens) { _, err := c.Issuer.ConsoleOnly(ctx, who); c.check(err) },
	} {
		who := c.tester()
		tokens, err := c.useCode(c.passcode(who))
		c.check(err)
		tokens, err = c.refresh(tokens.Refresh)
		c.check(err)
		end(who, tokens)
		if c.accepted(tokens) {
			t.Errorf("%s: the access token lives", name)
		}
		_, err = c.refresh(tokens.Refresh)
		wantKind(t, name, err, identity.KindExpiredToken)
		c.Clock.Advance(71 * time.Hour)
		c.check(c.Access.PruneRevocations(ctx))
		_, err = c.refresh(tokens.Refresh)
		wantKind(t, name+", three days later", err, identity.KindExpiredToken)
	}
	// A log-in that merely grows old ends nothing.
	tokens, err := c.useCode(c.passcode(c.tester()))
	c.check(err)
	c.Clock.Advance(13 * time.Hour)
	if tokens, err = c.refresh(tokens.Refresh); err != nil || !c.accepted(tokens) {
		t.Errorf("after the cookie's time: %v", err)
	}
}

// TestPasscodeRaces: of many at once that show one code, one gets tokens.
func TestPasscodeRaces(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for range 4 {
		code := c.passcode(c.tester())
		before := c.families()
		var good atomic.Int64
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if _, err := c.useCode(code); err == nil {
					good.Add(1)
				} else if identity.KindOf(err) != identity.KindInvalidCredentials {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if good.Load() != 1 || c.families() != before+1 {
			t.Errorf("%d log-ins, %d families", good.Load(), c.families()-before)
		}
	}
}

// TestPasscodeIsForWhom: only people of the dialect's realm get codes, at the
// console, lately logged in.
func TestPasscodeIsForWhom(t *testing.T) {
	t.Parallel()
	c := newCloud(t, stacktest.WithSite(func(s *directory.SiteSpec) {
		secret := identity.Secret(stacktest.TestPassword)
		s.Realms = append(s.Realms, directory.RealmSpec{Realm: identity.Realm{Name: "other", AccountID: stacktest.AccountA, Algorithm: "ES256", AccessTokenSeconds: 300}})
		s.Users = append(s.Users, directory.UserSpec{AccountID: stacktest.AccountA, Name: "other", Realm: "other", Password: &secret})
	}))
	ctx := t.Context()
	make := func(name string, who *identity.Caller, want identity.Kind) error {
		t.Helper()
		_, err := c.Issuer.ConsolePasscode(ctx, who)
		wantKind(t, name, err, want)
		return err
	}
	other := c.person("other", "other", stacktest.TestPassword, "")
	if err := make("of another realm", other, identity.KindAccessDenied); !strings.Contains(identity.AsError(err).Public, "realm shasta in account "+stacktest.AccountA) {
		t.Errorf("%v does not say of which realm", err)
	}
	_, err := c.Issuer.LastPasscode(ctx, other)
	wantKind(t, "page of another realm", err, identity.KindAccessDenied)
	make("the root user", c.person("", stacktest.RootEmailA, stacktest.RootPassword, ""), identity.KindAccessDenied)
	make("by keys", c.root, identity.KindAccessDenied)
	byPassword, err := c.password(stacktest.TestUser, stacktest.TestPassword, "")
	c.check(err)
	bearer, err := c.Access.IBMToken(ctx, byPassword.Access)
	c.check(err)
	make("by a token of the dialect", bearer, identity.KindAccessDenied)

	who := c.tester()
	c.Clock.Advance(5*time.Minute - time.Second)
	if _, err := c.useCode(c.passcode(who)); err != nil {
		t.Error(err)
	}
	c.Clock.Advance(time.Second)
	make("late", who, identity.KindExpiredIdentity)
	who = c.tester()
	c.check(c.Issuer.ConsoleLogout(ctx, who))
	make("logged out", who, identity.KindExpiredToken)

	plain := &cloud{stacktest.New(t), t, nil}
	_, err = plain.Issuer.ConsolePasscode(ctx, plain.tester())
	wantKind(t, "without the dialect", err, identity.KindNotFound)
	_, err = plain.useCode("0000-0000-0000")
	wantKind(t, "grant without the dialect", err, identity.KindNotFound)
}

// TestPasscodeGuesses: whoever guesses is stopped, and a good code in between
// costs nothing.
func TestPasscodeGuesses(t *testing.T) {
	t.Parallel()
	c := newCloud(t, stacktest.WithLimits(authn.Limits{AddressBurst: 5, AddressPerMinute: 1, PairBurst: 1000, PrincipalBurst: 1000}))
	for range 8 {
		if _, err := c.useCode(c.passcode(c.tester())); err != nil {
			t.Fatal(err)
		}
	}
	used := c.passcode(c.tester())
	_, err := c.useCode(used)
	c.check(err)
	old := c.passcode(c.tester())
	c.Clock.Advance(5 * time.Minute)
	for n, guess := range []identity.Secret{"0000-0000-0000", used, old, "x", "1111-1111-1111"} {
		_, err := c.useCode(guess)
		wantKind(t, fmt.Sprint("guess ", n), err, identity.KindInvalidCredentials)
	}
	_, err = c.useCode("2222-2222-2222")
	wantKind(t, "one guess more", err, identity.KindThrottled)
	_, err = c.useCode(used)
	wantKind(t, "a used one then", err, identity.KindThrottled)
}

func TestPasscodePrune(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	who := c.tester()
	c.passcode(who)
	for _, k := range []struct {
		after time.Duration
		kept  bool
	}{{0, true}, {5 * time.Minute, true}, {time.Hour + time.Second, false}} {
		c.Clock.Advance(k.after)
		c.check(c.Issuer.Prune(t.Context()))
		err := c.DB.View(t.Context(), func(r store.Reader) error { _, err := store.Passcodes.Get(r, who.PrincipalID); return err })
		if (err == nil) != k.kept {
			t.Errorf("after %s more: %v", k.after, err)
		}
	}
}

// FuzzPasscode shows texts as passcodes: none is one, but the one that is.
func FuzzPasscode(f *testing.F) {
	c := newCloud(f)
	code := c.passcode(c.tester()).Reveal()
	for _, seed := range []string{"", "-", code[1:], code + "-", strings.ToLower(code), "ÜÜÜÜ-ÜÜÜÜ-ÜÜÜÜ", "ſſſſſſſſſſſſ", "\xff"} {
		f.Add(seed)
	}
	want := c.Authn.PasscodeHashes(identity.Secret(code))
	f.Fuzz(func(t *testing.T, text string) {
		got := c.Authn.PasscodeHashes(identity.Secret(text))
		bare := strings.NewReplacer("-", "", " ", "", "\t", "", "\r", "", "\n", "").Replace(text)
		same := strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(bare)) == strings.ReplaceAll(code, "-", "")
		if same != (len(text) <= 64 && len(got) > 0 && got[0] == want[0]) && len(text) <= 64 {
			t.Errorf("%q: %v", text, got)
		}
	})
}

// TestPasscodeByPasskey: a passkey at the console is both factors of what its code
// gives.
func TestPasscodeByPasskey(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	who, err := passkeyLogin(t, c.Stack, withPasskey(t, c.Stack, stacktest.AccountA, stacktest.TestUser))
	c.check(err)
	tokens, err := c.useCode(c.passcode(who))
	c.check(err)
	tokens, err = c.refresh(tokens.Refresh)
	c.check(err)
	if amr := claimsOf(t, tokens.Access)["amr"]; fmt.Sprint(amr) != "[pop user mfa]" || !c.accepted(tokens) {
		t.Errorf("by passkey: %v", amr)
	}
}
