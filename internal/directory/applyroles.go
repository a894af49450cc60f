package directory

import (
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// roleBefore is a role as the transaction found it, nil when it did not, and
// its unique ID.
type roleBefore struct {
	have *identity.Role
	id   string
}

// nameRole makes sure that the trust policies of this site can name a role,
// itself included, whatever their order: a new one is put without trust, and
// one that moves gets its name and path.
func (a *applying) nameRole(s RoleSpec) error {
	if _, err := a.inAccount("role "+s.Name, s.AccountID); err != nil {
		return err
	}
	have, err := there(store.Roles.By(a.tx, "name", store.Join(s.AccountID, store.Fold(s.Name))))
	if err != nil {
		return err
	}
	named := identity.Role{AccountID: s.AccountID, CreatedAt: a.now}
	if have != nil {
		named = *have
	} else if named.ID, err = a.d.uniqueID("AROA", uniqueIDLength); err != nil {
		return err
	}
	a.roles[store.Join(s.AccountID, s.Name)] = &roleBefore{have, named.ID}
	named.Name, named.Path = s.Name, orSlash(s.Path)
	if have != nil && have.Name == named.Name && have.Path == named.Path {
		return nil
	}
	return store.Roles.Put(a.tx, &named)
}

func (a *applying) role(s RoleSpec) error {
	acc, err := a.inAccount("role "+s.Name, s.AccountID)
	if err != nil {
		return err
	}
	before := a.roles[store.Join(s.AccountID, s.Name)]
	want := identity.Role{ID: before.id, AccountID: s.AccountID, CreatedAt: a.now}
	if before.have != nil {
		want = *before.have
	}
	want.Name, want.Path, want.Description, want.Trust, want.MaxSessionDuration = s.Name, orSlash(s.Path), s.Description, s.Trust, s.MaxSessionDuration
	if _, want.TrustBindings, err = parseBound(a.tx, policy.TrustPolicy, s.Trust, policy.Options{}); err != nil {
		return prefixed("role "+s.Name+", trust", err)
	}
	if s.Tags != nil {
		want.Tags = s.Tags
	}
	set := policySet{managed: s.ManagedPolicies, inline: s.InlinePolicies, boundary: s.PermissionsBoundary}
	if want.Policies, err = a.policies(Owner{RoleOwner, s.Name}, acc, set, want.Policies); err != nil {
		return err
	}
	if before.have != nil {
		if err := a.d.trustChanged(a.tx, before.have, &want); err != nil {
			return err
		}
	}
	return upsert(a, store.Roles, "role", s.Name, before.have, &want)
}
