package kms

import (
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Delete makes a key unusable (kms:secrets.delete). It can be restored for 30 days
// and is purged after 90. A key with registrations needs force; one of a resource
// that prevents deletion is not deleted at all. ReasonNotFound, ReasonDeleted,
// ReasonDualAuth, ReasonProtected, ReasonDeletionPrevented.
func (k *KMS) Delete(ctx context.Context, c *identity.Caller, at At, id string, force bool) (*Key, error) {
	return k.onKey(ctx, c, at, id, "secrets.delete", func(tx store.Tx, p *place, key *identity.KMSKey) error {
		if key.State == identity.KeyDestroyed {
			return deleted()
		}
		if dualAuth(key) {
			if err := k.agreed(tx, c, key); err != nil {
				return err
			}
		}
		used, err := store.KMSRegistrations.List(tx, store.IndexKMSInstance, p.ID+"/"+key.ID, store.After{}, 0)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(used, func(r *identity.KMSRegistration) bool { return r.PreventsDelete }) {
			return refuse(identity.KindConflict, ReasonDeletionPrevented, "A resource with a retention policy uses the key.")
		}
		if len(used) > 0 && !force {
			return refuse(identity.KindConflict, ReasonProtected, "Resources use the key.")
		}
		now := k.now()
		key.State, key.DeletedAt, key.DeletedBy, key.UpdatedAt, key.Doomed = identity.KeyDestroyed, now, c.IAMID(), now, nil
		return nil
	})
}

// Restore makes a deleted key what it was, active or disabled (kms:secrets.restore).
// Material need not be brought; what is brought must be that of the key.
// ReasonNotFound, ReasonState, ReasonRestoreExpired, ReasonExpired, ReasonTooEarly,
// ReasonNotImported and the reasons of an import.
func (k *KMS) Restore(ctx context.Context, c *identity.Caller, at At, id string, in Material) (*Key, error) {
	const action = "secrets.restore"
	p, key, err := k.target(k.db.Snapshot(), c, at, id, action)
	if err != nil {
		return nil, err
	}
	var brought brought
	if err = k.mayRestore(key, in); err == nil {
		brought, err = k.bringIn(ctx, &p, key.Extractable, in)
	}
	if err != nil {
		k.refused(ctx, k.event(c, at, id, action), err)
		return nil, err
	}
	return k.onKey(ctx, c, at, id, action, func(tx store.Tx, p *place, key *identity.KMSKey) error {
		if err := k.mayRestore(key, in); err != nil {
			return err
		}
		_, material, err := k.material(tx, key, key.Versions) // it is still there
		if err != nil {
			return err
		}
		if in.Payload != "" {
			if err := mayBring(tx, p.ID, &in); err != nil {
				return err
			}
			if err := brought.still(tx, p.ID, k.now()); err != nil {
				return err
			}
			if subtle.ConstantTimeCompare(material, brought.material) != 1 {
				return badField("payload", "is not the material of the key")
			}
		}
		key.State, key.UpdatedAt, key.DeletedAt, key.DeletedBy = identity.KeyActive, k.now(), time.Time{}, ""
		if !key.DisabledAt.IsZero() {
			key.State = identity.KeySuspended
		}
		return nil
	})
}

func (k *KMS) mayRestore(key *identity.KMSKey, in Material) error {
	now := k.now()
	switch {
	case key.State != identity.KeyDestroyed:
		return wrongState("The key is not deleted.")
	case !now.Before(key.DeletedAt.Add(restoreTime)):
		return refuse(identity.KindConflict, ReasonRestoreExpired, "The key was deleted too long ago.")
	case expired(key, now):
		return refuse(identity.KindConflict, ReasonExpired, "The key has expired.")
	case k.enableAfter > 0 && now.Before(key.DeletedAt.Add(k.enableAfter)):
		return tooEarly("The key was deleted a short time ago.")
	case !key.Imported && in.Payload != "":
		return notImported()
	}
	return nil
}

// Purge destroys a deleted key for good (kms:secrets.purge, which is in the role
// KeyPurge alone), from the set time after its deletion on. Slot, versions and all
// that is known of it go in one transaction. ReasonNotFound, ReasonState,
// ReasonTooEarly.
func (k *KMS) Purge(ctx context.Context, c *identity.Caller, at At, id string) (*Key, error) {
	var out *Key
	const action = "secrets.purge"
	err := k.change(ctx, c, k.event(c, at, id, action), func(tx store.Tx) error {
		p, key, err := k.target(tx, c, at, id, action)
		if err != nil {
			return err
		}
		switch {
		case key.State != identity.KeyDestroyed:
			return wrongState("The key is not deleted.")
		case k.now().Before(key.DeletedAt.Add(k.purgeAfter)):
			return tooEarly("The key was deleted a short time ago.")
		}
		out = k.shown(&p, key)
		return purge(tx, key)
	})
	if err != nil {
		return nil, err
	}
	k.purged(ctx)
	return out, nil
}

// purged follows a purge: what was opened is forgotten, and what the store may
// have copies of is erased, by the next Tick where it cannot be now.
func (k *KMS) purged(ctx context.Context) {
	k.forget()
	k.unerased.Store(true)
	if err := k.erase(ctx); err != nil {
		k.log.Warn("copies of purged keys are not erased yet", "error", err)
	}
}

func (k *KMS) erase(ctx context.Context) error {
	if !k.unerased.CompareAndSwap(true, false) {
		return nil
	}
	err := k.db.Erase(ctx)
	if err != nil {
		k.unerased.Store(true)
	}
	return err
}

// purge removes every row of a key.
func purge(tx store.Tx, key *identity.KMSKey) error {
	if err := gone(store.KMSSlots.Delete(tx, key.ID)); err != nil {
		return err
	}
	if err := deleteAll(tx, store.KMSVersions, "", key.ID+"/", func(v *store.KMSVersion) string { return store.KMSVersionKey(v.KeyID, v.Number) }); err != nil {
		return err
	}
	of := key.Instance + "/" + key.ID
	if err := deleteAll(tx, store.KMSRegistrations, store.IndexKMSInstance, of, (*identity.KMSRegistration).Key); err != nil {
		return err
	}
	if err := deleteAll(tx, store.KMSUses, store.IndexKMSInstance, of, (*identity.KMSUse).Key); err != nil {
		return err
	}
	return store.KMSKeys.Delete(tx, key.ID)
}

func deleteAll[T any](tx store.Tx, t *store.Table[T], index, prefix string, key func(*T) string) error {
	rows, err := t.List(tx, index, prefix, store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := t.Delete(tx, key(row)); err != nil {
			return err
		}
	}
	return nil
}

// gone lets what is not there be deleted.
func gone(err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return nil
	}
	return err
}

// forget drops the opened material of keys that are not there or are deleted.
func (k *KMS) forget() {
	snap := k.db.Snapshot()
	k.opened.sweep(func(id string) bool {
		key, err := store.KMSKeys.Get(snap, id)
		return err == nil && key.State != identity.KeyDestroyed
	})
}
