package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

const victimEnv = "DAYPASS_TEST_KILL_DB"

func TestMain(m *testing.M) {
	if path := os.Getenv(victimEnv); path != "" {
		victim(path)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim commits from many goroutines, and prints each key only when its
// commit was acknowledged, until it is killed.
func victim(path string) {
	e, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d", w, i)
				pos, err := e.Update(context.Background(), func(tx store.Tx) error {
					return tx.Put(store.Row{Table: "acks", Key: key, Value: []byte(`1`), Index: []store.IndexEntry{{Name: "key", Value: key, Unique: true}}})
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				out.Lock()
				fmt.Println(pos.N, key)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestKilled(t *testing.T) {
	t.Parallel()
	for range 3 {
		path := filepath.Join(t.TempDir(), "x.db")
		acked := map[string]uint64{}
		killed(t, path, acked)
		checkAcked(t, path, acked)
	}
}

// killed runs a victim, kills it in the midst of its commits, and collects what
// it was told.
func killed(t *testing.T, path string, acked map[string]uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), victimEnv+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n uint64
		var key string
		if _, err := fmt.Sscan(lines.Text(), &n, &key); err != nil {
			break // a line cut short by the kill
		}
		acked[key] = n
		if len(acked) == 150 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(acked) < 150 {
		t.Fatalf("the victim ended by itself after %d commits: %s", len(acked), stderr.String())
	}
}

func checkAcked(t *testing.T, path string, acked map[string]uint64) {
	t.Helper()
	e := open(t, path, sqlite.Options{})
	rows, pos, err := e.Load(t.Context(), []string{"acks"})
	if err != nil {
		t.Fatal(err)
	}
	at := map[uint64]string{}
	for _, r := range rows {
		at[r.N] = r.Key
	}
	for key, n := range acked {
		if at[n] != key {
			t.Errorf("acknowledged commit %d of %s is lost: there is %q", n, key, at[n])
		}
	}
	for n := uint64(1); n <= pos.N; n++ {
		if at[n] == "" {
			t.Errorf("the feed has a gap at %d of %d", n, pos.N)
		}
	}
	f, err := e.Changes(t.Context(), identity.Position{Incarnation: pos.Incarnation})
	if err != nil || len(f.Changes) != len(rows) {
		t.Errorf("the feed tells of %d rows (%v), there are %d", len(f.Changes), err, len(rows))
	}
	byIndex := 0
	if _, err := e.View(t.Context(), func(r store.Reader) error {
		found, err := r.Rows("acks", "key", "", store.After{}, 0)
		byIndex = len(found)
		return err
	}); err != nil || byIndex != len(rows) {
		t.Errorf("the index holds %d rows (%v), there are %d", byIndex, err, len(rows))
	}
	if _, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Put(store.Row{Table: "acks", Key: "after", Value: []byte("1")}) }); err != nil {
		t.Errorf("a commit after the kill: %v", err)
	}
}
