package identity

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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
	// IBMRefreshTokenLife is that of each refresh token.
	IBMRefreshTokenLife = 72 * time.Hour
	// IAMIdentity is the service of the identity API in names of actions and in
	// CRNs.
	IAMIdentity = "iam-identity"
	// IBMPolicyPrefix begins the names of the inline policies that the policy API
	// of IBM's dialect made; the policy's ID follows.
	IBMPolicyPrefix = "ibm-"
	// ServiceIDPath is where service IDs and trusted profiles are in ARNs.
	ServiceIDPath = LocalPath + "ibm/"
)

// How many there may be of a thing.
const (
	APIKeysPerUser       = 100
	ServiceIDsPerAccount = 2000
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
	// Leaked keys were reported, and are not enabled again.
	Leaked bool `json:"leaked,omitempty"`
	// WhenLeaked is what happens when the key is reported as leaked: none,
	// disable or delete.
	WhenLeaked      string    `json:"when_leaked"`
	SupportSessions bool      `json:"support_sessions,omitempty"`
	ExpiresAt       time.Time `json:"expires_at,omitzero"`
	// Latest is the latest end that the key may have; zero: none, or never.
	Latest     time.Time `json:"latest,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
	ModifiedAt time.Time `json:"modified_at"`
	Tag        EntityTag `json:"tag"`
	History    []Changed `json:"history,omitempty"`
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
func (u *User) IAMID() string { return IAMIDOf(u.ID) }

// IAMID is that of the key's owner.
func (k *APIKey) IAMID() string { return IAMIDOf(k.UserID) }

// IAMIDOf is how IBM's dialect names the user with a unique ID.
func IAMIDOf(userID string) string {
	if IsServiceID(userID) || IsProfile(userID) {
		return userID
	}
	return IBMUserPrefix + userID
}

// IsServiceID tells the unique IDs of service IDs from others.
func IsServiceID(userID string) bool { return strings.HasPrefix(userID, iamPrefix+ServiceIDPrefix) }

// IsProfile tells the unique IDs of trusted profiles from others.
func IsProfile(userID string) bool { return strings.HasPrefix(userID, iamPrefix+ProfilePrefix) }

// UserOfIAMID is the unique ID behind an IAM ID; false for what is none.
func UserOfIAMID(iamID string) (string, bool) {
	if id, ok := strings.CutPrefix(iamID, IBMUserPrefix); ok {
		return id, id != ""
	}
	return iamID, IsServiceID(iamID) || IsProfile(iamID)
}

// ServiceIAMID is the IAM ID of a service ID ("ServiceId-<UUID>") or of a trusted
// profile ("Profile-<UUID>").
func ServiceIAMID(id string) string { return iamPrefix + id }

// IAMIdentityCRN names a resource of the identity API: kind is apikey, serviceid
// or profile (IBM Cloud, CRN: ten segments).
func IAMIdentityCRN(account, kind, id string) string {
	return "crn:v1:bluemix:public:" + IAMIdentity + "::a/" + account + "::" + kind + ":" + id
}

// CRN names the key.
func (k *APIKey) CRN() string { return IAMIdentityCRN(k.AccountID, "apikey", k.ID) }

// OwnerCRN names the principal whose API keys a call is about.
func OwnerCRN(account, userID string) string {
	switch id := strings.TrimPrefix(userID, iamPrefix); {
	case IsServiceID(userID):
		return IAMIdentityCRN(account, "serviceid", id)
	case IsProfile(userID):
		return IAMIdentityCRN(account, "profile", id)
	}
	return IAMIdentityCRN(account, "user", IBMUserPrefix+userID)
}

// Bounds of what people write.
const (
	maxIBMName        = 255
	maxIBMDescription = 1024
	maxInstanceCRNs   = 10
	maxCRN            = 512
)

func checkLabel(name, description string) error {
	switch {
	case strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxIBMName || !printable(name):
		return NewError(KindValidation, "ibm", fmt.Sprintf("The property name must have 1 to %d printable characters.", maxIBMName))
	case utf8.RuneCountInString(description) > maxIBMDescription || !utf8.ValidString(description) || strings.ContainsRune(description, 0):
		return NewError(KindValidation, "ibm", fmt.Sprintf("The property description must have at most %d characters.", maxIBMDescription))
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Check judges what people write into a key. KindValidation.
func (k *APIKey) Check() error {
	if err := checkLabel(k.Name, k.Description); err != nil {
		return err
	}
	switch k.WhenLeaked {
	case LeakedNone, LeakedDisable, LeakedDelete:
		return nil
	}
	return NewError(KindValidation, "ibm", "The property action_when_leaked is none, disable or delete.")
}

// Check judges what people write into a service ID. KindValidation.
func (s *ServiceIdentity) Check() error {
	if len(s.InstanceCRNs) > maxInstanceCRNs || slices.ContainsFunc(s.InstanceCRNs, func(crn string) bool { return len(crn) > maxCRN || !printable(crn) }) {
		return NewError(KindValidation, "ibm", fmt.Sprintf("The property unique_instance_crns has at most %d CRNs.", maxInstanceCRNs))
	}
	if len(s.GroupID) > maxIBMName || !printable(s.GroupID) {
		return NewError(KindValidation, "ibm", "The property group_id is not valid.")
	}
	return checkLabel(s.Name, s.Description)
}
