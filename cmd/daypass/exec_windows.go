package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

// shell is the user's shell.
func shell() string { return cmp.Or(os.Getenv("ComSpec"), "cmd.exe") }

// become runs a command in place of this process: Ctrl-C is the child's, and
// its exit status is ours.
func become(path string, args, environ []string) error {
	child := &exec.Cmd{Path: path, Args: args, Env: environ, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	signal.Ignore(os.Interrupt)
	err := child.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return silent(exit.ExitCode())
	case err != nil:
		fmt.Fprintf(os.Stderr, "daypass: %s: %v\n", path, err)
		return silent(exitNotExecutable)
	}
	return nil
}
