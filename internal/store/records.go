package store

import (
	"fmt"
	"strings"
	"time"

	"daypass/internal/identity"
)

// Password is how a user's password is kept: the argon2id hash, and for pools
// with SRP the sealed verifier, written in one transaction.
type Password struct {
	UserID    string    `json:"user_id"`
	PHC       string    `json:"phc"`
	SRPSalt   []byte    `json:"srp_salt,omitempty"`
	SRP       []byte    `json:"srp,omitempty"` // sealed, column "srp"
	ChangedAt time.Time `json:"changed_at"`
	// History are the hashes of earlier passwords, newest first.
	History []string `json:"history,omitempty"`
}

// KeySecret is the secret of a long-term access key, sealed (column "secret").
type KeySecret struct {
	KeyID  string `json:"key_id"`
	Sealed []byte `json:"sealed"`
}

// ClientSecret is the keyed hash of an OAuth client's secret.
type ClientSecret struct {
	Client string `json:"client"` // identity.Client.Key
	Hash   string `json:"hash"`
}

// PoolClientSecret are the secrets of an app client of a user pool, at most two,
// sealed (column "secrets") as a JSON list: SECRET_HASH is made with the plain
// secret.
type PoolClientSecret struct {
	ClientID string `json:"client_id"`
	Sealed   []byte `json:"sealed"`
}

