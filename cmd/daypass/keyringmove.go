package main

import (
	"os"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
	"daypass/internal/server"
)

func newKeyringMoveRoot() *cobra.Command {
	var from, config, data string
	c := &cobra.Command{
		Use:   "move-root",
		Short: "Move the root key of a site that is stopped to another place",
		Long: `Move the root key of a site that is stopped: to the place that its configuration
names now, which is a file, a passphrase, or a key of a key management service
(keyring.kms). Every key is sealed anew in one transaction: whenever this breaks
off, the old root key opens the site or the new one does; do it again.

--from is a configuration file that says where the root key has been until now;
only root_key_file, passphrase_file and keyring.kms count in it. Without --from it
is DATA/root.key. The way back is the same with the two files exchanged.

The old root key opens nothing of the site any more, and is not removed: copies
from before the move open with it alone.`,
		Example: `  daypass keyring move-root --from config.old.yaml --config config.yaml
  daypass keyring move-root --config config.yaml     the root key was DATA/root.key`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			to, err := server.LoadConfig(config, os.Environ(), server.Flag{Name: "--data", Key: "data", Value: data})
			if err != nil {
				return err
			}
			was, err := server.LoadConfig(from, nil) // the environment is that of the site as it is to be
			if err != nil {
				return err
			}
			return server.MoveRoot(c.Context(), server.Move{
				From: was, To: to, Clock: identity.SystemClock{}, Log: server.NewLogger(to.Log, c.ErrOrStderr()), Out: c.OutOrStdout(),
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "configuration `file` of the place where the root key is (default DATA/root.key)")
	c.Flags().StringVar(&config, "config", "", "configuration `file` of the site, which names the place where it goes")
	c.Flags().StringVar(&data, "data", "", "data `directory` (default as configured)")
	return c
}
