package identity

import "time"

// Account is a tenant. ID and Partition are configurable strings.
type Account struct {
	ID        string    `json:"id"`
	Partition string    `json:"partition"`
	Name      string    `json:"name"`
	Alias     string    `json:"alias,omitempty"`
	Disabled  bool      `json:"disabled,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	// AccessKeyMaxAgeDays is how long new long-term keys of the account live; 0:
	// as the installation says.
	AccessKeyMaxAgeDays int `json:"access_key_max_age_days,omitempty"`
	// OutboundFederation lets its principals ask for JWTs that others accept (STS
	// GetWebIdentityToken).
	OutboundFederation bool `json:"outbound_federation,omitempty"`
	// AssumeRootIn are the accounts whose root it may assume for a task (STS
	// AssumeRoot): an operator's grant.
	AssumeRootIn []string `json:"assume_root_in,omitempty"`
	// PasswordPolicy is nil for the default one.
	PasswordPolicy *PasswordPolicy `json:"password_policy,omitempty"`
}

// OutboundPath is the path that the issuers of accounts begin with; the
// account's ID follows.
const OutboundPath = "/auth/accounts/"

// OutboundIssuer is the issuer of an account's JWTs for others.
func (a *Account) OutboundIssuer(external string) string { return external + OutboundPath + a.ID }

// OutboundKeySet is the name of the signing set of that issuer.
func (a *Account) OutboundKeySet() string { return "outbound/" + a.ID }

// User is a principal that people or programs log in as. One record serves
// IAM, realms and (later) user pools. The root user of an account is a User
// with Root set, the account's ID as its own, and no path.
type User struct {
	// ID is the unique ID ("AIDA…"; for root the account ID); it never comes back.
	ID        string `json:"id"`
	AccountID string `json:"account_id"`
	Root      bool   `json:"root,omitempty"`
	// Name is unique in the account without regard to case; Path begins and
	// ends with "/".
	Name string `json:"name"`
	Path string `json:"path"`
	// Realm is where the user logs in, "" for IAM users without log-in.
	Realm         string `json:"realm,omitempty"`
	Subject       string `json:"subject,omitempty"` // "sub" in the realm's tokens
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	// ClientRoles are the roles per OAuth client, as in resource_access.
	ClientRoles map[string][]string `json:"client_roles,omitempty"`
	Policies
	// Groups are the unique IDs of the groups that the user is in; PoolGroups
	// the names of those of its user pool.
	Groups     []string `json:"groups,omitempty"`
	PoolGroups []string `json:"pool_groups,omitempty"`
	// Local users are known to their realm alone, not to IAM. Their paths begin
	// with LocalPath.
	Local bool `json:"local,omitempty"`
	// Token is set for an API token, which is a Local user.
	Token *APIToken `json:"token,omitempty"`
	// ServiceID is set for a service ID, which is a Local user without a realm.
	ServiceID *ServiceIdentity `json:"service_id,omitempty"`
	// Profile is set for a trusted profile, likewise.
	Profile *TrustedProfile `json:"profile,omitempty"`
	// Attributes are those of the user pool that have no field of their own.
	Attributes         map[string]string `json:"attributes,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
	Disabled           bool              `json:"disabled,omitempty"`
	MustChangePassword bool              `json:"must_change_password,omitempty"`
	MFARequired        bool              `json:"mfa_required,omitempty"`
	CreatedAt          time.Time         `json:"created_at"`
	ModifiedAt         time.Time         `json:"modified_at,omitzero"`
}

// ARN is the user's name.
func (u *User) ARN(partition string) string {
	if u.Root {
		return RootARN(partition, u.AccountID)
	}
	return UserARN(partition, u.AccountID, u.Path, u.Name)
}

