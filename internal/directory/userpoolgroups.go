package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// maxPoolGroups bounds those of one pool, maxGroupsOfUser those of a user.
	maxPoolGroups   = 1000
	maxGroupsOfUser = 100
)

// PoolGroupChange is what a group is made of, or gets; nil leaves things alone.
type PoolGroupChange struct {
	Description, RoleARN *string
	Precedence           *int
}

func noPoolGroup() error {
	return identity.NewError(identity.KindNotFound, "directory.poolgroup", "Group not found.")
}

func poolGroupOf(r store.Reader, realm *identity.Realm, name string) (*identity.PoolGroup, error) {
	g, err := store.PoolGroups.Get(r, (&identity.PoolGroup{Realm: realm.Name, Name: name}).Key())
	return g, ifAbsent(err, noPoolGroup())
}

// passRole asks whether the caller may give a role away, which whoever gets into
// a group with it may take. "" is none.
func (d *Directory) passRole(r store.Reader, c *identity.Caller, account, arn string) error {
	if arn == "" {
		return nil
	}
	a, ok := identity.ParseARN(arn)
	if !ok || a.Service != "iam" || a.Account != account || !strings.HasPrefix(a.Resource, "role/") {
		return invalid("1 validation error detected: Value at 'roleArn' failed to satisfy constraint: it is the ARN of a role of the pool's account")
	}
	keys := access.EntityKeys{"iam:PassedToService": {identity.CognitoIdentity}}
	_, name, _ := a.Name("role")
	role, err := store.Roles.By(r, "name", store.Join(account, store.Fold(name)))
	if err == nil {
		keys.Tagged(role.Tags)
	} else if orAbsent(err) != nil {
		return err
	}
	return d.access.Authorize(c, "iam:PassRole", access.Resource{ARN: arn, AccountID: account, Keys: keys}).Err
}

func checkPoolGroup(g *identity.PoolGroup) error {
	if g.Name == "" || len(g.Name) > 128 || !nameRE.MatchString(strings.ReplaceAll(g.Name, ":", "")) {
		return invalid("1 validation error detected: Value at 'groupName' failed to satisfy constraint: Member must have 1 to 128 letters, digits and any of +=,.@_:-")
	}
	if len(g.Description) > 2048 || g.Precedence != nil && *g.Precedence < 0 {
		return invalid("A group has a description of up to 2048 bytes, and a precedence that is not negative.")
	}
	return nil
}

func (g PoolGroupChange) over(to *identity.PoolGroup) {
	set(&to.Description, g.Description)
	set(&to.RoleARN, g.RoleARN)
	if g.Precedence != nil {
		n := *g.Precedence
		to.Precedence = &n
	}
}

// CreatePoolGroup makes a group of a user pool; with a role the caller needs
// iam:PassRole on it besides (Cognito CreateGroup). KindAlreadyExists
// ("GroupExistsException"), KindNotFound, KindValidation, KindLimitExceeded.
func (d *Directory) CreatePoolGroup(ctx context.Context, c *identity.Caller, poolID, name string, in PoolGroupChange) (identity.PoolGroup, error) {
	var out identity.PoolGroup
	params := groupParams(name, in)
	err := d.inUserPool(ctx, c, "CreateGroup", poolID, params, func(tx store.Tx, realm *identity.Realm) error {
		now := d.clock.Now().UTC()
		g := identity.PoolGroup{Realm: realm.Name, Name: name, CreatedAt: now, ModifiedAt: now}
		in.over(&g)
		if err := checkPoolGroup(&g); err != nil {
			return err
		}
		if err := d.passRole(tx, c, realm.AccountID, g.RoleARN); err != nil {
			return err
		}
		if _, err := store.PoolGroups.Get(tx, g.Key()); orAbsent(err) != nil {
			return err
		} else if err == nil {
			return coded(identity.KindAlreadyExists, "GroupExistsException", "A group with the name already exists.")
		}
		have, err := store.PoolGroups.List(tx, "realm", store.Join(realm.Name, ""), store.After{}, maxPoolGroups)
		if err != nil {
			return err
		}
		if len(have) >= maxPoolGroups {
			return identity.NewError(identity.KindLimitExceeded, "directory.poolgroup", fmt.Sprintf("A user pool has at most %d groups.", maxPoolGroups))
		}
		out = g
		return store.PoolGroups.Insert(tx, &g)
	})
	return out, err
}

