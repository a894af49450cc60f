package directory

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	consoleSource = "console"
	// maxPasskeys is how many passkeys a user may have, and maxIdentities how many
	// foreign identities.
	maxPasskeys   = 10
	maxIdentities = 10
	maxLabel      = 64
	// factorAge is how old a log-in may be by which a user adds or removes a way
	// to log in.
	factorAge = 5 * time.Minute
)

// ownFactor asks whether the caller may do something about its own ways to log
// in. They are MFA devices, as in AWS: policies that speak of those hold.
func (d *Directory) ownFactor(c *identity.Caller, action string) error {
	if err := d.access.AuthorizeOwn(c, action, access.Resource{ARN: c.OwnerARN, AccountID: c.AccountID}).Err; err != nil {
		return err
	}
	if !c.Interactive || c.Kind != identity.IAMUser && c.Kind != identity.RootUser {
		return identity.NewError(identity.KindAccessDenied, "directory.factor", "Log in at the console for this.")
	}
	return nil
}

// freshFactor is ownFactor for what adds or removes one. KindExpiredIdentity for
// a log-in that is too old.
func (d *Directory) freshFactor(c *identity.Caller, action string) error {
	if err := d.ownFactor(c, action); err != nil {
		return err
	}
	if d.clock.Now().Sub(c.IssuedAt) >= factorAge {
		return identity.NewError(identity.KindExpiredIdentity, "directory.factor", "The log-in is more than five minutes old: log in again.")
	}
	return nil
}

func noPasskey() error {
	return identity.NewError(identity.KindNotFound, "directory.passkey", "There is no such passkey.")
}

func passkeysOf(r store.Reader, userID string) ([]*identity.Passkey, error) {
	return store.Passkeys.List(r, "user", store.Join(userID, ""), store.After{}, 0)
}

// ListPasskeys lists the caller's own passkeys.
func (d *Directory) ListPasskeys(ctx context.Context, c *identity.Caller) ([]identity.Passkey, error) {
	if err := d.ownFactor(c, "iam:ListMFADevices"); err != nil {
		return nil, err
	}
	var out []identity.Passkey
	err := d.db.View(ctx, func(r store.Reader) error {
		list, err := passkeysOf(r, c.PrincipalID)
		for _, p := range list {
			out = append(out, *p)
		}
		return err
	})
	return out, err
}

// RegisterPasskey begins the registration of a passkey of the caller's own.
// KindExpiredIdentity when the log-in is more than five minutes old,
// KindLimitExceeded, KindNotImplemented where passkeys are impossible.
func (d *Directory) RegisterPasskey(ctx context.Context, c *identity.Caller) (authn.Ceremony, error) {
	if err := d.freshFactor(c, "iam:EnableMFADevice"); err != nil {
		return authn.Ceremony{}, err
	}
	return d.registerPasskey(ctx, c.PrincipalID)
}

func (d *Directory) registerPasskey(ctx context.Context, userID string) (authn.Ceremony, error) {
	var u *identity.User
	var have []*identity.Passkey
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		if u, err = store.Users.Get(r, userID); err != nil {
			return err
		}
		have, err = passkeysOf(r, u.ID)
		return err
	})
	if err != nil {
		return authn.Ceremony{}, err
	}
	if err := mayHavePasskey(u, len(have)); err != nil {
		return authn.Ceremony{}, err
	}
	return d.authn.RegisterPasskey(u, have)
}

// mayHavePasskey refuses machines, and more passkeys than a person needs.
func mayHavePasskey(u *identity.User, have int) error {
	if u.Token != nil || u.Realm == "" {
		return invalid("Only people who log in have passkeys.")
	}
	if have >= maxPasskeys {
		return &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory.passkey", Public: "A user has ten passkeys at most: remove one first."}
	}
	return nil
}

// AddPasskey takes the answer to RegisterPasskey under a name of the user's. What
// the user obtained before ends. Errors as of
// RegisterPasskey, KindInvalidInput for an answer that is not good,
// KindInvalidGrant for one that comes late or twice.
func (d *Directory) AddPasskey(ctx context.Context, c *identity.Caller, state identity.Secret, answer []byte, name string) error {
	if err := d.freshFactor(c, "iam:EnableMFADevice"); err != nil {
		return err
	}
	u, err := store.Lookup(ctx, d.db, store.Users, c.PrincipalID)
	if err != nil {
		return err
	}
	ev := audit.Change(c, consoleSource, "AddPasskey", nil)
	p, once, err := d.newPasskey(u, state, answer, name)
	if err != nil {
		d.refused(ctx, ev, err)
		return err
	}
	ev.Add("passkeyId", p.ID)
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		if err := d.storePasskey(tx, p, once); err != nil {
			return err
		}
		return d.factorChanged(tx, p.UserID)
	})
}

