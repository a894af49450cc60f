package embedded

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"daypass/internal/identity"
)

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestRestart(t *testing.T) {
	t.Parallel()
	delays, release := make(chan time.Duration, 1), make(chan time.Time)
	s := startStore(t, func(c *Config) {
		c.After = func(d time.Duration) <-chan time.Time {
			delays <- d
			return release
		}
	})
	do(t, s, 200, "PUT", "/bucket", "")
	do(t, s, 200, "PUT", "/bucket/key", "kept")
	oldID, oldSecret, _ := s.Credentials()
	old := newRequest(t, s, "GET", "/bucket/key", unsignedPayload, nil)
	if err := syscall.Kill(lifeOf(s).pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := <-delays; got != firstDelay {
		t.Errorf("got a delay of %v, want %v", got, firstDelay)
	}
	if s.Healthy() {
		t.Error("Healthy with a dead child")
	}
	_, _, err := s.Credentials()
	wantUnavailable(t, "Credentials with a dead child", err)
	_, err = s.Transport().RoundTrip(old)
	wantUnavailable(t, "RoundTrip with a dead child", err)

	release <- time.Now()
	eventually(t, "a second child", s.Healthy)
	id, secret, err := s.Credentials()
	if err != nil || id == oldID || secret.Equal(oldSecret) {
		t.Errorf("got the same key pair again, or error %v", err)
	}
	_, err = s.Transport().RoundTrip(old)
	wantUnavailable(t, "a request signed for the first child", err)
	if _, body := do(t, s, 200, "GET", "/bucket/key", ""); body != "kept" {
		t.Errorf("got %q, want %q", body, "kept")
	}
}

type fixedClock struct{}

func (fixedClock) Now() time.Time { return time.Unix(1_800_000_000, 0) }

func TestBackOff(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), binaryName)
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho 'no\tdisk' >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	delays, release := make(chan time.Duration), make(chan time.Time)
	s, err := Start(Config{
		Binary: broken,
		Root:   t.TempDir(),
		Clock:  fixedClock{},
		After: func(d time.Duration) <-chan time.Time {
			delays <- d
			return release
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []time.Duration
	for range 9 {
		got = append(got, <-delays)
		if len(got) == 8 {
			_, _, err := s.Credentials()
			wantUnavailable(t, "Credentials between two starts", err)
			if got, want := identity.AsError(err).RetryAfterSeconds, 11; got != want {
				t.Errorf("got RetryAfterSeconds %d, want %d", got, want)
			}
		}
		if len(got) < 9 {
			release <- time.Time{}
		}
	}
	ms := time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, maxDelay, maxDelay}
	if !slices.Equal(got, want) {
		t.Errorf("got delays %v, want %v", got, want)
	}
	err = s.Wait(t.Context())
	wantUnavailable(t, "Wait", err)
	if !strings.Contains(err.Error(), "exit status 3: no disk") {
		t.Errorf("got error %q, want the child's last words in it", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	s := startStore(t, nil)
	pid, dir := lifeOf(s).pid, s.dir
	do(t, s, 200, "PUT", "/bucket", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Errorf("the child %d is still there after Close", pid)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the socket's directory %s is still there after Close: %v", dir, err)
	}
	_, _, err := s.Credentials()
	wantUnavailable(t, "Credentials after Close", err)
}

func TestCloseWhileStarting(t *testing.T) {
	t.Parallel()
	s, err := Start(Config{Binary: requireBinary(t), Root: filepath.Join(t.TempDir(), "objects")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx); ctx.Err() != nil {
		t.Errorf("Wait after Close: %v", err)
	}
}

// The child must not outlive a server that was killed, nor one whose pipe to
// it was closed without a signal.
func TestParentDeath(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), parentEnv+"="+requireBinary(t)+"\n"+filepath.Join(t.TempDir(), "objects"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent process said %q", line)
	}
	if !alive(pid) {
		t.Fatalf("the child %d is not there", pid)
	}
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "the child's end after its parent's", func() bool { return !running(pid) })
}

// running is alive, but false for a process that has ended and that nobody
// has waited for.
func running(pid int) bool {
	if runtime.GOOS != "linux" {
		return alive(pid)
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
