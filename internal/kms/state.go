package kms

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Disable suspends an active root key (kms:secrets.disable): it neither wraps nor
// unwraps. ReasonNotFound, ReasonNotRoot, ReasonState, ReasonDeleted.
func (k *KMS) Disable(ctx context.Context, c *identity.Caller, at At, id string) error {
	_, err := k.onKey(ctx, c, at, id, "secrets.disable", func(_ store.Tx, _ *place, key *identity.KMSKey) error {
		switch s := k.state(key); {
		case s == identity.KeyDestroyed:
			return deleted()
		case key.Extractable:
			return notRoot()
		case s != identity.KeyActive:
			return wrongState("The key is not active.")
		}
		now := k.now()
		key.State, key.DisabledAt, key.UpdatedAt = identity.KeySuspended, now, now
		return nil
	})
	return err
}

// Enable ends what Disable began (kms:secrets.enable). The reasons of Disable, and
// ReasonTooEarly within the set time.
func (k *KMS) Enable(ctx context.Context, c *identity.Caller, at At, id string) error {
	_, err := k.onKey(ctx, c, at, id, "secrets.enable", func(_ store.Tx, _ *place, key *identity.KMSKey) error {
		now := k.now()
		switch s := k.state(key); {
		case s == identity.KeyDestroyed:
			return deleted()
		case key.Extractable:
			return notRoot()
		case s != identity.KeySuspended:
			return wrongState("The key is not disabled.")
		case k.enableAfter > 0 && now.Before(key.DisabledAt.Add(k.enableAfter)):
			return tooEarly("The key was disabled a short time ago.")
		}
		key.State, key.DisabledAt, key.UpdatedAt = identity.KeyActive, time.Time{}, now
		return nil
	})
	return err
}

func tooEarly(public string) error {
	return refuse(identity.KindConflict, ReasonTooEarly, public)
}

// Sync asks the resources that use a root key to take notice of its state
// (kms:secrets.sync). What uses a key here reads its state at each use, so there is
// nothing but the event. ReasonNotFound, ReasonNotRoot.
func (k *KMS) Sync(ctx context.Context, c *identity.Caller, at At, id string) error {
	return k.change(ctx, c, k.event(c, at, id, "secrets.sync"), func(tx store.Tx) error {
		_, key, err := k.target(tx, c, at, id, "secrets.sync")
		if err == nil && key.Extractable {
			err = notRoot()
		}
		return err
	})
}

const actionPatch = "secrets.patch"

// Patch moves a key to another ring (kms:secrets.patch, in both rings).
// ReasonNotFound for the key or the ring, ReasonDeleted.
func (k *KMS) Patch(ctx context.Context, c *identity.Caller, at At, id, ring string) (*Key, error) {
	if !ringRE.MatchString(ring) {
		return nil, noRing()
	}
	return k.onKey(ctx, c, at, id, actionPatch, func(tx store.Tx, p *place, key *identity.KMSKey) error {
		if err := k.permit(c, p, actionPatch, "key", key.ID, clip(id), ring); err != nil {
			return err
		}
		if key.State == identity.KeyDestroyed {
			return deleted()
		}
		key.Ring, key.UpdatedAt = ring, k.now()
		return ringThere(tx, p.ID, ring)
	})
}

// ringThere gives ReasonNotFound for a ring that the instance does not have.
func ringThere(r store.Reader, instance, id string) error {
	if id == identity.DefaultKeyRing {
		return nil
	}
	ring := identity.KMSRing{Instance: instance, ID: id}
	_, err := store.KMSRings.Get(r, ring.Key())
	if identity.KindOf(err) == identity.KindNotFound {
		return noRing()
	}
	return err
}

func noRing() error {
	return refuse(identity.KindNotFound, ReasonNotFound, "The key ring does not exist.")
}
