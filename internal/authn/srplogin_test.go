package authn_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func realmOf(t testing.TB, s *stacktest.Stack) *identity.Realm {
	t.Helper()
	r, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// from is a request from an address.
func from(t testing.TB, address string) context.Context {
	return identity.WithRequest(t.Context(), identity.RequestFacts{SourceIP: address})
}

// srp logs in by SRP and returns what FinishSRP does.
func srp(t testing.TB, ctx context.Context, s *stacktest.Stack, name, password string) (*identity.User, error) {
	t.Helper()
	r := realmOf(t, s)
	client := stacktest.NewSRPClient(t, r.PoolName, password)
	ch, err := s.Authn.BeginSRP(ctx, r, name, client.SRPA())
	if err != nil {
		t.Fatal(err)
	}
	block, at := []byte("a block"), "Thu Nov 26 01:00:00 UTC 2026"
	u, _, err := s.Authn.FinishSRP(ctx, r, &ch.State, authn.SRPAnswer{
		SecretBlock: block, Timestamp: at, Signature: client.Signature(t, ch.Salt, ch.B, ch.Subject, block, at),
	})
	return u, err
}

func TestSRPLogin(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for _, c := range []struct {
		what, name, password string
		want                 identity.Kind
	}{
		{"right", stacktest.TestUser, stacktest.TestPassword, ""},
		{"other case", strings.ToUpper(stacktest.TestUser), stacktest.TestPassword, ""},
		{"by e-mail", "t@example.com", stacktest.TestPassword, ""},
		{"wrong password", stacktest.TestUser, "wrong", identity.KindInvalidCredentials},
		{"unknown", "nobody", stacktest.TestPassword, identity.KindInvalidCredentials},
		{"no password", "service", "", identity.KindInvalidCredentials},
		{"disabled", "disabled", stacktest.TestPassword, identity.KindInvalidCredentials},
	} {
		u, err := srp(t, t.Context(), s, c.name, c.password)
		if identity.KindOf(err) != c.want || c.want == "" && u.Name != stacktest.TestUser {
			t.Errorf("%s: got %v, want %q", c.what, err, c.want)
		}
	}
}

// TestSRPUnknownUsersLookTheSame: nothing that is said before the proof tells
// whether a user is there.
func TestSRPUnknownUsersLookTheSame(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	r := realmOf(t, s)
	begin := func(name string) *authn.SRPChallenge {
		t.Helper()
		ch, err := s.Authn.BeginSRP(t.Context(), r, name, "abcd")
		if err != nil {
			t.Fatal(err)
		}
		return ch
	}
	for _, name := range []string{stacktest.TestUser, "nobody", "service"} {
		one, two := begin(name), begin(strings.ToUpper(name))
		if one.Salt != two.Salt || one.Subject != two.Subject {
			t.Errorf("%s: salt %s, then %s; subject %s, then %s", name, one.Salt, two.Salt, one.Subject, two.Subject)
		}
		if len(one.Salt) != 32 || strings.HasPrefix(one.Salt, "00") || !identity.IsAPIAccessKey(one.Subject) {
			t.Errorf("%s: salt %s, subject %s", name, one.Salt, one.Subject)
		}
		if one.B == two.B || len(one.B) < 750 {
			t.Errorf("%s: B of %d digits, equal %v", name, len(one.B), one.B == two.B)
		}
	}
	if begin("nobody").Salt == begin("somebody").Salt {
		t.Error("two unknown users have one salt")
	}
}

func TestSRPRefusesHostileNumbers(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for _, a := range []string{"", "0", "xyz", strings.Repeat("f", 777), strings.Repeat("f", 1<<20)} {
		_, err := s.Authn.BeginSRP(t.Context(), realmOf(t, s), stacktest.TestUser, a)
		if identity.KindOf(err) != identity.KindValidation {
			t.Errorf("SRP_A of %d characters: got %v", len(a), err)
		}
	}
	for _, answer := range []authn.SRPAnswer{
		{Signature: ""},
		{Signature: "!"},
		{Signature: "AAAA"},
		{Signature: strings.Repeat("A", 43) + "="},
		{Signature: strings.Repeat("A", 43) + "=", Timestamp: strings.Repeat("x", 1<<20)},
	} {
		ch, err := s.Authn.BeginSRP(t.Context(), realmOf(t, s), stacktest.TestUser, "1")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Authn.FinishSRP(t.Context(), realmOf(t, s), &ch.State, answer); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("signature %.10q: got %v", answer.Signature, err)
		}
	}
}

// TestSRPAndPasswordsShareOneLimit: who guesses by SRP has no tries left by
// password.
func TestSRPAndPasswordsShareOneLimit(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithLimits(authn.Limits{PrincipalBurst: 2, PairBurst: 100, AddressBurst: 100}))
	for n, address := range []string{"192.0.2.1", "192.0.2.2"} {
		if _, err := srp(t, from(t, address), s, stacktest.TestUser, "wrong"); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	if _, _, err := s.Authn.Password(from(t, "192.0.2.3"), "shasta", stacktest.TestUser, stacktest.TestPassword); identity.KindOf(err) != identity.KindThrottled {
		t.Errorf("a password after that: got %v", err)
	}
	if _, err := srp(t, from(t, "192.0.2.4"), s, stacktest.TestUser, stacktest.TestPassword); identity.KindOf(err) != identity.KindThrottled {
		t.Errorf("SRP after that: got %v", err)
	}
}

// TestAPISecret checks the secret of an API token by password and by SRP.
func TestAPISecret(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	r := realmOf(t, s)
	const key = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
	secret, err := authn.NewAPISecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	u := &identity.User{ID: "AIDATOKEN", AccountID: stacktest.AccountA, Name: key, Realm: r.Name, Subject: "0b5e1c2a-1111-4222-8333-444455556666", Local: true, Token: &identity.APIToken{Name: "ci", Role: "api_user"}}
	row, err := s.Authn.APITokenPassword(u.ID, r.PoolName, u.Subject, secret, time.Now().UTC())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.DB.Update(t.Context(), func(tx store.Tx) error {
		if err := store.Users.Insert(tx, u); err != nil {
			return err
		}
		return store.Passwords.Insert(tx, row)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		secret identity.Secret
		want   identity.Kind
	}{
		{key, secret, ""},
		{key, "-" + secret[1:], identity.KindInvalidCredentials},
		{key, "", identity.KindInvalidCredentials},
		{"7f9619ff-8b86-4d01-b42d-00cf4fc964ff", secret, identity.KindInvalidCredentials},
	} {
		got, _, err := s.Authn.Password(t.Context(), r.Name, c.name, c.secret)
		if identity.KindOf(err) != c.want || c.want == "" && got.ID != u.ID {
			t.Errorf("by password, %s: got %v, want %q", c.name, err, c.want)
		}
		if c.secret == "" {
			continue
		}
		if got, err := srp(t, t.Context(), s, c.name, c.secret.Reveal()); identity.KindOf(err) != c.want || c.want == "" && got.ID != u.ID {
			t.Errorf("by SRP, %s: got %v, want %q", c.name, err, c.want)
		}
	}
}