func groupParams(name string, in PoolGroupChange) map[string]string {
	params := map[string]string{"groupName": clip(name)}
	if in.RoleARN != nil {
		params["roleArn"] = clip(*in.RoleARN)
	}
	return params
}

// PoolGroup returns a group of a user pool (Cognito GetGroup). KindNotFound.
func (d *Directory) PoolGroup(ctx context.Context, c *identity.Caller, poolID, name string) (identity.PoolGroup, error) {
	var out identity.PoolGroup
	err := d.readUserPool(ctx, c, "GetGroup", poolID, func(r store.Reader, realm *identity.Realm) error {
		g, err := poolGroupOf(r, realm, name)
		if err == nil {
			out = *g
		}
		return err
	})
	return out, err
}

// UpdatePoolGroup changes a group; with a role, that which it has included, the
// caller needs iam:PassRole on it besides. With another role, what its members
// obtained ends, in batches after the change (Cognito UpdateGroup).
// KindNotFound, KindValidation.
func (d *Directory) UpdatePoolGroup(ctx context.Context, c *identity.Caller, poolID, name string, in PoolGroupChange) (identity.PoolGroup, error) {
	var out identity.PoolGroup
	ends, realmName := false, ""
	err := d.inUserPool(ctx, c, "UpdateGroup", poolID, groupParams(name, in), func(tx store.Tx, realm *identity.Realm) error {
		g, err := poolGroupOf(tx, realm, name)
		if err != nil {
			return err
		}
		v := *g
		in.over(&v)
		v.ModifiedAt = d.clock.Now().UTC()
		if err := checkPoolGroup(&v); err != nil {
			return err
		}
		if in.RoleARN != nil || in.Precedence != nil {
			if err := d.passRole(tx, c, realm.AccountID, v.RoleARN); err != nil {
				return err
			}
		}
		out, realmName, ends = v, realm.Name, g.RoleARN != "" && v.RoleARN != g.RoleARN
		return store.PoolGroups.Put(tx, &v)
	})
	if err != nil || !ends {
		return out, err
	}
	return out, d.eachMember(ctx, c, "UpdateGroup", realmName, name, func(tx store.Tx, u *identity.User) error { return d.groupsChanged(tx, u.ID) })
}

