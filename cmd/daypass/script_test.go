package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"daypass": main})
}

// objectStore builds the object store once, for the scripts that serve.
var objectStore = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "daypass-objectstore-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "daypass-objectstore")
	build := exec.Command("go", "build", "-o", binary, "./cmd/daypass-objectstore")
	build.Dir = filepath.Join("..", "..", "objectstore")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
})

func TestScripts(t *testing.T) {
	t.Parallel()
	binary, err := objectStore()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(binary)) })
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DAYPASS_OBJECT_STORE_BINARY", binary)
			home := filepath.Join(e.WorkDir, "home")
			for name, value := range map[string]string{
				"HOME": home, "XDG_RUNTIME_DIR": "", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "DBUS_SESSION_BUS_ADDRESS": "",
				"CI": "", "SHELL": "/bin/sh", "GORACE": os.Getenv("GORACE"),
			} {
				e.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "status": status, "mode": mode, "member": member, "write": write, "append": appendLine, "until": untilStatus, "together": together,
		},
	})
}

// await FILE waits until a file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not come", args[0])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// status CODE COMMAND… runs a command that must end with an exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// mode OCTAL FILE checks a file's permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Lstat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// member NAME FILE [KEY…] sets the variable NAME to the member at the path of
// keys of the JSON object in a file; without keys, to the first member of that
// name, in lower case, wherever it is.
func member(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: member NAME FILE [KEY…]")
	}
	text := ts.ReadFile(args[1])
	if len(args) == 2 {
		_, after, ok := strings.Cut(text, `"`+strings.ToLower(args[0])+`": "`)
		value, _, ok2 := strings.Cut(after, `"`)
		if !ok || !ok2 {
			ts.Fatalf("%s has no member %s", args[1], strings.ToLower(args[0]))
		}
		ts.Setenv(args[0], value)
		return
	}
	var at any
	ts.Check(json.Unmarshal([]byte(text), &at))
	for _, key := range args[2:] {
		object, _ := at.(map[string]any)
		at = object[key]
	}
	ts.Setenv(args[0], fmt.Sprint(at))
}

// write FILE TEXT writes a line into a file that only its owner may read.
func write(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: write FILE TEXT")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(args[1]+"\n"), 0o600))
}

// append FILE TEXT adds a line to a file.
func appendLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE TEXT")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+args[1]+"\n"), 0o600))
}

// until CODE COMMAND… runs a command again and again until it ends with an exit
// status.
func untilStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until CODE COMMAND…")
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		var exit *exec.ExitError
		err := ts.Exec(args[1], args[2:]...)
		if errors.As(err, &exit) && fmt.Sprint(exit.ExitCode()) == args[0] || err == nil && args[0] == "0" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// together N COMMAND… runs a command N times at once. All must succeed and
// print the same, which is then the standard output.
func together(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	if neg || len(args) < 2 || err != nil {
		ts.Fatalf("usage: together N COMMAND…")
	}
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	type result struct {
		out []byte
		err error
	}
	results := make(chan result)
	for range n {
		c := exec.Command(path, args[2:]...)
		c.Dir = ts.MkAbs(".")
		for _, name := range []string{"HOME", "PATH", "DAYPASS_KEYRING"} {
			c.Env = append(c.Env, name+"="+ts.Getenv(name))
		}
		go func() {
			out, err := c.CombinedOutput()
			results <- result{out, err}
		}()
	}
	var first []byte
	for i := range n {
		r := <-results
		if i == 0 {
			first = r.out
		}
		if r.err != nil || !bytes.Equal(r.out, first) {
			ts.Fatalf("%v: %s, and another %s", r.err, r.out, first)
		}
	}
	fmt.Fprintf(ts.Stdout(), "%s", first)
}
