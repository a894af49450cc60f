package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"daypass/internal/identity"
)

// fakeFile fails where it is told to; a write may stop half-way.
type fakeFile struct {
	file
	writeErr, syncErr, truncateErr atomic.Pointer[error]
	gate                           chan struct{}
}

func (f *fakeFile) Write(b []byte) (int, error) {
	if f.gate != nil {
		<-f.gate
	}
	if e := f.writeErr.Load(); e != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, *e
	}
	return f.file.Write(b)
}

func (f *fakeFile) Sync() error {
	if e := f.syncErr.Load(); e != nil {
		return *e
	}
	return f.file.Sync()
}

func (f *fakeFile) Truncate(n int64) error {
	if e := f.truncateErr.Load(); e != nil {
		return *e
	}
	return f.file.Truncate(n)
}

func record(l *Log, name string) error {
	return l.Record(context.Background(), Event{Name: name})
}

func names(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	files, _ := filepath.Glob(filepath.Join(dir, "audit*.jsonl"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var e Event
			if json.Unmarshal(line, &e) == nil {
				out = append(out, e.Name)
			}
		}
	}
	return strings.Join(out, " ")
}

func TestDiskFailures(t *testing.T) {
	t.Parallel()
	enospc := error(syscall.ENOSPC)
	for _, d := range []Durability{Fsync, Buffered} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := open(t, Config{Dir: dir, Durability: d, Clock: newClock()})
			ff := &fakeFile{file: l.file.f}
			l.file.f = ff // before the first event, and the writer has nothing to do until then
			if err := record(l, "a"); err != nil {
				t.Fatal(err)
			}
			for l.Stats().Batches == 0 {
				runtime.Gosched() // Buffered: until the writer has been there
			}
			ff.writeErr.Store(&enospc)
			err := record(l, "b")
			if d == Buffered {
				// The first failure shows only to those who come after it.
				for err == nil {
					err = record(l, "b")
				}
			}
			if identity.KindOf(err) != identity.KindUnavailable || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("no room: %v", err)
			}
			ff.writeErr.Store(nil)
			if err := record(l, "c"); err != nil {
				t.Errorf("room again: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := names(t, dir); got != "a c" {
				t.Errorf("events %q, want a c", got)
			}
			if err := record(l, "d"); identity.KindOf(err) != identity.KindUnavailable {
				t.Errorf("closed: %v", err)
			}
		})
	}
}

func TestFsyncFailureAbandonsTheFile(t *testing.T) {
	t.Parallel()
	dir, broken := t.TempDir(), error(syscall.EIO)
	l := open(t, Config{Dir: dir, Clock: newClock()})
	ff := &fakeFile{file: l.file.f}
	l.file.f = ff
	ff.syncErr.Store(&broken)
	if err := record(l, "a"); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	if err := record(l, "b"); err != nil {
		t.Error(err)
	}
	if got := readEvents(t, filepath.Join(dir, currentName)); len(got) != 1 || got[0]["eventName"] != "b" {
		t.Errorf("current file: %v", got)
	}
	if s := l.Stats(); s.Rotations != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestTornWriteThatCannotBeUndone(t *testing.T) {
	t.Parallel()
	dir, enospc := t.TempDir(), error(syscall.ENOSPC)
	l := open(t, Config{Dir: dir, Clock: newClock()})
	ff := &fakeFile{file: l.file.f}
	l.file.f = ff
	ff.writeErr.Store(&enospc)
	ff.truncateErr.Store(&enospc)
	if err := record(l, "a"); err == nil {
		t.Error("no error")
	}
	if err := record(l, "b"); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); got != "b" {
		t.Errorf("events %q", got)
	}
}

func TestMinFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var free atomic.Uint64
	l := open(t, Config{Dir: dir, MinFree: 1000, Clock: newClock()})
	l.file.free = func(string) (uint64, error) { return free.Load(), nil }
	free.Store(1001)
	if err := record(l, "a"); identity.KindOf(err) != identity.KindUnavailable || !errors.Is(err, errNoRoom) {
		t.Errorf("no room: %v", err)
	}
	free.Store(1 << 20)
	if err := record(l, "b"); err != nil {
		t.Errorf("room: %v", err)
	}
	if n, err := freeBytes(dir); err != nil || n == 0 {
		t.Errorf("freeBytes = %d, %v", n, err)
	}
}

// A stuck disk: Refuse goes on without waiting and drops in the end, Record
// gives up with its context.
func TestStuckDisk(t *testing.T) {
	t.Parallel()
	l := open(t, Config{Dir: t.TempDir(), Clock: newClock()})
	gate := make(chan struct{})
	l.file.f = &fakeFile{file: l.file.f, gate: gate}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Record(ctx, Event{Name: "a"}); identity.KindOf(err) != identity.KindUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("gave up: %v", err)
	}
	big := Event{UserIdentity: UserIdentity{PrincipalID: "AIDA"}, ErrorMessage: strings.Repeat("x", maxText)}
	for range 2 * maxPendingRefusals / maxText {
		l.Refuse(context.Background(), big)
	}
	if s := l.Stats(); s.Dropped == 0 || s.Refused == 0 {
		t.Errorf("stats %+v", s)
	}
	close(gate)
}

func TestTornLastLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, currentName)
	if err := os.WriteFile(path, []byte("{\"eventName\":\"old\"}\n{\"eventName\":\"to"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{Dir: dir, Clock: newClock()})
	if err := record(l, "new"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(b), "{\"eventName\":\"old\"}\n{\"eventName\":\"to\n{\"eventVersion\"") {
		t.Errorf("%v %s", err, b)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if l.Stats().Torn != 1 {
		t.Errorf("stats %+v", l.Stats())
	}
}

func TestOpenRefusesSymlink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, currentName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Error("opened a symbolic link")
	}
}

func TestRotationPrunes(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	keep := filepath.Join(dir, "audit-notes.jsonl")
	if err := os.WriteFile(keep, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{Dir: dir, Clock: c, MaxBytes: 1, MaxFiles: 3, MaxAge: time.Hour})
	for i := range 8 {
		if err := record(l, fmt.Sprint("e", i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); got != "e4 e5 e6 e7" {
		t.Errorf("by count: %q", got)
	}
	c.advance(2 * time.Hour)
	if err := record(l, "late"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "e7 late" {
		t.Errorf("by age: %q", got)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("a file that is not ours: %v", err)
	}
}

const childEnv = "DAYPASS_AUDIT_TEST_DIR"

// TestKill9Child is the child of TestKill9: it prints the name of each event
// once Record has acknowledged it, until it is killed.
func TestKill9Child(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("only as a child process")
	}
	l, err := Open(Config{Dir: dir, MaxBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for c := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("e-%d-%d", c, i)
				if l.Record(context.Background(), Event{Name: name}) == nil {
					_, _ = os.Stdout.WriteString(name + "\n")
				}
			}
		}()
	}
	select {}
}

func TestKill9(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill9Child$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(map[string]bool)
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break // a line cut by the kill was acknowledged, but we cannot read which
		}
		if err != nil {
			t.Fatal(err)
		}
		acknowledged[strings.TrimSpace(line)] = true
		if len(acknowledged) == 400 {
			_ = cmd.Process.Signal(syscall.SIGKILL)
		}
	}
	_ = cmd.Wait()
	if len(acknowledged) < 400 {
		t.Fatalf("the child acknowledged %d events", len(acknowledged))
	}
	l := open(t, Config{Dir: dir})
	if err := record(l, "after"); err != nil {
		t.Fatal(err)
	}
	for _, n := range strings.Fields(names(t, dir)) {
		delete(acknowledged, n)
	}
	if len(acknowledged) > 0 {
		t.Errorf("acknowledged and lost: %v", acknowledged)
	}
}
