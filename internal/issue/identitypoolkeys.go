package issue

import (
	"context"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/token"
)

// defaultPoolLife is how long session keys of identity pools live, in seconds,
// where the configuration says nothing else.
const defaultPoolLife = 3600

// PoolCredentialsRequest is GetCredentialsForIdentity.
type PoolCredentialsRequest struct {
	IdentityID    string
	Logins        Logins
	CustomRoleARN string // "" when not given
	// DurationSeconds is 0, for the most that the pool gives; only people at the
	// console ask for less.
	DurationSeconds int
}

// PoolCredentials are its answer.
type PoolCredentials struct {
	IdentityID     string
	AssumedRoleARN string
	Keys           identity.SessionKeys
}

// PoolCredentials gives an identity session keys of the role that its pool has
// for it (Cognito GetCredentialsForIdentity). They end with the identity, with
// every log-in that was shown, and with the pool.
//
// Errors as of IdentityID, and KindAccessDenied with the detail JSONCode when
// there is no role or it does not trust the pool.
func (i *Issuer) PoolCredentials(ctx context.Context, r PoolCredentialsRequest) (PoolCredentials, error) {
	ev := poolEvent("GetCredentialsForIdentity", map[string]any{"identityId": bounded(r.IdentityID), "customRoleArn": bounded(r.CustomRoleARN)})
	out, err := i.poolCredentials(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) poolCredentials(ctx context.Context, r PoolCredentialsRequest, ev *audit.Event) (PoolCredentials, error) {
	var out PoolCredentials
	// 1 prove
	p, id, err := i.atIdentity(ctx, r.IdentityID, r.Logins, ev)
	if err != nil {
		return out, err
	}
	// 2 permit
	arn, err := p.poolRole(r.CustomRoleARN)
	if err != nil {
		return out, err
	}
	amr := p.amr()
	role, err := i.trusted(p, arn, identity.NewPoolSession(p.pool.ID, id.ID, packAMR(amr)), identity.RequestOf(ctx))
	if err != nil {
		return out, err
	}
	lineage, mfa, err := p.lineage(id)
	if err != nil {
		return out, err
	}
	// 3 bound the lifetime
	life, err := i.boundPoolLife(r.DurationSeconds, role)
	if err != nil {
		return out, err
	}
	// 4 mint, 5 record
	assumed := identity.AssumedRoleARN(p.acc.Partition, p.acc.ID, role.Name, poolSessionName)
	m := &session{
		arn: assumed, proof: "identity pool", subject: i.poolSubject(ctx, p),
		claims: token.SessionClaims{
			Kind: identity.RoleSession, AccountID: p.acc.ID, Partition: p.acc.Partition, PrincipalID: role.ID, SessionName: poolSessionName,
			ProviderARN: p.pool.ARN(p.acc.Partition), Audience: packAMR(amr), MFA: !mfa.IsZero(), MFATime: mfa, Position: p.pos, Lineage: lineage,
		},
	}
	keys, _, err := i.mint(ctx, m, life, ev, map[string]any{"identityId": id.ID, "assumedRoleArn": assumed, "identityPoolId": p.pool.ID})
	if err != nil {
		return out, err
	}
	return PoolCredentials{IdentityID: id.ID, AssumedRoleARN: assumed, Keys: keys}, nil
}

// poolLifeOf is the longest that keys of a role from an identity pool live, in
// seconds: the least of all limits.
func (i *Issuer) poolLifeOf(role *identity.Role) int {
	return min(i.poolLife, role.MaxSessionDuration, maxSessionLife)
}

func (i *Issuer) boundPoolLife(asked int, role *identity.Role) (time.Duration, error) {
	limit := i.poolLifeOf(role)
	if asked == 0 {
		return time.Duration(limit) * time.Second, nil
	}
	return time.Duration(asked) * time.Second, i.inBounds(asked, limit)
}

// poolSubject is how the index of sessions names who logged in first.
func (i *Issuer) poolSubject(ctx context.Context, p *poolCall) string {
	if len(p.logins) == 0 {
		return ""
	}
	return i.shownSubject(ctx, p.logins[0].WebIdentity)
}
