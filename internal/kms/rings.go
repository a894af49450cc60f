package kms

import (
	"context"
	"fmt"
	"regexp"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Key rings (IBM: 50 per instance, IDs of 2 to 100 characters).
const maxRings = 50

var ringRE = regexp.MustCompile(`^[A-Za-z0-9-]{2,100}$`)

// Rings lists the key rings that the caller may see (kms:keyrings.list on each).
func (k *KMS) Rings(_ context.Context, c *identity.Caller, at At) ([]identity.KMSRing, error) {
	const action = "keyrings.list"
	snap := k.db.Snapshot()
	p, err := k.instance(snap, c, at, action)
	if err != nil {
		return nil, err
	}
	list, err := store.KMSRings.List(snap, "", p.ID+"/", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	all := []identity.KMSRing{{Instance: p.ID, ID: identity.DefaultKeyRing, CreatedBy: p.CreatedBy, CreatedAt: p.CreatedAt}}
	for _, ring := range list {
		all = append(all, *ring)
	}
	var out []identity.KMSRing
	for _, ring := range all {
		if k.allows(c, &p, action, "", "", ring.ID) {
			out = append(out, ring)
		}
	}
	if out == nil {
		return nil, k.permit(c, &p, action, "", "", "", "")
	}
	return out, nil
}

// onRing runs a change of a ring as a transaction. Rights are asked for the very
// name that is changed, which the caller has judged.
func (k *KMS) onRing(ctx context.Context, c *identity.Caller, at At, id, action string, fn func(tx store.Tx, p *place) error) error {
	at.Ring = id
	ev := audit.Change(c, source, action, map[string]string{"instanceId": clip(at.Instance), "keyRingId": id})
	return k.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := k.onInstance(tx, c, at, action)
		if err != nil {
			return err
		}
		return fn(tx, &p)
	})
}

// CreateRing makes a key ring (kms:keyrings.create). ReasonBadField, ReasonExists,
// ReasonLimit.
func (k *KMS) CreateRing(ctx context.Context, c *identity.Caller, at At, id string) error {
	if !ringRE.MatchString(id) {
		return badField("key ring", "has 2 to 100 letters, digits and -")
	}
	return k.onRing(ctx, c, at, id, "keyrings.create", func(tx store.Tx, p *place) error {
		have, err := store.KMSRings.List(tx, "", p.ID+"/", store.After{}, maxRings)
		if err != nil {
			return err
		}
		ring := identity.KMSRing{Instance: p.ID, ID: id, CreatedBy: c.IAMID(), CreatedAt: k.now()}
		err = store.KMSRings.Insert(tx, &ring)
		switch {
		case identity.KindOf(err) == identity.KindAlreadyExists || id == identity.DefaultKeyRing:
			return refuse(identity.KindAlreadyExists, ReasonExists, "The key ring is there already.")
		case err == nil && len(have) >= maxRings:
			return refuse(identity.KindLimitExceeded, ReasonLimit, fmt.Sprintf("An instance has at most %d key rings besides the default one.", maxRings))
		}
		return err
	})
}

// DeleteRing takes a key ring away (kms:keyrings.delete) in which no key is. With
// force deleted keys may be in it, which move to the default one: as any move, that
// takes kms:secrets.patch in both. ReasonNotFound, ReasonInUse, also for the default
// one.
func (k *KMS) DeleteRing(ctx context.Context, c *identity.Caller, at At, id string, force bool) error {
	if !ringRE.MatchString(id) {
		return noRing()
	}
	return k.onRing(ctx, c, at, id, "keyrings.delete", func(tx store.Tx, p *place) error {
		if id == identity.DefaultKeyRing {
			return refuse(identity.KindConflict, ReasonInUse, "The default key ring cannot be deleted.")
		}
		ring := identity.KMSRing{Instance: p.ID, ID: id}
		if err := store.KMSRings.Delete(tx, ring.Key()); identity.KindOf(err) == identity.KindNotFound {
			return noRing()
		} else if err != nil {
			return err
		}
		return k.emptyRing(tx, c, p, id, force)
	})
}

// maxMoved is how many deleted keys one deletion of a ring moves.
const maxMoved = 1000

func (k *KMS) emptyRing(tx store.Tx, c *identity.Caller, p *place, ring string, force bool) error {
	prefix := p.ID + "/" + ring + "/"
	living, err := store.KMSKeys.List(tx, store.IndexKMSRing, prefix+store.KMSLiving+"/", store.After{}, 1)
	if err != nil {
		return err
	}
	past, err := store.KMSKeys.List(tx, store.IndexKMSRing, prefix+store.KMSDestroyed+"/", store.After{}, maxMoved+1)
	if err != nil {
		return err
	}
	switch {
	case len(living) > 0, len(past) > 0 && !force:
		return refuse(identity.KindConflict, ReasonInUse, "Keys are in the key ring.")
	case len(past) > maxMoved:
		return refuse(identity.KindConflict, ReasonInUse, fmt.Sprintf("More than %d deleted keys are in the key ring.", maxMoved))
	}
	for _, have := range past {
		key := *have
		for _, in := range []string{ring, identity.DefaultKeyRing} {
			if err := k.permit(c, p, actionPatch, "key", key.ID, "*", in); err != nil {
				return err
			}
		}
		key.Ring = identity.DefaultKeyRing
		if err := store.KMSKeys.Put(tx, &key); err != nil {
			return err
		}
	}
	return nil
}
