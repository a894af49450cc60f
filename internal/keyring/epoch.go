package keyring

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Lifetimes around session tokens.
const (
	// MaxSessionLife is the longest life of session keys (GetSessionToken).
	MaxSessionLife = 36 * time.Hour
	// EpochGrace is kept beyond MaxSessionLife before an epoch is destroyed:
	// room for nodes that learn late that it has retired.
	EpochGrace = 15 * time.Minute
)

// Labels of the two subkeys of an epoch.
const (
	labelSeal   = "daypass session token sealing v1"
	labelDerive = "daypass session secret derivation v1"
)

// Epoch is one version of the session keys: a key that seals tokens and
// another that derives secrets.
type Epoch struct {
	Number    uint32
	CreatedAt time.Time
	// SignsFrom is when it begins to mint, RetiredAt when it stops (zero: no
	// successor yet), DestroyAt when its keys vanish (zero likewise).
	SignsFrom, RetiredAt, DestroyAt time.Time

	sealed    []byte
	destroyed bool
	aead      tink.AEAD
	derive    *sync.Pool // of hash.Hash with the pad state of the derive key
}

// Seal encrypts a token's claims under a random 192-bit nonce, which is part
// of the result.
func (e *Epoch) Seal(plaintext, aad []byte) ([]byte, error) {
	box, err := e.aead.Encrypt(plaintext, aad)
	if err != nil {
		return nil, internal("keyring.epoch", err)
	}
	return box, nil
}

// Open decrypts what Seal made; KindInvalidToken when it does not fit.
func (e *Epoch) Open(box, aad []byte) ([]byte, error) {
	plain, err := e.aead.Decrypt(box, aad)
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindInvalidToken, Op: "keyring.epoch", Err: err}
	}
	return plain, nil
}

// Derive appends HMAC-SHA256(derive key, message) to dst.
func (e *Epoch) Derive(dst, message []byte) []byte {
	h := e.derive.Get().(hash.Hash)
	h.Reset()
	h.Write(message)
	dst = h.Sum(dst)
	e.derive.Put(h)
	return dst
}

// MaxExpiry is the latest expiry that may be minted now: nothing outlives its
// epoch, nor MaxSessionLife.
func (e *Epoch) MaxExpiry(now time.Time) time.Time {
	t := now.Add(MaxSessionLife)
	if !e.DestroyAt.IsZero() && e.DestroyAt.Before(t) {
		return e.DestroyAt
	}
	return t
}

func (e *Epoch) gone(now time.Time) bool {
	return e.destroyed || !e.DestroyAt.IsZero() && !e.DestroyAt.After(now)
}

// CurrentEpoch returns the epoch that mints now: the newest whose time has
// come. KindUnavailable when there is none.
func (k *Keyring) CurrentEpoch() (*Epoch, error) {
	now := k.clock.Now()
	minting := k.state.Load().minting
	for _, e := range minting {
		if !e.SignsFrom.After(now) && !e.gone(now) {
			return e, nil
		}
	}
	// A clock a little behind that of the node which made the first epoch.
	if n := len(minting); n > 0 && !minting[n-1].gone(now) {
		return minting[n-1], nil
	}
	return nil, unavailable("keyring.epoch", errors.New("no epoch to mint with"))
}

// EpochByNumber returns the epoch of a token. One unknown here is looked for
// in the store once. KindInvalidToken: it never existed; KindExpiredToken: it
// was destroyed, or belongs to the time before a restore; KindUnavailable: not
// known, and the store is away.
func (k *Keyring) EpochByNumber(ctx context.Context, n uint32) (*Epoch, error) {
	now := k.clock.Now()
	st := k.state.Load()
	if e, err := st.epoch(n, now); e != nil || err != nil {
		return e, err
	}
	name := store.EpochKey(n)
	if n > st.maxEpoch+maxAhead || k.absent.has(name, now) {
		return nil, errNoEpoch
	}
	if err := k.refetch(ctx); err != nil {
		return nil, err
	}
	if e, err := k.state.Load().epoch(n, now); e != nil || err != nil {
		return e, err
	}
	k.absent.add(name, now)
	return nil, errNoEpoch
}

