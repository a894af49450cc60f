package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// NewUser is what a user is made of. Boundary is the ARN of a managed policy or "".
type NewUser struct {
	Name, Path, Boundary string
	Tags                 map[string]string
}

// UserDetails is a user and when the user last logged in by password, zero when
// that is not known.
type UserDetails struct {
	identity.User
	PasswordLastUsed time.Time
}

// CreateUser makes a user in the caller's account (IAM CreateUser).
// KindAlreadyExists when the name, in any case, is taken; KindNotFound for a
// boundary that is no policy.
func (d *Directory) CreateUser(ctx context.Context, c *identity.Caller, in NewUser) (identity.User, error) {
	if in.Path == "" {
		in.Path = "/"
	}
	u := identity.User{
		AccountID: c.AccountID, Name: in.Name, Path: in.Path, Policies: identity.Policies{Boundary: in.Boundary}, Tags: in.Tags,
		CreatedAt: d.clock.Now().UTC(),
	}
	keys := access.EntityKeys{}.Tagging(in.Tags).Bounded(in.Boundary)
	if err := d.permitCreation(c, "iam:CreateUser", "iam:TagUser", u.ARN(c.Partition), keys, in.Tags); err != nil {
		return u, err
	}
	if err := checkUser(&u); err != nil {
		return u, err
	}
	var err error
	if u.ID, err = d.uniqueID("AIDA", 17); err != nil {
		return u, err
	}
	ev := audit.Change(c, iamSource, "CreateUser", map[string]string{"userName": u.Name, "path": u.Path, "permissionsBoundary": in.Boundary})
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		acc, err := store.Accounts.Get(tx, u.AccountID)
		if err != nil {
			return err
		}
		if _, err := store.Users.By(tx, "name", store.Join(u.AccountID, store.Fold(u.Name))); err == nil {
			return userExists(u.Name)
		}
		if err := checkBoundary(tx, acc, in.Boundary); err != nil {
			return err
		}
		return store.Users.Insert(tx, &u)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = userExists(u.Name)
	}
	return u, err
}

func checkUser(u *identity.User) error {
	if err := checkName("userName", u.Name, maxUserName); err != nil {
		return err
	}
	if strings.EqualFold(u.Name, "root") {
		return invalid("The name root is the account's own.")
	}
	if err := checkPath(u.Path); err != nil {
		return err
	}
	return checkTags(u.Tags)
}

func userExists(name string) error {
	return &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.user", Public: fmt.Sprintf("User with name %s already exists.", name)}
}

func noUser(name string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.user", Public: fmt.Sprintf("The user with name %s cannot be found.", name)}
}

// findUser returns the named user of an account; the name "root" is the root
// user's where root is meant.
func findUser(r store.Reader, account, name string) (*identity.User, error) {
	u, err := store.Users.By(r, "name", store.Join(account, store.Fold(name)))
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, noUser(name)
	}
	return u, err
}

// callersUser returns the user that a call without a user name is about: the
// caller itself, or root for a session of the root user. Other sessions have
// none (KindValidation).
func callersUser(r store.Reader, c *identity.Caller) (*identity.User, error) {
	switch c.Kind {
	case identity.RootUser, identity.IAMUser:
		u, err := store.Users.Get(r, c.PrincipalID)
		if identity.KindOf(err) == identity.KindNotFound {
			return nil, noUser(c.Name)
		}
		return u, err
	default:
		return nil, invalid("Must specify userName when calling with non-User credentials")
	}
}

// target resolves the user that an IAM call is about and asks whether the
// caller may. A caller without rights gets the same answer whether or not the
// user exists.
func (d *Directory) target(r store.Reader, c *identity.Caller, action, name string) (*identity.User, error) {
	return d.targetUser(r, c, action, name, nil)
}

// targetUser is target with the condition keys of the request, to which those
// of the user are added.
func (d *Directory) targetUser(r store.Reader, c *identity.Caller, action, name string, keys access.EntityKeys) (*identity.User, error) {
	if keys == nil {
		keys = access.EntityKeys{}
	}
	if name == "" {
		u, err := callersUser(r, c)
		if err != nil {
			// Rights are judged first, so that nothing is learned without them.
			if denied := d.permit(c, action, identity.UserARN(c.Partition, c.AccountID, "/", "*"), c.AccountID); denied != nil {
				return nil, denied
			}
			return nil, err
		}
		return u, d.permitKeyed(c, action, u.ARN(c.Partition), u.AccountID, keys.Tagged(u.Tags))
	}
	u, err := findUser(r, c.AccountID, name)
	asked := identity.UserARN(c.Partition, c.AccountID, "/", name)
	res := access.Resource{ARN: asked, Shown: asked, AccountID: c.AccountID, Keys: keys}
	if err == nil {
		res.ARN = u.ARN(c.Partition)
		keys.Tagged(u.Tags)
	}
	if denied := d.access.Authorize(c, action, res).Err; denied != nil {
		return nil, denied
	}
	if err != nil {
		return nil, err
	}
	if len(name) > maxExisting {
		return nil, noUser(name)
	}
	if u.Root && c.Kind != identity.RootUser && c.Kind != identity.Operator {
		return nil, noUser(name)
	}
	return u, nil
}

