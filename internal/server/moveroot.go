package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
)

// Move takes the root key of a site that does not run to another place.
type Move struct {
	// From and To say where it is and where it goes; all else is To's.
	From, To Config
	Clock    identity.Clock
	Log      *slog.Logger
	Out      io.Writer
}

// MoveRoot seals every key of the site anew under another root key, in one
// transaction: until it has committed the old root key opens the site, and after
// that the new one alone. Where the new one opens it already it says so. Nothing
// of the old one is removed. KindValidation for places that do not fit;
// KindUpstream for a key management service that refuses or is away.
func MoveRoot(ctx context.Context, m Move) (err error) {
	path, err := filepath.Abs(m.To.Data)
	if err != nil {
		return err
	}
	if !exists(filepath.Join(path, databaseName)) {
		return invalid(path + " holds no site whose root key could move: name its directory with data in the configuration, or with --data")
	}
	data, err := openDataDir(path)
	if err != nil {
		return err
	}
	defer data.close()
	if err := m.differs(data); err != nil {
		return err
	}
	c := &core{log: m.Log}
	defer func() {
		if closed := c.close(); err == nil {
			err = closed
		}
	}()
	if err := c.openStore(ctx, &m.To, data, m.Clock); err != nil {
		return err
	}
	return m.move(ctx, c, data)
}

func (m *Move) move(ctx context.Context, c *core, data *dataDir) error {
	options := keyring.Options{Clock: m.Clock, Log: m.Log}
	old, err := data.rootKey(rootSource{config: &m.From, demo: true, log: m.Log})
	if err == nil {
		c.keys, err = keyring.Open(ctx, c.db, old, options)
	}
	if err != nil {
		return m.arrived(ctx, c, data, err)
	}
	next, err := data.rootKey(rootSource{config: &m.To, mayMake: true, log: m.Log})
	if err != nil {
		return err
	}
	reseal, err := c.keys.MoveRoot(ctx, next)
	if err != nil {
		return err
	}
	operator := access.OperatorCaller(identity.RequestFacts{ID: newRequestID(), SourceIP: "local", Dialect: "server", Secure: true})
	ev := audit.Change(&operator, "daypass", "MoveRootKey", map[string]string{"from": old.Place(), "to": next.Place()})
	if _, err := c.audit.Commit(ctx, c.db, ev, reseal); err != nil {
		return err
	}
	if err := c.db.Erase(ctx); err != nil {
		m.Log.Warn("copies of what the old root key opens may be in the store's write-ahead log", "error", err)
	}
	if _, err := keyring.Open(ctx, c.db, next, options); err != nil {
		return fmt.Errorf("the root key has moved, but what should open now does not: %w", err)
	}
	_, err = fmt.Fprintf(m.Out, "The root key of %s has moved: %s opens it, and %s does no more.\nKeep the old one as long as you keep copies of the site from before: they open with it alone.\n",
		data.path, m.name(&m.To, data), m.name(&m.From, data))
	return err
}

// arrived answers a move whose old root key does not open: with success where the
// new one does, as after a move that was broken off once it was done.
func (m *Move) arrived(ctx context.Context, c *core, data *dataDir, cause error) error {
	if identity.KindOf(cause) == identity.KindValidation {
		next, err := data.rootKey(rootSource{config: &m.To, demo: true, log: m.Log})
		if err == nil {
			_, err = keyring.Open(ctx, c.db, next, keyring.Options{Clock: m.Clock, Log: m.Log})
		}
		if err == nil {
			_, err = fmt.Fprintf(m.Out, "%s opens %s already: nothing was moved.\n", m.name(&m.To, data), data.path)
			return err
		}
	}
	return &identity.Error{
		Kind: identity.KindOf(cause), Op: "server.move", Err: cause,
		Public: "the root key that is in use is not where --from says (" + m.name(&m.From, data) + "): " + publicOf(cause),
	}
}

// differs refuses a move to the place where the root key is.
func (m *Move) differs(data *dataDir) error {
	if m.From.Keyring.KMS.URL != "" || m.To.Keyring.KMS.URL != "" || (m.From.PassphraseFile == "") != (m.To.PassphraseFile == "") {
		return nil // the same key of a service wraps another root key
	}
	from, to := m.name(&m.From, data), m.name(&m.To, data)
	a, errA := os.Stat(from)
	b, errB := os.Stat(to)
	if from == to || errA == nil && errB == nil && os.SameFile(a, b) {
		return invalid("the root key is to move from " + from + " to " + to + ", which is the same: name the place where it is with --from, and configure the one where it goes")
	}
	return nil
}

// name is a place for people.
func (m *Move) name(c *Config, data *dataDir) string {
	switch {
	case c.Keyring.KMS.URL != "":
		return "key " + c.Keyring.KMS.Key + " at " + c.Keyring.KMS.URL
	case c.PassphraseFile != "":
		return c.PassphraseFile
	}
	return data.rootKeyPath(c)
}
