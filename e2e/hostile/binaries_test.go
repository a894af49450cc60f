package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// scratch is where binaries are built.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "daypass-hostile-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// binaries is the directory with daypass and daypass-objectstore.
var binaries = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("DAYPASS_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	if err := build("../..", "./cmd/daypass"); err != nil {
		return "", err
	}
	return scratch, build("../../objectstore", "./cmd/daypass-objectstore")
})

func build(module, pkg string, flags ...string) error {
	c := exec.Command("go", append(append([]string{"build", "-o", scratch + string(filepath.Separator)}, flags...), pkg)...)
	c.Dir = module
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s in %s: %w\n%s", pkg, module, err, out)
	}
	return nil
}

func binaryPath(t testing.TB, name string) string {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// soak reports whether the long tests shall be long.
func soak() bool { return os.Getenv("DAYPASS_SOAK") != "" }
