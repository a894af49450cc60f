package server

import (
	"errors"
	"fmt"
	"io/fs"
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
	maxPassphrase = 4096
)

// dataDir is a data directory that this process owns.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir makes the directory (0700) and locks it.
func openDataDir(path string) (*dataDir, error) {
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
	taken, err := lockFile(f)
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

// rootKey finds the key that opens all others, in the order root_key_file,
// passphrase_file, DATA/root.key; the last is made at the first start. warning
// is for the log.
func (d *dataDir) rootKey(c *Config, dev bool) (key keyring.RootKey, warning string, err error) {
	if c.PassphraseFile != "" {
		text, err := readSmall(c.PassphraseFile)
		if err != nil {
			return nil, "", err
		}
		if key, err = keyring.RootKeyFromPassphrase(identity.Secret(text)); err != nil {
			return nil, "", placed(c.PassphraseFile, err)
		}
		return key, "", nil
	}
	path := c.RootKeyFile
	if path == "" {
		path = d.file(rootKeyName)
	}
	key, inside, err := keyring.LoadRootKeyFile(path, d.path)
	if identity.KindOf(err) == identity.KindNotFound {
		if _, statErr := os.Stat(d.file(databaseName)); statErr == nil {
			return nil, "", invalid(path + " is missing, and without it nothing in " + d.path + " can be opened: put the root key back, or name it with root_key_file, or its passphrase with passphrase_file")
		}
		key, err = keyring.NewRootKeyFile(path)
		inside = c.RootKeyFile == ""
	}
	if err != nil {
		return nil, "", placed(path, err)
	}
	if inside && !dev {
		warning = "the root key lies inside the data directory, so a copy of the directory is a copy of every secret: move it and name it with root_key_file"
	}
	return key, warning, nil
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
