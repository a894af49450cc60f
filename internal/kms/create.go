package kms

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Bounds of what people write into a key.
const (
	maxName        = 90
	maxDescription = 240
	maxTags        = 30
	maxTag         = 30
	maxAliases     = 5
	minAlias       = 2
	// KeysPerInstance is how many keys an instance may have, deleted ones that
	// are not purged included.
	KeysPerInstance = 100_000
)

// Material is what is brought in: in the clear, or under the instance's import
// token. The zero value brings nothing.
type Material struct {
	// Payload is the material, or with an import token its RSA-OAEP ciphertext.
	Payload identity.Secret
	// EncryptedNonce is the token's nonce under AES-GCM with the material as the
	// key and IV; without it the payload is in the clear.
	EncryptedNonce, IV []byte
	// Algorithm is RSAES_OAEP_SHA_256 (or "") or RSAES_OAEP_SHA_1.
	Algorithm string
}

// NewKey is a key to be made.
type NewKey struct {
	Name, Description string
	Tags, Aliases     []string
	Extractable       bool // a standard key
	ExpiresAt         time.Time
	Material          // none: generated
	// Policies, when set, are the key's, whatever the instance's say.
	Policies *KeyPolicies
}

// KeyPolicies are those that a key can be made with.
type KeyPolicies struct {
	RotationMonths  int  // 0: none
	RotationEnabled bool // of that one
	DualAuth        bool
}

// Create makes a key (kms:secrets.create on the instance), in the ring that the
// call names. ReasonBadField, ReasonExists for an alias, ReasonNotFound for a ring,
// ReasonLimit, and the reasons of an import.
func (k *KMS) Create(ctx context.Context, c *identity.Caller, at At, in NewKey) (*Key, error) {
	const action = "secrets.create"
	id, err := identity.NewUUID(k.random)
	if err != nil {
		return nil, err
	}
	slot, err := k.randomBytes(materialBytes)
	if err != nil {
		return nil, err
	}
	var out *Key
	ev := audit.Change(c, source, action, map[string]string{"instanceId": clip(at.Instance), "keyId": id, "name": clip(in.Name), "ring": clip(at.Ring)})
	err = k.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := k.instance(tx, c, at, action)
		if err != nil {
			return err
		}
		if err := k.permit(c, &p, action, "", "", "", ringOr(at.Ring)); err != nil {
			return err
		}
		key, err := k.newKey(c, &p, at, id, &in)
		if err != nil {
			return err
		}
		if err := k.roomFor(tx, key); err != nil {
			return err
		}
		material, err := k.bringIn(tx, key, in.Material)
		if err != nil {
			return err
		}
		if err := k.newSlot(tx, id, slot); err != nil {
			return err
		}
		if err := newVersion(tx, slot, key, 1, key.Version, material); err != nil {
			return err
		}
		out = k.shown(&p, key)
		return store.KMSKeys.Insert(tx, key)
	})
	if identity.KindOf(err) == identity.KindAlreadyExists && ReasonOf(err) == "" { // of the index of aliases
		err = aliasTaken()
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func ringOr(ring string) string {
	if ring == "" {
		return identity.DefaultKeyRing
	}
	return ring
}

// newKey judges what was asked for and makes the key's row.
func (k *KMS) newKey(c *identity.Caller, p *place, at At, id string, in *NewKey) (*identity.KMSKey, error) {
	now := k.now()
	if err := in.check(now); err != nil {
		return nil, err
	}
	key := &identity.KMSKey{
		ID: id, Instance: p.ID, Ring: ringOr(at.Ring), Name: in.Name, Description: in.Description, Tags: in.Tags,
		Extractable: in.Extractable, Imported: in.Payload != "", State: identity.KeyActive,
		CreatedBy: c.IAMID(), CreatedAt: now, UpdatedAt: now, ExpiresAt: in.ExpiresAt.UTC().Round(0),
		Version: identity.KMSVersionID{ID: id, CreatedAt: now}, Versions: 1,
	}
	if in.ExpiresAt.IsZero() {
		key.ExpiresAt = time.Time{}
	}
	for _, name := range in.Aliases {
		key.Aliases = append(key.Aliases, identity.KMSAlias{Name: name, CreatedBy: key.CreatedBy, CreatedAt: now})
	}
	return key, nil
}

// check judges the words of a key.
func (in *NewKey) check(now time.Time) error {
	switch {
	case in.Name == "" || !text(in.Name, maxName):
		return badField("name", fmt.Sprintf("has 1 to %d printable characters", maxName))
	case !text(in.Description, maxDescription):
		return badField("description", fmt.Sprintf("has at most %d printable characters", maxDescription))
	case len(in.Tags) > maxTags || slices.ContainsFunc(in.Tags, func(s string) bool { return !text(s, maxTag) }):
		return badField("tags", fmt.Sprintf("has at most %d items of at most %d printable characters", maxTags, maxTag))
	case len(in.Aliases) > maxAliases:
		return refuse(identity.KindLimitExceeded, ReasonLimit, fmt.Sprintf("A key has at most %d aliases.", maxAliases))
	case !in.ExpiresAt.IsZero() && !in.ExpiresAt.After(now):
		return badField("expirationDate", "is in the future")
	}
	for i, name := range in.Aliases {
		if err := checkAlias(name); err != nil {
			return err
		}
		if slices.Contains(in.Aliases[:i], name) {
			return aliasTaken()
		}
	}
	return nil
}

func text(s string, max int) bool {
	return len(s) <= 4*max && utf8.RuneCountInString(s) <= max && identity.Printable(s) == s
}

var aliasRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// checkAlias judges the name of an alias. One that could be taken for a key's ID
// is none.
func checkAlias(name string) error {
	if len(name) < minAlias || len(name) > maxName || !aliasRE.MatchString(name) || identity.IsUUID(strings.ToLower(name)) {
		return badField("alias", fmt.Sprintf("has %d to %d letters, digits, - and _, begins with a letter or digit, and is no UUID", minAlias, maxName))
	}
	return nil
}

func aliasTaken() error {
	return refuse(identity.KindAlreadyExists, ReasonExists, "The alias is taken.")
}

// roomFor checks that the ring is there, and that the instance is not full.
func (k *KMS) roomFor(tx store.Tx, key *identity.KMSKey) error {
	if key.Ring != identity.DefaultKeyRing {
		ring := identity.KMSRing{Instance: key.Instance, ID: key.Ring}
		if _, err := store.KMSRings.Get(tx, ring.Key()); identity.KindOf(err) == identity.KindNotFound {
			return refuse(identity.KindNotFound, ReasonNotFound, "The key ring does not exist.")
		} else if err != nil {
			return err
		}
	}
	return nil
}

// bringIn yields the material of a new version: generated where none is brought.
func (k *KMS) bringIn(_ store.Tx, key *identity.KMSKey, in Material) ([]byte, error) {
	if in.Payload == "" {
		return k.randomBytes(materialBytes)
	}
	material := []byte(in.Payload.Reveal())
	return material, checkMaterial(key, material)
}

func checkMaterial(key *identity.KMSKey, material []byte) error {
	if key.Extractable {
		if len(material) > MaxPlaintext {
			return badField("payload", fmt.Sprintf("of a standard key has at most %d bytes", MaxPlaintext))
		}
		return nil
	}
	switch len(material) {
	case 16, 24, 32:
		return nil
	}
	return badField("payload", "of a root key has 16, 24 or 32 bytes")
}
