package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

const (
	identitySource = identity.CognitoIdentity
	// maxIdentityPools bounds those of one account, maxPoolLogins the user pool
	// clients and the OIDC providers of one.
	maxIdentityPools = 1000
	maxPoolLogins    = 50
	maxPoolRegion    = 18 // an ID has 55 characters at most
)

// PoolTokenLife is the longest life of an identity pool's OpenID token.
const PoolTokenLife = 10 * time.Minute

// IdentityPoolSettings are what an identity pool is made of, but for its roles.
type IdentityPoolSettings struct {
	Name                                   string
	AllowUnauthenticated, AllowClassicFlow bool
	UserPools                              []identity.PoolLogin
	OIDCProviders                          []string // ARNs
	Tags                                   map[string]string
}

func (s *IdentityPoolSettings) over(p *identity.IdentityPool) {
	p.Name, p.AllowUnauthenticated, p.AllowClassicFlow = s.Name, s.AllowUnauthenticated, s.AllowClassicFlow
	p.UserPools, p.OIDCProviders, p.Tags = slices.Clone(s.UserPools), unrepeated(s.OIDCProviders), s.Tags
}

// CreateIdentityPool makes an identity pool in the caller's account and the
// request's region (Cognito CreateIdentityPool). KindValidation for providers
// that are not the account's; KindLimitExceeded.
func (d *Directory) CreateIdentityPool(ctx context.Context, c *identity.Caller, in IdentityPoolSettings) (identity.IdentityPool, error) {
	pool := identity.IdentityPool{AccountID: c.AccountID, Region: c.Request.Region, CreatedAt: d.clock.Now().UTC()}
	in.over(&pool)
	if err := d.permitKeyed(c, "cognito-identity:CreateIdentityPool", "*", c.AccountID, access.EntityKeys{}.Tagging(in.Tags)); err != nil {
		return pool, err
	}
	uuid, err := identity.NewUUID(d.random)
	if err != nil {
		return pool, err
	}
	pool.ID = pool.Region + ":" + uuid
	ev := audit.Change(c, identitySource, "CreateIdentityPool", map[string]string{"identityPoolName": in.Name})
	ev.ResponseElements = map[string]any{"identityPoolId": pool.ID}
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		if err := d.checkIdentityPool(tx, c, &pool); err != nil {
			return err
		}
		have, err := store.IdentityPools.List(tx, "account", store.Join(c.AccountID, ""), store.After{}, maxIdentityPools)
		if err != nil {
			return err
		}
		if len(have) >= maxIdentityPools {
			return identity.NewError(identity.KindLimitExceeded, "directory.identitypool", fmt.Sprintf("An account has at most %d identity pools.", maxIdentityPools))
		}
		return store.IdentityPools.Insert(tx, &pool)
	})
	if err != nil || !pool.AllowClassicFlow {
		return pool, err
	}
	return pool, d.ensureSigningKeys(ctx)
}

// checkIdentityPool judges a pool that is about to be written, and writes its
// user pools by their one name.
func (d *Directory) checkIdentityPool(r store.Reader, c *identity.Caller, p *identity.IdentityPool) error {
	if !poolNameRE.MatchString(p.Name) {
		return invalid(`1 validation error detected: Value at 'identityPoolName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w\s+=,.@-]+`)
	}
	if !regionRE.MatchString(p.Region) || len(p.Region) > maxPoolRegion {
		return invalid("The region of the request is none that an identity pool can be in.")
	}
	if len(p.UserPools) > maxPoolLogins || len(p.OIDCProviders) > maxPoolLogins {
		return identity.NewError(identity.KindLimitExceeded, "directory.identitypool", fmt.Sprintf("An identity pool has at most %d providers of each kind.", maxPoolLogins))
	}
	for i := range p.UserPools {
		l := &p.UserPools[i]
		realm := d.authn.UserPoolNamed(l.Provider)
		if realm == nil || realm.AccountID != p.AccountID {
			return invalid("Invalid Cognito Identity Provider")
		}
		client, err := store.PoolClients.Get(r, l.ClientID)
		if err != nil || client.Realm != realm.Name {
			if orAbsent(err) != nil {
				return err
			}
			return invalid("Invalid Cognito Identity Provider")
		}
		l.Provider = realm.PoolProvider()
	}
	have, err := d.providers(r, p.AccountID)
	if err != nil {
		return err
	}
	for _, arn := range p.OIDCProviders {
		if !slices.ContainsFunc(have, func(o ProviderDetails) bool { return o.ARN == arn && o.OwnRealm != identity.RootRealm }) {
			return invalid("Please provide a valid OpenID Connect provider ARN")
		}
		if _, host, _ := strings.Cut(arn, ":oidc-provider/"); policy.AnyAudience(host) {
			return anyAudience(host)
		}
	}
	return checkTags(p.Tags)
}

