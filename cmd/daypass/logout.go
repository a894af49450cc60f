package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

func newLogout() *cobra.Command {
	var (
		f   clientFlags
		all bool
	)
	c := &cobra.Command{
		Use:   "logout",
		Short: "End the log-in session and forget its keys",
		Long: `End the log-in session at the server, which ends its session keys everywhere,
and forget both here. When the server cannot be reached they are forgotten all the
same, and the exit status is 1.`,
		Example: `  daypass logout
  daypass logout --profile lab
  daypass logout --all`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.cacheless() {
				return &usageError{c.CommandPath(), errors.New("DAYPASS_NO_CACHE is set: there is nothing kept to log out of")}
			}
			if !all {
				_, p, err := f.resolve(c)
				if err != nil {
					return err
				}
				return f.logOut(c, p)
			}
			config, err := loadProfiles()
			if err != nil {
				return err
			}
			var end error
			for _, name := range config.Names() {
				p, _ := config.Profile(name)
				if err := f.logOut(c, p); err != nil {
					notices(c)(describe(err))
					end = silent(exitFailure)
				}
			}
			return end
		},
	}
	f.add(c)
	c.Flags().BoolVar(&all, "all", false, "every profile")
	c.MarkFlagsMutuallyExclusive("all", "profile")
	c.MarkFlagsMutuallyExclusive("all", "endpoint")
	return c
}

func (f *clientFlags) logOut(c *cobra.Command, p client.Profile) error {
	k, err := f.keeperOf(c, p)
	if err != nil {
		return err
	}
	ibm := p.Kind == client.KindIBM
	if ibm {
		fmt.Fprintln(c.OutOrStdout(), "Logging out...")
	}
	alive, err := k.LogOut(c.Context())
	if !alive.IsZero() {
		notices(c)("the keys of profile " + p.Name + " are forgotten here; copies of them are good until " + until(alive))
	}
	switch {
	case ibm && err != nil:
		return inIBMWords(err)
	case ibm:
		fmt.Fprintln(c.OutOrStdout(), paint(c.OutOrStdout(), green, "OK"))
	}
	return err
}
