package kms

import (
	"context"
	"fmt"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxVersions is how many a key may have that is rotated by hand: its purge goes
// through them at once.
const maxVersions = 10_000

// Rotate gives a root key a new version (kms:secrets.rotate): an imported key from
// the material that is brought, the other from none. What earlier versions wrapped
// still unwraps. ReasonNotFound, ReasonNotRoot, ReasonState, ReasonDeleted,
// ReasonPayloadNeeded, ReasonNotImported, ReasonRotationTooEarly, ReasonLimit and the
// reasons of an import. Expired keys rotate, as in IBM's service.
func (k *KMS) Rotate(ctx context.Context, c *identity.Caller, at At, id string, in Material) error {
	const action = "secrets.rotate"
	judge := func(key *identity.KMSKey) error {
		if err := k.mayUse(key, identity.KeyDeactivated); err != nil {
			return err
		}
		switch {
		case key.Imported && in.Payload == "":
			return refuse(identity.KindValidation, ReasonPayloadNeeded, "The key was imported: a rotation brings its material.")
		case !key.Imported && in.Payload != "":
			return notImported()
		case key.Versions >= maxVersions:
			return refuse(identity.KindLimitExceeded, ReasonLimit, fmt.Sprintf("A key has at most %d versions.", maxVersions))
		case k.rotateEvery > 0 && k.now().Before(key.RotatedAt.Add(k.rotateEvery)):
			return refuse(identity.KindConflict, ReasonRotationTooEarly, "The key was rotated a short time ago.")
		}
		return nil
	}
	p, key, err := k.target(k.db.Snapshot(), c, at, id, action)
	if err != nil {
		return err
	}
	var brought brought
	if err = judge(key); err == nil {
		brought, err = k.bringIn(ctx, &p, false, in)
	}
	if err != nil {
		k.refused(ctx, k.event(c, at, id, action), err)
		return err
	}
	_, err = k.onKey(ctx, c, at, id, action, func(tx store.Tx, p *place, key *identity.KMSKey) error {
		if err := judge(key); err != nil {
			return err
		}
		if err := mayBring(tx, p.ID, &in); err != nil {
			return err
		}
		if err := brought.still(tx, p.ID, k.now()); err != nil {
			return err
		}
		return k.addVersion(tx, key, brought.material)
	})
	return err
}

func notImported() error {
	return refuse(identity.KindValidation, ReasonNotImported, "The key was not imported: its material is generated here.")
}

// addVersion writes the next version of a key.
func (k *KMS) addVersion(tx store.Tx, key *identity.KMSKey, material []byte) error {
	slot, err := k.slot(tx, key.ID)
	if err != nil {
		return err
	}
	id, err := identity.NewUUID(k.random)
	if err != nil {
		return err
	}
	now := k.now()
	key.Versions++
	key.Version = identity.KMSVersionID{ID: id, CreatedAt: now}
	key.RotatedAt, key.UpdatedAt = now, now
	return newVersion(tx, slot, key, key.Versions, key.Version, material)
}
