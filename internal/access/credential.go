package access

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync/atomic"
	"time"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/store"
	"daypass/internal/token"
)

// credential is an opened session token or a long-term key.
type credential struct {
	secret identity.Secret
	// Of session keys:
	claims  *token.SessionClaims
	targets []target // the revocations that would end it
	// Of long-term keys:
	keyID    string
	userID   string
	account  string
	longTerm *identity.AccessKey
	toldMS   atomic.Int64 // when the log last said that the key has ended

	derived    atomic.Pointer[[]derivedKey]
	asymmetric atomic.Pointer[sigv4.AsymmetricKey]
	resolved   atomic.Pointer[resolved]
	noted      atomic.Int64 // Unix nanoseconds of the last note of its use
}

// derivedKey is a signing key for one scope. A credential is used under few.
type derivedKey struct {
	date, region, service string
	key                   *sigv4.SigningKey
}

const maxDerived = 8

func (c *credential) signingKey(s *sigv4.Signed) *sigv4.SigningKey {
	have := c.derived.Load()
	if have != nil {
		for i := range *have {
			d := &(*have)[i]
			if d.date == s.Date && d.region == s.Region && d.service == s.Service {
				return d.key
			}
		}
	}
	// The strings of a Signed refer to its request.
	d := derivedKey{date: strings.Clone(s.Date), region: strings.Clone(s.Region), service: strings.Clone(s.Service)}
	d.key = sigv4.Derive(c.secret.Reveal(), d.date, d.region, d.service)
	next := []derivedKey{d}
	if have != nil {
		next = append(next, (*have)[:min(len(*have), maxDerived-1)]...)
	}
	c.derived.Store(&next)
	return d.key
}

// verify checks a signature with the key of its kind.
func (c *credential) verify(s *sigv4.Signed, bodySHA256 string) error {
	if !s.Asymmetric {
		return s.Check(c.signingKey(s), bodySHA256)
	}
	key := c.asymmetric.Load()
	if key == nil {
		key = sigv4.DeriveAsymmetric(c.secret.Reveal(), c.keyID)
		c.asymmetric.Store(key)
	}
	return s.CheckAsymmetric(key, bodySHA256)
}

// principal is the rows behind a credential; user or role is nil.
type principal struct {
	account *identity.Account
	user    *identity.User
	role    *identity.Role
}

// resolved is a caller made from rows of a snapshot; it holds as long as the
// rows and the compiled policies are the same.
type resolved struct {
	principal
	compiled *compiled
	caller   identity.Caller
}

var (
	errUnknownKey = &identity.Error{Kind: identity.KindUnknownAccessKey, Op: "access"}
	errBadToken   = &identity.Error{Kind: identity.KindInvalidToken, Op: "access"}
	errExpired    = &identity.Error{Kind: identity.KindExpiredToken, Op: "access"}
)

// find looks the presented credential up: session keys by opening their token,
// long-term keys in the store. The second result puts it into the cache and is
// called only after its signature was good.
func (a *Access) find(ctx context.Context, s *sigv4.Signed) (*credential, func(), error) {
	switch {
	case strings.HasPrefix(s.AccessKeyID, "ASIA"):
		if s.SessionToken == "" {
			return nil, nil, errUnknownKey
		}
		return a.findSession(ctx, s)
	case s.SessionToken != "":
		return nil, nil, errBadToken
	default:
		return a.findLongTerm(ctx, s.AccessKeyID)
	}
}

func (a *Access) findSession(ctx context.Context, s *sigv4.Signed) (*credential, func(), error) {
	var room [2 << 10]byte // keeps the copy of an ordinary token off the heap
	sum := sha256.Sum256(append(room[:0], s.SessionToken...))
	if c := a.tokens.get(sum); c != nil {
		if c.keyID != s.AccessKeyID {
			return nil, nil, errBadToken
		}
		return c, func() {}, a.sessions.CheckEpoch(ctx, s.SessionToken)
	}
	claims, secret, err := a.sessions.Open(ctx, s.AccessKeyID, s.SessionToken)
	if err != nil {
		return nil, nil, err
	}
	c := &credential{secret: secret, claims: claims, keyID: strings.Clone(s.AccessKeyID), userID: claims.PrincipalID, account: claims.AccountID}
	c.targets = sessionTargets(c.keyID, claims)
	return c, func() { a.tokens.put(sum, c) }, nil
}

func sessionTargets(accessKeyID string, c *token.SessionClaims) []target {
	d := descent{accessKeyID: accessKeyID, account: c.AccountID, provider: c.ProviderARN, issuedMS: c.IssuedMS, lineage: c.Lineage}
	if c.Kind == identity.RoleSession {
		d.role = c.PrincipalID
	}
	return d.targets()
}

func (a *Access) findLongTerm(ctx context.Context, id string) (*credential, func(), error) {
	if len(id) > 128 {
		return nil, nil, errUnknownKey
	}
	k, err := store.Lookup(ctx, a.db, store.AccessKeys, id)
	if err != nil {
		if identity.KindOf(err) == identity.KindNotFound {
			return nil, nil, errUnknownKey
		}
		return nil, nil, err
	}
	if !k.Active {
		return nil, nil, errUnknownKey
	}
	if c := a.longTerm.get(id); c != nil && sameKey(c.longTerm, k) {
		return c, func() {}, nil
	}
	sealed, err := store.Lookup(ctx, a.db, store.KeySecrets, id)
	if err != nil {
		return nil, nil, err
	}
	secret, err := a.keys.Unseal(store.KeySecrets.Name(), "secret", id, sealed.Sealed)
	if err != nil {
		return nil, nil, err
	}
	c := &credential{secret: identity.Secret(secret), keyID: k.ID, userID: k.UserID, account: k.AccountID, longTerm: k}
	return c, func() { a.longTerm.put(k.ID, c) }, nil
}

