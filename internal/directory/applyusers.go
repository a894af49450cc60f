package directory

import (
	"encoding/json"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

func (a *applying) account(s AccountSpec) error {
	want := identity.Account{ID: s.ID, CreatedAt: a.now}
	have, err := there(store.Accounts.Get(a.tx, s.ID))
	if err != nil {
		return err
	}
	if have != nil {
		want = *have
	}
	want.Partition, want.Name, want.AssumeRootIn = s.Partition, s.Name, s.AssumeRootIn
	if s.OutboundFederation != nil {
		want.OutboundFederation = *s.OutboundFederation
	}
	if s.Alias != "" {
		want.Alias = s.Alias
	}
	if err := upsert(a, store.Accounts, "account", s.ID, have, &want); err != nil {
		return named("account "+s.ID, err)
	}
	made := a.made.users[userKey(s.ID, "root")]
	root, err := a.userBefore(s.ID, "root", made)
	if err != nil {
		return err
	}
	u := identity.User{ID: made.id, AccountID: s.ID, CreatedAt: a.now}
	if root != nil {
		u = *root
	}
	u.Root, u.Name, u.Path, u.Realm, u.Subject = true, "root", "/", identity.RootRealm, s.ID
	u.Email, u.EmailVerified = s.RootEmail, true
	return a.putUser(root, &u, made, "root of "+s.ID)
}

// userBefore is nil for a user that does not exist yet. It fails when that was
// different as the users were prepared.
func (a *applying) userBefore(account, name string, made *preparedUser) (*identity.User, error) {
	have, err := there(store.Users.By(a.tx, "name", store.Join(account, store.Fold(name))))
	if err == nil && ((have != nil) != made.exists || have != nil && have.ID != made.id) {
		err = &identity.Error{Kind: identity.KindConflict, Op: "directory.apply", Public: "The user " + name + " changed at the same time; apply again."}
	}
	return have, err
}

func (a *applying) user(s UserSpec) error {
	acc, err := a.inAccount("user "+s.Name, s.AccountID)
	if err != nil {
		return err
	}
	if s.Realm != "" {
		r, err := store.Realms.Get(a.tx, s.Realm)
		if err != nil || r.AccountID != s.AccountID {
			return invalid("user %s: the account %s has no realm %q", s.Name, s.AccountID, s.Realm)
		}
	}
	made := a.made.users[userKey(s.AccountID, s.Name)]
	have, err := a.userBefore(s.AccountID, s.Name, made)
	if err != nil {
		return err
	}
	u := identity.User{ID: made.id, AccountID: s.AccountID, CreatedAt: a.now}
	if have != nil {
		u = *have
	}
	u.Name, u.Path, u.Realm, u.Email, u.EmailVerified = s.Name, orSlash(s.Path), s.Realm, s.Email, s.EmailVerified
	u.ClientRoles, u.Disabled, u.MustChangePassword, u.MFARequired = s.ClientRoles, s.Disabled, s.MustChangePassword, s.MFARequired
	if u.Subject = ""; s.Realm != "" {
		u.Subject = made.subject
	}
	if s.Tags != nil {
		u.Tags = s.Tags
	}
	if have != nil && have.Realm != s.Realm {
		u.PoolGroups, u.Attributes = nil, nil // of the user pool that it leaves
	}
	if s.Attributes != nil {
		u.Attributes = s.Attributes
	}
	if s.Groups != nil {
		if u.Groups, err = a.groupIDs(s); err != nil {
			return err
		}
	}
	set := policySet{managed: s.ManagedPolicies, inline: s.InlinePolicies, boundary: s.PermissionsBoundary}
	if u.Policies, err = a.policies(Owner{UserOwner, s.Name}, acc, set, u.Policies); err != nil {
		return err
	}
	return a.putUser(have, &u, made, s.Name)
}

// groupIDs are the groups that a user shall be in.
func (a *applying) groupIDs(s UserSpec) ([]string, error) {
	if len(s.Groups) > maxGroupsPerUser {
		return nil, invalid("user %s: at most %d groups", s.Name, maxGroupsPerUser)
	}
	var ids []string
	for _, name := range s.Groups {
		g, err := there(store.Groups.By(a.tx, "name", store.Join(s.AccountID, store.Fold(name))))
		if err != nil {
			return nil, err
		}
		if g == nil {
			return nil, invalid("user %s: the account %s has no group %q", s.Name, s.AccountID, name)
		}
		if slices.Contains(ids, g.ID) {
			return nil, invalid("user %s: the group %q is named twice", s.Name, name)
		}
		ids = append(ids, g.ID)
	}
	return ids, nil
}

// groupNames is a JSON list of group IDs as the list of their names.
func (a *applying) groupNames(list string) string {
	var ids []string
	if json.Unmarshal([]byte(list), &ids) != nil {
		return list
	}
	for i, id := range ids {
		if g, err := store.Groups.Get(a.tx, id); err == nil {
			ids[i] = g.Name
		}
	}
	b, err := json.Marshal(ids)
	if err != nil {
		return list
	}
	return string(b)
}

func (a *applying) putUser(have, u *identity.User, made *preparedUser, label string) error {
	before := len(a.changes)
	if err := upsert(a, store.Users, "user", label, have, u); err != nil {
		return named("user "+label, err)
	}
	for i := range a.changes[before:] {
		if c := &a.changes[before+i]; c.Field == "groups" {
			c.From, c.To = a.groupNames(c.From), a.groupNames(c.To)
		}
	}
	if made.password != nil {
		if err := store.Passwords.Put(a.tx, made.password); err != nil {
			return err
		}
		if have != nil {
			a.changes = append(a.changes, Change{Kind: "user", Name: label, Field: "password", To: "(secret)"})
		}
	}
	if have != nil {
		return a.d.userChanged(a.tx, have, u, made.password != nil)
	}
	return nil
}
