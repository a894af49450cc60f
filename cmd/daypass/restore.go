package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"daypass/internal/identity"
	"daypass/internal/operate"
	"daypass/internal/server"
)

func newRestore() *cobra.Command {
	var (
		read                   readFlags
		config, data           string
		same, asJSON, progress bool
	)
	c := &cobra.Command{
		Use:   "restore ARCHIVE --identity FILE",
		Short: "Make a data directory of a backup",
		Long: `Make a data directory of a backup, with no server on it: an empty directory, or one
that is not there. The backup is read whole and judged before anything is written;
when it is broken off, nothing is left that a server would start on.

The root key that was in use when the backup was made must be where the
configuration says (root_key_file, passphrase_file, keyring.kms, or DATA/root.key).

What was restored is a new installation: every session, refresh token, console
log-in, passcode, one-time link and import token of before is dead, and realms sign
with new keys. Passwords, second factors, long-term access keys, API keys and API
tokens work on. With --same-installation, for when the old one is gone for good, the
installation's ID and its signing keys stay, so that those who keep its key sets
notice nothing; sessions end all the same.

An archive knows nothing of what was ended after it was made: users disabled, keys
deleted and policies narrowed since then are back.`,
		Example: `  daypass restore /backups/daypass-20260102T030405Z.age --identity backup-key.txt --config /etc/daypass/config.yaml
  daypass restore backup.age --identity backup-key.txt --slots slots.age --data ./rehearsal
  daypass restore backup.age --identity backup-key.txt --config config.yaml --same-installation`,
		Args: oneArchive,
		RunE: func(c *cobra.Command, args []string) error {
			files, err := read.files(c, args[0])
			if err != nil {
				return err
			}
			of, err := server.LoadConfig(config, os.Environ(), server.Flag{Name: "--data", Key: "data", Value: data})
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			m := newMeter(c.ErrOrStderr(), progress)
			m.text = func(n int64) string { return fmt.Sprintf("%d records written", n) }
			out, err := server.Restore(ctx, server.RestoreOptions{
				Config: of, From: files, SameInstallation: same, Clock: identity.SystemClock{}, Log: server.NewLogger(of.Log, c.ErrOrStderr()),
				Wrote: func(rows int) { m.add(int64(rows) - m.n) },
			})
			m.end()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), out)
			}
			return printRestored(c.OutOrStdout(), of.Data, out)
		},
	}
	read.add(c)
	c.Flags().StringVar(&config, "config", "", "configuration `file` of the site")
	c.Flags().StringVar(&data, "data", "", "data `directory` to make (default "+server.DefaultConfig().Data+")")
	c.Flags().BoolVar(&same, "same-installation", false, "keep the installation's ID and signing keys: the old one is gone for good")
	c.Flags().BoolVar(&progress, "progress", false, "say how far it is, also when standard error is no terminal")
	c.Flags().BoolVar(&asJSON, "json", false, "print what was restored as JSON")
	return c
}

func printRestored(out io.Writer, data string, r operate.Restored) error {
	fmt.Fprintf(out, "Restored %d records of %s into %s.\n", r.Rows, r.MadeAt, data)
	if r.Installation == r.From {
		fmt.Fprintf(out, "It is the same installation, %s. Every session of before has ended.\n", r.Installation)
	} else {
		fmt.Fprintf(out, "It is a new installation, %s (it was %s). Every session of before has ended.\n", r.Installation, r.From)
	}
	if ended := tablesOf(r.Ended); len(ended) > 0 {
		fmt.Fprintf(out, "Ended: %s.\n", strings.Join(ended, ", "))
	}
	if len(r.Lost) > 0 {
		fmt.Fprintf(out, "Keys of key management without a slot, which stay away: %s.\n", strings.Join(r.Lost, ", "))
	}
	_, err := fmt.Fprintln(out, "Objects, the audit log, configuration and certificates are not in a backup: put them back yourself, then start the server.")
	return err
}
