//go:build unix

package main

import (
	"cmp"
	"fmt"
	"os"
	"syscall"
)

// shell is the user's shell.
func shell() string { return cmp.Or(os.Getenv("SHELL"), "/bin/sh") }

// become replaces this process. It returns only when that fails.
func become(path string, args, environ []string) error {
	err := syscall.Exec(path, args, environ)
	fmt.Fprintf(os.Stderr, "daypass: %s: %v\n", path, err)
	return silent(exitNotExecutable)
}
