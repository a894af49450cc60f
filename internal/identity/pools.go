package identity

import (
	"encoding/json"
	"strings"
	"time"
)

// UserPool is what a realm shows to clients that speak Cognito. Its ID, issuer
// and keys are those of Realm.PoolID, PoolIssuer and PoolKeySet.
type UserPool struct {
	// Name is that of CreateUserPool; the realm's own name stays its key.
	Name   string `json:"name"`
	Region string `json:"region"`
	// MFA says whether users need a second factor: OFF, OPTIONAL or ON. A user
	// who has one always owes it.
	MFA string `json:"mfa"`
	// PasswordPolicy is nil for the account's.
	PasswordPolicy *PasswordPolicy `json:"password_policy,omitempty"`
	// TemporaryPasswordDays is how long a temporary password lets its user in
	// (7 when 0).
	TemporaryPasswordDays int `json:"temporary_password_days,omitempty"`
	// UsernameAttributes and AutoVerifiedAttributes are kept for
	// DescribeUserPool.
	UsernameAttributes     []string          `json:"username_attributes,omitempty"`
	AutoVerifiedAttributes []string          `json:"auto_verified_attributes,omitempty"`
	Tags                   map[string]string `json:"tags,omitempty"`
	// Made says that CreateUserPool made the pool and its realm, and so
	// DeleteUserPool may end both; Protected that it must not now.
	Made      bool `json:"made,omitempty"`
	Protected bool `json:"protected,omitempty"`
	// Kept are members of CreateUserPool that are shown again and not used, by
	// their name in the answer.
	Kept       map[string]json.RawMessage `json:"kept,omitempty"`
	CreatedAt  time.Time                  `json:"created_at"`
	ModifiedAt time.Time                  `json:"modified_at"`
}

// Values of UserPool.MFA.
const (
	MFAOff      = "OFF"
	MFAOptional = "OPTIONAL"
	MFAOn       = "ON"
)

// PoolID is the ID of the realm's user pool, "<region>_<PoolName>"; "" without
// one.
func (r *Realm) PoolID() string {
	if r.Pool == nil {
		return ""
	}
	return r.Pool.Region + "_" + r.PoolName
}

// Apart says that a call made the realm for its pool alone: nothing takes it for
// the realm of its account.
func (r *Realm) Apart() bool { return r.Pool != nil && r.Pool.Made }

// PoolIssuer is the issuer of the user pool's tokens.
func (r *Realm) PoolIssuer(external string) string { return external + "/" + r.PoolID() }

// PoolKeySet is the name of the user pool's signing set in the keyring.
func (r *Realm) PoolKeySet() string { return "pool/" + r.PoolID() }

// PoolProvider is how the Logins of an identity pool name the user pool, as if
// it were Amazon's.
func (r *Realm) PoolProvider() string {
	return "cognito-idp." + r.Pool.Region + ".amazonaws.com/" + r.PoolID()
}

// UserPoolARN names a user pool.
func UserPoolARN(partition, region, account, poolID string) string {
	return ARN{partition, "cognito-idp", region, account, "userpool/" + poolID}.String()
}

