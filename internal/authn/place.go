package authn

import (
	"context"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// RealmAt is the realm that the place of a log-in form names: itself, the one of
// the account with that ID or alias in which there is such a user, or, without
// a place, that of root users. The realms of user pools that calls made must be
// named themselves: their users must not stand in the way of the account's. One that nobody knows is a realm that nobody is
// in.
func (a *Authn) RealmAt(ctx context.Context, place, name string) string {
	if place == "" {
		return identity.RootRealm
	}
	snap := a.db.Snapshot()
	if _, err := store.Realms.Get(snap, place); err == nil {
		return place
	}
	acc, err := store.Accounts.Get(snap, place)
	if err != nil {
		if acc, err = store.Accounts.By(snap, "alias", place); err != nil {
			return place
		}
	}
	realms, err := store.Realms.List(snap, "", "", store.After{}, 0)
	if err != nil {
		return place
	}
	found := place
	err = a.db.View(ctx, func(r store.Reader) error {
		for _, realm := range realms {
			if realm.AccountID != acc.ID || realm.Apart() {
				continue
			}
			_, err := store.Users.By(r, "login", store.Join(realm.Name, store.Fold(name)))
			if err == nil || found == place {
				found = realm.Name
			}
			if err == nil {
				break
			}
		}
		return nil
	})
	if err != nil {
		return place
	}
	return found
}
