package directory

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// DeleteUserPool ends a user pool that CreateUserPool made: its clients, users
// and groups, and all that they obtained (Cognito DeleteUserPool). What many
// users had goes in several transactions, the pool itself in the last; a call
// that was cut short can be repeated. KindInvalidInput for a pool that is
// protected, of the site file, or named by an identity pool or an API;
// KindConflict when users are added at the same time.
func (d *Directory) DeleteUserPool(ctx context.Context, c *identity.Caller, id string) error {
	name := ""
	err := d.inUserPool(ctx, c, "DeleteUserPool", id, nil, func(tx store.Tx, realm *identity.Realm) error {
		name = realm.Name
		if err := d.mayDeletePool(tx, realm); err != nil {
			return err
		}
		clients, err := poolClientsOf(tx, realm.Name)
		if err != nil {
			return err
		}
		for _, cl := range clients { // without them nobody logs in any more
			if err := deletePoolClient(tx, cl); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := d.eachPoolUser(ctx, c, "DeleteUserPool", name, d.removePoolUser); err != nil {
		return err
	}
	ev := audit.Change(c, poolSource, "DeleteUserPool", map[string]string{"userPoolId": id, "part": "pool"})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		realm, err := store.Realms.Get(tx, name)
		if err != nil {
			return ifAbsent(err, noUserPool(id))
		}
		if err := d.mayDeletePool(tx, realm); err != nil {
			return err
		}
		return deletePoolRealm(tx, realm)
	})
}

// mayDeletePool says whether anything stands in the way of a pool's deletion.
func (d *Directory) mayDeletePool(r store.Reader, realm *identity.Realm) error {
	refused := func(sentence string) error {
		return identity.NewError(identity.KindInvalidInput, "directory.userpool", sentence)
	}
	if !realm.Apart() {
		return refused("This user pool is described in the site file and cannot be deleted by a call.")
	}
	if realm.Pool.Protected {
		return refused("The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first.")
	}
	pools, err := store.IdentityPools.List(r, "account", store.Join(realm.AccountID, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	for _, p := range pools {
		for _, l := range p.UserPools {
			if l.Provider == realm.PoolProvider() {
				return refused("The identity pool " + p.ID + " takes tokens of this user pool; take it out of there first.")
			}
		}
	}
	apis, err := store.StaxAPIs.List(r, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, a := range apis {
		if a.Realm == realm.Name {
			return refused("An API of the site file logs in at this user pool.")
		}
	}
	return inSiteFile(r, realm, refused)
}

// inSiteFile refuses a realm that the site file builds on.
func inSiteFile(r store.Reader, realm *identity.Realm, refused func(string) error) error {
	const used = "The site file builds on the realm of this user pool."
	providers, err := store.Providers.List(r, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, p := range providers {
		if p.OwnRealm == realm.Name {
			return refused(used)
		}
	}
	clients, err := store.Clients.List(r, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, cl := range clients {
		if cl.Realm == realm.Name {
			return refused(used)
		}
	}
	users, err := store.Users.List(r, "realm", store.Join(realm.Name, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	for _, u := range users {
		if !u.Local {
			return refused("IAM users log in at this user pool: delete them with IAM first.")
		}
	}
	return nil
}

// removePoolUser deletes a user that only its pool knows, and ends what it
// obtained.
func (d *Directory) removePoolUser(tx store.Tx, u *identity.User) error {
	if !u.Local {
		return identity.NewError(identity.KindInvalidInput, "directory.pooluser", "IAM knows this user too: delete it with IAM DeleteUser.")
	}
	keys, err := ownedBy(tx, u.ID)()
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := d.dropKey(tx, k.ID); err != nil {
			return err
		}
	}
	if err := removeDevices(tx, u.ID); err != nil {
		return err
	}
	if err := orAbsent(store.Passwords.Delete(tx, u.ID)); err != nil {
		return err
	}
	if err := orAbsent(store.Uses.Delete(tx, u.ID)); err != nil {
		return err
	}
	if err := d.dropLogins(tx, u.ID); err != nil {
		return err
	}
	if err := store.Users.Delete(tx, u.ID); err != nil {
		return err
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: "user deleted"})
}

// removeDevices deletes the MFA devices of a user.
func removeDevices(tx store.Tx, userID string) error {
	devices, err := store.MFADevices.List(tx, "user", store.Join(userID, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	for _, m := range devices {
		if err := orAbsent(store.MFASeeds.Delete(tx, m.Serial)); err != nil {
			return err
		}
		if err := store.MFADevices.Delete(tx, m.Serial); err != nil {
			return err
		}
	}
	return nil
}

// deletePoolRealm removes an empty pool with its groups and signing keys.
func deletePoolRealm(tx store.Tx, realm *identity.Realm) error {
	users, err := store.Users.List(tx, "realm", store.Join(realm.Name, ""), store.After{}, 1)
	if err != nil {
		return err
	}
	clients, err := store.PoolClients.List(tx, "realm", store.Join(realm.Name, ""), store.After{}, 1)
	if err != nil {
		return err
	}
	if len(users)+len(clients) > 0 {
		return identity.NewError(identity.KindConflict, "directory.userpool", "Users or clients were added to the pool at the same time.")
	}
	groups, err := store.PoolGroups.List(tx, "realm", store.Join(realm.Name, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := store.PoolGroups.Delete(tx, g.Key()); err != nil {
			return err
		}
	}
	for _, set := range []string{realm.KeySet(), realm.PoolKeySet()} {
		rows, err := store.SigningKeys.List(tx, "set", store.Join(set, ""), store.After{}, 0)
		if err != nil {
			return err
		}
		for _, k := range rows {
			if err := store.SigningKeys.Delete(tx, k.Set+"/"+k.ID); err != nil {
				return err
			}
		}
	}
	return store.Realms.Delete(tx, realm.Name)
}