// GetUser returns a user of the caller's account, the caller's own when name
// is "" (IAM GetUser).
func (d *Directory) GetUser(ctx context.Context, c *identity.Caller, name string) (UserDetails, error) {
	var out UserDetails
	err := d.db.View(ctx, func(r store.Reader) error {
		u, err := d.target(r, c, "iam:GetUser", name)
		if err != nil {
			return err
		}
		out.User = *u
		use, err := lastUse(r, u.ID)
		out.PasswordLastUsed = use.At
		return err
	})
	return out, err
}

// ListUsers lists the account's users whose path begins with pathPrefix, by
// path and name; root is not among them (IAM ListUsers).
func (d *Directory) ListUsers(ctx context.Context, c *identity.Caller, pathPrefix string, p Page) (Listing[identity.User], error) {
	var out Listing[identity.User]
	if pathPrefix == "" {
		pathPrefix = "/"
	}
	if err := d.permit(c, "iam:ListUsers", identity.UserARN(c.Partition, c.AccountID, pathPrefix, ""), c.AccountID); err != nil {
		return out, err
	}
	if err := checkPathPrefix(pathPrefix); err != nil {
		return out, err
	}
	after, err := d.openMarker(c, "users", p.Marker)
	if err != nil {
		return out, err
	}
	err = d.db.View(ctx, func(r store.Reader) error {
		list, err := store.Users.List(r, "path", store.Join(c.AccountID, pathPrefix), after, p.limit()+2)
		if err != nil {
			return err
		}
		for _, u := range list {
			if u.Root {
				continue
			}
			if len(out.Items) == p.limit() {
				last := out.Items[len(out.Items)-1]
				out.Next, err = d.sealMarker(c, "users", store.After{Value: store.Join(last.AccountID, last.Path+last.Name), Key: last.ID})
				return err
			}
			out.Items = append(out.Items, *u)
		}
		return nil
	})
	return out, err
}

// UpdateUser gives a user another name or path (IAM UpdateUser).
func (d *Directory) UpdateUser(ctx context.Context, c *identity.Caller, name, newName, newPath string) error {
	ev := audit.Change(c, "iam.amazonaws.com", "UpdateUser", map[string]string{"userName": name, "newUserName": newName, "newPath": newPath})
	if name == "" {
		return &identity.Error{Kind: identity.KindMissingParameter, Op: "directory.user", Detail: []identity.Detail{{Name: "Parameter", Value: "UserName"}}}
	}
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.target(tx, c, "iam:UpdateUser", name)
		if err != nil {
			return err
		}
		if u.Root {
			return invalid("The root user cannot be renamed.")
		}
		v := *u
		if newName != "" {
			v.Name = newName
		}
		if newPath != "" {
			v.Path = newPath
		}
		if err := checkUser(&v); err != nil {
			return err
		}
		if err := d.permitKeyed(c, "iam:UpdateUser", v.ARN(c.Partition), v.AccountID, access.EntityKeys{}.Tagged(v.Tags)); err != nil {
			return err
		}
		if other, err := store.Users.By(tx, "name", store.Join(v.AccountID, store.Fold(v.Name))); err == nil && other.ID != v.ID {
			return userExists(v.Name)
		}
		return store.Users.Put(tx, &v)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = userExists(newName)
	}
	return err
}

// DeleteUser removes a user without keys, password, MFA devices, policies and
// groups (IAM DeleteUser). Passkeys, foreign identities and one-time links, of
// which IAM knows nothing here, go with it. Whatever was obtained by it goes with it, and its
// unique ID never comes back.
func (d *Directory) DeleteUser(ctx context.Context, c *identity.Caller, name string) error {
	ev := audit.Change(c, "iam.amazonaws.com", "DeleteUser", map[string]string{"userName": name})
	if name == "" {
		return &identity.Error{Kind: identity.KindMissingParameter, Op: "directory.user", Detail: []identity.Detail{{Name: "Parameter", Value: "UserName"}}}
	}
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.target(tx, c, "iam:DeleteUser", name)
		if err != nil {
			return err
		}
		if u.Root {
			return invalid("The root user cannot be deleted.")
		}
		keys, err := store.AccessKeys.List(tx, "user", u.ID, store.After{}, 1)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			return conflicting("Cannot delete entity, must delete access keys first.")
		}
		if len(u.Groups) > 0 {
			return conflicting("Cannot delete entity, must remove users from group first.")
		}
		devices, err := store.MFADevices.List(tx, "user", store.Join(u.ID, ""), store.After{}, 1)
		if err != nil {
			return err
		}
		if len(devices) > 0 {
			return conflicting("Cannot delete entity, must delete MFA device first.")
		}
		if _, err := store.Passwords.Get(tx, u.ID); orAbsent(err) != nil {
			return err
		} else if err == nil {
			return conflicting("Cannot delete entity, must delete login profile first.")
		}
		if err := checkDetached(&u.Policies); err != nil {
			return err
		}
		if err := store.Uses.Delete(tx, u.ID); orAbsent(err) != nil {
			return err
		}
		if err := d.dropLogins(tx, u.ID); err != nil {
			return err
		}
		if err := store.Users.Delete(tx, u.ID); err != nil {
			return err
		}
		// Sessions of roles that the user took live on their own.
		return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: "user deleted"})
	})
}
