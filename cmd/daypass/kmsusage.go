package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"daypass/internal/kms"
)

func newKMSUsage() *cobra.Command {
	var (
		operator operatorFlags
		instance string
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "usage [KEY]",
		Short: "Show the operator who used which key, how often, and when last",
		Long: `Show who used which key of key management, how often and for what, when last and
from where: of one key, of the keys of an instance, or of all. It speaks to the running
server over its socket, as the operator. The audit log has every single use, with its
time and address; these counts are for the overview.`,
		Example: `  daypass kms usage --data /var/lib/daypass
  daypass kms usage 00000000-1111-4222-8333-444455556666
  daypass kms usage --instance 00000000-1111-4222-8333-444455556666 --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("name one key, by ID, or none for all")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			list, err := operator.client().KeyUsage(c.Context(), instance, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			slices.SortStableFunc(list, func(a, b kms.Use) int { return b.LastAt.Compare(a.LastAt) })
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tNAME\tWHO\tUSES\tLAST\tFROM")
			for _, u := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", u.KeyID, dash(cell(u.KeyName)), u.Principal, countsOf(u.Counts), when(u.LastAt), dash(u.LastIP))
			}
			return w.Flush()
		},
	}
	c.Flags().StringVarP(&instance, "instance", "i", "", "only keys of the service instance with this `ID`; with it KEY may be an alias")
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	operator.add(c)
	return c
}

// countsOf says how often what was done.
func countsOf(counts map[string]uint64) string {
	var out []string
	for _, action := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", action, counts[action]))
	}
	return strings.Join(out, ", ")
}
