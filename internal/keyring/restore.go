package keyring

import (
	"context"
	"time"

	"daypass/internal/store"
)

// BeginRestored turns the keyring of a restored backup into that of a new
// installation: another installation ID, new signing keys in the place of every
// set's, new box keys, so that nothing comes back that left in a box, all session
// epochs destroyed and a new one begun behind a gap, so that tokens from before
// the restore are told from tokens that never were. With sameInstallation
// (disaster recovery) the ID and the signing keys stay.
func (k *Keyring) BeginRestored(ctx context.Context, sameInstallation bool) error {
	now := k.now()
	st := k.state.Load()
	epoch, err := newEpochRow(k.root, st.maxEpoch+restoreGap, now, now)
	if err != nil {
		return err
	}
	box, err := newKeySet(k.root, setBox, st.sets[setBox][0].n+1, now, now)
	if err != nil {
		return err
	}
	var signing []*store.SigningKey
	if !sameInstallation {
		if signing, err = k.generate(st.specs()); err != nil {
			return err
		}
	}
	id := newInstallationID()
	return k.update(ctx, func(tx store.Tx) error {
		if err := replaceEpochs(tx, epoch, now); err != nil {
			return err
		}
		if err := replaceBoxes(tx, box); err != nil || sameInstallation {
			return err
		}
		if err := replaceSigning(tx, signing, now); err != nil {
			return err
		}
		return store.Metas.Put(tx, &store.Meta{Name: metaInstallation, Value: id})
	})
}

// specs are what the keys that sign, or are about to, were made for.
func (st *state) specs() []SetSpec {
	var out []SetSpec
	for set := range st.issuers {
		seen := map[string]bool{}
		for _, row := range st.rows(set) {
			if !row.RetiredAt.IsZero() || seen[row.Algorithm] {
				continue
			}
			seen[row.Algorithm] = true
			out = append(out, SetSpec{Set: set, Algorithm: row.Algorithm, MaxTokenLife: time.Duration(row.MaxTokenSeconds) * time.Second})
		}
	}
	return out
}

func replaceEpochs(tx store.Tx, next *store.Epoch, now time.Time) error {
	rows, err := store.Epochs.List(tx, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := retireEpoch(tx, row, now, true); err != nil {
			return err
		}
	}
	return store.Epochs.Insert(tx, next)
}

func replaceBoxes(tx store.Tx, next *store.KeySet) error {
	rows, err := store.KeySets.List(tx, "", setBox+"/", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := store.KeySets.Delete(tx, row.Name); err != nil {
			return err
		}
	}
	return store.KeySets.Insert(tx, next)
}

// replaceSigning puts new keys, which sign at once, in the place of all others:
// nobody has the key sets of a new installation yet.
func replaceSigning(tx store.Tx, made []*store.SigningKey, now time.Time) error {
	rows, err := store.SigningKeys.List(tx, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := store.SigningKeys.Delete(tx, signingRowKey(row)); err != nil {
			return err
		}
	}
	for _, row := range made {
		c := *row
		c.SignsFrom = now
		if err := store.SigningKeys.Insert(tx, &c); err != nil {
			return err
		}
	}
	return nil
}
