package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxPoolUserName is that of the Cognito API reference.
const maxPoolUserName = 128

// poolUser says whether a user of a realm is one of its pool: API tokens and
// root users are not.
func poolUser(u *identity.User) bool { return !u.Root && u.Token == nil }

// coded is an error that Cognito has a code of its own for.
func coded(kind identity.Kind, code, sentence string) error {
	return &identity.Error{Kind: kind, Op: "directory.pooluser", Public: sentence, Detail: []identity.Detail{{Name: "JSONCode", Value: code}}}
}

func noPoolUser() error {
	return coded(identity.KindNotFound, "UserNotFoundException", "User does not exist.")
}

func poolUserExists() error {
	return coded(identity.KindAlreadyExists, "UsernameExistsException", "User account already exists")
}

// poolUserOf finds a user of a pool by name, e-mail address or subject.
func poolUserOf(r store.Reader, realm *identity.Realm, name string) (*identity.User, error) {
	if name == "" || len(name) > maxPoolUserName {
		return nil, noPoolUser()
	}
	u, err := store.Users.By(r, "login", store.Join(realm.Name, store.Fold(name)))
	if identity.KindOf(err) == identity.KindNotFound {
		u, err = store.Users.By(r, "subject", store.Join(realm.Name, name))
	}
	if err == nil && !poolUser(u) {
		return nil, noPoolUser()
	}
	return u, ifAbsent(err, noPoolUser())
}

// PoolUser is a user of a pool with what else is shown of it.
type PoolUser struct {
	identity.User
	Status string // UserStatus
	// Devices are how many authenticators it has.
	Devices int
}

// Values of PoolUser.Status.
const (
	StatusConfirmed   = "CONFIRMED"
	StatusForceChange = "FORCE_CHANGE_PASSWORD"
)

// poolUserStatus is what is shown of a user. Nobody knows the password of one
// that has none, as with one that must be changed.
func poolUserStatus(r store.Reader, u *identity.User) (PoolUser, error) {
	out := PoolUser{User: *u, Status: StatusConfirmed}
	_, err := store.Passwords.Get(r, u.ID)
	if orAbsent(err) != nil {
		return out, err
	}
	if err != nil || u.MustChangePassword {
		out.Status = StatusForceChange
	}
	devices, err := store.MFADevices.List(r, "user", store.Join(u.ID, ""), store.After{}, maxDevices)
	out.Devices = len(devices)
	return out, err
}

// NewPoolUser is what a user of a pool is made of; without password it has none
// that anybody knows.
type NewPoolUser struct {
	Name       string
	Password   identity.Secret // temporary
	Attributes map[string]string
	// Again gives the temporary password to a user that is there and has not
	// logged in yet (MessageAction RESEND).
	Again bool
}

