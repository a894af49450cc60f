package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

	"daypass/internal/awswire"
	"daypass/internal/client"
)

// processCredentials is what AWS SDKs read from a credential_process.
type processCredentials struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
	AccountID       string `json:"AccountId"`
}

func printCredentials(w io.Writer, k client.Keys) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(processCredentials{
		1, k.AccessKeyID, k.SecretAccessKey.Reveal(), k.SessionToken.Reveal(), awswire.FormatTime(k.ExpiresAt), k.AccountID,
	})
}

func newCredentialProcess() *cobra.Command {
	var (
		f      clientFlags
		window time.Duration
	)
	c := &cobra.Command{
		Use:   "credential-process",
		Short: "Print keys as AWS SDKs read them from a credential_process",
		Long: `Print session keys as one JSON object, for the line credential_process of an AWS
profile. They come from the cache, and are renewed when less than --window of their
lifetime is left. Nothing is ever asked. Any number of processes may run it at
once: one renews, the others wait.`,
		Example: `  daypass credential-process --profile lab

  # in ~/.aws/config:
  [profile lab]
  region = us-east-1
  endpoint_url = https://daypass.example.com
  credential_process = /usr/local/bin/daypass credential-process --profile lab`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, keys, err := f.keys(c, window)
			if err != nil {
				return err
			}
			return printCredentials(c.OutOrStdout(), keys)
		},
	}
	f.addKeys(c)
	c.Flags().DurationVar(&window, "window", 15*time.Minute, "renew keys of which less `time` is left; at most a third of their lifetime counts")
	return c
}
