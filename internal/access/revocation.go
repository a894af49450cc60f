package access

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

// sessionLife is the longest that session keys live (36 h of GetSessionToken)
// with the longest clock skew.
const sessionLife = 36*time.Hour + 15*time.Minute

// IsSessionKeyID tells the access key IDs of sessions from all others.
func IsSessionKeyID(id string) bool { return token.ValidSessionKeyID(id) }

// target is the key of a revocation that would end a credential, and when what
// it names was issued (Unix ms): that ancestor, or the credential itself.
type target struct {
	key      string
	issuedMS int64
}

// descent is what revocations can match of a credential.
type descent struct {
	accessKeyID, account string
	role, provider       string // "" for none
	issuedMS             int64
	lineage              identity.Lineage
}

func (d *descent) targets() []target {
	out := make([]target, 0, len(d.lineage)+6)
	add := func(kind identity.LineageKind, id string, ms int64) {
		if id == "" {
			return
		}
		if ms == 0 {
			ms = d.issuedMS
		}
		out = append(out, target{revocationKey(kind, id, ""), ms})
		if d.account != "" && boundToAccount(kind) {
			out = append(out, target{revocationKey(kind, id, d.account), ms})
		}
	}
	add(identity.LineageAccessKey, d.accessKeyID, 0)
	add(identity.LineageAccount, d.account, 0)
	add(identity.LineageRole, d.role, 0)
	add(identity.LineageProvider, d.provider, 0)
	for _, a := range d.lineage {
		add(a.Kind, a.ID, a.IssuedMS)
	}
	return out
}

// boundToAccount tells the kinds that a revocation may bound to an account.
func boundToAccount(kind identity.LineageKind) bool {
	return kind == identity.LineageAccessKey || kind == identity.LineageWebIdentity
}

// revocationKey is the key of a revocation's row; account is "" for one that
// is not bound to an account.
func revocationKey(kind identity.LineageKind, id, account string) string {
	if account != "" {
		return string(kind) + "@" + account + "/" + id
	}
	return string(kind) + "/" + id
}

// revoked reports whether one of the targets was revoked in a transaction
// after the position, or, where the revocation names a time, for what was
// issued before it. A revocation's own position is the feed number of its row.
func revoked(r store.Reader, targets []target, position uint64) bool {
	for i := range targets {
		rev, err := store.Revocations.Get(r, targets[i].key)
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
		if (rev.N == 0 || position < rev.N) && (rev.BeforeMS == 0 || targets[i].issuedMS < rev.BeforeMS) {
			return true
		}
	}
	return false
}

