package issue

import (
	"cmp"
	"slices"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// poolScope is the scope of access tokens: a person may manage itself.
const poolScope = "aws.cognito.signin.user.admin"

// userPoolTokenLife is how long ID and access tokens live where a client says
// nothing.
const userPoolTokenLife = 3600

// claimSet is the payload of a token.
type claimSet map[string]any

// signPool signs an access and an ID token of a log-in.
func (i *Issuer) signPool(l *userPoolLogin) (PoolTokens, error) {
	acc, err := store.Accounts.Get(i.db.Snapshot(), l.user.AccountID)
	if err != nil {
		return PoolTokens{}, err
	}
	groups, err := i.poolRolesOf(acc, l.user)
	if err != nil {
		return PoolTokens{}, err
	}
	event, err := identity.NewUUID(i.random)
	if err != nil {
		return PoolTokens{}, err
	}
	now := i.clock.Now()
	both := func(use string, life int) (claimSet, error) {
		jti, err := identity.NewUUID(i.random)
		c := claimSet{
			"sub": l.user.Subject, "iss": l.realm.PoolIssuer(i.external), "token_use": use, "origin_jti": l.sid, "sid": l.sid, "event_id": event,
			"auth_time": l.at.Unix(), "iat": now.Unix(), "exp": now.Unix() + int64(cmp.Or(life, userPoolTokenLife)), "jti": jti,
			"dp_inc": l.pos.Incarnation, "dp_pos": l.pos.N, "dp_uid": l.user.ID, "dp_ms": l.provedMS(),
		}
		if l.mfaMS != 0 {
			c["dp_mfa"] = l.mfaMS
		}
		if len(groups.names) > 0 {
			c["cognito:groups"] = groups.names
		}
		return c, err
	}
	access, err := both("access", l.app.AccessTokenSeconds)
	if err != nil {
		return PoolTokens{}, err
	}
	access["client_id"], access["scope"], access["username"] = l.app.ID, poolScope, l.user.Name
	id, err := both("id", l.app.IDTokenSeconds)
	if err != nil {
		return PoolTokens{}, err
	}
	id["aud"], id["cognito:username"] = l.app.ID, l.user.Name
	if len(groups.roles) > 0 {
		id["cognito:roles"] = groups.roles
	}
	if groups.preferred != "" {
		id["cognito:preferred_role"] = groups.preferred
	}
	describePerson(id, l.user, l.app)
	out := PoolTokens{ExpiresIn: cmp.Or(l.app.AccessTokenSeconds, userPoolTokenLife)}
	if out.Access, err = i.signClaims(l.realm, access); err != nil {
		return PoolTokens{}, err
	}
	out.ID, err = i.signClaims(l.realm, id)
	return out, err
}

func (i *Issuer) signClaims(realm *identity.Realm, claims claimSet) (identity.Secret, error) {
	text, err := i.jwts.SignClaims(realm.PoolKeySet(), keyring.RS256, claims, "JWT")
	return identity.Secret(text), err
}

// describePerson adds a user's attributes, those that the client may read, to
// an ID token. None takes the place of a claim that has a meaning of its own.
func describePerson(c claimSet, u *identity.User, app *identity.PoolClient) {
	readable := func(name string) bool {
		return len(app.ReadAttributes) == 0 || slices.Contains(app.ReadAttributes, name)
	}
	for name, value := range u.Attributes {
		if readable(name) && !identity.IsReservedClaim(name) {
			c[name] = value
		}
	}
	if u.Email != "" && readable("email") {
		c["email"], c["email_verified"] = u.Email, u.EmailVerified
	}
}

// poolRoles are the groups of a user in its pool, the one that matters most
// first, with what they may become.
type poolRoles struct {
	names, roles []string
	preferred    string
}

// poolRolesOf are the groups of a user, by precedence, and the roles that they
// name. An API token has the group and the role that it was made with.
func (i *Issuer) poolRolesOf(acc *identity.Account, u *identity.User) (poolRoles, error) {
	snap := i.db.Snapshot()
	if u.Token != nil {
		out := poolRoles{names: []string{u.Token.Role}}
		role, err := store.Roles.By(snap, "name", store.Join(acc.ID, store.Fold(u.Token.Role)))
		if err == nil {
			out.preferred = role.ARN(acc.Partition)
			out.roles = []string{out.preferred}
		}
		return out, orAbsent(err)
	}
	var groups []*identity.PoolGroup
	for _, name := range u.PoolGroups {
		g, err := store.PoolGroups.Get(snap, (&identity.PoolGroup{Realm: u.Realm, Name: name}).Key())
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return poolRoles{}, err
		}
		groups = append(groups, g)
	}
	const last = 1 << 31
	rank := func(g *identity.PoolGroup) int {
		if g.Precedence == nil {
			return last
		}
		return *g.Precedence
	}
	slices.SortStableFunc(groups, func(a, b *identity.PoolGroup) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name))
	})
	var out poolRoles
	for _, g := range groups {
		out.names = append(out.names, g.Name)
		if g.RoleARN != "" && !slices.Contains(out.roles, g.RoleARN) {
			out.roles = append(out.roles, g.RoleARN)
		}
	}
	// The first group that names a role; others of its precedence must agree.
	groups = slices.DeleteFunc(groups, func(g *identity.PoolGroup) bool { return g.RoleARN == "" })
	for _, g := range groups {
		if rank(g) == rank(groups[0]) && g.RoleARN != groups[0].RoleARN {
			return out, nil
		}
	}
	if len(groups) > 0 {
		out.preferred = groups[0].RoleARN
	}
	return out, nil
}

// PoolFacts are what a user pool says of itself in discovery, with its key set
// as JSON (RFC 7517).
type PoolFacts struct {
	Issuer, Algorithm string
	Keys              []byte
	KeysMaxAge        time.Duration
}

// Pool describes a user pool; KindNotFound when there is none.
func (i *Issuer) Pool(poolID string) (PoolFacts, error) {
	realm, err := store.Realms.By(i.db.Snapshot(), "pool", poolID)
	if err != nil {
		return PoolFacts{}, err
	}
	keys := i.keys.JWKS(realm.PoolKeySet())
	if realm.Pool == nil || keys == nil {
		return PoolFacts{}, identity.NewError(identity.KindNotFound, "issue.pool", "")
	}
	return PoolFacts{Issuer: realm.PoolIssuer(i.external), Algorithm: keyring.RS256, Keys: keys, KeysMaxAge: i.keys.JWKSMaxAge()}, nil
}