// RefreshFamily is a chain of refresh tokens that began with one log-in. Its
// ID is the log-in session ("sid"). A log-in at the console is one without
// tokens.
type RefreshFamily struct {
	ID        string            `json:"id"`
	Dialect   string            `json:"dialect"`
	Issuer    string            `json:"issuer"`
	ClientID  string            `json:"client_id"`
	UserID    string            `json:"user_id"`
	Scope     string            `json:"scope,omitempty"`
	Grant     string            `json:"grant,omitempty"` // of the log-in, where tokens name it
	Lineage   identity.Lineage  `json:"lineage"`
	Position  identity.Position `json:"position"`
	LoginAt   time.Time         `json:"login_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	Ended     bool              `json:"ended,omitempty"`
	// MFAMS is when a second factor was shown (Unix ms), 0 without one.
	MFAMS int64 `json:"mfa_ms,omitempty"`
	// Methods are those of the proofs (RFC 8176), where tokens name other ones
	// than their grant says.
	Methods []string `json:"methods,omitempty"`
	// SourceIP and UserAgent are those of the log-in, where they are known.
	SourceIP  string `json:"source_ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

// RefreshToken is one token of a family, found by the keyed hash of its text.
type RefreshToken struct {
	Hash      string    `json:"hash"`
	Family    string    `json:"family"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
	// Successor is the sealed text of the token that replaced it (column
	// "successor"), so that a replay within ten seconds gets the same answer.
	Successor []byte `json:"successor,omitempty"`
}

// MFASeed is the TOTP seed of a virtual MFA device, sealed (column "seed"), and
// the last time step that was used, so that no code works twice.
type MFASeed struct {
	Serial   string `json:"serial"`
	Sealed   []byte `json:"sealed"`
	LastStep int64  `json:"last_step,omitempty"`
}

// SessionRecord is one issued session in the index of sessions, which is built
// after the answer, for people; no decision depends on it.
type SessionRecord struct {
	AccessKeyID string                 `json:"access_key_id"`
	AccountID   string                 `json:"account_id"`
	Kind        identity.PrincipalKind `json:"kind"`
	PrincipalID string                 `json:"principal_id"` // of the user, root user or role
	ARN         string                 `json:"arn"`
	// Proof says by what the caller showed itself ("web identity", "access
	// key", "session"); Provider and Subject are those of a web identity, the
	// subject as its keyed hash where it is foreign.
	Proof     string            `json:"proof"`
	Provider  string            `json:"provider,omitempty"`
	Subject   string            `json:"subject,omitempty"`
	SourceIP  string            `json:"source_ip,omitempty"`
	UserAgent string            `json:"user_agent,omitempty"`
	Lineage   identity.Lineage  `json:"lineage"`
	Position  identity.Position `json:"position"`
	IssuedAt  time.Time         `json:"issued_at"`
	ExpiresAt time.Time         `json:"expires_at"`
	LastSeen  time.Time         `json:"last_seen,omitzero"`
}

// UsedProof is a proof that is good once and was used.
type UsedProof struct {
	ID        string    `json:"id"` // kind and hash
	ExpiresAt time.Time `json:"expires_at"`
}

// OneTimeLink is a link by which a user gets a way to log in, found by the keyed
// hash of its token.
type OneTimeLink struct {
	Hash   string `json:"hash"`
	UserID string `json:"user_id"`
	// Reset is set for a user who has logged in before; what it had goes.
	Reset bool `json:"reset,omitempty"`
	// RemoveMFA takes its MFA devices and passkeys away, too.
	RemoveMFA bool      `json:"remove_mfa,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// UsedAt and ReplacedAt are zero while it is good.
	UsedAt     time.Time `json:"used_at,omitzero"`
	ReplacedAt time.Time `json:"replaced_at,omitzero"`
}

// Passcode is the one-time code that a person got last at the console, for a log-in
// elsewhere: to type, or, where it is an authorization code, by way of the
// browser. A new one takes its place.
type Passcode struct {
	UserID    string `json:"user_id"`
	AccountID string `json:"account_id"`
	Hash      string `json:"hash"` // keyed, of its text
	// Lineage and Position are those of the log-in at the console.
	Lineage  identity.Lineage  `json:"lineage"`
	Position identity.Position `json:"position"`
	// MFAMS is when a second factor was shown there (Unix ms), 0 without one, and
	// Methods are those of the proofs (RFC 8176).
	MFAMS     int64     `json:"mfa_ms,omitempty"`
	Methods   []string  `json:"methods,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// ClientID, RedirectURI and Challenge (RFC 7636, S256) are what an authorization
	// code is bound to; "" for codes to type.
	ClientID    string `json:"client_id,omitempty"`
	RedirectURI string `json:"redirect_uri,omitempty"`
	Challenge   string `json:"challenge,omitempty"`
	// UsedAt is zero while it is good; SourceIP and UserAgent are of who used it,
	// and SessionID of the log-in that it gave.
	UsedAt    time.Time `json:"used_at,omitzero"`
	SessionID string    `json:"session_id,omitempty"`
	SourceIP  string    `json:"source_ip,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
}

// Key is the user, with what kind of code it is.
func (p *Passcode) Key() string {
	if p.Challenge != "" {
		return p.UserID + "/authorization"
	}
	return p.UserID
}

// Live reports whether it is good at a time.
func (p *Passcode) Live(now time.Time) bool { return p.UsedAt.IsZero() && now.Before(p.ExpiresAt) }

// LoginSecret is the client secret of a foreign log-in, sealed (column
// "secret").
type LoginSecret struct {
	Login  string `json:"login"` // identity.LoginKey
	Sealed []byte `json:"sealed"`
}

// CredentialReport notes when an account's report was asked for.
type CredentialReport struct {
	AccountID string    `json:"account_id"`
	At        time.Time `json:"at"`
}

// LoginSeen is the last log-in by a foreign web identity.
type LoginSeen struct {
	Identity string    `json:"identity"` // identity.WebIdentityID
	At       time.Time `json:"at"`
}

// KeySet is one version of a set of our own keys, sealed under the root key:
// at-rest AEAD, keyed hashes, enumeration, boxes (cookies and the like).
type KeySet struct {
	Name      string    `json:"name"` // set and version, e.g. "at-rest/0000000001"
	Sealed    []byte    `json:"sealed"`
	CreatedAt time.Time `json:"created_at"`
	// ActiveFrom is when new values begin to use it; every node can read by it
	// before.
	ActiveFrom time.Time `json:"active_from"`
}

// Epoch is one version of the session keys.
type Epoch struct {
	Number    uint32    `json:"number"`
	CreatedAt time.Time `json:"created_at"`
	// SignsFrom is when it begins to mint; RetiredAt when it stops, which may
	// lie ahead.
	SignsFrom time.Time `json:"signs_from"`
	RetiredAt time.Time `json:"retired_at,omitzero"`
	// Sealed is the root of the epoch's two subkeys (column "key"); nil once destroyed.
	Sealed    []byte    `json:"sealed,omitempty"`
	Destroyed bool      `json:"destroyed,omitempty"`
	DestroyAt time.Time `json:"destroy_at,omitzero"`
}

// SigningKey is one key of a signing set.
type SigningKey struct {
	Set       string `json:"set"` // e.g. "realm/root-accounts"
	ID        string `json:"id"`  // kid
	Algorithm string `json:"algorithm"`
	// Public is the JWK with x5c where the algorithm is RSA.
	Public []byte `json:"public"`
	// Sealed is the private half in PKCS #8 (column "private"); nil once destroyed.
	Sealed []byte `json:"sealed,omitempty"`
	// MaxTokenSeconds is the longest life of a token it may have signed.
	MaxTokenSeconds int64     `json:"max_token_seconds,omitempty"`
	CreatedAt       time.Time `json:"created_at"`
	// SignsFrom is zero while the key is published and does not sign yet.
	SignsFrom   time.Time `json:"signs_from,omitzero"`
	RetiredAt   time.Time `json:"retired_at,omitzero"`
	PublicUntil time.Time `json:"public_until,omitzero"`
}

// APIKeyHash finds an API key by the keyed hash of its text.
type APIKeyHash struct {
	Hash  string `json:"hash"`
	KeyID string `json:"key_id"`
}

// Meta is a fact about the installation itself: its ID, who made it, …
type Meta struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// RevocationRow is a revocation under its own key. N is set when the row is
// read, to the feed number of the commit that wrote it: the writer cannot know
// it, and what it puts there does not count.
type RevocationRow struct {
	ID string `json:"key"` // of the row; Revocation.ID is what it ends
	identity.Revocation
}

func (r *RevocationRow) setNumber(n uint64) { r.N = n }

// OutboxEvent is an audit event that committed with the writes it tells of and
// waits to be delivered to the log.
type OutboxEvent struct {
	ID   string `json:"id"`
	Line []byte `json:"line"`
}

// SessionIndexValue is where a session stands in an index of SessionRecords.
func SessionIndexValue(s *SessionRecord, index string) string {
	switch index {
	case "principal":
		return Join(s.PrincipalID, s.IssuedAt.UTC().Format(time.RFC3339), s.AccessKeyID)
	case "owner":
		return Join(s.Lineage.Get(identity.LineagePrincipal), s.IssuedAt.UTC().Format(time.RFC3339), s.AccessKeyID)
	case "account":
		return Join(s.AccountID, s.IssuedAt.UTC().Format(time.RFC3339), s.AccessKeyID)
	}
	return s.ExpiresAt.UTC().Format(time.RFC3339)
}

// EpochKey is the key of an epoch's row: numbers that sort as text.
func EpochKey(n uint32) string { return fmt.Sprintf("%010d", n) }

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
