package kms_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/keyring"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

const victimEnv = "DAYPASS_TEST_KMS_VICTIM"

// onDisk opens what a victim worked on, or lets one begin.
func onDisk(t *testing.T, dir string) *office {
	t.Helper()
	e := must(sqlite.Open(t.Context(), filepath.Join(dir, "x.db"), sqlite.Options{}))(t)
	s := newOffice(t, stacktest.WithEngine(e), stacktest.WithRootKey(must(keyring.NewRootKey([]byte(strings.Repeat("k", keyring.RootKeyBytes))))(t)))
	s.settings(func(o *kms.Options) { o.PurgeAfter = time.Second })
	return s
}

// TestVictim is what TestKilled kills: it makes, rotates, deletes, restores and
// purges keys, and says what it was told. Alone it does nothing.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimEnv)
	if dir == "" {
		t.Skip("for TestKilled")
	}
	s, ctx := onDisk(t, dir), t.Context()
	var out sync.Mutex
	say := func(words ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(words...)
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				in := kms.Material{}
				if (worker+n)%2 == 0 {
					in.Payload = "0123456789abcdef"
				}
				id := must(s.KMS.Create(ctx, s.root, here, kms.NewKey{Name: "k", Material: in}))(t).ID
				say("made", id, 1)
				for version := 2; version < 5; version++ {
					w := must(s.KMS.Wrap(ctx, s.root, here, id, []byte(id), nil))(t)
					say("wrapped", id, hex.EncodeToString(w.Ciphertext))
					ok(t, s.KMS.Rotate(ctx, s.root, here, id, in))
					say("made", id, version)
				}
				must(s.KMS.Delete(ctx, s.root, here, id, false))(t)
				say("deleted", id, "")
				if n%2 == 0 {
					must(s.KMS.Restore(ctx, s.root, here, id, kms.Material{}))(t)
					say("restored", id, "")
					continue
				}
				s.Clock.Advance(time.Second)
				say("purging", id, "")
				must(s.KMS.Purge(ctx, s.root, here, id))(t)
				say("purged", id, "")
			}
		})
	}
	wg.Wait()
}

// told is what a victim said of a key.
type told struct {
	versions                           int
	wrapped                            []string
	deleted, restored, purging, purged bool
}

// TestKilled kills servers in the midst of their work: what was acknowledged holds,
// and no key is there by half.
func TestKilled(t *testing.T) {
	t.Parallel()
	rounds := 10
	if os.Getenv("DAYPASS_SOAK") != "" {
		rounds = 100
	}
	if testing.Short() {
		rounds = 1
	}
	for i := range rounds {
		dir := t.TempDir()
		said := killed(t, dir, 40+7*i%60)
		t.Run(fmt.Sprint(i), func(t *testing.T) { checkSurvivors(t, dir, said) })
	}
}

func killed(t *testing.T, dir string, after int) map[string]*told {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	pipe := must(cmd.StdoutPipe())(t)
	ok(t, cmd.Start())
	said, lines := map[string]*told{}, 0
	scan := bufio.NewScanner(pipe)
	for scan.Scan() {
		words := strings.Split(scan.Text(), " ")
		if len(words) != 3 {
			break // a line cut short by the kill, or a victim that died by itself
		}
		if lines++; lines == after {
			ok(t, cmd.Process.Kill())
		}
		k := said[words[1]]
		if k == nil {
			k = &told{}
			said[words[1]] = k
		}
		switch words[0] {
		case "made":
			fmt.Sscan(words[2], &k.versions)
		case "wrapped":
			k.wrapped = append(k.wrapped, words[2])
		case "deleted":
			k.deleted = true
		case "restored":
			k.restored = true
		case "purging":
			k.purging = true
		case "purged":
			k.purged = true
		}
	}
	_ = cmd.Wait()
	if lines < after {
		t.Fatalf("the victim ended by itself after %d lines: %s", lines, stderr.String())
	}
	return said
}

func checkSurvivors(t *testing.T, dir string, said map[string]*told) {
	s, ctx := onDisk(t, dir), t.Context()
	for id, k := range said {
		if k.purged {
			if n := s.rows(id); n != 0 {
				t.Errorf("key %s was purged, and %d rows are left", id, n)
			}
			continue
		}
		key, err := s.KMS.Key(ctx, s.root, here, id)
		if kms.ReasonOf(err) == kms.ReasonNotFound && k.purging {
			continue
		}
		ok(t, err)
		if key.Versions < k.versions {
			t.Errorf("key %s has %d versions, %d were acknowledged", id, key.Versions, k.versions)
		}
		if _, err := s.KMS.Restore(ctx, s.root, here, id, kms.Material{}); err != nil && kms.ReasonOf(err) != kms.ReasonState {
			t.Error(err)
		}
		for _, w := range k.wrapped {
			u, err := s.KMS.Unwrap(ctx, s.root, here, id, must(hex.DecodeString(w))(t), nil)
			if err != nil || string(u.Plaintext) != id {
				t.Errorf("key %s: %v, %q", id, err, u.Plaintext)
			}
		}
	}
	checkWhole(t, s)
}

// checkWhole demands that each key has its slot and all its versions, and that
// nothing is left of others.
func checkWhole(t *testing.T, s *office) {
	t.Helper()
	ok(t, s.DB.View(t.Context(), func(r store.Reader) error {
		want := map[string]int{}
		for _, key := range must(store.KMSKeys.List(r, "", "", store.After{}, 0))(t) {
			want[key.ID] = key.Versions
			if _, err := store.KMSSlots.Get(r, key.ID); err != nil {
				t.Errorf("key %s has no slot: %v", key.ID, err)
			}
		}
		if slots := must(store.KMSSlots.List(r, "", "", store.After{}, 0))(t); len(slots) != len(want) {
			t.Errorf("%d slots of %d keys", len(slots), len(want))
		}
		got := map[string]int{}
		for _, v := range must(store.KMSVersions.List(r, "", "", store.After{}, 0))(t) {
			if got[v.KeyID]++; got[v.KeyID] != v.Number {
				t.Errorf("key %s: version %d stands at place %d", v.KeyID, v.Number, got[v.KeyID])
			}
		}
		for id, n := range want {
			if got[id] != n {
				t.Errorf("key %s has %d versions, want %d", id, got[id], n)
			}
			delete(got, id)
		}
		if len(got) > 0 {
			t.Errorf("versions of keys that are not there: %v", got)
		}
		return nil
	}))
}
