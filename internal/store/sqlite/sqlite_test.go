package sqlite_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
	"daypass/internal/store/storetest"
)

func open(t testing.TB, path string, opt sqlite.Options) *sqlite.Engine {
	t.Helper()
	e, err := sqlite.Open(context.Background(), path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestEngine(t *testing.T) {
	t.Parallel()
	var paths sync.Map
	fresh := func(t *testing.T) store.Engine {
		path := filepath.Join(t.TempDir(), "x.db")
		e := open(t, path, sqlite.Options{})
		paths.Store(e, path)
		return e
	}
	again := func(t *testing.T, old store.Engine) store.Engine {
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		path, _ := paths.Load(old)
		return open(t, path.(string), sqlite.Options{})
	}
	storetest.Run(t, fresh, storetest.Incarnation(), storetest.Reopen(again))
}

func TestFileModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "with space?", "ünd%41")
	path := filepath.Join(dir, "x.db")
	e := open(t, path, sqlite.Options{})
	if _, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Put(store.Row{Table: "t", Key: "k", Value: []byte("1")}) }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600} {
		if fi, err := os.Stat(name); err != nil || fi.Mode() != want {
			t.Errorf("%s: got %v, %v; want %v", filepath.Base(name), fi, err, want)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path, sqlite.Options{})
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o600 {
		t.Errorf("mode that was wider: got %v, %v", fi, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		want identity.Kind
	}{
		"a file that is no database": {garbage, identity.KindInternal},
		"a directory":                {dir, identity.KindUnavailable},
		"a path through a file":      {filepath.Join(garbage, "x.db"), identity.KindUnavailable},
	} {
		e, err := sqlite.Open(t.Context(), c.path, sqlite.Options{})
		if identity.KindOf(err) != c.want {
			t.Errorf("%s: got %v, want kind %s", name, err, c.want)
		}
		if err == nil {
			e.Close()
		}
	}
}

func TestPrunedFeedReloads(t *testing.T) {
	t.Parallel()
	e := open(t, filepath.Join(t.TempDir(), "x.db"), sqlite.Options{FeedKeep: 10})
	var first, last identity.Position
	for i := range 40 {
		pos, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Put(store.Row{Table: "t", Key: "k", Value: []byte("1")}) })
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = pos
		}
		last = pos
	}
	if f, err := e.Changes(t.Context(), first); err != nil || !f.Reload {
		t.Errorf("far behind: got %+v, %v; want Reload", f, err)
	}
	near := identity.Position{Incarnation: last.Incarnation, N: last.N - 5}
	if f, err := e.Changes(t.Context(), near); err != nil || f.Reload || len(f.Changes) != 1 {
		t.Errorf("near: got %+v, %v; want one change", f, err)
	}
	runs := 0
	_, err := e.Update(t.Context(), func(tx store.Tx) error { // begun before what the feed still holds
		if _, err := tx.Row("t", "absent"); identity.KindOf(err) != identity.KindNotFound {
			return err
		}
		for runs++; runs == 1; runs++ {
			for range 40 {
				if _, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Put(store.Row{Table: "t", Key: "k", Value: []byte("2")}) }); err != nil {
					return err
				}
			}
		}
		return tx.Put(store.Row{Table: "t", Key: "slow", Value: []byte("1")})
	})
	if err != nil || runs != 3 {
		t.Errorf("a transaction older than the feed: got %v after counting to %d, want a rerun", err, runs)
	}
}

// TestDriverMatchesItsLibc: the SQLite driver is translated C and works only
// with the very version of its C library that its own go.mod names.
func TestDriverMatchesItsLibc(t *testing.T) {
	t.Parallel()
	gomod, err := exec.Command("go", "list", "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite").Output()
	if err != nil {
		t.Skipf("the driver's go.mod cannot be found: %v", err)
	}
	text, err := os.ReadFile(strings.TrimSpace(string(gomod)))
	if err != nil {
		t.Skipf("the driver's go.mod cannot be read: %v", err)
	}
	want := regexp.MustCompile(`(?m)^\s*(?:require\s+)?modernc\.org/libc\s+(v\S+)`).FindSubmatch(text)
	if want == nil {
		t.Fatal("the driver's go.mod names no modernc.org/libc")
	}
	got, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "modernc.org/libc").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(got)); got != string(want[1]) {
		t.Errorf("modernc.org/libc: built with %s, modernc.org/sqlite needs %s", got, want[1])
	}
}

// TestErase: what a row held before it was deleted stands nowhere on disk, the log
// of transactions included, while the engine is open.
func TestErase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daypass.db")
	e := open(t, path, sqlite.Options{})
	update := func(fn func(store.Tx) error) {
		t.Helper()
		if _, err := e.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	places := func() (n int) {
		t.Helper()
		for _, name := range []string{path, path + "-wal"} {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			n += strings.Count(string(b), "hushhush")
		}
		return n
	}
	update(func(tx store.Tx) error {
		return tx.Put(store.Row{Table: "t", Key: "k", Value: []byte(`{"v":"` + strings.Repeat("hush", 100) + `"}`)})
	})
	update(func(tx store.Tx) error { return tx.Delete("t", "k") })
	if places() == 0 {
		t.Fatal("nothing is left before: the test sees nothing")
	}
	if err := e.Erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := places(); n > 0 {
		t.Errorf("%d places still hold it", n)
	}
	update(func(tx store.Tx) error { return tx.Put(store.Row{Table: "t", Key: "k", Value: []byte("1")}) })
}

// TestEraseBehindAReader says that it could not, and can when the reader is done.
func TestEraseBehindAReader(t *testing.T) {
	t.Parallel()
	e := open(t, filepath.Join(t.TempDir(), "daypass.db"), sqlite.Options{})
	put := func(value string) {
		t.Helper()
		if _, err := e.Update(t.Context(), func(tx store.Tx) error {
			return tx.Put(store.Row{Table: "t", Key: "k", Value: []byte(value)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	put("1")
	if _, err := e.View(t.Context(), func(r store.Reader) error {
		if _, err := r.Row("t", "k"); err != nil {
			return err
		}
		put("2")
		if err := e.Erase(t.Context()); identity.KindOf(err) != identity.KindUnavailable {
			t.Errorf("behind a reader: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := e.Erase(t.Context()); err != nil {
		t.Error(err)
	}
	put("3")
}

// TestReplacedValuesAreErased: what a row held before, keys that were destroyed
// among it, stands nowhere in the file, whether it fitted into a page or not.
func TestReplacedValuesAreErased(t *testing.T) {
	t.Parallel()
	for _, size := range []int{500, 20_000} {
		path := filepath.Join(t.TempDir(), "daypass.db")
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{strings.Repeat("hush", size/4), "gone"} {
			if _, err := e.Update(t.Context(), func(tx store.Tx) error {
				return tx.Put(store.Row{Table: "t", Key: "k", Value: []byte(`{"v":"` + v + `"}`)})
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(file), "hushhush"); n > 0 || !strings.Contains(string(file), "gone") {
			t.Errorf("a value of %d bytes: %d places still hold it", size, n)
		}
	}
}
