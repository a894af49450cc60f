// Command daypass is the server and the command line of Daypass: any proof of
// identity in, short-term credentials out.
//
// Exit status: 0 success, 1 failure, 2 usage, 3 not logged in or expired, 4
// denied. Errors and notices go to standard error, data to standard output.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitExpired = 3
	exitDenied  = 4
)

// run is the whole command, for main and for the tests.
func run(args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	var quiet silent
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	if failed := (*failedError)(nil); errors.As(err, &failed) {
		fmt.Fprintf(errOut, "%s\n%s\n", paint(errOut, red, "FAILED"), describe(err))
	} else {
		fmt.Fprintln(errOut, "daypass:", describe(err))
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(errOut, "Run '%s --help' for what there is.\n", usage.command)
		return exitUsage
	}
	return exitOf(err)
}

// exitOf is the exit status of an error.
func exitOf(err error) int {
	switch identity.KindOf(err) {
	case identity.KindAccessDenied, identity.KindInvalidCredentials, identity.KindPasswordExpired, identity.KindMFARequired, identity.KindInvalidIdentity:
		return exitDenied
	case identity.KindExpiredToken, identity.KindExpiredIdentity, identity.KindMissingAuthentication:
		return exitExpired
	}
	return exitFailure
}

// describe shows people the sentence of an error and leaves its innards out.
func describe(err error) string {
	var e *identity.Error
	if errors.As(err, &e) && e.Public != "" {
		return e.Public
	}
	return err.Error()
}

// silent is an exit status about which all is said.
type silent int

func (s silent) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a command line that is not understood.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "daypass",
		Short: "Any proof of identity in, short-term credentials out",
		Long: `Daypass turns proofs of identity (a password, a token of an identity
provider) into S3 keys that die by themselves, and checks them in front of the
store. One binary is server and command line.`,
		Example: `  daypass serve --dev               a demo site on this machine, and what to paste next
  daypass login --endpoint URL      log in, and keep keys that expire by themselves
  daypass exec -- aws s3 ls         run a command with them
  daypass apply -f site.yaml        bring accounts, realms, users and roles into line
  daypass keyring list              the server's own keys`,
		Version: version,
		// Cobra suggests commands only where it judges arguments itself.
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		SilenceErrors:              true,
		Args:                       knownVerb,
		RunE:                       func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("daypass {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{c.CommandPath(), err} })
	root.AddCommand(newLogin(), newExec(), newCredentialProcess(), newEnv(), newStatus(), newWhoami(), newLogout(), newConfigure())
	root.AddCommand(newTarget(), newRegions(), newIAM(), newResource(), newKMS())
	root.AddCommand(newServe(), newApply(), newConfig(), newKeyring(), newSessions(), newUser(), newAccessKeys(), newAccounts(), newUpstream(), newBucket(), newBackup(), newRestore(), newExplain(), newVersion())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			group(c, "name the shell: bash, fish, powershell or zsh")
		}
	}
	usageArgs(root)
	return root
}

// usageArgs makes wrong arguments of every command a usage error.
func usageArgs(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = noArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		if err == nil {
			err = c.ValidateFlagGroups() // cobra's own turn comes later, and is no usage error
		}
		if err != nil {
			return &usageError{c.CommandPath(), err}
		}
		return nil
	}
	for _, sub := range c.Commands() {
		usageArgs(sub)
	}
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "daypass", version)
			return err
		},
	}
}

// group is a command that only holds others; missing is the complaint when none
// is named.
func group(c *cobra.Command, missing string) *cobra.Command {
	c.Args = knownVerb
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, _ []string) error {
		return &usageError{c.CommandPath(), errors.New(missing)}
	}
	return c
}

// knownVerb is for commands that hold others: what is left over is no verb.
func knownVerb(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	if like := c.SuggestionsFor(args[0]); len(like) > 0 {
		text += fmt.Sprintf("; did you mean %q?", like[0])
	}
	return errors.New(text)
}

// noArgs is for commands that take flags only.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q is one argument too many: this command takes flags only", args[0])
}
