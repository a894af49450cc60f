package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"daypass/internal/archive"
	"daypass/internal/server"
)

// readFlags name the files of a backup, and what opens them.
type readFlags struct {
	identities   []string
	slots        string
	withoutSlots bool
}

func (f *readFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVarP(&f.identities, "identity", "i", nil, "`file` of age identities (AGE-SECRET-KEY-1…); as often as there are")
	c.Flags().StringVar(&f.slots, "slots", "", "the newest slots `file` (default: "+slotsName+" beside the archive)")
	c.Flags().BoolVar(&f.withoutSlots, "without-slots", false, "give up the keys of key management that have no slot")
}

// files are those of one archive. Slots that nobody named need not be there.
func (f *readFlags) files(c *cobra.Command, archive string) (server.BackupFiles, error) {
	if len(f.identities) == 0 {
		return server.BackupFiles{}, &usageError{c.CommandPath(), errors.New("name the file of an identity that the backup was made for with --identity FILE")}
	}
	out := server.BackupFiles{Archive: archive, Slots: f.slots, WithoutSlots: f.withoutSlots}
	if out.Slots == "" {
		beside := filepath.Join(filepath.Dir(archive), slotsName)
		if _, err := os.Stat(beside); err == nil {
			out.Slots = beside
		}
	}
	var err error
	out.Identities, err = readIdentities(f.identities)
	return out, err
}

// maxIdentities bounds a file of identities.
const maxIdentities = 1 << 20

func readIdentities(paths []string) ([]age.Identity, error) {
	var out []age.Identity
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--identity: %w", err)
		}
		ids, err := age.ParseIdentities(io.LimitReader(f, maxIdentities))
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("--identity %s is no file of age identities (AGE-SECRET-KEY-1…): %w", path, err)
		}
		out = append(out, ids...)
	}
	return out, nil
}

// oneArchive is for commands that read one archive.
func oneArchive(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("name one archive, such as /backups/daypass-20260102T030405Z.age")
	}
	return nil
}

func newBackupVerify() *cobra.Command {
	var (
		flags        readFlags
		config, data string
		asJSON       bool
	)
	c := &cobra.Command{
		Use:   "verify ARCHIVE --identity FILE",
		Short: "Read a backup whole, and say whether it is good",
		Long: `Read an archive and its slots file to the end, without writing anything: that they
are whole, that every record can be read, and that the two go together. With
--config, or --data, the root key that is named there is tried too: that it opens
what is in the backup, and that the installation itself made it.`,
		Example: `  daypass backup verify /backups/daypass-20260102T030405Z.age --identity backup-key.txt
  daypass backup verify backup.age --identity backup-key.txt --slots slots.age --config /etc/daypass/config.yaml`,
		Args: oneArchive,
		RunE: func(c *cobra.Command, args []string) error {
			files, err := flags.files(c, args[0])
			if err != nil {
				return err
			}
			var of *server.Config
			var log *slog.Logger
			if config != "" || data != "" {
				loaded, err := server.LoadConfig(config, os.Environ(), server.Flag{Name: "--data", Key: "data", Value: data})
				if err != nil {
					return err
				}
				of, log = &loaded, server.NewLogger(loaded.Log, c.ErrOrStderr())
			}
			v, err := server.VerifyBackup(c.Context(), files, of, log)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), v)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintf(w, "Made\t%s by %s\n", when(v.Site.MadeAt), dash(v.Site.MadeBy))
			fmt.Fprintf(w, "Installation\t%s\n", v.Site.Installation)
			fmt.Fprintf(w, "Records\t%d in %d tables\n", v.Site.Rows, len(v.Site.Counts))
			fmt.Fprintf(w, "SHA-256\t%s\n", v.Site.SHA256)
			switch {
			case v.Slots == nil:
				fmt.Fprintln(w, "Slots\tno slots file, and no key needs one")
			case len(v.Lost) > 0:
				fmt.Fprintf(w, "Slots\tof %s; %d keys were purged since, and stay away\n", when(v.Slots.MadeAt), len(v.Lost))
			default:
				fmt.Fprintf(w, "Slots\tof %s\n", when(v.Slots.MadeAt))
			}
			if v.Sealed {
				fmt.Fprintln(w, "Root key\topens it, and the installation's seal is right")
			} else {
				fmt.Fprintln(w, "Root key\tnot tried: name it with --config or --data")
			}
			return w.Flush()
		},
	}
	flags.add(c)
	c.Flags().StringVar(&config, "config", "", "configuration `file` that names the root key")
	c.Flags().StringVar(&data, "data", "", "data `directory` that has the root key")
	c.Flags().BoolVar(&asJSON, "json", false, "print what was found as JSON")
	return c
}

// listed is an archive in a directory.
type listed struct {
	Archive string          `json:"archive"`
	Bytes   int64           `json:"bytes"`
	Header  *archive.Header `json:"header,omitempty"` // with an identity
	Error   string          `json:"error,omitempty"`
}

func newBackupList() *cobra.Command {
	var (
		flags  readFlags
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "list DIR",
		Short: "List the archives in a directory",
		Long: `List the archives in a directory, the oldest first. With --identity their first
lines are read: when and of which installation they are. Only
` + "`daypass backup verify`" + ` says whether they are whole.`,
		Example: `  daypass backup list /backups
  daypass backup list /backups --identity backup-key.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one directory of backups")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			list, err := listBackups(args[0], flags.identities)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), list)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ARCHIVE\tSIZE\tMADE\tBY\tINSTALLATION")
			for _, l := range list {
				var h archive.Header
				if l.Header != nil {
					h = *l.Header
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Archive, size(l.Bytes), when(h.MadeAt), dash(h.MadeBy), dash(strings.TrimSpace(h.Installation+" "+l.Error)))
			}
			return w.Flush()
		},
	}
	c.Flags().StringArrayVarP(&flags.identities, "identity", "i", nil, "`file` of age identities, to read what the archives say of themselves")
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return c
}

func listBackups(dir string, identities []string) ([]listed, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var ids []age.Identity
	if len(identities) > 0 {
		if ids, err = readIdentities(identities); err != nil {
			return nil, err
		}
	}
	out := []listed{}
	for _, e := range entries { // by name, and so by time
		if !strings.HasPrefix(e.Name(), archivePrefix) || !strings.HasSuffix(e.Name(), archiveSuffix) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		l := listed{Archive: e.Name(), Bytes: info.Size()}
		if ids != nil {
			h, err := readHeader(filepath.Join(dir, e.Name()), ids)
			if err != nil {
				l.Error = describe(err)
			} else {
				l.Header = &h
			}
		}
		out = append(out, l)
	}
	return out, nil
}

func readHeader(path string, ids []age.Identity) (archive.Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return archive.Header{}, err
	}
	defer f.Close()
	return archive.ReadHeader(f, ids)
}

func newBackupKeygen() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make an age identity for backups",
		Long: `Make an age identity, write it to a new file of mode 0600, and print its
recipient. The identity opens the backups: keep it away from the server, and in
more than one place. age-keygen makes the same.`,
		Example: `  daypass backup keygen backup-key.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name the new file")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			id, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return errors.New(args[0] + " is there already; name a new file")
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(f, "# created: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), id.Recipient(), id)
			if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), id.Recipient())
			return err
		},
	}
}

// sorted names of the tables in which something ended.
func tablesOf(counts map[string]int) []string {
	var out []string
	for t, n := range counts {
		out = append(out, fmt.Sprintf("%s %d", t, n))
	}
	slices.Sort(out)
	return out
}
