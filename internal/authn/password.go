package authn

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Password checks a user's name (or e-mail) and password in a realm. A wrong
// password, an unknown and a disabled user give the same KindInvalidCredentials
// after the same work; too many wrong ones give KindThrottled before any work.
// What else stands in the way of a log-in is judged by issue.
func (a *Authn) Password(ctx context.Context, realm, name string, password identity.Secret) (*identity.User, error) {
	const op = "authn.password"
	wrong := &identity.Error{Kind: identity.KindInvalidCredentials, Op: op}
	if len(password) > MaxPassword || len(name) > 256 {
		return nil, wrong
	}
	try, err := a.guesses.begin(ctx, a.keys.Hash("guess", []byte(realm+"\x00"+store.Fold(name))), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, err
	}
	defer try.end()
	user, stored, err := a.passwordOf(ctx, realm, name)
	if err != nil {
		return nil, err
	}
	ok, err := a.verifyPHC(ctx, stored, password)
	if err != nil {
		try.giveBack(ctx)
		return nil, err
	}
	if !ok || user == nil || user.Disabled {
		return nil, wrong
	}
	try.good(ctx)
	return user, nil
}

// passwordOf returns the user and the hash to check against; an unknown user,
// or one without a password, has a hash that nothing matches.
func (a *Authn) passwordOf(ctx context.Context, realm, name string) (*identity.User, string, error) {
	var user *identity.User
	var pw *store.Password
	err := a.db.View(ctx, func(r store.Reader) error {
		var err error
		if user, err = store.Users.By(r, "login", store.Join(realm, store.Fold(name))); err != nil {
			return err
		}
		pw, err = store.Passwords.Get(r, user.ID)
		return err
	})
	switch identity.KindOf(err) {
	case "":
		return user, pw.PHC, nil
	case identity.KindNotFound:
		return nil, a.fakePHC(realm, store.Fold(name)), nil
	default:
		return nil, "", err
	}
}

// SamePassword reports whether a user's stored password is this one; false
// when there is none. For idempotent administration, not for log-ins.
func (a *Authn) SamePassword(ctx context.Context, userID string, password identity.Secret) (bool, error) {
	var pw *store.Password
	err := a.db.View(ctx, func(r store.Reader) (err error) {
		pw, err = store.Passwords.Get(r, userID)
		return err
	})
	switch identity.KindOf(err) {
	case "":
		return a.verifyPHC(ctx, pw.PHC, password)
	case identity.KindNotFound:
		return false, nil
	default:
		return false, err
	}
}

// NewPassword is a password ready to be stored: its argon2id hash, and the
// sealed SRP verifier under the user's immutable subject and pool name.
func (a *Authn) NewPassword(ctx context.Context, userID, poolName, subject string, password identity.Secret, now time.Time) (*store.Password, error) {
	hash, err := a.HashPassword(ctx, password)
	if err != nil {
		return nil, err
	}
	p := &store.Password{UserID: userID, PHC: hash, ChangedAt: now}
	if poolName == "" {
		return p, nil
	}
	salt, verifier, err := newSRP(a.random, poolName, subject, password)
	if err != nil {
		return nil, err
	}
	p.SRPSalt = salt
	p.SRP, err = a.keys.Seal(store.Passwords.Name(), "srp", userID, verifier)
	return p, err
}