// PoolClient is an app client of a user pool.
type PoolClient struct {
	ID    string `json:"id"` // 26 lower-case letters and digits, unique in the installation
	Realm string `json:"realm"`
	Name  string `json:"name"`
	// HasSecret clients show SECRET_HASH; the secrets are in
	// store.PoolClientSecrets.
	HasSecret bool `json:"has_secret,omitempty"`
	// AuthFlows are the ExplicitAuthFlows: ALLOW_USER_SRP_AUTH, …
	AuthFlows []string `json:"auth_flows"`
	// TellUnknownUsers is PreventUserExistenceErrors=LEGACY: unknown users get
	// an error of their own.
	TellUnknownUsers bool `json:"tell_unknown_users,omitempty"`
	// NoRevocation is EnableTokenRevocation=false: RevokeToken is refused.
	NoRevocation bool `json:"no_revocation,omitempty"`
	// RotateRefresh is RefreshTokenRotation: refresh tokens are good once, and
	// for RetryGraceSeconds more.
	RotateRefresh     bool `json:"rotate_refresh,omitempty"`
	RetryGraceSeconds int  `json:"retry_grace_seconds,omitempty"`
	// Lifetimes in seconds; AuthSessionSeconds is that of challenges.
	AccessTokenSeconds  int `json:"access_token_seconds"`
	IDTokenSeconds      int `json:"id_token_seconds"`
	RefreshTokenSeconds int `json:"refresh_token_seconds"`
	AuthSessionSeconds  int `json:"auth_session_seconds"`
	// What follows is kept for DescribeUserPoolClient.
	TokenValidityUnits map[string]string `json:"token_validity_units,omitempty"`
	CallbackURLs       []string          `json:"callback_urls,omitempty"`
	LogoutURLs         []string          `json:"logout_urls,omitempty"`
	OAuthFlows         []string          `json:"oauth_flows,omitempty"`
	OAuthScopes        []string          `json:"oauth_scopes,omitempty"`
	ReadAttributes     []string          `json:"read_attributes,omitempty"`
	WriteAttributes    []string          `json:"write_attributes,omitempty"`
	CreatedAt          time.Time         `json:"created_at"`
	ModifiedAt         time.Time         `json:"modified_at"`
}

// PoolGroup is a group of a user pool, which may name a role for its members.
type PoolGroup struct {
	Realm       string `json:"realm"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	RoleARN     string `json:"role_arn,omitempty"`
	// Precedence: the lowest of a user's groups names its preferred role; nil
	// comes last.
	Precedence *int      `json:"precedence,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	ModifiedAt time.Time `json:"modified_at"`
}

// Key is the group's unique name.
func (g *PoolGroup) Key() string { return g.Realm + "/" + g.Name }

// APIToken makes a user an API token: a machine that logs in by access key (the
// user's name, a lower-case UUID) and secret.
type APIToken struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Role        string            `json:"role"` // api_admin, api_user or api_readonly
	Tags        map[string]string `json:"tags,omitempty"`
	// CreatedBy is the unique ID of the principal that made it.
	CreatedBy string `json:"created_by,omitempty"`
	// KeyID is the TokenKeyId of the request, kept as it was.
	KeyID      string    `json:"key_id,omitempty"`
	Deleted    bool      `json:"deleted,omitempty"`
	ModifiedAt time.Time `json:"modified_at"`
}

// APIRoles are the roles that an API token may have.
func APIRoles() []string { return []string{"api_admin", "api_user", "api_readonly"} }

// LocalPath begins the paths of users that only their realm knows; IAM makes
// none below it.
const LocalPath = "/pool/"

// IdentityPool gives session keys for log-in tokens (Cognito identity pool).
type IdentityPool struct {
	ID        string `json:"id"` // "<region>:<UUID>"
	AccountID string `json:"account_id"`
	Region    string `json:"region"`
	Name      string `json:"name"`
	// AllowUnauthenticated gives the unauthenticated role without any log-in.
	AllowUnauthenticated bool `json:"allow_unauthenticated,omitempty"`
	AllowClassicFlow     bool `json:"allow_classic_flow,omitempty"`
	// UserPools are the clients of user pools whose ID tokens count.
	UserPools []PoolLogin `json:"user_pools,omitempty"`
	// OIDCProviders are ARNs of OIDC providers of the account.
	OIDCProviders []string `json:"oidc_providers,omitempty"`
	// Roles are ARNs by "authenticated" and "unauthenticated".
	Roles map[string]string `json:"roles,omitempty"`
	// RoleMappings choose a role by the token, by provider as Logins name it.
	RoleMappings map[string]PoolRoleMapping `json:"role_mappings,omitempty"`
	Tags         map[string]string          `json:"tags,omitempty"`
	CreatedAt    time.Time                  `json:"created_at"`
}

// ARN is the identity pool's name.
func (p *IdentityPool) ARN(partition string) string {
	return ARN{partition, "cognito-identity", p.Region, p.AccountID, "identitypool/" + p.ID}.String()
}

// KeySet is the name of the signing set of the pool's OpenID tokens.
func (p *IdentityPool) KeySet() string { return "identitypool/" + p.ID }

// IdentityPoolPath is the path that the issuers of identity pools begin with;
// the pool's ID follows. No bucket has such a name.
const IdentityPoolPath = "/identity_pool/"

