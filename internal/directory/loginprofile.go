package directory

import (
	"context"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// LoginProfile is what is known of a user's password (IAM LoginProfile).
type LoginProfile struct {
	UserName              string
	CreatedAt             time.Time
	PasswordResetRequired bool
}

func noLoginProfile(user string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.loginprofile", Public: "Login Profile for User " + clip(user) + " cannot be found."}
}

// newPassword is a password on its way to a user: hashing is slow and happens
// outside of the transaction, under the subject and realm that the user has
// then.
type newPassword struct {
	user  identity.User
	realm string // that the user joins, "" to stay as it is
	row   *store.Password
}

// joinAction is the right to make a user one of a realm, whose tokens roles may
// trust. IAM knows no such thing; "iam:*" holds it.
const joinAction = "iam:JoinRealm"

// CreateLoginProfile gives a user a password (IAM CreateLoginProfile). A user
// that is in no realm joins that of its account, where the account has just
// one, so that there is a place to log in; that needs iam:JoinRealm on the user
// besides. KindAlreadyExists when the user has
// a password, KindValidation ("PasswordPolicyViolation") for one that the
// account's rule refuses.
func (d *Directory) CreateLoginProfile(ctx context.Context, c *identity.Caller, userName string, password identity.Secret, mustChange bool) (LoginProfile, error) {
	var out LoginProfile
	made, err := d.preparePassword(ctx, c, "iam:CreateLoginProfile", userName, password)
	if err != nil {
		return out, err
	}
	ev := audit.Change(c, iamSource, "CreateLoginProfile", map[string]string{"userName": made.user.Name})
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.target(tx, c, "iam:CreateLoginProfile", userName)
		if err != nil {
			return err
		}
		if _, err := store.Passwords.Get(tx, u.ID); err == nil {
			return &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.loginprofile", Public: "Login Profile for user " + u.Name + " already exists."}
		}
		out = LoginProfile{u.Name, made.row.ChangedAt, mustChange}
		return d.putPassword(tx, u, made, mustChange)
	})
	return out, err
}

// UpdateLoginProfile gives a user another password, or the duty to change it;
// an empty password leaves it (IAM UpdateLoginProfile). Earlier sessions end.
func (d *Directory) UpdateLoginProfile(ctx context.Context, c *identity.Caller, userName string, password identity.Secret, mustChange *bool) error {
	var made *newPassword
	if password != "" {
		var err error
		if made, err = d.preparePassword(ctx, c, "iam:UpdateLoginProfile", userName, password); err != nil {
			return err
		}
	}
	ev := audit.Change(c, iamSource, "UpdateLoginProfile", map[string]string{"userName": userName})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.target(tx, c, "iam:UpdateLoginProfile", userName)
		if err != nil {
			return err
		}
		if _, err := store.Passwords.Get(tx, u.ID); err != nil {
			return ifAbsent(err, noLoginProfile(u.Name))
		}
		must := u.MustChangePassword
		if mustChange != nil {
			must = *mustChange
		}
		if made != nil {
			return d.putPassword(tx, u, made, must)
		}
		v := *u
		v.MustChangePassword = must
		if err := store.Users.Put(tx, &v); err != nil {
			return err
		}
		return d.userChanged(tx, u, &v, false)
	})
}

// DeleteLoginProfile takes a user's password away and ends its sessions; its
// access keys stay (IAM DeleteLoginProfile).
func (d *Directory) DeleteLoginProfile(ctx context.Context, c *identity.Caller, userName string) error {
	ev := audit.Change(c, iamSource, "DeleteLoginProfile", map[string]string{"userName": userName})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.target(tx, c, "iam:DeleteLoginProfile", userName)
		if err != nil {
			return err
		}
		if err := store.Passwords.Delete(tx, u.ID); err != nil {
			return ifAbsent(err, noLoginProfile(u.Name))
		}
		return d.userChanged(tx, u, u, true)
	})
}

// LoginProfile tells whether a user has a password and since when (IAM
// GetLoginProfile).
func (d *Directory) LoginProfile(ctx context.Context, c *identity.Caller, userName string) (LoginProfile, error) {
	var out LoginProfile
	err := d.db.View(ctx, func(r store.Reader) error {
		u, err := d.target(r, c, "iam:GetLoginProfile", userName)
		if err != nil {
			return err
		}
		p, err := store.Passwords.Get(r, u.ID)
		if err != nil {
			return ifAbsent(err, noLoginProfile(u.Name))
		}
		out = LoginProfile{u.Name, p.ChangedAt, u.MustChangePassword}
		return nil
	})
	return out, err
}

