package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newKMSOpenInstance() *cobra.Command {
	var operator operatorFlags
	c := &cobra.Command{
		Use:   "open-instance INSTANCE",
		Short: "Let calls to an instance come from anywhere again, as the operator",
		Long: `Disable the policies of an instance that say where calls may come from (allowedIP
and allowedNetwork): the way back in for an account that has shut itself out. The
operator asks, over the socket of the running server; the addresses are kept, and a
Manager of the instance may enable the policies again.`,
		Example: `  daypass kms open-instance 01234567-89ab-4cde-8f01-23456789abcd --data /var/lib/daypass`,
		Args:    oneArg("name one instance, by its ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := operator.client().OpenInstance(c.Context(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "Instance %s takes calls from everywhere again.\n", args[0])
			return err
		},
	}
	operator.add(c)
	return c
}