// Issuer is the issuer of the pool's OpenID tokens.
func (p *IdentityPool) Issuer(external string) string { return external + IdentityPoolPath + p.ID }

// CognitoIdentity is how policies name identity pools: as federated principal,
// and as prefix of the condition keys "…:aud" (the pool's ID), "…:sub" (the
// identity's) and "…:amr".
const CognitoIdentity = "cognito-identity.amazonaws.com"

// PoolSession is what is known of a session that an identity pool gave.
type PoolSession struct {
	PoolID, IdentityID string
	// AMR is "authenticated", and for each log-in its provider and the provider
	// with the subject; or "unauthenticated".
	AMR []string
}

// NewPoolSession takes the log-ins' part of "amr" as session tokens carry it:
// lines, none of them for an unauthenticated identity.
func NewPoolSession(poolID, identityID, logins string) *PoolSession {
	s := &PoolSession{PoolID: poolID, IdentityID: identityID, AMR: []string{"unauthenticated"}}
	if logins != "" {
		s.AMR = append([]string{"authenticated"}, strings.Split(logins, "\n")...)
	}
	return s
}

// IdentityPoolOf is the ID of the identity pool with this ARN, "" for any other.
func IdentityPoolOf(arn string) string {
	if !strings.Contains(arn, ":cognito-identity:") { // nearly every one
		return ""
	}
	a, ok := ParseARN(arn)
	id, is := strings.CutPrefix(a.Resource, "identitypool/")
	if !ok || !is || a.Service != "cognito-identity" {
		return ""
	}
	return id
}

// PoolLogin is a client of a user pool (CognitoIdentityProvider).
type PoolLogin struct {
	Provider string `json:"provider"` // cognito-idp.<region>.amazonaws.com/<pool ID>
	ClientID string `json:"client_id"`
	// TokenCheck is ServerSideTokenCheck; ours always are, it is kept as said.
	TokenCheck bool `json:"token_check,omitempty"`
}

// PoolRoleMapping is how a provider's tokens choose a role (RoleMapping).
type PoolRoleMapping struct {
	Type string `json:"type"` // Token or Rules
	// Ambiguous is AmbiguousRoleResolution: AuthenticatedRole or Deny.
	Ambiguous string         `json:"ambiguous,omitempty"`
	Rules     []PoolRoleRule `json:"rules,omitempty"`
}

// PoolRoleRule is one rule of a mapping by Rules; the first that matches counts.
type PoolRoleRule struct {
	Claim     string `json:"claim"`
	MatchType string `json:"match_type"` // Equals, Contains, StartsWith or NotEqual
	Value     string `json:"value"`
	RoleARN   string `json:"role_arn"`
}

// PoolIdentity is one identity of an identity pool: who logged in by one or
// several providers, or somebody unknown.
type PoolIdentity struct {
	ID        string `json:"id"` // "<region>:<UUID>"
	PoolID    string `json:"pool_id"`
	AccountID string `json:"account_id"`
	// Logins are what leads to it, none for an unauthenticated identity.
	Logins []IdentityLogin `json:"logins,omitempty"`
	// Disabled lets nobody in: its last log-in was unlinked, or it went over to
	// another identity.
	Disabled   bool      `json:"disabled,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	ModifiedAt time.Time `json:"modified_at"`
}

// IdentityLogin is one log-in of an identity.
type IdentityLogin struct {
	Provider string `json:"provider"` // as Logins name it
	// Subject is WebIdentityID of the issuer and the subject; for a user pool of
	// this installation of PoolProvider in the issuer's place, which stays when
	// the installation's URL changes.
	Subject string `json:"subject"`
}

// StaxAPI is what a config document of the Stax-style API says, and the account
// that the API behind it is about.
type StaxAPI struct {
	Name      string `json:"name"`
	AccountID string `json:"account_id"`
	// Hosts are the host names, without port, that it answers for; none: every
	// host that no other names.
	Hosts          []string `json:"hosts,omitempty"`
	Region         string   `json:"region"`
	Realm          string   `json:"realm"`
	ClientID       string   `json:"client_id"` // of a PoolClient
	IdentityPoolID string   `json:"identity_pool_id"`
}
