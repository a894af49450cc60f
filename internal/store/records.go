package store

import (
	"fmt"
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
