package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"daypass/internal/identity"
	"daypass/internal/keyring"
)

// JWTs signs and verifies the JWTs of our own issuers.
type JWTs struct{ keys *keyring.Keyring }

// NewJWTs returns a signer over the keyring's signing sets.
func NewJWTs(k *keyring.Keyring) *JWTs { return &JWTs{k} }

// SignClaims is Sign of what claims, a struct or a map, are as JSON.
func (j *JWTs) SignClaims(set, alg string, claims any, typ string) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: signOp, Err: err}
	}
	return j.sign(set, alg, payload, typ)
}

const signOp = "token.sign"

// Sign returns claims, a JSON object, as a compact JWS (RFC 7515 §7.1) under
// the set's active key; alg as keyring.Signer takes it. The payload goes out
// in ASCII and padded with blanks to a multiple of three bytes, so that the
// base64url text is also standard base64 and needs no padding: people decode
// it with base64 --decode.
//
// KindInternal when claims is not one JSON object, KindUnavailable when the
// set has no key or the RSA queue is full.
func (j *JWTs) Sign(set, alg string, claims []byte, typ string) (string, error) {
	if !json.Valid(claims) {
		return "", errNoObject
	}
	return j.sign(set, alg, claims, typ)
}

var errNoObject = &identity.Error{Kind: identity.KindInternal, Op: signOp, Err: errors.New("claims are not a JSON object")}

// sign is Sign for valid JSON.
func (j *JWTs) sign(set, alg string, claims []byte, typ string) (string, error) {
	if len(claims) < 2 || claims[0] != '{' {
		return "", errNoObject
	}
	key, err := j.keys.Signer(set, alg)
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Typ string `json:"typ,omitempty"`
		Kid string `json:"kid"`
	}{key.Algorithm, typ, key.ID})
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: signOp, Err: err}
	}
	b := make([]byte, 0, base64.RawURLEncoding.EncodedLen(len(header))+len(claims)*4/3+400)
	b = base64.RawURLEncoding.AppendEncode(b, header)
	b = append(b, '.')
	b = base64.RawURLEncoding.AppendEncode(b, plainASCII(claims))
	hash, digest := crypto.SHA256, sha256.Sum256(b)
	sum := digest[:]
	if key.Algorithm == keyring.ES384 {
		digest := sha512.Sum384(b)
		hash, sum = crypto.SHA384, digest[:]
	}
	sig, err := key.Signer.Sign(rand.Reader, sum, hash)
	if err != nil {
		return "", asInternal(signOp, err)
	}
	if _, ok := key.Signer.Public().(*ecdsa.PublicKey); ok {
		if sig, err = rawECDSA(sig, hash.Size()); err != nil {
			return "", asInternal(signOp, err)
		}
	}
	b = append(b, '.')
	return string(base64.RawURLEncoding.AppendEncode(b, sig)), nil
}

func asInternal(op string, err error) error {
	var e *identity.Error
	if errors.As(err, &e) {
		return e
	}
	return &identity.Error{Kind: identity.KindInternal, Op: op, Err: err}
}

// rawECDSA turns an ASN.1 signature into r‖s of size bytes each (RFC 7518 §3.4).
func rawECDSA(der []byte, size int) ([]byte, error) {
	var inner cryptobyte.String
	var r, s []byte
	in := cryptobyte.String(der)
	if !in.ReadASN1(&inner, asn1.SEQUENCE) || !in.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() || len(r) > size || len(s) > size {
		return nil, errors.New("malformed ECDSA signature")
	}
	out := make([]byte, 2*size)
	copy(out[size-len(r):], r)
	copy(out[2*size-len(s):], s)
	return out, nil
}

// plainASCII escapes everything in valid JSON whose base64url text could hold
// '-' or '_' (bytes of non-ASCII, and '>', '?', '~' and DEL, whose low six bits
// are 62 or 63), all of which JSON has inside strings only, and pads with
// blanks to a multiple of three.
func plainASCII(claims []byte) []byte {
	out := make([]byte, 0, len(claims)+16)
	for i := 0; i < len(claims); {
		c := claims[i]
		switch {
		case c == '>' || c == '?' || c == '~' || c == 0x7f:
			out = fmt.Appendf(out, `\u%04x`, c)
			i++
		case c < utf8.RuneSelf:
			out = append(out, c)
			i++
		default:
			r, size := utf8.DecodeRune(claims[i:])
			if r > 0xffff {
				r -= 0x10000
				out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			} else {
				out = fmt.Appendf(out, `\u%04x`, r)
			}
			i += size
		}
	}
	for len(out)%3 != 0 {
		out = append(out, ' ')
	}
	return out
}

// Verify checks a JWT of one of our own sets and returns its payload and
// header; claims are judged by the caller. KindInvalidBearer for all that does
// not verify.
func (j *JWTs) Verify(set, raw string) (payload []byte, header Header, err error) {
	return verify(raw, func(h Header) (crypto.PublicKey, bool) {
		key, alg, ok := j.keys.PublicKey(set, h.KeyID)
		return key, ok && alg == h.Algorithm
	}, []string{keyring.ES256, keyring.ES384, keyring.RS256})
}
