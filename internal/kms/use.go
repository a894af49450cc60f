package kms

import (
	"context"
	"fmt"

	"daypass/internal/identity"
)

// Wrapped is the answer to Wrap. Plaintext is set where it was generated.
type Wrapped struct {
	Plaintext, Ciphertext []byte
	Version               identity.KMSVersionID // the key's newest
}

// Unwrapped is the answer to Unwrap. Ciphertext is set where a newer version of
// the key has wrapped the plaintext anew, and Newest is then that version.
type Unwrapped struct {
	Plaintext, Ciphertext []byte
	Version, Newest       identity.KMSVersionID
}

// Wrap encrypts a plaintext of at most MaxPlaintext bytes, or 32 random bytes
// where it is empty, under the newest version of a root key (kms:secrets.wrap). aad
// must be given again to unwrap. It reads no database. ReasonNotFound,
// ReasonNotRoot, ReasonState, ReasonExpired, ReasonDeleted, ReasonBadField.
func (k *KMS) Wrap(ctx context.Context, c *identity.Caller, at At, id string, plaintext []byte, aad []string) (Wrapped, error) {
	var out Wrapped
	u, err := k.usable(ctx, c, at, id, "secrets.wrap", aad, identity.KeyActive)
	if err != nil {
		return out, err
	}
	if len(plaintext) > MaxPlaintext {
		return out, badField("plaintext", fmt.Sprintf("has at most %d bytes", MaxPlaintext))
	}
	if len(plaintext) == 0 {
		if plaintext, err = k.randomBytes(materialBytes); err != nil {
			return out, err
		}
		out.Plaintext = plaintext
	}
	if out.Ciphertext, err = k.wrap(ctx, u.key, plaintext, aad); err != nil {
		return Wrapped{}, err
	}
	out.Version = u.key.Version
	if err := k.used(ctx, c, u); err != nil {
		return Wrapped{}, err
	}
	return out, nil
}

// Unwrap opens what Wrap made under any version of the key (kms:secrets.unwrap).
// ReasonCiphertext for what is of another key or instance, damaged, or came with
// other aad; ReasonNotFound, ReasonNotRoot, ReasonState, ReasonDeleted,
// ReasonBadField. Expired keys still unwrap.
func (k *KMS) Unwrap(ctx context.Context, c *identity.Caller, at At, id string, ciphertext []byte, aad []string) (Unwrapped, error) {
	var out Unwrapped
	u, err := k.usable(ctx, c, at, id, "secrets.unwrap", aad, identity.KeyDeactivated)
	if err != nil {
		return out, err
	}
	plaintext, v, number, err := k.unwrap(ctx, u.key, ciphertext, aad)
	if err != nil {
		k.failed(ctx, c, u, err)
		return out, err
	}
	out = Unwrapped{Plaintext: plaintext, Version: v, Newest: v}
	if number < uint32(u.key.Versions) {
		if out.Ciphertext, err = k.wrap(ctx, u.key, plaintext, aad); err != nil {
			return Unwrapped{}, err
		}
		out.Newest = u.key.Version
	}
	if err := k.used(ctx, c, u); err != nil {
		return Unwrapped{}, err
	}
	return out, nil
}

// Rewrap is Unwrap for who needs the new ciphertext alone (kms:secrets.rewrap):
// the plaintext is not given, and the ciphertext always.
func (k *KMS) Rewrap(ctx context.Context, c *identity.Caller, at At, id string, ciphertext []byte, aad []string) (Unwrapped, error) {
	u, err := k.usable(ctx, c, at, id, "secrets.rewrap", aad, identity.KeyDeactivated)
	if err != nil {
		return Unwrapped{}, err
	}
	plaintext, v, _, err := k.unwrap(ctx, u.key, ciphertext, aad)
	if err != nil {
		k.failed(ctx, c, u, err)
		return Unwrapped{}, err
	}
	out := Unwrapped{Version: v, Newest: u.key.Version}
	if out.Ciphertext, err = k.wrap(ctx, u.key, plaintext, aad); err != nil {
		return Unwrapped{}, err
	}
	if err := k.used(ctx, c, u); err != nil {
		return Unwrapped{}, err
	}
	return out, nil
}

// use is one use of a key.
type use struct {
	key    *identity.KMSKey
	action string
}

// usable finds a root key in the snapshot and judges whether it can be used for
// this now. last is the last of the states, in the order of a key's life, in which
// it can. A refusal for the key's state is noted.
func (k *KMS) usable(ctx context.Context, c *identity.Caller, at At, id, action string, aad []string, last identity.KeyState) (use, error) {
	_, key, err := k.target(k.db.Snapshot(), c, at, id, action)
	if err != nil {
		return use{}, err
	}
	u := use{key, action}
	if err := k.mayUse(key, last); err != nil {
		k.failed(ctx, c, u, err)
		return u, err
	}
	return u, checkAAD(aad)
}

func (k *KMS) mayUse(key *identity.KMSKey, last identity.KeyState) error {
	switch s := k.state(key); {
	case s == identity.KeyDestroyed:
		return deleted()
	case key.Extractable:
		return notRoot()
	case s == identity.KeySuspended:
		return wrongState("The key is disabled.")
	case s == identity.KeyDeactivated && last == identity.KeyActive:
		return refuse(identity.KindConflict, ReasonExpired, "The key has expired.")
	}
	return nil
}

func deleted() error { return refuse(identity.KindConflict, ReasonDeleted, "The key was deleted.") }

func notRoot() error {
	return refuse(identity.KindValidation, ReasonNotRoot, "The action needs a root key.")
}

func wrongState(public string) error { return refuse(identity.KindConflict, ReasonState, public) }

// wrap encrypts under the newest version.
func (k *KMS) wrap(ctx context.Context, key *identity.KMSKey, plaintext []byte, aad []string) ([]byte, error) {
	number := uint32(key.Versions)
	v, err := k.version(ctx, key, number)
	if err != nil {
		return nil, err
	}
	var bound [boundBytes]byte
	box, err := v.aead.Encrypt(plaintext, appendBound(bound[:0], key.Instance, key.ID, number, aad))
	if err != nil {
		return nil, internal(err)
	}
	out := make([]byte, 0, headerBytes+len(box))
	return append(appendHeader(out, header{key.ID, number}), box...), nil
}

// boundBytes is room for instance, key and a few items.
const boundBytes = 256

func (k *KMS) unwrap(ctx context.Context, key *identity.KMSKey, ciphertext []byte, aad []string) ([]byte, identity.KMSVersionID, uint32, error) {
	bad := refuse(identity.KindValidation, ReasonCiphertext, "The ciphertext does not belong to the key, came with other additional data, or is damaged.")
	h, box, ok := parseCiphertext(ciphertext)
	if !ok || h.key != key.ID || h.number > uint32(key.Versions) {
		return nil, identity.KMSVersionID{}, 0, bad
	}
	v, err := k.version(ctx, key, h.number)
	if err != nil {
		return nil, identity.KMSVersionID{}, 0, err
	}
	var bound [boundBytes]byte
	plaintext, err := v.aead.Decrypt(box, appendBound(bound[:0], key.Instance, key.ID, h.number, aad))
	if err != nil {
		return nil, identity.KMSVersionID{}, 0, bad
	}
	return plaintext, v.KMSVersionID, h.number, nil
}
