package store

import (
	"strings"
	"time"

	"daypass/internal/identity"
)

func unique(name, value string) IndexEntry { return IndexEntry{Name: name, Value: value, Unique: true} }
func many(name, value string) IndexEntry   { return IndexEntry{Name: name, Value: value} }

// Fold is how names that ignore case are indexed.
func Fold(s string) string { return strings.ToLower(s) }

// Join makes an index value of several parts; no part may hold a NUL.
func Join(parts ...string) string { return strings.Join(parts, "\x00") }

// policyEntries index an owner by its account and the managed policies it has
// ("policy") or its boundary ("boundary"), each with its own key behind: a
// canned policy's ARN is the same in many accounts.
func policyEntries(p *identity.Policies, account, id string) []IndexEntry {
	var e []IndexEntry
	for _, arn := range p.Managed {
		e = append(e, many("policy", Join(account, arn, id)))
	}
	if p.Boundary != "" {
		e = append(e, many("boundary", Join(account, p.Boundary, id)))
	}
	return e
}

// The tables. A new kind of record is one line here.
var (
	Accounts = newTable("accounts", resident, func(a *identity.Account) string { return a.ID },
		func(a *identity.Account) []IndexEntry {
			if a.Alias == "" {
				return nil
			}
			return []IndexEntry{unique("alias", a.Alias)}
		})
	// Users are indexed by account and name ("name"), realm and name or e-mail
	// ("login"), realm and subject ("subject"), and account and path+name
	// ("path"); Local ones only by what their realm knows. A realm's users are
	// listed by "realm", those of a group of its user pool by "pool group", API
	// tokens by account ("token"), and so are service IDs ("service id") and
	// trusted profiles ("profile"); those are found by account and name, too
	// ("profile name"). Who keeps an access policy is found by account and its ID
	// ("access policy").
	Users = newTable("users", bounded, func(u *identity.User) string { return u.ID },
		func(u *identity.User) []IndexEntry {
			var e []IndexEntry
			if !u.Local {
				e = append(e, unique("name", Join(u.AccountID, Fold(u.Name))), many("path", Join(u.AccountID, u.Path+u.Name)))
			}
			if u.Token != nil {
				e = append(e, many("token", Join(u.AccountID, u.Name)))
			}
			if u.ServiceID != nil {
				e = append(e, many("service id", Join(u.AccountID, u.Name)))
			}
			if u.Profile != nil {
				e = append(e, many("profile", Join(u.AccountID, u.Name)), unique("profile name", Join(u.AccountID, Fold(u.Profile.Name))))
			}
			for i := range u.Access {
				e = append(e, many("access policy", Join(u.AccountID, u.Access[i].ID)))
			}
			for _, g := range u.PoolGroups {
				e = append(e, many("pool group", Join(u.Realm, g, Fold(u.Name))))
			}
			if u.Realm != "" {
				e = append(e, unique("subject", Join(u.Realm, u.Subject)), many("realm", Join(u.Realm, Fold(u.Name))))
				if !u.Root { // a root user logs in by e-mail: "root" would be everyone's name
					e = append(e, unique("login", Join(u.Realm, Fold(u.Name))))
				}
				if u.Email != "" && Fold(u.Email) != Fold(u.Name) {
					e = append(e, unique("login", Join(u.Realm, Fold(u.Email))))
				}
			}
			for _, g := range u.Groups {
				e = append(e, many("group", Join(g, u.Path+u.Name)))
			}
			return append(e, policyEntries(&u.Policies, u.AccountID, u.ID)...)
		})
	Roles = newTable("roles", resident, func(r *identity.Role) string { return r.ID },
		func(r *identity.Role) []IndexEntry {
			return append(policyEntries(&r.Policies, r.AccountID, r.ID),
				unique("name", Join(r.AccountID, Fold(r.Name))),
				many("path", Join(r.AccountID, r.Path+r.Name)))
		})
	// Groups and ManagedPolicies are indexed as roles are.
	Groups = newTable("groups", resident, func(g *identity.Group) string { return g.ID },
		func(g *identity.Group) []IndexEntry {
			return append(policyEntries(&g.Policies, g.AccountID, g.ID),
				unique("name", Join(g.AccountID, Fold(g.Name))),
				many("path", Join(g.AccountID, g.Path+g.Name)))
		})
	ManagedPolicies = newTable("managed_policies", resident, func(p *identity.ManagedPolicy) string { return p.ID },
		func(p *identity.ManagedPolicy) []IndexEntry {
			return []IndexEntry{
				unique("name", Join(p.AccountID, Fold(p.Name))),
				many("path", Join(p.AccountID, p.Path+p.Name)),
			}
		})
	BucketPolicies = newTable("bucket_policies", resident, func(p *identity.BucketPolicy) string { return p.Bucket }, nil)
	// MFADevices are indexed by user ("user") and by account ("account").
	MFADevices = newTable("mfa_devices", onDisk, func(m *identity.MFADevice) string { return m.Serial },
		func(m *identity.MFADevice) []IndexEntry {
			e := []IndexEntry{many("account", Join(m.AccountID, m.Serial))}
			if m.UserID != "" {
				e = append(e, many("user", Join(m.UserID, m.Serial)))
			}
			return e
		})
	MFASeeds = newTable("mfa_seeds", onDisk, func(m *MFASeed) string { return m.Serial }, nil)
	// Realms are also indexed by the ID of their user pool ("pool").
	Realms = newTable("realms", resident, func(r *identity.Realm) string { return r.Name },
		func(r *identity.Realm) []IndexEntry {
			if r.Pool == nil {
				return nil
			}
			return []IndexEntry{unique("pool", r.PoolID())}
		})
	// PoolClients are indexed by realm ("realm").
	PoolClients = newTable("pool_clients", resident, func(c *identity.PoolClient) string { return c.ID },
		func(c *identity.PoolClient) []IndexEntry { return []IndexEntry{many("realm", Join(c.Realm, c.ID))} })
	PoolClientSecrets = newTable("pool_client_secrets", onDisk, func(c *PoolClientSecret) string { return c.ClientID }, nil)
	// PoolGroups are indexed by realm ("realm").
	PoolGroups = newTable("pool_groups", resident, func(g *identity.PoolGroup) string { return g.Key() },
		func(g *identity.PoolGroup) []IndexEntry { return []IndexEntry{many("realm", Join(g.Realm, g.Name))} })
	// IdentityPools are indexed by account ("account") and by account and name ("name").
	IdentityPools = newTable("identity_pools", resident, func(p *identity.IdentityPool) string { return p.ID },
		func(p *identity.IdentityPool) []IndexEntry {
			return []IndexEntry{many("account", Join(p.AccountID, p.ID)), many("name", Join(p.AccountID, p.Name))}
		})
	// PoolIdentities are indexed by pool ("pool") and by pool and log-in ("login").
	PoolIdentities = newTable("pool_identities", onDisk, func(i *identity.PoolIdentity) string { return i.ID },
		func(i *identity.PoolIdentity) []IndexEntry {
			e := []IndexEntry{many("pool", Join(i.PoolID, i.ID))}
			for _, l := range i.Logins {
				e = append(e, unique("login", Join(i.PoolID, l.Subject)))
			}
			return e
		})
	StaxAPIs      = newTable("stax_apis", resident, func(a *identity.StaxAPI) string { return a.Name }, nil)
	TokenServices = newTable("token_services", resident, func(s *identity.TokenService) string { return s.Key() }, nil)
	Clients       = newTable("clients", resident, func(c *identity.Client) string { return c.Key() }, nil)
	// Providers are also indexed by URL alone ("url"), and by account and each
	// alias of it ("alias").
	Providers = newTable("providers", resident, func(p *identity.Provider) string { return p.Key() },
		func(p *identity.Provider) []IndexEntry {
			e := []IndexEntry{many("url", p.URL)}
			for _, alias := range p.IssuerAliases {
				e = append(e, unique("alias", Join(p.AccountID, alias)))
			}
			return e
		})
	// AccessKeys are indexed by owner ("user") and by what the session that
	// made them descends from, kind and ID ("maker").
	AccessKeys = newTable("access_keys", bounded, func(k *identity.AccessKey) string { return k.ID },
		func(k *identity.AccessKey) []IndexEntry {
			e := []IndexEntry{many("user", k.UserID)}
			for _, a := range k.MadeBy {
				e = append(e, many("maker", Join(string(a.Kind), a.ID, k.ID)))
			}
			return e
		})
	// APIKeys are indexed by account ("account"), by owner ("user") and by what
	// the session that made them descends from ("maker").
	APIKeys = newTable("api_keys", bounded, func(k *identity.APIKey) string { return k.ID },
		func(k *identity.APIKey) []IndexEntry {
			e := []IndexEntry{many("account", Join(k.AccountID, k.ID)), many("user", Join(k.UserID, k.ID))}
			for _, a := range k.MadeBy {
				e = append(e, many("maker", Join(string(a.Kind), a.ID, k.ID)))
			}
			return e
		})
	// IBMSites has one record, named identity.IBMSiteName.
	IBMSites = newTable("ibm_sites", resident, func(*identity.IBMSite) string { return identity.IBMSiteName }, nil)
	// APIKeyHashes are also indexed by key ("key").
	APIKeyHashes = newTable("api_key_hashes", bounded, func(h *APIKeyHash) string { return h.Hash },
		func(h *APIKeyHash) []IndexEntry { return []IndexEntry{many("key", h.KeyID)} })
	KeySecrets = newTable("key_secrets", bounded, func(k *KeySecret) string { return k.KeyID }, nil)
	Buckets    = newTable("buckets", resident, func(b *identity.Bucket) string { return b.Name },
		func(b *identity.Bucket) []IndexEntry {
			return []IndexEntry{many("account", Join(b.AccountID, b.Name))}
		})
	// Revocations are indexed by what they end, kind and ID ("target"), and by
	// the account that they are bound to ("account").
	Revocations = newTable("revocations", resident, func(r *RevocationRow) string { return r.ID },
		func(r *RevocationRow) []IndexEntry {
			e := []IndexEntry{many("target", Join(string(r.Kind), r.Revocation.ID))}
			if r.AccountID != "" {
				e = append(e, many("account", Join(r.AccountID, r.ID)))
			}
			return e
		})

	KeySets     = newTable("key_sets", resident, func(k *KeySet) string { return k.Name }, nil)
	Epochs      = newTable("epochs", resident, func(e *Epoch) string { return EpochKey(e.Number) }, nil)
	SigningKeys = newTable("signing_keys", resident, func(k *SigningKey) string { return k.Set + "/" + k.ID },
		func(k *SigningKey) []IndexEntry { return []IndexEntry{many("set", Join(k.Set, k.ID))} })
	Metas = newTable("meta", resident, func(m *Meta) string { return m.Name }, nil)

	Passwords       = newTable("passwords", onDisk, func(p *Password) string { return p.UserID }, nil)
	ClientSecrets   = newTable("client_secrets", onDisk, func(c *ClientSecret) string { return c.Client }, nil)
	RefreshFamilies = newTable("refresh_families", onDisk, func(f *RefreshFamily) string { return f.ID },
		func(f *RefreshFamily) []IndexEntry {
			return []IndexEntry{many("user", f.UserID), many("expires", f.ExpiresAt.UTC().Format(time.RFC3339))}
		})
	RefreshTokens = newTable("refresh_tokens", onDisk, func(t *RefreshToken) string { return t.Hash },
		func(t *RefreshToken) []IndexEntry { return []IndexEntry{many("family", t.Family)} })
	Outbox        = newTable("outbox", onDisk, func(e *OutboxEvent) string { return e.ID }, nil)
	KeyUses       = newTable("key_uses", onDisk, func(u *identity.KeyUse) string { return u.KeyID }, nil)
	Uses          = newTable("uses", onDisk, func(u *identity.Use) string { return u.ID }, nil)
	SAMLProviders = newTable("saml_providers", resident, func(p *identity.SAMLProvider) string { return p.Key() }, nil)
	// UsedProofs are indexed by expiry ("expires").
	UsedProofs = newTable("used_proofs", onDisk, func(p *UsedProof) string { return p.ID },
		func(p *UsedProof) []IndexEntry {
			return []IndexEntry{many("expires", p.ExpiresAt.UTC().Format(time.RFC3339))}
		})
	// Passkeys and IdentityLinks are indexed by user ("user").
	Passkeys = newTable("passkeys", onDisk, func(p *identity.Passkey) string { return p.ID },
		func(p *identity.Passkey) []IndexEntry { return []IndexEntry{many("user", Join(p.UserID, p.ID))} })
	IdentityLinks = newTable("identity_links", onDisk, func(l *identity.IdentityLink) string { return l.Key() },
		func(l *identity.IdentityLink) []IndexEntry {
			return []IndexEntry{many("user", Join(l.UserID, l.Key()))}
		})
	LoginSecrets = newTable("login_secrets", onDisk, func(l *LoginSecret) string { return l.Login }, nil)
	// OneTimeLinks are indexed by user ("user") and by expiry ("expires").
	OneTimeLinks = newTable("one_time_links", onDisk, func(l *OneTimeLink) string { return l.Hash },
		func(l *OneTimeLink) []IndexEntry {
			return []IndexEntry{many("user", Join(l.UserID, l.Hash)), many("expires", l.ExpiresAt.UTC().Format(time.RFC3339))}
		})
	// Passcodes are found by hash ("hash") and indexed by expiry ("expires"); a user
	// has one of each kind at most.
	Passcodes = newTable("passcodes", onDisk, (*Passcode).Key,
		func(p *Passcode) []IndexEntry {
			return []IndexEntry{unique("hash", p.Hash), many("expires", p.ExpiresAt.UTC().Format(time.RFC3339))}
		})
	CredentialReports = newTable("credential_reports", onDisk, func(c *CredentialReport) string { return c.AccountID }, nil)
	// SessionRecords are indexed by principal ("principal"), account
	// ("account"), expiry ("expires") and, where they descend from one, by user
	// ("owner").
	SessionRecords = newTable("sessions", onDisk, func(s *SessionRecord) string { return s.AccessKeyID },
		func(s *SessionRecord) []IndexEntry {
			e := []IndexEntry{
				many("principal", SessionIndexValue(s, "principal")),
				many("account", SessionIndexValue(s, "account")),
				many("expires", SessionIndexValue(s, "expires")),
			}
			if s.Lineage.Get(identity.LineagePrincipal) != "" {
				e = append(e, many("owner", SessionIndexValue(s, "owner")))
			}
			return e
		})
	// LoginsSeen are read when a key made through a foreign provider is used.
	// They are indexed by time ("at").
	LoginsSeen = newTable("logins_seen", bounded, func(l *LoginSeen) string { return l.Identity },
		func(l *LoginSeen) []IndexEntry { return []IndexEntry{many("at", l.At.UTC().Format(time.RFC3339))} })
)
