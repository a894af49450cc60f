package kms_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"hash"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/store"
)

func newImportOffice(t testing.TB) *office {
	s := newOffice(t)
	s.settings(func(*kms.Options) {})
	return s
}

// packed is material under an import token, as clients make it.
func packed(t testing.TB, token *kms.ImportToken, material string, digest hash.Hash, algorithm string) kms.Material {
	t.Helper()
	block, _ := pem.Decode(token.PublicKey)
	public := must(x509.ParsePKIXPublicKey(block.Bytes))(t).(*rsa.PublicKey)
	payload := must(rsa.EncryptOAEP(digest, rand.Reader, public, []byte(material), nil))(t)
	gcm := must(cipher.NewGCM(must(aes.NewCipher([]byte(material)))(t)))(t)
	iv := make([]byte, gcm.NonceSize())
	rand.Read(iv)
	return kms.Material{Payload: identity.Secret(payload), EncryptedNonce: gcm.Seal(nil, iv, token.Nonce, nil), IV: iv, Algorithm: algorithm}
}

// TestImport brings material in both ways, in all its sizes, and both are the same
// key: what it wraps depends on the material alone.
func TestImport(t *testing.T) {
	t.Parallel()
	s, ctx := newImportOffice(t), t.Context()
	must(s.KMS.CreateImportToken(ctx, s.root, here, 0, 5))(t)
	token := must(s.KMS.ImportToken(ctx, s.root, here))(t)
	for _, v := range []struct {
		size      int
		digest    hash.Hash
		algorithm string
	}{{16, sha256.New(), ""}, {24, sha256.New(), kms.OAEPSHA256}, {32, sha1.New(), kms.OAEPSHA1}} {
		material := "0123456789abcdef0123456789abcdef"[:v.size]
		in := packed(t, token, material, v.digest, v.algorithm)
		key := s.key(func(n *kms.NewKey) { n.Material = in })
		if !key.Imported {
			t.Errorf("%+v", key)
		}
		w := must(s.KMS.Wrap(ctx, s.root, here, key.ID, []byte("x"), nil))(t)
		wantReason(t, "rotate without material", s.KMS.Rotate(ctx, s.root, here, key.ID, kms.Material{}), kms.ReasonPayloadNeeded)
		ok(t, s.KMS.Rotate(ctx, s.root, here, key.ID, packed(t, token, "fedcba9876543210", v.digest, v.algorithm)))
		ok(t, s.KMS.Rotate(ctx, s.root, here, key.ID, kms.Material{Payload: "0123456789abcdef"}))
		if u := must(s.KMS.Unwrap(ctx, s.root, here, key.ID, w.Ciphertext, nil))(t); string(u.Plaintext) != "x" {
			t.Errorf("%+v", u)
		}
		must(s.KMS.Delete(ctx, s.root, here, key.ID, false))(t)
		must(s.KMS.Restore(ctx, s.root, here, key.ID, packed(t, token, "0123456789abcdef", v.digest, v.algorithm)))(t)
	}
}

