package directory

import (
	"context"
	"io"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxDevices is how many MFA devices a user may have (IAM).
const maxDevices = 8

// NewMFADevice is a device with the seed that is shown once.
type NewMFADevice struct {
	identity.MFADevice
	Seed identity.Secret // raw bytes
}

func mfaSerial(c *identity.Caller, path, name string) string {
	return identity.ARN{Partition: c.Partition, Service: "iam", Account: c.AccountID, Resource: "mfa" + path + name}.String()
}

func noDevice(serial string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.mfa", Public: "VirtualMFADevice with serial number " + clip(serial) + " does not exist."}
}

// CreateMFADevice makes a virtual MFA device that no user has yet (IAM
// CreateVirtualMFADevice).
func (d *Directory) CreateMFADevice(ctx context.Context, c *identity.Caller, name, path string, tags map[string]string) (NewMFADevice, error) {
	if path == "" {
		path = "/"
	}
	out := NewMFADevice{MFADevice: identity.MFADevice{
		Serial: mfaSerial(c, path, name), AccountID: c.AccountID, Name: name, Path: path, Tags: tags, CreatedAt: d.clock.Now().UTC(),
	}}
	if err := d.permit(c, "iam:CreateVirtualMFADevice", out.Serial, c.AccountID); err != nil {
		return out, err
	}
	if err := checkName("virtualMFADeviceName", name, 226); err != nil {
		return out, err
	}
	if err := checkPath(path); err != nil {
		return out, err
	}
	if err := checkTags(tags); err != nil {
		return out, err
	}
	seed := make([]byte, authn.TOTPSeedBytes)
	if _, err := io.ReadFull(d.random, seed); err != nil {
		return out, &identity.Error{Kind: identity.KindInternal, Op: "directory.mfa", Err: err}
	}
	sealed, err := d.keys.Seal(store.MFASeeds.Name(), "seed", out.Serial, seed)
	if err != nil {
		return out, err
	}
	ev := audit.Change(c, iamSource, "CreateVirtualMFADevice", map[string]string{"virtualMFADeviceName": name, "path": path})
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		if err := store.MFADevices.Insert(tx, &out.MFADevice); err != nil {
			return err
		}
		return store.MFASeeds.Put(tx, &store.MFASeed{Serial: out.Serial, Sealed: sealed})
	})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		err = &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.mfa", Public: "MFADevice entity at the same path and name already exists."}
	}
	out.Seed = identity.Secret(seed)
	return out, err
}

// ownDevice returns a device of the caller's account.
func ownDevice(r store.Reader, c *identity.Caller, serial string) (*identity.MFADevice, error) {
	m, err := store.MFADevices.Get(r, serial)
	if identity.KindOf(err) == identity.KindNotFound || err == nil && m.AccountID != c.AccountID {
		return nil, noDevice(serial)
	}
	return m, err
}

// EnableMFADevice gives a device to a user who shows two codes in a row (IAM
// EnableMFADevice). Neither code works again. KindAccessDenied
// ("InvalidAuthenticationCode") for wrong ones.
func (d *Directory) EnableMFADevice(ctx context.Context, c *identity.Caller, userName, serial, code1, code2 string) error {
	ev := audit.Change(c, iamSource, "EnableMFADevice", map[string]string{"userName": userName, "serialNumber": serial})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		u, err := d.target(tx, c, "iam:EnableMFADevice", userName)
		if err != nil {
			return err
		}
		m, err := ownDevice(tx, c, serial)
		if err != nil {
			return err
		}
		if m.UserID != "" {
			return &identity.Error{Kind: identity.KindAlreadyExists, Op: "directory.mfa", Public: "Device with serial number " + clip(serial) + " is already in use."}
		}
		have, err := store.MFADevices.List(tx, "user", store.Join(u.ID, ""), store.After{}, maxDevices)
		if err != nil {
			return err
		}
		if len(have) >= maxDevices {
			return &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.mfa", Public: "Cannot exceed quota for MFADevicesPerUser: 8"}
		}
		if err := d.useCodes(ctx, tx, ev, serial, code1, code2); err != nil {
			return err
		}
		v := *m
		v.UserID, v.EnabledAt = u.ID, d.clock.Now().UTC()
		if err := store.MFADevices.Put(tx, &v); err != nil {
			return err
		}
		return d.factorChanged(tx, u.ID)
	})
}

// factorChanged ends what a user obtained with another set of factors.
func (d *Directory) factorChanged(tx store.Tx, userID string) error {
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: userID, Reason: "factor changed"})
}

// useCodes checks two codes in a row and uses them up. Wrong ones are recorded:
// they may be guesses.
func (d *Directory) useCodes(ctx context.Context, tx store.Tx, ev audit.Event, serial, code1, code2 string) error {
	seed, err := store.MFASeeds.Get(tx, serial)
	if err != nil {
		return err
	}
	step, err := d.authn.TwoTOTPCodes(ctx, seed, code1, code2)
	if err != nil {
		d.refused(ctx, ev, err)
		return err
	}
	v := *seed
	v.LastStep = step
	return store.MFASeeds.Put(tx, &v)
}

