package embedded

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"daypass/internal/identity"
)

// parentEnv makes the test binary be the parent process of TestParentDeath:
// its value is the binary and the root directory, separated by a newline.
const parentEnv = "EMBEDDED_TEST_PARENT"

// patience is the deadline of everything that is waited for.
const patience = 20 * time.Second

var buildDir string

func TestMain(m *testing.M) {
	if v := os.Getenv(parentEnv); v != "" {
		beParent(v)
		return
	}
	var err error
	if buildDir, err = os.MkdirTemp("", "objectstore-build-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// beParent starts a store, prints the child's process ID and waits to be killed.
func beParent(v string) {
	binary, root, _ := strings.Cut(v, "\n")
	s, err := Start(Config{Binary: binary, Root: root, SocketDir: filepath.Dir(root)})
	if err == nil {
		err = s.Wait(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(lifeOf(s).pid)
	select {}
}

// binaryForTests builds the child from the nested module, once per process.
var binaryForTests = sync.OnceValues(func() (string, error) {
	module, err := filepath.Abs("../../../objectstore")
	if err != nil {
		return "", err
	}
	out := filepath.Join(buildDir, binaryName)
	cmd := exec.Command("go", "build", "-o", out, "./cmd/"+binaryName)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return out, nil
})

func requireBinary(t *testing.T) string {
	t.Helper()
	binary, err := binaryForTests()
	if err != nil {
		t.Skipf("needs daypass-objectstore, which could not be built from objectstore/ (its modules must be in the module cache or reachable): %v", err)
	}
	return binary
}

// startStore starts a store on an empty directory and waits until it serves.
func startStore(t *testing.T, change func(*Config)) *Store {
	t.Helper()
	config := Config{Binary: requireBinary(t), Root: filepath.Join(t.TempDir(), "objects")}
	if change != nil {
		change(&config)
	}
	s, err := Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return s
}

// lifeOf returns the life of the child now serving.
func lifeOf(s *Store) *life {
	l, err := s.current("test")
	if err != nil {
		panic(err)
	}
	return l
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if identity.KindOf(err) != identity.KindUnavailable {
		t.Fatalf("%s: got error %v, want kind %s", what, err, identity.KindUnavailable)
	}
	if got := identity.AsError(err).RetryAfterSeconds; got < 1 {
		t.Errorf("%s: got RetryAfterSeconds %d, want at least 1", what, got)
	}
}
