package directory

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// changeRole runs one transaction that puts a changed copy of a role.
func (d *Directory) changeRole(ctx context.Context, c *identity.Caller, call, name string, params map[string]string, keys access.EntityKeys, fn func(tx store.Tx, before, after *identity.Role) error) (identity.Role, error) {
	var after identity.Role
	if params == nil {
		params = map[string]string{}
	}
	params["roleName"] = name
	err := d.change(ctx, c, audit.Change(c, iamSource, call, params), func(tx store.Tx) error {
		before, err := d.targetRole(tx, c, "iam:"+call, name, maps.Clone(keys))
		if err != nil {
			return err
		}
		after = *before
		if err := fn(tx, before, &after); err != nil {
			return err
		}
		return store.Roles.Put(tx, &after)
	})
	return after, err
}

// UpdateRole changes a role's description and the longest life of its sessions
// (IAM UpdateRole). Sessions that exist live on.
func (d *Directory) UpdateRole(ctx context.Context, c *identity.Caller, name string, change RoleChange) error {
	params := map[string]string{}
	if change.MaxSessionDuration != 0 {
		params["maxSessionDuration"] = strconv.Itoa(change.MaxSessionDuration)
	}
	_, err := d.changeRole(ctx, c, "UpdateRole", name, params, nil, func(_ store.Tx, _, after *identity.Role) error {
		if change.Description != nil {
			after.Description = *change.Description
		}
		if change.MaxSessionDuration != 0 {
			after.MaxSessionDuration = change.MaxSessionDuration
		}
		return checkRoleSettings(after)
	})
	return err
}

// UpdateRoleDescription changes a role's description (IAM
// UpdateRoleDescription).
func (d *Directory) UpdateRoleDescription(ctx context.Context, c *identity.Caller, name, description string) (identity.Role, error) {
	return d.changeRole(ctx, c, "UpdateRoleDescription", name, nil, nil, func(_ store.Tx, _, after *identity.Role) error {
		after.Description = description
		return checkRoleSettings(after)
	})
}

// UpdateAssumeRolePolicy gives a role another trust policy (IAM
// UpdateAssumeRolePolicy).
func (d *Directory) UpdateAssumeRolePolicy(ctx context.Context, c *identity.Caller, name, document string) error {
	params := map[string]string{"policyDocument": document}
	_, err := d.changeRole(ctx, c, "UpdateAssumeRolePolicy", name, params, nil, func(tx store.Tx, before, after *identity.Role) error {
		_, bound, err := parseBound(tx, policy.TrustPolicy, document, policy.Options{})
		if err != nil {
			return err
		}
		after.Trust, after.TrustBindings = document, bound
		return d.trustChanged(tx, before, after)
	})
	return err
}

// DeleteRole removes a role without policies and ends its sessions (IAM
// DeleteRole). Its unique ID never comes back.
func (d *Directory) DeleteRole(ctx context.Context, c *identity.Caller, name string) error {
	ev := audit.Change(c, iamSource, "DeleteRole", map[string]string{"roleName": name})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		role, err := d.targetRole(tx, c, "iam:DeleteRole", name, nil)
		if err != nil {
			return err
		}
		if err := checkDetached(&role.Policies); err != nil {
			return err
		}
		if err := store.Uses.Delete(tx, role.ID); orAbsent(err) != nil {
			return err
		}
		if err := store.Roles.Delete(tx, role.ID); err != nil {
			return err
		}
		return d.roleDeleted(tx, role)
	})
}

// TagRole adds tags to a role, or changes them (IAM TagRole).
func (d *Directory) TagRole(ctx context.Context, c *identity.Caller, name string, tags map[string]string) error {
	_, err := d.changeRole(ctx, c, "TagRole", name, tagNames(tags), access.EntityKeys{}.Tagging(tags), func(_ store.Tx, before, after *identity.Role) (err error) {
		after.Tags, err = withTags(before.Tags, tags)
		return err
	})
	return err
}

// UntagRole removes tags from a role; those it does not have do not matter (IAM
// UntagRole).
func (d *Directory) UntagRole(ctx context.Context, c *identity.Caller, name string, tagKeys []string) error {
	params := map[string]string{"tagKeys": strings.Join(tagKeys, ",")}
	_, err := d.changeRole(ctx, c, "UntagRole", name, params, access.EntityKeys{}.TagKeys(tagKeys), func(_ store.Tx, before, after *identity.Role) error {
		after.Tags = withoutTags(before.Tags, tagKeys)
		return nil
	})
	return err
}

// tagNames are the parameters that an event tells of tags: their keys.
func tagNames(tags map[string]string) map[string]string {
	return map[string]string{"tagKeys": strings.Join(slices.Sorted(maps.Keys(tags)), ",")}
}

// ListRoleTags lists a role's tags, by key (IAM ListRoleTags).
func (d *Directory) ListRoleTags(ctx context.Context, c *identity.Caller, name string, p Page) (Listing[Tag], error) {
	var role *identity.Role
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		role, err = d.targetRole(r, c, "iam:ListRoleTags", name, nil)
		return err
	})
	if err != nil {
		return Listing[Tag]{}, err
	}
	return d.listTags(c, role.ID, role.Tags, p)
}
