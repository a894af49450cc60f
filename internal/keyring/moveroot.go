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
	rows, err := store.Epochs.List(tx, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Sealed == nil {
			continue
		}
		c := *row
		if c.Sealed, err = r.value("epoch "+store.EpochKey(row.Number), row.Sealed, rowAAD(store.Epochs.Name(), "key", store.EpochKey(row.Number))); err != nil {
			return err
		}
		if err := store.Epochs.Put(tx, &c); err != nil {
			return err
		}
	}
	return nil
}

func moveSigning(tx store.Tx, r reseals) error {
	rows, err := store.SigningKeys.List(tx, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Sealed == nil {
			continue
		}
		c := *row
		key := signingRowKey(row)
		if c.Sealed, err = r.value("signing key "+key, row.Sealed, rowAAD(store.SigningKeys.Name(), "private", key)); err != nil {
			return err
		}
		if err := store.SigningKeys.Put(tx, &c); err != nil {
			return err
		}
	}
	return nil
}
