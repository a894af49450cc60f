package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"daypass/internal/api/admin"
	"daypass/internal/identity"
	"daypass/internal/operate"
)

func newBucket() *cobra.Command {
	c := group(&cobra.Command{
		Use: "bucket", Short: "The registry of buckets: who owns which, taking over what is there",
		Long: `The registry of buckets: which account owns which bucket, on which store. Users
see the buckets of their account and no others, whatever else the store has.

Buckets that were in a store before are taken over by claim, and only so: nobody
gets one by creating a bucket of its name. Nothing here touches data.`,
	}, "a verb is missing: list, claim or release")
	c.AddCommand(newBucketList(), newBucketClaim(), newBucketRelease())
	return c
}

func newBucketList() *cobra.Command {
	var (
		operator operatorFlags
		filter   operate.BucketFilter
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List buckets, their accounts and stores",
		Example: `  daypass bucket list
  daypass bucket list --account 123456789012 --upstream ceph --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := operator.client().Buckets(c.Context(), filter)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tACCOUNT\tUPSTREAM\tSTATE\tREGION\tCREATED")
			for _, b := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", b.Name, b.AccountID, b.Upstream, b.State, dash(b.Region), when(b.CreatedAt))
			}
			return w.Flush()
		},
	}
	c.Flags().StringVar(&filter.AccountID, "account", "", "only those of the account with this `ID` or alias")
	c.Flags().StringVar(&filter.Upstream, "upstream", "", "only those on the store with this `name`")
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	operator.add(c)
	return c
}

// claimFlags are those of `daypass bucket claim`.
type claimFlags struct {
	account, prefix     string
	dryRun, yes, asJSON bool
}

func newBucketClaim() *cobra.Command {
	var (
		operator operatorFlags
		f        claimFlags
	)
	c := &cobra.Command{
		Use:   "claim UPSTREAM/BUCKET --account ID",
		Short: "Give a bucket that a store has to an account",
		Long: `Give a bucket that a store has, and the registry has not, to an account: at once,
and without a restart, its users see and use it as their policies allow. The
bucket must be readable with the operator's credentials for the store. Nothing
changes in the store. It says first what it will do, and asks; without a terminal
--yes is needed.

With --prefix all buckets whose names begin so are claimed, and those that cannot
be are named, with the reason; the exit status is 1 when there are such.`,
		Example: `  daypass upstream buckets ceph
  daypass bucket claim ceph/boot-images --account 123456789012
  daypass bucket claim ceph --prefix logs- --account demo --dry-run
  daypass bucket claim ceph --prefix logs- --account demo --yes`,
		Args: oneArg("name one bucket as UPSTREAM/BUCKET, or a store with --prefix (daypass upstream buckets UPSTREAM)"),
		RunE: func(c *cobra.Command, args []string) error {
			in, err := f.claim(args[0])
			if err != nil {
				return &usageError{c.CommandPath(), err}
			}
			return f.run(c, &operator, in)
		},
	}
	c.Flags().StringVar(&f.account, "account", "", "`ID` or alias of the account that gets it")
	c.Flags().StringVar(&f.prefix, "prefix", "", "claim all buckets whose names begin with this `text`")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be claimed")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print what was claimed as JSON")
	operator.add(c)
	operator.completes(c, claimableNames)
	return c
}

func (f *claimFlags) claim(arg string) (operate.Claim, error) {
	name, bucket, named := strings.Cut(arg, "/")
	in := operate.Claim{Upstream: name, Bucket: bucket, Prefix: f.prefix, AccountID: f.account}
	switch {
	case f.account == "":
		return in, errors.New("name the account that gets it: --account ID")
	case named && f.prefix != "":
		return in, errors.New("name one bucket as UPSTREAM/BUCKET, or several as UPSTREAM --prefix P, not both")
	case name == "" || bucket == "" && f.prefix == "":
		return in, errors.New("name the bucket as UPSTREAM/BUCKET, or several as UPSTREAM --prefix P")
	}
	return in, nil
}

func (f *claimFlags) run(c *cobra.Command, operator *operatorFlags, in operate.Claim) error {
	client := operator.client()
	if f.dryRun || !f.yes {
		dry := in
		dry.DryRun = true
		would, err := client.ClaimBuckets(c.Context(), dry)
		if err != nil {
			return err
		}
		if f.dryRun {
			return f.print(c, would, "Would claim")
		}
		printClaimed(c.ErrOrStderr(), would, "This gives")
		if len(would.Buckets) == 0 {
			return errors.New("nothing was done: there is nothing to claim")
		}
		if err := confirm(c, "Claim it?"); err != nil {
			return err
		}
	}
	done, err := client.ClaimBuckets(c.Context(), in)
	if err != nil {
		return err
	}
	return f.print(c, done, "Claimed")
}

// print shows what a claim did; that some could not be claimed is a failure.
func (f *claimFlags) print(c *cobra.Command, done operate.Claimed, verb string) error {
	if f.asJSON {
		if err := printJSON(c.OutOrStdout(), done); err != nil {
			return err
		}
	} else {
		printClaimed(c.OutOrStdout(), done, verb)
	}
	switch {
	case len(done.Refused) > 0:
		return silent(exitFailure)
	case len(done.Buckets) == 0:
		return errors.New("the store shows no bucket whose name begins so")
	}
	return nil
}

func printClaimed(w io.Writer, done operate.Claimed, verb string) {
	for _, b := range done.Buckets {
		fmt.Fprintf(w, "%s: %s/%s for account %s\n", verb, b.Upstream, b.Name, b.AccountID)
	}
	for _, r := range done.Refused {
		fmt.Fprintf(w, "Not claimed: %s: %s\n", identity.Printable(r.Bucket), r.Why)
	}
}

func newBucketRelease() *cobra.Command {
	var (
		operator            operatorFlags
		dryRun, yes, asJSON bool
	)
	c := &cobra.Command{
		Use:   "release BUCKET",
		Short: "Take a bucket out of the registry; its data stays in the store",
		Long: `Take a bucket out of the registry, with its bucket policy: at once nobody reaches
it through Daypass any more. The store keeps the bucket and all that is in it,
and nobody can create a bucket of that name there. It says how to claim it back.`,
		Example: `  daypass bucket release boot-images
  daypass bucket release boot-images --dry-run
  daypass bucket release boot-images --yes --json`,
		Args: oneArg("name one bucket (daypass bucket list)"),
		RunE: func(c *cobra.Command, args []string) error {
			client := operator.client()
			if dryRun || !yes {
				b, err := client.ReleaseBucket(c.Context(), args[0], true)
				if err != nil {
					return err
				}
				if dryRun {
					return printReleased(c, b, "Would release", asJSON)
				}
				fmt.Fprintf(c.ErrOrStderr(), "This takes %s/%s from account %s, with its bucket policy; its data stays.\n", b.Upstream, b.Name, b.AccountID)
				if err := confirm(c, "Release it?"); err != nil {
					return err
				}
			}
			b, err := client.ReleaseBucket(c.Context(), args[0], false)
			if err != nil {
				return err
			}
			return printReleased(c, b, "Released", asJSON)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be released")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().BoolVar(&asJSON, "json", false, "print what was released as JSON")
	operator.add(c)
	operator.completes(c, func(ctx context.Context, client *admin.Client) ([]string, error) {
		list, err := client.Buckets(ctx, operate.BucketFilter{})
		var names []string
		for _, b := range list {
			names = append(names, b.Name)
		}
		return names, err
	})
	return c
}

func printReleased(c *cobra.Command, b identity.Bucket, verb string, asJSON bool) error {
	if asJSON {
		return printJSON(c.OutOrStdout(), b)
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: %s/%s of account %s. Its data stays in the store.\n", verb, b.Upstream, b.Name, b.AccountID)
	_, err := fmt.Fprintf(c.OutOrStdout(), "To claim it back: daypass bucket claim %s/%s --account %s\n", b.Upstream, b.Name, b.AccountID)
	return err
}
