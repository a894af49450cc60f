package keyring

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/sync/singleflight"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Options of a Keyring; zero values take the defaults.
type Options struct {
	Clock identity.Clock
	Log   *slog.Logger
	// EpochAge is how long an epoch mints before the next one takes over (24 h).
	EpochAge time.Duration
	// Lead is how long epochs and key sets are known to all nodes before they
	// are used (5 min).
	Lead time.Duration
	// SigningAge is how long a signing key signs (90 days).
	SigningAge time.Duration
	// KeySetAge is how long the at-rest and box keys are used (1 year). Hash
	// keys change only on demand: each live version costs a look-up.
	KeySetAge time.Duration
	// JWKSMaxAge is the Cache-Control max-age under which JWKS are served (1 h).
	JWKSMaxAge time.Duration
	// Acknowledged reports whether every live node has seen what was committed
	// at a time; a signing key does not sign before. Nil: there is one node.
	Acknowledged func(ctx context.Context, committed time.Time) bool
	// RSAQueue is how many RSA signings may wait for a processor (64 per
	// processor).
	RSAQueue int
	// NewRSA makes RSA keys of 2048 bits: rsa.GenerateKey when nil. Tests make
	// few and use them again.
	NewRSA func() (*rsa.PrivateKey, error)
	// Columns are further sealed columns, besides those of package store, that
	// Tick re-encrypts after the at-rest keys rotated.
	Columns []Column
}

// PublishMargin is added to JWKSMaxAge before a published key signs, and to the
// longest token life before a retired key vanishes.
const PublishMargin = 10 * time.Minute