// CreatePoolUser makes a user that only the pool knows (Cognito
// AdminCreateUser). KindAlreadyExists ("UsernameExistsException"),
// KindValidation ("InvalidPasswordException"), KindNotFound.
func (d *Directory) CreatePoolUser(ctx context.Context, c *identity.Caller, poolID string, in NewPoolUser) (PoolUser, error) {
	const op = "AdminCreateUser"
	var out PoolUser
	realm, err := d.targetUserPool(d.db.Current(ctx), c, op, poolID, nil)
	if err != nil {
		return out, err
	}
	u := identity.User{
		AccountID: realm.AccountID, Name: in.Name, Path: identity.LocalPath + realm.PoolID() + "/", Local: true, Realm: realm.Name,
		MustChangePassword: true, CreatedAt: d.clock.Now().UTC(),
	}
	u.ModifiedAt = u.CreatedAt
	if in.Again {
		return d.inviteAgain(ctx, c, realm, in)
	}
	if err := checkPoolUserName(u.Name); err != nil {
		return out, err
	}
	if strings.Contains(u.Name, "@") && slices.Contains(realm.Pool.UsernameAttributes, "email") {
		u.Email = u.Name
	}
	if err := setAttributes(&u, in.Attributes); err != nil {
		return out, err
	}
	if u.ID, err = d.uniqueID("AIDA", 17); err != nil {
		return out, err
	}
	if u.Subject, err = identity.NewUUID(d.random); err != nil {
		return out, err
	}
	acc, err := store.Accounts.Get(d.db.Snapshot(), realm.AccountID)
	if err != nil {
		return out, err
	}
	var made *newPassword
	if in.Password != "" {
		if made, err = d.makePassword(ctx, acc, realm, u, in.Password); err != nil {
			return out, err
		}
	}
	err = d.inUserPool(ctx, c, op, poolID, map[string]string{"username": clip(u.Name)}, func(tx store.Tx, _ *identity.Realm) error {
		if _, err := store.Users.By(tx, "login", store.Join(realm.Name, store.Fold(u.Name))); orAbsent(err) != nil {
			return err
		} else if err == nil {
			return poolUserExists()
		}
		if made != nil {
			if err := store.Passwords.Put(tx, made.row); err != nil {
				return err
			}
		}
		if err := store.Users.Insert(tx, &u); err != nil {
			return err
		}
		out = PoolUser{User: u, Status: StatusForceChange}
		return nil
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = poolUserExists()
	}
	return out, err
}

// inviteAgain is CreatePoolUser for a user that is there. KindNotFound;
// KindValidation ("UnsupportedUserStateException") for one that has a password
// of its own.
func (d *Directory) inviteAgain(ctx context.Context, c *identity.Caller, realm *identity.Realm, in NewPoolUser) (PoolUser, error) {
	var out PoolUser
	r := d.db.Current(ctx)
	u, err := poolUserOf(r, realm, in.Name)
	if err != nil {
		return out, err
	}
	acc, err := store.Accounts.Get(r, realm.AccountID)
	if err != nil {
		return out, err
	}
	var made *newPassword
	if in.Password != "" {
		if made, err = d.makePassword(ctx, acc, realm, *u, in.Password); err != nil {
			return out, err
		}
	}
	err = d.inUserPool(ctx, c, "AdminCreateUser", realm.PoolID(), map[string]string{"username": clip(u.Name), "messageAction": "RESEND"}, func(tx store.Tx, realm *identity.Realm) error {
		now, err := poolUserOf(tx, realm, in.Name)
		if err != nil {
			return err
		}
		if out, err = poolUserStatus(tx, now); err != nil {
			return err
		}
		if !now.Local || out.Status != StatusForceChange {
			return coded(identity.KindValidation, "UnsupportedUserStateException", "Resend not possible. "+clip(now.Name)+" status is not "+StatusForceChange)
		}
		if made == nil {
			return nil
		}
		return d.putPassword(tx, now, made, true)
	})
	return out, err
}

func checkPoolUserName(name string) error {
	if name == "" || len(name) > maxPoolUserName || !nameRE.MatchString(name) {
		return invalid("1 validation error detected: Value at 'username' failed to satisfy constraint: Member must have 1 to %d letters, digits and any of +=,.@_-", maxPoolUserName)
	}
	return nil
}

// PoolUser returns a user of a pool (Cognito AdminGetUser). KindNotFound.
func (d *Directory) PoolUser(ctx context.Context, c *identity.Caller, poolID, name string) (PoolUser, error) {
	var out PoolUser
	err := d.readUserPool(ctx, c, "AdminGetUser", poolID, func(r store.Reader, realm *identity.Realm) error {
		u, err := poolUserOf(r, realm, name)
		if err != nil {
			return err
		}
		out, err = poolUserStatus(r, u)
		return err
	})
	return out, err
}

// changePoolUser runs one transaction that changes a user of a pool: fn gets the
// user as it is and a copy that is put.
func (d *Directory) changePoolUser(ctx context.Context, c *identity.Caller, op, poolID, name string, fn func(tx store.Tx, realm *identity.Realm, before, after *identity.User) error) error {
	return d.inUserPool(ctx, c, op, poolID, map[string]string{"username": clip(name)}, func(tx store.Tx, realm *identity.Realm) error {
		u, err := poolUserOf(tx, realm, name)
		if err != nil {
			return err
		}
		if err := d.permitIAMUser(c, op, u); err != nil {
			return err
		}
		v := *u
		if err := fn(tx, realm, u, &v); err != nil {
			return err
		}
		v.ModifiedAt = d.clock.Now().UTC()
		if err := store.Users.Put(tx, &v); err != nil {
			return err
		}
		return d.userChanged(tx, u, &v, false)
	})
}

// iamBesides are the rights that calls need besides on users that IAM knows too:
// who may manage a pool must not become one of them by it.
var iamBesides = map[string]string{
	"AdminSetUserPassword":      "iam:UpdateLoginProfile",
	"AdminSetUserMFAPreference": "iam:DeactivateMFADevice",
	"AdminUpdateUserAttributes": "iam:UpdateUser",
	"AdminDeleteUserAttributes": "iam:UpdateUser",
	"AdminEnableUser":           "iam:UpdateUser",
	"AdminDisableUser":          "iam:UpdateUser",
}

func (d *Directory) permitIAMUser(c *identity.Caller, op string, u *identity.User) error {
	action := iamBesides[op]
	if u.Local || action == "" {
		return nil
	}
	return d.permitKeyed(c, action, u.ARN(c.Partition), u.AccountID, access.EntityKeys{}.Tagged(u.Tags))
}

// EnablePoolUser lets a user log in, or no longer; then what it obtained ends
// (Cognito AdminEnableUser, AdminDisableUser). KindNotFound.
func (d *Directory) EnablePoolUser(ctx context.Context, c *identity.Caller, poolID, name string, on bool) error {
	op := "AdminDisableUser"
	if on {
		op = "AdminEnableUser"
	}
	return d.changePoolUser(ctx, c, op, poolID, name, func(_ store.Tx, _ *identity.Realm, _, after *identity.User) error {
		after.Disabled = !on
		return nil
	})
}

// SignOutPoolUser ends all that a user obtained (Cognito
// AdminUserGlobalSignOut). KindNotFound.
func (d *Directory) SignOutPoolUser(ctx context.Context, c *identity.Caller, poolID, name string) error {
	return d.changePoolUser(ctx, c, "AdminUserGlobalSignOut", poolID, name, func(tx store.Tx, _ *identity.Realm, u, _ *identity.User) error {
		return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: "signed out everywhere"})
	})
}

