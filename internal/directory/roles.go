package directory

import (
	"context"
	"fmt"
	"strconv"
	"unicode/utf8"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

const iamSource = "iam.amazonaws.com"

// NewRole is what a role is made of. MaxSessionDuration is in seconds, 0 for an
// hour; Trust is the trust policy (JSON); Boundary the ARN of a managed policy
// or "".
type NewRole struct {
	Name, Path, Description, Trust, Boundary string
	MaxSessionDuration                       int
	Tags                                     map[string]string
}

// RoleDetails is a role and its last use, at the zero time when it never was.
type RoleDetails struct {
	identity.Role
	LastUsed identity.Use
}

// RoleChange is what UpdateRole changes; nil and 0 leave things alone.
type RoleChange struct {
	Description        *string
	MaxSessionDuration int // seconds
}

// CreateRole makes a role in the caller's account (IAM CreateRole).
// KindAlreadyExists when the name, in any case, is taken; KindMalformedPolicy
// and KindLimitExceeded for a trust policy that cannot stand; KindNotFound for
// a boundary that is no policy.
func (d *Directory) CreateRole(ctx context.Context, c *identity.Caller, in NewRole) (identity.Role, error) {
	if in.MaxSessionDuration == 0 {
		in.MaxSessionDuration = minRoleTTL
	}
	role := identity.Role{
		AccountID: c.AccountID, Name: in.Name, Path: orSlash(in.Path), Description: in.Description, Trust: in.Trust,
		MaxSessionDuration: in.MaxSessionDuration, Policies: identity.Policies{Boundary: in.Boundary}, Tags: in.Tags, CreatedAt: d.clock.Now().UTC(),
	}
	arn, keys := role.ARN(c.Partition), access.EntityKeys{}.Tagging(in.Tags).Bounded(in.Boundary)
	if err := d.permitCreation(c, "iam:CreateRole", "iam:TagRole", arn, keys, in.Tags); err != nil {
		return role, err
	}
	if err := checkRole(&role); err != nil {
		return role, err
	}
	if err := d.checkRoleQuota(c.AccountID); err != nil {
		return role, err
	}
	var err error
	if role.ID, err = d.uniqueID("AROA", 17); err != nil {
		return role, err
	}
	ev := audit.Change(c, iamSource, "CreateRole", map[string]string{
		"roleName": role.Name, "path": role.Path, "assumeRolePolicyDocument": role.Trust, "permissionsBoundary": in.Boundary,
		"maxSessionDuration": strconv.Itoa(role.MaxSessionDuration),
	})
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, role.AccountID)
		if err != nil {
			return err
		}
		if _, err := store.Roles.By(tx, "name", store.Join(role.AccountID, store.Fold(role.Name))); err == nil {
			return roleExists(role.Name)
		}
		if err := checkBoundary(tx, acc, in.Boundary); err != nil {
			return err
		}
		if _, role.TrustBindings, err = parseBound(tx, policy.TrustPolicy, role.Trust, policy.Options{}); err != nil {
			return err
		}
		return store.Roles.Insert(tx, &role)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = roleExists(role.Name)
	}
	return role, err
}

// permitCreation asks for the right to make an entity and, where it is made
// with tags, for the right to tag it: tags grant rights to and on it.
func (d *Directory) permitCreation(c *identity.Caller, create, tag, arn string, keys access.EntityKeys, tags map[string]string) error {
	if err := d.permitKeyed(c, create, arn, c.AccountID, keys); err != nil || len(tags) == 0 {
		return err
	}
	return d.permitKeyed(c, tag, arn, c.AccountID, keys)
}

func checkRole(r *identity.Role) error {
	if err := checkName("roleName", r.Name, maxRoleName); err != nil {
		return err
	}
	if err := checkPath(r.Path); err != nil {
		return err
	}
	if err := checkRoleSettings(r); err != nil {
		return err
	}
	return checkTags(r.Tags)
}

// checkRoleSettings judges what UpdateRole may change.
func checkRoleSettings(r *identity.Role) error {
	const constraint = "1 validation error detected: Value '%d' at 'maxSessionDuration' failed to satisfy constraint: Member must have value "
	switch n := r.MaxSessionDuration; {
	case n < minRoleTTL:
		return invalid(constraint+"greater than or equal to %d", n, minRoleTTL)
	case n > maxRoleTTL:
		return invalid(constraint+"less than or equal to %d", n, maxRoleTTL)
	}
	if utf8.RuneCountInString(r.Description) > maxDescription {
		return invalid("1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to %d", maxDescription)
	}
	if !describeRE.MatchString(r.Description) {
		return invalid(`1 validation error detected: Value at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`)
	}
	return nil
}

