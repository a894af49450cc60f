package issue

import (
	"context"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// AdminPoolLogin is PoolLogin by a caller who may cognito-idp:AdminInitiateAuth
// on the user pool, which the client must be of; only here is the flow
// ADMIN_USER_PASSWORD_AUTH served (Cognito AdminInitiateAuth). Further errors:
// KindAccessDenied, and KindNotFound for an unknown pool.
func (i *Issuer) AdminPoolLogin(ctx context.Context, c *identity.Caller, poolID string, r PoolAuth) (PoolOutcome, error) {
	if r.Flow == "ADMIN_NO_SRP_AUTH" { // the older name
		r.Flow = "ADMIN_USER_PASSWORD_AUTH"
	}
	return i.adminPool(ctx, c, "AdminInitiateAuth", poolID, r.ClientID, func(ev *audit.Event) (PoolOutcome, error) {
		return i.poolAuth(ctx, r, poolID, ev)
	})
}

// AdminPoolAnswer is PoolAnswer by a caller who may
// cognito-idp:AdminRespondToAuthChallenge on the user pool, which the client
// must be of (Cognito AdminRespondToAuthChallenge). Further errors:
// KindAccessDenied, and KindNotFound for an unknown pool.
func (i *Issuer) AdminPoolAnswer(ctx context.Context, c *identity.Caller, poolID string, r PoolAnswer) (PoolOutcome, error) {
	return i.adminPool(ctx, c, "AdminRespondToAuthChallenge", poolID, r.ClientID, func(ev *audit.Event) (PoolOutcome, error) {
		return i.poolAnswer(ctx, r, poolID, ev)
	})
}

// adminPool asks for the right to serve a step of a log-in, and serves it. The
// event names the caller, until it is known who logs in.
func (i *Issuer) adminPool(ctx context.Context, c *identity.Caller, op, poolID, client string, serve func(*audit.Event) (PoolOutcome, error)) (PoolOutcome, error) {
	region, keys := c.Request.Region, access.EntityKeys{}
	realm, err := store.Realms.By(i.db.Snapshot(), "pool", poolID)
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return PoolOutcome{}, err
	}
	own := err == nil && realm.AccountID == c.AccountID
	if own {
		region = realm.Pool.Region
		keys.Tagged(realm.Pool.Tags)
	}
	res := access.Resource{ARN: identity.UserPoolARN(c.Partition, region, c.AccountID, bounded(poolID)), AccountID: c.AccountID, Keys: keys}
	if err := i.access.Authorize(c, "cognito-idp:"+op, res).Err; err != nil {
		return PoolOutcome{}, err
	}
	if !own {
		return PoolOutcome{}, identity.NewError(identity.KindNotFound, "issue.pool", "User pool "+bounded(poolID)+" does not exist.")
	}
	ev := poolLoginEvent(op, client)
	ev.UserIdentity = audit.IdentityOf(c)
	ev.RequestParameters["userPoolId"], ev.RequestParameters["calledBy"] = poolID, c.ARN
	out, err := serve(&ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}
