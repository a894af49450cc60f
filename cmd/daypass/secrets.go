package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
)

// maxKeyFile bounds a file of an API key.
const maxKeyFile = 64 << 10

// wholeSecret reads a file of any number of lines; "-" is standard input.
func wholeSecret(c *cobra.Command, path string) (identity.Secret, error) {
	r := c.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("%s holds more than %d bytes", path, maxKeyFile)
	}
	return identity.Secret(data), err
}

// commandSecret runs a command by the shell and reads a secret from its standard
// output.
func commandSecret(c *cobra.Command, line string) (identity.Secret, error) {
	run := exec.CommandContext(c.Context(), "/bin/sh", "-c", line)
	if runtime.GOOS == "windows" {
		run = exec.CommandContext(c.Context(), "cmd", "/c", line)
	}
	run.Stdin, run.Stderr = os.Stdin, c.ErrOrStderr()
	out, err := run.Output()
	if err != nil {
		return "", errors.Join(errors.New("the command failed"), err)
	}
	return readSecret(bytes.NewReader(out), "its output")
}
