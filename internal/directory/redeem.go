package directory

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// look opens a link outside of a transaction, and describes whose it is.
func (d *Directory) look(ctx context.Context, token identity.Secret, by string) (*opened, audit.Event, error) {
	ev := audit.Event{Source: consoleSource, Name: "RedeemLink", RequestParameters: map[string]any{"by": by}}
	var o *opened
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		o, err = d.openLink(r, token)
		return err
	})
	if o != nil {
		ev.RequestParameters["reset"], ev.RequestParameters["removeMFA"] = o.Reset, o.RemoveMFA
		ev.UserIdentity = o.identity()
	}
	if err != nil {
		d.refused(ctx, ev, err)
		return nil, ev, err
	}
	return o, ev, nil
}

// redeem uses a link up and gives its user what fn stores, in one transaction:
// of several that come at once, one wins.
func (d *Directory) redeem(ctx context.Context, hash string, ev audit.Event, fn func(tx store.Tx, o *opened) error) error {
	_, err := d.audit.Commit(ctx, d.db, ev, func(tx store.Tx) error {
		o, err := d.openHash(tx, hash)
		if err != nil {
			return ifAbsent(err, badLink("This link is gone."))
		}
		used := *o.OneTimeLink
		used.UsedAt = d.clock.Now().UTC()
		if err := store.OneTimeLinks.Put(tx, &used); err != nil {
			return err
		}
		if o.RemoveMFA {
			if err := dropFactors(tx, o.user.ID); err != nil {
				return err
			}
		}
		return fn(tx, o)
	})
	if err != nil {
		d.refused(ctx, ev, err)
	}
	return err
}

// RedeemPassword gives the user of a link a password. Earlier sessions end.
// KindInvalidGrant for a link that is not good; KindValidation for a password
// that the rule refuses, which leaves the link as it was.
func (d *Directory) RedeemPassword(ctx context.Context, token, password identity.Secret) error {
	o, ev, err := d.look(ctx, token, "password")
	if err != nil {
		return err
	}
	made, err := d.makePassword(ctx, o.account, o.realm, *o.user, password)
	if err != nil {
		return err
	}
	return d.redeem(ctx, o.Hash, ev, func(tx store.Tx, o *opened) error {
		return d.putPassword(tx, o.user, made, false)
	})
}

var errSecondFactor = &identity.Error{
	Kind: identity.KindAccessDenied, Op: "directory.link",
	Public: "There is a second factor, which stays: set a password, log in with both, and add this afterwards.",
}

// RegisterLinkPasskey begins the registration of a passkey by a link.
// KindAccessDenied where the user has a second factor that stays.
func (d *Directory) RegisterLinkPasskey(ctx context.Context, token identity.Secret) (authn.Ceremony, error) {
	var o *opened
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		o, err = d.openLink(r, token)
		return err
	})
	if err != nil {
		return authn.Ceremony{}, err
	}
	if o.passwordOnly() {
		return authn.Ceremony{}, errSecondFactor
	}
	return d.authn.RegisterPasskey(o.user, nil) // it has none, or they go
}

// RedeemPasskey gives the user of a link the passkey that RegisterLinkPasskey
// began. A user who is reset loses its password. Earlier sessions end. Errors as
// of RedeemPassword and AddPasskey.
func (d *Directory) RedeemPasskey(ctx context.Context, token, state identity.Secret, answer []byte, name string) error {
	o, ev, err := d.look(ctx, token, "passkey")
	if err != nil {
		return err
	}
	p, once, err := d.newPasskey(o.user, state, answer, name)
	if err != nil {
		d.refused(ctx, ev, err)
		return err
	}
	ev.Add("passkeyId", p.ID)
	return d.redeem(ctx, o.Hash, ev, func(tx store.Tx, o *opened) error {
		if err := d.noPassword(tx, o); err != nil {
			return err
		}
		return d.storePasskey(tx, p, once)
	})
}

