package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

func newAccessKeys() *cobra.Command {
	c := group(&cobra.Command{
		Use: "access-keys", Short: "Long-term access keys: which are old or unused, and ending them",
		Long: `Long-term access keys of all accounts: which are old or unused, deactivating and
deleting them, and how long they live. Users manage their own by the IAM API.`,
	}, "a verb is missing: stale, disable, delete, max-age or sleep")
	c.AddCommand(newKeysStale(),
		newKeysEnd("disable", "Deactivated", "Deactivate a long-term key and end what was obtained with it",
			func(c *cobra.Command, o *operatorFlags, id string) error {
				return o.client().DisableAccessKey(c.Context(), id)
			}),
		newKeysEnd("delete", "Deleted", "Delete a long-term key and end what was obtained with it",
			func(c *cobra.Command, o *operatorFlags, id string) error {
				return o.client().DeleteAccessKey(c.Context(), id)
			}),
		newKeysMaxAge(), newKeysSleep())
	return c
}

func newKeysStale() *cobra.Command {
	var (
		operator      operatorFlags
		filter        directory.KeyFilter
		older, unused string
		asJSON        bool
	)
	c := &cobra.Command{
		Use:   "stale",
		Short: "List long-term keys, the oldest first",
		Long: `List long-term keys, the oldest first: whose they are, how old, when they were
used last, who made them, and when they end by themselves. A key that was never
used counts as unused since it was made.`,
		Example: `  daypass access-keys stale --older-than 90d
  daypass access-keys stale --unused-for 30d --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if filter.OlderThan, err = parseDays(older); err != nil {
				return &usageError{c.CommandPath(), fmt.Errorf("--older-than: %w", err)}
			}
			if filter.UnusedFor, err = parseDays(unused); err != nil {
				return &usageError{c.CommandPath(), fmt.Errorf("--unused-for: %w", err)}
			}
			list, err := operator.client().AccessKeys(c.Context(), filter)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			return printKeys(c.OutOrStdout(), list)
		},
	}
	c.Flags().StringVar(&older, "older-than", "0d", "only keys made at least this `span` ago (90d, 12h)")
	c.Flags().StringVar(&unused, "unused-for", "0d", "only keys not used for this `span`")
	c.Flags().StringVar(&filter.AccountID, "account", "", "only those in the account with this `ID`")
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	operator.add(c)
	return c
}

func printKeys(out io.Writer, list []directory.KeyAge) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tOWNER\tMADE\tMADE BY\tLAST USED\tENDS\tSLEEPS")
	for _, k := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.State, k.UserARN, when(k.CreatedAt), maker(k),
			when(k.LastUsed), when(k.ExpiresAt), when(k.SleepsAt))
	}
	return w.Flush()
}

// maker names the session that made a key, "-" for a long-term key or an
// operator.
func maker(k directory.KeyAge) string {
	session := "-"
	for _, a := range k.MadeBy {
		if a.Kind == identity.LineageAccessKey {
			session = a.ID
		}
	}
	if k.MadeByProvider != "" {
		arn, _ := identity.ParseARN(k.MadeByProvider)
		_, name, _ := strings.Cut(arn.Resource, "-provider/") // an OIDC issuer, or a SAML provider's name
		session += " by " + name
	}
	return session
}

func newKeysEnd(verb, done, short string, end func(*cobra.Command, *operatorFlags, string) error) *cobra.Command {
	var (
		operator operatorFlags
		yes      bool
	)
	c := &cobra.Command{
		Use:     verb + " ID",
		Short:   short,
		Example: "  daypass access-keys " + verb + " AKIAIOSFODNN7EXAMPLE --yes",
		Args:    oneArg("name one key by its ID (daypass access-keys stale)"),
		RunE: func(c *cobra.Command, args []string) error {
			if !yes {
				fmt.Fprintf(c.ErrOrStderr(), "The key %s stops working, and the sessions obtained with it end.\n", args[0])
				if err := confirm(c, "Do it?"); err != nil {
					return err
				}
			}
			if err := end(c, &operator, args[0]); err != nil {
				return err
			}
			return say(c, "%s: %s", done, args[0])
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	operator.add(c)
	return c
}

func newKeysMaxAge() *cobra.Command {
	var operator operatorFlags
	c := &cobra.Command{
		Use:   "max-age ACCOUNT DAYS",
		Short: "Set how many days new long-term keys of an account live",
		Long: `Set how many days new long-term keys of an account live; 0 for as long as
access_keys.max_age_days of the configuration says. The shorter time of the two
holds. Keys that exist keep their end: daypass access-keys stale lists them.`,
		Example: `  daypass access-keys max-age 123456789012 90`,
		Args:    twoArgs("name the account and the number of days"),
		RunE: func(c *cobra.Command, args []string) error {
			days, err := strconv.Atoi(args[1])
			if err != nil {
				return &usageError{c.CommandPath(), fmt.Errorf("%q is no number of days", args[1])}
			}
			if err := operator.client().SetAccessKeyMaxAge(c.Context(), args[0], days); err != nil {
				return err
			}
			if days == 0 {
				return say(c, "New keys of account %s live as long as the configuration says.", args[0])
			}
			return say(c, "New keys of account %s live %d days at most.", args[0], days)
		},
	}
	operator.add(c)
	return c
}

func newKeysSleep() *cobra.Command {
	var operator operatorFlags
	c := &cobra.Command{
		Use:   "sleep PROVIDER-ARN DAYS",
		Short: "Let keys made through a provider sleep when their maker stays away",
		Long: `Let the long-term keys that were made through an OIDC provider sleep when the
web identity that made them has not logged in by it for so many days: whoever
leaves there loses the keys here. A new log-in wakes them. 0 switches it off.`,
		Example: `  daypass access-keys sleep arn:aws:iam::123456789012:oidc-provider/idp.example.com 30`,
		Args:    twoArgs("name the provider's ARN and the number of days"),
		RunE: func(c *cobra.Command, args []string) error {
			days, err := strconv.Atoi(args[1])
			if err != nil {
				return &usageError{c.CommandPath(), fmt.Errorf("%q is no number of days", args[1])}
			}
			if err := operator.client().SetKeysSleep(c.Context(), args[0], days); err != nil {
				return err
			}
			if days == 0 {
				return say(c, "Keys made through %s do not sleep.", args[0])
			}
			return say(c, "Keys made through %s sleep after %d days without a log-in.", args[0], days)
		},
	}
	operator.add(c)
	return c
}

// say prints the line that an operator's change ends with.
func say(c *cobra.Command, format string, args ...any) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), format+"\n", args...)
	return err
}

func twoArgs(missing string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 2 {
			return errors.New(missing)
		}
		return nil
	}
}

func newAccounts() *cobra.Command {
	c := group(&cobra.Command{
		Use: "accounts", Short: "Switch whole accounts off and on",
	}, "a verb is missing: disable or enable")
	c.AddCommand(newAccountSwitch("disable", true, `Switch an account off: nobody logs in, its sessions end for good, its long-term
keys rest, and what its sessions obtained in other accounts ends too.`),
		newAccountSwitch("enable", false, "Switch an account on again. Its long-term keys work again; its old sessions do not."))
	return c
}

func newAccountSwitch(verb string, disabled bool, long string) *cobra.Command {
	var (
		operator operatorFlags
		yes      bool
	)
	short, _, _ := strings.Cut(long, ":")
	short, _, _ = strings.Cut(short, ".")
	c := &cobra.Command{
		Use: verb + " ID", Short: short, Long: long,
		Example: "  daypass accounts " + verb + " 123456789012",
		Args:    oneArg("name one account by its ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if disabled && !yes {
				fmt.Fprintf(c.ErrOrStderr(), "Everything in account %s stops.\n", args[0])
				if err := confirm(c, "Do it?"); err != nil {
					return err
				}
			}
			if err := operator.client().SetAccountDisabled(c.Context(), args[0], disabled); err != nil {
				return err
			}
			state := "on"
			if disabled {
				state = "off"
			}
			return say(c, "Account %s is %s.", args[0], state)
		},
	}
	if disabled {
		c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	}
	operator.add(c)
	return c
}
