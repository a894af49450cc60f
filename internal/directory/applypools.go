package directory

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// userPool is the view that a realm shall have; without a spec the one it has.
func (a *applying) userPool(s RealmSpec, have *identity.Realm) (*identity.UserPool, error) {
	var before *identity.UserPool
	if have != nil {
		before = have.Pool
	}
	if s.UserPool == nil {
		return before, nil
	}
	if s.Name == identity.RootRealm {
		return nil, invalid("realm %s: root users have no user pool", s.Name)
	}
	want := identity.UserPool{CreatedAt: a.now, ModifiedAt: a.now}
	if before != nil {
		if before.Region != s.UserPool.Region {
			return nil, invalid("realm %s: a user pool cannot move to another region: its ID would be another", s.Name)
		}
		want = *before
	}
	want.Name, want.Region, want.MFA = s.UserPool.Name, s.UserPool.Region, s.UserPool.MFA
	want.TemporaryPasswordDays, want.PasswordPolicy = s.UserPool.TemporaryPasswordDays, s.UserPool.PasswordPolicy
	if before != nil && !reflect.DeepEqual(want, *before) {
		want.ModifiedAt = a.now
	}
	return &want, nil
}

// poolThings applies what a user pool holds.
func (a *applying) poolThings(s RealmSpec) error {
	if s.UserPool == nil {
		return nil
	}
	realm, err := store.Realms.Get(a.tx, s.Name)
	if err != nil {
		return err
	}
	for _, c := range s.UserPool.Clients {
		if err := a.poolClient(s.Name, c); err != nil {
			return err
		}
	}
	for _, g := range s.UserPool.Groups {
		if err := a.poolGroup(realm, g); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) poolClient(realm string, s PoolClientSpec) error {
	want := s.PoolClient
	want.Realm, want.CreatedAt, want.ModifiedAt = realm, a.now, a.now
	have, err := there(store.PoolClients.Get(a.tx, s.ID))
	if err != nil {
		return err
	}
	if have != nil {
		if have.Realm != realm {
			return invalid("client %s: another user pool has a client with this ID", s.ID)
		}
		want.CreatedAt, want.ModifiedAt = have.CreatedAt, have.ModifiedAt
		if s.Secrets == nil {
			want.HasSecret = have.HasSecret
		}
		if !reflect.DeepEqual(*have, want) {
			want.ModifiedAt = a.now
		}
	}
	if err := upsert(a, store.PoolClients, "pool client", s.ID, have, &want); err != nil {
		return err
	}
	if err := outliveTokens(a.tx, &want); err != nil {
		return err
	}
	sealed, changed := a.made.poolSecrets[s.ID]
	if !changed {
		return nil
	}
	if have != nil {
		a.changes = append(a.changes, Change{Kind: "pool client", Name: s.ID, Field: "secrets", To: "(secret)"})
	}
	return store.PoolClientSecrets.Put(a.tx, &store.PoolClientSecret{ClientID: s.ID, Sealed: sealed})
}

// outliveTokens sees that revocations are kept as long as tokens of an app
// client live, those included that it gave before their life was shortened.
func outliveTokens(tx store.Tx, c *identity.PoolClient) error {
	realm, err := store.Realms.Get(tx, c.Realm)
	if err != nil {
		return err
	}
	life := max(c.AccessTokenSeconds, c.IDTokenSeconds, c.RefreshTokenSeconds)
	if realm.LongestTokenSeconds >= life {
		return nil
	}
	v := *realm
	v.LongestTokenSeconds = life
	return store.Realms.Put(tx, &v)
}

func (a *applying) poolGroup(realm *identity.Realm, s PoolGroupSpec) error {
	want := identity.PoolGroup{Realm: realm.Name, Name: s.Name, Description: s.Description, Precedence: s.Precedence, CreatedAt: a.now, ModifiedAt: a.now}
	if s.Role != "" {
		arn, err := a.roleARN("pool group "+s.Name, realm.AccountID, s.Role)
		if err != nil {
			return err
		}
		want.RoleARN = arn
	}
	have, err := there(store.PoolGroups.Get(a.tx, want.Key()))
	if err != nil {
		return err
	}
	if have != nil {
		want.CreatedAt, want.ModifiedAt = have.CreatedAt, have.ModifiedAt
		if !reflect.DeepEqual(*have, want) {
			want.ModifiedAt = a.now
		}
		if err := a.d.poolGroupChanged(a.tx, have, &want); err != nil {
			return err
		}
	}
	return upsert(a, store.PoolGroups, "pool group", want.Key(), have, &want)
}

// poolMember puts a user into groups of its pool, which come after the users
// because they name roles.
func (a *applying) poolMember(s UserSpec) error {
	if s.PoolGroups == nil {
		return nil
	}
	have, err := store.Users.By(a.tx, "name", store.Join(s.AccountID, store.Fold(s.Name)))
	if err != nil {
		return err
	}
	want := *have
	if want.PoolGroups, err = a.poolGroupNames(s); err != nil {
		return err
	}
	if len(want.PoolGroups) == 0 && len(have.PoolGroups) == 0 {
		return nil
	}
	if err := upsert(a, store.Users, "user", s.Name, have, &want); err != nil {
		return err
	}
	return a.d.userChanged(a.tx, have, &want, false)
}

// roleARN is the ARN of a role of an account by its name.
func (a *applying) roleARN(what, account, name string) (string, error) {
	acc, err := a.inAccount(what, account)
	if err != nil {
		return "", err
	}
	role, err := there(store.Roles.By(a.tx, "name", store.Join(account, store.Fold(name))))
	if err != nil {
		return "", err
	}
	if role == nil {
		return "", invalid("%s: the account %s has no role %q", what, account, name)
	}
	return role.ARN(acc.Partition), nil
}

// poolGroupNames wants the groups of a user's pool.
func (a *applying) poolGroupNames(s UserSpec) ([]string, error) {
	for i, name := range s.PoolGroups {
		if slices.Contains(s.PoolGroups[:i], name) {
			return nil, invalid("user %s: the pool group %q is named twice", s.Name, name)
		}
		if _, err := store.PoolGroups.Get(a.tx, (&identity.PoolGroup{Realm: s.Realm, Name: name}).Key()); err != nil {
			if identity.KindOf(err) == identity.KindNotFound {
				err = invalid("user %s: the user pool of the realm %s has no group %q", s.Name, s.Realm, name)
			}
			return nil, err
		}
	}
	return s.PoolGroups, nil
}

func (a *applying) identityPool(s IdentityPoolSpec) error {
	what := "identity pool " + s.Name
	acc, err := a.inAccount(what, s.AccountID)
	if err != nil {
		return err
	}
	id := a.made.identityPools[identityPoolKey(s)]
	want := identity.IdentityPool{ID: id, AccountID: s.AccountID, CreatedAt: a.now}
	have, err := there(store.IdentityPools.Get(a.tx, id))
	if err != nil {
		return err
	}
	if have != nil {
		if have.AccountID != s.AccountID || have.Region != s.Region {
			return invalid("%s: an identity pool cannot move to another account or region", what)
		}
		want = *have
	}
	want.Name, want.Region, want.AllowUnauthenticated, want.AllowClassicFlow = s.Name, s.Region, s.AllowUnauthenticated, s.AllowClassicFlow
	if s.Tags != nil {
		want.Tags = s.Tags
	}
	if err := a.poolProviders(&want, s, acc); err != nil {
		return err
	}
	want.Roles = map[string]string{}
	for kind, name := range map[string]string{"authenticated": s.Authenticated, "unauthenticated": s.Unauthenticated} {
		if name == "" {
			continue
		}
		if want.Roles[kind], err = a.roleARN(what, s.AccountID, name); err != nil {
			return err
		}
	}
	if want.RoleMappings, err = a.roleMappings(what, s); err != nil {
		return err
	}
	if have != nil {
		if err := a.d.poolChanged(a.tx, have, &want); err != nil {
			return err
		}
	}
	return upsert(a, store.IdentityPools, "identity pool", s.Name, have, &want)
}

// poolProviders are those whose tokens count.
func (a *applying) poolProviders(want *identity.IdentityPool, s IdentityPoolSpec, acc *identity.Account) error {
	want.UserPools, want.OIDCProviders = nil, nil
	for _, l := range s.UserPools {
		realm, err := a.poolRealm("identity pool "+s.Name, s.AccountID, l.Realm)
		if err != nil {
			return err
		}
		if c, err := store.PoolClients.Get(a.tx, l.ClientID); err != nil || c.Realm != l.Realm {
			return invalid("identity pool %s: the user pool of the realm %s has no client %q", s.Name, l.Realm, l.ClientID)
		}
		want.UserPools = append(want.UserPools, identity.PoolLogin{Provider: realm.PoolProvider(), ClientID: l.ClientID, TokenCheck: true})
	}
	for _, url := range s.OIDCProviders {
		if host := identity.TrimScheme(url); policy.AnyAudience(host) {
			return prefixed("identity pool "+s.Name, anyAudience(host))
		}
		if _, err := store.Providers.Get(a.tx, (&identity.Provider{AccountID: s.AccountID, URL: url}).Key()); err != nil {
			return invalid("identity pool %s: the account %s has no OIDC provider %q", s.Name, s.AccountID, url)
		}
		want.OIDCProviders = append(want.OIDCProviders, identity.ProviderARN(acc.Partition, acc.ID, url))
	}
	return nil
}

// poolRealm is a realm of the account that has a user pool.
func (a *applying) poolRealm(what, account, name string) (*identity.Realm, error) {
	realm, err := there(store.Realms.Get(a.tx, name))
	if err != nil {
		return nil, err
	}
	if realm == nil || realm.AccountID != account || realm.Pool == nil {
		return nil, invalid("%s: the account %s has no realm %q with a user_pool", what, account, name)
	}
	return realm, nil
}

// roleMappings resolves what the file names: realms and issuers, and roles.
func (a *applying) roleMappings(what string, s IdentityPoolSpec) (map[string]identity.PoolRoleMapping, error) {
	var out map[string]identity.PoolRoleMapping
	for provider, m := range s.RoleMappings {
		for i := range m.Rules {
			arn, err := a.roleARN(what, s.AccountID, m.Rules[i].RoleARN)
			if err != nil {
				return nil, err
			}
			if i == 0 {
				m.Rules = slices.Clone(m.Rules)
			}
			m.Rules[i].RoleARN = arn
		}
		key := identity.TrimScheme(provider)
		if i := slices.IndexFunc(s.UserPools, func(l PoolLoginSpec) bool { return l.Realm == provider }); i >= 0 {
			realm, err := a.poolRealm(what, s.AccountID, provider)
			if err != nil {
				return nil, err
			}
			key = realm.PoolProvider() + ":" + s.UserPools[i].ClientID
		} else if !slices.Contains(s.OIDCProviders, provider) {
			return nil, invalid("%s: role_mappings names %q, which is none of its providers", what, provider)
		}
		if out == nil {
			out = map[string]identity.PoolRoleMapping{}
		}
		out[key] = m
	}
	return out, nil
}

// apiToken makes an API token what it shall be. One that was deleted comes back,
// unless it is to be switched off anyway.
func (a *applying) apiToken(s APITokenSpec) error {
	what := "API token " + s.Name
	realm, err := a.poolRealm(what, s.AccountID, s.Realm)
	if err != nil {
		return err
	}
	made := a.made.users[tokenKey(s)]
	have, err := there(store.Users.By(a.tx, "login", store.Join(s.Realm, s.AccessKey)))
	if err == nil && ((have != nil) != made.exists || have != nil && have.ID != made.id) {
		err = &identity.Error{Kind: identity.KindConflict, Op: "directory.apply", Public: what + " changed at the same time; apply again."}
	}
	if err != nil {
		return err
	}
	if have != nil && have.Token == nil {
		return invalid("%s: the access key %s is the name of a user", what, s.AccessKey)
	}
	deleted := have != nil && have.Token.Deleted
	if deleted && s.Disabled {
		return nil
	}
	u := identity.User{ID: made.id, AccountID: s.AccountID, CreatedAt: a.now}
	token := identity.APIToken{ModifiedAt: a.now}
	if have != nil {
		u, token = *have, *have.Token
	}
	if made.password == nil && (have == nil || deleted) {
		return invalid("%s: a new API token needs a secret", what)
	}
	u.Local, u.Name, u.Path = true, s.AccessKey, identity.LocalPath+realm.PoolID()+"/"
	u.Realm, u.Subject, u.Disabled = s.Realm, made.subject, s.Disabled
	token.Name, token.Description, token.Role, token.Deleted = s.Name, s.Description, s.Role, false
	if have != nil && !reflect.DeepEqual(token, *have.Token) {
		token.ModifiedAt = a.now
	}
	u.Token = &token
	if err := a.putUser(have, &u, made, s.Name); err != nil {
		return err
	}
	if have == nil {
		return nil
	}
	return a.d.tokenChanged(a.tx, have, &u)
}

func (a *applying) staxAPI(s StaxAPISpec) error {
	what := "Stax API " + s.Name
	if _, err := a.poolRealm(what, s.AccountID, s.Realm); err != nil {
		return err
	}
	if c, err := store.PoolClients.Get(a.tx, s.ClientID); err != nil || c.Realm != s.Realm {
		return invalid("%s: the user pool of the realm %s has no client %q", what, s.Realm, s.ClientID)
	}
	pools, err := store.IdentityPools.List(a.tx, "name", store.Join(s.AccountID, s.IdentityPool), store.After{}, 2)
	if err != nil {
		return err
	}
	pools = slices.DeleteFunc(pools, func(p *identity.IdentityPool) bool { return p.Name != s.IdentityPool })
	if len(pools) != 1 {
		return invalid("%s: the account %s has not just one identity pool %q", what, s.AccountID, s.IdentityPool)
	}
	want := &identity.StaxAPI{
		Name: s.Name, AccountID: s.AccountID, Hosts: s.Hosts, Region: s.Region, Realm: s.Realm, ClientID: s.ClientID, IdentityPoolID: pools[0].ID,
	}
	have, err := there(store.StaxAPIs.Get(a.tx, s.Name))
	if err != nil {
		return err
	}
	if have != nil && have.AccountID != s.AccountID {
		return invalid("%s: another account has an API with this name", what)
	}
	return upsert(a, store.StaxAPIs, "Stax API", s.Name, have, want)
}

// poolSets are the signing sets of user pools and identity pools.
func (d *Directory) poolSets(realms []*identity.Realm) ([]keyring.SetSpec, error) {
	var specs []keyring.SetSpec
	for _, r := range realms {
		if r.Pool == nil {
			continue
		}
		longest := time.Hour
		clients, err := store.PoolClients.List(d.db.Snapshot(), "realm", store.Join(r.Name, ""), store.After{}, 0)
		if err != nil {
			return nil, err
		}
		for _, c := range clients {
			longest = max(longest, time.Duration(max(c.AccessTokenSeconds, c.IDTokenSeconds))*time.Second)
		}
		specs = append(specs, keyring.SetSpec{Set: r.PoolKeySet(), Algorithm: poolAlgorithm, MaxTokenLife: longest})
	}
	pools, err := store.IdentityPools.List(d.db.Snapshot(), "", "", store.After{}, 0)
	for _, p := range pools {
		if p.AllowClassicFlow {
			specs = append(specs, keyring.SetSpec{Set: p.KeySet(), Algorithm: poolAlgorithm, MaxTokenLife: PoolTokenLife})
		}
	}
	return specs, err
}

// poolAlgorithm signs the tokens of pools: clients of Cognito know no other.
const poolAlgorithm = "RS256"

func identityPoolKey(s IdentityPoolSpec) string { return store.Join(s.AccountID, s.Name) }

func tokenKey(s APITokenSpec) string { return store.Join("token", s.Realm, s.AccessKey) }

// sealPoolSecrets seals the secrets of an app client as a list.
func (d *Directory) sealPoolSecrets(clientID string, secrets []identity.Secret) ([]byte, error) {
	texts := make([]string, len(secrets))
	for i, s := range secrets {
		texts[i] = s.Reveal()
	}
	b, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	return d.keys.Seal(store.PoolClientSecrets.Name(), "secrets", clientID, b)
}

// openPoolSecrets are the secrets of an app client, oldest first.
func (d *Directory) openPoolSecrets(row *store.PoolClientSecret) ([]identity.Secret, error) {
	b, err := d.keys.Unseal(store.PoolClientSecrets.Name(), "secrets", row.ClientID, row.Sealed)
	if err != nil {
		return nil, err
	}
	var texts []string
	if err := json.Unmarshal(b, &texts); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "directory.poolsecrets", Err: err}
	}
	out := make([]identity.Secret, len(texts))
	for i, t := range texts {
		out[i] = identity.Secret(t)
	}
	return out, nil
}
