package keyring

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// MoveRoot begins with another root key. The function that it returns seals every
// key anew, in the transaction that it is given: once that has committed, the old
// root key opens nothing, and this Keyring is of no more use. What the keys
// themselves are stays as it is. Errors of the function: KindInternal for a key
// that does not open, and then nothing has moved.
func (k *Keyring) MoveRoot(ctx context.Context, to RootKey) (move func(store.Tx) error, err error) {
	seals, metas, err := beginRoot(ctx, to)
	if err != nil {
		return nil, err
	}
	return func(tx store.Tx) error {
		for _, rows := range []func(store.Tx, reseals) error{moveKeySets, moveEpochs, moveSigning} {
			if err := rows(tx, reseals{k.root, seals}); err != nil {
				return err
			}
		}
		if err := store.Metas.Delete(tx, metaRootWrapped); err != nil && identity.KindOf(err) != identity.KindNotFound {
			return err
		}
		for _, m := range metas {
			if err := store.Metas.Put(tx, m); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// reseals opens under one root key and seals under another.
type reseals struct{ from, to tink.AEAD }

func (r reseals) value(what string, sealed, aad []byte) ([]byte, error) {
	plain, err := r.from.Decrypt(sealed, aad)
	if err == nil {
		sealed, err = r.to.Encrypt(plain, aad)
	}
	if err != nil {
		return nil, internal("keyring.move", fmt.Errorf("%s: %w", what, err))
	}
	return sealed, nil
}

func moveKeySets(tx store.Tx, r reseals) error {
	rows, err := store.KeySets.List(tx, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		aad := rowAAD(store.KeySets.Name(), "keyset", row.Name)
		h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(row.Sealed)), r.from, aad)
		var sealed bytes.Buffer
		if err == nil {
			err = h.WriteWithAssociatedData(keyset.NewBinaryWriter(&sealed), r.to, aad)
		}
		if err != nil {
			return internal("keyring.move", fmt.Errorf("key set %s: %w", row.Name, err))
		}
		c := *row
		c.Sealed = sealed.Bytes()
		if err := store.KeySets.Put(tx, &c); err != nil {
			return err
		}
	}
	return nil
}

func moveEpochs(tx store.Tx, r reseals) error {
	return moveRows(tx, r, store.Epochs, "key", func(e *store.Epoch) string { return store.EpochKey(e.Number) }, func(e *store.Epoch) *[]byte { return &e.Sealed })
}

func moveSigning(tx store.Tx, r reseals) error {
	return moveRows(tx, r, store.SigningKeys, "private", signingRowKey, func(k *store.SigningKey) *[]byte { return &k.Sealed })
}

// moveRows seals a column of a table anew where it is not empty.
func moveRows[T any](tx store.Tx, r reseals, t *store.Table[T], column string, key func(*T) string, sealed func(*T) *[]byte) error {
	rows, err := t.List(tx, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		c := *row
		if *sealed(&c) == nil {
			continue
		}
		if *sealed(&c), err = r.value(t.Name()+" "+key(row), *sealed(row), rowAAD(t.Name(), column, key(row))); err != nil {
			return err
		}
		if err := t.Put(tx, &c); err != nil {
			return err
		}
	}
	return nil
}
