package keyring_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// safe wraps by keeping: a text is "VERSION|AAD|SECRET" in base64.
type safe struct {
	version string // of now
	lies    bool   // what it wraps anew opens to something else
	strays  bool   // what it opens, and wraps anew, is another secret
	err     error
	unwraps atomic.Int64
}

func (s *safe) Place() string { return "the safe" }

func (s *safe) Wrap(_ context.Context, secret []byte, aad []string) (string, error) {
	text := s.version + "|" + strings.Join(aad, "|") + "|" + base64.StdEncoding.EncodeToString(secret)
	return base64.StdEncoding.EncodeToString([]byte(text)), s.err
}

func (s *safe) Unwrap(ctx context.Context, wrapped string, aad []string) ([]byte, string, error) {
	s.unwraps.Add(1)
	if s.err != nil {
		return nil, "", s.err
	}
	if s.strays {
		other := make([]byte, keyring.RootKeyBytes)
		again, err := s.Wrap(ctx, other, append(slices.Clone(aad), "another"))
		return other, again, err
	}
	text, _ := base64.StdEncoding.DecodeString(wrapped)
	parts := strings.Split(string(text), "|")
	if n := len(parts); n < 2 || !slices.Equal(parts[1:n-1], aad) {
		return nil, "", identity.NewError(identity.KindUpstream, "safe", "does not open")
	}
	secret, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || parts[0] == s.version {
		return secret, "", err
	}
	again := secret
	if s.lies {
		again = make([]byte, len(secret))
	}
	text2, err := s.Wrap(ctx, again, aad)
	return secret, text2, err
}

func wrappedText(t *testing.T, db *store.DB) string {
	t.Helper()
	var out string
	err := db.View(t.Context(), func(r store.Reader) error {
		m, err := store.Metas.Get(r, "root-key-wrapped")
		if err == nil {
			out = m.Value
		}
		return err
	})
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		t.Fatal(err)
	}
	return out
}

func TestWrappedRoot(t *testing.T) {
	t.Parallel()
	db := openDB(t, store.NewMemory())
	s := &safe{version: "1"}
	opened := func() (*keyring.Keyring, error) {
		return keyring.Open(t.Context(), db, keyring.NewWrappedRoot(s), keyring.Options{})
	}
	k := must[*keyring.Keyring](t)(opened())
	if !slices.ContainsFunc(k.Status(), func(s keyring.KeyStatus) bool { return s.Group == "root" && s.ID == "the safe" }) {
		t.Errorf("the status does not say where the root key is: %+v", k.Status())
	}
	sealed := must[[]byte](t)(k.Seal("t", "c", "r", []byte("value")))
	first := wrappedText(t, db)

	asked := s.unwraps.Load()
	again := must[*keyring.Keyring](t)(opened())
	if got := must[[]byte](t)(again.Unseal("t", "c", "r", sealed)); string(got) != "value" {
		t.Errorf("got %q", got)
	}
	if n := s.unwraps.Load() - asked; n != 1 || wrappedText(t, db) != first {
		t.Errorf("opening asks %d times, and the text changes: %v", n, wrappedText(t, db) != first)
	}

	// The key there is rotated: what it wrapped anew takes the place of the old
	// text, unless it does not open to the same.
	s.version, s.lies = "2", true
	must[*keyring.Keyring](t)(opened())
	if wrappedText(t, db) != first {
		t.Error("a text that opens to something else was taken over")
	}
	s.lies = false
	must[*keyring.Keyring](t)(opened())
	second := wrappedText(t, db)
	if second == first || second == "" {
		t.Error("the text that was wrapped anew was not taken over")
	}
	asked = s.unwraps.Load()
	must[*keyring.Keyring](t)(opened())
	if n := s.unwraps.Load() - asked; n != 1 || wrappedText(t, db) != second {
		t.Errorf("after that, opening asks %d times", n)
	}

	// The same while it runs; what it refuses then ends nothing.
	s.version = "3"
	if err := again.CheckRoot(t.Context()); err != nil || wrappedText(t, db) == second {
		t.Errorf("checked: %v", err)
	}
	s.err = identity.NewError(identity.KindUpstream, "safe", "disabled")
	if err := again.CheckRoot(t.Context()); !errors.Is(err, s.err) {
		t.Errorf("checked: %v", err)
	}
	must[[]byte](t)(again.Unseal("t", "c", "r", sealed))

	// What it refuses, and another place, open nothing.
	s.err = identity.NewError(identity.KindUpstream, "safe", "disabled")
	if _, err := opened(); !errors.Is(err, s.err) {
		t.Errorf("refused: %v", err)
	}
	_, err := keyring.Open(t.Context(), db, root, keyring.Options{})
	wantKind(t, err, identity.KindValidation)
	if err := must[*keyring.Keyring](t)(keyring.Open(t.Context(), openDB(t, store.NewMemory()), root, keyring.Options{})).CheckRoot(t.Context()); err != nil {
		t.Errorf("a root key that is not wrapped: %v", err)
	}
}

