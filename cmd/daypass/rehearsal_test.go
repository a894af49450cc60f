package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/operate"
	"daypass/internal/server"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

// siteDir is a site that tests serve in this process, on loopback.
type siteDir struct {
	path  string
	ready map[string]any
}

// serveDir serves a data directory until the returned function is called. It is
// the demo, without an object store.
func serveDir(t *testing.T, d *siteDir) (stop func()) {
	t.Helper()
	config := server.DefaultConfig()
	config.Listen, config.Console.Listen, config.Data, config.ObjectStore.Enabled = "127.0.0.1:0", "127.0.0.1:0", d.path, false
	config.ExternalURL = "http://127.0.0.1:1" // issuers stay, on whatever port it listens
	secret := filepath.Join(t.TempDir(), "upstream-secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config.Upstreams = []server.UpstreamConfig{{Name: "away", Endpoint: "http://127.0.0.1:1", AccessKeyID: "AK", SecretKeyFile: secret}}
	config.S3.DefaultUpstream = "away"
	ready := filepath.Join(t.TempDir(), "ready.json")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- server.Serve(ctx, server.Options{
			Config: config, Dev: true, ReadyFile: ready, Version: "rehearsal", Clock: identity.SystemClock{},
			Log: slog.New(slog.DiscardHandler), Out: io.Discard,
		})
	}()
	var text []byte
	for text == nil {
		select {
		case err := <-ended:
			cancel()
			t.Fatalf("the server ended before it was ready: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
		text, _ = os.ReadFile(ready)
	}
	if err := json.Unmarshal(text, &d.ready); err != nil {
		t.Fatal(err)
	}
	done := false
	stop = func() {
		if cancel(); done {
			return
		}
		if done = true; <-ended != nil {
			t.Error("the server ended with an error")
		}
	}
	t.Cleanup(stop)
	return stop
}

// verb runs a command line in this process, which must succeed.
func verb(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	if status := run(args, &out, &errOut); status != exitOK {
		t.Fatalf("daypass %s: status %d\n%s", strings.Join(args, " "), status, &errOut)
	}
	return out.String()
}

// refusal runs a command line that must fail, and returns what it says.
func refusal(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	if status := run(args, &out, &errOut); status == exitOK {
		t.Fatalf("daypass %s succeeded", strings.Join(args, " "))
	}
	return errOut.String()
}

// load reads all tables of a data directory, and where they stand.
func load(t *testing.T, data string) (map[string]map[string]string, identity.Position) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), filepath.Join(data, "daypass.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, pos, err := e.Load(t.Context(), store.TableNames())
	if err := errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	for _, r := range rows {
		if out[r.Table] == nil {
			out[r.Table] = map[string]string{}
		}
		out[r.Table][r.Key] = string(r.Value)
	}
	return out, pos
}

// backUpQuiet backs up until nothing was written between the backup and the
// reading of what it is to hold. An event waits for its delivery each time.
func backUpQuiet(t *testing.T, data, to, recipient string) (map[string]map[string]string, madeBackup) {
	t.Helper()
	for n := range 50 {
		change(t, data, n)
		var made madeBackup
		if err := json.Unmarshal([]byte(verb(t, "backup", "--to", to, "--recipient", recipient, "--data", data, "--json")), &made); err != nil {
			t.Fatal(err)
		}
		if rows, pos := load(t, data); pos == made.Position && len(rows["outbox"]) > 0 {
			return rows, made
		}
	}
	t.Fatal("the store never stands still")
	return nil, madeBackup{}
}

// changed are the rows that are not as they were in the backup, and may be so, as
// "table" or "table/key": see operate.Restore and keyring.BeginRestored.
func changed(same bool) []string {
	out := []string{
		"refresh_families", "one_time_links/live", "passcodes/live", "kms_import_tokens", "epochs", "key_sets/box/0000000001",
		"key_sets/box/0000000002", "outbox",
		// of the key whose slot is missing
		"kms_keys/" + purgedKey, "kms_versions/" + purgedKey, "kms_registrations/" + purgedKey, "kms_uses/" + purgedKey,
	}
	if !same {
		out = append(out, "signing_keys", "meta/installation", "meta/restored-from")
	}
	return out
}

func compareRows(t *testing.T, before, after map[string]map[string]string, same bool) {
	t.Helper()
	may := changed(same)
	excused := map[string]bool{}
	for _, table := range store.TableNames() {
		keys := slices.Sorted(maps.Keys(before[table]))
		for k := range after[table] {
			if _, ok := before[table][k]; !ok {
				keys = append(keys, k)
			}
		}
		for _, k := range keys {
			if before[table][k] == after[table][k] {
				continue
			}
			i := slices.IndexFunc(may, func(m string) bool {
				return m == table || strings.HasPrefix(table+"/"+k, m) && strings.Contains(m, "/")
			})
			if i < 0 {
				t.Errorf("%s %s:\n was %q\n  is %q", table, k, before[table][k], after[table][k])
				continue
			}
			excused[may[i]] = true
		}
	}
	for _, m := range may {
		if !excused[m] {
			t.Errorf("%s: as in the backup, and restoring is to change it", m)
		}
	}
}

// TestRehearsal backs a site up that has a row in every table, restores it, compares
// all of it, and serves it.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	for name, same := range map[string]bool{"new installation": false, "same installation": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rehearse(t, same)
		})
	}
}

