package kms

import (
	"context"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// SetForDeletion is the first of the two words that the deletion of a key with dual
// authorisation needs (kms:secrets.setkeyfordeletion). It takes the place of an
// earlier one. ReasonNotFound, ReasonNotDualAuth, ReasonDeleted.
func (k *KMS) SetForDeletion(ctx context.Context, c *identity.Caller, at At, id string) error {
	_, err := k.onKey(ctx, c, at, id, "secrets.setkeyfordeletion", func(_ store.Tx, _ *place, key *identity.KMSKey) error {
		if err := needsTwo(key); err != nil {
			return err
		}
		now := k.now()
		key.Doomed = &identity.KMSConsent{
			By: c.IAMID(), Lineage: descent(c), Position: k.db.Snapshot().Position(), At: now, ExpiresAt: now.Add(identity.KMSConsentLife),
		}
		return nil
	})
	return err
}

// UnsetForDeletion takes that word back, whoever gave it
// (kms:secrets.unsetkeyfordeletion). The reasons of SetForDeletion.
func (k *KMS) UnsetForDeletion(ctx context.Context, c *identity.Caller, at At, id string) error {
	_, err := k.onKey(ctx, c, at, id, "secrets.unsetkeyfordeletion", func(_ store.Tx, _ *place, key *identity.KMSKey) error {
		key.Doomed = nil
		return needsTwo(key)
	})
	return err
}

func needsTwo(key *identity.KMSKey) error {
	switch {
	case key.State == identity.KeyDestroyed:
		return deleted()
	case !dualAuth(key):
		return refuse(identity.KindConflict, ReasonNotDualAuth, "The deletion of the key needs one principal alone.")
	}
	return nil
}

func dualAuth(key *identity.KMSKey) bool { return key.DualAuth != nil && key.DualAuth.Enabled }

// descent is everything that a caller acts by: what its credential descends from,
// itself, and a long-term key.
func descent(c *identity.Caller) identity.Lineage {
	l := append(c.MadeBy(), identity.Ancestor{Kind: identity.LineagePrincipal, ID: c.PrincipalID})
	if !c.Session() && c.AccessKeyID != "" {
		l = append(l, identity.Ancestor{Kind: identity.LineageProof, ID: c.AccessKeyID})
	}
	return l
}

// agreed reports whether another than the caller has asked for the deletion, in
// time and by nothing that was revoked since. Two that have anything in common are
// not two: one person with two API keys, behind a trusted profile, or with an API
// key of somebody else's that she has made.
func (k *KMS) agreed(r store.Reader, c *identity.Caller, key *identity.KMSKey) error {
	w := key.Doomed
	if w == nil || !k.clock.Now().Before(w.ExpiresAt) {
		return refuse(identity.KindConflict, ReasonDualAuth, "The deletion of the key needs two principals, and another has to ask for it first.")
	}
	one, err := incommon(r, w.Lineage, descent(c))
	if err != nil {
		return err
	}
	if one {
		return refuse(identity.KindConflict, ReasonDualAuth, "The deletion of the key needs two principals that have nothing in common.")
	}
	// A log-out ends the session and not the word.
	lasting := slices.DeleteFunc(slices.Clone(w.Lineage), func(a identity.Ancestor) bool { return a.Kind == identity.LineageLogin })
	err = k.access.LineageLive(r, c.AccountID, lasting, w.Position, w.At)
	if err == nil {
		err = principalsThere(r, lasting)
	}
	if identity.KindOf(err) == identity.KindExpiredToken {
		return refuse(identity.KindConflict, ReasonDualAuth, "Who asked for the deletion of the key first was revoked since.")
	}
	return err
}

// principalsThere gives KindExpiredToken where a principal of a lineage is gone or
// disabled, whatever is remembered of its revocation.
func principalsThere(r store.Reader, l identity.Lineage) error {
	for _, a := range l {
		if a.Kind != identity.LineagePrincipal {
			continue
		}
		u, err := store.Users.Get(r, a.ID)
		if identity.KindOf(err) == identity.KindNotFound {
			_, err = store.Roles.Get(r, a.ID)
			u = &identity.User{}
		}
		switch {
		case identity.KindOf(err) == identity.KindNotFound, err == nil && u.Disabled:
			return identity.NewError(identity.KindExpiredToken, "kms.agreed", "")
		case err != nil:
			return err
		}
	}
	return nil
}

// incommon reports whether two descents share an ancestor, or one has an API key
// that a principal of the other made. Two keys that a third made are nobody's in
// common.
func incommon(r store.Reader, a, b identity.Lineage) (bool, error) {
	shares := func(l, with identity.Lineage) bool {
		return slices.ContainsFunc(l, func(x identity.Ancestor) bool {
			return slices.ContainsFunc(with, func(y identity.Ancestor) bool { return x.Kind == y.Kind && x.ID == y.ID })
		})
	}
	madeA, err := makers(r, a)
	if err != nil {
		return false, err
	}
	madeB, err := makers(r, b)
	return shares(a, b) || shares(madeA, b) || shares(madeB, a), err
}

// makers are the principals that made the API keys of a descent, and those that
// made the keys by which they did.
func makers(r store.Reader, l identity.Lineage) (identity.Lineage, error) {
	var out identity.Lineage
	seen := map[string]bool{}
	for queue := slices.Clone(l); len(queue) > 0; queue = queue[1:] {
		id := queue[0].ID
		if queue[0].Kind != identity.LineageProof || seen[id] {
			continue
		}
		seen[id] = true
		key, err := store.APIKeys.Get(r, id)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		maker, _ := identity.UserOfIAMID(key.CreatedBy)
		for _, a := range append(identity.Lineage{{Kind: identity.LineagePrincipal, ID: maker}}, key.MadeBy...) {
			if a.Kind == identity.LineagePrincipal && a.ID != "" {
				out = append(out, a)
			}
			queue = append(queue, a)
		}
	}
	return out, nil
}
