package sqlite_test

import (
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

// TestTwoWriters: two engines on one file, as a second process would be.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	one, two := open(t, path, sqlite.Options{}), open(t, path, sqlite.Options{})
	db, err := store.OpenDB(t.Context(), one, store.Options{Heartbeat: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const each = 25
	add := func(tx store.Tx) error {
		m, err := store.Metas.Get(tx, "n")
		switch identity.KindOf(err) {
		case identity.KindNotFound:
			m = &store.Meta{Name: "n", Value: "0"}
		case "":
		default:
			return err
		}
		n, err := strconv.Atoi(m.Value)
		if err != nil {
			return err
		}
		return store.Metas.Put(tx, &store.Meta{Name: "n", Value: strconv.Itoa(n + 1)})
	}
	seen := make(chan struct{})
	want := strconv.Itoa(2 * each)
	var once sync.Once
	db.OnChange(func(s *store.Snapshot, _ map[string]bool) {
		if m, err := store.Metas.Get(s, "n"); err == nil && m.Value == want {
			once.Do(func() { close(seen) })
		}
	})
	var wg sync.WaitGroup
	for _, e := range []*sqlite.Engine{one, two} {
		wg.Go(func() {
			for range each {
				_, err := e.Update(t.Context(), add)
				// On a busy disk the other process can hold the file for
				// longer than we wait; the contract says: try again.
				for identity.KindOf(err) == identity.KindUnavailable {
					_, err = e.Update(t.Context(), add)
				}
				if err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	select {
	case <-seen:
	case <-time.After(20 * time.Second):
		t.Fatalf("the snapshot never showed what the other engine wrote; it is at %+v", db.Snapshot().Position())
	}
}
