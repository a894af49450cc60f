package keyring

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/crypto/argon2"

	"daypass/internal/identity"
)

// RootKey opens all other keys. It is never in the store and never in a backup,
// unless wrapped by a key that is elsewhere.
type RootKey interface {
	// New returns what seals the key sets of an installation that begins with
	// this root key, and what the store is to keep of it, "" for nothing.
	New(ctx context.Context, salt []byte) (seals tink.AEAD, wrapped string, err error)
	// Open returns what seals the key sets of an installation, and what the store
	// is to keep from now on: kept.Wrapped, or what has taken its place.
	Open(ctx context.Context, kept Kept) (seals tink.AEAD, wrapped string, err error)
	// Place says in some words where the root key is.
	Place() string
}

// Kept is what the store keeps about the root key, in the clear.
type Kept struct {
	// Salt is 16 random bytes, made once per root key.
	Salt []byte
	// Wrapped is the root key itself, wrapped by a key that is elsewhere; "" for
	// one that is not.
	Wrapped string
}

// RootKeyBytes is the size of a root key kept in a file.
const RootKeyBytes = 32

type secretRoot [RootKeyBytes]byte

// seals derives what seals the key sets.
func (r *secretRoot) seals(salt []byte) (tink.AEAD, error) {
	key, err := hkdf.Key(sha256.New, r[:], salt, "daypass root key", 32)
	if err != nil {
		return nil, internal("keyring.root", err)
	}
	return NewXAES(key)
}

func (r *secretRoot) New(_ context.Context, salt []byte) (tink.AEAD, string, error) {
	a, err := r.seals(salt)
	return a, "", err
}

func (r *secretRoot) Open(_ context.Context, kept Kept) (tink.AEAD, string, error) {
	return openUnwrapped(r.seals, kept)
}

func (r *secretRoot) Place() string { return "file" }

// openUnwrapped opens a root key of which the store keeps nothing but its salt.
func openUnwrapped(seals func(salt []byte) (tink.AEAD, error), kept Kept) (tink.AEAD, string, error) {
	if kept.Wrapped != "" {
		return nil, "", invalid("keyring.root", "The root key of this installation is kept in a key management service, and the configuration names another place.")
	}
	a, err := seals(kept.Salt)
	return a, "", err
}

// NewRootKey makes a root key of 32 secret bytes.
func NewRootKey(secret []byte) (RootKey, error) {
	if len(secret) != RootKeyBytes {
		return nil, invalid("keyring.root", fmt.Sprintf("A root key has %d bytes, not %d.", RootKeyBytes, len(secret)))
	}
	return (*secretRoot)(secret), nil
}

// NewRootKeyFile writes a new random root key to a file of mode 0600, as one
// line of base64, and returns it. KindAlreadyExists when the file is there.
func NewRootKeyFile(path string) (RootKey, error) {
	secret := new(secretRoot)
	rand.Read(secret[:])
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, &identity.Error{Kind: identity.KindAlreadyExists, Op: "keyring.root", Public: "The root key file exists already.", Err: err}
	}
	if err != nil {
		return nil, internal("keyring.root", err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(secret[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(internal("keyring.root", err), os.Remove(path))
	}
	// Its name must be on disk too before anything is sealed under it.
	dir, err := os.Open(filepath.Dir(path))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil {
		return nil, errors.Join(internal("keyring.root", err), os.Remove(path))
	}
	return secret, nil
}

// LoadRootKeyFile reads what NewRootKeyFile wrote. A file that group or others
// may read is refused. inside reports that the file lies in dataDir, where
// whoever copies the data copies the key too: the caller warns. KindNotFound
// when there is no file, KindValidation when it is not fit.
func LoadRootKeyFile(path, dataDir string) (key RootKey, inside bool, err error) {
	const op = "keyring.root"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, false, &identity.Error{Kind: identity.KindNotFound, Op: op, Public: "There is no root key file.", Err: err}
	case err != nil:
		return nil, false, internal(op, err)
	case !info.Mode().IsRegular() || info.Size() > 1024:
		return nil, false, invalid(op, "The root key file is not a small regular file.")
	case info.Mode().Perm()&0o077 != 0:
		return nil, false, invalid(op, fmt.Sprintf("The root key file has mode %04o; it must be 0600.", info.Mode().Perm()))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false, internal(op, err)
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, false, invalid(op, "The root key file does not hold one line of base64.")
	}
	key, err = NewRootKey(secret)
	return key, insideDir(path, dataDir), err
}

// insideDir resolves links: a link out of the data directory is outside.
func insideDir(path, dir string) bool {
	if dir == "" {
		return false
	}
	real := func(p string) string {
		if r, err := filepath.EvalSymlinks(p); err == nil {
			p = r
		}
		if a, err := filepath.Abs(p); err == nil {
			p = a
		}
		return p
	}
	rel, err := filepath.Rel(real(dir), real(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Cost of a passphrase: RFC 9106 §4, the second recommended option.
const (
	passTime      = 3
	passMemoryKiB = 64 << 10
	passThreads   = 4
)

type passphraseRoot struct{ passphrase identity.Secret }

func (r passphraseRoot) seals(salt []byte) (tink.AEAD, error) {
	secret := secretRoot(argon2.IDKey([]byte(r.passphrase.Reveal()), salt, passTime, passMemoryKiB, passThreads, RootKeyBytes))
	return secret.seals(salt)
}

func (r passphraseRoot) New(_ context.Context, salt []byte) (tink.AEAD, string, error) {
	a, err := r.seals(salt)
	return a, "", err
}

func (r passphraseRoot) Open(_ context.Context, kept Kept) (tink.AEAD, string, error) {
	return openUnwrapped(r.seals, kept)
}

func (r passphraseRoot) Place() string { return "passphrase" }

// RootKeyFromPassphrase stretches a passphrase through argon2id with the salt
// of the installation. KindValidation below 12 characters.
func RootKeyFromPassphrase(passphrase identity.Secret) (RootKey, error) {
	if len([]rune(passphrase.Reveal())) < 12 {
		return nil, invalid("keyring.root", "The passphrase of the root key has fewer than 12 characters.")
	}
	return passphraseRoot{passphrase}, nil
}

func internal(op string, err error) error {
	return &identity.Error{Kind: identity.KindInternal, Op: op, Err: err}
}

func invalid(op, public string) error {
	return &identity.Error{Kind: identity.KindValidation, Op: op, Public: public}
}

func unavailable(op string, err error) error {
	return &identity.Error{Kind: identity.KindUnavailable, Op: op, Err: err, RetryAfterSeconds: 1}
}
