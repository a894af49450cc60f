package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

// Exit statuses of a command that could not be run, as shells have them.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

func newExec() *cobra.Command {
	var (
		f    clientFlags
		nest bool
	)
	c := &cobra.Command{
		Use:   "exec [flags] [--] [COMMAND [ARGUMENT]…]",
		Short: "Run a command with session keys in its environment",
		Long: `Run a command with fresh session keys, region and endpoint in its environment, and
nowhere else. What could lead it to other keys is taken out of its environment.
Without a command your shell is started. The command takes the place of this
process: signals and exit status are its own.`,
		Example: `  daypass exec -- aws s3 ls
  daypass exec --profile lab --duration 15m -- ./backup.sh
  daypass exec`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if name := os.Getenv(envProfile); name != "" && os.Getenv("AWS_SESSION_TOKEN") != "" && !nest {
				return &usageError{c.CommandPath(), fmt.Errorf("this is a shell with the keys of profile %s already: exit the subshell, or unset %s; --nest runs the command all the same", name, envProfile)}
			}
			args, path, err := commandOf(c, args)
			if err != nil {
				return err
			}
			p, keys, err := f.keys(c, client.RenewalWindow)
			if err != nil {
				return err
			}
			return become(path, args, childEnvironment(os.Environ(), p, keys))
		},
	}
	f.addKeys(c)
	c.Flags().BoolVar(&nest, "nest", false, "run also inside a shell that exec started")
	c.Flags().SetInterspersed(false)
	return c
}

// commandOf finds the program to run; without a command, the user's shell.
func commandOf(c *cobra.Command, args []string) (found []string, path string, err error) {
	if len(args) == 0 {
		args = []string{shell()}
		if interactive() {
			notices(c)("starting " + args[0] + "; exit ends it, and its keys with it")
		}
	}
	path, err = exec.LookPath(args[0])
	switch {
	case err == nil, errors.Is(err, exec.ErrDot):
		return args, path, nil
	case errors.Is(err, fs.ErrPermission):
		notices(c)(args[0] + ": not executable")
		return nil, "", silent(exitNotExecutable)
	}
	notices(c)(args[0] + ": command not found")
	return nil, "", silent(exitNotFound)
}