func (d *Directory) newPasskey(u *identity.User, state identity.Secret, answer []byte, name string) (*identity.Passkey, authn.UsedOnce, error) {
	label, err := checkLabel(name)
	if err != nil {
		return nil, authn.UsedOnce{}, err
	}
	p, once, err := d.authn.NewPasskey(u, state, answer)
	if err == nil {
		p.Name = label
	}
	return p, once, err
}

func (d *Directory) storePasskey(tx store.Tx, p *identity.Passkey, once authn.UsedOnce) error {
	if err := once.Use(tx); err != nil {
		return err
	}
	u, err := store.Users.Get(tx, p.UserID)
	if err != nil {
		return err
	}
	have, err := passkeysOf(tx, p.UserID)
	if err != nil {
		return err
	}
	if err := mayHavePasskey(u, len(have)); err != nil {
		return err
	}
	// A credential ID is somebody's already (§7.1 step 26).
	if err := store.Passkeys.Insert(tx, p); identity.KindOf(err) == identity.KindAlreadyExists {
		return identity.NewError(identity.KindAlreadyExists, "directory.passkey", "This passkey is registered already.")
	} else if err != nil {
		return err
	}
	return nil
}

// checkLabel is a name that a person gives to a thing of its own; none is
// "Passkey".
func checkLabel(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "Passkey", nil
	}
	if utf8.RuneCountInString(name) > maxLabel || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", invalid("A name has at most %d characters, and no control characters.", maxLabel)
	}
	return name, nil
}

func ownPasskey(r store.Reader, c *identity.Caller, id string) (*identity.Passkey, error) {
	p, err := store.Passkeys.Get(r, id)
	if identity.KindOf(err) == identity.KindNotFound || err == nil && p.UserID != c.PrincipalID {
		return nil, noPasskey()
	}
	return p, err
}

// RenamePasskey gives a passkey of the caller's another name.
func (d *Directory) RenamePasskey(ctx context.Context, c *identity.Caller, id, name string) error {
	if err := d.ownFactor(c, "iam:EnableMFADevice"); err != nil {
		return err
	}
	label, err := checkLabel(name)
	if err != nil {
		return err
	}
	ev := audit.Change(c, consoleSource, "RenamePasskey", map[string]string{"passkeyId": id})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := ownPasskey(tx, c, id)
		if err != nil {
			return err
		}
		v := *p
		v.Name = label
		return store.Passkeys.Put(tx, &v)
	})
}

// DeletePasskey removes a passkey of the caller's and ends what it obtained
// before. KindExpiredIdentity as of
// RegisterPasskey; KindDeleteConflict for the last way to log in.
func (d *Directory) DeletePasskey(ctx context.Context, c *identity.Caller, id string) error {
	if err := d.freshFactor(c, "iam:DeactivateMFADevice"); err != nil {
		return err
	}
	ev := audit.Change(c, consoleSource, "DeletePasskey", map[string]string{"passkeyId": id})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := ownPasskey(tx, c, id)
		if err != nil {
			return err
		}
		if err := store.Passkeys.Delete(tx, p.ID); err != nil {
			return err
		}
		if err := d.keepsWayIn(tx, p.UserID); err != nil {
			return err
		}
		return d.factorChanged(tx, p.UserID)
	})
}

// keepsWayIn refuses to take a user's last way to log in away.
func (d *Directory) keepsWayIn(tx store.Tx, userID string) error {
	w, err := waysIn(tx, userID)
	if err == nil && !w.any() {
		return identity.NewError(identity.KindDeleteConflict, "directory.factor", "This is the last way to log in: add another one first.")
	}
	return err
}

// ways are the ways in which a user can log in, and its second factors.
type ways struct {
	password                      bool
	passkeys, devices, identities int
}

func (w *ways) any() bool { return w.password || w.passkeys > 0 || w.identities > 0 }

func waysIn(r store.Reader, userID string) (*ways, error) {
	w := new(ways)
	_, err := store.Passwords.Get(r, userID)
	if w.password = err == nil; orAbsent(err) != nil {
		return nil, err
	}
	keys, err := passkeysOf(r, userID)
	if err != nil {
		return nil, err
	}
	devices, err := store.MFADevices.List(r, "user", store.Join(userID, ""), store.After{}, 0)
	if err != nil {
		return nil, err
	}
	links, err := identitiesOf(r, userID)
	w.passkeys, w.devices, w.identities = len(keys), len(devices), len(links)
	return w, err
}
