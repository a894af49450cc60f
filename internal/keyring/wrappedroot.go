package keyring

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"

	"github.com/tink-crypto/tink-go/v2/tink"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Wrapper wraps root keys by a key that never leaves where it is: a root key of a
// key management service.
type Wrapper interface {
	// Wrap returns a text that opens only there, and with the same aad.
	Wrap(ctx context.Context, secret []byte, aad []string) (wrapped string, err error)
	// Unwrap opens it. again is what should be kept in its place, "" for itself:
	// the key there was rotated.
	Unwrap(ctx context.Context, wrapped string, aad []string) (secret []byte, again string, err error)
	// Place says where, for people.
	Place() string
}

// wrappedRoot is 32 random bytes that are nowhere but in memory, and wrapped in
// the store.
type wrappedRoot struct{ Wrapper }

// NewWrappedRoot makes the root key that a Wrapper keeps. The Wrapper is asked
// when a Keyring is opened, and by CheckRoot.
func NewWrappedRoot(w Wrapper) RootKey { return wrappedRoot{w} }

// rootAAD binds a wrapped root key to its installation: the salt stays when a
// backup is restored, the installation's ID does not.
func rootAAD(salt []byte) []string {
	return []string{"daypass root key", base64.StdEncoding.EncodeToString(salt)}
}

func (r wrappedRoot) New(ctx context.Context, salt []byte) (tink.AEAD, string, error) {
	secret := new(secretRoot)
	rand.Read(secret[:])
	wrapped, err := r.Wrap(ctx, secret[:], rootAAD(salt))
	if err != nil {
		return nil, "", err
	}
	// Nothing may be sealed under a root key that does not come back.
	if err := r.holds(ctx, wrapped, salt, secret); err != nil {
		return nil, "", err
	}
	a, err := secret.seals(salt)
	return a, wrapped, err
}

func (r wrappedRoot) Open(ctx context.Context, kept Kept) (tink.AEAD, string, error) {
	if kept.Wrapped == "" {
		return nil, "", invalid("keyring.root", "The root key of this installation is not kept in a key management service; daypass keyring move-root takes it there.")
	}
	got, again, err := r.Unwrap(ctx, kept.Wrapped, rootAAD(kept.Salt))
	if err != nil {
		return nil, "", err
	}
	if len(got) != RootKeyBytes {
		return nil, "", invalid("keyring.root", "What "+r.Place()+" unwraps is no root key of this installation.")
	}
	secret := (*secretRoot)(got)
	// The old text goes only for one that opens.
	if again == "" || r.holds(ctx, again, kept.Salt, secret) != nil {
		again = kept.Wrapped
	}
	a, err := secret.seals(kept.Salt)
	return a, again, err
}

// holds reports an error unless a wrapped text opens to a secret.
func (r wrappedRoot) holds(ctx context.Context, wrapped string, salt []byte, secret *secretRoot) error {
	back, _, err := r.Unwrap(ctx, wrapped, rootAAD(salt))
	if err == nil && subtle.ConstantTimeCompare(back, secret[:]) != 1 {
		err = &identity.Error{
			Kind: identity.KindUpstream, Op: "keyring.root", Err: errors.New("what was wrapped does not unwrap to itself"),
			Public: "What " + r.Place() + " wrapped does not unwrap to what it was: nothing is sealed under it.",
		}
	}
	return err
}

// beginRoot begins with a root key: what seals under it, and what the store is to
// keep of it.
func beginRoot(ctx context.Context, root RootKey) (tink.AEAD, []*store.Meta, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	seals, wrapped, err := root.New(ctx, salt)
	if err != nil {
		return nil, nil, err
	}
	metas := []*store.Meta{{Name: metaRootSalt, Value: base64.StdEncoding.EncodeToString(salt)}}
	if wrapped != "" {
		metas = append(metas, &store.Meta{Name: metaRootWrapped, Value: wrapped})
	}
	return seals, metas, nil
}

// askRoot opens the root key with what the store keeps of it, and returns what
// seals under it. A text that was wrapped anew takes the place of the old one, once
// it is known to hold the secret that opens the keys here: the service may be wrong.
// No transaction is open while the root key is asked for: it may be far away.
func (k *Keyring) askRoot(ctx context.Context, kept Kept) (tink.AEAD, error) {
	seals, wrapped, err := k.rootKey.Open(ctx, kept)
	if err == nil {
		err = k.opensWith(ctx, seals)
	}
	if err != nil || wrapped == kept.Wrapped {
		return seals, err
	}
	_, err = k.db.Update(ctx, func(tx store.Tx) error {
		now, err := keptOf(tx)
		if err != nil || now.Wrapped != kept.Wrapped { // another node was first, or the root key has moved
			return err
		}
		return store.Metas.Put(tx, &store.Meta{Name: metaRootWrapped, Value: wrapped})
	})
	if err == nil {
		k.opt.Log.Info("the wrapped root key was taken over under a newer version of the key that wraps it", "place", k.rootKey.Place())
	}
	return seals, err
}

// opensWith reports an error of KindValidation unless a key set of the store opens.
func (k *Keyring) opensWith(ctx context.Context, seals tink.AEAD) error {
	return k.db.View(ctx, func(r store.Reader) error {
		rows, err := store.KeySets.List(r, "", "", store.After{}, 1)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return internal("keyring.open", errors.New("there is no key set"))
		}
		_, _, err = openKeySet(seals, rows[0])
		return err
	})
}

func (k *Keyring) openRoot(ctx context.Context) error {
	kept, err := k.kept(ctx)
	if err == nil {
		k.root, err = k.askRoot(ctx, kept)
	}
	return err
}

// CheckRoot tries whether a root key that is wrapped elsewhere would open now, as
// it must at the next start; nothing else depends on it. Errors are those of Open.
func (k *Keyring) CheckRoot(ctx context.Context) error {
	kept, err := k.kept(ctx)
	if err == nil && kept.Wrapped != "" {
		_, err = k.askRoot(ctx, kept)
	}
	return err
}

func (k *Keyring) kept(ctx context.Context) (kept Kept, err error) {
	err = k.db.View(ctx, func(r store.Reader) (err error) {
		kept, err = keptOf(r)
		return err
	})
	return kept, err
}

func keptOf(r store.Reader) (kept Kept, err error) {
	salt, err := store.Metas.Get(r, metaRootSalt)
	if err != nil {
		return kept, err
	}
	if kept.Salt, err = base64.StdEncoding.DecodeString(salt.Value); err != nil {
		return kept, internal("keyring.open", err)
	}
	wrapped, err := store.Metas.Get(r, metaRootWrapped)
	if identity.KindOf(err) == identity.KindNotFound {
		return kept, nil
	}
	if err == nil {
		kept.Wrapped = wrapped.Value
	}
	return kept, err
}