// ResyncMFADevice checks two codes in a row of a user's device whose clock may
// have drifted (IAM ResyncMFADevice).
func (d *Directory) ResyncMFADevice(ctx context.Context, c *identity.Caller, userName, serial, code1, code2 string) error {
	ev := audit.Change(c, iamSource, "ResyncMFADevice", map[string]string{"userName": userName, "serialNumber": serial})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		if _, err := d.userDevice(tx, c, "iam:ResyncMFADevice", userName, serial); err != nil {
			return err
		}
		return d.useCodes(ctx, tx, ev, serial, code1, code2)
	})
}

// userDevice returns a device that the user of a call has.
func (d *Directory) userDevice(tx store.Tx, c *identity.Caller, action, userName, serial string) (*identity.MFADevice, error) {
	u, err := d.target(tx, c, action, userName)
	if err != nil {
		return nil, err
	}
	m, err := ownDevice(tx, c, serial)
	if err == nil && m.UserID != u.ID {
		return nil, noDevice(serial)
	}
	return m, err
}

// DeactivateMFADevice takes a device from its user, whose sessions end (IAM
// DeactivateMFADevice).
func (d *Directory) DeactivateMFADevice(ctx context.Context, c *identity.Caller, userName, serial string) error {
	ev := audit.Change(c, iamSource, "DeactivateMFADevice", map[string]string{"userName": userName, "serialNumber": serial})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		m, err := d.userDevice(tx, c, "iam:DeactivateMFADevice", userName, serial)
		if err != nil {
			return err
		}
		v := *m
		userID := v.UserID
		v.UserID, v.EnabledAt = "", time.Time{}
		if err := store.MFADevices.Put(tx, &v); err != nil {
			return err
		}
		return d.factorChanged(tx, userID)
	})
}

// DeleteMFADevice removes a device that no user has (IAM
// DeleteVirtualMFADevice). KindDeleteConflict for one in use.
func (d *Directory) DeleteMFADevice(ctx context.Context, c *identity.Caller, serial string) error {
	if err := d.permit(c, "iam:DeleteVirtualMFADevice", serial, c.AccountID); err != nil {
		return err
	}
	ev := audit.Change(c, iamSource, "DeleteVirtualMFADevice", map[string]string{"serialNumber": serial})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		m, err := ownDevice(tx, c, serial)
		if err != nil {
			return err
		}
		if m.UserID != "" {
			return &identity.Error{Kind: identity.KindDeleteConflict, Op: "directory.mfa", Public: "MFA VirtualDevice " + clip(serial) + " is in use: deactivate it first."}
		}
		if err := store.MFASeeds.Delete(tx, serial); err != nil {
			return err
		}
		return store.MFADevices.Delete(tx, serial)
	})
}

// ListMFADevices lists the devices of a user, and says whose they are (IAM
// ListMFADevices).
func (d *Directory) ListMFADevices(ctx context.Context, c *identity.Caller, userName string) ([]identity.MFADevice, string, error) {
	var out []identity.MFADevice
	name := ""
	err := d.db.View(ctx, func(r store.Reader) error {
		u, err := d.target(r, c, "iam:ListMFADevices", userName)
		if err != nil {
			return err
		}
		name = u.Name
		list, err := store.MFADevices.List(r, "user", store.Join(u.ID, ""), store.After{}, maxDevices)
		for _, m := range list {
			out = append(out, *m)
		}
		return err
	})
	return out, name, err
}

// AssignedMFADevice is a virtual device with the user who has it, or nil.
type AssignedMFADevice struct {
	identity.MFADevice
	User *identity.User
}

// ListVirtualMFADevices lists the account's devices by serial number: all, or
// those that a user has, or those that nobody has (IAM ListVirtualMFADevices).
func (d *Directory) ListVirtualMFADevices(ctx context.Context, c *identity.Caller, assigned *bool, p Page) (Listing[AssignedMFADevice], error) {
	var out Listing[AssignedMFADevice]
	if err := d.permit(c, "iam:ListVirtualMFADevices", "*", c.AccountID); err != nil {
		return out, err
	}
	const listing = "mfa"
	after, err := d.openMarker(c, listing, p.Marker)
	if err != nil {
		return out, err
	}
	err = d.db.View(ctx, func(r store.Reader) error {
		list, err := store.MFADevices.List(r, "account", store.Join(c.AccountID, ""), after, 0)
		if err != nil {
			return err
		}
		for _, m := range list {
			if assigned != nil && *assigned != (m.UserID != "") {
				continue
			}
			if len(out.Items) == p.limit() {
				last := out.Items[len(out.Items)-1]
				out.Next, err = d.sealMarker(c, listing, store.After{Value: store.Join(c.AccountID, last.Serial), Key: last.Serial})
				return err
			}
			entry := AssignedMFADevice{MFADevice: *m}
			if m.UserID != "" {
				if entry.User, err = store.Users.Get(r, m.UserID); orAbsent(err) != nil {
					return err
				}
			}
			out.Items = append(out.Items, entry)
		}
		return nil
	})
	return out, err
}
