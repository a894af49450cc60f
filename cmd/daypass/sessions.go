package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/directory"
)

func newSessions() *cobra.Command {
	c := group(&cobra.Command{
		Use: "sessions", Short: "Issued sessions: who holds keys, and ending them",
		Long: `Issued sessions: who holds session keys, by what proof, from where and until
when; and ending them within a second.

The list is an index written behind the answers, for people: ending a session
reaches also those that it does not show.`,
	}, "a verb is missing: list, show or revoke")
	c.AddCommand(newSessionsList(), newSessionsShow(), newSessionsRevoke())
	return c
}

func newSessionsList() *cobra.Command {
	var (
		operator operatorFlags
		filter   directory.SessionFilter
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "List issued sessions, up to a day after their time",
		Example: `  daypass sessions list --active
  daypass sessions list --principal arn:aws:iam::123456789012:role/admin
  daypass sessions list --account 123456789012 --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := operator.client().Sessions(c.Context(), filter)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			return printSessions(c.OutOrStdout(), list)
		},
	}
	c.Flags().StringVar(&filter.Principal, "principal", "", "only those of the user or role with this `ARN` or unique ID")
	c.Flags().StringVar(&filter.AccountID, "account", "", "only those in the account with this `ID`")
	c.Flags().BoolVar(&filter.Active, "active", false, "leave out what has expired or was revoked")
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	operator.add(c)
	return c
}

func printSessions(out io.Writer, list []directory.Session) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tWHO\tBY\tFROM\tUNTIL\tLAST SEEN")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			s.AccessKeyID, s.State, s.ARN, by(s), dash(s.SourceIP), when(s.ExpiresAt), when(s.LastSeen))
	}
	return w.Flush()
}

// by says by what proof a session was obtained, and whose.
func by(s directory.Session) string {
	if s.Subject == "" {
		return s.Proof
	}
	return s.Proof + " " + s.Subject
}

func newSessionsShow() *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	c := &cobra.Command{
		Use:     "show ID",
		Short:   "Show one session by its access key ID",
		Example: `  daypass sessions show ASIAIOSFODNN7EXAMPLE`,
		Args:    oneArg("name one session by its access key ID (daypass sessions list)"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := operator.client().Session(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), s)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, line := range [][2]string{
				{"ID", s.AccessKeyID},
				{"state", string(s.State)},
				{"who", s.ARN},
				{"unique ID", s.PrincipalID},
				{"account", s.AccountID},
				{"by", by(s)},
				{"provider", s.Provider},
				{"log-in session", s.Login},
				{"obtained by", s.Parent},
				{"from", s.SourceIP},
				{"client", s.UserAgent},
				{"issued", when(s.IssuedAt)},
				{"until", when(s.ExpiresAt)},
				{"last seen", when(s.LastSeen)},
				{"made keys", strings.Join(s.Keys, " ")},
			} {
				fmt.Fprintf(w, "%s\t%s\n", line[0], dash(line[1]))
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the session as JSON")
	operator.add(c)
	return c
}

// oneArg is for commands that take exactly one argument.
func oneArg(missing string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return errors.New(missing)
		}
		return nil
	}
}

// parseDays reads a time span such as 30d, 12h or 90m.
func parseDays(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err == nil && n >= 0 && n <= 20000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is no time span such as 30d or 12h", text)
}
