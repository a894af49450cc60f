package kms

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"io"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/tink"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

const (
	// materialBytes is how much is generated, for root and standard keys alike.
	materialBytes = 32
	slotColumn    = "slot"
	// wrapLabel is the HKDF info under which the material of a root key (16, 24
	// or 32 bytes) becomes the key of the AEAD.
	wrapLabel = "daypass kms root key 1"
)

func internal(err error) error {
	return &identity.Error{Kind: identity.KindInternal, Op: "kms", Err: err}
}

func (k *KMS) randomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(k.random, b); err != nil {
		return nil, internal(err)
	}
	return b, nil
}

// newSlot makes the slot key of a key and writes it.
func (k *KMS) newSlot(tx store.Tx, keyID string, slot []byte) error {
	sealed, err := k.keys.Seal(store.KMSSlots.Name(), slotColumn, keyID, slot)
	if err != nil {
		return err
	}
	return store.KMSSlots.Insert(tx, &store.KMSSlot{KeyID: keyID, Sealed: sealed})
}

// slot opens the slot key of a key.
func (k *KMS) slot(r store.Reader, keyID string) ([]byte, error) {
	row, err := store.KMSSlots.Get(r, keyID)
	if err != nil {
		return nil, missing(r, keyID, err, "slot")
	}
	return k.keys.Unseal(store.KMSSlots.Name(), slotColumn, keyID, row.Sealed)
}

// newVersion seals material under the slot key and writes it as a version that
// must not be there yet.
func newVersion(tx store.Tx, slot []byte, key *identity.KMSKey, number int, v identity.KMSVersionID, material []byte) error {
	a, err := keyring.NewXAES(slot)
	if err != nil {
		return err
	}
	sealed, err := a.Encrypt(material, appendBound(nil, key.Instance, key.ID, uint32(number), nil))
	if err != nil {
		return internal(err)
	}
	return store.KMSVersions.Insert(tx, &store.KMSVersion{KeyID: key.ID, Number: number, ID: v.ID, CreatedAt: v.CreatedAt, Sealed: sealed})
}

// material opens one version of a key.
func (k *KMS) material(r store.Reader, key *identity.KMSKey, number int) (identity.KMSVersionID, []byte, error) {
	slot, err := k.slot(r, key.ID)
	if err != nil {
		return identity.KMSVersionID{}, nil, err
	}
	row, err := store.KMSVersions.Get(r, store.KMSVersionKey(key.ID, number))
	if err != nil {
		return identity.KMSVersionID{}, nil, missing(r, key.ID, err, "version "+strconv.Itoa(number))
	}
	a, err := keyring.NewXAES(slot)
	if err != nil {
		return identity.KMSVersionID{}, nil, err
	}
	plain, err := a.Decrypt(row.Sealed, appendBound(nil, key.Instance, key.ID, uint32(number), nil))
	if err != nil {
		return identity.KMSVersionID{}, nil, internal(errors.New("the material of key " + key.ID + " does not open"))
	}
	return identity.KMSVersionID{ID: row.ID, CreatedAt: row.CreatedAt}, plain, nil
}

// missing says why a row of a key is not there: the key was purged in this very
// moment, or it is our own fault.
func missing(r store.Reader, keyID string, err error, what string) error {
	if identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	if _, err := store.KMSKeys.Get(r, keyID); identity.KindOf(err) == identity.KindNotFound {
		return noKey()
	}
	return internal(errors.New("key " + keyID + " has no " + what))
}

// rootAEAD is what a root key of this material wraps with.
func rootAEAD(material []byte) (tink.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, material, nil, wrapLabel, materialBytes)
	if err != nil {
		return nil, internal(err)
	}
	return keyring.NewXAES(derived)
}
