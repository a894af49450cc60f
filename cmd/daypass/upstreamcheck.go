package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"daypass/internal/operate"
)

func newUpstreamCheck() *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "check [NAME]",
		Short: "Try what the gate needs of a store, and say how to set it",
		Long: `Try everything that the gate needs of a store, or of every store: reaching it, TLS,
clocks and credentials; then, in a bucket of its own that it removes at the end,
uploads in all forms, uploads that are cut short, listings, multipart uploads,
odd keys, versioning and more. Nothing else in the store is touched.

It goes through the running server, as requests of users do, with the operator's
credentials. What it does is told on standard error as it goes on; the table, and
what to set, come on standard output. The exit status is 1 when something that is
needed does not work as the store is set.`,
		Example: `  daypass upstream check ceph
  daypass upstream check
  daypass upstream check ceph --json 2>/dev/null`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("name one store, or none for all (daypass upstream list)")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return checkUpstreams(c, &operator, args, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the reports as JSON, a list")
	operator.add(c)
	operator.completes(c, upstreamNames)
	return c
}

func checkUpstreams(c *cobra.Command, operator *operatorFlags, names []string, asJSON bool) error {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client := operator.client()
	if len(names) == 0 {
		var err error
		if names, err = upstreamNames(ctx, client); err != nil {
			return err
		}
	}
	usable, reports := true, []operate.CheckReport{}
	for _, name := range names {
		bucket := ""
		report, err := client.CheckUpstream(ctx, name, operate.CheckWatch{
			Began: func(b string) {
				bucket = b
				fmt.Fprintf(c.ErrOrStderr(), "%s: trying it in the bucket %s\n", name, b)
			},
			Found: func(f operate.CheckFinding) {
				fmt.Fprintf(c.ErrOrStderr(), "%s: %s: %s\n", name, f.What, f.Result)
			},
		})
		if ctx.Err() != nil && bucket != "" {
			return fmt.Errorf("broken off; the server removes the bucket %s of %s now, and its log says so if it cannot", bucket, name)
		}
		if err != nil {
			return err
		}
		usable = usable && report.Usable
		reports = append(reports, report)
		if !asJSON {
			if err := printReport(c.OutOrStdout(), report); err != nil {
				return err
			}
		}
	}
	if asJSON {
		if err := printJSON(c.OutOrStdout(), reports); err != nil {
			return err
		}
	}
	if !usable {
		return silent(exitFailure)
	}
	return nil
}

func printReport(out io.Writer, r operate.CheckReport) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(r.Upstream)+"\tRESULT\tWHAT IT MEANS")
	var missing []string
	untried := 0
	for _, f := range r.Findings {
		if f.Result == "untried" {
			untried++
			continue
		}
		result := string(f.Result)
		if f.Result == "fails" && f.Needed {
			missing = append(missing, f.What)
			result += ", needed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.What, result, dash(strings.Trim(f.Detail+" -> "+f.Meaning, " ->")))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if untried > 0 {
		fmt.Fprintf(out, "Not tried, because what they stand on is not there: %d (--json names them)\n", untried)
	}
	for _, a := range r.Advice {
		need := "better"
		if a.Needed {
			need = "needed"
		}
		fmt.Fprintf(out, "Set for %s, under upstreams:  %s: %s  (%s: %s)\n", r.Upstream, a.Setting, a.Value, need, a.Why)
	}
	for _, name := range r.Left {
		fmt.Fprintf(out, "Left in %s, remove it by hand:  %s\n", r.Upstream, name)
	}
	if r.Usable {
		fmt.Fprintf(out, "%s is good as it is set.\n", r.Upstream)
		return nil
	}
	fmt.Fprintf(out, "%s is NOT good as it is set: %s.\n", r.Upstream, strings.Join(missing, "; "))
	return nil
}