// ChangePassword changes the caller's own password (IAM ChangePassword). It
// needs iam:ChangePassword, an account whose rule lets users change their own, or
// a person who logged in; root must be one. Earlier sessions end, that person's
// too. KindInvalidInput for a wrong old one, after the same delays as a log-in.
func (d *Directory) ChangePassword(ctx context.Context, c *identity.Caller, old, password identity.Secret) error {
	if c.Kind != identity.IAMUser && !(c.Interactive && c.Kind == identity.RootUser) {
		if err := d.permit(c, "iam:ChangePassword", "*", c.AccountID); err != nil {
			return err
		}
		return invalid("Only users can change their password.")
	}
	acc, err := store.Accounts.Get(d.db.Snapshot(), c.AccountID)
	if err != nil {
		return err
	}
	byRule := acc.PasswordPolicy != nil && acc.PasswordPolicy.AllowChange
	may := d.access.AuthorizeOwn(c, "iam:ChangePassword", access.Resource{ARN: c.OwnerARN, AccountID: c.AccountID})
	if !may.Allowed() && (!byRule || c.APIToken || may.Effect != access.ImplicitDeny) {
		return may.Err
	}
	u, err := store.Lookup(ctx, d.db, store.Users, c.PrincipalID)
	if err != nil {
		return err
	}
	ev := audit.Change(c, iamSource, "ChangePassword", nil)
	ok, err := d.authn.CheckOldPassword(ctx, u, old)
	if err == nil && !ok {
		err = &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.password", Public: "The old password was incorrect."}
	}
	if err != nil {
		d.refused(ctx, ev, err)
		return err
	}
	var realm *identity.Realm
	if u.Realm != "" { // nobody joins one by this
		if realm, err = d.realmOf(acc, u); err != nil {
			return err
		}
	}
	made, err := d.makePassword(ctx, acc, realm, *u, password)
	if err != nil {
		return err
	}
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		now, err := store.Users.Get(tx, u.ID)
		if err != nil {
			return err
		}
		return d.putPassword(tx, now, made, false)
	})
}

// preparePassword asks for the action and makes the password.
func (d *Directory) preparePassword(ctx context.Context, c *identity.Caller, action, userName string, password identity.Secret) (*newPassword, error) {
	var u identity.User
	err := d.db.View(ctx, func(r store.Reader) error {
		found, err := d.target(r, c, action, userName)
		if err != nil {
			return err
		}
		if found.Root {
			return invalid("The password of the root user is not set here.")
		}
		u = *found
		return nil
	})
	if err != nil {
		return nil, err
	}
	acc, err := store.Accounts.Get(d.db.Snapshot(), u.AccountID)
	if err != nil {
		return nil, err
	}
	realm, err := d.realmOf(acc, &u)
	if err != nil {
		return nil, err
	}
	if realm != nil && u.Realm == "" {
		if err := d.permitKeyed(c, joinAction, u.ARN(acc.Partition), acc.ID, access.EntityKeys{}.Tagged(u.Tags)); err != nil {
			return nil, err
		}
	}
	return d.makePassword(ctx, acc, realm, u, password)
}

// makePassword makes a password for a realm, which a user who is in none then
// joins; nil for none.
func (d *Directory) makePassword(ctx context.Context, acc *identity.Account, realm *identity.Realm, u identity.User, password identity.Secret) (*newPassword, error) {
	if err := d.authn.CheckNewPassword(ctx, acc, realm, u.ID, password); err != nil {
		return nil, err
	}
	made := &newPassword{user: u}
	pool := ""
	var err error
	if realm != nil {
		pool = realm.PoolName
		if u.Realm == "" {
			made.realm = realm.Name
			if made.user.Subject, err = identity.NewUUID(d.random); err != nil {
				return nil, err
			}
		}
	}
	made.row, err = d.authn.NewPassword(ctx, u.ID, pool, made.user.Subject, password, d.clock.Now().UTC())
	return made, err
}

// realmOf is the realm that the user is in, or may join: the account's only
// one; nil when there is none.
func (d *Directory) realmOf(acc *identity.Account, u *identity.User) (*identity.Realm, error) {
	realms, err := store.Realms.List(d.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	var own []*identity.Realm
	for _, r := range realms {
		if u.Realm != "" && r.Name == u.Realm {
			return r, nil
		}
		if r.AccountID == acc.ID && !r.Apart() { // those are by the call that made them
			own = append(own, r)
		}
	}
	if u.Realm == "" && len(own) == 1 {
		return own[0], nil
	}
	return nil, nil
}

// putPassword stores a password for the user as it was when it was made.
// Earlier sessions of the user end.
func (d *Directory) putPassword(tx store.Tx, u *identity.User, made *newPassword, mustChange bool) error {
	if u.ID != made.user.ID || u.Realm != made.user.Realm {
		return &identity.Error{Kind: identity.KindConflict, Op: "directory.password"}
	}
	v := *u
	v.MustChangePassword = mustChange
	if made.realm != "" {
		v.Realm, v.Subject = made.realm, made.user.Subject
	}
	if err := store.Users.Put(tx, &v); err != nil {
		return err
	}
	if err := authn.PutPassword(tx, made.row); err != nil {
		return err
	}
	return d.userChanged(tx, u, &v, true)
}

// ifAbsent puts an error in place of KindNotFound.
func ifAbsent(err, absent error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return absent
	}
	return err
}
