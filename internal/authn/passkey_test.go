package authn_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/passkeytest"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func testUser(t testing.TB, s *stacktest.Stack, name string) *identity.User {
	t.Helper()
	u, err := store.Users.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, name))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func use(s *stacktest.Stack, fn func(store.Tx) error) error {
	_, err := s.DB.Update(context.Background(), fn)
	return err
}

// register gives a user the passkey of an authenticator.
func register(t testing.TB, s *stacktest.Stack, u *identity.User, a *passkeytest.Authenticator) *identity.Passkey {
	t.Helper()
	c, err := s.Authn.RegisterPasskey(u, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, once, err := s.Authn.NewPasskey(u, c.State, a.Create(t, c.Options))
	if err == nil {
		err = use(s, func(tx store.Tx) error {
			if err := once.Use(tx); err != nil {
				return err
			}
			return store.Passkeys.Insert(tx, p)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func begin(t testing.TB, s *stacktest.Stack) authn.Ceremony {
	t.Helper()
	c, err := s.Authn.BeginPasskey()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPasskeyRegistration(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	u := testUser(t, s, stacktest.TestUser)
	a := passkeytest.New(t, stacktest.ConsoleURL)
	c, err := s.Authn.RegisterPasskey(u, nil)
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		PublicKey struct {
			RP                     struct{ ID string }
			AuthenticatorSelection struct{ ResidentKey, UserVerification string }
			Attestation            string
		}
	}
	if err := json.Unmarshal(c.Options, &o); err != nil {
		t.Fatal(err)
	}
	if k := o.PublicKey; k.RP.ID != "console.example.com" || k.AuthenticatorSelection.ResidentKey != "required" ||
		k.AuthenticatorSelection.UserVerification != "required" || k.Attestation != "none" {
		t.Errorf("options: %+v", k)
	}
	p := register(t, s, u, a)
	if p.UserID != u.ID || p.SignCount != 1 || strings.Join(p.Transports, " ") != "internal" || len(p.PublicKey) == 0 {
		t.Errorf("passkey: %+v", p)
	}

	for _, c := range []struct {
		name string
		bend func(*passkeytest.Authenticator)
		wait time.Duration
		by   string // another user
		want identity.Kind
	}{
		{"wrong origin", func(a *passkeytest.Authenticator) { a.Origin = "https://console.example.com.evil.example" }, 0, "", identity.KindInvalidInput},
		{"origin with a path", func(a *passkeytest.Authenticator) { a.Origin += "/" }, 0, "", identity.KindInvalidInput},
		{"plain http", func(a *passkeytest.Authenticator) { a.Origin = "http://console.example.com" }, 0, "", identity.KindInvalidInput},
		{"wrong relying party", func(a *passkeytest.Authenticator) { a.RPID = "example.com" }, 0, "", identity.KindInvalidInput},
		{"person not verified", func(a *passkeytest.Authenticator) { a.Unverified = true }, 0, "", identity.KindInvalidInput},
		{"answer to a log-in", func(a *passkeytest.Authenticator) { a.Type = "webauthn.get" }, 0, "", identity.KindInvalidInput},
		{"late", func(*passkeytest.Authenticator) {}, 5 * time.Minute, "", identity.KindInvalidGrant},
		{"another user", func(*passkeytest.Authenticator) {}, 0, "stale", identity.KindInvalidInput},
	} {
		ceremony, err := s.Authn.RegisterPasskey(u, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := passkeytest.New(t, stacktest.ConsoleURL)
		c.bend(a)
		answer := a.Create(t, ceremony.Options)
		s.Clock.Advance(c.wait)
		who := u
		if c.by != "" {
			who = testUser(t, s, c.by)
		}
		if _, _, err := s.Authn.NewPasskey(who, ceremony.State, answer); identity.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if _, _, err := s.Authn.NewPasskey(u, begin(t, s).State, a.Create(t, c.Options)); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("the state of a log-in: %v", err)
	}
}

func TestPasskeyLogin(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	u := testUser(t, s, stacktest.TestUser)
	a := passkeytest.New(t, stacktest.ConsoleURL)
	p := register(t, s, u, a)
	other := passkeytest.New(t, stacktest.ConsoleURL)
	register(t, s, testUser(t, s, "stale"), other)

	s.Clock.Advance(time.Hour)
	c := begin(t, s)
	got, err := s.Authn.Passkey(t.Context(), c.State, a.Get(t, c.Options))
	if err != nil || got.User.ID != u.ID {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := use(s, got.Use); err != nil {
		t.Fatal(err)
	}
	if err := use(s, got.Use); identity.KindOf(err) != identity.KindInvalidGrant {
		t.Errorf("a second use: %v", err)
	}
	if err := s.DB.View(t.Context(), func(r store.Reader) (err error) { p, err = store.Passkeys.Get(r, p.ID); return err }); err != nil {
		t.Fatal(err)
	}
	if p.SignCount != 2 || !p.LastUsed.Equal(s.Clock.Now()) {
		t.Errorf("after a log-in: %+v", p)
	}

	good := *a
	for _, c := range []struct {
		name string
		bend func(*passkeytest.Authenticator)
		wait time.Duration
		want identity.Kind
	}{
		{"wrong origin", func(a *passkeytest.Authenticator) { a.Origin = "https://daypass.example.com" }, 0, identity.KindInvalidCredentials},
		{"other port", func(a *passkeytest.Authenticator) { a.Origin += ":8443" }, 0, identity.KindInvalidCredentials},
		{"wrong relying party", func(a *passkeytest.Authenticator) { a.RPID = "daypass.example.com" }, 0, identity.KindInvalidCredentials},
		{"person not verified", func(a *passkeytest.Authenticator) { a.Unverified = true }, 0, identity.KindInvalidCredentials},
		{"answer to a registration", func(a *passkeytest.Authenticator) { a.Type = "webauthn.create" }, 0, identity.KindInvalidCredentials},
		{"count went back", func(a *passkeytest.Authenticator) { a.Count = 0 }, 0, identity.KindInvalidCredentials},
		{"count stood still", func(a *passkeytest.Authenticator) { a.Count, a.Still = 2, true }, 0, identity.KindInvalidCredentials},
		{"another user's handle", func(a *passkeytest.Authenticator) { a.SetUser(testUser(t, s, "stale").ID) }, 0, identity.KindInvalidCredentials},
		{"unknown credential", func(a *passkeytest.Authenticator) {
			*a = *passkeytest.New(t, stacktest.ConsoleURL)
			a.SetUser(u.ID)
		}, 0, identity.KindInvalidCredentials},
		{"late", func(*passkeytest.Authenticator) {}, 5 * time.Minute, identity.KindInvalidGrant},
	} {
		bent, begun := good, begin(t, s)
		c.bend(&bent)
		answer := bent.Get(t, begun.Options)
		s.Clock.Advance(c.wait)
		_, err := s.Authn.Passkey(t.Context(), begun.State, answer)
		if identity.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if strings.HasPrefix(c.name, "count") != strings.Contains(identity.AsError(err).Public, "copy") {
			t.Errorf("%s: %q", c.name, identity.AsError(err).Public)
		}
	}
	one, two := begin(t, s), begin(t, s)
	if _, err := s.Authn.Passkey(t.Context(), one.State, a.Get(t, two.Options)); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("the answer to another challenge: %v", err)
	}
	if _, err := s.Authn.Passkey(t.Context(), one.State[:len(one.State)-12]+identity.Secret(strings.Repeat("A", 12)), a.Get(t, one.Options)); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("a state that is not ours: %v", err)
	}
	for _, garbage := range []string{"", "{}", "null", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, strings.Repeat("[", 20000)} {
		if _, err := s.Authn.Passkey(t.Context(), one.State, []byte(garbage)); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("%.20q: %v", garbage, err)
		}
	}
}

// TestPasskeyRace uses one answer many times at once, and two answers with the
// same count: one of each is good.
func TestPasskeyRace(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := passkeytest.New(t, stacktest.ConsoleURL)
	register(t, s, testUser(t, s, stacktest.TestUser), a)
	proof := func(a *passkeytest.Authenticator) *authn.PasskeyProof {
		c := begin(t, s)
		p, err := s.Authn.Passkey(t.Context(), c.State, a.Get(t, c.Options))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	clone := *a
	same := proof(a)
	if n := winners(s, same.Use, same.Use, same.Use, same.Use); n != 1 {
		t.Errorf("one answer was used %d times", n)
	}
	clone.Count = a.Count
	if n := winners(s, proof(a).Use, proof(&clone).Use); n != 1 {
		t.Errorf("of two answers with one count, %d were good", n)
	}
}

// winners runs transactions at once and counts those that commit.
func winners(s *stacktest.Stack, fns ...func(store.Tx) error) int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for _, fn := range fns {
		wg.Go(func() {
			if use(s, fn) == nil {
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return n
}

func TestPasskeysNeedAName(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for url, want := range map[string]identity.Kind{
		"": identity.KindNotImplemented, "https://192.0.2.1/": identity.KindNotImplemented, "https://[2001:db8::1]:8443": identity.KindNotImplemented,
		"https://console.example.com:443/": "", "http://localhost:8081/": "",
	} {
		a, err := authn.New(authn.Options{DB: s.DB, Keyring: s.Keyring, Clock: s.Clock, ConsoleURL: url})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.BeginPasskey(); identity.KindOf(err) != want || a.HasPasskeys() != (want == "") {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
	}
}

func FuzzPasskeyAnswers(f *testing.F) {
	s := stacktest.New(f)
	u := testUser(f, s, stacktest.TestUser)
	a := passkeytest.New(f, stacktest.ConsoleURL)
	c, err := s.Authn.RegisterPasskey(u, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.Create(f, c.Options))
	register(f, s, u, a)
	l := begin(f, s)
	good := a.Get(f, l.Options)
	f.Add(good)
	f.Fuzz(func(t *testing.T, answer []byte) {
		if p, _, err := s.Authn.NewPasskey(u, c.State, answer); err == nil && p.UserID != u.ID {
			t.Errorf("a passkey of %s", p.UserID)
		}
		if p, err := s.Authn.Passkey(t.Context(), l.State, answer); err == nil && p.User.ID != u.ID {
			t.Errorf("a log-in of %s", p.User.ID)
		}
	})
}