// Role is what a proof can be exchanged for.
type Role struct {
	ID          string `json:"id"` // "AROA…"
	AccountID   string `json:"account_id"`
	Name        string `json:"name"`
	Path        string `json:"path"`
	Description string `json:"description,omitempty"`
	// Trust is the trust policy as written (JSON); TrustBindings are the unique
	// IDs behind the ARNs that its Principal names.
	Trust              string            `json:"trust"`
	TrustBindings      map[string]string `json:"trust_bindings,omitempty"`
	MaxSessionDuration int               `json:"max_session_duration"` // seconds, 3600..43200
	Policies
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
}

// ARN is the role's name.
func (r *Role) ARN(partition string) string {
	return RoleARN(partition, r.AccountID, r.Path, r.Name)
}

// Realm is a set of users with its own issuer and keys.
type Realm struct {
	Name string `json:"name"`
	// AccountID owns the realm; "" for root-accounts, which holds the root
	// user of every account.
	AccountID string `json:"account_id,omitempty"`
	// Issuer overrides the issuer made from the external URL.
	Issuer string `json:"issuer,omitempty"`
	// Algorithm signs its tokens: ES256 or RS256 (with x5c).
	Algorithm           string `json:"algorithm"`
	AccessTokenSeconds  int    `json:"access_token_seconds"`
	RefreshTokenSeconds int    `json:"refresh_token_seconds"`
	// LongestTokenSeconds is the most that either ever was, kept by the
	// directory: revocations must outlive tokens from before it was lowered.
	LongestTokenSeconds int    `json:"longest_token_seconds,omitempty"`
	Scope               string `json:"scope,omitempty"`
	SupportContact      string `json:"support_contact,omitempty"`
	// PoolName is made once, at random, and never changes: SRP verifiers
	// depend on it.
	PoolName string `json:"pool_name,omitempty"`
	// RootLoginDisabled switches the log-in of root users off.
	RootLoginDisabled bool `json:"root_login_disabled,omitempty"`
	// Logins are foreign issuers by which its users log in at the console.
	Logins []ForeignLogin `json:"logins,omitempty"`
	// Pool is the Cognito view of the realm; nil: it has none.
	Pool *UserPool `json:"pool,omitempty"`
}

// IssuerURL is the realm's issuer: the one configured, or the one below the
// installation's external URL.
func (r *Realm) IssuerURL(external string) string {
	if r.Issuer != "" {
		return r.Issuer
	}
	return external + "/auth/realms/" + r.Name
}

// KeySet is the name of the realm's signing set in the keyring.
func (r *Realm) KeySet() string { return RealmKeySet(r.Name) }

// RealmKeySet is the name of the signing set of the realm with that name.
func RealmKeySet(realm string) string { return "realm/" + realm }

// AccessKeysPerUser is how many long-term access keys a user may have (IAM).
const AccessKeysPerUser = 2

// RootRealm is the name of the realm of root users.
const RootRealm = "root-accounts"

// Client is an OAuth 2.0 client of a realm.
type Client struct {
	Realm string `json:"realm"`
	ID    string `json:"id"`
	// Public clients have no secret.
	Public bool `json:"public,omitempty"`
	// Grants are the grant types allowed: password, refresh_token, client_credentials.
	Grants []string `json:"grants"`
	// Audience is put into the access tokens; the client's own ID when empty.
	Audience []string `json:"audience,omitempty"`
	// ServiceAccount is the unique ID of the user that client_credentials
	// yields; "" when that grant is not allowed.
	ServiceAccount string    `json:"service_account,omitempty"`
	CreatedAt      time.Time `json:"created_at"`
}

// Key is the client's unique name.
func (c *Client) Key() string { return c.Realm + "/" + c.ID }

