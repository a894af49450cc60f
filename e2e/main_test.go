package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// propertyChecks is how many requests a property test makes.
const propertyChecks = "1000"

// update rewrites what the tests write into the documents.
var update = flag.Bool("update", false, "rewrite the parts of the documents that tests make")

// scratch is a directory of this process, for what is built.
var scratch string

func TestMain(m *testing.M) {
	flag.Set("rapid.checks", propertyChecks)
	flag.Set("rapid.nofailfile", "true")
	flag.Parse()
	dir, err := os.MkdirTemp("", "daypass-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	endForks()
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// binaries is the directory with daypass and daypass-objectstore: $DAYPASS_BIN,
// or they are built once per test process.
var binaries = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("DAYPASS_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	for _, b := range []struct{ module, pkg string }{
		{"..", "./cmd/daypass"},
		{"../objectstore", "./cmd/daypass-objectstore"},
	} {
		c := exec.Command("go", "build", "-o", scratch+string(filepath.Separator), b.pkg)
		c.Dir = b.module
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return "", errors.Join(fmt.Errorf("go build %s in %s", b.pkg, b.module), err, errors.New(string(out)))
		}
	}
	return scratch, nil
})
