package kms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1" // RSAES_OAEP_SHA_1 of HPCS: OAEP does not rest on collisions
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"hash"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Bounds of import tokens (IBM: 300 to 86,400 seconds, 600 by default; up to 500
// retrievals, one by default).
const (
	minImportLife, maxImportLife, importLife = 5 * time.Minute, 24 * time.Hour, 10 * time.Minute
	maxRetrievals                            = 500
	importRSABits                            = 4096 // as IBM's: what is recorded today is protected for long
	nonceBytes                               = 12
	importColumn                             = "key"
	// maxMaking is how many calls may wait for a new RSA key, which takes seconds;
	// maxOpening how many for the use of one.
	maxMaking, maxOpening = 8, 64
)

// Algorithms of an import token.
const (
	OAEPSHA256 = "RSAES_OAEP_SHA_256"
	OAEPSHA1   = "RSAES_OAEP_SHA_1"
)

// ImportToken is the instance's import token. PublicKey (PEM, SPKI) and Nonce are
// given when it is retrieved.
type ImportToken struct {
	ID                   string
	CreatedBy            string
	CreatedAt, ExpiresAt time.Time
	Max, Remaining       int // retrievals
	PublicKey, Nonce     []byte
}

// CreateImportToken makes the instance's import token, in place of the one it has
// (kms:importtoken.create). Zero values take the defaults. ReasonBadField;
// KindThrottled when too many wait for keys.
func (k *KMS) CreateImportToken(ctx context.Context, c *identity.Caller, at At, life time.Duration, retrievals int) (*ImportToken, error) {
	const action = "importtoken.create"
	at.Ring = "" // it is the instance's
	if life == 0 {
		life = importLife
	}
	if retrievals == 0 {
		retrievals = 1
	}
	p, err := k.onInstance(k.db.Snapshot(), c, at, action)
	if err != nil {
		return nil, err
	}
	switch {
	case life < minImportLife || life > maxImportLife:
		return nil, badField("expiration", fmt.Sprintf("is from %d to %d seconds", minImportLife/time.Second, maxImportLife/time.Second))
	case retrievals < 1 || retrievals > maxRetrievals:
		return nil, badField("maxAllowedRetrievals", fmt.Sprintf("is from 1 to %d", maxRetrievals))
	}
	row, err := k.newImportToken(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	row.CreatedBy, row.CreatedAt, row.Max, row.Remaining = c.IAMID(), k.now(), retrievals, retrievals
	row.ExpiresAt = row.CreatedAt.Add(life)
	ev := audit.Change(c, source, action, map[string]string{"instanceId": p.ID, "importTokenId": row.ID})
	if err := k.change(ctx, c, ev, func(tx store.Tx) error {
		if _, err := k.onInstance(tx, c, at, action); err != nil {
			return err
		}
		return store.KMSImportTokens.Put(tx, row)
	}); err != nil {
		return nil, err
	}
	k.unerased.Store(true) // the one before, if any
	return shownToken(row), nil
}

func shownToken(row *store.KMSImportToken) *ImportToken {
	return &ImportToken{ID: row.ID, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, Max: row.Max, Remaining: row.Remaining}
}

// newImportToken makes the key of a token. Making takes seconds: one at a time.
func (k *KMS) newImportToken(ctx context.Context, instance string) (*store.KMSImportToken, error) {
	row := &store.KMSImportToken{Instance: instance}
	var key *rsa.PrivateKey
	err := k.making.do(ctx, func() (err error) {
		key, err = k.newRSA()
		return err
	})
	if err != nil {
		return nil, err
	}
	if row.ID, err = identity.NewUUID(k.random); err != nil {
		return nil, err
	}
	if row.Nonce, err = k.randomBytes(nonceBytes); err != nil {
		return nil, err
	}
	row.Sealed, err = k.keys.Seal(store.KMSImportTokens.Name(), importColumn, instance, x509.MarshalPKCS1PrivateKey(key))
	return row, err
}

// ImportToken retrieves the instance's import token (kms:importtoken.read), which
// counts. ReasonNotFound where there is none, ReasonImportTokenExpired where it has
// expired or was retrieved as often as it may.
func (k *KMS) ImportToken(ctx context.Context, c *identity.Caller, at At) (*ImportToken, error) {
	const action = "importtoken.read"
	at.Ring = ""
	var row store.KMSImportToken
	err := k.change(ctx, c, audit.Change(c, source, action, map[string]string{"instanceId": clip(at.Instance)}), func(tx store.Tx) error {
		p, err := k.onInstance(tx, c, at, action)
		if err != nil {
			return err
		}
		have, err := importToken(tx, p.ID, k.now())
		if err != nil {
			return err
		}
		if have.Remaining <= 0 {
			return importTokenOver()
		}
		row = *have
		row.Remaining--
		return store.KMSImportTokens.Put(tx, &row)
	})
	if err != nil {
		return nil, err
	}
	key, err := k.importKey(&row)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, internal(err)
	}
	out := shownToken(&row)
	out.PublicKey, out.Nonce = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), row.Nonce
	return out, nil
}

