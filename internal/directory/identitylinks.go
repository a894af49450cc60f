package directory

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

func identitiesOf(r store.Reader, userID string) ([]*identity.IdentityLink, error) {
	return store.IdentityLinks.List(r, "user", store.Join(userID, ""), store.After{}, 0)
}

// ListForeign lists the foreign identities by which the caller logs in.
func (d *Directory) ListForeign(ctx context.Context, c *identity.Caller) ([]identity.IdentityLink, error) {
	if err := d.ownFactor(c, "iam:ListMFADevices"); err != nil {
		return nil, err
	}
	var out []identity.IdentityLink
	err := d.db.View(ctx, func(r store.Reader) error {
		list, err := identitiesOf(r, c.PrincipalID)
		for _, l := range list {
			out = append(out, *l)
		}
		return err
	})
	return out, err
}

// BeginOwnForeign begins a log-in at a foreign issuer of the caller's realm, whose
// identity is then linked. KindExpiredIdentity when the caller's log-in is more
// than five minutes old, KindNotFound for a log-in that the realm has not.
func (d *Directory) BeginOwnForeign(ctx context.Context, c *identity.Caller, login string) (authn.ForeignStart, error) {
	if err := d.freshFactor(c, "iam:EnableMFADevice"); err != nil {
		return authn.ForeignStart{}, err
	}
	u, err := store.Lookup(ctx, d.db, store.Users, c.PrincipalID)
	if err != nil {
		return authn.ForeignStart{}, err
	}
	return d.authn.BeginForeign(ctx, u.Realm, login, authn.ForeignFor{Purpose: authn.ForeignToLink, ID: u.ID})
}

// LinkForeign links a foreign identity, which was shown for that, to the caller.
// What the caller obtained before ends.
// KindAlreadyExists when it is somebody's already.
func (d *Directory) LinkForeign(ctx context.Context, c *identity.Caller, p *authn.ForeignProof) error {
	if err := d.freshFactor(c, "iam:EnableMFADevice"); err != nil {
		return err
	}
	ev := audit.Change(c, consoleSource, "LinkForeign", map[string]string{"issuer": p.Issuer})
	ev.Add("webIdentity", identity.WebIdentityID(p.Issuer, p.Subject))
	if p.For != (authn.ForeignFor{Purpose: authn.ForeignToLink, ID: c.PrincipalID}) {
		err := identity.NewError(identity.KindInvalidIdentity, "directory.link", "That log-in was begun for something else; begin again.")
		d.refused(ctx, ev, err)
		return err
	}
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		if err := d.storeIdentity(tx, c.PrincipalID, p); err != nil {
			return err
		}
		return d.factorChanged(tx, c.PrincipalID)
	})
}

// storeIdentity links a foreign identity to a user of the realm that it was
// shown at.
func (d *Directory) storeIdentity(tx store.Tx, userID string, p *authn.ForeignProof) error {
	if err := p.Use(tx); err != nil {
		return err
	}
	u, err := store.Users.Get(tx, userID)
	if err != nil {
		return err
	}
	if u.Root || u.Token != nil || u.Realm != p.Realm {
		return invalid("A foreign identity is linked to a user of the realm that it logs in at.")
	}
	have, err := identitiesOf(tx, u.ID)
	if err != nil {
		return err
	}
	if len(have) >= maxIdentities {
		return &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.link", Public: "A user has ten foreign identities at most: remove one first."}
	}
	err = store.IdentityLinks.Insert(tx, &identity.IdentityLink{
		AccountID: u.AccountID, UserID: u.ID, Issuer: p.Issuer, Subject: p.Subject, Label: p.Label, CreatedAt: d.clock.Now().UTC(),
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		return identity.NewError(identity.KindAlreadyExists, "directory.link", "This identity is linked to a user already.")
	}
	return err
}

// UnlinkForeign removes a foreign identity of the caller's, by its key, and ends
// what the caller obtained before. Errors as
// of DeletePasskey.
func (d *Directory) UnlinkForeign(ctx context.Context, c *identity.Caller, key string) error {
	if err := d.freshFactor(c, "iam:DeactivateMFADevice"); err != nil {
		return err
	}
	ev := audit.Change(c, consoleSource, "UnlinkForeign", map[string]string{"identity": key})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		l, err := store.IdentityLinks.Get(tx, key)
		if identity.KindOf(err) == identity.KindNotFound || err == nil && l.UserID != c.PrincipalID {
			return identity.NewError(identity.KindNotFound, "directory.link", "There is no such identity.")
		}
		if err != nil {
			return err
		}
		if err := store.IdentityLinks.Delete(tx, key); err != nil {
			return err
		}
		if err := d.keepsWayIn(tx, l.UserID); err != nil {
			return err
		}
		return d.factorChanged(tx, l.UserID)
	})
}
