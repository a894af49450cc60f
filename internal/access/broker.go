package access

import (
	"context"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/token"
)

// BrokerAction is what a role needs for its sessions to be given keys that an
// upstream minted, on UpstreamARN.
const BrokerAction = "daypass:BrokerCredentials"

// UpstreamARN names an upstream, as the policies of an account's roles do.
func UpstreamARN(partition, account, name string) string {
	return identity.ARN{Partition: partition, Service: "daypass", Account: account, Resource: "upstream/" + name}.String()
}

// RoleSession is the caller that session keys of a role with these claims would
// be accepted as now, judged as they would be. KindExpiredToken when any of its
// lineage was revoked after the claims' position, when it is over, or when
// account or role are gone.
func (a *Access) RoleSession(ctx context.Context, claims *token.SessionClaims) (*identity.Caller, error) {
	if claims.Kind != identity.RoleSession {
		return nil, errExpired
	}
	c := &credential{claims: claims, userID: claims.PrincipalID, account: claims.AccountID, targets: sessionTargets("", claims)}
	caller, err := a.caller(ctx, c, a.clock.Now())
	if err != nil {
		return nil, err
	}
	caller.Request = identity.RequestOf(ctx)
	return caller, nil
}

// AuthorizeBroker decides whether a role session may be given keys of an
// upstream: its role's policies must allow BrokerAction, and boundary and session
// policies bind. What the keys can do is the upstream's to say, so that nothing
// but this action is asked here.
func (a *Access) AuthorizeBroker(c *identity.Caller, upstream string) Decision {
	res := Resource{ARN: UpstreamARN(c.Partition, c.AccountID, upstream), AccountID: c.AccountID, Unrecorded: true, Brief: true}
	if c.Kind != identity.RoleSession {
		return denied(c, BrokerAction, res, policy.Decision{})
	}
	r, err := a.rightsOf(c)
	if err != nil {
		return Decision{Effect: ImplicitDeny, Err: err}
	}
	return a.evaluate(c, r, nil, BrokerAction, res, c.AccountID)
}

// Substitute writes a policy with the caller's values in place of its variables;
// see policy.Substitute.
func (a *Access) Substitute(c *identity.Caller, document string) (string, error) {
	now := a.clock.Now()
	return policy.Substitute(document, &policy.Request{
		Principal: policyPrincipal(c), ResourceAccount: c.AccountID, Time: now, Context: &facts{caller: c, owner: c.AccountID, now: now},
	})
}
