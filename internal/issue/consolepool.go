package issue

import (
	"context"
	"slices"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// What identity pools would give a person who logs in at its user pool: the
// console shows them an ID token of its own log-in, and all else is as it is
// for everybody.

// poolsFor are the identity pools that take log-ins of a person's user pool,
// each with the client that it trusts; none where its realm has no user pool.
func (i *Issuer) poolsFor(ctx context.Context, c *identity.Caller) (*userPoolLogin, map[*identity.IdentityPool]*identity.PoolClient, error) {
	snap := i.db.Snapshot()
	u, err := store.Lookup(ctx, i.db, store.Users, c.PrincipalID)
	if err != nil || u.Realm == "" {
		return nil, nil, err
	}
	realm, err := store.Realms.Get(snap, u.Realm)
	if err != nil || realm.Pool == nil {
		return nil, nil, err
	}
	pools, err := store.IdentityPools.List(snap, "account", store.Join(c.AccountID, ""), store.After{}, 0)
	if err != nil {
		return nil, nil, err
	}
	out := map[*identity.IdentityPool]*identity.PoolClient{}
	for _, p := range pools {
		for _, l := range p.UserPools {
			app, err := store.PoolClients.Get(snap, l.ClientID)
			if err == nil && l.Provider == realm.PoolProvider() && app.Realm == realm.Name {
				out[p] = app
				break
			}
		}
	}
	l := &userPoolLogin{login: login{
		realm: realm, user: u, sid: c.Lineage.Get(identity.LineageLogin), at: c.IssuedAt, lineage: c.Lineage, pos: c.Position, mfa: c.MFA,
	}}
	if c.MFA {
		l.mfaMS = c.MFATime.UnixMilli()
	}
	return l, out, nil
}

// asClient are the Logins of a person as a client of its user pool would show
// them.
func (i *Issuer) asClient(l *userPoolLogin, app *identity.PoolClient) (Logins, error) {
	v := *l
	v.app = app
	tokens, err := i.signPool(&v)
	return Logins{l.realm.PoolProvider(): tokens.ID}, err
}

// poolChoices are the roles that identity pools would give a person.
func (i *Issuer) poolChoices(ctx context.Context, c *identity.Caller) ([]ConsoleRole, error) {
	l, pools, err := i.poolsFor(ctx, c)
	if err != nil {
		return nil, err
	}
	var out []ConsoleRole
	for pool, app := range pools {
		logins, err := i.asClient(l, app)
		if err != nil {
			return nil, err
		}
		p, err := i.atPool(ctx, pool.ID, poolNotFound(pool.ID))
		if err != nil {
			return nil, err
		}
		if err := i.proveLogins(ctx, p, logins, &audit.Event{}); err != nil {
			continue // this pool would give nothing
		}
		for _, arn := range p.roles() {
			role, err := i.trusted(p, arn, identity.NewPoolSession(p.pool.ID, p.identityOf(ctx, i), packAMR(p.amr())), identity.RequestOf(ctx))
			if err != nil {
				continue
			}
			out = append(out, ConsoleRole{ARN: arn, Name: role.Name, Description: role.Description, MaxSeconds: i.poolLifeOf(role), PoolID: pool.ID, PoolName: pool.Name})
		}
	}
	slices.SortFunc(out, func(a, b ConsoleRole) int {
		return slices.Compare([]string{a.PoolName, a.PoolID, a.Name}, []string{b.PoolName, b.PoolID, b.Name})
	})
	return out, nil
}

// roles are those that the log-ins may have: the one that comes without asking
// first, then those that can be asked for.
func (p *poolCall) roles() []string {
	var out []string
	if arn, err := p.poolRole(""); err == nil && arn != "" {
		out = append(out, arn)
	}
	for _, l := range p.logins {
		if m, ok := p.mapping(l); ok {
			out = append(out, rolesBy(&m, l).may...)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(arn string) bool {
		again := seen[arn]
		seen[arn] = true
		return again
	})
}

// identityOf is the identity that the log-ins lead to, "" for none yet.
func (p *poolCall) identityOf(ctx context.Context, i *Issuer) string {
	id := ""
	_ = i.db.View(ctx, func(r store.Reader) error { // only trust policies that name identities ask for it
		found, err := p.find(r)
		if err == nil && found != nil {
			id = found.ID
		}
		return err
	})
	return id
}

// consolePoolKeys gives a person what GetId and GetCredentialsForIdentity would,
// for a shorter time where it asks for one.
func (i *Issuer) consolePoolKeys(ctx context.Context, c *identity.Caller, r ConsoleKeysRequest, ev *audit.Event) (ConsoleKeys, error) {
	absent := identity.NewError(identity.KindAccessDenied, "issue.console", "This identity pool gives you no keys.")
	l, pools, err := i.poolsFor(ctx, c)
	if err != nil {
		return ConsoleKeys{}, err
	}
	for pool, app := range pools {
		if pool.ID != r.PoolID {
			continue
		}
		logins, err := i.asClient(l, app)
		if err != nil {
			return ConsoleKeys{}, err
		}
		get := *ev
		get.Name = "GetId"
		id, err := i.identityID(ctx, IdentityIDRequest{PoolID: pool.ID, Logins: logins}, &get)
		if err != nil {
			return ConsoleKeys{}, err
		}
		asked := r.RoleARN
		if p, err := i.atPool(ctx, pool.ID, absent); err == nil && i.proveLogins(ctx, p, logins, ev) == nil {
			if usual, err := p.poolRole(""); err == nil && usual == asked {
				asked = "" // it comes without asking, and may be none that can be asked for
			}
		}
		out, err := i.poolCredentials(ctx, PoolCredentialsRequest{
			IdentityID: id, Logins: logins, CustomRoleARN: asked, DurationSeconds: r.DurationSeconds,
		}, ev)
		return ConsoleKeys{Keys: out.Keys, ARN: out.AssumedRoleARN}, err
	}
	return ConsoleKeys{}, absent
}