// Provider is an OIDC provider registered in an account (IAM
// OpenIDConnectProvider).
type Provider struct {
	AccountID string `json:"account_id"`
	// URL is the issuer, compared by exact string; "" with OwnRealm, whose
	// issuer follows the installation's external URL.
	URL string `json:"url,omitempty"`
	// IssuerAliases are other spellings of URL that tokens may have in their iss,
	// by exact string: http for https, a name that is known inside only. Such a
	// token is one of URL everywhere.
	IssuerAliases []string `json:"issuer_aliases,omitempty"`
	ClientIDs     []string `json:"client_ids"`
	Thumbprints   []string `json:"thumbprints,omitempty"`
	// OwnRealm names the realm of this installation that the provider stands
	// for; "" for foreign issuers.
	OwnRealm string `json:"own_realm,omitempty"`
	// CABundle (PEM) verifies the issuer's TLS in addition to the system roots.
	CABundle string `json:"ca_bundle,omitempty"`
	// JWKS are the issuer's keys (RFC 7517) where they are given once and for
	// all instead of fetched.
	JWKS string `json:"jwks,omitempty"`
	// BearerTokenFile names the file on the server that holds the token without
	// which the issuer does not show its keys (as Kubernetes API servers). It is
	// read at each fetch: such tokens are replaced. Only operators set it.
	BearerTokenFile string `json:"bearer_token_file,omitempty"`
	// KeysSleepAfterDays is, when not 0, how many days after the last log-in by
	// this provider the long-term keys made through it still work.
	KeysSleepAfterDays int `json:"keys_sleep_after_days,omitempty"`
	// RoleMappings, when there are any, say which roles tokens of this provider
	// can be exchanged for at all; the role's trust policy must allow it too.
	RoleMappings []RoleMapping     `json:"role_mappings,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	CreatedAt    time.Time         `json:"created_at"`
}

// RoleMapping maps a claim to a role: of a token whose claim has the value, or
// in its list, the role can be assumed. Dots lead into objects, as in the rules
// of token services.
type RoleMapping struct {
	Claim string `json:"claim"`
	Value string `json:"value"` // "*" and "?" are wildcards
	Role  string `json:"role"`  // name of a role of the account
}

// Key is the provider's unique name: account and URL without scheme, or
// account and realm.
func (p *Provider) Key() string {
	if p.OwnRealm != "" {
		return p.AccountID + "/realm:" + p.OwnRealm
	}
	return p.AccountID + "/" + TrimScheme(p.URL)
}

// AccessKey is a long-term access key pair, without its secret.
type AccessKey struct {
	ID        string    `json:"id"` // "AKIA…"
	AccountID string    `json:"account_id"`
	UserID    string    `json:"user_id"`
	Active    bool      `json:"active"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is when the key ends by itself; zero: never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// MadeBy is the lineage of the session that made the key, its own access
	// key ID, role and provider included; empty when a long-term key or an
	// operator made it.
	MadeBy Lineage `json:"made_by,omitempty"`
	// MadeByProvider is the OIDC provider (ARN) that session logged in by.
	MadeByProvider string `json:"made_by_provider,omitempty"`
}

// KeyUse is the last use of a long-term key, written behind the answer.
type KeyUse struct {
	KeyID   string    `json:"key_id"`
	At      time.Time `json:"at"`
	Service string    `json:"service"`
	Region  string    `json:"region"`
}

// Use is the last use of a role by a session, of a user's password or of an API
// key, written behind the answer.
type Use struct {
	ID     string    `json:"id"` // unique ID of the role or user; of root the account ID; of an API key its own
	At     time.Time `json:"at"`
	Region string    `json:"region,omitempty"` // of the signature's scope, for roles
	Count  int       `json:"count,omitempty"`  // how often, for API keys
}

// BucketState is where a bucket is in its life.
type BucketState string

// Bucket states: reserved before the upstream creates it, owned after,
// deleting while the upstream removes it.
const (
	BucketReserved BucketState = "reserved"
	BucketOwned    BucketState = "owned"
	BucketDeleting BucketState = "deleting"
)

// Bucket is one entry of the registry of buckets.
type Bucket struct {
	Name      string      `json:"name"`
	AccountID string      `json:"account_id"`
	Region    string      `json:"region"`
	Upstream  string      `json:"upstream"`
	State     BucketState `json:"state"`
	CreatedAt time.Time   `json:"created_at"`
}

// SessionKeys are temporary credentials.
type SessionKeys struct {
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret
	Expiration      time.Time
}