// DeletePoolGroup takes everybody out of a group, then deletes it. What its
// members obtained ends. A call that was cut short can be
// repeated (Cognito DeleteGroup). KindNotFound; KindConflict when users are put
// into it at the same time.
func (d *Directory) DeletePoolGroup(ctx context.Context, c *identity.Caller, poolID, name string) error {
	realmName, done := "", false
	try := func() error {
		return d.inUserPool(ctx, c, "DeleteGroup", poolID, map[string]string{"groupName": clip(name)}, func(tx store.Tx, realm *identity.Realm) error {
			g, err := poolGroupOf(tx, realm, name)
			if err != nil {
				return err
			}
			members, err := store.Users.List(tx, "pool group", store.Join(realm.Name, name, ""), store.After{}, 1)
			if err != nil {
				return err
			}
			realmName, done = realm.Name, len(members) == 0
			if !done {
				return nil
			}
			return store.PoolGroups.Delete(tx, g.Key())
		})
	}
	if err := try(); err != nil || done {
		return err
	}
	err := d.eachMember(ctx, c, "DeleteGroup", realmName, name, func(tx store.Tx, u *identity.User) error {
		v := *u
		v.PoolGroups = without(u.PoolGroups, name)
		if err := store.Users.Put(tx, &v); err != nil {
			return err
		}
		return d.userChanged(tx, u, &v, false)
	})
	if err != nil {
		return err
	}
	if err := try(); err != nil || done {
		return err
	}
	return identity.NewError(identity.KindConflict, "directory.poolgroup", "Users were put into the group at the same time.")
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

// eachMember runs fn on the users in a group of a pool.
func (d *Directory) eachMember(ctx context.Context, c *identity.Caller, op, realm, group string, fn func(store.Tx, *identity.User) error) error {
	return d.eachUser(ctx, c, op, "pool group", store.Join(realm, group, ""), fn)
}

// ListPoolGroups lists the groups of a user pool by name (Cognito ListGroups).
// KindNotFound, KindValidation.
func (d *Directory) ListPoolGroups(ctx context.Context, c *identity.Caller, poolID string, p Page) (Listing[identity.PoolGroup], error) {
	var out Listing[identity.PoolGroup]
	err := d.readUserPool(ctx, c, "ListGroups", poolID, func(r store.Reader, realm *identity.Realm) (err error) {
		if p, err = poolPage(p); err != nil {
			return err
		}
		prefix := store.Join(realm.Name, "")
		out, err = pages(d, c, "pool-groups/"+realm.Name, p, tableSpan(r, store.PoolGroups, "realm", prefix,
			func(g *identity.PoolGroup) (row[identity.PoolGroup], error) {
				return row[identity.PoolGroup]{at: store.After{Value: prefix + g.Name, Key: g.Key()}, item: *g}, nil
			}))
		return err
	})
	return out, err
}

// AddPoolGroupMember puts a user into a group. Into one with a role the caller
// needs iam:PassRole on it besides (Cognito AdminAddUserToGroup). KindNotFound.
func (d *Directory) AddPoolGroupMember(ctx context.Context, c *identity.Caller, poolID, name, group string) error {
	return d.changePoolUser(ctx, c, "AdminAddUserToGroup", poolID, name, func(tx store.Tx, realm *identity.Realm, _, after *identity.User) error {
		g, err := poolGroupOf(tx, realm, group)
		if err != nil {
			return err
		}
		if err := d.passRole(tx, c, realm.AccountID, g.RoleARN); err != nil {
			return err
		}
		if slices.Contains(after.PoolGroups, group) {
			return nil
		}
		if len(after.PoolGroups) >= maxGroupsOfUser {
			return identity.NewError(identity.KindLimitExceeded, "directory.poolgroup", fmt.Sprintf("A user is in at most %d groups.", maxGroupsOfUser))
		}
		after.PoolGroups = append(slices.Clone(after.PoolGroups), group)
		return nil
	})
}

// RemovePoolGroupMember takes a user out of a group; what it obtained ends (Cognito AdminRemoveUserFromGroup). KindNotFound.
func (d *Directory) RemovePoolGroupMember(ctx context.Context, c *identity.Caller, poolID, name, group string) error {
	return d.changePoolUser(ctx, c, "AdminRemoveUserFromGroup", poolID, name, func(tx store.Tx, realm *identity.Realm, before, after *identity.User) error {
		_, err := poolGroupOf(tx, realm, group)
		after.PoolGroups = without(before.PoolGroups, group)
		return err
	})
}

// GroupsOfPoolUser lists the groups that a user is in, by name (Cognito
// AdminListGroupsForUser). KindNotFound, KindValidation.
func (d *Directory) GroupsOfPoolUser(ctx context.Context, c *identity.Caller, poolID, name string, p Page) (Listing[identity.PoolGroup], error) {
	var out Listing[identity.PoolGroup]
	err := d.readUserPool(ctx, c, "AdminListGroupsForUser", poolID, func(r store.Reader, realm *identity.Realm) error {
		u, err := poolUserOf(r, realm, name)
		if err != nil {
			return err
		}
		if p, err = poolPage(p); err != nil {
			return err
		}
		var groups []identity.PoolGroup
		for _, n := range u.PoolGroups {
			g, err := poolGroupOf(r, realm, n)
			if orAbsent(err) != nil {
				return err
			}
			if err == nil {
				groups = append(groups, *g)
			}
		}
		out, err = pages(d, c, "groups-of/"+u.ID, p, sliceSpan(groups, func(g *identity.PoolGroup) string { return g.Name }))
		return err
	})
	return out, err
}

// ListPoolGroupMembers lists the users in a group by name (Cognito
// ListUsersInGroup). KindNotFound, KindValidation.
func (d *Directory) ListPoolGroupMembers(ctx context.Context, c *identity.Caller, poolID, group string, p Page) (Listing[PoolUser], error) {
	var out Listing[PoolUser]
	err := d.readUserPool(ctx, c, "ListUsersInGroup", poolID, func(r store.Reader, realm *identity.Realm) error {
		if _, err := poolGroupOf(r, realm, group); err != nil {
			return err
		}
		p, err := poolPage(p)
		if err != nil {
			return err
		}
		prefix := store.Join(realm.Name, group, "")
		out, err = pages(d, c, "group-members/"+realm.Name+"/"+group, p, tableSpan(r, store.Users, "pool group", prefix,
			func(u *identity.User) (row[PoolUser], error) {
				shown, err := poolUserStatus(r, u)
				return row[PoolUser]{at: store.After{Value: prefix + store.Fold(u.Name), Key: u.ID}, item: shown}, err
			}))
		return err
	})
	return out, err
}
