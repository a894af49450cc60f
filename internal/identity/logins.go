package identity

import "time"

// Passkey is a WebAuthn credential of a user, who logs in by it at the console
// (Web Authentication Level 3 §4, "credential record").
type Passkey struct {
	ID        string `json:"id"` // credential ID, base64url
	AccountID string `json:"account_id"`
	UserID    string `json:"user_id"`
	Name      string `json:"name"`       // as the user calls it
	PublicKey []byte `json:"public_key"` // COSE_Key (RFC 9052)
	// SignCount is the highest that the authenticator has shown; many show 0
	// always.
	SignCount  uint32   `json:"sign_count,omitempty"`
	Transports []string `json:"transports,omitempty"`
	// BackupEligible never changes; BackedUp says whether it is in several
	// devices.
	BackupEligible bool      `json:"backup_eligible,omitempty"`
	BackedUp       bool      `json:"backed_up,omitempty"`
	CreatedAt      time.Time `json:"created_at"`
	LastUsed       time.Time `json:"last_used,omitzero"`
}

// ForeignLogin is a foreign OIDC issuer by which users of a realm log in at the
// console. Its client secret is in store.LoginSecrets.
type ForeignLogin struct {
	Name     string   `json:"name"` // unique in the realm; part of the redirect URI
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes,omitempty"` // besides openid
	// TrustMFA takes the issuer's word ("mfa" in amr or acr) for a second factor.
	TrustMFA bool `json:"trust_mfa,omitempty"`
	// CABundle (PEM) is trusted for the issuer besides the system's roots.
	CABundle string `json:"ca_bundle,omitempty"`
}

// LoginKey names a foreign log-in of a realm.
func LoginKey(realm, name string) string { return realm + "/" + name }

// LoginProvider is how lineages name a foreign log-in, in the place where others
// have the ARN of an OIDC provider.
func LoginProvider(realm, name string) string { return "login:" + LoginKey(realm, name) }

// IdentityLink says that a foreign identity is a user of ours: by account,
// issuer and subject, never by e-mail address.
type IdentityLink struct {
	AccountID string `json:"account_id"`
	UserID    string `json:"user_id"`
	Issuer    string `json:"issuer"`
	Subject   string `json:"subject"`
	// Label is how the issuer called the person when the link was made, for
	// people to read.
	Label     string    `json:"label,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used,omitzero"`
}

// Key is the link's unique name.
func (l *IdentityLink) Key() string { return l.AccountID + "/" + WebIdentityID(l.Issuer, l.Subject) }
