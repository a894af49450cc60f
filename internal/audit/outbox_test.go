package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

func outbox(t *testing.T) (*audit.Log, *store.DB, string) {
	t.Helper()
	dir := t.TempDir()
	l, err := audit.Open(audit.Config{Dir: dir, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	db, err := store.OpenDB(t.Context(), store.NewMemory(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return l, db, filepath.Join(dir, "audit.jsonl")
}

func waiting(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	if err := db.View(t.Context(), func(r store.Reader) error {
		rows, err := store.Outbox.List(r, "", "", store.After{}, 0)
		n = len(rows)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func count(t *testing.T, path, what string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), what)
}

func change(name string) audit.Event {
	return audit.Change(&identity.Caller{Kind: identity.RootUser, AccountID: "1", UserID: "1"}, "test", name, map[string]string{"a": "b", "empty": ""})
}

func put(name string) func(store.Tx) error {
	return func(tx store.Tx) error { return store.Metas.Put(tx, &store.Meta{Name: name}) }
}

func TestCommit(t *testing.T) {
	t.Parallel()
	l, db, path := outbox(t)
	if _, err := l.Commit(t.Context(), db, change("Good"), put("good")); err != nil {
		t.Fatal(err)
	}
	if got := count(t, path, `"eventName":"Good"`); got != 1 {
		t.Errorf("the event is %d times in the log when Commit returns", got)
	}
	refused := errors.New("refused")
	if _, err := l.Commit(t.Context(), db, change("Bad"), func(store.Tx) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if got := count(t, path, `"Bad"`); got != 0 {
		t.Error("what was rolled back has an event")
	}
	for range 2 { // delivered events leave the outbox, and are not delivered again
		if err := l.Deliver(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
	if n := waiting(t, db); n != 0 {
		t.Errorf("%d events still wait", n)
	}
	if got := count(t, path, `"Good"`); got != 1 {
		t.Errorf("delivered %d times", got)
	}
}

// TestDeliverAfterCrash: a log that failed after the commit, or a process that
// died, leaves the event in the store.
func TestDeliverAfterCrash(t *testing.T) {
	t.Parallel()
	l, db, path := outbox(t)
	if err := l.Close(); err != nil { // from here on nothing can be written
		t.Fatal(err)
	}
	if _, err := l.Commit(t.Context(), db, change("Kept"), put("kept")); err != nil {
		t.Fatalf("the change committed, with its event: %v", err)
	}
	if n := waiting(t, db); n != 1 {
		t.Fatalf("%d events wait, want 1", n)
	}
	if err := l.Deliver(t.Context(), db); err == nil {
		t.Error("a closed log delivered")
	}
	again, err := audit.Open(audit.Config{Dir: filepath.Dir(path), MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Deliver(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if got, left := count(t, path, `"Kept"`), waiting(t, db); got != 1 || left != 0 {
		t.Errorf("%d times in the log, %d waiting", got, left)
	}
}
