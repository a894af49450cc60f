package client

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zalando/go-keyring"

	"daypass/internal/identity"
)

// Backends of the store.
const (
	BackendKeyring = "keyring" // the desktop's: Secret Service, Keychain, Credential Manager
	BackendFile    = "file"    // a file that its owner alone may read
	BackendAge     = "age"     // a file sealed by a passphrase
)

// Backends lists the names of the backends.
func Backends() []string { return []string{BackendKeyring, BackendFile, BackendAge} }

// StoreOptions say where sessions are kept.
type StoreOptions struct {
	// Dir is the folder of sessions and locks.
	Dir string
	// Backend is one of Backends; "" for the one that this machine remembers,
	// else the keyring if there is one, else files.
	Backend string
	// Remember makes a named Backend the one of this machine, once it has kept a
	// session.
	Remember bool
	// Passphrase yields the passphrase of BackendAge, "" for none.
	Passphrase func() (identity.Secret, error)
	// Notice tells people what they should know.
	Notice func(string)
}

// backend keeps one text per profile. get returns nil where there is none.
type backend interface {
	get(profile string) ([]byte, error)
	put(profile string, data []byte) error
	remove(profile string) error
}

// Store keeps sessions.
type Store struct {
	options StoreOptions
	name    string // of the backend
	chosen  bool   // by a flag or variable: no falling back
	backend backend
}

// rememberedFile names the backend of this machine, once it is known.
const rememberedFile = "backend"

// OpenStore opens the store. It fails with KindValidation for a backend that
// does not exist and for a folder that cannot be made.
func OpenStore(o StoreOptions) (*Store, error) {
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, unreadable(err)
	}
	if repaired, err := private(o.Dir, 0o700); err != nil {
		return nil, unreadable(err)
	} else if repaired {
		o.Notice("others had access to " + o.Dir + ": its mode is 0700 now")
	}
	s := &Store{options: o, chosen: o.Backend != ""}
	s.use(cmp.Or(o.Backend, s.remembered(), BackendKeyring))
	if s.backend == nil {
		return nil, identity.NewError(identity.KindValidation, "client.store",
			fmt.Sprintf("there is no backend %q: name one of %s", o.Backend, strings.Join(Backends(), ", ")))
	}
	return s, nil
}

func (s *Store) use(name string) {
	s.name = name
	switch name {
	case BackendKeyring:
		s.backend = keyringBackend{}
	case BackendFile:
		s.backend = &fileBackend{dir: s.options.Dir, notice: s.options.Notice}
	case BackendAge:
		s.backend = &ageBackend{files: fileBackend{dir: s.options.Dir, suffix: ".age", notice: s.options.Notice}, passphrase: s.options.Passphrase}
	}
}

// Backend is the name of the backend in use.
func (s *Store) Backend() string { return s.name }

func (s *Store) remembered() string {
	data, err := os.ReadFile(filepath.Join(s.options.Dir, rememberedFile))
	name := strings.TrimSpace(string(data))
	if err != nil || !slices.Contains(Backends(), name) {
		return ""
	}
	return name
}

func (s *Store) remember() error {
	if s.remembered() == s.name {
		return nil
	}
	if err := writeFile(filepath.Join(s.options.Dir, rememberedFile), []byte(s.name+"\n"), 0o600); err != nil {
		return unreadable(err)
	}
	return nil
}

// fallBack leaves a keyring that nobody chose for files, says so, and remembers
// it, so that it is said once.
func (s *Store) fallBack(cause error) bool {
	worked := s.remembered() == BackendKeyring && !errors.Is(cause, keyring.ErrSetDataTooBig)
	if s.chosen || s.name != BackendKeyring || worked {
		return false
	}
	next, what := BackendFile, "a file that only you may read"
	if p, err := s.passphrase(); err == nil && p != "" {
		next, what = BackendAge, "a file sealed by your passphrase"
	}
	s.use(next)
	if err := s.remember(); err != nil {
		return false
	}
	s.options.Notice(fmt.Sprintf("no keyring here (%v): sessions are kept in %s, below %s; --backend or DAYPASS_KEYRING chooses another place", cause, what, s.options.Dir))
	return true
}

func (s *Store) passphrase() (identity.Secret, error) {
	if s.options.Passphrase == nil {
		return "", nil
	}
	return s.options.Passphrase()
}

// Get returns the session of a profile, an empty one where there is none.
func (s *Store) Get(profile string) (*Session, error) {
	data, err := s.backend.get(profile)
	if err != nil && s.fallBack(err) {
		data, err = s.backend.get(profile)
	}
	if err != nil {
		return nil, s.failed("read", err)
	}
	return decodeSession(data), nil
}

// Put replaces the session of a profile.
func (s *Store) Put(profile string, session *Session) error {
	data, err := session.encode()
	if err != nil {
		return err
	}
	err = s.backend.put(profile, data)
	if err != nil && s.fallBack(err) {
		err = s.backend.put(profile, data)
	}
	if err != nil {
		return s.failed("written", err)
	}
	// A keyring that works is remembered, so that no later failure moves sessions
	// elsewhere.
	if s.options.Remember || s.name == BackendKeyring {
		return s.remember()
	}
	return nil
}

// Remove forgets the session of a profile.
func (s *Store) Remove(profile string) error {
	err := s.backend.remove(profile)
	if err != nil && s.fallBack(err) {
		err = s.backend.remove(profile)
	}
	if err != nil {
		return s.failed("removed", err)
	}
	return nil
}

func (s *Store) failed(what string, err error) error {
	var known *identity.Error
	if errors.As(err, &known) {
		return err
	}
	return &identity.Error{
		Kind: identity.KindUnavailable, Op: "client.store", Err: err,
		Public: fmt.Sprintf("the session cannot be %s (%s): %v; --backend file keeps sessions in files", what, s.name, err),
	}
}

// Lock waits until no other process renews the session of a profile.
func (s *Store) Lock(profile string) (unlock func(), err error) {
	unlock, err = lock(filepath.Join(s.options.Dir, profile+".lock"))
	if err != nil {
		return nil, unreadable(err)
	}
	return unlock, nil
}

// fileBackend keeps a file per profile.
type fileBackend struct {
	dir, suffix string
	notice      func(string)
}

func (b *fileBackend) path(profile string) string {
	return filepath.Join(b.dir, profile+cmp.Or(b.suffix, ".json"))
}

func (b *fileBackend) get(profile string) ([]byte, error) {
	path := b.path(profile)
	repaired, err := private(path, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if repaired {
		b.notice("others had access to " + path + ": its mode is 0600 now; if they may have read it, run: " + LoginCommand(profile) + " --force")
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (b *fileBackend) put(profile string, data []byte) error {
	return writeFile(b.path(profile), data, 0o600)
}

func (b *fileBackend) remove(profile string) error { return removeIfThere(b.path(profile)) }
