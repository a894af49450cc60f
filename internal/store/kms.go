package store

import (
	"fmt"
	"time"

	"daypass/internal/identity"
)

// KMSVersion is the material of one version of a key, sealed with the key's slot
// key. It is never changed; it goes when the key is purged.
type KMSVersion struct {
	KeyID     string    `json:"key_id"`
	Number    int       `json:"number"` // from 1
	ID        string    `json:"id"`     // a UUID, the key's own for the first
	CreatedAt time.Time `json:"created_at"`
	Sealed    []byte    `json:"sealed"`
}

// KMSVersionKey is the store's key of a version. The versions of a key stand in
// their order.
func KMSVersionKey(keyID string, number int) string { return fmt.Sprintf("%s/%010d", keyID, number) }

// KMSSlot is the slot key of one key, sealed at rest (column "slot"): random, so
// that without it nothing brings the key's material back. Backups keep slots
// apart and without generations.
type KMSSlot struct {
	KeyID  string `json:"key_id"`
	Sealed []byte `json:"sealed"`
}

// KMSImportToken is the one living import token of an instance: an RSA key that
// material is brought in under, its private half sealed at rest (column "key"),
// with the nonce that shows possession.
type KMSImportToken struct {
	Instance  string    `json:"instance"`
	ID        string    `json:"id"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Max       int       `json:"max"`
	Remaining int       `json:"remaining"`
	Nonce     []byte    `json:"nonce"`
	Sealed    []byte    `json:"sealed"`
}

// Indexes of the tables of key management. Values begin with the instance.
const (
	IndexKMSCreated  = "created"  // instance/KMSLiving or KMSDestroyed/creation time in ns
	IndexKMSAlias    = "alias"    // unique: instance/alias
	IndexKMSRing     = "ring"     // instance/ring/KMSLiving or KMSDestroyed/creation time in ns
	IndexKMSRotation = "rotation" // of keys that their policy rotates: when, in ns
	IndexKMSDeleted  = "deleted"  // of deleted keys: when, in ns
	IndexKMSInstance = "instance" // instance/…
)

// What stands before the time in indexes of keys: lists leave the destroyed ones
// out.
const (
	KMSLiving    = "living"
	KMSDestroyed = "past"
)

// Tables of key management.
var (
	// KMSKeys is on the path of every wrap and unwrap.
	KMSKeys = newTable("kms_keys", resident, func(k *identity.KMSKey) string { return k.ID },
		func(k *identity.KMSKey) []IndexEntry {
			state := KMSLiving
			if k.State == identity.KeyDestroyed {
				state = KMSDestroyed
			}
			place := fmt.Sprintf("/%s/%020d", state, k.CreatedAt.UnixNano())
			out := []IndexEntry{
				{Name: IndexKMSCreated, Value: k.Instance + place},
				{Name: IndexKMSRing, Value: k.Instance + "/" + k.Ring + place},
			}
			for _, a := range k.Aliases {
				out = append(out, IndexEntry{Name: IndexKMSAlias, Value: k.Instance + "/" + a.Name, Unique: true})
			}
			if due := k.RotationDue(); !due.IsZero() {
				out = append(out, IndexEntry{Name: IndexKMSRotation, Value: fmt.Sprintf("%020d", due.UnixNano())})
			}
			if k.State == identity.KeyDestroyed {
				out = append(out, IndexEntry{Name: IndexKMSDeleted, Value: fmt.Sprintf("%020d", k.DeletedAt.UnixNano())})
			}
			return out
		})
	KMSInstances = newTable("kms_instances", resident, func(i *identity.KMSInstance) string { return i.ID }, nil)
	KMSRings     = newTable("kms_rings", resident, (*identity.KMSRing).Key, nil)

	KMSVersions = newTable("kms_versions", onDisk, func(v *KMSVersion) string { return KMSVersionKey(v.KeyID, v.Number) }, nil)
	KMSSlots    = newTable("kms_slots", onDisk, func(s *KMSSlot) string { return s.KeyID }, nil)

	KMSImportTokens  = newTable("kms_import_tokens", onDisk, func(t *KMSImportToken) string { return t.Instance }, nil)
	KMSRegistrations = newTable("kms_registrations", onDisk, (*identity.KMSRegistration).Key,
		func(r *identity.KMSRegistration) []IndexEntry {
			return []IndexEntry{{Name: IndexKMSInstance, Value: r.Instance + "/" + r.KeyID}}
		})
	KMSUses = newTable("kms_uses", onDisk, (*identity.KMSUse).Key,
		func(u *identity.KMSUse) []IndexEntry {
			return []IndexEntry{{Name: IndexKMSInstance, Value: u.Instance + "/" + u.KeyID}}
		})
)
