package keyring_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

func TestEpochRotation(t *testing.T) {
	t.Parallel()
	k, _, c := fresh(t)
	e1 := must[*keyring.Epoch](t)(k.CurrentEpoch())
	if e1.Number != 1 || !e1.MaxExpiry(c.Now()).Equal(c.Now().Add(keyring.MaxSessionLife)) {
		t.Fatalf("first epoch %d, max expiry %v", e1.Number, e1.MaxExpiry(c.Now()))
	}
	box := must[[]byte](t)(e1.Seal([]byte("claims"), []byte("aad")))

	c.add(24*time.Hour - 5*time.Minute) // the next one is made five minutes ahead
	must[keyring.Report](t)(k.Tick(t.Context()))
	if e := must[*keyring.Epoch](t)(k.CurrentEpoch()); e.Number != 1 {
		t.Fatalf("epoch %d mints before its time", e.Number)
	}
	must[*keyring.Epoch](t)(k.EpochByNumber(t.Context(), 2))
	if rep := must[keyring.Report](t)(k.Tick(t.Context())); len(rep.Changes) != 0 {
		t.Errorf("second tick: %v", rep.Changes)
	}
	c.add(5 * time.Minute)
	if e := must[*keyring.Epoch](t)(k.CurrentEpoch()); e.Number != 2 {
		t.Fatalf("epoch %d mints, want 2", e.Number)
	}
	e1 = must[*keyring.Epoch](t)(k.EpochByNumber(t.Context(), 1))
	if want := e1.RetiredAt.Add(36*time.Hour + 15*time.Minute); !e1.RetiredAt.Equal(c.Now()) || !e1.DestroyAt.Equal(want) {
		t.Errorf("retired %v, destroyed %v, want %v", e1.RetiredAt, e1.DestroyAt, want)
	}

	c.add(36*time.Hour + 15*time.Minute - time.Second)
	must[keyring.Report](t)(k.Tick(t.Context()))
	e1 = must[*keyring.Epoch](t)(k.EpochByNumber(t.Context(), 1))
	if got := must[[]byte](t)(e1.Open(box, []byte("aad"))); string(got) != "claims" {
		t.Errorf("Open = %q", got)
	}
	c.add(time.Second) // destroyed by the clock, whether or not Tick has run
	_, err := k.EpochByNumber(t.Context(), 1)
	wantKind(t, err, identity.KindExpiredToken)
	must[keyring.Report](t)(k.Tick(t.Context()))
	_, err = k.EpochByNumber(t.Context(), 1)
	wantKind(t, err, identity.KindExpiredToken)
}

func TestDestroyedEpochLeavesTheStore(t *testing.T) {
	t.Parallel()
	k, db, c := fresh(t)
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateEpochs, keyring.RotateOptions{Now: true}))
	c.add(37 * time.Hour)
	must[keyring.Report](t)(k.Tick(t.Context()))
	row := must[*store.Epoch](t)(store.Epochs.Get(db.Snapshot(), store.EpochKey(1)))
	if !row.Destroyed || row.Sealed != nil {
		t.Errorf("row of a destroyed epoch: %+v", row)
	}
	c.add(100 * 24 * time.Hour)
	must[keyring.Report](t)(k.Tick(t.Context()))
	if _, err := store.Epochs.Get(db.Snapshot(), store.EpochKey(1)); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("row still there: %v", err)
	}
	_, err := k.EpochByNumber(t.Context(), 1)
	wantKind(t, err, identity.KindExpiredToken)
}

func TestUnknownEpochs(t *testing.T) {
	t.Parallel()
	e := &flaky{Engine: store.NewMemory()}
	k := open(t, openDB(t, e), newClock())
	before := e.views.Load()
	for range 3 {
		_, err := k.EpochByNumber(t.Context(), 2)
		wantKind(t, err, identity.KindInvalidToken)
	}
	if got := e.views.Load() - before; got != 1 {
		t.Errorf("the store was asked %d times, want once", got)
	}
	for _, n := range []uint32{0, 1000, 1<<32 - 1} {
		_, err := k.EpochByNumber(t.Context(), n)
		wantKind(t, err, identity.KindInvalidToken)
	}
	if got := e.views.Load() - before; got != 1 {
		t.Errorf("impossible numbers reached the store")
	}
	e.away.Store(true)
	_, err := k.EpochByNumber(t.Context(), 3)
	wantKind(t, err, identity.KindUnavailable)
	must[*keyring.Epoch](t)(k.EpochByNumber(t.Context(), 1))
	e.away.Store(false)
	_, err = k.EpochByNumber(t.Context(), 3)
	wantKind(t, err, identity.KindInvalidToken)
}