var (
	errNoEpoch   = &identity.Error{Kind: identity.KindInvalidToken, Op: "keyring.epoch"}
	errPastEpoch = &identity.Error{Kind: identity.KindExpiredToken, Op: "keyring.epoch"}
)

// epoch answers from memory; nil, nil when only the store can know.
func (st *state) epoch(n uint32, now time.Time) (*Epoch, error) {
	e := st.epochs[n]
	switch {
	case e != nil && e.gone(now):
		return nil, errPastEpoch
	case e != nil && e.aead == nil: // its row did not open; logged when loaded
		return nil, unavailable("keyring.epoch", fmt.Errorf("epoch %d is damaged", n))
	case e != nil:
		return e, nil
	case n == 0:
		return nil, errNoEpoch
	case n <= st.maxEpoch: // numbers are never skipped but by a restore
		return nil, errPastEpoch
	}
	return nil, nil
}

// newEpochRow makes an epoch, sealed under the root key.
func newEpochRow(root tink.AEAD, n uint32, created, from time.Time) (*store.Epoch, error) {
	secret := make([]byte, 32)
	rand.Read(secret)
	sealed, err := root.Encrypt(secret, rowAAD(store.Epochs.Name(), "key", store.EpochKey(n)))
	if err != nil {
		return nil, internal("keyring.epoch", err)
	}
	return &store.Epoch{Number: n, CreatedAt: created, SignsFrom: from, Sealed: sealed}, nil
}

func (k *Keyring) openEpoch(row *store.Epoch) (*Epoch, error) {
	e := &Epoch{
		Number: row.Number, CreatedAt: row.CreatedAt, SignsFrom: row.SignsFrom, RetiredAt: row.RetiredAt,
		DestroyAt: row.DestroyAt, sealed: row.Sealed, destroyed: row.Destroyed || row.Sealed == nil,
	}
	if e.destroyed {
		return e, nil
	}
	secret, err := k.root.Decrypt(row.Sealed, rowAAD(store.Epochs.Name(), "key", store.EpochKey(row.Number)))
	if err != nil {
		return e, internal("keyring.epoch", fmt.Errorf("epoch %d: %w", row.Number, err))
	}
	sealKey, err := hkdf.Key(sha256.New, secret, nil, labelSeal, 32)
	if err != nil {
		return e, internal("keyring.epoch", err)
	}
	deriveKey, err := hkdf.Key(sha256.New, secret, nil, labelDerive, 32)
	if err != nil {
		return e, internal("keyring.epoch", err)
	}
	if e.aead, err = NewXAES(sealKey); err != nil {
		return e, err
	}
	// The first Reset of an HMAC keeps its pad state for the later ones.
	e.derive = &sync.Pool{New: func() any { return hmac.New(sha256.New, deriveKey) }}
	return e, nil
}

func (k *Keyring) loadEpochs(r store.Reader, prev, st *state) error {
	rows, err := store.Epochs.List(r, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	st.epochs = make(map[uint32]*Epoch, len(rows))
	for _, row := range rows {
		e := prev.epochs[row.Number]
		if e != nil && e.aead != nil && bytes.Equal(e.sealed, row.Sealed) {
			c := *e
			c.SignsFrom, c.RetiredAt, c.DestroyAt, c.destroyed = row.SignsFrom, row.RetiredAt, row.DestroyAt, row.Destroyed
			e = &c
		} else if e, err = k.openEpoch(row); err != nil {
			k.damaged("epoch "+store.EpochKey(row.Number), err)
		}
		st.epochs[row.Number] = e
		st.maxEpoch = max(st.maxEpoch, row.Number)
		if e.aead != nil && !e.destroyed {
			st.minting = append(st.minting, e)
		}
	}
	slices.SortFunc(st.minting, func(a, b *Epoch) int { return cmp.Compare(b.Number, a.Number) })
	return nil
}
