package directory

import (
	"context"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// What people do to themselves (the user calls of Cognito, and the console).

const poolSource = "cognito-idp.amazonaws.com"

// permitSelf asks for an action on the caller's own user: AuthorizeOwn on the
// user pool that it is in.
func (d *Directory) permitSelf(ctx context.Context, c *identity.Caller, op string) error {
	res := access.Resource{ARN: "*", AccountID: c.AccountID}
	if u, err := store.Lookup(ctx, d.db, store.Users, c.PrincipalID); err == nil {
		if realm, err := store.Realms.Get(d.db.Snapshot(), u.Realm); err == nil && realm.Pool != nil {
			res.ARN = identity.UserPoolARN(c.Partition, realm.Pool.Region, c.AccountID, realm.PoolID())
		}
	}
	return d.access.AuthorizeOwn(c, "cognito-idp:"+op, res).Err
}

// self is the caller's own user. KindNotFound ("UserNotFoundException") when it
// is gone.
func self(r store.Reader, c *identity.Caller) (*identity.User, error) {
	u, err := store.Users.Get(r, c.PrincipalID)
	return u, ifAbsent(err, &identity.Error{
		Kind: identity.KindNotFound, Op: "directory.self", Public: "User does not exist.",
		Detail: []identity.Detail{{Name: "JSONCode", Value: "UserNotFoundException"}},
	})
}

// changeSelf is change for what people do to themselves.
func (d *Directory) changeSelf(ctx context.Context, c *identity.Caller, op string, parameters map[string]string, fn func(store.Tx, *identity.User) error) error {
	if err := d.permitSelf(ctx, c, op); err != nil {
		return err
	}
	return d.change(ctx, c, audit.Change(c, poolSource, op, parameters), func(tx store.Tx) error {
		u, err := self(tx, c)
		if err != nil {
			return err
		}
		return fn(tx, u)
	})
}

// OwnUser is the caller's own user with the factors that it has.
type OwnUser struct {
	identity.User
	Devices     []identity.MFADevice // that are in use
	HasPassword bool
}

// OwnUser returns the caller's own user (Cognito GetUser).
func (d *Directory) OwnUser(ctx context.Context, c *identity.Caller) (OwnUser, error) {
	var out OwnUser
	if err := d.permitSelf(ctx, c, "GetUser"); err != nil {
		return out, err
	}
	err := d.db.View(ctx, func(r store.Reader) error {
		u, err := self(r, c)
		if err != nil {
			return err
		}
		out.User = *u
		list, err := store.MFADevices.List(r, "user", store.Join(u.ID, ""), store.After{}, maxDevices)
		if err != nil {
			return err
		}
		for _, m := range list {
			out.Devices = append(out.Devices, *m)
		}
		pw, err := store.Passwords.Get(r, u.ID)
		out.HasPassword = err == nil && pw.PHC != ""
		return orAbsent(err)
	})
	return out, err
}

// SignOut ends all sessions of the caller's own user: the tokens, the keys
// obtained with them, and this session too (Cognito GlobalSignOut).
func (d *Directory) SignOut(ctx context.Context, c *identity.Caller) error {
	return d.changeSelf(ctx, c, "GlobalSignOut", nil, func(tx store.Tx, u *identity.User) error {
		return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: u.ID, Reason: "signed out everywhere"})
	})
}

// EnrolTOTP begins to set up a software token for the caller's own user and
// returns its seed (raw bytes), which is shown once (Cognito
// AssociateSoftwareToken). The token that is in use stays until the new one is
// confirmed.
func (d *Directory) EnrolTOTP(ctx context.Context, c *identity.Caller) (identity.Secret, error) {
	var seed identity.Secret
	err := d.changeSelf(ctx, c, "AssociateSoftwareToken", nil, func(tx store.Tx, u *identity.User) (err error) {
		seed, err = d.authn.EnrolTOTP(tx, c.Partition, u)
		return err
	})
	return seed, err
}

// ConfirmTOTP ends what EnrolTOTP began by one code of the token, and with it
// the user's earlier sessions, this one too: from then on the token is asked for
// at each log-in (Cognito VerifySoftwareToken). name is what the user calls it.
// Errors as of authn.ConfirmTOTP; a wrong code is recorded.
func (d *Directory) ConfirmTOTP(ctx context.Context, c *identity.Caller, code, name string) error {
	if len([]rune(name)) > maxTagValue || !tagRE.MatchString(name) {
		return invalid("FriendlyDeviceName has more than %d characters, or some that are not allowed.", maxTagValue)
	}
	return d.changeSelf(ctx, c, "VerifySoftwareToken", nil, func(tx store.Tx, u *identity.User) error {
		if err := d.authn.ConfirmTOTP(ctx, tx, c.Partition, u, code, name); err != nil {
			d.refused(ctx, audit.Change(c, poolSource, "VerifySoftwareToken", nil), err)
			return err
		}
		return d.factorChanged(tx, u.ID)
	})
}

// TOTPPreference says whether the caller's own user is asked for a software
// token (Cognito SetUserMFAPreference). Enabled needs a token that is confirmed,
// which is asked for already; the contrary takes the user's tokens away and ends
// its sessions, this one too, where neither user nor pool must have a second
// factor. KindValidation.
func (d *Directory) TOTPPreference(ctx context.Context, c *identity.Caller, enabled bool) error {
	return d.changeSelf(ctx, c, "SetUserMFAPreference", nil, func(tx store.Tx, u *identity.User) error {
		list, err := store.MFADevices.List(tx, "user", store.Join(u.ID, ""), store.After{}, maxDevices)
		if err != nil {
			return err
		}
		if enabled {
			if len(list) == 0 {
				return invalid("User has not verified software token mfa")
			}
			return nil
		}
		if len(list) == 0 {
			return nil
		}
		realm, err := store.Realms.Get(tx, u.Realm)
		if err != nil {
			return err
		}
		if u.MFARequired || realm.Pool != nil && realm.Pool.MFA == identity.MFAOn {
			return invalid("A second factor is required here and cannot be turned off")
		}
		for _, m := range list {
			if err := takeDevice(tx, m, u); err != nil {
				return err
			}
		}
		return d.factorChanged(tx, u.ID)
	})
}

// takeDevice takes a device from its user: one that the user set up is removed,
// one that IAM made stays for others.
func takeDevice(tx store.Tx, m *identity.MFADevice, u *identity.User) error {
	if authn.IsOwnDevice(m, u) {
		return authn.DropDevice(tx, m)
	}
	v := identity.MFADevice{
		Serial: m.Serial, AccountID: m.AccountID, Name: m.Name, Path: m.Path, Tags: m.Tags, CreatedAt: m.CreatedAt,
	}
	return store.MFADevices.Put(tx, &v)
}