func (o *Options) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.EpochAge, 24*time.Hour)
	def(&o.Lead, 5*time.Minute)
	def(&o.SigningAge, 90*24*time.Hour)
	def(&o.KeySetAge, 365*24*time.Hour)
	def(&o.JWKSMaxAge, time.Hour)
	if o.Clock == nil {
		o.Clock = identity.SystemClock{}
	}
	if o.NewRSA == nil {
		o.NewRSA = func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Keyring gives out our own keys. Its methods are safe for many goroutines and,
// but for those that take a context, touch no database.
type Keyring struct {
	db      *store.DB
	rootKey RootKey
	root    tink.AEAD // what the root key seals by
	opt     Options
	clock   identity.Clock
	gate    *gate

	state  atomic.Pointer[state]
	mu     sync.Mutex // held while state is replaced
	flight singleflight.Group
	absent absent
	specs  wanted
	reseal resealing
}

// MetaInstallation is the fact of the meta table without which there is no
// keyring: the installation's ID.
const MetaInstallation = metaInstallation

// Names of the facts in the meta table.
const (
	metaInstallation = "installation"
	metaRootSalt     = "root-key-salt"
	metaRootWrapped  = "root-key-wrapped"
)

// Open loads the keyring of an installation, or makes it at the first start:
// installation ID, key sets and the first epoch, in one transaction. When two
// nodes start at once one of them wins and both use its keys. KindValidation
// when the root key does not open the keys that are there.
func Open(ctx context.Context, db *store.DB, root RootKey, opt Options) (*Keyring, error) {
	opt.defaults()
	k := &Keyring{db: db, rootKey: root, opt: opt, clock: opt.Clock, gate: newGate(opt.RSAQueue)}
	if _, err := store.Metas.Get(db.Snapshot(), metaInstallation); identity.KindOf(err) == identity.KindNotFound {
		if err := k.bootstrap(ctx); err != nil {
			return nil, err
		}
	}
	if err := k.openRoot(ctx); err != nil {
		return nil, err
	}
	err := db.View(ctx, func(r store.Reader) error {
		st, err := k.load(r, nil, true)
		if err == nil {
			k.state.Store(st)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	db.OnChange(func(_ *store.Snapshot, tables map[string]bool) {
		if tables[store.KeySets.Name()] || tables[store.Epochs.Name()] || tables[store.SigningKeys.Name()] || tables[store.Metas.Name()] {
			k.refresh()
		}
	})
	k.refresh()
	return k, nil
}

// bootstrap writes the rows of a new installation unless another node did.
func (k *Keyring) bootstrap(ctx context.Context) error {
	aead, rootMetas, err := beginRoot(ctx, k.rootKey)
	if err != nil {
		return err
	}
	now := k.now()
	var sets []*store.KeySet
	for set := range keySetTemplates {
		row, err := newKeySet(aead, set, 1, now, now)
		if err != nil {
			return err
		}
		sets = append(sets, row)
	}
	epoch, err := newEpochRow(aead, 1, now, now)
	if err != nil {
		return err
	}
	metas := append(rootMetas, &store.Meta{Name: metaInstallation, Value: newInstallationID()})
	_, err = k.db.Update(ctx, func(tx store.Tx) error {
		if _, err := store.Metas.Get(tx, metaInstallation); identity.KindOf(err) != identity.KindNotFound {
			return err
		}
		for _, m := range metas {
			if err := store.Metas.Insert(tx, m); err != nil {
				return err
			}
		}
		for _, s := range sets {
			if err := store.KeySets.Insert(tx, s); err != nil {
				return err
			}
		}
		return store.Epochs.Insert(tx, epoch)
	})
	return err
}

func newInstallationID() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Installation is the ID of this installation; a restored one has another.
func (k *Keyring) Installation() string { return k.state.Load().installation }

func (k *Keyring) now() time.Time { return k.clock.Now().UTC().Round(0) }

// state is everything opened; it is replaced as a whole and never changed.
type state struct {
	installation string
	sets         map[string]versions
	epochs       map[uint32]*Epoch
	minting      []*Epoch // with key, highest number first
	maxEpoch     uint32
	keys         map[string]*signingKey // by row key
	issuers      map[string]*signingSet
}

// load opens what r holds, taking over from prev what did not change. Rows that
// do not open are left out and logged, for one damaged row must not stop the
// rest; but strict fails on a key set, which tells a wrong root key.
func (k *Keyring) load(r store.Reader, prev *state, strict bool) (*state, error) {
	if prev == nil {
		prev = &state{}
	}
	m, err := store.Metas.Get(r, metaInstallation)
	if err != nil {
		return nil, err
	}
	st := &state{installation: m.Value, sets: map[string]versions{}}
	if err := k.loadKeySets(r, prev, st, strict); err != nil {
		return nil, err
	}
	if err := k.loadEpochs(r, prev, st); err != nil {
		return nil, err
	}
	if err := k.loadSigning(r, prev, st); err != nil {
		return nil, err
	}
	for set := range keySetTemplates {
		if len(st.sets[set]) == 0 {
			return nil, internal("keyring.load", fmt.Errorf("no key set %q", set))
		}
	}
	return st, nil
}

func (k *Keyring) damaged(what string, err error) {
	k.opt.Log.Error("key does not open", "key", what, "error", err)
}

// refresh follows the node's snapshot. It asks for the newest one itself, so
// that two calls at once cannot leave the older in place.
func (k *Keyring) refresh() {
	k.mu.Lock()
	defer k.mu.Unlock()
	st, err := k.load(k.db.Snapshot(), k.state.Load(), false)
	if err != nil {
		k.opt.Log.Error("keyring not refreshed", "error", err)
		return
	}
	k.absent.clear()
	k.state.Store(st)
}

// update commits and follows at once: whoever wrote sees the new keys.
func (k *Keyring) update(ctx context.Context, fn func(store.Tx) error) error {
	if _, err := k.db.Update(ctx, fn); err != nil {
		return err
	}
	k.refresh()
	return nil
}

// Numbers of epochs and versions grow by one at a time, so one this far ahead
// of all we know was never made and is not worth a question to the store.
const maxAhead = 64

// restoreGap keeps the epoch numbers of a restored installation clear of those
// that were made after its backup.
const restoreGap = 2 * maxAhead

// refetchTimeout bounds one question to the store.
const refetchTimeout = 3 * time.Second

// refetch reads the keyring from the store itself, once for all who ask at the
// same time. KindUnavailable when the store is away.
func (k *Keyring) refetch(ctx context.Context) error {
	done := k.flight.DoChan("keyring", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refetchTimeout)
		defer cancel()
		k.mu.Lock()
		defer k.mu.Unlock()
		return nil, k.db.View(ctx, func(r store.Reader) error {
			st, err := k.load(r, k.state.Load(), false)
			if err == nil {
				k.state.Store(st)
			}
			return err
		})
	})
	select {
	case res := <-done:
		if res.Err != nil {
			return unavailable("keyring.refetch", res.Err)
		}
		return nil
	case <-ctx.Done():
		return unavailable("keyring.refetch", errors.Join(ctx.Err(), context.Cause(ctx)))
	}
}

// absent remembers for a while what the store did not have.
type absent struct {
	mu    sync.Mutex
	until map[string]time.Time
}

const (
	absentFor = 30 * time.Second
	maxAbsent = 4 * maxAhead
)

func (a *absent) has(key string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.until[key].After(now)
}

func (a *absent) add(key string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.until == nil || len(a.until) >= maxAbsent {
		a.until = make(map[string]time.Time)
	}
	a.until[key] = now.Add(absentFor)
}

func (a *absent) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = nil
}
