package issue

import (
	"time"

	"daypass/internal/identity"
)

// PasswordGrant is a realm's password log-in (RFC 6749 §4.3).
type PasswordGrant struct {
	Realm    string
	Client   ClientProof
	Username string
	Password identity.Secret
	Code     identity.Secret // of the user's authenticator; "" when none is given
	Scope    string
}

// ClientProof is how an OAuth client showed itself.
type ClientProof struct {
	ID     string
	Secret identity.Secret
	// HasSecret tells an empty secret from none.
	HasSecret bool
}

// RefreshGrant exchanges a refresh token (RFC 6749 §6).
type RefreshGrant struct {
	Realm        string
	Client       ClientProof
	RefreshToken identity.Secret
	Scope        string
}

// ClientGrant is client_credentials (RFC 6749 §4.4).
type ClientGrant struct {
	Realm  string
	Client ClientProof
	Scope  string
}

// TokenSet is what a realm's token endpoint answers.
type TokenSet struct {
	AccessToken      identity.Secret
	ExpiresIn        int             // seconds
	RefreshToken     identity.Secret // "" when none is given
	RefreshExpiresIn int             // seconds
	SessionState     string          // UUID, the token's sid
	Scope            string
}

// WebIdentityRequest is AssumeRoleWithWebIdentity.
type WebIdentityRequest struct {
	RoleARN         string
	RoleSessionName string
	Token           identity.Secret
	ProviderID      string
	// DurationSeconds is 0 when not given.
	DurationSeconds int
	Policy          SessionPolicy
}

// WebIdentityResult is its answer.
type WebIdentityResult struct {
	Keys             identity.SessionKeys
	Subject          string
	AssumedRoleID    string
	AssumedRoleARN   string
	Provider         string
	Audience         string
	SourceIdentity   string // "" when not set
	PackedPolicySize int    // per cent
}

// CreatedAccessKey is a long-term key with the secret that is shown once.
type CreatedAccessKey struct {
	UserName string
	Key      identity.AccessKey
	Secret   identity.Secret
}

// UserInfo are the claims of a realm's userinfo endpoint.
type UserInfo struct {
	Subject           string
	Email             string
	EmailVerified     bool
	PreferredUsername string
}

// Introspection is the answer of a realm's introspection endpoint (RFC 7662).
type Introspection struct {
	Active    bool
	ClientID  string
	Username  string
	Subject   string
	Scope     string
	TokenType string
	Issuer    string
	Audience  []string
	ExpiresAt time.Time
	IssuedAt  time.Time
	SessionID string
}