// anyAudience refuses an issuer whose every customer the pool would let in: a
// role's trust policy sees the pool only, and not whom a token speaks of.
func anyAudience(host string) error {
	return invalid("%s signs tokens for whoever asks, with the audience asked for, so that everybody there would be let in. Trust it in a role instead, with a condition on whom the token speaks of.", clip(host))
}

// targetPool finds the pool that a call is about and asks whether the caller
// may. Absent ones and those of other accounts are alike.
func (d *Directory) targetPool(r store.Reader, c *identity.Caller, action, id string, keys access.EntityKeys) (*identity.IdentityPool, error) {
	if keys == nil {
		keys = access.EntityKeys{}
	}
	asked := identity.IdentityPool{ID: id, AccountID: c.AccountID, Region: c.Request.Region}
	p, err := store.IdentityPools.Get(r, id)
	if orAbsent(err) != nil {
		return nil, err
	}
	own := err == nil && (p.AccountID == c.AccountID || c.Kind == identity.Operator)
	account := c.AccountID
	if own {
		asked, account = *p, p.AccountID
		keys.Tagged(p.Tags)
	}
	if err := d.permitKeyed(c, "cognito-identity:"+action, asked.ARN(c.Partition), account, keys); err != nil {
		return nil, err
	}
	if !own {
		return nil, identity.NewError(identity.KindNotFound, "directory.identitypool", "IdentityPool '"+id+"' not found.")
	}
	return p, nil
}

// DescribeIdentityPool returns a pool of the caller's account (Cognito
// DescribeIdentityPool). KindNotFound.
func (d *Directory) DescribeIdentityPool(_ context.Context, c *identity.Caller, id string) (identity.IdentityPool, error) {
	return d.readPool(c, "DescribeIdentityPool", id)
}

// GetIdentityPoolRoles returns a pool with its roles (Cognito
// GetIdentityPoolRoles). KindNotFound.
func (d *Directory) GetIdentityPoolRoles(_ context.Context, c *identity.Caller, id string) (identity.IdentityPool, error) {
	return d.readPool(c, "GetIdentityPoolRoles", id)
}

func (d *Directory) readPool(c *identity.Caller, action, id string) (identity.IdentityPool, error) {
	p, err := d.targetPool(d.db.Snapshot(), c, action, id, nil)
	if err != nil {
		return identity.IdentityPool{}, err
	}
	return *p, nil
}

// ListIdentityPools lists the pools of the caller's account (Cognito
// ListIdentityPools).
func (d *Directory) ListIdentityPools(_ context.Context, c *identity.Caller, p Page) (Listing[identity.IdentityPool], error) {
	if err := d.permit(c, "cognito-identity:ListIdentityPools", "*", c.AccountID); err != nil {
		return Listing[identity.IdentityPool]{}, err
	}
	prefix := store.Join(c.AccountID, "")
	return pages(d, c, "identity-pools", p, tableSpan(d.db.Snapshot(), store.IdentityPools, "account", prefix,
		func(p *identity.IdentityPool) (row[identity.IdentityPool], error) {
			return row[identity.IdentityPool]{at: store.After{Value: prefix + p.ID, Key: p.ID}, item: *p}, nil
		}))
}

// changePool runs one transaction that puts a changed copy of a pool. What may
// refuse a log-in that counted before ends the pool's sessions.
func (d *Directory) changePool(ctx context.Context, c *identity.Caller, action, id string, params map[string]string, keys access.EntityKeys, fn func(store.Tx, *identity.IdentityPool) error) (identity.IdentityPool, error) {
	var after identity.IdentityPool
	params["identityPoolId"] = id
	err := d.change(ctx, c, audit.Change(c, identitySource, action, params), func(tx store.Tx) error {
		before, err := d.targetPool(tx, c, action, id, maps.Clone(keys))
		if err != nil {
			return err
		}
		after = *before
		if err := fn(tx, &after); err != nil {
			return err
		}
		if err := d.poolChanged(tx, before, &after); err != nil {
			return err
		}
		return store.IdentityPools.Put(tx, &after)
	})
	return after, err
}

