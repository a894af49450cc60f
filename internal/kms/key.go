package kms

import (
	"context"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// restoreTime is how long a deleted key can be restored (IBM: 30 days).
	restoreTime = 30 * 24 * time.Hour
	// purgeTime is when a deleted key is purged by itself (IBM: 90 days).
	purgeTime = 90 * 24 * time.Hour
	// openTimeout bounds one read of material.
	openTimeout = 5 * time.Second
)

// Key is a key as people see it.
type Key struct {
	// State is KeyDeactivated for a key whose time is over.
	identity.KMSKey
	CRN string
	// Of a deleted key: from when KeyPurge may purge it, and when it is purged by
	// itself.
	PurgeAllowedFrom, PurgeScheduledOn time.Time
	PurgeAllowed                       bool
}

// shown is a key as it stands now.
func (k *KMS) shown(p *place, key *identity.KMSKey) *Key {
	out := &Key{KMSKey: *key, CRN: p.crn("key", key.ID)}
	out.State = k.state(key)
	if key.State == identity.KeyDestroyed {
		out.PurgeAllowedFrom, out.PurgeScheduledOn = key.DeletedAt.Add(k.purgeAfter), key.DeletedAt.Add(purgeTime)
		out.PurgeAllowed = !k.now().Before(out.PurgeAllowedFrom)
	}
	return out
}

func (k *KMS) state(key *identity.KMSKey) identity.KeyState { return key.StateAt(k.clock.Now()) }

func expired(key *identity.KMSKey, now time.Time) bool {
	return !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt)
}

// find looks a key up by ID or alias; nil for one that is absent, of another
// instance, or not in the ring that alone the call wants to see. All three cost
// the same reads.
func find(r store.Reader, p *place, at At, id string) (*identity.KMSKey, error) {
	if len(id) > maxAsked {
		return nil, nil
	}
	key, err := store.KMSKeys.Get(r, id)
	if err == nil && key.Instance != p.ID || identity.KindOf(err) == identity.KindNotFound {
		key, err = store.KMSKeys.By(r, store.IndexKMSAlias, p.ID+"/"+id)
	}
	switch {
	case identity.KindOf(err) == identity.KindNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case at.Ring != "" && at.Ring != key.Ring:
		return nil, nil
	}
	return key, nil
}

// target finds the key that a call is about, by ID or alias, and asks whether the
// caller may do this to it. The denial comes first: only who could do it to any
// such key learns that there is none.
func (k *KMS) target(r store.Reader, c *identity.Caller, at At, id, action string) (place, *identity.KMSKey, error) {
	p, err := k.instanceOf(r, c, at, action, "key", clip(id))
	if err != nil {
		return p, nil, err
	}
	key, err := find(r, &p, at, id)
	if err != nil {
		return p, nil, err
	}
	named, ring := clip(id), at.Ring
	if key != nil {
		named, ring = key.ID, key.Ring
	}
	if err := k.permit(c, &p, action, "key", named, clip(id), ring); err != nil {
		return p, nil, err
	}
	if key == nil {
		return p, nil, noKey()
	}
	return p, key, nil
}

func noKey() error { return refuse(identity.KindNotFound, ReasonNotFound, "The key does not exist.") }

// onInstance asks whether the caller may do something to the instance itself.
func (k *KMS) onInstance(r store.Reader, c *identity.Caller, at At, action string) (place, error) {
	p, err := k.instance(r, c, at, action)
	if err != nil {
		return p, err
	}
	return p, k.permit(c, &p, action, "", "", "", at.Ring)
}

// event is that of a call about a key, which it names by its ID where there is one.
func (k *KMS) event(c *identity.Caller, at At, id, action string) audit.Event {
	asked := clip(id)
	if key, err := find(k.db.Snapshot(), &place{ServiceInstance: &identity.ServiceInstance{ID: at.Instance}}, at, id); err == nil && key != nil {
		asked = key.ID
	}
	return audit.Change(c, source, action, map[string]string{"instanceId": clip(at.Instance), "keyId": asked})
}

// onKey runs a change of one key as a transaction: rights and rules are judged in
// it, and fn changes a copy.
func (k *KMS) onKey(ctx context.Context, c *identity.Caller, at At, id, action string, fn func(tx store.Tx, p *place, key *identity.KMSKey) error) (*Key, error) {
	var out *Key
	err := k.change(ctx, c, k.event(c, at, id, action), func(tx store.Tx) error {
		p, have, err := k.target(tx, c, at, id, action)
		if err != nil {
			return err
		}
		key := *have
		if err := fn(tx, &p, &key); err != nil {
			return err
		}
		out = k.shown(&p, &key)
		return store.KMSKeys.Put(tx, &key)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
