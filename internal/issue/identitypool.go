package issue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const poolSource = "cognito-identity.amazonaws.com"

// maxIdentityLogins bounds the log-ins that lead to one identity.
const maxIdentityLogins = 20

// Logins are log-in tokens by the name of their provider.
type Logins map[string]identity.Secret

// IdentityIDRequest is GetId.
type IdentityIDRequest struct {
	AccountID string // "" when not given
	PoolID    string
	Logins    Logins
}

// poolCall is a call to an identity pool in the making.
type poolCall struct {
	pool   *identity.IdentityPool
	acc    *identity.Account
	pos    identity.Position // read before anything was judged
	logins []*poolLogin
}

// poolLogin is one log-in token whose log-in still stands.
type poolLogin struct {
	*authn.PoolLogin
	// lineage is what sessions go on from.
	lineage identity.Lineage
	// live judges it again in a transaction.
	live func(store.Reader) error
}

// IdentityID finds the identity that the log-ins lead to, for ever the same,
// and makes one where they lead to none; log-ins shown together lead to one
// identity. Without log-ins it makes an unauthenticated one (Cognito GetId).
//
// KindNotFound: no such pool. KindInvalidIdentity, KindExpiredIdentity,
// KindProviderUnreachable: a log-in token is no good. KindAlreadyExists: the
// log-ins lead to different identities. KindThrottled, KindLimitExceeded.
func (i *Issuer) IdentityID(ctx context.Context, r IdentityIDRequest) (string, error) {
	ev := poolEvent("GetId", map[string]any{"identityPoolId": bounded(r.PoolID)})
	id, err := i.identityID(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return id, err
}

func (i *Issuer) identityID(ctx context.Context, r IdentityIDRequest, ev *audit.Event) (string, error) {
	// 1 prove, 2 permit
	p, err := i.atPool(ctx, r.PoolID, poolNotFound(r.PoolID))
	if err != nil {
		return "", err
	}
	if r.AccountID != "" && r.AccountID != p.acc.ID {
		return "", poolNotFound(r.PoolID)
	}
	if err := i.proveLogins(ctx, p, r.Logins, ev); err != nil {
		return "", err
	}
	if len(p.logins) == 0 {
		if !p.pool.AllowUnauthenticated {
			return "", errNoGuests
		}
		if err := i.authn.NewGuest(ctx); err != nil {
			return "", err
		}
	}
	for range 3 { // somebody else may log in at the same time
		id, err := i.findOrMake(ctx, p, *ev)
		if err != errMoved {
			return id, err
		}
	}
	return "", identity.NewError(identity.KindConflict, "issue.pool", "")
}

// errMoved says that the store is not any more as it was read before.
var errMoved = identity.NewError(identity.KindConflict, "issue.pool", "")

func (i *Issuer) findOrMake(ctx context.Context, p *poolCall, ev audit.Event) (string, error) {
	var found *identity.PoolIdentity
	if err := i.db.View(ctx, func(r store.Reader) (err error) { found, err = p.find(r); return err }); err != nil {
		return "", err
	}
	if found != nil && p.leads(found) {
		return found.ID, nil
	}
	// 4 mint, 5 record
	to := found
	if to == nil {
		var err error
		if to, err = i.newIdentity(p); err != nil {
			return "", err
		}
	}
	ev.RecipientAccountID, ev.ResponseElements = p.acc.ID, map[string]any{"identityId": to.ID}
	_, err := i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error {
		now, err := p.find(tx)
		if err != nil {
			return err
		}
		if (now == nil) != (found == nil) || now != nil && now.ID != found.ID {
			return errMoved
		}
		if now == nil {
			now = to
		}
		_, err = i.link(tx, p, now)
		return err
	})
	return to.ID, err
}

// atPool finds a living pool in a living account; absent is the error for any
// other.
func (i *Issuer) atPool(_ context.Context, poolID string, absent error) (*poolCall, error) {
	if err := i.ready(); err != nil {
		return nil, err
	}
	snap := i.db.Snapshot()
	pool, err := store.IdentityPools.Get(snap, poolID)
	if err != nil {
		return nil, absentAs(err, absent)
	}
	acc, err := store.Accounts.Get(snap, pool.AccountID)
	if err != nil || acc.Disabled {
		return nil, absentAs(err, absent)
	}
	return &poolCall{pool: pool, acc: acc, pos: snap.Position()}, nil
}

// absentAs passes on only errors of the store.
func absentAs(err, absent error) error {
	if err == nil || identity.KindOf(err) == identity.KindNotFound {
		return absent
	}
	return err
}

