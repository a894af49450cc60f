package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

// backedUp is a site with many rows, and one backup of it.
type backedUp struct {
	site              *siteDir
	key, recipient    string
	to, archive, root string // root is the directory of all of it
}

func backUpOnce(t *testing.T, rows int) *backedUp {
	t.Helper()
	b := &backedUp{root: t.TempDir()}
	b.site = &siteDir{path: filepath.Join(b.root, "data")}
	b.key, b.to = filepath.Join(b.root, "key.txt"), filepath.Join(b.root, "backups")
	stop := serveDir(t, b.site)
	if stop(); rows > 0 {
		addSessions(t, b.site.path, rows)
	}
	serveDir(t, b.site)
	b.recipient = strings.TrimSpace(verb(t, "backup", "keygen", b.key))
	var made madeBackup
	if err := json.Unmarshal([]byte(verb(t, b.verb("--json")...)), &made); err != nil {
		t.Fatal(err)
	}
	b.archive = made.Archive
	return b
}

func (b *backedUp) verb(more ...string) []string {
	return append([]string{"backup", "--to", b.to, "--recipient", b.recipient, "--data", b.site.path}, more...)
}

// addSessions makes the index of sessions long.
func addSessions(t *testing.T, data string, n int) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), filepath.Join(data, "daypass.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	_, err = e.Update(t.Context(), func(tx store.Tx) error {
		for i := range n {
			err := store.SessionRecords.Put(tx, &store.SessionRecord{
				AccessKeyID: fmt.Sprintf("ASIA%08d", i), AccountID: rowAccount, ARN: "arn:aws:sts::1:assumed-role/r/s", IssuedAt: now, ExpiresAt: now.Add(rowLater),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
}

// emptyDir is an empty data directory with the site's root key.
func (b *backedUp) emptyDir(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "back")
	copyInto(t, b.site.path, path, "root.key")
	return path
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// killed runs the command in a process of its own, and kills it after a while; it
// reports whether the command had succeeded by then.
func killed(t *testing.T, after time.Duration, args ...string) bool {
	t.Helper()
	c := exec.Command("daypass", args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { c.Process.Kill() })
	defer timer.Stop()
	return c.Wait() == nil
}

// TestKilledRestore kills restores at many moments. Whenever that is, there is a
// whole store or none, and a server starts on the whole one only.
func TestKilledRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and of processes that the race detector does not look into")
	}
	t.Parallel()
	b := backUpOnce(t, 800)
	want := 0
	for i, after := 0, 20*time.Millisecond; i < 8; i, after = i+1, after*3/2 {
		data := b.emptyDir(t)
		args := []string{"restore", b.archive, "--identity", b.key, "--data", data}
		done := killed(t, after, args...)
		whole, restoring := there(filepath.Join(data, "daypass.db")), there(filepath.Join(data, "restoring"))
		if done && (!whole || restoring) {
			t.Fatalf("it succeeded, and there is a store: %t, a broken-off one: %t", whole, restoring)
		}
		if restoring && !whole {
			if says := refusal(t, "serve", "--data", data, "--listen", "127.0.0.1:0"); !strings.Contains(says, "a restore into "+data+" was broken off") {
				t.Errorf("serving what was broken off: %q", says)
			}
			verb(t, args...) // again, over what was left
		} else if !whole {
			verb(t, args...)
		}
		rows, _ := load(t, data)
		if n := len(rows["sessions"]); want == 0 {
			want = n
		} else if n != want || n < 800 {
			t.Errorf("killed after %s: %d sessions, want %d", after, n, want)
		}
	}
}

// TestKilledBackup kills backups at many moments: what has an archive's name is
// whole, with the slots beside it, and what was left does not stand in the way.
func TestKilledBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and of processes that the race detector does not look into")
	}
	t.Parallel()
	b := backUpOnce(t, 800)
	for i, after := 0, 5*time.Millisecond; i < 8; i, after = i+1, after*3/2 {
		killed(t, after, b.verb()...)
		found, err := filepath.Glob(filepath.Join(b.to, "daypass-*.age"))
		if err != nil || len(found) == 0 {
			t.Fatalf("archives: %v, %v", found, err)
		}
		for _, path := range found {
			verb(t, "backup", "verify", path, "--identity", b.key, "--data", b.site.path)
		}
	}
	verb(t, b.verb()...)
	if left, _ := filepath.Glob(filepath.Join(b.to, ".unfinished-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, name := range []string{slotsName, markerName, filepath.Base(b.archive)} {
		if info, err := os.Stat(filepath.Join(b.to, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", name, info, err)
		}
	}
}

// TestBackupUnderWrites backs up while others write: pairs of records that were
// always written together are in it together.
func TestBackupUnderWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and of processes that the race detector does not look into")
	}
	t.Parallel()
	b := backUpOnce(t, 500)
	e, err := sqlite.Open(t.Context(), filepath.Join(b.site.path, "daypass.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stop, wrote := make(chan struct{}), make(chan error, 1)
	var some sync.Once
	first := make(chan struct{})
	go func() {
		defer e.Close()
		for i := 0; ; i++ {
			select {
			case <-stop:
				wrote <- nil
				return
			default:
			}
			_, err := e.Update(t.Context(), func(tx store.Tx) error {
				at := time.Unix(int64(i), 0).UTC()
				return errors.Join(
					store.KeyUses.Put(tx, &identity.KeyUse{KeyID: "pair", At: at}), // early in the archive, and late
					store.Uses.Put(tx, &identity.Use{ID: "pair", At: at}),
				)
			})
			if err != nil {
				wrote <- err
				return
			}
			some.Do(func() { close(first) })
		}
	}()
	<-first
	for range 3 {
		var made madeBackup
		if err := json.Unmarshal([]byte(verb(t, b.verb("--json")...)), &made); err != nil {
			t.Fatal(err)
		}
		data := b.emptyDir(t)
		verb(t, "restore", made.Archive, "--identity", b.key, "--data", data)
		rows, _ := load(t, data)
		var use struct{ At time.Time }
		var pair struct{ At time.Time }
		if err := errors.Join(json.Unmarshal([]byte(rows["key_uses"]["pair"]), &use), json.Unmarshal([]byte(rows["uses"]["pair"]), &pair)); err != nil {
			t.Fatal(err)
		}
		if !use.At.Equal(pair.At) {
			t.Errorf("one of the pair is of %s, the other of %s", use.At, pair.At)
		}
	}
	close(stop)
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

// TestRefusedRestores gives restore what it must not take; the directory stays as
// it was.
func TestRefusedRestores(t *testing.T) {
	t.Parallel()
	b := backUpOnce(t, 0)
	file, err := os.ReadFile(b.archive)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bent := bytes.Clone(file)
	bent[len(bent)/2] ^= 1
	otherKey := filepath.Join(b.root, "other.txt")
	verb(t, "backup", "keygen", otherKey)
	withRoot := func(text string) func(string) {
		return func(data string) {
			if err := os.WriteFile(filepath.Join(data, "root.key"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		archive, key string
		before       func(data string)
		says         string
	}{
		"cut short":        {write("cut", file[:len(file)-1]), b.key, nil, "damaged or was cut short"},
		"a byte changed":   {write("bent", bent), b.key, nil, "damaged or was cut short"},
		"no archive":       {write("none", []byte("hello")), b.key, nil, "no archive"},
		"another identity": {b.archive, otherKey, nil, "other recipients"},
		"the slots file":   {filepath.Join(b.to, slotsName), b.key, nil, `of kind "slots"`},
		"no such file":     {filepath.Join(b.root, "nowhere"), b.key, nil, "cannot be read"},
		"another root key": {b.archive, b.key, withRoot(strings.Repeat("A", 43) + "=\n"), "name the root key or passphrase that was in use"},
		"no root key":      {b.archive, b.key, func(data string) { os.Remove(filepath.Join(data, "root.key")) }, "the root key is not part of a backup"},
		"something there": {b.archive, b.key, func(data string) {
			if err := os.WriteFile(filepath.Join(data, "notes"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "holds notes: move what is there away"},
	} {
		data := b.emptyDir(t)
		if c.before != nil {
			c.before(data)
		}
		if says := refusal(t, "restore", c.archive, "--identity", c.key, "--data", data); !strings.Contains(says, c.says) {
			t.Errorf("%s: %q, want it to say %q", name, says, c.says)
		}
		if there(filepath.Join(data, "daypass.db")) || there(filepath.Join(data, "restoring")) {
			t.Errorf("%s: something was written", name)
		}
	}
	if says := refusal(t, "restore", b.archive, "--identity", b.key, "--data", b.site.path); !strings.Contains(says, "another server runs on") {
		t.Errorf("under a running server: %q", says)
	}
}
