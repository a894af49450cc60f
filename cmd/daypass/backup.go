package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"daypass/internal/operate"
)

const backupLong = `Back up the whole store of the running server, as it is at one moment, encrypted
to age recipients (age1…): only whoever has one of their identities can read it.
The server goes on working meanwhile.

DIR gets one archive per backup, daypass-TIME.age, and one file slots.age, which
takes the place of the last one: it holds what the keys of key management are
opened with, so that a key that was purged cannot come back out of an older
archive. Keep the newest slots.age, and only that one.

The root key is never in a backup: keep it apart, since without it a backup is
worth nothing. (One that a key management service keeps is in it wrapped: keep
the key there.) Not in it either: the objects in buckets, the audit log, the
configuration file, TLS certificates and what --dev keeps in files.`

func newBackup() *cobra.Command {
	var (
		operator         operatorFlags
		flags            backupFlags
		asJSON, progress bool
	)
	c := &cobra.Command{
		Use:   "backup --to DIR --recipient age1…",
		Short: "Back the site up, encrypted, from the running server",
		Long:  backupLong,
		Example: `  daypass backup keygen backup-key.txt         an identity; keep it away from the server
  daypass backup --to /backups --recipient age1…
  daypass backup --to /backups --recipients-file recipients.txt --json
  daypass backup verify /backups/daypass-20260102T030405Z.age --identity backup-key.txt`,
		Args: knownVerb,
		RunE: func(c *cobra.Command, _ []string) error {
			in, err := flags.request()
			if err != nil {
				return &usageError{c.CommandPath(), err}
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			meter := newMeter(c.ErrOrStderr(), progress)
			made, err := backUp(ctx, &operator, flags.to, in, meter)
			meter.end()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), made)
			}
			return made.print(c.OutOrStdout())
		},
	}
	c.SuggestionsMinimumDistance = 2
	f := c.Flags()
	f.StringVar(&flags.to, "to", "", "`directory` that gets the files, made with mode 0700 when it is not there")
	f.StringArrayVar(&flags.recipients, "recipient", nil, "age `recipient` (age1…) who can open the backup; as often as there are")
	f.StringVar(&flags.file, "recipients-file", "", "`file` of recipients, one a line")
	f.BoolVar(&progress, "progress", false, "say how far it is, also when standard error is no terminal")
	f.BoolVar(&asJSON, "json", false, "print what was made as JSON")
	operator.add(c)
	c.AddCommand(newBackupVerify(), newBackupList(), newBackupKeygen())
	return c
}

// backupFlags say where a backup goes and who can open it.
type backupFlags struct {
	to, file   string
	recipients []string
}

func (f *backupFlags) request() (operate.BackupRequest, error) {
	if f.to == "" {
		return operate.BackupRequest{}, errors.New("name the directory for the backup with --to DIR")
	}
	lines := f.recipients
	if f.file != "" {
		text, err := os.ReadFile(f.file)
		if err != nil {
			return operate.BackupRequest{}, fmt.Errorf("--recipients-file: %w", err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	var to []string
	for _, l := range lines {
		if l = strings.TrimSpace(l); l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		if strings.HasPrefix(l, "AGE-SECRET-KEY-") {
			return operate.BackupRequest{}, errors.New("that is an identity, which is secret: give its recipient (age1…) instead, and if it was on the command line, make a new one")
		}
		to = append(to, l)
	}
	if len(to) == 0 {
		return operate.BackupRequest{}, errors.New("name who can open the backup with --recipient age1… or --recipients-file FILE (daypass backup keygen makes an identity)")
	}
	return operate.BackupRequest{Recipients: to}, nil
}

// madeBackup is what a backup left on disk.
type madeBackup struct {
	Archive string `json:"archive"`
	Slots   string `json:"slots_file"`
	Bytes   int64  `json:"bytes"`
	operate.Backup
	NotIn []string `json:"not_in_the_backup"`
}

// notInBackup is what a backup never has.
var notInBackup = []string{
	"the root key", "objects in buckets", "audit log files", "the configuration file", "TLS certificates and keys", "files of --dev",
}

func backUp(ctx context.Context, operator *operatorFlags, to string, in operate.BackupRequest, m *meter) (madeBackup, error) {
	dir, err := openBackupDir(to)
	if err != nil {
		return madeBackup{}, err
	}
	defer dir.close()
	dir.watch = m.add
	made, err := operator.client().BackUp(ctx, in, dir)
	if err != nil {
		return madeBackup{}, err
	}
	out := madeBackup{Backup: made, NotIn: notInBackup, Slots: filepath.Join(to, slotsName)}
	out.Archive, out.Bytes, err = dir.keep(made)
	return out, err
}

func (m madeBackup) print(out io.Writer) error {
	_, err := fmt.Fprintf(out, `Archive  %s  (%s, %d records)
Slots    %s  (%d keys of key management; it took the place of the last one)
Not in it: %s.
`, m.Archive, size(m.Bytes), m.Rows, m.Slots, m.Backup.Slots, strings.Join(m.NotIn, ", "))
	return err
}

// size is a number of bytes for people.
func size(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return fmt.Sprintf("%d B", n)
	case n < unit*unit:
		return fmt.Sprintf("%.1f KiB", float64(n)/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(n)/unit/unit)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/unit/unit/unit)
}

// meter tells people on a terminal how far something is.
type meter struct {
	out  io.Writer // nil: nobody is told
	line bool      // a terminal: one line that changes
	text func(n int64) string
	n    int64
	last time.Time
	told bool
}

const meterEvery = 250 * time.Millisecond

func newMeter(out io.Writer, always bool) *meter {
	m := &meter{text: func(n int64) string { return size(n) + " written" }}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		m.out, m.line = out, true
	} else if always {
		m.out = out
	}
	return m
}

func (m *meter) add(n int64) {
	if m.n += n; m.out == nil || time.Since(m.last) < meterEvery {
		return
	}
	m.last = time.Now()
	m.tell()
}

func (m *meter) tell() {
	if m.told = true; m.line {
		fmt.Fprintf(m.out, "\r\x1b[K%s", m.text(m.n))
		return
	}
	fmt.Fprintln(m.out, m.text(m.n))
}

func (m *meter) end() {
	if m.out == nil {
		return
	}
	if m.tell(); m.line {
		fmt.Fprintln(m.out)
	}
}

// marker is the file of a backup directory that says whose it is; nothing in it
// is secret.
type marker struct {
	Installation string    `json:"installation"`
	Origins      []string  `json:"origins,omitempty"`
	MadeAt       time.Time `json:"made_at"`
	Archive      string    `json:"archive"`
}

func (m *marker) read(path string) (found bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(text, m); err != nil || m.Installation == "" {
		return false, fmt.Errorf("%s is damaged: move it away, or name another directory", path)
	}
	return true, nil
}
