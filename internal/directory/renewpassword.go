package directory

import (
	"context"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// RenewedPassword is a password that must be changed before its user can log
// in, with the new one.
type RenewedPassword struct {
	// Place and Username are those of a log-in form (authn.RealmAt).
	Place, Username string
	Old, New        identity.Secret
	Code            identity.Secret // of an authenticator; "" when none is given
}

// RenewPassword changes a password that is too old, or that its user must
// change, for whoever proves to be the user as in a log-in. Earlier sessions
// end. Errors of the proof are those of a log-in (KindInvalidCredentials,
// KindMFARequired, KindAccessDenied for a wrong code, KindThrottled);
// KindValidation for a new password that the account's rule refuses.
func (d *Directory) RenewPassword(ctx context.Context, in RenewedPassword) error {
	ev := audit.Event{Source: "console", Name: "RenewPassword"}
	err := d.renewPassword(ctx, in, &ev)
	if err != nil {
		d.refused(ctx, ev, err)
	}
	return err
}

func (d *Directory) renewPassword(ctx context.Context, in RenewedPassword, ev *audit.Event) error {
	u, realm, acc, since, err := d.proved(ctx, in.Place, in.Username, in.Old, ev)
	if err != nil {
		return err
	}
	code, err := d.authn.SecondFactor(ctx, u, realm, in.Code)
	if err != nil {
		return err
	}
	p := acc.PasswordPolicy
	aged := p != nil && p.MaxAgeDays > 0 && !u.Root && d.clock.Now().After(since.AddDate(0, 0, p.MaxAgeDays))
	switch {
	case !u.MustChangePassword && !aged:
		return invalid("This password need not be changed: log in with it, and change it there.")
	case !u.MustChangePassword && p.HardExpiry:
		return invalid("The password has expired: whoever manages your account must set a new one.")
	case in.New.Equal(in.Old):
		return authn.PasswordViolation("The new password is the old one.")
	}
	made, err := d.makePassword(ctx, acc, realm, *u, in.New)
	if err != nil {
		return err
	}
	_, err = d.audit.Commit(ctx, d.db, *ev, func(tx store.Tx) error {
		now, err := sameUser(tx, u, since)
		if err != nil {
			return err
		}
		if code != nil {
			if err := code.Use(tx); err != nil {
				return err
			}
		}
		return d.putPassword(tx, now, made, false)
	})
	return err
}

var errNotProved = &identity.Error{Kind: identity.KindInvalidCredentials, Op: "directory.proved"}

// proved checks the password of a log-in form for what people do before they
// can log in, and says since when it is the user's.
func (d *Directory) proved(ctx context.Context, place, username string, password identity.Secret, ev *audit.Event) (*identity.User, *identity.Realm, *identity.Account, time.Time, error) {
	ev.UserIdentity.UserNameHash = d.keys.Hash("audit-user", []byte(store.Fold(username)))
	name := d.authn.RealmAt(ctx, place, username)
	u, since, err := d.authn.Password(ctx, name, username, password)
	if err != nil {
		return nil, nil, nil, since, err
	}
	ev.UserIdentity = audit.UserIdentity{Type: "IAMUser", PrincipalID: u.ID, AccountID: u.AccountID, UserName: u.Name}
	if u.Root {
		ev.UserIdentity.Type = "Root"
	}
	realm, err := store.Realms.Get(d.db.Snapshot(), name)
	if err != nil {
		return nil, nil, nil, since, errNotProved
	}
	ev.RequestParameters = map[string]any{"realm": realm.Name}
	acc, err := store.Accounts.Get(d.db.Snapshot(), u.AccountID)
	if err != nil || acc.Disabled || u.Token != nil || u.Root && realm.RootLoginDisabled {
		return nil, nil, nil, since, errNotProved
	}
	return u, realm, acc, since, nil
}

// sameUser is the user whose password was checked, if it is still the user's.
func sameUser(tx store.Tx, u *identity.User, since time.Time) (*identity.User, error) {
	now, err := store.Users.Get(tx, u.ID)
	if err != nil || now.Disabled {
		return nil, errNotProved
	}
	if have, err := store.Passwords.Get(tx, u.ID); err != nil || !have.ChangedAt.Equal(since) {
		return nil, errNotProved
	}
	return now, nil
}
