package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// awsFork is an aws CLI that is loaded once and forked for every command, which
// saves most of what a command costs. See testdata/awsfork.py.
type awsFork struct {
	socket string
	end    func()
}

var (
	forksMu sync.Mutex
	forks   = map[string]*awsFork{} // by the path of the CLI; nil: it cannot be loaded so
)

// forkOf returns the loaded form of a program, nil when it is no aws CLI that
// is written in Python.
func forkOf(path string) *awsFork {
	if filepath.Base(path) != "aws" || !filepath.IsAbs(path) {
		return nil
	}
	forksMu.Lock()
	defer forksMu.Unlock()
	f, ok := forks[path]
	if !ok {
		f = loadAWS(path, filepath.Join(scratch, fmt.Sprintf("aws-%d", len(forks))))
		forks[path] = f
	}
	return f
}

// endForks ends all of them.
func endForks() {
	forksMu.Lock()
	defer forksMu.Unlock()
	for _, f := range forks {
		if f != nil {
			f.end()
		}
	}
}

// loadAWS starts the Python that the script's first line names.
func loadAWS(path, socket string) *awsFork {
	script, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(script), "\n")
	python, ok := strings.CutPrefix(first, "#!")
	if !ok || !bytes.Contains(script, []byte("awscli.clidriver")) {
		return nil
	}
	cmd := exec.Command(strings.TrimSpace(python), "testdata/awsfork.py", socket)
	cmd.Env = append(withoutPrefix(os.Environ(), "AWS_", "HOME="), "HOME=/nonexistent")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return nil
	}
	end := func() { stdin.Close(); cmd.Wait() }
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		end()
		return nil
	}
	return &awsFork{socket: socket, end: end}
}

// run runs one command of the CLI.
func (f *awsFork) run(t testing.TB, dir string, env map[string]string, args []string) Result {
	t.Helper()
	out, err := os.MkdirTemp(scratch, "aws-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(out)
	stdout, stderr := filepath.Join(out, "stdout"), filepath.Join(out, "stderr")
	code, err := f.exchange(map[string]any{"args": args, "env": env, "dir": dir, "stdout": stdout, "stderr": stderr})
	printed, lost := os.ReadFile(stdout)
	complaint, lostToo := os.ReadFile(stderr)
	if err := errors.Join(err, lost, lostToo); err != nil {
		t.Fatalf("aws %q: %v\n%s", args, err, complaint)
	}
	return Result{string(printed), string(complaint), code}
}

func (f *awsFork) exchange(job map[string]any) (code int, err error) {
	conn, err := net.Dial("unix", f.socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(job); err != nil {
		return 0, err
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(answer), &code)
	return code, err
}
