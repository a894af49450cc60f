package keyring

import (
	"context"

	"daypass/internal/store"
)

// BeginRestored turns the keyring of a restored backup into that of a new
// installation: another installation ID, all session epochs destroyed and a
// new one begun behind a gap, so that tokens from before the restore are told
// from tokens that never were. Unless sameInstallation is set (disaster
// recovery), the signing keys go too, and EnsureSets makes new ones.
func (k *Keyring) BeginRestored(ctx context.Context, sameInstallation bool) error {
	now := k.now()
	next, err := newEpochRow(k.root, k.state.Load().maxEpoch+restoreGap, now, now)
	if err != nil {
		return err
	}
	id := newInstallationID()
	return k.update(ctx, func(tx store.Tx) error {
		epochs, err := store.Epochs.List(tx, "", "", store.After{}, 0)
		if err != nil {
			return err
		}
		for _, row := range epochs {
			if err := retireEpoch(tx, row, now, true); err != nil {
				return err
			}
		}
		if err := store.Epochs.Insert(tx, next); err != nil || sameInstallation {
			return err
		}
		keys, err := store.SigningKeys.List(tx, "", "", store.After{}, 0)
		if err != nil {
			return err
		}
		for _, row := range keys {
			if err := store.SigningKeys.Delete(tx, signingRowKey(row)); err != nil {
				return err
			}
		}
		return store.Metas.Put(tx, &store.Meta{Name: metaInstallation, Value: id})
	})
}
