package authn

import (
	"context"
	"io"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// A user who sets a second factor up by itself has two places for devices: one
// for the device that is in use, the other for the one that is being set up and
// takes the former's place. Both are virtual devices like any other.
var ownDevices = []string{"a", "b"}

const maxUserDevices = 8 // of a user (IAM)

// ownDevice is what a user's own device in a place is called. IAM makes none
// below this path.
func ownDevice(partition string, u *identity.User, place string) identity.MFADevice {
	d := identity.MFADevice{AccountID: u.AccountID, Path: identity.LocalPath + u.Realm + "/", Name: u.ID + "-" + place}
	d.Serial = identity.ARN{Partition: partition, Service: "iam", Account: u.AccountID, Resource: "mfa" + d.Path + d.Name}.String()
	return d
}

// IsOwnDevice tells the devices that their users set up themselves.
func IsOwnDevice(m *identity.MFADevice, u *identity.User) bool {
	return m.Path == identity.LocalPath+u.Realm+"/" && m.AccountID == u.AccountID
}

// EnrolTOTP begins, as part of a transaction, to set up a device of a user, and
// returns its seed (raw bytes), which is shown once. What was begun before is
// forgotten; the devices that are in use stay. Whether the user may is judged
// by who calls it.
func (a *Authn) EnrolTOTP(tx store.Tx, partition string, u *identity.User) (identity.Secret, error) {
	m, _, err := a.places(tx, partition, u)
	if err != nil {
		return "", err
	}
	seed := make([]byte, TOTPSeedBytes)
	if _, err := io.ReadFull(a.random, seed); err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "authn.enrol", Err: err}
	}
	sealed, err := a.keys.Seal(store.MFASeeds.Name(), "seed", m.Serial, seed)
	if err != nil {
		return "", err
	}
	m.CreatedAt = a.clock.Now().UTC()
	if err := store.MFADevices.Put(tx, m); err != nil {
		return "", err
	}
	return identity.Secret(seed), store.MFASeeds.Put(tx, &store.MFASeed{Serial: m.Serial, Sealed: sealed})
}

// places returns the free place for a user's own device, and the device in the
// other place where one is in use.
func (a *Authn) places(r store.Reader, partition string, u *identity.User) (free, used *identity.MFADevice, err error) {
	for _, place := range ownDevices {
		d := ownDevice(partition, u, place)
		have, err := store.MFADevices.Get(r, d.Serial)
		switch {
		case err == nil && have.UserID != "":
			used = have
		case err == nil || identity.KindOf(err) == identity.KindNotFound:
			if free == nil {
				free = &d
			}
		default:
			return nil, nil, err
		}
	}
	if free == nil {
		return nil, nil, &identity.Error{Kind: identity.KindInternal, Op: "authn.enrol"}
	}
	return free, used, nil
}

// ConfirmTOTP ends, as part of a transaction, what EnrolTOTP began: the user
// shows one code of the device, which is used up, and has it from then on in
// place of the one set up before. name is what the user calls it, "" for
// nothing. Earlier sessions are for the caller to end.
//
// KindNotFound ("SoftwareTokenMFANotFoundException") where nothing was begun,
// KindAccessDenied ("EnableSoftwareTokenMFAException") for a wrong code,
// KindThrottled for too many, KindLimitExceeded beyond eight devices.
func (a *Authn) ConfirmTOTP(ctx context.Context, tx store.Tx, partition string, u *identity.User, code, name string) error {
	free, used, err := a.places(tx, partition, u)
	if err != nil {
		return err
	}
	m, err := store.MFADevices.Get(tx, free.Serial)
	if err != nil {
		return orNone(err)
	}
	row, err := store.MFASeeds.Get(tx, free.Serial)
	if err != nil {
		return orNone(err)
	}
	step, err := a.firstCode(ctx, row, u, code)
	if err != nil {
		return err
	}
	have, err := store.MFADevices.List(tx, "user", store.Join(u.ID, ""), store.After{}, maxUserDevices)
	if err != nil {
		return err
	}
	if len(have) >= maxUserDevices && used == nil {
		return &identity.Error{Kind: identity.KindLimitExceeded, Op: "authn.enrol", Public: "Cannot exceed quota for MFADevicesPerUser: 8"}
	}
	v, seed := *m, *row
	v.UserID, v.EnabledAt, seed.LastStep = u.ID, a.clock.Now().UTC(), step
	if name != "" {
		v.Tags = map[string]string{"FriendlyDeviceName": name}
	}
	if err := store.MFADevices.Put(tx, &v); err != nil {
		return err
	}
	if err := store.MFASeeds.Put(tx, &seed); err != nil {
		return err
	}
	if used == nil {
		return nil
	}
	return DropDevice(tx, used)
}

// DropDevice removes a device with its seed, as part of a transaction.
func DropDevice(tx store.Tx, m *identity.MFADevice) error {
	if err := store.MFASeeds.Delete(tx, m.Serial); err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return store.MFADevices.Delete(tx, m.Serial)
}

// firstCode checks the one code that a device is set up with.
func (a *Authn) firstCode(ctx context.Context, row *store.MFASeed, u *identity.User, code string) (int64, error) {
	try, err := a.guesses.begin(ctx, a.keys.Hash("guess", []byte("totp enrol\x00"+u.ID)), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return 0, err
	}
	defer try.end()
	seed, err := a.keys.Unseal(store.MFASeeds.Name(), "seed", row.Serial, row.Sealed)
	if err != nil {
		try.giveBack(ctx)
		return 0, err
	}
	step, ok := matchTOTP(seed, code, a.clock.Now(), row.LastStep)
	if !ok {
		return 0, &identity.Error{
			Kind: identity.KindAccessDenied, Op: "authn.enrol", Public: "Code mismatch",
			Detail: []identity.Detail{{Name: "JSONCode", Value: "EnableSoftwareTokenMFAException"}},
		}
	}
	try.good(ctx)
	return step, nil
}

func orNone(err error) error {
	if identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return &identity.Error{
		Kind: identity.KindNotFound, Op: "authn.enrol", Public: "No software token is being set up.",
		Detail: []identity.Detail{{Name: "JSONCode", Value: "SoftwareTokenMFANotFoundException"}},
	}
}