// checkRoleQuota counts in the snapshot: roles made at the same moment may go
// beyond it by a few, and no two creations collide over it.
func (d *Directory) checkRoleQuota(account string) error {
	list, err := store.Roles.List(d.db.Snapshot(), "path", store.Join(account, ""), store.After{}, maxRoles)
	if err == nil && len(list) >= maxRoles {
		err = &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.role", Public: fmt.Sprintf("Cannot exceed quota for RolesPerAccount: %d", maxRoles)}
	}
	return err
}

func roleExists(name string) error {
	return &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.role", Public: fmt.Sprintf("Role with name %s already exists.", name)}
}

func noRole(name string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.role", Public: fmt.Sprintf("The role with name %s cannot be found.", name)}
}

// targetRole resolves the role that an IAM call is about and asks whether the
// caller may. A caller without rights gets the same answer whether or not the
// role exists. keys are those of the request; the role's own are added.
func (d *Directory) targetRole(r store.Reader, c *identity.Caller, action, name string, keys access.EntityKeys) (*identity.Role, error) {
	role, err := store.Roles.By(r, "name", store.Join(c.AccountID, store.Fold(name)))
	shown := identity.RoleARN(c.Partition, c.AccountID, "/", name)
	if keys == nil {
		keys = access.EntityKeys{}
	}
	res := access.Resource{ARN: shown, Shown: shown, AccountID: c.AccountID, Keys: keys}
	if err == nil {
		res.ARN = role.ARN(c.Partition)
		keys.Tagged(role.Tags)
	}
	if denied := d.access.Authorize(c, action, res).Err; denied != nil {
		return nil, denied
	}
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, noRole(name)
	}
	return role, err
}

// GetRole returns a role of the caller's account (IAM GetRole).
func (d *Directory) GetRole(ctx context.Context, c *identity.Caller, name string) (RoleDetails, error) {
	var out RoleDetails
	err := d.db.View(ctx, func(r store.Reader) error {
		role, err := d.targetRole(r, c, "iam:GetRole", name, nil)
		if err != nil {
			return err
		}
		out.Role = *role
		out.LastUsed, err = lastUse(r, role.ID)
		return err
	})
	return out, err
}

// lastUse is zero for what was never used.
func lastUse(r store.Reader, id string) (identity.Use, error) {
	u, err := store.Uses.Get(r, id)
	if err != nil {
		return identity.Use{}, orAbsent(err)
	}
	return *u, nil
}

// ListRoles lists the account's roles whose path begins with pathPrefix, by
// path and name (IAM ListRoles).
func (d *Directory) ListRoles(ctx context.Context, c *identity.Caller, pathPrefix string, p Page) (Listing[identity.Role], error) {
	var out Listing[identity.Role]
	if pathPrefix == "" {
		pathPrefix = "/"
	}
	if err := d.permit(c, "iam:ListRoles", identity.RoleARN(c.Partition, c.AccountID, pathPrefix, ""), c.AccountID); err != nil {
		return out, err
	}
	if err := checkPathPrefix(pathPrefix); err != nil {
		return out, err
	}
	after, err := d.openMarker(c, "roles", p.Marker)
	if err != nil {
		return out, err
	}
	err = d.db.View(ctx, func(r store.Reader) error {
		list, err := store.Roles.List(r, "path", store.Join(c.AccountID, pathPrefix), after, p.limit()+1)
		if err != nil {
			return err
		}
		for _, role := range list {
			if len(out.Items) == p.limit() {
				last := &out.Items[len(out.Items)-1]
				out.Next, err = d.sealMarker(c, "roles", store.After{Value: store.Join(last.AccountID, last.Path+last.Name), Key: last.ID})
				return err
			}
			out.Items = append(out.Items, *role)
		}
		return nil
	})
	return out, err
}

// InstanceProfilesForRole says that no instance profile holds a role, since
// there are none; KindNotFound when there is no such role (IAM
// ListInstanceProfilesForRole).
func (d *Directory) InstanceProfilesForRole(ctx context.Context, c *identity.Caller, name string) error {
	return d.db.View(ctx, func(r store.Reader) error {
		_, err := d.targetRole(r, c, "iam:ListInstanceProfilesForRole", name, nil)
		return err
	})
}
