package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"daypass/internal/identity"
)

// interactive reports whether somebody can be asked: standard input is a
// terminal, and CI is not set.
func interactive() bool { return !onCI() && term.IsTerminal(int(os.Stdin.Fd())) }

// ask asks for a line.
func ask(c *cobra.Command, prompt string) (string, error) {
	fmt.Fprint(c.ErrOrStderr(), prompt)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return "", err
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.New("nothing was typed")
	}
	return line, nil
}

// askHidden asks for a secret without showing it. An interrupt gives the
// terminal its echo back.
func askHidden(c *cobra.Command, prompt string) (identity.Secret, error) {
	fd := int(os.Stdin.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	defer signal.Stop(interrupt)
	type typed struct {
		text []byte
		err  error
	}
	done := make(chan typed, 1)
	fmt.Fprint(c.ErrOrStderr(), prompt)
	go func() {
		text, err := term.ReadPassword(fd)
		done <- typed{text, err}
	}()
	select {
	case <-interrupt:
		fmt.Fprintln(c.ErrOrStderr())
		return "", errors.Join(errors.New("interrupted"), term.Restore(fd, state))
	case t := <-done:
		fmt.Fprintln(c.ErrOrStderr())
		if t.err == nil && len(t.text) == 0 {
			t.err = errors.New("nothing was typed")
		}
		return identity.Secret(t.text), t.err
	}
}
