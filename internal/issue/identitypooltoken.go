package issue

import (
	"context"
	"slices"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
	"daypass/internal/token"
)

// poolTokenLife is how long OpenID tokens of identity pools live; package
// directory keeps their keys as long.
const poolTokenLife = 10 * time.Minute

// PoolTokenRequest is GetOpenIdToken.
type PoolTokenRequest struct {
	IdentityID string
	Logins     Logins
}

// PoolToken is its answer.
type PoolToken struct {
	IdentityID string
	Token      identity.Secret
}

// poolTokenClaims is the payload: the claims of Amazon's, and ours that the
// lineage goes on from.
type poolTokenClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"` // the identity
	Audience string   `json:"aud"` // the pool
	AMR      []string `json:"amr"`
	Expiry   int64    `json:"exp"`
	IssuedAt int64    `json:"iat"`

	Incarnation string           `json:"dp_inc"`
	Position    uint64           `json:"dp_pos"`
	IssuedMS    int64            `json:"dp_ms"`
	MFAMS       int64            `json:"dp_mfa,omitempty"`
	Lineage     identity.Lineage `json:"dp_lin"`
}

// PoolOpenIDToken vouches for an identity by a JWT of its pool's own issuer
// (Cognito GetOpenIdToken), good for AssumeRoleWithWebIdentity at roles of the
// pool's account and for nothing else here. Pools give it only where they allow
// the classic flow (KindValidation). Other errors as of IdentityID.
func (i *Issuer) PoolOpenIDToken(ctx context.Context, r PoolTokenRequest) (PoolToken, error) {
	ev := poolEvent("GetOpenIdToken", map[string]any{"identityId": bounded(r.IdentityID)})
	out, err := i.poolOpenIDToken(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) poolOpenIDToken(ctx context.Context, r PoolTokenRequest, ev *audit.Event) (PoolToken, error) {
	// 1 prove
	p, id, err := i.atIdentity(ctx, r.IdentityID, r.Logins, ev)
	if err != nil {
		return PoolToken{}, err
	}
	// 2 permit
	if !p.pool.AllowClassicFlow {
		return PoolToken{}, identity.NewError(identity.KindValidation, "issue.pool", "Basic (classic) flow is not enabled, please use enhanced flow.")
	}
	lineage, mfa, err := p.lineage(id)
	if err != nil {
		return PoolToken{}, err
	}
	// 3 bound the lifetime, 4 mint
	now := i.clock.Now()
	s := identity.NewPoolSession(p.pool.ID, id.ID, packAMR(p.amr()))
	claims := poolTokenClaims{
		Issuer: p.pool.Issuer(i.external), Subject: id.ID, Audience: p.pool.ID, AMR: s.AMR,
		Expiry: now.Add(poolTokenLife).Unix(), IssuedAt: now.Unix(),
		Incarnation: p.pos.Incarnation, Position: p.pos.N, IssuedMS: now.UnixMilli(), Lineage: lineage,
	}
	if !mfa.IsZero() {
		claims.MFAMS = mfa.UnixMilli()
	}
	text, err := i.jwts.SignClaims(p.pool.KeySet(), keyring.RS256, claims, "JWT")
	if err != nil {
		return PoolToken{}, err
	}
	// 5 record
	ev.Issued("token", identity.Secret(text))
	ev.ResponseElements = map[string]any{"identityId": id.ID, "identityPoolId": p.pool.ID}
	if err := i.audit.Record(ctx, *ev); err != nil {
		return PoolToken{}, err
	}
	return PoolToken{IdentityID: id.ID, Token: identity.Secret(text)}, nil
}

// PoolIssuerFacts are what an identity pool's issuer says of itself in
// discovery.
type PoolIssuerFacts struct{ Issuer, Algorithm string }

// IdentityPoolIssuer describes the issuer of a pool's OpenID tokens, with its
// key set as JSON (RFC 7517); KindNotFound for a pool that has none.
func (i *Issuer) IdentityPoolIssuer(poolID string) (PoolIssuerFacts, []byte, error) {
	pool, err := store.IdentityPools.Get(i.db.Snapshot(), poolID)
	if err != nil {
		return PoolIssuerFacts{}, nil, err
	}
	keys := i.keys.JWKS(pool.KeySet())
	if keys == nil {
		return PoolIssuerFacts{}, nil, identity.NewError(identity.KindNotFound, "issue.pool", "")
	}
	return PoolIssuerFacts{Issuer: pool.Issuer(i.external), Algorithm: keyring.RS256}, keys, nil
}

// poolTokenLineage is where the lineage of an identity pool's OpenID token goes
// on from: it must be alive, and so must its pool, its flow and its user.
func (i *Issuer) poolTokenLineage(ctx context.Context, w *authn.WebIdentity) (identity.Lineage, error) {
	c := w.Claims
	ended := &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.webidentity"}
	if !w.OwnPool.AllowClassicFlow || c.Lineage.Get(identity.LineagePoolIdentity) != c.Subject || len(c.Lineage) > identity.MaxLineage {
		return nil, ended
	}
	snap := i.db.Snapshot()
	acc, err := store.Accounts.Get(snap, w.OwnPool.AccountID)
	if err != nil {
		return nil, absentAs(err, ended)
	}
	full := append(slices.Clone(c.Lineage), identity.Ancestor{Kind: identity.LineageProvider, ID: w.OwnPool.ARN(acc.Partition)})
	issued := time.UnixMilli(c.IssuedMS)
	at := identity.Position{Incarnation: c.Incarnation, N: c.Position}
	if i.access.LineageLive(snap, acc.ID, full, at, issued) != nil {
		return nil, ended
	}
	for _, a := range c.Lineage {
		if a.Kind != identity.LineagePrincipal {
			continue
		}
		u, err := store.Lookup(ctx, i.db, store.Users, a.ID)
		if err != nil || permitUser(u, c.MFAMS != 0) != nil || i.access.LineageLive(snap, u.AccountID, full, at, issued) != nil {
			return nil, absentAs(err, ended)
		}
	}
	return c.Lineage, nil
}

// permitPoolRole asks the trust policy of a role for an identity pool's OpenID
// token. A policy that does not ask for "amr" trusts nobody this way: it would
// take an unauthenticated identity for anyone.
func (i *Issuer) permitPoolRole(ctx context.Context, acc *identity.Account, arn identity.ARN, w *authn.WebIdentity, r WebIdentityRequest) (*granted, error) {
	_, role, err := roleOf(i.db.Snapshot(), arn)
	if err != nil {
		return nil, notTrusted(err)
	}
	c := w.Claims
	if w.OwnPool.AccountID != acc.ID || len(c.Audience) != 1 || c.Audience[0] != w.OwnPool.ID {
		return nil, errNotTrusted
	}
	keys := roleKeys(role, r.RoleSessionName, "", &sessionTags{})
	keys[identity.CognitoIdentity+":aud"], keys[identity.CognitoIdentity+":sub"] = c.Audience, []string{c.Subject}
	by := access.Federated{Provider: identity.CognitoIdentity, Request: identity.RequestOf(ctx)}
	ask := func() bool {
		return i.access.AuthorizeFederated(by, role, acc.Partition, webIdentityAction, keys).Allowed()
	}
	if ask() {
		return nil, errNotTrusted
	}
	amr := c.Value("amr")
	keys[identity.CognitoIdentity+":amr"] = amr
	if !ask() {
		return nil, errNotTrusted
	}
	if len(amr) > 0 { // the first word is NewPoolSession's
		amr = amr[1:]
	}
	out := &granted{
		claims: token.SessionClaims{
			Kind: identity.RoleSession, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: role.ID,
			ProviderARN: w.OwnPool.ARN(acc.Partition), Audience: packAMR(amr), MFA: c.MFAMS != 0,
		},
		maxLife: role.MaxSessionDuration, audience: c.Audience[0], provider: identity.CognitoIdentity,
		assumedID:  role.ID + ":" + r.RoleSessionName,
		assumedARN: identity.AssumedRoleARN(acc.Partition, acc.ID, role.Name, r.RoleSessionName),
	}
	if c.MFAMS != 0 {
		out.claims.MFATime = time.UnixMilli(c.MFAMS)
	}
	return out, nil
}
