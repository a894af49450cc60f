package directory

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Quotas of groups (IAM).
const (
	maxGroupName     = 128
	maxGroups        = 300
	maxGroupsPerUser = 10
	groupIDs         = "AGPA"
)

// CreateGroup makes a group in the caller's account (IAM CreateGroup).
// KindAlreadyExists when the name, in any case, is taken.
func (d *Directory) CreateGroup(ctx context.Context, c *identity.Caller, name, path string) (identity.Group, error) {
	g := identity.Group{AccountID: c.AccountID, Name: name, Path: orSlash(path), CreatedAt: d.clock.Now().UTC()}
	if err := d.permit(c, "iam:CreateGroup", g.ARN(c.Partition), c.AccountID); err != nil {
		return g, err
	}
	if err := checkGroup(&g); err != nil {
		return g, err
	}
	have, err := store.Groups.List(d.db.Snapshot(), "path", store.Join(c.AccountID, ""), store.After{}, maxGroups)
	if err != nil {
		return g, err
	}
	if len(have) >= maxGroups {
		return g, exceeded("Cannot exceed quota for GroupsPerAccount: %d", maxGroups)
	}
	if g.ID, err = d.uniqueID(groupIDs, uniqueIDLength); err != nil {
		return g, err
	}
	ev := audit.Change(c, iamSource, "CreateGroup", map[string]string{"groupName": g.Name, "path": g.Path})
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		if _, err := store.Accounts.Get(tx, g.AccountID); err != nil {
			return err
		}
		if _, err := store.Groups.By(tx, "name", store.Join(g.AccountID, store.Fold(g.Name))); err == nil {
			return groupExists(g.Name)
		}
		return store.Groups.Insert(tx, &g)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = groupExists(g.Name)
	}
	return g, err
}

func checkGroup(g *identity.Group) error {
	if err := checkName("groupName", g.Name, maxGroupName); err != nil {
		return err
	}
	return checkPath(g.Path)
}

func groupExists(name string) error {
	return &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.group", Public: "Group with name " + name + " already exists."}
}

// group finds a group that a call is about and asks whether the caller may.
func (d *Directory) group(r store.Reader, c *identity.Caller, action, name string) (*identity.Group, error) {
	o, err := d.owner(r, c, action, Owner{GroupOwner, name}, nil)
	if err != nil {
		return nil, err
	}
	return store.Groups.Get(r, o.id)
}

// GetGroup returns a group and its users, by path and name (IAM GetGroup).
func (d *Directory) GetGroup(ctx context.Context, c *identity.Caller, name string, p Page) (identity.Group, Listing[identity.User], error) {
	var group identity.Group
	var users Listing[identity.User]
	err := d.db.View(ctx, func(r store.Reader) error {
		g, err := d.group(r, c, "iam:GetGroup", name)
		if err != nil {
			return err
		}
		group = *g
		users, err = pages(d, c, "members/"+g.ID, p, tableSpan(r, store.Users, "group", store.Join(g.ID, ""), func(u *identity.User) (row[identity.User], error) {
			return row[identity.User]{at: store.After{Value: store.Join(g.ID, u.Path+u.Name), Key: u.ID}, item: *u}, nil
		}))
		return err
	})
	return group, users, err
}

// ListGroups lists the groups whose path begins with pathPrefix, by path and
// name (IAM ListGroups).
func (d *Directory) ListGroups(ctx context.Context, c *identity.Caller, pathPrefix string, p Page) (Listing[identity.Group], error) {
	var out Listing[identity.Group]
	pathPrefix = orSlash(pathPrefix)
	arn := identity.ARN{Partition: c.Partition, Service: "iam", Account: c.AccountID, Resource: "group" + pathPrefix}.String()
	if err := d.permit(c, "iam:ListGroups", arn, c.AccountID); err != nil {
		return out, err
	}
	if err := checkPathPrefix(pathPrefix); err != nil {
		return out, err
	}
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		out, err = pages(d, c, "groups", p, tableSpan(r, store.Groups, "path", store.Join(c.AccountID, pathPrefix), func(g *identity.Group) (row[identity.Group], error) {
			return row[identity.Group]{at: store.After{Value: store.Join(g.AccountID, g.Path+g.Name), Key: g.ID}, item: *g}, nil
		}))
		return err
	})
	return out, err
}

// UpdateGroup gives a group another name or path; users and policies stay (IAM
// UpdateGroup).
func (d *Directory) UpdateGroup(ctx context.Context, c *identity.Caller, name, newName, newPath string) error {
	ev := audit.Change(c, iamSource, "UpdateGroup", map[string]string{"groupName": name, "newGroupName": newName, "newPath": newPath})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		g, err := d.group(tx, c, "iam:UpdateGroup", name)
		if err != nil {
			return err
		}
		v := *g
		if newName != "" {
			v.Name = newName
		}
		if newPath != "" {
			v.Path = newPath
		}
		if err := checkGroup(&v); err != nil {
			return err
		}
		if err := d.permit(c, "iam:UpdateGroup", v.ARN(c.Partition), v.AccountID); err != nil {
			return err
		}
		if other, err := store.Groups.By(tx, "name", store.Join(v.AccountID, store.Fold(v.Name))); err == nil && other.ID != v.ID {
			return groupExists(v.Name)
		}
		return store.Groups.Put(tx, &v)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = groupExists(newName)
	}
	return err
}

// DeleteGroup removes a group without users and policies (IAM DeleteGroup).
func (d *Directory) DeleteGroup(ctx context.Context, c *identity.Caller, name string) error {
	ev := audit.Change(c, iamSource, "DeleteGroup", map[string]string{"groupName": name})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		g, err := d.group(tx, c, "iam:DeleteGroup", name)
		if err != nil {
			return err
		}
		users, err := store.Users.List(tx, "group", store.Join(g.ID, ""), store.After{}, 1)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return conflicting("Cannot delete entity, must remove users from group first.")
		}
		if err := checkDetached(&g.Policies); err != nil {
			return err
		}
		return store.Groups.Delete(tx, g.ID)
	})
}
