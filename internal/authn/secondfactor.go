package authn

import (
	"context"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// OwesCode reports whether a user owes a code of a device at every log-in with
// a password: with a device, by a rule of its own, or by one of its pool. API
// tokens are machines: only the rule of their own holds.
func (a *Authn) OwesCode(ctx context.Context, u *identity.User, realm *identity.Realm) (bool, []*identity.MFADevice, error) {
	var devices []*identity.MFADevice
	err := a.db.View(ctx, func(r store.Reader) (err error) {
		devices, err = store.MFADevices.List(r, "user", store.Join(u.ID, ""), store.After{}, 0)
		return err
	})
	if u.Token != nil {
		return u.MFARequired, devices, err
	}
	return len(devices) > 0 || u.MFARequired || realm.Pool != nil && realm.Pool.MFA == identity.MFAOn, devices, err
}

// HasFactor reports whether a user has a device or a passkey. Who has one sets
// no other up with its password alone.
func HasFactor(r store.Reader, userID string) (bool, error) {
	devices, err := store.MFADevices.List(r, "user", store.Join(userID, ""), store.After{}, 1)
	if err != nil {
		return false, err
	}
	keys, err := store.Passkeys.List(r, "user", store.Join(userID, ""), store.After{}, 1)
	return len(devices)+len(keys) > 0, err
}

// SecondFactor checks the code that a user shows besides a password, of any of
// its devices; nil without one where none is owed. KindMFARequired where one is
// owed and none was shown, with the detail "Setup" where the user has no device
// to show one of; KindAccessDenied for a wrong or used one, KindThrottled for
// too many.
func (a *Authn) SecondFactor(ctx context.Context, u *identity.User, realm *identity.Realm, code identity.Secret) (*TOTPCode, error) {
	owed, devices, err := a.OwesCode(ctx, u, realm)
	switch {
	case err != nil:
		return nil, err
	case owed && len(devices) == 0:
		return nil, &identity.Error{Kind: identity.KindMFARequired, Op: "authn.secondfactor", Detail: []identity.Detail{{Name: "Setup", Value: "true"}}}
	case code == "" && owed:
		return nil, &identity.Error{Kind: identity.KindMFARequired, Op: "authn.secondfactor"}
	case code == "":
		return nil, nil
	}
	serial := ""
	for _, d := range devices {
		if seed, last, err := a.totpSeed(ctx, u.ID, d.Serial); err != nil {
			return nil, err
		} else if _, ok := matchTOTP(seed, code.Reveal(), a.clock.Now(), last); ok {
			serial = d.Serial
		}
	}
	return a.TOTP(ctx, u.ID, serial, code.Reveal())
}