func rehearse(t *testing.T, same bool) {
	dir := t.TempDir()
	site := &siteDir{path: filepath.Join(dir, "data")}
	stop := serveDir(t, site)
	old := logIn(t, site)
	old.work(t, "before")
	stop()
	addRows(t, site.path)
	stop = serveDir(t, site)
	key, to := filepath.Join(dir, "key.txt"), filepath.Join(dir, "backups")
	recipient := strings.TrimSpace(verb(t, "backup", "keygen", key))
	before, made := backUpQuiet(t, site.path, to, recipient)
	for _, table := range store.TableNames() {
		if len(before[table]) == 0 {
			t.Errorf("table %s has no row: give it one in addRows, and say in operate.restored what becomes of it", table)
		}
		if table != store.KMSSlots.Name() && made.Counts[table] != len(before[table]) {
			t.Errorf("table %s: %d rows backed up, want %d", table, made.Counts[table], len(before[table]))
		}
	}
	if made.Backup.Slots != 1 {
		t.Errorf("%d slots backed up, want 1", made.Backup.Slots)
	}
	verb(t, "backup", "verify", made.Archive, "--identity", key, "--data", site.path)
	stop()

	back := &siteDir{path: filepath.Join(dir, "back")}
	copyInto(t, site.path, back.path, "root.key")
	args := []string{"restore", made.Archive, "--identity", key, "--data", back.path, "--json"}
	if same {
		args = append(args, "--same-installation")
	}
	var out operate.Restored
	if err := json.Unmarshal([]byte(verb(t, args...)), &out); err != nil {
		t.Fatal(err)
	}
	if (out.Installation == made.Installation) != same || !slices.Equal(out.Lost, []string{purgedKey}) {
		t.Errorf("restored: %+v", out)
	}
	after, pos := load(t, back.path)
	if pos.Incarnation == made.Position.Incarnation || pos.N <= made.Position.N {
		t.Errorf("the feed stands at %+v, and stood at %+v", pos, made.Position)
	}
	compareRows(t, before, after, same)
	if entries, _ := os.ReadDir(back.path); len(entries) != 3 { // and lock and root.key
		t.Errorf("the data directory has %v", entries)
	}
	says := refusal(t, args...)
	if !strings.Contains(says, "is restored into an empty data directory, and "+back.path+" holds daypass.db") {
		t.Errorf("restoring over it: %q", says)
	}

	copyInto(t, site.path, back.path, "dev-credentials.json")
	serveDir(t, back)
	old.url = back.ready["url"].(string)
	old.dead(t, same)
	logIn(t, back).work(t, "after")
	verb(t, "backup", "--to", to, "--recipient", recipient, "--data", back.path) // of the same site
}

func copyInto(t *testing.T, from, to, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(from, name))
	if err == nil {
		err = errors.Join(os.MkdirAll(to, 0o700), os.WriteFile(filepath.Join(to, name), text, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// change applies a site file with the nth group.
func change(t *testing.T, data string, n int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.yaml")
	text := fmt.Sprintf("groups: [{account: %q, name: g%d}]\n", rowAccount, n)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	verb(t, "apply", "-f", file, "--data", data)
}