// caller makes the Caller behind a credential, judging all that can change:
// expiry, revocation, and the state of account and principal.
func (a *Access) caller(ctx context.Context, c *credential, now time.Time) (*identity.Caller, error) {
	policies := a.compiled.Load() // before the snapshot, which is then no older
	snap := a.db.Snapshot()
	if c.claims != nil {
		if !now.Before(c.claims.ExpiresAt) || c.claims.Position.Incarnation != snap.Position().Incarnation {
			return nil, errExpired
		}
		if revoked(snap, c.targets, c.claims.Position.N) {
			return nil, errExpired
		}
	}
	gone := errExpired
	if c.claims == nil {
		gone = errUnknownKey
		if err := a.judgeLongTerm(ctx, snap, c, now); err != nil {
			return nil, err
		}
	}
	p, err := a.rows(ctx, snap, c)
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	if p.account.Disabled || (p.user != nil && p.user.Disabled) {
		return nil, gone
	}
	if have := c.resolved.Load(); have != nil && have.principal == p && have.compiled == policies {
		return &have.caller, nil
	}
	r := &resolved{principal: p, compiled: policies, caller: c.describe(&p)}
	r.caller.Rights = a.makeRights(snap, policies, &p, &r.caller)
	c.resolved.Store(r)
	return &r.caller, nil
}

// rows reads the account and the principal behind a credential.
func (a *Access) rows(ctx context.Context, snap *store.Snapshot, c *credential) (p principal, err error) {
	if p.account, err = store.Accounts.Get(snap, c.account); err != nil {
		return p, err
	}
	if c.claims != nil && c.claims.Kind == identity.RoleSession {
		p.role, err = store.Roles.Get(snap, c.claims.PrincipalID)
		return p, err
	}
	p.user, err = store.Lookup(ctx, a.db, store.Users, c.userID)
	return p, err
}

func (c *credential) describe(r *principal) identity.Caller {
	p := r.account.Partition
	out := identity.Caller{AccountID: r.account.ID, Partition: p, AccessKeyID: c.keyID}
	switch {
	case r.role != nil:
		out.Kind, out.PrincipalID, out.Name = identity.RoleSession, r.role.ID, r.role.Name
		out.SessionName = c.claims.SessionName
		out.ARN = identity.AssumedRoleARN(p, r.account.ID, r.role.Name, c.claims.SessionName)
		out.UserID = r.role.ID + ":" + c.claims.SessionName
		out.OwnerARN = r.role.ARN(p)
	case c.claims != nil && c.claims.Kind == identity.Federated:
		out.Kind, out.PrincipalID, out.Name = identity.Federated, r.user.ID, r.user.Name
		out.ARN = identity.FederatedUserARN(p, r.account.ID, c.claims.SessionName)
		out.UserID, out.OwnerARN = r.account.ID+":"+c.claims.SessionName, r.user.ARN(p)
	case r.user.Root:
		out.Kind, out.PrincipalID, out.Name = identity.RootUser, r.user.ID, "root"
		out.ARN, out.UserID = identity.RootARN(p, r.account.ID), r.account.ID
	default:
		out.Kind, out.PrincipalID, out.Name = identity.IAMUser, r.user.ID, r.user.Name
		out.ARN, out.UserID, out.Tags = r.user.ARN(p), r.user.ID, r.user.Tags
		out.APIToken = r.user.Token != nil
		if r.user.ServiceID != nil || r.user.Profile != nil {
			out.Kind = identity.ServiceID
		}
	}
	if out.OwnerARN == "" {
		out.OwnerARN = out.ARN
	}
	if c.claims == nil {
		out.Lineage = identity.Lineage{
			{Kind: identity.LineagePrincipal, ID: c.userID},
			{Kind: identity.LineageProof, ID: c.keyID},
		}
		return out
	}
	out.Temporary = true
	out.SessionName = c.claims.SessionName
	out.SourceIdentity, out.MFA, out.MFATime = c.claims.SourceIdentity, c.claims.MFA, c.claims.MFATime
	out.Tags, out.TransitiveKeys = sessionTags(r, c.claims), c.claims.TransitiveKeys
	out.SessionPolicy, out.SessionPolicyARNs = c.claims.Policy, c.claims.PolicyARNs
	out.ProviderARN = c.claims.ProviderARN
	if pool := identity.IdentityPoolOf(out.ProviderARN); pool != "" {
		out.Pool = identity.NewPoolSession(pool, c.claims.Lineage.Get(identity.LineagePoolIdentity), c.claims.Audience)
	}
	out.IssuedAt, out.ExpiresAt = time.UnixMilli(c.claims.IssuedMS), c.claims.ExpiresAt
	out.Position, out.Lineage = c.claims.Position, c.claims.Lineage
	return out
}

// sessionTags are the tags of the role or user, over which those of the session
// go; keys ignore case.
func sessionTags(r *principal, c *token.SessionClaims) map[string]string {
	var own map[string]string
	switch {
	case r.role != nil:
		own = r.role.Tags
	case r.user != nil:
		own = r.user.Tags
	}
	if len(own) == 0 {
		return c.Tags
	}
	if len(c.Tags) == 0 {
		return own
	}
	out := make(map[string]string, len(own)+len(c.Tags))
	over := make(map[string]bool, len(c.Tags))
	for k, v := range c.Tags {
		out[k], over[store.Fold(k)] = v, true
	}
	for k, v := range own {
		if !over[store.Fold(k)] {
			out[k] = v
		}
	}
	return out
}
