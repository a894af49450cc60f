package main

import (
	"errors"

	"github.com/spf13/cobra"

	"daypass/internal/client"
	"daypass/internal/identity"
)

func newAPIKeyReportLeaked() *cobra.Command {
	var (
		f    ibmFlags
		file string
	)
	c := &cobra.Command{
		Use:   "api-key-report-leaked",
		Short: "Report an API key that was seen where it should not have been",
		Long: `Report an API key that was seen where it should not have been. Whatever the key says
for that case is done at once: it is disabled, which ends what was obtained with it,
or deleted, or nothing is done. The key is asked for, or stands in a file of either form
that IBM's command line writes, or alone; it never stands on the command line.

It needs the right to report keys, or a log-in with the key itself.`,
		Example: `  daypass iam api-key-report-leaked
  daypass iam api-key-report-leaked --file found.txt
  daypass iam api-key-report-leaked --file - --output JSON < found.json`,
		Args: noArgs,
		RunE: f.serve(func(v *ibmVerb, _ []string) error {
			key, err := leakedKey(v.c, file)
			if err != nil {
				return err
			}
			user, account, err := v.who()
			if err != nil {
				return err
			}
			v.doing("Reporting an API key as leaked under %s as %s...", account, user)
			done, err := v.keeper.ReportLeakedIBMAPIKey(v.c.Context(), key)
			if err != nil {
				return err
			}
			return v.leaked(&done)
		}),
	}
	f.add(c)
	c.Flags().StringVar(&file, "file", "", "read the key from this `file`; - for standard input")
	return c
}

// leakedKey is the key that was found: in a file, or typed.
func leakedKey(c *cobra.Command, file string) (identity.Secret, error) {
	switch {
	case file == "" && !interactive():
		return "", &usageError{c.CommandPath(), errors.New("there is no terminal to ask on for the key: give --file FILE, or --file - and the key on standard input")}
	case file == "":
		return askHidden(c, "API key > ")
	}
	text, err := wholeSecret(c, file)
	if err != nil {
		return "", err
	}
	name := file
	if file == "-" {
		name = "standard input"
	}
	return keyOf(text, name)
}

// leaked says what was made of a key that was reported.
func (v *ibmVerb) leaked(key *client.IBMAPIKey) error {
	if v.asJSON {
		return v.json(key)
	}
	done := map[string]string{"disable": "was disabled", "delete": "was deleted"}[key.ActionWhenLeaked]
	if done == "" {
		done = "was reported, and still logs in: that is what it says for this case"
	}
	v.ok()
	v.say("API key %s (%s) of %s %s", cell(key.Name), cell(key.ID), cell(key.IAMID), done)
	return nil
}