// BeginLinkForeign begins a log-in at a foreign issuer by a link. Errors as of
// RegisterLinkPasskey and BeginOwnForeign.
func (d *Directory) BeginLinkForeign(ctx context.Context, token identity.Secret, login string) (authn.ForeignStart, error) {
	var o *opened
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		o, err = d.openLink(r, token)
		return err
	})
	if err != nil {
		return authn.ForeignStart{}, err
	}
	if o.passwordOnly() {
		return authn.ForeignStart{}, errSecondFactor
	}
	return d.authn.BeginForeign(ctx, o.realm.Name, login, authn.ForeignFor{Purpose: authn.ForeignOnceLink, ID: o.Hash})
}

// RedeemForeign links a foreign identity, which was shown for a link, to the
// link's user. A user who is reset loses its password. Earlier sessions end.
func (d *Directory) RedeemForeign(ctx context.Context, p *authn.ForeignProof) error {
	ev := audit.Event{Source: consoleSource, Name: "RedeemLink", RequestParameters: map[string]any{"by": "identity", "issuer": p.Issuer}}
	ev.Add("webIdentity", identity.WebIdentityID(p.Issuer, p.Subject))
	if p.For.Purpose != authn.ForeignOnceLink {
		err := identity.NewError(identity.KindInvalidIdentity, "directory.link", "That log-in was begun for something else; begin again.")
		d.refused(ctx, ev, err)
		return err
	}
	var o *opened
	err := d.db.View(ctx, func(r store.Reader) (err error) {
		o, err = d.openHash(r, p.For.ID)
		return err
	})
	if o == nil {
		return ifAbsent(err, badLink("This link is gone."))
	}
	ev.UserIdentity = o.identity()
	return d.redeem(ctx, p.For.ID, ev, func(tx store.Tx, o *opened) error {
		if err := d.noPassword(tx, o); err != nil {
			return err
		}
		return d.storeIdentity(tx, o.user.ID, p)
	})
}

// noPassword takes from a user who is reset, and chose something else, the
// password that was lost or may be known, and ends its sessions.
func (d *Directory) noPassword(tx store.Tx, o *opened) error {
	if o.passwordOnly() {
		return errSecondFactor
	}
	v := *o.user
	v.MustChangePassword = false
	if o.Reset {
		if err := store.Passwords.Delete(tx, v.ID); orAbsent(err) != nil {
			return err
		}
	}
	if err := store.Users.Put(tx, &v); err != nil {
		return err
	}
	return d.userChanged(tx, o.user, &v, true)
}

// dropFactors removes a user's MFA devices and passkeys.
func dropFactors(tx store.Tx, userID string) error {
	devices, err := store.MFADevices.List(tx, "user", store.Join(userID, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	for _, m := range devices {
		if err := store.MFASeeds.Delete(tx, m.Serial); orAbsent(err) != nil {
			return err
		}
		if err := store.MFADevices.Delete(tx, m.Serial); err != nil {
			return err
		}
	}
	return dropPasskeys(tx, userID)
}

func dropPasskeys(tx store.Tx, userID string) error {
	keys, err := passkeysOf(tx, userID)
	for _, p := range keys {
		if err == nil {
			err = store.Passkeys.Delete(tx, p.ID)
		}
	}
	return err
}

// dropLogins removes, with a user who is deleted, its API keys, passkeys, foreign
// identities and one-time links: nobody else could.
func (d *Directory) dropLogins(tx store.Tx, userID string) error {
	if err := d.dropAPIKeys(tx, userID); err != nil {
		return err
	}
	if err := dropPasskeys(tx, userID); err != nil {
		return err
	}
	linked, err := identitiesOf(tx, userID)
	for _, l := range linked {
		if err == nil {
			err = store.IdentityLinks.Delete(tx, l.Key())
		}
	}
	if err != nil {
		return err
	}
	links, err := store.OneTimeLinks.List(tx, "user", store.Join(userID, ""), store.After{}, 0)
	for _, l := range links {
		if err == nil {
			err = store.OneTimeLinks.Delete(tx, l.Hash)
		}
	}
	return err
}
