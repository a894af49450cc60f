package identity

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Prefixes of the IDs of IBM Cloud IAM. A principal's IAM ID begins with one of
// the IAM ones; what follows those of service IDs and profiles is their ID.
const (
	iamPrefix          = "iam-"
	IBMUserPrefix      = "IBMid-"
	ServiceIDPrefix    = "ServiceId-"
	ProfilePrefix      = "Profile-"
	APIKeyPrefix       = "ApiKey-"
	IBMKeySet          = "ibm" // signing set of the tokens of IBM's dialect
	IBMIssuerPath      = "/identity"
	IBMAccessTokenLife = time.Hour
)

// ServiceIdentity makes a Local user the identity of a program (IBM Cloud IAM,
// service ID). The user's unique ID is its IAM ID, "iam-ServiceId-<UUID>", and
// its name the same without "iam-"; Name is how people call it, and need not be
// unique.
type ServiceIdentity struct {
	Name         string    `json:"name"`
	Description  string    `json:"description,omitempty"`
	GroupID      string    `json:"group_id,omitempty"`
	InstanceCRNs []string  `json:"instance_crns,omitempty"`
	Locked       bool      `json:"locked,omitempty"`
	CreatedBy    string    `json:"created_by,omitempty"` // IAM ID
	Tag          EntityTag `json:"tag"`
	History      []Changed `json:"history,omitempty"`
}

// APIKey is a long-lived secret of a user or a service ID (IBM Cloud IAM, API
// key), kept by its keyed hash alone (store.APIKeyHash).
type APIKey struct {
	ID        string `json:"id"` // "ApiKey-<UUID>"
	AccountID string `json:"account_id"`
	// UserID is the unique ID of its owner, which it logs in.
	UserID      string `json:"user_id"`
	Name        string `json:"name"` // need not be unique
	Description string `json:"description,omitempty"`
	CreatedBy   string `json:"created_by"` // IAM ID
	// Locked keys cannot be changed or deleted; Disabled ones log nobody in.
	Locked   bool `json:"locked,omitempty"`
	Disabled bool `json:"disabled,omitempty"`
	// WhenLeaked is what happens when the key is reported as leaked: none,
	// disable or delete.
	WhenLeaked      string    `json:"when_leaked"`
	SupportSessions bool      `json:"support_sessions,omitempty"`
	ExpiresAt       time.Time `json:"expires_at,omitzero"`
	CreatedAt       time.Time `json:"created_at"`
	ModifiedAt      time.Time `json:"modified_at"`
	Tag             EntityTag `json:"tag"`
	History         []Changed `json:"history,omitempty"`
	// MadeBy is what the session that made it descends from; nil for keys.
	MadeBy Lineage `json:"made_by,omitempty"`
}

// What may happen to a leaked API key.
const (
	LeakedNone    = "none"
	LeakedDisable = "disable"
	LeakedDelete  = "delete"
)

// Live reports whether the key logs anybody in at a time.
func (k *APIKey) Live(now time.Time) bool {
	return !k.Disabled && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// EntityTag names one version of a record, for If-Match. Its text is
// "<number>-<32 hexadecimal digits>".
type EntityTag struct {
	N      int    `json:"n"`
	Random string `json:"random"`
}

func (t EntityTag) String() string { return fmt.Sprintf("%d-%s", t.N, t.Random) }

// Next is the tag of the record's next version; of the zero tag, the first.
func (t EntityTag) Next(random io.Reader) (EntityTag, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return t, &Error{Kind: KindInternal, Op: "identity.entitytag", Err: err}
	}
	return EntityTag{t.N + 1, fmt.Sprintf("%x", b)}, nil
}

// Changed is one entry of a record's history.
type Changed struct {
	At        time.Time `json:"at"`
	IAMID     string    `json:"iam_id"`
	AccountID string    `json:"account_id"`
	Action    string    `json:"action"`
	Params    []string  `json:"params,omitempty"`
	Message   string    `json:"message"`
}

// historyKeeps is how many entries of a history remain.
const historyKeeps = 20

// Remember adds an entry to a history, of which the oldest go.
func Remember(history []Changed, c Changed) []Changed {
	out := append(append([]Changed{}, history...), c)
	return out[max(0, len(out)-historyKeeps):]
}

// IAMID is how IBM's dialect names a user, a service ID or the root user.
func (u *User) IAMID() string {
	if u.ServiceID != nil {
		return u.ID
	}
	return IBMUserPrefix + u.ID
}

// UserOfIAMID is the unique ID behind an IAM ID; false for what is none.
func UserOfIAMID(iamID string) (string, bool) {
	if id, ok := strings.CutPrefix(iamID, IBMUserPrefix); ok {
		return id, id != ""
	}
	return iamID, strings.HasPrefix(iamID, iamPrefix+ServiceIDPrefix)
}

// ServiceIAMID is the IAM ID of a service ID ("ServiceId-<UUID>").
func ServiceIAMID(id string) string { return iamPrefix + id }

// IAMIdentityCRN names a resource of the identity API: kind is apikey, serviceid
// or profile (IBM Cloud, CRN: ten segments).
func IAMIdentityCRN(account, kind, id string) string {
	return "crn:v1:bluemix:public:iam-identity::a/" + account + "::" + kind + ":" + id
}
