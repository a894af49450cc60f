package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
	"log/slog"
	"sync"
)

const (
	algorithmHMAC  = "AWS4-HMAC-SHA256"
	algorithmECDSA = "AWS4-ECDSA-P256-SHA256"
	terminator     = "aws4_request"
)

// SigningKey is a derived key with the state of both HMAC pads computed in
// advance. It is immutable, safe for concurrent use, prints redacted, and is
// what a cache should hold per (access key, date, region, service).
type SigningKey struct{ inner, outer []byte }

// Derive makes the signing key of a secret for one scope. date is yyyymmdd.
func Derive(secret, date, region, service string) *SigningKey {
	k := deriveStep([]byte("AWS4"+secret), date)
	k = deriveStep(k, region)
	k = deriveStep(k, service)
	k = deriveStep(k, terminator)
	return &SigningKey{inner: padState(k, 0x36), outer: padState(k, 0x5c)}
}

func deriveStep(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func padState(key []byte, pad byte) []byte {
	var block [sha256.BlockSize]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	h := sha256.New()
	h.Write(block[:])
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("sigv4: SHA-256 state cannot be saved: " + err.Error())
	}
	return state
}

// Sign makes the signature of a text: of the base64 of a POST policy, or of a
// string to sign.
func (k *SigningKey) Sign(text string) string {
	c := scratches.Get().(*scratch)
	defer c.release()
	c.text = append(c.text[:0], text...)
	k.mac(c, c.text)
	return hex.EncodeToString(c.sum[:])
}

// String hides the key.
func (SigningKey) String() string { return "[signing key]" }

// Format hides the key from every verb.
func (k SigningKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue hides the key.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// scratch is the memory of one check, pooled.
type scratch struct {
	canonical []byte
	text      []byte // encoded query, then string to sign
	name      []byte
	pairs     []pair
	absent    bool
	digest    hash.Hash
	restore   encoding.BinaryUnmarshaler
	sum       [sha256.Size]byte
}

const maxPooled = 64 << 10

var scratches = sync.Pool{New: func() any {
	h := sha256.New()
	return &scratch{
		canonical: make([]byte, 0, 4096),
		text:      make([]byte, 0, 1024),
		name:      make([]byte, 0, 64),
		digest:    h,
		restore:   h.(encoding.BinaryUnmarshaler),
	}
}}

func (c *scratch) release() {
	if cap(c.canonical) <= maxPooled && cap(c.text) <= maxPooled {
		scratches.Put(c)
	}
}

// mac leaves HMAC-SHA256(key, msg) in c.sum.
func (k *SigningKey) mac(c *scratch, msg []byte) {
	c.load(k.inner)
	c.digest.Write(msg)
	c.digest.Sum(c.sum[:0])
	c.load(k.outer)
	c.digest.Write(c.sum[:])
	c.digest.Sum(c.sum[:0])
}

// verify compares in constant time.
func (k *SigningKey) verify(c *scratch, text []byte, signature string) bool {
	k.mac(c, text)
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], c.sum[:])
	c.name = append(c.name[:0], signature...)
	return subtle.ConstantTimeCompare(want[:], c.name) == 1
}

func (c *scratch) load(state []byte) {
	if err := c.restore.UnmarshalBinary(state); err != nil {
		panic("sigv4: SHA-256 state cannot be restored: " + err.Error())
	}
}
