package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"daypass/internal/identity"
	"daypass/internal/keyring"
)

// Names in the data directory.
const (
	lockName      = "lock"
	databaseName  = "daypass.db"
	rootKeyName   = "root.key"
	auditName     = "audit"
	tlsName       = "tls"
	credsName     = "dev-credentials.json"
	restoringName = "restoring"
	maxPassphrase = 4096
)

// dataDir is a data directory that this process owns.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir makes the directory (0700) and locks it. One in which a restore was
// broken off is refused.
func openDataDir(path string) (*dataDir, error) {
	d, err := lockDataDir(path)
	if err != nil || !exists(d.file(restoringName)) {
		return d, err
	}
	if !exists(d.file(databaseName)) {
		d.close()
		return nil, invalid("a restore into " + d.path + " was broken off: run daypass restore again, or remove " + d.file(restoringName) + " to begin anew")
	}
	if err := os.RemoveAll(d.file(restoringName)); err != nil { // it was broken off behind its last step
		d.close()
		return nil, unusable(d.path, err)
	}
	return d, nil
}

// lockDataDir is openDataDir, whatever the directory holds.
func lockDataDir(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unusable(path, err)
	}
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(path, err)
	}
	taken, err := LockFile(f)
	if err == nil && !taken {
		err = invalid("another server runs on " + path + ": stop it, or use another directory with --data")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &dataDir{path, f}, nil
}

func unusable(path string, err error) error {
	return &identity.Error{
		Kind: identity.KindValidation, Op: "server.data", Err: err,
		Public: "the data directory " + path + " cannot be used: " + bare(err) + "; name another one with --data, or let this user write there",
	}
}

func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

func (d *dataDir) close() error { return d.lock.Close() }

// open reports whether group or others may enter the directory.
func (d *dataDir) open() bool {
	info, err := os.Stat(d.path)
	return err == nil && info.Mode().Perm()&0o077 != 0
}

// rootSource is where to look for the root key, and what may be done for it.
type rootSource struct {
	config *Config
	// mayMake says that a file that is not there is made though there is a store.
	mayMake bool
	demo    bool
	own     []netip.AddrPort // our listeners
	log     *slog.Logger
}

// rootKey finds the key that opens all others, in the order keyring.kms,
// passphrase_file, root_key_file, DATA/root.key; a file is made at the first start.
func (d *dataDir) rootKey(from rootSource) (keyring.RootKey, error) {
	c := from.config
	if c.Keyring.KMS.URL != "" {
		return c.Keyring.KMS.open(from.own, from.log)
	}
	if c.PassphraseFile != "" {
		text, err := readSmall(c.PassphraseFile)
		if err != nil {
			return nil, err
		}
		key, err := keyring.RootKeyFromPassphrase(identity.Secret(text))
		if err != nil {
			return nil, placed(c.PassphraseFile, err)
		}
		return key, nil
	}
	path := d.rootKeyPath(c)
	key, inside, err := keyring.LoadRootKeyFile(path, d.path)
	if identity.KindOf(err) == identity.KindNotFound {
		if !from.mayMake && exists(d.file(databaseName)) {
			return nil, invalid(path + " is missing, and without it nothing in " + d.path + " can be opened: put the root key back, or name where it is: root_key_file, passphrase_file or keyring.kms")
		}
		key, err = keyring.NewRootKeyFile(path)
		inside = c.RootKeyFile == ""
	}
	if err != nil {
		return nil, placed(path, err)
	}
	if inside && !from.demo {
		from.log.Warn("the root key lies inside the data directory, so a copy of the directory is a copy of every secret: move it and name it with root_key_file")
	}
	return key, nil
}

func (d *dataDir) rootKeyPath(c *Config) string {
	if c.RootKeyFile != "" {
		return c.RootKeyFile
	}
	return d.file(rootKeyName)
}

// placed puts the file's name before what people read of an error.
func placed(path string, err error) error {
	e := identity.AsError(err)
	text := e.Public
	if text == "" {
		text = err.Error()
	}
	return &identity.Error{Kind: e.Kind, Op: "server.data", Public: path + ": " + text, Err: err}
}

// readSmall reads a file of a few bytes, without its final newline.
func readSmall(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", invalid(fmt.Sprintf("%s has mode %04o; it must be 0600: chmod 600 %s", path, info.Mode().Perm(), path))
	}
	if !info.Mode().IsRegular() || info.Size() > maxPassphrase {
		return "", invalid(path + " is not a small regular file")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
		text = text[:len(text)-1]
	}
	return string(text), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
