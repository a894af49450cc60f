package authn

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Password checks a user's name (or e-mail) and password in a realm, and says
// since when the password is the user's. A wrong password, an unknown and a
// disabled user give the same KindInvalidCredentials after the same work; too
// many wrong ones give KindThrottled before anything is hashed.
// What else stands in the way of a log-in is judged by issue.
func (a *Authn) Password(ctx context.Context, realm, name string, password identity.Secret) (*identity.User, time.Time, error) {
	const op = "authn.password"
	wrong := &identity.Error{Kind: identity.KindInvalidCredentials, Op: op}
	if len(password) > MaxPassword || len(name) > 256 {
		return nil, time.Time{}, wrong
	}
	user, stored, err := a.passwordOf(ctx, realm, name)
	if err != nil {
		return nil, time.Time{}, err
	}
	try, err := a.guesses.begin(ctx, a.guessKey(user, realm, name), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer try.end()
	ok, err := a.verifyStored(ctx, realm, name, user, stored, password)
	if err != nil {
		try.giveBack(ctx)
		return nil, time.Time{}, err
	}
	if !ok || user == nil || user.Disabled {
		return nil, time.Time{}, wrong
	}
	try.good(ctx)
	return user, stored.ChangedAt, nil
}

// verifyStored checks a password, or the secret of an API token. What is asked
// for by the name of an API token takes the time of one, though there be none.
func (a *Authn) verifyStored(ctx context.Context, realm, name string, user *identity.User, stored *store.Password, password identity.Secret) (bool, error) {
	if user != nil && stored.PHC == "" || user == nil && identity.IsAPIAccessKey(name) {
		return a.verifyAPISecret(ctx, realm, name, user, stored, password)
	}
	return a.verifyPHC(ctx, stored.PHC, password)
}

// passwordOf returns the user and the hash to check against; an unknown user,
// or one without a password, has a hash that nothing matches.
func (a *Authn) passwordOf(ctx context.Context, realm, name string) (*identity.User, *store.Password, error) {
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
		return user, pw, nil
	case identity.KindNotFound:
		return nil, &store.Password{PHC: a.fakePHC(realm, store.Fold(name))}, nil
	default:
		return nil, nil, err
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

// CheckOldPassword checks the password of a user that is logged in, under the
// same limits on guessing as a log-in. False when the user has none.
func (a *Authn) CheckOldPassword(ctx context.Context, u *identity.User, password identity.Secret) (bool, error) {
	if len(password) > MaxPassword {
		return false, nil
	}
	try, err := a.guesses.begin(ctx, a.guessKey(u, u.Realm, u.Name), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return false, err
	}
	defer try.end()
	ok, err := a.SamePassword(ctx, u.ID, password)
	switch {
	case err != nil:
		try.giveBack(ctx)
	case ok:
		try.good(ctx)
	}
	return ok, err
}

// UsedBefore reports whether a password is one of the last n that a user had,
// the present one included.
func (a *Authn) UsedBefore(ctx context.Context, userID string, password identity.Secret, n int) (bool, error) {
	var pw *store.Password
	err := a.db.View(ctx, func(r store.Reader) (err error) {
		pw, err = store.Passwords.Get(r, userID)
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for i, hash := range append([]string{pw.PHC}, pw.History...) {
		if i == n {
			break
		}
		if same, err := a.verifyPHC(ctx, hash, password); same || err != nil {
			return same, err
		}
	}
	return false, nil
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
