package identity

import (
	"slices"
	"time"
)

// KeyState is the state of a key of key management, by the numbers of NIST SP
// 800-57 that IBM's dialect shows.
type KeyState int

// States of a key.
const (
	KeyActive      KeyState = 1
	KeySuspended   KeyState = 2 // disabled
	KeyDeactivated KeyState = 3 // expired
	KeyDestroyed   KeyState = 5 // deleted; restorable until it is purged
)

// KMSKey is a key of key management without its material. A root key wraps other
// keys and never leaves; a standard one is kept for whoever may read it.
type KMSKey struct {
	ID       string `json:"id"`       // a UUID
	Instance string `json:"instance"` // ServiceInstance.ID
	Ring     string `json:"ring"`     // KMSRing.ID, "default" where none was named

	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Tags        []string   `json:"tags,omitempty"`
	Aliases     []KMSAlias `json:"aliases,omitempty"` // unique in the instance

	Extractable bool     `json:"extractable,omitempty"` // a standard key
	Imported    bool     `json:"imported,omitempty"`
	State       KeyState `json:"state"` // an expired key stays KeyActive here

	CreatedBy string    `json:"created_by"` // IAM ID
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	RotatedAt time.Time `json:"rotated_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	DeletedAt time.Time `json:"deleted_at,omitzero"`
	DeletedBy string    `json:"deleted_by,omitempty"`
	// DisabledAt is when it was suspended, zero for one that is not: a deleted key
	// that was comes back so.
	DisabledAt time.Time `json:"disabled_at,omitzero"`

	// Version is the newest one; Versions is its number, from 1.
	Version  KMSVersionID `json:"version"`
	Versions int          `json:"versions"`

	Rotation *KMSPolicy `json:"rotation,omitempty"`
	DualAuth *KMSPolicy `json:"dual_auth,omitempty"`
	// Doomed is set while one principal has asked for the deletion of a key
	// that two must agree on.
	Doomed *KMSConsent `json:"doomed,omitempty"`
}

// StateAt is the key's state at a time: an active one that has expired is
// deactivated. One that was disabled stays so: a deactivated key unwraps.
func (k *KMSKey) StateAt(now time.Time) KeyState {
	if !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) && k.State == KeyActive {
		return KeyDeactivated
	}
	return k.State
}

// AliasIndex is where an alias of that name is, -1 for none.
func (k *KMSKey) AliasIndex(name string) int {
	return slices.IndexFunc(k.Aliases, func(a KMSAlias) bool { return a.Name == name })
}

// RotationDue is when the key's policy rotates it next; zero for a key that none
// rotates, or not before it expires.
func (k *KMSKey) RotationDue() time.Time {
	if k.Rotation == nil || !k.Rotation.Enabled || k.Rotation.Months <= 0 || k.State != KeyActive || k.Imported || k.Extractable {
		return time.Time{}
	}
	due := k.Version.CreatedAt.AddDate(0, k.Rotation.Months, 0)
	if !k.ExpiresAt.IsZero() && !due.Before(k.ExpiresAt) {
		return time.Time{}
	}
	return due
}

// KMSVersionID names a version of a key. That of the first is the key's own ID.
type KMSVersionID struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// KMSAlias is a further name of a key.
type KMSAlias struct {
	Name      string    `json:"name"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}

// KMSConsentLife is how long the first of two words to a deletion lives (IBM: seven
// days). What ends it must be remembered as long.
const KMSConsentLife = 7 * 24 * time.Hour

// KMSConsent is the first of the two words that a deletion needs: whose, with the
// lineage that the second must have nothing in common with.
type KMSConsent struct {
	By      string  `json:"by"` // IAM ID
	Lineage Lineage `json:"lineage"`
	// Position is where it was given: what was revoked later ends it.
	Position  Position  `json:"position"`
	At        time.Time `json:"at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// KMSPolicy is a policy of a key or of an instance, with what it needs of its
// kind.
type KMSPolicy struct {
	Enabled   bool      `json:"enabled"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedBy string    `json:"updated_by"`
	UpdatedAt time.Time `json:"updated_at"`
	// Months between rotations: 1 to 12.
	Months int `json:"months,omitempty"`
	// Network is "public-and-private" or "private-only"; Addresses are those,
	// and the blocks of those, that calls may come from.
	Network   string   `json:"network,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	// Creation is what keys may be made and imported, by the names of the wire
	// (create_root_key and so on).
	Creation map[string]bool `json:"creation,omitempty"`
}

// KMSInstance are the policies of a service instance, by their type on the wire
// (dualAuthDelete, allowedNetwork, allowedIP, metrics, keyCreateImportAccess,
// rotation).
type KMSInstance struct {
	ID       string               `json:"id"` // ServiceInstance.ID
	Policies map[string]KMSPolicy `json:"policies"`
}

// DefaultKeyRing is the ring that every instance has and that none can delete.
const DefaultKeyRing = "default"

// KMSRing is a key ring of an instance.
type KMSRing struct {
	Instance  string    `json:"instance"`
	ID        string    `json:"id"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}

// Key is the ring's key in the store.
func (r *KMSRing) Key() string { return r.Instance + "/" + r.ID }

// KMSRegistration says that a resource elsewhere uses a root key.
type KMSRegistration struct {
	Instance       string    `json:"instance"`
	KeyID          string    `json:"key_id"`
	Resource       string    `json:"resource"` // CRN
	Description    string    `json:"description,omitempty"`
	PreventsDelete bool      `json:"prevents_delete,omitempty"`
	VersionID      string    `json:"version_id,omitempty"` // that it last used
	CreatedBy      string    `json:"created_by"`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedBy      string    `json:"updated_by,omitempty"`
	UpdatedAt      time.Time `json:"updated_at,omitzero"`
}

// Key is the registration's key in the store.
func (r *KMSRegistration) Key() string { return r.KeyID + "/" + r.Resource }

// KMSUse counts what one principal did with one key.
type KMSUse struct {
	KeyID     string            `json:"key_id"`
	Principal string            `json:"principal"` // IAM ID
	Instance  string            `json:"instance"`
	Counts    map[string]uint64 `json:"counts"` // by action: wrap, unwrap, …
	FirstAt   time.Time         `json:"first_at"`
	LastAt    time.Time         `json:"last_at"`
	LastIP    string            `json:"last_ip,omitempty"`
}

// Key is the record's key in the store.
func (u *KMSUse) Key() string { return u.KeyID + "/" + u.Principal }