// DeletePoolUser deletes a user that only the pool knows, and ends what it
// obtained (Cognito AdminDeleteUser). KindNotFound; KindInvalidInput for a user
// that IAM knows.
func (d *Directory) DeletePoolUser(ctx context.Context, c *identity.Caller, poolID, name string) error {
	return d.inUserPool(ctx, c, "AdminDeleteUser", poolID, map[string]string{"username": clip(name)}, func(tx store.Tx, realm *identity.Realm) error {
		u, err := poolUserOf(tx, realm, name)
		if err != nil {
			return err
		}
		return d.removePoolUser(tx, u)
	})
}

// SetPoolUserPassword gives a user another password, which it must change at the
// next log-in unless it is permanent; earlier sessions end (Cognito
// AdminSetUserPassword). KindNotFound, KindValidation
// ("InvalidPasswordException").
func (d *Directory) SetPoolUserPassword(ctx context.Context, c *identity.Caller, poolID, name string, password identity.Secret, permanent bool) error {
	const op = "AdminSetUserPassword"
	r := d.db.Current(ctx)
	realm, err := d.targetUserPool(r, c, op, poolID, nil)
	if err != nil {
		return err
	}
	u, err := poolUserOf(r, realm, name)
	if err != nil {
		return err
	}
	if err := d.permitIAMUser(c, op, u); err != nil {
		return err
	}
	acc, err := store.Accounts.Get(r, realm.AccountID)
	if err != nil {
		return err
	}
	made, err := d.makePassword(ctx, acc, realm, *u, password)
	if err != nil {
		return err
	}
	return d.inUserPool(ctx, c, op, poolID, map[string]string{"username": clip(u.Name), "permanent": strconv.FormatBool(permanent)}, func(tx store.Tx, realm *identity.Realm) error {
		now, err := poolUserOf(tx, realm, name)
		if err != nil {
			return err
		}
		if err := d.permitIAMUser(c, op, now); err != nil {
			return err
		}
		return d.putPassword(tx, now, made, !permanent)
	})
}

// SetPoolUserMFA says whether a user is asked for its authenticator: enabled
// needs one, the contrary takes them away and ends what the user obtained
// (Cognito AdminSetUserMFAPreference). KindNotFound, KindValidation.
func (d *Directory) SetPoolUserMFA(ctx context.Context, c *identity.Caller, poolID, name string, enabled bool) error {
	return d.changePoolUser(ctx, c, "AdminSetUserMFAPreference", poolID, name, func(tx store.Tx, _ *identity.Realm, u, _ *identity.User) error {
		devices, err := store.MFADevices.List(tx, "user", store.Join(u.ID, ""), store.After{}, 1)
		if err != nil {
			return err
		}
		if enabled && len(devices) == 0 {
			return invalid("User has not verified software token mfa")
		}
		if enabled || len(devices) == 0 {
			return nil
		}
		if err := removeDevices(tx, u.ID); err != nil {
			return err
		}
		return d.factorChanged(tx, u.ID)
	})
}
