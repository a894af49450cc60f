package kms

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	// KeysPerInstance is how many keys an instance may have, deleted ones that
	// are not purged included.
	KeysPerInstance = 200_000
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

// Create makes a key (kms:secrets.create on the instance, and kms:policies.write for
// one with policies of its own), in the ring that the call names. ReasonBadField, ReasonExists for an alias, ReasonNotFound for a ring,
// ReasonLimit, and the reasons of an import.
func (k *KMS) Create(ctx context.Context, c *identity.Caller, at At, in NewKey) (*Key, error) {
	id, err := identity.NewUUID(k.random)
	if err != nil {
		return nil, err
	}
	slot, err := k.randomBytes(materialBytes)
	if err != nil {
		return nil, err
	}
	var out *Key
	p, err := k.permitCreate(k.db.Snapshot(), c, at, id, &in)
	if err != nil {
		return nil, err
	}
	if n, err := store.KMSKeys.Count(k.db.Snapshot(), store.IndexKMSCreated, p.ID+"/"); err != nil || n >= KeysPerInstance {
		return nil, cmp.Or(err, refuse(identity.KindLimitExceeded, ReasonLimit, fmt.Sprintf("An instance has at most %d keys.", KeysPerInstance)))
	}
	ev := audit.Change(c, source, actionCreate, map[string]string{"instanceId": clip(at.Instance), "keyId": id, "name": clip(in.Name), "ring": clip(at.Ring)})
	brought, err := k.bringIn(ctx, &p, in.Extractable, in.Material)
	if err != nil {
		k.refused(ctx, ev, err)
		return nil, err
	}
	err = k.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := k.permitCreate(tx, c, at, id, &in)
		if err != nil {
			return err
		}
		key, err := k.newKey(c, &p, at, id, &in)
		if err != nil {
			return err
		}
		if err := mayMake(tx, key, &in.Material); err != nil {
			return err
		}
		if err := givePolicies(tx, key, in.Policies); err != nil {
			return err
		}
		if err := ringThere(tx, p.ID, key.Ring); err != nil {
			return err
		}
		if err := brought.still(tx, p.ID, key.CreatedAt); err != nil {
			return err
		}
		if err := k.newSlot(tx, id, slot); err != nil {
			return err
		}
		if err := newVersion(tx, slot, key, 1, key.Version, brought.material); err != nil {
			return err
		}
		out = k.shown(&p, key)
		return store.KMSKeys.Insert(tx, key)
	})
	if err != nil {
		return nil, takenAlias(err)
	}
	return out, nil
}

const actionCreate = "secrets.create"

// permitCreate asks for the rights to make a key, and to give it policies of its
// own: by them it may have fewer than the instance demands.
func (k *KMS) permitCreate(r store.Reader, c *identity.Caller, at At, id string, in *NewKey) (place, error) {
	at.Ring = ringOr(at.Ring)
	p, err := k.onInstance(r, c, at, actionCreate)
	if err == nil && in.Policies != nil {
		err = k.permit(c, &p, "policies.write", "key", id, id, at.Ring)
	}
	return p, err
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

// givePolicies gives a new key its policies: those that it is made with, or else
// what the instance has enabled for new keys. What is generated here alone is
// rotated here.
func givePolicies(r store.Reader, key *identity.KMSKey, own *KeyPolicies) error {
	policy := func(months int, enabled bool) *identity.KMSPolicy {
		return &identity.KMSPolicy{
			Enabled: enabled, Months: months,
			CreatedBy: key.CreatedBy, CreatedAt: key.CreatedAt, UpdatedBy: key.CreatedBy, UpdatedAt: key.CreatedAt,
		}
	}
	if own != nil {
		if own.RotationMonths != 0 {
			if key.Imported || key.Extractable {
				return refuse(identity.KindValidation, ReasonPolicyConflict, "Only root keys that are generated here are rotated by a policy.")
			}
			if own.RotationMonths < 1 || own.RotationMonths > maxMonths {
				return badField("interval_month", fmt.Sprintf("is from 1 to %d", maxMonths))
			}
			key.Rotation = policy(own.RotationMonths, own.RotationEnabled)
		}
		if own.DualAuth {
			key.DualAuth = policy(0, true)
		}
		return nil
	}
	instance, err := store.KMSInstances.Get(r, key.Instance)
	if err != nil {
		return gone(err)
	}
	if p := instance.Policies[policyRotation]; p.Enabled && !key.Imported && !key.Extractable {
		key.Rotation = policy(p.Months, true)
	}
	if instance.Policies[policyDualAuth].Enabled {
		key.DualAuth = policy(0, true)
	}
	return nil
}

// Types of policies that keys have too.
const (
	policyRotation = "rotation"
	policyDualAuth = "dualAuthDelete"
	maxMonths      = 12
)

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
		return tooManyAliases()
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

func checkMaterial(standard bool, material []byte) error {
	if standard {
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
