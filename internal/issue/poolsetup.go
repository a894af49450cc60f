package issue

import (
	"context"
	"encoding/base64"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// PoolEnrol begins to set up a software token with the session of an MFA_SETUP
// challenge (Cognito AssociateSoftwareToken). It returns the seed (raw bytes),
// which is shown once, and the session to go on with. KindInvalidCredentials for
// a session that does not hold.
func (i *Issuer) PoolEnrol(ctx context.Context, session identity.Secret) (seed, next identity.Secret, err error) {
	next, err = i.setUp(ctx, "AssociateSoftwareToken", session, false, func(tx store.Tx, partition string, l *userPoolLogin) (err error) {
		seed, err = i.authn.EnrolTOTP(tx, partition, l.user)
		return err
	})
	return seed, next, err
}

// PoolConfirm ends what PoolEnrol began by one code of the device (Cognito
// VerifySoftwareToken); the session that it returns answers the challenge.
// Errors as of PoolEnrol and authn.ConfirmTOTP.
func (i *Issuer) PoolConfirm(ctx context.Context, session identity.Secret, code, name string) (identity.Secret, error) {
	return i.setUp(ctx, "VerifySoftwareToken", session, true, func(tx store.Tx, partition string, l *userPoolLogin) error {
		if err := i.authn.ConfirmTOTP(ctx, tx, partition, l.user, code, name); err != nil {
			return err
		}
		return i.endAll(tx, l, "factor changed")
	})
}

// setUp changes the devices of a user who owes a second factor and has none;
// shown says that fn takes a code, and the log-in begins anew with it.
func (i *Issuer) setUp(ctx context.Context, name string, session identity.Secret, shown bool, fn func(store.Tx, string, *userPoolLogin) error) (identity.Secret, error) {
	ev := audit.Event{Source: userPoolSource, Name: name}
	next, err := i.setUpWith(ctx, session, &ev, shown, fn)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return next, err
}

func (i *Issuer) setUpWith(ctx context.Context, session identity.Secret, ev *audit.Event, shown bool, fn func(store.Tx, string, *userPoolLogin) error) (identity.Secret, error) {
	s, _, err := i.readPool(session.Reveal(), base64.RawURLEncoding)
	if err != nil {
		return "", err
	}
	l, err := i.beginPool(s.Client, "")
	if err != nil {
		return "", absentAs(err, errPoolSession)
	}
	if _, err := i.resume(ctx, l, challengeSetUp, session, ev); err != nil {
		return "", err
	}
	if challenge, _, err := i.poolOwes(ctx, l); err != nil || challenge != challengeSetUp {
		return "", errPoolSession
	}
	acc, err := store.Accounts.Get(i.db.Snapshot(), l.user.AccountID)
	if err != nil {
		return "", err
	}
	pos, err := i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		if err := i.stillProved(tx, l); err != nil {
			return err
		}
		if has, err := authn.HasFactor(tx, l.user.ID); err != nil || has {
			return absentAs(err, errPoolSession)
		}
		return fn(tx, acc.Partition, l)
	})
	if err != nil {
		return "", err
	}
	if shown {
		l.at, l.pos, l.mfa = i.clock.Now(), pos, true
		l.mfaMS = l.at.UnixMilli()
	}
	return i.sealLogin(l, challengeSetUp)
}
