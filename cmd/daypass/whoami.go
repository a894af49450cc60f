package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/client"
)

// whoami is the answer as --json prints it.
type whoami struct {
	Profile  string `json:"profile"`
	Endpoint string `json:"endpoint"`
	client.Identity
	Kind        string    `json:"kind"`
	ExpiresAt   time.Time `json:"expires_at"`
	SecondsLeft int64     `json:"seconds_left"`
}

func newWhoami() *cobra.Command {
	var (
		f      clientFlags
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "whoami",
		Short: "Ask the server who the keys belong to",
		Long: `Ask the server who the profile's keys belong to (STS GetCallerIdentity). Keys
that are about to expire are renewed first.`,
		Example: `  daypass whoami
  daypass whoami --profile lab --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, err := f.keeper(c)
			if err != nil {
				return err
			}
			keys, err := k.Keys(c.Context(), client.RenewalWindow)
			if err != nil {
				return err
			}
			id, err := k.WhoAmI(c.Context(), keys)
			if err != nil {
				return err
			}
			p := k.Profile()
			if asJSON {
				return printJSON(c.OutOrStdout(), whoami{p.Name, p.Endpoint, id, kindOf(id.ARN), keys.ExpiresAt, int64(time.Until(keys.ExpiresAt) / time.Second)})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "principal  %s\naccount    %s\nuser ID    %s\nkind       %s, temporary\nexpires    %s\nendpoint   %s (profile %s)\n",
				id.ARN, id.AccountID, id.UserID, strings.ReplaceAll(kindOf(id.ARN), "-", " "), until(keys.ExpiresAt), p.Endpoint, p.Name)
			return err
		},
	}
	f.addKeys(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return c
}

// kindOf is the kind of principal that an ARN names.
func kindOf(arn string) string {
	resource := arn[strings.LastIndexByte(arn, ':')+1:]
	kind, _, _ := strings.Cut(resource, "/")
	if kind == "assumed-role" {
		return "role-session"
	}
	return kind
}
