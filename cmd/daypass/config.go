package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"daypass/internal/server"
)

func newConfig() *cobra.Command {
	c := group(&cobra.Command{Use: "config", Short: "Look at the configuration"}, "a verb is missing: check or keys")
	c.AddCommand(newConfigCheck(), newConfigKeys())
	return c
}

func newConfigCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say whether a configuration file is fit, and where it is not",
		Long: `Read a configuration file as the server would, with the DAYPASS_* variables of
this environment over it, and name file, line and key of what is wrong: of all
unknown keys, and when there are none, of all values that do not fit.
Without FILE the defaults and the environment are checked.`,
		Example: `  daypass config check /etc/daypass/config.yaml
  DAYPASS_LISTEN=0.0.0.0:443 daypass config check config.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("name one file at a time")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			path, answer := "", "ok: the defaults and this environment (no file was named)"
			if len(args) == 1 {
				path, answer = args[0], "ok"
			}
			if _, err := server.LoadConfig(path, os.Environ()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), answer)
			return err
		},
	}
}

func newConfigKeys() *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "List every configuration key, its variable and its default",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, k := range server.Keys() {
				if _, err := fmt.Fprintf(c.OutOrStdout(), "%-28s %-36s %s\n", k.Path, k.Variable, k.Default()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
