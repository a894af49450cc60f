package directory

import (
	"daypass/internal/identity"
	"daypass/internal/store"
)

func (a *applying) realm(s RealmSpec) error {
	want := s.Realm
	want.PoolName = a.made.pools[s.Name]
	have, err := there(store.Realms.Get(a.tx, s.Name))
	if err != nil {
		return err
	}
	if have != nil && (have.PoolName != want.PoolName || have.AccountID != want.AccountID) {
		return invalid("realm %s: a realm cannot move to another account", s.Name)
	}
	if want.Pool, err = a.userPool(s, have); err != nil {
		return err
	}
	want.LongestTokenSeconds = max(want.AccessTokenSeconds, want.RefreshTokenSeconds)
	if have != nil {
		want.LongestTokenSeconds = max(want.LongestTokenSeconds, have.LongestTokenSeconds, have.AccessTokenSeconds, have.RefreshTokenSeconds)
	}
	if err := upsert(a, store.Realms, "realm", s.Name, have, &want); err != nil {
		return err
	}
	return a.logins(s, have)
}

// realmAccount wants the account of a realm, which may stand in the same site.
func (a *applying) realmAccount(s RealmSpec) error {
	if s.AccountID == "" {
		return nil
	}
	_, err := a.inAccount("realm "+s.Name, s.AccountID)
	return err
}

func (a *applying) clients(s RealmSpec) error {
	for _, c := range s.Clients {
		if err := a.client(s.Name, c); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) client(realm string, s ClientSpec) error {
	want := &identity.Client{Realm: realm, ID: s.ID, Public: s.Public, Grants: s.Grants, Audience: s.Audience, CreatedAt: a.now}
	if s.ServiceAccount != "" {
		u, err := store.Users.By(a.tx, "login", store.Join(realm, store.Fold(s.ServiceAccount)))
		if err != nil {
			return invalid("client %s: the realm %s has no user %q", s.ID, realm, s.ServiceAccount)
		}
		want.ServiceAccount = u.ID
	}
	before, err := there(store.Clients.Get(a.tx, want.Key()))
	if err != nil {
		return err
	}
	if before != nil {
		want.CreatedAt = before.CreatedAt
	}
	if err := upsert(a, store.Clients, "client", want.Key(), before, want); err != nil {
		return err
	}
	hash, ok := a.made.secrets[want.Key()]
	if !ok {
		return nil
	}
	a.changes = append(a.changes, Change{Kind: "client", Name: want.Key(), Field: "secret", To: "(secret)"})
	if before != nil && before.ServiceAccount != "" { // the secret was its proof
		err := a.d.access.Revoke(a.tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: before.ServiceAccount, Reason: "client secret changed by apply"})
		if err != nil {
			return err
		}
	}
	return store.ClientSecrets.Put(a.tx, &store.ClientSecret{Client: want.Key(), Hash: hash})
}

func (a *applying) provider(s ProviderSpec) error {
	if _, err := a.inAccount("provider "+s.URL+s.OwnRealm, s.AccountID); err != nil {
		return err
	}
	if s.OwnRealm != "" {
		if r, err := store.Realms.Get(a.tx, s.OwnRealm); err != nil || (r.AccountID != s.AccountID) {
			return invalid("provider: the account %s has no realm %q", s.AccountID, s.OwnRealm)
		}
	}
	if a.d.authn.ForOthers(s.URL) {
		return invalid("provider %s: this installation takes none of the tokens that it makes for others", s.URL)
	}
	want := identity.Provider{AccountID: s.AccountID, URL: s.URL, OwnRealm: s.OwnRealm, CreatedAt: a.now}
	have, err := there(store.Providers.Get(a.tx, want.Key()))
	if err != nil {
		return err
	}
	if have != nil {
		want = *have
	}
	want.URL, want.ClientIDs, want.Thumbprints, want.RoleMappings = s.URL, s.ClientIDs, s.Thumbprints, s.RoleMappings
	want.CABundle, want.JWKS, want.BearerTokenFile, want.IssuerAliases = s.CABundle, s.JWKS, s.BearerTokenFile, s.IssuerAliases
	if err := a.d.checkIssuers(a.tx, &want); err != nil {
		return err
	}
	if have != nil {
		if err := a.d.providerChanged(a.tx, have, &want); err != nil {
			return err
		}
	}
	return upsert(a, store.Providers, "provider", want.Key(), have, &want)
}
