package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"daypass/internal/identity"
)

// Event is one record. Record and Refuse fill Version, ID, Time, Category and,
// where empty, the facts of the request; everything else is the caller's. No
// field may hold a secret.
type Event struct {
	Version      string       `json:"eventVersion"`
	UserIdentity UserIdentity `json:"userIdentity"`
	Time         string       `json:"eventTime"`   // UTC, "2026-01-02T03:04:05.678Z"
	Source       string       `json:"eventSource"` // the service: "sts.amazonaws.com", "oidc", "operator", …
	Name         string       `json:"eventName"`   // the operation in the dialect's word
	Region       string       `json:"awsRegion"`
	SourceIP     string       `json:"sourceIPAddress"`
	UserAgent    string       `json:"userAgent"`
	ErrorCode    string       `json:"errorCode,omitempty"`
	ErrorMessage string       `json:"errorMessage,omitempty"`
	// RequestParameters is the safe subset of what was asked: never a
	// password, token, code or assertion.
	RequestParameters map[string]any `json:"requestParameters"`
	// ResponseElements is what was answered, without any secret.
	ResponseElements map[string]any `json:"responseElements"`
	// AdditionalEventData holds the hashes of what was issued and other facts.
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID"`
	ID                  string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	RecipientAccountID  string         `json:"recipientAccountId,omitempty"`
	Category            string         `json:"eventCategory"`
}

// UserIdentity says who acted. Without PrincipalID the caller proved nothing.
type UserIdentity struct {
	// Type is Root, IAMUser, AssumedRole, FederatedUser, ServiceID, Operator,
	// WebIdentityUser, Service (what is due is done by nobody's call) or Unknown.
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	UserName    string `json:"userName,omitempty"`
	// UserNameHash is the keyed hash of a name that belongs to no user here
	// (people type passwords into name fields).
	UserNameHash     string          `json:"userNameHash,omitempty"`
	IdentityProvider string          `json:"identityProvider,omitempty"`
	SessionContext   *SessionContext `json:"sessionContext,omitempty"`
}

// SessionContext is what is known of the session behind temporary credentials.
type SessionContext struct {
	SessionIssuer  *SessionIssuer    `json:"sessionIssuer,omitempty"`
	Attributes     SessionAttributes `json:"attributes"`
	SourceIdentity string            `json:"sourceIdentity,omitempty"`
}

// SessionIssuer is the role or user that a session stands for.
type SessionIssuer struct {
	Type        string `json:"type"` // Role, IAMUser, Root
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn,omitempty"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName,omitempty"`
}

// SessionAttributes are a session's facts, booleans as strings as in CloudTrail.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

const (
	eventVersion = "1.11"
	timeLayout   = "2006-01-02T15:04:05.000Z"

	// maxLine bounds one event; beyond it parameters and elements are left out.
	maxLine = 32 << 10
	// maxText bounds what strangers write into an event.
	maxText = 1024
)

// IdentityOf is the identity of an accepted caller.
func IdentityOf(c *identity.Caller) UserIdentity {
	u := UserIdentity{
		Type: "Unknown", PrincipalID: c.UserID, ARN: c.ARN, AccountID: c.AccountID, AccessKeyID: c.AccessKeyID,
	}
	if u.PrincipalID == "" {
		u.PrincipalID = c.PrincipalID
	}
	issuer := ""
	switch c.Kind {
	case identity.Operator:
		u.Type = "Operator"
	case identity.RootUser:
		u.Type, issuer = "Root", "Root"
	case identity.IAMUser:
		u.Type, u.UserName, issuer = "IAMUser", c.Name, "IAMUser"
	case identity.RoleSession:
		u.Type, issuer = "AssumedRole", "Role"
	case identity.Federated:
		u.Type, issuer = "FederatedUser", "IAMUser"
	case identity.ServiceID:
		u.Type, u.UserName, issuer = "ServiceID", c.Name, "ServiceID"
	}
	if c.Session() {
		u.SessionContext = &SessionContext{
			SessionIssuer: &SessionIssuer{Type: issuer, PrincipalID: c.PrincipalID, AccountID: c.AccountID, UserName: c.Name},
			Attributes: SessionAttributes{
				CreationDate:     c.IssuedAt.UTC().Format(time.RFC3339),
				MFAAuthenticated: map[bool]string{false: "false", true: "true"}[c.MFA],
			},
			SourceIdentity: c.SourceIdentity,
		}
	}
	return u
}

// Issued notes the SHA-256 (hex) of a credential that was issued, as
// additionalEventData "<name>Sha256". An empty credential is not noted.
func (e *Event) Issued(name string, credential identity.Secret) {
	if credential == "" {
		return
	}
	sum := sha256.Sum256([]byte(credential.Reveal()))
	e.Add(name+"Sha256", hex.EncodeToString(sum[:]))
}

// Add notes a further fact in additionalEventData.
func (e *Event) Add(name string, value any) {
	if e.AdditionalEventData == nil {
		e.AdditionalEventData = make(map[string]any)
	}
	e.AdditionalEventData[name] = value
}

// complete fills in what the log itself knows.
func (e *Event) complete(now time.Time, f identity.RequestFacts) {
	e.Version, e.Category, e.ID = eventVersion, "Management", newID()
	e.Time = now.UTC().Format(timeLayout)
	if e.RequestID == "" {
		e.RequestID = f.ID
	}
	if e.SourceIP == "" {
		e.SourceIP = f.SourceIP
	}
	if e.UserAgent == "" {
		e.UserAgent = f.UserAgent
	}
	if e.Source == "" {
		e.Source = f.Dialect
	}
	if e.UserIdentity.Type == "" {
		e.UserIdentity.Type = "Unknown"
	}
	if e.RecipientAccountID == "" {
		e.RecipientAccountID = e.UserIdentity.AccountID
	}
	e.UserAgent = clip(e.UserAgent)
	e.ErrorMessage = clip(e.ErrorMessage)
}

// line encodes a completed event with its line feed.
func (e *Event) line() ([]byte, error) {
	b, err := e.appendJSON(make([]byte, 0, 1<<10))
	if err == nil && len(b) > maxLine {
		short := *e
		omitted := map[string]any{"omitted": "too large"}
		short.RequestParameters, short.ResponseElements = omitted, omitted
		if b, err = short.appendJSON(b[:0]); len(b) > maxLine {
			err = errTooLarge
		}
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "audit.Record", Err: err}
	}
	return append(b, '\n'), nil
}

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
