package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"daypass/internal/api/admin"
	"daypass/internal/identity"
	"daypass/internal/operate"
)

func newUpstream() *cobra.Command {
	c := group(&cobra.Command{
		Use: "upstream", Short: "The stores behind the gate: what they have, and what they can do",
		Long: `The stores behind the gate, as the server's configuration names them under
upstreams; the embedded one is called embedded.`,
	}, "a verb is missing: list, buckets or check")
	c.AddCommand(newUpstreamList(), newUpstreamBuckets(), newUpstreamCheck())
	return c
}

func newUpstreamList() *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List the stores, whether they answer, and how they are reached",
		Long: `List the stores: whether they answer (away means that requests for them are
refused with 503 until they are back), how they are reached, and how many buckets
of the registry each has.`,
		Example: `  daypass upstream list
  daypass upstream list --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := operator.client().Upstreams(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			return printUpstreams(c.OutOrStdout(), list)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	operator.add(c)
	return c
}

func printUpstreams(out io.Writer, list []operate.Upstream) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tENDPOINT\tREGION\tADDRESSING\tMODE\tKEYS\tBUCKETS")
	for _, u := range list {
		if u.Gone {
			fmt.Fprintf(w, "%s\tnot configured any more\t-\t-\t-\t-\t-\t%d\n", u.Name, u.Buckets)
			continue
		}
		state := "away"
		if u.Up {
			state = "up"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", u.Name, state, u.Endpoint, u.Region, u.Addressing, dash(string(u.Mode)), dash(string(u.KeySemantics)), u.Buckets)
	}
	return w.Flush()
}

func newUpstreamBuckets() *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "buckets NAME",
		Short: "List the buckets that a store has, and whose they are here",
		Long: `List the buckets that a store shows to the operator's credentials: which are some
account's here, which can be claimed, and which cannot and why. What is missing is
in the registry, and not in the store's list.`,
		Example: `  daypass upstream buckets ceph
  daypass upstream buckets ceph --json`,
		Args: oneArg("name one store (daypass upstream list)"),
		RunE: func(c *cobra.Command, args []string) error {
			list, err := operator.client().UpstreamBuckets(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tCREATED\tHERE")
			for _, b := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\n", identity.Printable(b.Name), when(b.CreatedAt), standing(b))
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	operator.add(c)
	operator.completes(c, upstreamNames)
	return c
}

// upstreamNames are the stores that are configured.
func upstreamNames(ctx context.Context, client *admin.Client) ([]string, error) {
	list, err := client.Upstreams(ctx)
	var names []string
	for _, u := range list {
		if !u.Gone {
			names = append(names, u.Name)
		}
	}
	return names, err
}

// claimableNames are the buckets that can be claimed, as UPSTREAM/BUCKET.
func claimableNames(ctx context.Context, client *admin.Client) ([]string, error) {
	stores, err := upstreamNames(ctx, client)
	var names []string
	for _, u := range stores {
		list, err := client.UpstreamBuckets(ctx, u)
		if err != nil {
			continue // one that is away keeps nobody from the others
		}
		for _, b := range list {
			if standing(b) == claimable {
				names = append(names, u+"/"+b.Name)
			}
		}
	}
	return names, err
}

const claimable = "claimable"

// standing says what a bucket of a store is here.
func standing(b operate.UpstreamBucket) string {
	switch {
	case b.Missing:
		return "account " + b.AccountID + ", missing in the store's list"
	case b.AccountID != "":
		return "account " + b.AccountID
	case b.Why != "":
		return "not claimable: " + b.Why
	}
	return claimable
}