// importToken finds the living token of an instance. ReasonNotFound,
// ReasonImportTokenExpired.
func importToken(r store.Reader, instance string, now time.Time) (*store.KMSImportToken, error) {
	row, err := store.KMSImportTokens.Get(r, instance)
	switch {
	case identity.KindOf(err) == identity.KindNotFound:
		return nil, refuse(identity.KindNotFound, ReasonNotFound, "The instance has no import token.")
	case err != nil:
		return nil, err
	case !now.Before(row.ExpiresAt):
		return nil, importTokenOver()
	}
	return row, nil
}

func importTokenOver() error {
	return refuse(identity.KindConflict, ReasonImportTokenExpired, "The import token has expired.")
}

func (k *KMS) importKey(row *store.KMSImportToken) (*rsa.PrivateKey, error) {
	der, err := k.keys.Unseal(store.KMSImportTokens.Name(), importColumn, row.Instance, row.Sealed)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, internal(err)
	}
	return key, nil
}

// brought is material that was brought in, and the import token that it came
// under, "" for none.
type brought struct {
	material []byte
	token    string
}

// still demands, in the transaction that keeps the material, that its import token
// is the instance's and has not expired.
func (b *brought) still(r store.Reader, instance string, now time.Time) error {
	if b.token == "" {
		return nil
	}
	row, err := importToken(r, instance, now)
	if err == nil && row.ID != b.token {
		err = importTokenOver()
	}
	return err
}

// bringIn yields the material of a version: generated where none is brought, as it
// stands, or opened with the instance's import token. The right to do so was judged
// before: RSA is dear.
func (k *KMS) bringIn(ctx context.Context, p *place, standard bool, in Material) (out brought, err error) {
	switch {
	case in.Payload == "":
		out.material, err = k.randomBytes(materialBytes)
	case len(in.EncryptedNonce)+len(in.IV) == 0:
		out.material = []byte(in.Payload.Reveal())
		err = checkMaterial(standard, out.material)
	case standard:
		err = badField("encryptedNonce", "is for root keys")
	default:
		out, err = k.unpack(ctx, p, in)
	}
	return out, err
}

func (k *KMS) unpack(ctx context.Context, p *place, in Material) (brought, error) {
	var digest hash.Hash
	switch in.Algorithm {
	case OAEPSHA256, "":
		digest = sha256.New()
	case OAEPSHA1:
		digest = sha1.New()
	default:
		return brought{}, badField("encryptionAlgorithm", "is "+OAEPSHA256+" or "+OAEPSHA1)
	}
	if len(in.Payload) > importRSABits/8 {
		return brought{}, badField("payload", "is longer than the key of the import token")
	}
	var row *store.KMSImportToken
	if err := k.db.View(ctx, func(r store.Reader) (err error) {
		row, err = importToken(r, p.ID, k.now())
		return err
	}); err != nil {
		return brought{}, err
	}
	key, err := k.importKey(row)
	if err != nil {
		return brought{}, err
	}
	out := brought{token: row.ID}
	if err := k.opening.do(ctx, func() error {
		var err error
		if out.material, err = rsa.DecryptOAEP(digest, nil, key, []byte(in.Payload.Reveal()), nil); err != nil {
			return badField("payload", "does not open with the import token")
		}
		return nil
	}); err != nil {
		return brought{}, err
	}
	if err := checkMaterial(false, out.material); err != nil {
		return brought{}, err
	}
	return out, checkNonce(out.material, row.Nonce, in)
}

// checkNonce opens the encrypted nonce with the material and compares.
func checkNonce(material, nonce []byte, in Material) error {
	wrong := refuse(identity.KindValidation, ReasonNonceIV, "The encrypted nonce does not open with the material and the iv.")
	block, err := aes.NewCipher(material)
	if err != nil {
		return internal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return internal(err)
	}
	if len(in.IV) != gcm.NonceSize() || len(in.EncryptedNonce) > 1024 {
		return wrong
	}
	got, err := gcm.Open(nil, in.IV, in.EncryptedNonce, nil)
	if err != nil {
		return wrong
	}
	if subtle.ConstantTimeCompare(got, nonce) != 1 {
		return refuse(identity.KindValidation, ReasonNonce, "The nonce is not that of the import token.")
	}
	return nil
}