func TestLaggingNodeFindsNewKeys(t *testing.T) {
	t.Parallel()
	c := newClock()
	e := &flaky{Engine: store.NewMemory()}
	db := openDB(t, noClose{e})
	k := open(t, db, c)
	lagDB := openDB(t, noClose{&deaf{flaky: e, at: db.Snapshot().Position()}})
	lag := open(t, lagDB, c)
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateAll, keyring.RotateOptions{Now: true}))
	sealed := must[[]byte](t)(k.Seal("t", "c", "r", []byte("v")))
	cookie := must[[]byte](t)(k.Box("x").Seal([]byte("v"), nil))

	var wg sync.WaitGroup
	before := e.views.Load()
	for range 8 {
		wg.Go(func() {
			if _, err := lag.EpochByNumber(context.Background(), 2); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := e.views.Load() - before; got < 1 || got > 8 {
		t.Errorf("the store was asked %d times", got)
	}
	must[[]byte](t)(lag.Unseal("t", "c", "r", sealed))
	must[[]byte](t)(lag.Box("x").Open(cookie, nil))
}

func TestTwoNodesMakeEpochsAtOnce(t *testing.T) {
	t.Parallel()
	c, e := newClock(), store.NewMemory()
	var nodes [2]*keyring.Keyring
	for i := range nodes {
		nodes[i] = open(t, openDB(t, noClose{e}), c)
	}
	for round := range 5 {
		c.add(24 * time.Hour)
		var wg sync.WaitGroup
		for _, k := range nodes {
			wg.Go(func() {
				if _, err := k.Tick(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		c.add(5 * time.Minute)
		// Whichever node did not make the epoch may still lag; it finds it all the same.
		want := uint32(round + 2)
		must[*keyring.Epoch](t)(nodes[0].EpochByNumber(t.Context(), want))
		b := must[*keyring.Epoch](t)(nodes[1].EpochByNumber(t.Context(), want))
		if a := must[*keyring.Epoch](t)(nodes[0].CurrentEpoch()); a.Number != want || !bytes.Equal(a.Derive(nil, []byte("m")), b.Derive(nil, []byte("m"))) {
			t.Fatalf("round %d: epoch %d, want %d with the same keys on both", round, a.Number, want)
		} else {
			must[[]byte](t)(b.Open(must[[]byte](t)(a.Seal([]byte("x"), nil)), nil))
		}
	}
}

func TestRotateEpochOverridesPending(t *testing.T) {
	t.Parallel()
	k, _, c := fresh(t)
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateEpochs, keyring.RotateOptions{}))
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateEpochs, keyring.RotateOptions{Now: true}))
	for range 2 {
		if e := must[*keyring.Epoch](t)(k.CurrentEpoch()); e.Number != 3 {
			t.Errorf("epoch %d mints, want 3", e.Number)
		}
		c.add(5 * time.Minute)
	}
}

func TestCompromisedEpochs(t *testing.T) {
	t.Parallel()
	k, _, _ := fresh(t)
	must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateEpochs, keyring.RotateOptions{Compromised: true}))
	_, err := k.EpochByNumber(t.Context(), 1)
	wantKind(t, err, identity.KindExpiredToken)
	if e := must[*keyring.Epoch](t)(k.CurrentEpoch()); e.Number != 2 {
		t.Errorf("epoch %d mints, want 2", e.Number)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{false, true} {
		k, _, _ := fresh(t)
		if err := k.EnsureSets(t.Context(), []keyring.SetSpec{{Set: "a", Algorithm: keyring.ES256}}); err != nil {
			t.Fatal(err)
		}
		id := k.Installation()
		signed := must[keyring.SigningKey](t)(k.Signer("a", keyring.ES256))
		boxed := must[[]byte](t)(k.Box("cursor").Seal([]byte("v"), nil))
		sealed := must[[]byte](t)(k.Seal("t", "c", "r", []byte("v")))
		if err := k.BeginRestored(t.Context(), same); err != nil {
			t.Fatal(err)
		}
		if got := k.Installation() == id; got != same {
			t.Errorf("same installation = %v, want %v", got, same)
		}
		if got := must[keyring.SigningKey](t)(k.Signer("a", keyring.ES256)).ID == signed.ID; got != same {
			t.Errorf("signing keys kept = %v, want %v", got, same)
		}
		if _, err := k.Box("cursor").Open(boxed, nil); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("a box of before the restore: %v, want it refused", err)
		}
		if _, err := k.Box("cursor").Open(must[[]byte](t)(k.Box("cursor").Seal([]byte("v"), nil)), nil); err != nil {
			t.Errorf("a box of after the restore: %v", err)
		}
		for _, n := range []uint32{1, 2, 60} { // known, and made after the backup
			_, err := k.EpochByNumber(t.Context(), n)
			wantKind(t, err, identity.KindExpiredToken)
		}
		must[*keyring.Epoch](t)(k.CurrentEpoch())
		must[[]byte](t)(k.Unseal("t", "c", "r", sealed))
	}
}

func BenchmarkEpochDerive(b *testing.B) {
	k, _, _ := fresh(b)
	e := must[*keyring.Epoch](b)(k.CurrentEpoch())
	var buf [32]byte
	msg := []byte("a label and an installation and ASIA2345672345672345")
	b.ReportAllocs()
	for b.Loop() {
		e.Derive(buf[:0], msg)
	}
}

func BenchmarkHash(b *testing.B) {
	k, _, _ := fresh(b)
	v := []byte("an API key of forty-four characters or so...")
	b.ReportAllocs()
	for b.Loop() {
		k.Hash("api-key", v)
	}
}

func BenchmarkSeal(b *testing.B) {
	k, _, _ := fresh(b)
	v := make([]byte, 40)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Seal("key_secrets", "secret", "AKIAAAAAAAAAAAAAAAAA", v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFirstStart(b *testing.B) {
	for b.Loop() {
		db, err := store.OpenDB(b.Context(), store.NewMemory(), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		open(b, db, newClock())
		db.Close()
	}
}

// TestHashKept hashes for a state that is older than the newest hash key.
func TestHashKept(t *testing.T) {
	t.Parallel()
	k, db, _ := fresh(t)
	first := k.Hash("l", []byte("v"))
	err := db.View(t.Context(), func(r store.Reader) error {
		must[keyring.Report](t)(k.Rotate(t.Context(), keyring.RotateHash, keyring.RotateOptions{Now: true}))
		if got := must[string](t)(k.HashKept(r, "l", []byte("v"))); got != first || k.Hash("l", []byte("v")) == first {
			t.Errorf("got %s, want %s", got, first)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := must[string](t)(k.HashKept(db.Snapshot(), "l", []byte("v"))); got != k.Hash("l", []byte("v")) {
		t.Errorf("of the newest state: %s", got)
	}
}