// proveLogins verifies every log-in token, and judges whether its log-in still
// stands.
func (i *Issuer) proveLogins(ctx context.Context, p *poolCall, logins Logins, ev *audit.Event) error {
	for _, name := range slices.Sorted(maps.Keys(logins)) {
		l, err := i.authn.PoolLogin(ctx, p.pool, p.acc.Partition, name, logins[name])
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.logins, func(o *poolLogin) bool { return o.Name == l.Name }) {
			return identity.NewError(identity.KindValidation, "issue.pool", "Two of the Logins name the same provider.")
		}
		ev.UserIdentity = audit.UserIdentity{
			Type: "WebIdentityUser", PrincipalID: l.Login, AccountID: p.acc.ID, IdentityProvider: l.Name,
		}
		proven := &poolLogin{PoolLogin: l}
		if err := i.stands(ctx, p, proven); err != nil {
			return err
		}
		p.logins = append(p.logins, proven)
	}
	return nil
}

// stands judges whether a log-in still stands: that of a user of ours with its
// user, a foreign one with its provider.
func (i *Issuer) stands(ctx context.Context, p *poolCall, l *poolLogin) error {
	c := l.Claims
	ended := &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.pool", Public: "Invalid login token. The log-in has ended."}
	if l.OwnRealm == nil {
		issued := c.IssuedAt.Time()
		ms := issued.UnixMilli()
		l.lineage = identity.Lineage{
			{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(l.Issuer, c.Subject), IssuedMS: ms},
			{Kind: identity.LineageProvider, ID: l.ProviderARN, IssuedMS: ms},
		}
		l.live = func(r store.Reader) error {
			if i.access.ForeignLive(r, l.Issuer, c.Subject, l.ProviderARN, issued) != nil {
				return ended
			}
			return nil
		}
		return l.live(i.db.Snapshot())
	}
	lineage, err := i.livingToken(ctx, i.db.Snapshot(), l.WebIdentity, p.acc)
	if identity.KindOf(err) == identity.KindExpiredIdentity {
		return ended
	}
	if err != nil {
		return err
	}
	l.lineage = lineage
	l.live = func(r store.Reader) error {
		u, err := store.Users.Get(r, c.UserID)
		if err != nil || permitUser(u, c.MFAMS != 0) != nil {
			return absentAs(err, ended)
		}
		at := identity.Position{Incarnation: c.Incarnation, N: c.Position}
		if i.access.LineageLive(r, u.AccountID, lineage, at, time.UnixMilli(c.IssuedMS)) != nil {
			return ended
		}
		return nil
	}
	return nil
}

// find returns the identity that the log-ins lead to, nil for none.
func (p *poolCall) find(r store.Reader) (*identity.PoolIdentity, error) {
	var found *identity.PoolIdentity
	for _, l := range p.logins {
		have, err := store.PoolIdentities.By(r, "login", store.Join(p.pool.ID, l.Login))
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if found != nil && found.ID != have.ID {
			return nil, identity.NewError(identity.KindAlreadyExists, "issue.pool", "The logins are linked to different identities.")
		}
		found = have
	}
	return found, nil
}

// leads reports whether every log-in leads to the identity.
func (p *poolCall) leads(to *identity.PoolIdentity) bool {
	return !slices.ContainsFunc(p.logins, func(l *poolLogin) bool { return !linked(to, l) })
}

func linked(to *identity.PoolIdentity, l *poolLogin) bool {
	return slices.ContainsFunc(to.Logins, func(have identity.IdentityLogin) bool { return have.Subject == l.Login })
}

func (i *Issuer) newIdentity(p *poolCall) (*identity.PoolIdentity, error) {
	uuid, err := identity.NewUUID(i.random)
	if err != nil {
		return nil, err
	}
	now := i.clock.Now().UTC()
	return &identity.PoolIdentity{
		ID: p.pool.Region + ":" + uuid, PoolID: p.pool.ID, AccountID: p.pool.AccountID, CreatedAt: now, ModifiedAt: now,
	}, nil
}

// link writes an identity with all log-ins, each judged again.
func (i *Issuer) link(tx store.Tx, p *poolCall, to *identity.PoolIdentity) (*identity.PoolIdentity, error) {
	if _, err := store.IdentityPools.Get(tx, p.pool.ID); err != nil {
		return nil, absentAs(err, poolNotFound(p.pool.ID))
	}
	v := *to
	v.Logins = slices.Clone(to.Logins)
	for _, l := range p.logins {
		if err := l.live(tx); err != nil {
			return nil, err
		}
		if !linked(&v, l) {
			v.Logins = append(v.Logins, identity.IdentityLogin{Provider: l.Name, Subject: l.Login})
		}
	}
	if len(v.Logins) > maxIdentityLogins {
		return nil, identity.NewError(identity.KindLimitExceeded, "issue.pool", fmt.Sprintf("An identity has at most %d logins.", maxIdentityLogins))
	}
	v.ModifiedAt = i.clock.Now().UTC()
	return &v, store.PoolIdentities.Put(tx, &v)
}

