package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/operate"
	"daypass/internal/store/sqlite"
)

// BackupFiles are the files of a backup on disk.
type BackupFiles struct {
	Archive string
	Slots   string // "" for none
	// Identities open them.
	Identities []age.Identity
	// WithoutSlots gives up the keys of key management that have no slot.
	WithoutSlots bool
}

func (f BackupFiles) source(root keyring.RootKey) operate.BackupSource {
	open := func(path string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) {
			in, err := os.Open(path)
			if err != nil {
				return nil, invalid(path + " cannot be read: " + bare(err))
			}
			return in, nil
		}
	}
	out := operate.BackupSource{Site: open(f.Archive), Identities: f.Identities, Root: root, WithoutSlots: f.WithoutSlots}
	if f.Slots != "" {
		out.Slots = open(f.Slots)
	}
	return out
}

// VerifyBackup judges a backup and writes nothing. With a configuration the root
// key that it names must open what is in it, too.
func VerifyBackup(ctx context.Context, files BackupFiles, config *Config, log *slog.Logger) (*operate.Verified, error) {
	if config == nil {
		return operate.VerifyBackup(ctx, files.source(nil))
	}
	root, err := (&dataDir{path: config.Data}).backupRootKey(config, log)
	if err != nil {
		return nil, err
	}
	v, err := operate.VerifyBackup(ctx, files.source(root))
	return v, ofBackup(err)
}

// RestoreOptions are what Restore needs.
type RestoreOptions struct {
	Config           Config
	From             BackupFiles
	SameInstallation bool
	Clock            identity.Clock
	Log              *slog.Logger
	// Wrote is told how many rows are written; nil for nobody.
	Wrote func(rows int)
}

// besides are what may be in a data directory that is restored into: none of it
// is the store's.
var besides = []string{lockName, rootKeyName, restoringName, auditName, "objects", "meta-objects", "lost+found"}

// Restore makes a data directory of a backup. All of it is written in a folder
// inside, which a server refuses, and the store is renamed into its place at the
// end, in one step. KindValidation when the directory is not empty, the root key
// is missing or another one, or the backup is not fit.
func Restore(ctx context.Context, o RestoreOptions) (operate.Restored, error) {
	data, err := lockDataDir(o.Config.Data)
	if err != nil {
		return operate.Restored{}, err
	}
	defer data.close()
	if err := data.empty(); err != nil {
		return operate.Restored{}, err
	}
	root, err := data.backupRootKey(&o.Config, o.Log)
	if err != nil {
		return operate.Restored{}, err
	}
	// One that was broken off left nothing of use.
	if err := os.RemoveAll(data.file(restoringName)); err != nil {
		return operate.Restored{}, unusable(data.path, err)
	}
	out, err := data.restore(ctx, o, root)
	if err != nil {
		return operate.Restored{}, errors.Join(ofBackup(err), os.RemoveAll(data.file(restoringName)))
	}
	return out, data.settleRestored()
}

// empty refuses a directory that holds a store, or anything that is not ours.
func (d *dataDir) empty() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return unusable(d.path, err)
	}
	var found []string
	for _, e := range entries {
		if !slices.Contains(besides, e.Name()) {
			found = append(found, e.Name())
		}
	}
	if len(found) > 0 {
		return invalid("a backup is restored into an empty data directory, and " + d.path + " holds " + strings.Join(found[:min(len(found), 5)], ", ") +
			": move what is there away, or name another directory with --data")
	}
	return nil
}

// backupRootKey is rootKey, and makes none.
func (d *dataDir) backupRootKey(c *Config, log *slog.Logger) (keyring.RootKey, error) {
	if c.Keyring.KMS.URL == "" && c.PassphraseFile == "" && !exists(d.rootKeyPath(c)) {
		return nil, invalid("the root key is not part of a backup, and " + d.rootKeyPath(c) +
			" is missing: put back the one that was in use when the backup was made, or name where it is: root_key_file, passphrase_file or keyring.kms")
	}
	return d.rootKey(rootSource{config: c, demo: true, log: log})
}

// ofBackup says whose keys a root key does not open.
func ofBackup(err error) error {
	if e := (*identity.Error)(nil); errors.As(err, &e) && e.Op == "keyring.open" && e.Kind == identity.KindValidation {
		return &identity.Error{Kind: e.Kind, Op: "server.restore", Err: err, Public: "the root key does not open the keys in the backup: name the root key or passphrase that was in use when it was made, or the key management service (keyring.kms)"}
	}
	return err
}

func (d *dataDir) restore(ctx context.Context, o RestoreOptions, root keyring.RootKey) (operate.Restored, error) {
	path := d.file(restoringName)
	engine, err := sqlite.Open(ctx, filepath.Join(path, databaseName), sqlite.Options{})
	if err != nil {
		return operate.Restored{}, unusable(d.path, err)
	}
	defer engine.Close()
	// The event stays in the store, too: the server delivers it at its start.
	log, err := audit.Open(audit.Config{Dir: filepath.Join(path, auditName), Region: o.Config.Region, Clock: o.Clock, Logger: o.Log})
	if err != nil {
		return operate.Restored{}, err
	}
	defer log.Close()
	operator := access.OperatorCaller(identity.RequestFacts{ID: newRequestID(), SourceIP: "local", Dialect: "restore", Secure: true})
	return operate.Restore(ctx, &operator, operate.RestoreOptions{
		From: o.From.source(root), Engine: engine, Audit: log, Clock: o.Clock, Log: o.Log, SameInstallation: o.SameInstallation, Wrote: o.Wrote,
	})
}

// settleRestored puts the store into its place.
func (d *dataDir) settleRestored() error {
	made := filepath.Join(d.file(restoringName), databaseName)
	if exists(made + "-wal") { // the last to close it writes it back
		return errors.New("the restored store was not closed cleanly")
	}
	if err := SyncFile(made); err != nil {
		return err
	}
	if err := os.Rename(made, d.file(databaseName)); err != nil {
		return err
	}
	return errors.Join(SyncFile(d.path), os.RemoveAll(d.file(restoringName)), SyncFile(d.path))
}

// SyncFile brings a file, or the names in a directory, to disk.
func SyncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