// Revoke ends, as part of a transaction, everything that matches and was
// minted before it. It reaches sealed tokens and JWTs; keys that others check
// end only by lifetime.
func (a *Access) Revoke(tx store.Tx, rev identity.Revocation) error {
	if rev.AccountID != "" && !boundToAccount(rev.Kind) {
		return &identity.Error{Kind: identity.KindInternal, Op: "access.revoke"}
	}
	life := sessionLife
	realms, err := store.Realms.List(a.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, r := range realms {
		life = max(life, time.Duration(max(r.AccessTokenSeconds, r.RefreshTokenSeconds, r.LongestTokenSeconds))*time.Second+15*time.Minute)
	}
	if _, err := store.IBMSites.Get(a.db.Snapshot(), identity.IBMSiteName); identity.KindOf(err) != identity.KindNotFound {
		life = max(life, identity.IBMRefreshTokenLife+15*time.Minute, identity.KMSConsentLife+15*time.Minute)
	}
	now := a.clock.Now()
	rev.ExpiresAt, rev.AtMS = now.Add(life).UTC(), now.UnixMilli()
	if rev.Kind == identity.LineageWebIdentity || rev.Kind == identity.LineageProvider {
		rev.ExpiresAt = time.Time{}
	}
	key := revocationKey(rev.Kind, rev.ID, rev.AccountID)
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
// the second it was issued in, or for a time after it. KindExpiredToken.
func (a *Access) ForeignLive(r store.Reader, issuer, subject, providerARN string, issued time.Time) error {
	arn, _ := identity.ParseARN(providerARN)
	who := identity.WebIdentityID(issuer, subject)
	for _, key := range []string{
		revocationKey(identity.LineageWebIdentity, who, ""),
		revocationKey(identity.LineageWebIdentity, who, arn.Account),
		revocationKey(identity.LineageProvider, providerARN, ""),
	} {
		rev, err := store.Revocations.Get(r, key)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return errExpired
		}
		last := rev.AtMS
		if rev.BeforeMS != 0 && rev.Full == 0 {
			last = rev.BeforeMS - 1
		}
		if issued.UnixMilli() <= last {
			return errExpired
		}
	}
	return nil
}

// StillLive re-checks a caller inside a transaction, so that a session revoked
// elsewhere cannot leave a child behind: its lineage, its account, its
// principal and, for a long-term key, the key itself. KindExpiredToken, or
// KindUnknownAccessKey for long-term keys. A person who logged in is judged as
// a session is.
func (a *Access) StillLive(r store.Reader, c *identity.Caller) error {
	if c.Kind == identity.Operator {
		return nil
	}
	gone := errUnknownKey
	if c.Session() {
		gone = errExpired
		if !a.clock.Now().Before(c.ExpiresAt) || c.Position.Incarnation != a.db.Snapshot().Position().Incarnation {
			return errExpired
		}
		d := descent{accessKeyID: c.AccessKeyID, account: c.AccountID, provider: c.ProviderARN, issuedMS: c.IssuedAt.UnixMilli(), lineage: c.Lineage}
		if c.Kind == identity.RoleSession {
			d.role = c.PrincipalID
		}
		if revoked(r, d.targets(), c.Position.N) {
			return errExpired
		}
	} else if err := a.longTermLive(r, c); err != nil {
		return err
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

// Ended says whether a caller that was accepted would not be any more, were it
// not for its time alone.
func (a *Access) Ended(ctx context.Context, c *identity.Caller) bool {
	timeless := *c
	timeless.ExpiresAt = a.clock.Now().Add(time.Hour)
	switch identity.KindOf(a.StillLive(a.db.Current(ctx), &timeless)) {
	case identity.KindExpiredToken, identity.KindUnknownAccessKey:
		return true
	}
	return false
}

// LineageLive checks a lineage that is about to be extended: of a JWT, of a
// refresh family. The account is that of the user, or the one in which it is
// used. KindExpiredToken when any of it was revoked after the position or
// belongs to another incarnation of the feed.
func (a *Access) LineageLive(r store.Reader, account string, l identity.Lineage, at identity.Position, issued time.Time) error {
	d := descent{account: account, issuedMS: issued.UnixMilli(), lineage: l}
	if at.Incarnation != a.db.Snapshot().Position().Incarnation || revoked(r, d.targets(), at.N) {
		return errExpired
	}
	return nil
}

// SessionEnded says whether a session of the index was revoked, or comes from
// another incarnation of the feed; that its time is over, or its principal
// gone, it does not say.
func (a *Access) SessionEnded(r store.Reader, s *store.SessionRecord) bool {
	d := descent{accessKeyID: s.AccessKeyID, account: s.AccountID, provider: s.Provider, issuedMS: s.IssuedAt.UnixMilli(), lineage: s.Lineage}
	if s.Kind == identity.RoleSession {
		d.role = s.PrincipalID
	}
	return s.Position.Incarnation != a.db.Snapshot().Position().Incarnation || revoked(r, d.targets(), s.Position.N)
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
		if prunable(r, now) {
			dead = append(dead, r.ID)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	_, err = a.db.Update(ctx, func(tx store.Tx) error {
		for _, k := range dead {
			r, err := store.Revocations.Get(tx, k)
			if identity.KindOf(err) == identity.KindNotFound || (err == nil && !prunable(r, now)) {
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

func prunable(r *store.RevocationRow, now time.Time) bool {
	return !r.ExpiresAt.IsZero() && now.After(r.ExpiresAt)
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