// TestWrappedRootThatDoesNotComeBack makes no installation.
func TestWrappedRootThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	db := openDB(t, store.NewMemory())
	_, err := keyring.Open(t.Context(), db, keyring.NewWrappedRoot(forgetful{&safe{}}), keyring.Options{})
	wantKind(t, err, identity.KindUpstream)
	if _, err := keyring.Open(t.Context(), db, root, keyring.Options{}); err != nil {
		t.Errorf("something was made: %v", err)
	}
}

type forgetful struct{ *safe }

func (f forgetful) Unwrap(context.Context, string, []string) ([]byte, string, error) {
	return make([]byte, 32), "", nil
}

func TestMoveRoot(t *testing.T) {
	t.Parallel()
	pass := must[keyring.RootKey](t)(keyring.RootKeyFromPassphrase("correct horse battery staple"))
	kms := keyring.NewWrappedRoot(&safe{version: "1"})
	other := mustRoot(bytes.Repeat([]byte{8}, keyring.RootKeyBytes))
	db := openDB(t, store.NewMemory())
	c := newClock()
	opened := func(r keyring.RootKey) (*keyring.Keyring, error) {
		return keyring.Open(t.Context(), db, r, keyring.Options{Clock: c})
	}
	k := must[*keyring.Keyring](t)(opened(root))
	spec := keyring.SetSpec{Set: "realm/r", Algorithm: "ES256", MaxTokenLife: time.Hour}
	if err := k.EnsureSets(t.Context(), []keyring.SetSpec{spec}); err != nil {
		t.Fatal(err)
	}
	sealed := must[[]byte](t)(k.Seal("t", "c", "r", []byte("value")))
	epoch := must[*keyring.Epoch](t)(k.CurrentEpoch())
	token := must[[]byte](t)(epoch.Seal([]byte("claims"), nil))
	hash := k.Hash("l", []byte("v"))
	from := root
	for _, to := range []keyring.RootKey{kms, pass, other, kms, root} {
		move := must[func(store.Tx) error](t)(k.MoveRoot(t.Context(), to))
		// A transaction that fails moves nothing.
		broken := errors.New("broken")
		if _, err := db.Update(t.Context(), func(tx store.Tx) error { return errors.Join(move(tx), broken) }); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		must[*keyring.Keyring](t)(opened(from))
		if _, err := db.Update(t.Context(), move); err != nil {
			t.Fatal(err)
		}
		_, err := opened(from)
		wantKind(t, err, identity.KindValidation)
		k = must[*keyring.Keyring](t)(opened(to))
		if got := must[[]byte](t)(k.Unseal("t", "c", "r", sealed)); string(got) != "value" || k.Hash("l", []byte("v")) != hash {
			t.Errorf("after the move to %s: %q", to.Place(), got)
		}
		e := must[*keyring.Epoch](t)(k.EpochByNumber(t.Context(), epoch.Number))
		if got := must[[]byte](t)(e.Open(token, nil)); string(got) != "claims" {
			t.Errorf("after the move to %s the epoch opens %q", to.Place(), got)
		}
		if _, err := k.Signer("realm/r", "ES256"); err != nil {
			t.Errorf("after the move to %s: %v", to.Place(), err)
		}
		if (wrappedText(t, db) != "") != (to.Place() == "the safe") {
			t.Errorf("after the move to %s the store keeps %q", to.Place(), wrappedText(t, db))
		}
		from = to
	}
}

// One wrong answer of the service costs nothing: the text that the right secret is
// in stays, at a start and while the server runs.
func TestServiceThatStrays(t *testing.T) {
	t.Parallel()
	db := openDB(t, store.NewMemory())
	s := &safe{version: "1"}
	k := must[*keyring.Keyring](t)(keyring.Open(t.Context(), db, keyring.NewWrappedRoot(s), keyring.Options{}))
	first := wrappedText(t, db)
	s.strays = true
	if _, err := keyring.Open(t.Context(), db, keyring.NewWrappedRoot(s), keyring.Options{}); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("another secret opens the site: %v", err)
	}
	if err := k.CheckRoot(t.Context()); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("the check of another secret: %v", err)
	}
	if wrappedText(t, db) != first {
		t.Error("another secret took the place of the right one")
	}
	s.strays = false
	must[*keyring.Keyring](t)(keyring.Open(t.Context(), db, keyring.NewWrappedRoot(s), keyring.Options{}))
}
