package access

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// login is what a user pool's or IBM's access token, or a session cookie of the
// console, says of who logged in; its signature or seal was good.
type login struct {
	account, user string // the account's ID and the user's unique one
	lineage       identity.Lineage
	position      identity.Position
	issued        time.Time
	expires       time.Time
	mfa           time.Time // zero without a second factor
	console       bool      // by a cookie
	byKey         bool      // by an API key, not as a person
}

// person judges all that can change (expiry, revocation, the state of account
// and user) and makes the Caller of a person who logged in. KindExpiredToken
// for one that is not alive.
func (a *Access) person(ctx context.Context, l login) (*identity.Caller, error) {
	if err := a.db.Fresh(); err != nil {
		return nil, err
	}
	policies := a.compiled.Load() // before the snapshot, which is then no older
	snap := a.db.Snapshot()
	if !a.clock.Now().Before(l.expires) {
		return nil, errExpired
	}
	if err := a.LineageLive(snap, l.account, l.lineage, l.position, l.issued); err != nil {
		return nil, err
	}
	rows := principal{}
	var err error
	if rows.account, err = store.Accounts.Get(snap, l.account); err != nil {
		return nil, ifNotFound(err, errExpired)
	}
	if rows.user, err = store.Lookup(ctx, a.db, store.Users, l.user); err != nil {
		return nil, ifNotFound(err, errExpired)
	}
	u := rows.user
	if rows.account.Disabled || u.Disabled || u.MustChangePassword || u.AccountID != l.account || u.MFARequired && l.mfa.IsZero() {
		return nil, errExpired
	}
	c := (&credential{userID: u.ID}).describe(&rows)
	c.Interactive, c.Console, c.Lineage, c.Position = !l.byKey, l.console, l.lineage, l.position
	c.IssuedAt, c.ExpiresAt, c.MFA, c.MFATime = l.issued, l.expires, !l.mfa.IsZero(), l.mfa
	c.Rights = a.makeRights(snap, policies, &rows, &c)
	c.Request = identity.RequestOf(ctx)
	return &c, nil
}
