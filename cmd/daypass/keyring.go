package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
)

func newKeyring() *cobra.Command {
	c := group(&cobra.Command{
		Use: "keyring", Short: "The server's own keys",
		Long: `The server's own keys: session epochs, signing sets, what seals data at rest, and
the root key that opens them all. They rotate by themselves, but for the root key.`,
	}, "a verb is missing: list, rotate or move-root")
	c.AddCommand(newKeyringList(), newKeyringRotate(), newKeyringMoveRoot())
	return c
}

// keyLine is what is shown of one line of the server's answer.
type keyLine struct {
	Group     string    `json:"group"`
	ID        string    `json:"id"`
	Algorithm string    `json:"algorithm"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	EndsAt    time.Time `json:"ends_at"`
}

func newKeyringList() *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	c := &cobra.Command{
		Use:     "list",
		Short:   "List keys and their states; never a secret",
		Example: `  daypass keyring list --data /var/lib/daypass`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := operator.client().KeyStatus(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), answer)
			}
			var lines []keyLine
			if err := json.Unmarshal(answer, &lines); err != nil {
				return err
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "GROUP\tID\tALGORITHM\tSTATE\tCREATED\tENDS")
			for _, l := range lines {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Group, l.ID, dash(l.Algorithm), l.State, when(l.CreatedAt), when(l.EndsAt))
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	operator.add(c)
	return c
}

const rotatable = "all, epochs, at-rest, hash, boxes, signing, or a realm's set such as realm/root-accounts (daypass keyring list)"

func newKeyringRotate() *cobra.Command {
	var (
		operator                 operatorFlags
		now, compromised, asJSON bool
	)
	c := &cobra.Command{
		Use:   "rotate WHAT",
		Short: "Make new keys before their time",
		Long: `Make new keys before their time: all, or one of epochs, at-rest, hash, boxes,
signing (every realm's set) or a realm's set as ` + "`daypass keyring list`" + ` names
it. What was made under the old keys stays good until it expires.

With --now new keys are used at once, before those who cache a key set know
them. With --compromised the old session epochs and signing keys are given up
too: every session and token under them ends at once.`,
		Example: `  daypass keyring rotate epochs
  daypass keyring rotate realm/root-accounts --now
  daypass keyring rotate all --compromised`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one thing to rotate: " + rotatable)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := operator.client().RotateKeys(c.Context(), args[0], now, compromised)
			if identity.KindOf(err) == identity.KindValidation {
				return identity.NewError(identity.KindValidation, "keyring.rotate", describe(err)+"\nName one of "+rotatable+".")
			}
			if err != nil {
				return err
			}
			report := struct {
				Changes []string `json:"changes"`
			}{Changes: []string{}}
			if err := json.Unmarshal(answer, &report); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), report)
			}
			for _, change := range report.Changes {
				fmt.Fprintln(c.OutOrStdout(), change)
			}
			if len(report.Changes) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "Nothing was rotated: a successor is public already, and --now lets it sign.")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&now, "now", false, "use the new keys at once")
	c.Flags().BoolVar(&compromised, "compromised", false, "end also what the old epochs and signing keys made")
	c.Flags().BoolVar(&asJSON, "json", false, "print what happened as JSON")
	operator.add(c)
	return c
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// when is a time with its zone, "-" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04 MST")
}
