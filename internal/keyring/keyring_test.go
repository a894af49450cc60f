package keyring_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// clock is a clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// flaky is an engine whose reads can be counted and switched off.
type flaky struct {
	store.Engine
	away  atomic.Bool
	views atomic.Int64
}

func (f *flaky) View(ctx context.Context, fn func(store.Reader) error) (identity.Position, error) {
	f.views.Add(1)
	if f.away.Load() {
		return identity.Position{}, &identity.Error{Kind: identity.KindUnavailable, Op: "test"}
	}
	return f.Engine.View(ctx, fn)
}

// deaf hides the change feed, as a node that lags sees the world.
type deaf struct {
	*flaky
	at identity.Position
}

func (d *deaf) Changes(context.Context, identity.Position) (store.Feed, error) {
	return store.Feed{Position: d.at, StoreTime: time.Now()}, nil
}

func (d *deaf) Wait(ctx context.Context, _ identity.Position) { <-ctx.Done() }

var root = mustRoot(bytes.Repeat([]byte{7}, keyring.RootKeyBytes))

func mustRoot(b []byte) keyring.RootKey {
	r, err := keyring.NewRootKey(b)
	if err != nil {
		panic(err)
	}
	return r
}

func openDB(t testing.TB, e store.Engine) *store.DB {
	t.Helper()
	db, err := store.OpenDB(t.Context(), e, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t testing.TB, db *store.DB, c identity.Clock) *keyring.Keyring {
	t.Helper()
	k, err := keyring.Open(t.Context(), db, root, keyring.Options{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func fresh(t testing.TB) (*keyring.Keyring, *store.DB, *clock) {
	t.Helper()
	c := newClock()
	db := openDB(t, store.NewMemory())
	return open(t, db, c), db, c
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t testing.TB, err error, want identity.Kind) {
	t.Helper()
	if got := identity.KindOf(err); got != want {
		t.Fatalf("kind of error = %q (%v), want %q", got, err, want)
	}
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	k, db, c := fresh(t)
	again := open(t, db, c)
	if k.Installation() == "" || again.Installation() != k.Installation() {
		t.Fatalf("installations %q and %q, want the same", k.Installation(), again.Installation())
	}
	sealed := must[[]byte](t)(k.Seal("t", "c", "r", []byte("value")))
	if got := must[[]byte](t)(again.Unseal("t", "c", "r", sealed)); string(got) != "value" {
		t.Errorf("Unseal after reopening = %q", got)
	}
	if k.Hash("l", []byte("v")) != again.Hash("l", []byte("v")) {
		t.Error("hashes differ after reopening")
	}
}

func TestOpenWithOtherRootKey(t *testing.T) {
	t.Parallel()
	_, db, c := fresh(t)
	_, err := keyring.Open(t.Context(), db, mustRoot(make([]byte, 32)), keyring.Options{Clock: c})
	wantKind(t, err, identity.KindValidation)
}

func TestNothingInTheClear(t *testing.T) {
	t.Parallel()
	k, db, _ := fresh(t)
	if err := k.EnsureSets(t.Context(), []keyring.SetSpec{{Set: "a", Algorithm: keyring.ES256}}); err != nil {
		t.Fatal(err)
	}
	rows := must[[]*store.SigningKey](t)(store.SigningKeys.List(db.Snapshot(), "", "", store.After{}, 0))
	if len(rows) != 1 || bytes.Contains(rows[0].Public, []byte(`"d"`)) {
		t.Errorf("public half = %s", rows[0].Public)
	}
}

func TestTwoNodesStartAtOnce(t *testing.T) {
	t.Parallel()
	c, e := newClock(), store.NewMemory()
	a, b := openDB(t, noClose{e}), openDB(t, noClose{e})
	var wg sync.WaitGroup
	var got [2]*keyring.Keyring
	for i, db := range []*store.DB{a, b} {
		wg.Go(func() {
			k, err := keyring.Open(context.Background(), db, root, keyring.Options{Clock: c})
			if err != nil {
				t.Error(err)
			}
			got[i] = k
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	if got[0].Installation() != got[1].Installation() {
		t.Error("two installations")
	}
	sealed := must[[]byte](t)(got[0].Seal("t", "c", "r", []byte("v")))
	must[[]byte](t)(got[1].Unseal("t", "c", "r", sealed))
}

// noClose lets two DBs share an engine.
type noClose struct{ store.Engine }

func (noClose) Close() error { return nil }

func TestSealBindsPlace(t *testing.T) {
	t.Parallel()
	k, _, _ := fresh(t)
	sealed := must[[]byte](t)(k.Seal("table", "column", "row", []byte("secret")))
	for _, place := range [][3]string{{"tabl", "ecolumn", "row"}, {"table", "columnr", "ow"}, {"x", "column", "row"}, {"table", "x", "row"}, {"table", "column", "x"}} {
		if _, err := k.Unseal(place[0], place[1], place[2], sealed); err == nil {
			t.Errorf("opens at %v", place)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Unseal("table", "column", "row", bad); err == nil {
			t.Errorf("opens with byte %d changed", i)
		}
		if _, err := k.Unseal("table", "column", "row", sealed[:i]); err == nil {
			t.Errorf("opens cut to %d bytes", i)
		}
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	k, _, c := fresh(t)
	v1 := k.Hash("api-key", []byte("x"))
	if !strings.HasPrefix(v1, "v1.") || v1 == k.Hash("other", []byte("x")) || v1 == k.Hash("api-key", []byte("y")) || k.Hash("ab", []byte("c")) == k.Hash("a", []byte("bc")) {
		t.Errorf("hash %q", v1)
	}
	e := k.Enumeration("salt", []byte("x"))
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateHash, keyring.RotateOptions{}))
	if got := k.Hash("api-key", []byte("x")); got != v1 {
		t.Errorf("new version used before all nodes know it: %s", got)
	}
	c.add(5 * time.Minute)
	v2 := k.Hash("api-key", []byte("x"))
	if got := k.Hashes("api-key", []byte("x")); !strings.HasPrefix(v2, "v2.") || len(got) != 2 || got[0] != v2 || got[1] != v1 {
		t.Errorf("Hashes = %v, want [%s %s]", got, v2, v1)
	}
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateAll, keyring.RotateOptions{Now: true}))
	if !bytes.Equal(e, k.Enumeration("salt", []byte("x"))) {
		t.Error("the enumeration key rotated")
	}
}

func TestBoxes(t *testing.T) {
	t.Parallel()
	k, _, c := fresh(t)
	box := k.Box(keyring.BoxCursor)
	sealed := must[[]byte](t)(box.Seal([]byte("page 2"), []byte("caller")))
	_, err := k.Box(keyring.BoxCookie).Open(sealed, []byte("caller"))
	wantKind(t, err, identity.KindValidation)
	_, err = box.Open(sealed, []byte("other"))
	wantKind(t, err, identity.KindValidation)
	_, err = box.Open([]byte("x"), nil)
	wantKind(t, err, identity.KindValidation)
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateBoxes, keyring.RotateOptions{Now: true}))
	c.add(time.Minute)
	must[keyring.Report](t)(k.Tick(t.Context()))
	if got := must[[]byte](t)(box.Open(sealed, []byte("caller"))); string(got) != "page 2" {
		t.Errorf("Open after rotation = %q", got)
	}
	c.add(8 * 24 * time.Hour)
	must[keyring.Report](t)(k.Tick(t.Context()))
	_, err = box.Open(sealed, []byte("caller"))
	wantKind(t, err, identity.KindValidation)
}

func TestRotationReencrypts(t *testing.T) {
	t.Parallel()
	k, db, c := fresh(t)
	const n = 450 // more than two batches
	for i := range n {
		id := "AKIA" + strings.Repeat("A", 10) + string(rune('A'+i%26)) + string(rune('A'+i/26))
		sealed := must[[]byte](t)(k.Seal(store.KeySecrets.Name(), "secret", id, []byte(id)))
		if _, err := db.Update(t.Context(), func(tx store.Tx) error {
			return store.KeySecrets.Put(tx, &store.KeySecret{KeyID: id, Sealed: sealed})
		}); err != nil {
			t.Fatal(err)
		}
	}
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateAtRest, keyring.RotateOptions{}))
	stale := func() (n int) {
		for _, row := range must[[]*store.KeySecret](t)(store.KeySecrets.List(db.Snapshot(), "", "", store.After{}, 0)) {
			if got, err := k.Unseal(store.KeySecrets.Name(), "secret", row.KeyID, row.Sealed); err != nil || string(got) != row.KeyID {
				t.Fatalf("%s: %v", row.KeyID, err)
			}
			if k.Stale(row.Sealed) {
				n++
			}
		}
		return n
	}
	must[keyring.Report](t)(k.Tick(t.Context()))
	if got := stale(); got != 0 {
		t.Errorf("%d stale before the key is active", got)
	}
	c.add(5 * time.Minute)
	if got := stale(); got != n {
		t.Errorf("%d stale, want all", got)
	}
	for range 10 {
		must[keyring.Report](t)(k.Tick(t.Context()))
	}
	if got := stale(); got != 0 {
		t.Errorf("%d still stale", got)
	}
	if rep := must[keyring.Report](t)(k.Tick(t.Context())); len(rep.Changes) != 0 {
		t.Errorf("work without end: %v", rep.Changes)
	}
}

func TestDamagedRowStopsNothingElse(t *testing.T) {
	t.Parallel()
	k, db, c := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "a", Algorithm: keyring.ES256}, keyring.SetSpec{Set: "b", Algorithm: keyring.ES256})
	_, err := db.Update(t.Context(), func(tx store.Tx) error {
		e := *must[*store.Epoch](t)(store.Epochs.Get(tx, store.EpochKey(1)))
		e.Sealed = append([]byte{0}, e.Sealed...)
		rows := must[[]*store.SigningKey](t)(store.SigningKeys.List(tx, "set", store.Join("a", ""), store.After{}, 0))
		s := *rows[0]
		s.Sealed = append([]byte{0}, s.Sealed...)
		if err := store.SigningKeys.Put(tx, &s); err != nil {
			return err
		}
		return store.Epochs.Put(tx, &e)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*keyring.Keyring{k, open(t, db, c)} {
		_, err = k.EpochByNumber(t.Context(), 1)
		wantKind(t, err, identity.KindUnavailable)
		_, err = k.Signer("a", keyring.ES256)
		wantKind(t, err, identity.KindUnavailable)
		must[keyring.SigningKey](t)(k.Signer("b", keyring.ES256))
	}
	must[keyring.Report](t)(k.Tick(t.Context()))
	c.add(5 * time.Minute)
	must[*keyring.Epoch](t)(k.CurrentEpoch())
}

func TestRowsDoNotOpenElsewhere(t *testing.T) {
	t.Parallel()
	k, db, _ := fresh(t)
	ensure(t, k, keyring.SetSpec{Set: "a", Algorithm: keyring.ES256})
	_, err := db.Update(t.Context(), func(tx store.Tx) error { // another issuer's set gets a's key
		s := *must[[]*store.SigningKey](t)(store.SigningKeys.List(tx, "", "", store.After{}, 0))[0]
		s.Set = "b"
		return store.SigningKeys.Put(tx, &s)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Signer("b", keyring.ES256)
	wantKind(t, err, identity.KindUnavailable)
}

func TestRotateUnknown(t *testing.T) {
	t.Parallel()
	k, _, _ := fresh(t)
	_, err := k.Rotate(t.Context(), "everything", keyring.RotateOptions{})
	wantKind(t, err, identity.KindValidation)
	_, err = k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Set: "nobody"})
	wantKind(t, err, identity.KindValidation)
	_, err = k.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{})
	if err != nil {
		t.Error(err)
	}
}