// atIdentity finds an identity and its pool, and judges whether the log-ins, or
// that there are none, let the caller act for it. Log-ins that lead to nobody
// yet are linked to it. An unauthenticated identity whose log-ins belong to
// another goes over to that one, and lets nobody in any more.
func (i *Issuer) atIdentity(ctx context.Context, id string, logins Logins, ev *audit.Event) (*poolCall, *identity.PoolIdentity, error) {
	absent := identity.NewError(identity.KindNotFound, "issue.pool", "Identity '"+bounded(id)+"' not found.")
	if err := i.ready(); err != nil {
		return nil, nil, err
	}
	pos := i.db.Snapshot().Position()
	var have *identity.PoolIdentity
	if err := i.db.View(ctx, func(r store.Reader) (err error) { have, err = store.PoolIdentities.Get(r, id); return err }); err != nil {
		return nil, nil, absentAs(err, absent)
	}
	p, err := i.atPool(ctx, have.PoolID, absent)
	if err != nil {
		return nil, nil, err
	}
	p.pos = pos
	ev.RecipientAccountID = p.acc.ID
	if err := i.proveLogins(ctx, p, logins, ev); err != nil {
		return nil, nil, err
	}
	if have.Disabled || len(p.logins) == 0 && len(have.Logins) > 0 {
		return nil, nil, identity.NewError(identity.KindInvalidIdentity, "issue.pool", "Access to Identity '"+id+"' is forbidden.")
	}
	if len(p.logins) == 0 {
		if !p.pool.AllowUnauthenticated {
			return nil, nil, errNoGuests
		}
		return p, have, nil
	}
	if p.leads(have) {
		return p, have, nil
	}
	have, err = i.join(ctx, p, have, ev)
	return p, have, err
}

// join links log-ins to an identity that one of them leads to, or that has
// none.
func (i *Issuer) join(ctx context.Context, p *poolCall, id *identity.PoolIdentity, ev *audit.Event) (*identity.PoolIdentity, error) {
	out := id
	linking := *ev
	linking.Name = "LinkIdentity"
	_, err := i.audit.Commit(ctx, i.db, linking, func(tx store.Tx) error {
		have, err := store.PoolIdentities.Get(tx, id.ID)
		if err != nil || have.Disabled {
			return absentAs(err, identity.NewError(identity.KindNotFound, "issue.pool", "Identity '"+id.ID+"' not found."))
		}
		leadsTo, err := p.find(tx)
		if err != nil {
			return err
		}
		guest := len(have.Logins) == 0
		switch {
		case leadsTo == nil && guest:
			out, err = i.link(tx, p, have)
			return err
		case leadsTo != nil && leadsTo.ID == have.ID:
			out, err = i.link(tx, p, have)
			return err
		case leadsTo != nil && guest:
			gone := *have
			gone.Disabled, gone.ModifiedAt = true, i.clock.Now().UTC()
			if err := store.PoolIdentities.Put(tx, &gone); err != nil {
				return err
			}
			if err := i.access.Revoke(tx, identity.Revocation{Kind: identity.LineagePoolIdentity, ID: have.ID, Reason: "went over to another identity"}); err != nil {
				return err
			}
			out, err = i.link(tx, p, leadsTo)
			return err
		}
		return identity.NewError(identity.KindInvalidIdentity, "issue.pool",
			"Logins don't match. Please include at least one valid login for this identity or identity pool.")
	})
	return out, err
}

var errNoGuests = identity.NewError(identity.KindInvalidIdentity, "issue.pool", "Unauthenticated access is not supported for this identity pool.")

func poolNotFound(id string) error {
	return identity.NewError(identity.KindNotFound, "issue.pool", "IdentityPool '"+bounded(id)+"' not found.")
}

func poolEvent(name string, params map[string]any) audit.Event {
	return audit.Event{Source: poolSource, Name: name, RequestParameters: params}
}

// lineage is what everything descends from that the call yields, and when a
// second factor was shown with every log-in of it; zero when not.
func (p *poolCall) lineage(id *identity.PoolIdentity) (identity.Lineage, time.Time, error) {
	var out identity.Lineage
	var err error
	mfa := int64(0)
	for n, l := range p.logins {
		if out, err = out.Extend(l.lineage...); err != nil {
			return nil, time.Time{}, err
		}
		if n == 0 || l.Claims.MFAMS < mfa {
			mfa = l.Claims.MFAMS
		}
		if l.OwnRealm == nil { // what others say of factors is theirs
			mfa = 0
		}
	}
	out, err = out.Extend(identity.Ancestor{Kind: identity.LineagePoolIdentity, ID: id.ID})
	if mfa == 0 {
		return out, time.Time{}, err
	}
	return out, time.UnixMilli(mfa), err
}

// amr is "amr" without its first word.
func (p *poolCall) amr() []string {
	var out []string
	for _, l := range p.logins {
		out = append(out, l.AMR()...)
	}
	return out
}

// poolKeys are the condition keys of identity pools.
func poolKeys(s *identity.PoolSession) map[string][]string {
	return map[string][]string{
		identity.CognitoIdentity + ":aud": {s.PoolID},
		identity.CognitoIdentity + ":sub": {s.IdentityID},
		identity.CognitoIdentity + ":amr": s.AMR,
	}
}

// packAMR is how a session token carries "amr": identity.NewPoolSession reads it.
func packAMR(amr []string) string { return strings.Join(amr, "\n") }
