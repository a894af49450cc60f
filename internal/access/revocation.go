package access

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// sessionLife is the longest that session keys live (36 h of GetSessionToken)
// with the longest clock skew.
const sessionLife = 36*time.Hour + 15*time.Minute

// revoked reports whether one of the targets was revoked in a transaction
// after the position, or, where the revocation names a time, for what was
// issued before it. A revocation's own position is the feed number of its row.
func revoked(r store.Reader, targets []string, position uint64, issuedMS int64) bool {
	for _, t := range targets {
		rev, err := store.Revocations.Get(r, t)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return true // unknown means denied
		}
		if position < rev.Full {
			return true
		}
		// Zero: written by the transaction that asks, so certainly later.
		if (rev.N == 0 || position < rev.N) && (rev.BeforeMS == 0 || issuedMS < rev.BeforeMS) {
			return true
		}
	}
	return false
}

// Revoke ends, as part of a transaction, everything that matches and was
// minted before it. It reaches sealed tokens and JWTs; keys that others check
// end only by lifetime.
func (a *Access) Revoke(tx store.Tx, rev identity.Revocation) error {
	life := sessionLife
	realms, err := store.Realms.List(a.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, r := range realms {
		life = max(life, time.Duration(max(r.AccessTokenSeconds, r.RefreshTokenSeconds, r.LongestTokenSeconds))*time.Second+15*time.Minute)
	}
	now := a.clock.Now()
	rev.ExpiresAt, rev.AtMS = now.Add(life).UTC(), now.UnixMilli()
	key := revocationKey(rev.Kind, rev.ID)
	have, err := store.Revocations.Get(tx, key)
	if err == nil {
		rev.Full = have.Full
		if have.BeforeMS == 0 {
			rev.Full = max(rev.Full, have.N)
		} else if rev.BeforeMS != 0 {
			rev.BeforeMS = max(rev.BeforeMS, have.BeforeMS)
		}
	} else if identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return store.Revocations.Put(tx, &store.RevocationRow{ID: key, Revocation: rev})
}

// ForeignLive checks a token of a foreign issuer, which has no position: it is
// dead when its issuer and subject, or its provider, were revoked at or after
// the second it was issued in. KindExpiredToken.
func (a *Access) ForeignLive(r store.Reader, issuer, subject, providerARN string, issued time.Time) error {
	for _, key := range []string{
		revocationKey(identity.LineageWebIdentity, identity.WebIdentityID(issuer, subject)),
		revocationKey(identity.LineageProvider, providerARN),
	} {
		rev, err := store.Revocations.Get(r, key)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil || issued.UnixMilli() <= max(rev.AtMS, rev.BeforeMS) {
			return errExpired
		}
	}
	return nil
}

// StillLive re-checks a caller inside a transaction, so that a session revoked
// elsewhere cannot leave a child behind: its lineage, its account, its
// principal and, for a long-term key, the key itself. KindExpiredToken, or
// KindUnknownAccessKey for long-term keys.
func (a *Access) StillLive(r store.Reader, c *identity.Caller) error {
	if c.Kind == identity.Operator {
		return nil
	}
	gone := errUnknownKey
	if c.Temporary {
		gone = errExpired
		if !a.clock.Now().Before(c.ExpiresAt) || c.Position.Incarnation != a.db.Snapshot().Position().Incarnation {
			return errExpired
		}
		targets := append(lineageTargets(c.Lineage),
			revocationKey(identity.LineageAccessKey, c.AccessKeyID), revocationKey(identity.LineageAccount, c.AccountID))
		if c.Kind == identity.RoleSession {
			targets = append(targets, revocationKey(identity.LineageRole, c.PrincipalID))
		}
		if c.ProviderARN != "" {
			targets = append(targets, revocationKey(identity.LineageProvider, c.ProviderARN))
		}
		if revoked(r, targets, c.Position.N, c.IssuedAt.UnixMilli()) {
			return errExpired
		}
	} else if k, err := store.AccessKeys.Get(r, c.AccessKeyID); err != nil || !k.Active {
		return orKind(err, gone)
	}
	acc, err := store.Accounts.Get(r, c.AccountID)
	if err != nil || acc.Disabled {
		return orKind(err, gone)
	}
	if c.Kind == identity.RoleSession {
		_, err := store.Roles.Get(r, c.PrincipalID)
		return ifNotFound(err, gone)
	}
	u, err := store.Users.Get(r, c.PrincipalID)
	if err != nil || u.Disabled {
		return orKind(err, gone)
	}
	return nil
}

// LineageLive checks a lineage that is about to be extended: of a JWT, of a
// refresh family. KindExpiredToken when any of it was revoked after the
// position or belongs to another incarnation of the feed.
func (a *Access) LineageLive(r store.Reader, l identity.Lineage, at identity.Position, issued time.Time) error {
	if at.Incarnation != a.db.Snapshot().Position().Incarnation || revoked(r, lineageTargets(l), at.N, issued.UnixMilli()) {
		return errExpired
	}
	return nil
}

// PruneRevocations removes entries that can match nothing alive.
func (a *Access) PruneRevocations(ctx context.Context) error {
	now := a.clock.Now()
	all, err := store.Revocations.List(a.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	var dead []string
	for _, r := range all {
		if now.After(r.ExpiresAt) {
			dead = append(dead, r.ID)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	_, err = a.db.Update(ctx, func(tx store.Tx) error {
		for _, k := range dead {
			r, err := store.Revocations.Get(tx, k)
			if identity.KindOf(err) == identity.KindNotFound || (err == nil && !now.After(r.ExpiresAt)) {
				continue
			}
			if err != nil {
				return err
			}
			if err := store.Revocations.Delete(tx, k); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func orKind(err error, gone error) error {
	if err == nil {
		return gone
	}
	return ifNotFound(err, gone)
}

func ifNotFound(err error, gone error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return gone
	}
	return err
}
