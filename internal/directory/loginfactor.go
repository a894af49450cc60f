package directory

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// LoginFactor is a user who owes a second factor and has none yet: what the
// log-in form said, and, to end what was begun, a code of the new device.
type LoginFactor struct {
	// Place and Username are those of a log-in form (authn.RealmAt).
	Place, Username string
	Password        identity.Secret
	Code            string
}

// EnrolAtLogin begins to set up an authenticator for a user who owes one before
// it can log in, and returns its seed (raw bytes), which is shown once. Errors
// of the proof are those of a log-in; KindValidation for who owes none, or has
// one.
func (d *Directory) EnrolAtLogin(ctx context.Context, in LoginFactor) (identity.Secret, error) {
	var seed identity.Secret
	err := d.atLogin(ctx, "EnrolAtLogin", in, func(tx store.Tx, partition string, u *identity.User) (err error) {
		seed, err = d.authn.EnrolTOTP(tx, partition, u)
		return err
	})
	return seed, err
}

// ConfirmAtLogin ends what EnrolAtLogin began by one code of the device, which
// the user has from then on. Errors as of EnrolAtLogin and authn.ConfirmTOTP.
func (d *Directory) ConfirmAtLogin(ctx context.Context, in LoginFactor) error {
	return d.atLogin(ctx, "ConfirmAtLogin", in, func(tx store.Tx, partition string, u *identity.User) error {
		if err := d.authn.ConfirmTOTP(ctx, tx, partition, u, in.Code, ""); err != nil {
			return err
		}
		return d.factorChanged(tx, u.ID)
	})
}

// atLogin proves a user by its password and changes its devices.
func (d *Directory) atLogin(ctx context.Context, name string, in LoginFactor, fn func(store.Tx, string, *identity.User) error) error {
	ev := audit.Event{Source: "console", Name: name}
	err := d.changeAtLogin(ctx, in, &ev, fn)
	if err != nil {
		d.refused(ctx, ev, err)
	}
	return err
}

func (d *Directory) changeAtLogin(ctx context.Context, in LoginFactor, ev *audit.Event, fn func(store.Tx, string, *identity.User) error) error {
	u, realm, acc, since, err := d.proved(ctx, in.Place, in.Username, in.Password, ev)
	if err != nil {
		return err
	}
	owed, devices, err := d.authn.OwesCode(ctx, u, realm)
	if err != nil {
		return err
	}
	if !owed || len(devices) > 0 {
		return invalid("This user logs in as it is: an authenticator is set up, or replaced, there.")
	}
	_, err = d.audit.Commit(ctx, d.db, *ev, func(tx store.Tx) error {
		now, err := sameUser(tx, u, since)
		if err != nil {
			return err
		}
		has, err := authn.HasFactor(tx, u.ID)
		if err != nil {
			return err
		}
		if has { // a device set up meanwhile, or a passkey
			return invalid("This user logs in with a passkey, or has an authenticator.")
		}
		return fn(tx, acc.Partition, now)
	})
	return err
}
