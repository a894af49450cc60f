package directory

import (
	"context"
	"slices"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// member finds a group and a user of it, or who shall be one. Rights are
// judged on the group, as in IAM.
func (d *Directory) member(tx store.Tx, c *identity.Caller, action, group, user string) (*identity.Group, *identity.User, error) {
	g, err := d.group(tx, c, action, group)
	if err != nil {
		return nil, nil, err
	}
	u, err := findUser(tx, c.AccountID, user)
	if err == nil && u.Root {
		err = noUser(user)
	}
	return g, u, err
}

// AddUserToGroup puts a user into a group; again is no error (IAM
// AddUserToGroup). KindLimitExceeded for the user's eleventh group.
func (d *Directory) AddUserToGroup(ctx context.Context, c *identity.Caller, group, user string) error {
	ev := audit.Change(c, iamSource, "AddUserToGroup", map[string]string{"groupName": group, "userName": user})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		g, u, err := d.member(tx, c, "iam:AddUserToGroup", group, user)
		if err != nil || slices.Contains(u.Groups, g.ID) {
			return err
		}
		if len(u.Groups) >= maxGroupsPerUser {
			return exceeded("Cannot exceed quota for GroupsPerUser: %d", maxGroupsPerUser)
		}
		v := *u
		v.Groups = append(slices.Clone(u.Groups), g.ID)
		return store.Users.Put(tx, &v)
	})
}

// RemoveUserFromGroup takes a user out of a group (IAM RemoveUserFromGroup).
func (d *Directory) RemoveUserFromGroup(ctx context.Context, c *identity.Caller, group, user string) error {
	ev := audit.Change(c, iamSource, "RemoveUserFromGroup", map[string]string{"groupName": group, "userName": user})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		g, u, err := d.member(tx, c, "iam:RemoveUserFromGroup", group, user)
		if err != nil {
			return err
		}
		i := slices.Index(u.Groups, g.ID)
		if i < 0 {
			return absent("User %s is not in group %s.", u.Name, g.Name)
		}
		v := *u
		v.Groups = slices.Delete(slices.Clone(u.Groups), i, i+1)
		return store.Users.Put(tx, &v)
	})
}

// ListGroupsForUser lists the groups that a user is in, by path and name (IAM
// ListGroupsForUser).
func (d *Directory) ListGroupsForUser(ctx context.Context, c *identity.Caller, user string, p Page) (Listing[identity.Group], error) {
	var out Listing[identity.Group]
	err := d.db.View(ctx, func(r store.Reader) error {
		own, err := d.owner(r, c, "iam:ListGroupsForUser", Owner{UserOwner, user}, nil)
		if err != nil {
			return err
		}
		u, err := store.Users.Get(r, own.id)
		if err != nil {
			return err
		}
		groups := make([]identity.Group, len(u.Groups))
		for i, id := range u.Groups {
			g, err := store.Groups.Get(r, id)
			if err != nil {
				return err
			}
			groups[i] = *g
		}
		out, err = pages(d, c, "groups/"+u.ID, p, sliceSpan(groups, func(g *identity.Group) string { return g.Path + g.Name }))
		return err
	})
	return out, err
}