// poolChanged ends the sessions of a pool when it is deleted (after nil), or
// takes or gives no longer what it did.
func (d *Directory) poolChanged(tx store.Tx, before, after *identity.IdentityPool) error {
	gone := func(l identity.PoolLogin) bool {
		return !slices.ContainsFunc(after.UserPools, func(o identity.PoolLogin) bool { return o.Provider == l.Provider && o.ClientID == l.ClientID })
	}
	reason := ""
	switch {
	case after == nil:
		reason = "identity pool deleted"
	case before.AllowUnauthenticated && !after.AllowUnauthenticated, before.AllowClassicFlow && !after.AllowClassicFlow:
		reason = "a way into the identity pool was closed"
	case slices.ContainsFunc(before.UserPools, gone),
		slices.ContainsFunc(before.OIDCProviders, func(arn string) bool { return !slices.Contains(after.OIDCProviders, arn) }):
		reason = "provider removed from the identity pool"
	case !maps.Equal(before.Roles, after.Roles) && len(before.Roles) > 0, mappingsNarrowed(before.RoleMappings, after.RoleMappings):
		reason = "roles of the identity pool changed"
	default:
		return nil
	}
	acc, err := store.Accounts.Get(tx, before.AccountID)
	if err != nil {
		return err
	}
	return d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageProvider, ID: before.ARN(acc.Partition), Reason: reason})
}

func mappingsNarrowed(before, after map[string]identity.PoolRoleMapping) bool {
	for name, m := range before {
		now, ok := after[name]
		if !ok || now.Type != m.Type || now.Ambiguous != m.Ambiguous || !slices.Equal(now.Rules, m.Rules) {
			return true
		}
	}
	return len(after) > len(before) // a provider without a mapping got the pool's role
}

// UpdateIdentityPool replaces a pool's settings (Cognito UpdateIdentityPool);
// nil tags leave them alone. Errors as of CreateIdentityPool, and KindNotFound.
func (d *Directory) UpdateIdentityPool(ctx context.Context, c *identity.Caller, id string, in IdentityPoolSettings) (identity.IdentityPool, error) {
	params := map[string]string{
		"identityPoolName": in.Name, "allowUnauthenticatedIdentities": strconv.FormatBool(in.AllowUnauthenticated),
		"allowClassicFlow": strconv.FormatBool(in.AllowClassicFlow),
	}
	pool, err := d.changePool(ctx, c, "UpdateIdentityPool", id, params, access.EntityKeys{}.Tagging(in.Tags), func(tx store.Tx, p *identity.IdentityPool) error {
		tags := p.Tags
		in.over(p)
		if in.Tags == nil {
			p.Tags = tags
		}
		return d.checkIdentityPool(tx, c, p)
	})
	if err != nil || !pool.AllowClassicFlow {
		return pool, err
	}
	return pool, d.ensureSigningKeys(ctx)
}

// DeleteIdentityPool removes a pool with its identities and ends its sessions
// (Cognito DeleteIdentityPool). KindNotFound.
func (d *Directory) DeleteIdentityPool(ctx context.Context, c *identity.Caller, id string) error {
	ev := audit.Change(c, identitySource, "DeleteIdentityPool", map[string]string{"identityPoolId": id})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := d.targetPool(tx, c, "DeleteIdentityPool", id, nil)
		if err != nil {
			return err
		}
		if err := d.poolChanged(tx, p, nil); err != nil {
			return err
		}
		return store.IdentityPools.Delete(tx, id)
	})
	if err != nil {
		return err
	}
	return d.dropIdentities(ctx, id)
}

// dropIdentities removes what a deleted pool left behind, which leads nowhere.
func (d *Directory) dropIdentities(ctx context.Context, poolID string) error {
	for {
		n := 0
		_, err := d.db.Update(ctx, func(tx store.Tx) error {
			list, err := store.PoolIdentities.List(tx, "pool", store.Join(poolID, ""), store.After{}, indexBatch)
			n = len(list)
			for _, i := range list {
				if err == nil {
					err = store.PoolIdentities.Delete(tx, i.ID)
				}
			}
			return err
		})
		if err != nil || n < indexBatch {
			return err
		}
	}
}
