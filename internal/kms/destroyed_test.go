package kms_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

// TestPurgeLeavesNothing: while the server runs, neither slot nor material of a key
// that was purged stands anywhere in the store's files, sealed as they were.
func TestPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s, ctx := newOffice(t, stacktest.WithEngine(must(sqlite.Open(t.Context(), path, sqlite.Options{}))(t))), t.Context()
	byHand, byTime, stays := s.key(), s.key(), s.key()
	sealed := map[string][][]byte{}
	for _, key := range []*kms.Key{byHand, byTime, stays} {
		ok(t, s.KMS.Rotate(ctx, s.root, here, key.ID, kms.Material{}))
		ok(t, s.DB.View(ctx, func(r store.Reader) error {
			list := [][]byte{must(store.KMSSlots.Get(r, key.ID))(t).Sealed}
			for n := 1; n <= 2; n++ {
				list = append(list, must(store.KMSVersions.Get(r, store.KMSVersionKey(key.ID, n)))(t).Sealed)
			}
			sealed[key.ID] = list
			return nil
		}))
	}
	places := func(id string) (n int) {
		for _, name := range []string{path, path + "-wal"} {
			file := must(os.ReadFile(name))(t)
			for _, b := range sealed[id] { // as in the JSON of a row; its middle, for its pages may be split
				text := base64.StdEncoding.EncodeToString(b)
				n += bytes.Count(file, []byte(text[8:40]))
			}
		}
		return n
	}
	must(s.KMS.Delete(ctx, s.root, here, byHand.ID, false))(t)
	s.Clock.Advance(4 * time.Hour)
	if places(byHand.ID) < 3 {
		t.Fatal("the test does not see what is there")
	}
	must(s.KMS.Purge(ctx, s.root, here, byHand.ID))(t)
	if n := places(byHand.ID); n != 0 {
		t.Errorf("%d places hold a key that was purged", n)
	}
	must(s.KMS.Delete(ctx, s.root, here, byTime.ID, false))(t)
	s.Clock.Advance(90 * 24 * time.Hour)
	ok(t, s.KMS.Tick(ctx))
	if n := places(byTime.ID); n != 0 {
		t.Errorf("%d places hold a key that was purged by itself", n)
	}
	if places(stays.ID) < 3 {
		t.Error("the key that stays is not whole")
	}
}

// TestEraseAfterAStart: a server that ended between a purge and the erasing of copies
// erases them when it is up again.
func TestEraseAfterAStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s, ctx := newOffice(t, stacktest.WithEngine(must(sqlite.Open(t.Context(), path, sqlite.Options{}))(t))), t.Context()
	key := s.key()
	var slot string
	ok(t, s.DB.View(ctx, func(r store.Reader) error {
		slot = base64.StdEncoding.EncodeToString(must(store.KMSSlots.Get(r, key.ID))(t).Sealed)[8:40]
		return nil
	}))
	places := func() (n int) {
		for _, name := range []string{path, path + "-wal"} {
			n += bytes.Count(must(os.ReadFile(name))(t), []byte(slot))
		}
		return n
	}
	ok(t, s.KMS.Tick(ctx)) // what this one had to erase
	must(s.DB.Update(ctx, func(tx store.Tx) error { return store.KMSSlots.Delete(tx, key.ID) }))(t)
	ok(t, s.KMS.Tick(ctx))
	if places() == 0 {
		t.Fatal("the test does not see what is there")
	}
	s.settings(func(*kms.Options) {})
	ok(t, s.KMS.Tick(ctx))
	if n := places(); n != 0 {
		t.Errorf("%d places hold a slot that was purged", n)
	}
}

// TestOneSlotIsOfNoUse for another key: the material of each is sealed under its own.
func TestOneSlotIsOfNoUse(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	one, two := s.key(), s.key()
	must(s.DB.Update(ctx, func(tx store.Tx) error { // the slot that opens at rest, of another key
		v := *must(store.KMSVersions.Get(tx, store.KMSVersionKey(one.ID, 1)))(t)
		v.KeyID = two.ID
		return store.KMSVersions.Put(tx, &v)
	}))(t)
	if _, err := s.KMS.Wrap(ctx, s.root, here, two.ID, nil, nil); err == nil {
		t.Error("material of another key opens")
	}
	must(s.DB.Update(ctx, func(tx store.Tx) error { return store.KMSSlots.Delete(tx, one.ID) }))(t)
	if _, err := s.KMS.Wrap(ctx, s.root, here, one.ID, nil, nil); err == nil {
		t.Error("material opens without its slot")
	}
}

// TestAtOnce runs everything on one key at once: what was wrapped unwraps, or is
// refused for the key's state.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key()
	refusals := map[kms.Reason]bool{kms.ReasonState: true, kms.ReasonDeleted: true}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range 50 {
				plain := fmt.Sprint(i)
				w, err := s.KMS.Wrap(ctx, s.root, here, key.ID, []byte(plain), nil)
				if err == nil {
					var u kms.Unwrapped
					u, err = s.KMS.Unwrap(ctx, s.root, here, key.ID, w.Ciphertext, nil)
					if err == nil && string(u.Plaintext) != plain {
						t.Errorf("%q came back as %q", plain, u.Plaintext)
					}
				}
				if err != nil && !refusals[kms.ReasonOf(err)] {
					t.Error(err)
				}
			}
		})
	}
	for _, change := range []func() error{
		func() error { return s.KMS.Rotate(ctx, s.root, here, key.ID, kms.Material{}) },
		func() error { return s.KMS.Disable(ctx, s.root, here, key.ID) },
		func() error { return s.KMS.Enable(ctx, s.root, here, key.ID) },
		func() error { _, err := s.KMS.Delete(ctx, s.root, here, key.ID, false); return err },
		func() error { _, err := s.KMS.Restore(ctx, s.root, here, key.ID, kms.Material{}); return err },
		func() error { return s.KMS.Tick(ctx) },
		func() error { return s.KMS.FlushUses(ctx) },
	} {
		wg.Go(func() {
			for range 10 {
				if err := change(); err != nil && !refusals[kms.ReasonOf(err)] {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	checkWhole(t, s)
}
