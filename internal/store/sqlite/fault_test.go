package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

func set(e *sqlite.Engine, t *testing.T, key, value string) error {
	_, err := e.Update(t.Context(), func(tx store.Tx) error {
		return tx.Put(store.Row{Table: "t", Key: key, Value: []byte(value)})
	})
	return err
}

// TestLockedFile: while somebody else holds the write lock, writers are told to
// come back, readers read on, and afterwards all is as before.
func TestLockedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	e := open(t, path, sqlite.Options{})
	if err := set(e, t, "a", "1"); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			err := set(e, t, "a", "2")
			if identity.KindOf(err) != identity.KindUnavailable || identity.AsError(err).RetryAfterSeconds == 0 {
				t.Errorf("a write while locked: got %v", err)
			}
		})
	}
	wg.Wait()
	if _, err := e.View(t.Context(), func(r store.Reader) error { _, err := r.Row("t", "a"); return err }); err != nil {
		t.Errorf("a read while locked: %v", err)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := set(e, t, "a", "3"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestLargeRow(t *testing.T) {
	t.Parallel()
	e := open(t, filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	big := `"` + strings.Repeat("x", 8<<20) + `"`
	if err := set(e, t, "big", big); err != nil {
		t.Errorf("8 MiB: %v", err)
	}
	if _, err := e.View(t.Context(), func(r store.Reader) error {
		row, err := r.Row("t", "big")
		if err == nil && string(row.Value) != big {
			t.Error("8 MiB came back otherwise")
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	if err := open(t, path, sqlite.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(), "PRAGMA user_version = 999"); err != nil {
		t.Fatal(err)
	}
	e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if identity.KindOf(err) != identity.KindInternal || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("got %v", err)
	}
	if err == nil {
		e.Close()
	}
}
