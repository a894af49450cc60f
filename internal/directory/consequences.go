package directory

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// What ends when something changes. Each of these runs in the transaction that
// makes the change. For roles see trustChanged.

// userChanged ends what a user obtained before it was disabled, left its realm or
// a group of its user pool, or got another factor; secret says that its password
// changed.
func (d *Directory) userChanged(tx store.Tx, before, after *identity.User, secret bool) error {
	reason := ""
	switch {
	case !before.Disabled && after.Disabled:
		reason = "user disabled"
	case before.Realm != "" && (after.Realm != before.Realm || after.Subject != before.Subject):
		reason = "user left its realm"
	case secret, !before.MustChangePassword && after.MustChangePassword:
		reason = "password changed"
	case !before.MFARequired && after.MFARequired:
		reason = "factor changed"
	case slices.ContainsFunc(before.PoolGroups, func(g string) bool { return !slices.Contains(after.PoolGroups, g) }):
		reason = "left a group of its user pool" // that its tokens name, perhaps with a role
	default:
		return nil
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: after.ID, Reason: reason})
}

// accountChanged ends everything in an account that was disabled, and what
// came of it elsewhere.
func (d *Directory) accountChanged(tx store.Tx, before, after *identity.Account) error {
	if before.Disabled || !after.Disabled {
		return nil
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageAccount, ID: after.ID, Reason: "account disabled"})
}

// roleDeleted ends the sessions of a role with what came of them.
func (d *Directory) roleDeleted(tx store.Tx, role *identity.Role) error {
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageRole, ID: role.ID, Reason: "role deleted"})
}

// keyEnded ends the sessions that were made with a long-term key which was
// switched off or deleted.
func (d *Directory) keyEnded(tx store.Tx, keyID, reason string) error {
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageProof, ID: keyID, Reason: reason})
}

// providerChanged ends the sessions that came through an OIDC provider which
// is deleted (after nil), or no longer takes what it took: a client ID, a key
// or an authority was removed. Deleting one whose keys sleep switches the
// long-term keys off that were made through it: nobody can log in by it again.
func (d *Directory) providerChanged(tx store.Tx, before, after *identity.Provider) error {
	reason := ""
	switch {
	case after == nil:
		reason = "provider deleted"
	case slices.ContainsFunc(before.ClientIDs, func(id string) bool { return !slices.Contains(after.ClientIDs, id) }):
		reason = "client ID removed from provider"
	case slices.ContainsFunc(before.IssuerAliases, func(iss string) bool { return !slices.Contains(after.IssuerAliases, iss) }):
		reason = "issuer alias removed from provider"
	case !slices.Equal(before.RoleMappings, after.RoleMappings) && len(after.RoleMappings) > 0:
		reason = "role mappings of provider changed"
	case before.JWKS != after.JWKS && !keysKept(before.JWKS, after.JWKS), !strings.Contains(after.CABundle, before.CABundle):
		reason = "keys of provider replaced"
	default:
		return nil
	}
	arn, err := d.providerARN(tx, before)
	if err != nil {
		return err
	}
	if after == nil && before.KeysSleepAfterDays > 0 {
		if _, err := d.switchOffKeys(tx, madeBy(tx, identity.LineageProvider, arn), reason); err != nil {
			return err
		}
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageProvider, ID: arn, Reason: reason})
}

// providerARN is the ARN that sessions by a provider name.
func (d *Directory) providerARN(r store.Reader, p *identity.Provider) (string, error) {
	acc, err := store.Accounts.Get(r, p.AccountID)
	if err != nil {
		return "", err
	}
	issuer, err := d.issuerOf(r, p)
	return identity.ProviderARN(acc.Partition, acc.ID, issuer), err
}

// keysKept says whether every key of one set (RFC 7517) is in another, member
// by member. A provider without a set fetches it, which is a change too.
func keysKept(before, after string) bool {
	had, ok := keysOf(before)
	has, ok2 := keysOf(after)
	if !ok || !ok2 {
		return false
	}
	return !slices.ContainsFunc(had, func(k []byte) bool {
		return !slices.ContainsFunc(has, func(o []byte) bool { return bytes.Equal(k, o) })
	})
}

func keysOf(set string) ([][]byte, bool) {
	var doc struct {
		Keys []map[string]any `json:"keys"`
	}
	if json.Unmarshal([]byte(set), &doc) != nil {
		return nil, false
	}
	out := make([][]byte, len(doc.Keys))
	for i, k := range doc.Keys {
		out[i], _ = json.Marshal(k) // members in order; what was decoded encodes
	}
	return out, true
}

// keyFinder lists long-term keys inside a transaction.
type keyFinder func() ([]*identity.AccessKey, error)

// madeBy finds the keys that sessions with this ancestor made.
func madeBy(r store.Reader, kind identity.LineageKind, id string) keyFinder {
	return func() ([]*identity.AccessKey, error) {
		return store.AccessKeys.List(r, "maker", store.Join(string(kind), id, ""), store.After{}, 0)
	}
}

// ownedBy finds the keys of a user.
func ownedBy(r store.Reader, userID string) keyFinder {
	return func() ([]*identity.AccessKey, error) {
		list, err := store.AccessKeys.List(r, "user", userID, store.After{}, 0)
		// The listing is by prefix, and one account's ID may begin another's.
		return slices.DeleteFunc(list, func(k *identity.AccessKey) bool { return k.UserID != userID }), err
	}
}

// switchOffKeys deactivates keys, ends what was obtained with them, and says
// which they were.
func (d *Directory) switchOffKeys(tx store.Tx, find keyFinder, reason string) ([]string, error) {
	list, err := find()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, k := range list {
		if !k.Active {
			continue
		}
		v := *k
		v.Active = false
		v.Version++
		if err := store.AccessKeys.Put(tx, &v); err != nil {
			return nil, err
		}
		if err := d.keyEnded(tx, k.ID, reason); err != nil {
			return nil, err
		}
		out = append(out, k.ID)
	}
	return out, nil
}

// tokenChanged ends what an API token yielded before it was deleted or got
// another role.
func (d *Directory) tokenChanged(tx store.Tx, before, after *identity.User) error {
	reason := ""
	switch {
	case after.Token.Deleted && !before.Token.Deleted:
		reason = "API token deleted"
	case after.Token.Role != before.Token.Role:
		reason = "role of API token changed"
	default:
		return nil
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: after.ID, Reason: reason})
}

// poolGroupChanged ends what the members of a group of a user pool obtained
// before it was deleted (after nil) or got another role: their tokens name both.
func (d *Directory) poolGroupChanged(tx store.Tx, before, after *identity.PoolGroup) error {
	reason := "group of user pool deleted"
	if after != nil {
		if reason = "role of a group of the user pool changed"; before.RoleARN == "" || before.RoleARN == after.RoleARN {
			return nil
		}
	}
	members, err := store.Users.List(tx, "pool group", store.Join(before.Realm, before.Name, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	for _, u := range members {
		if err := d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: reason}); err != nil {
			return err
		}
	}
	return nil
}

// groupsChanged ends what a user obtained with the role of a group of its pool
// that it has no longer.
func (d *Directory) groupsChanged(tx store.Tx, userID string) error {
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: userID, Reason: "groups changed"})
}