func TestImportIsRefused(t *testing.T) {
	t.Parallel()
	s, ctx := newImportOffice(t), t.Context()
	must(s.KMS.CreateImportToken(ctx, s.root, there, 0, 5))(t)
	foreign := must(s.KMS.ImportToken(ctx, s.root, there))(t)
	_, err := s.KMS.Create(ctx, s.root, here, kms.NewKey{Name: "k", Material: packed(t, foreign, "0123456789abcdef", sha256.New(), "")})
	wantReason(t, "without a token", err, kms.ReasonNotFound)
	must(s.KMS.CreateImportToken(ctx, s.root, here, 0, 5))(t)
	token := must(s.KMS.ImportToken(ctx, s.root, here))(t)
	good := packed(t, token, "0123456789abcdef", sha256.New(), "")
	for name, v := range map[string]struct {
		change func(*kms.NewKey)
		want   kms.Reason
	}{
		"good":                {func(*kms.NewKey) {}, ""},
		"another nonce":       {func(in *kms.NewKey) { in.Material = packed(t, foreign, "0123456789abcdef", sha256.New(), "") }, kms.ReasonNonce},
		"another iv":          {func(in *kms.NewKey) { in.IV = make([]byte, 12) }, kms.ReasonNonceIV},
		"no iv":               {func(in *kms.NewKey) { in.IV = nil }, kms.ReasonNonceIV},
		"no nonce":            {func(in *kms.NewKey) { in.EncryptedNonce = nil }, kms.ReasonNonceIV},
		"nonce of other bits": {func(in *kms.NewKey) { in.EncryptedNonce = make([]byte, 28) }, kms.ReasonNonceIV},
		"another padding":     {func(in *kms.NewKey) { in.Algorithm = kms.OAEPSHA1 }, kms.ReasonBadField},
		"an unknown padding":  {func(in *kms.NewKey) { in.Algorithm = "RSAES_PKCS1" }, kms.ReasonBadField},
		"in the clear":        {func(in *kms.NewKey) { in.Payload = "0123456789abcdef" }, kms.ReasonBadField},
		"too long":            {func(in *kms.NewKey) { in.Payload += in.Payload + in.Payload }, kms.ReasonBadField},
		"a standard key":      {func(in *kms.NewKey) { in.Extractable = true }, kms.ReasonBadField},
	} {
		in := kms.NewKey{Name: "k", Material: good}
		v.change(&in)
		_, err := s.KMS.Create(ctx, s.root, here, in)
		wantReason(t, name, err, v.want)
	}
	s.Clock.Advance(10 * time.Minute)
	_, err = s.KMS.Create(ctx, s.root, here, kms.NewKey{Name: "k", Material: good})
	wantReason(t, "expired", err, kms.ReasonImportTokenExpired)
	ok(t, s.KMS.Tick(ctx))
	_, err = s.KMS.ImportToken(ctx, s.root, here)
	wantReason(t, "expired and removed", err, kms.ReasonNotFound)
}

// TestImportTokenIsCounted: many at once get it as often as it may be retrieved.
func TestImportTokenIsCounted(t *testing.T) {
	t.Parallel()
	s, ctx := newImportOffice(t), t.Context()
	made := must(s.KMS.CreateImportToken(ctx, s.root, here, 0, 3))(t)
	if made.PublicKey != nil || made.Nonce != nil || made.Remaining != 3 || !made.ExpiresAt.Equal(s.Clock.Now().Add(10*time.Minute)) {
		t.Errorf("%+v", made)
	}
	var got, over atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := s.KMS.ImportToken(ctx, s.root, here)
			switch {
			case err == nil:
				got.Add(1)
			case kms.ReasonOf(err) == kms.ReasonImportTokenExpired:
				over.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got.Load() != 3 || over.Load() != 5 {
		t.Errorf("retrieved %d times and refused %d times, want 3 and 5", got.Load(), over.Load())
	}
	for _, v := range []struct {
		life time.Duration
		max  int
		want kms.Reason
	}{{5 * time.Minute, 1, ""}, {24 * time.Hour, 500, ""}, {299 * time.Second, 1, kms.ReasonBadField}, {24*time.Hour + 1, 1, kms.ReasonBadField}, {0, 501, kms.ReasonBadField}, {0, -1, kms.ReasonBadField}} {
		_, err := s.KMS.CreateImportToken(ctx, s.root, here, v.life, v.max)
		wantReason(t, "create", err, v.want)
	}
}

// TestImportTokenIsSealed: its private half stands nowhere in the clear.
func TestImportTokenIsSealed(t *testing.T) {
	t.Parallel()
	s, ctx := newImportOffice(t), t.Context()
	must(s.KMS.CreateImportToken(ctx, s.root, here, 0, 1))(t)
	ok(t, s.DB.View(ctx, func(r store.Reader) error {
		row := must(store.KMSImportTokens.Get(r, here.Instance))(t)
		if _, err := x509.ParsePKCS1PrivateKey(row.Sealed); err == nil {
			t.Error("the private key is in the clear")
		}
		return nil
	}))
}

// TestImportTokenIsOfTheInstance: rights in one ring do not reach it, though the call
// names that ring.
func TestImportTokenIsOfTheInstance(t *testing.T) {
	t.Parallel()
	s, ctx := newImportOffice(t), t.Context()
	ok(t, s.KMS.CreateRing(ctx, s.root, here, "east"))
	must(s.KMS.CreateImportToken(ctx, s.root, here, 0, 5))(t)
	c := s.narrow("Writer", map[string]string{"keyRing": "east"})
	for _, at := range []kms.At{here, {Instance: here.Instance, Ring: "east"}} {
		_, err := s.KMS.CreateImportToken(ctx, c, at, 0, 0)
		wantDenied(t, "made, ring "+at.Ring, err)
		_, err = s.KMS.ImportToken(ctx, c, at)
		wantDenied(t, "retrieved, ring "+at.Ring, err)
	}
}
