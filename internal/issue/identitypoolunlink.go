package issue

import (
	"context"
	"slices"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// UnlinkRequest is UnlinkIdentity.
type UnlinkRequest struct {
	IdentityID string
	Logins     Logins
	Remove     []string // names of providers
}

// UnlinkIdentity takes log-ins from an identity, which one of those shown must
// lead to, and ends its sessions (Cognito UnlinkIdentity). Who logs in by a
// log-in that was taken gets another identity; one that has none left lets
// nobody in. Errors as of IdentityID.
func (i *Issuer) UnlinkIdentity(ctx context.Context, r UnlinkRequest) error {
	ev := poolEvent("UnlinkIdentity", map[string]any{"identityId": bounded(r.IdentityID)})
	err := i.unlinkIdentity(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return err
}

func (i *Issuer) unlinkIdentity(ctx context.Context, r UnlinkRequest, ev *audit.Event) error {
	// 1 prove, 2 permit
	if len(r.Logins) == 0 {
		return identity.NewError(identity.KindInvalidIdentity, "issue.pool", "Access to Identity '"+bounded(r.IdentityID)+"' is forbidden.")
	}
	p, id, err := i.atIdentity(ctx, r.IdentityID, r.Logins, ev)
	if err != nil {
		return err
	}
	var names []string
	for _, name := range r.Remove {
		if realm := i.authn.UserPoolNamed(name); realm != nil {
			name = realm.PoolProvider()
		}
		names = append(names, identity.TrimScheme(name))
	}
	ev.RequestParameters["loginsToRemove"] = names
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		have, err := store.PoolIdentities.Get(tx, id.ID)
		if err != nil {
			return err
		}
		for _, l := range p.logins {
			if err := l.live(tx); err != nil {
				return err
			}
		}
		v := *have
		v.Logins = slices.DeleteFunc(slices.Clone(have.Logins), func(l identity.IdentityLogin) bool { return slices.Contains(names, l.Provider) })
		if len(v.Logins) == len(have.Logins) {
			return nil
		}
		v.Disabled, v.ModifiedAt = len(v.Logins) == 0, i.clock.Now().UTC()
		if err := store.PoolIdentities.Put(tx, &v); err != nil {
			return err
		}
		return i.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePoolIdentity, ID: v.ID, Reason: "login unlinked"})
	})
	return err
}
