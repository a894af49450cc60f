package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	jose "github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"daypass/internal/identity"
)

// MaxJWTSize is the most characters of a JWT that is looked at.
const MaxJWTSize = 20_000

const (
	maxJSONDepth = 32
	maxSpare     = 32 // names in a map that is worth clearing
	minRSABits   = 2048
	maxRSABits   = 8192
)

// Algorithms that an issuer's allow-list may name: asymmetric ones only
// (RFC 7518 §3.1, RFC 8037 §3.1).
var Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Header is what is read of a JWS header; jku, jwk, x5u and x5c are ignored.
type Header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// VerifyWith checks a compact JWS, strictly: at most MaxJWTSize characters,
// three parts of canonical base64url, a header and a payload that are JSON
// objects in valid UTF-8 without duplicate members, no crit, an algorithm of
// the allow-list that fits the key, RSA of 2048 bits or more. keys finds the
// key by its ID ("" when the header has none) and algorithm.
//
// It returns the payload, to be read with DecodeClaims; the claims are judged
// by the caller. KindInvalidBearer for all that does not verify.
func VerifyWith(raw string, keys func(kid, alg string) (crypto.PublicKey, bool), allowed []string) ([]byte, error) {
	payload, _, err := verify(raw, func(h Header) (crypto.PublicKey, bool) { return keys(h.KeyID, h.Algorithm) }, allowed)
	return payload, err
}

// Parsed is a JWT that is well-formed in the sense of VerifyWith and whose
// signature nobody has checked, until Verify does.
type Parsed struct {
	Header  Header
	Payload []byte
	raw     string
}

// Parse takes a JWT apart: to choose the issuer whose keys are then used, and
// to parse it once.
func Parse(raw string) (*Parsed, error) {
	payload, header, err := parse(raw)
	if err != nil {
		return nil, refuse(err)
	}
	return &Parsed{Header: header, Payload: payload, raw: raw}, nil
}

// Verify checks algorithm and signature as VerifyWith does.
func (p *Parsed) Verify(key crypto.PublicKey, allowed []string) error {
	if err := p.verify(func(Header) (crypto.PublicKey, bool) { return key, true }, allowed); err != nil {
		return refuse(err)
	}
	return nil
}

// DecodeClaims reads a payload into v, as encoding/json does but with member
// names compared exactly: "SUB" is not "sub".
func DecodeClaims(payload []byte, v any) error {
	if err := josejson.Unmarshal(payload, v); err != nil {
		return refuse(err)
	}
	return nil
}

func refuse(err error) error {
	return &identity.Error{Kind: identity.KindInvalidBearer, Op: "token.verify", Err: err}
}

func verify(raw string, keys func(Header) (crypto.PublicKey, bool), allowed []string) ([]byte, Header, error) {
	payload, header, err := verifyJWS(raw, keys, allowed)
	if err != nil {
		return nil, Header{}, refuse(err)
	}
	return payload, header, nil
}

func verifyJWS(raw string, keys func(Header) (crypto.PublicKey, bool), allowed []string) ([]byte, Header, error) {
	payload, header, err := parse(raw)
	if err != nil {
		return nil, header, err
	}
	p := Parsed{Header: header, Payload: payload, raw: raw}
	return payload, header, p.verify(keys, allowed)
}

func (p *Parsed) verify(keys func(Header) (crypto.PublicKey, bool), allowed []string) error {
	alg := p.Header.Algorithm
	if !slices.Contains(Algorithms, alg) || !slices.Contains(allowed, alg) {
		return errors.New("algorithm not allowed")
	}
	key, ok := keys(p.Header)
	if !ok {
		return errors.New("unknown key")
	}
	if err := fits(key, alg); err != nil {
		return err
	}
	jws, err := jose.ParseSignedCompact(p.raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return errors.New("malformed JWS")
	}
	verified, err := jws.Verify(key)
	if err != nil || !bytes.Equal(verified, p.Payload) {
		return errors.New("bad signature")
	}
	return nil
}

// fits keeps keys from being used with an algorithm of another family or
// strength.
func fits(key crypto.PublicKey, alg string) error {
	ok := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		ok = (strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")) && bits >= minRSABits && bits <= maxRSABits
	case *ecdsa.PublicKey:
		ok = key.Curve != nil && curveOf(alg) == key.Params().Name
	case ed25519.PublicKey:
		ok = alg == "EdDSA" && len(key) == ed25519.PublicKeySize
	}
	if !ok {
		return fmt.Errorf("algorithm %s does not fit the key", alg)
	}
	return nil
}

// curveOf is the curve of an ECDSA algorithm (RFC 7518 §3.4); "-" is none's.
func curveOf(alg string) string {
	switch alg {
	case "ES256":
		return "P-256"
	case "ES384":
		return "P-384"
	case "ES512":
		return "P-521"
	}
	return "-"
}

// parse takes a JWT apart without checking its signature.
func parse(raw string) (payload []byte, header Header, err error) {
	if len(raw) > MaxJWTSize {
		return nil, header, errors.New("token too long")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || parts[2] == "" {
		return nil, header, errors.New("token has not three parts")
	}
	var decoded [3][]byte
	for i, p := range parts {
		// The decoder skips line breaks, which have no place in a token.
		if strings.ContainsAny(p, "\r\n") {
			return nil, header, errors.New("line break in token")
		}
		if decoded[i], err = strictURL.DecodeString(p); err != nil {
			return nil, header, errors.New("part is not base64url")
		}
	}
	for _, doc := range decoded[:2] {
		if err := strictObject(doc); err != nil {
			return nil, header, err
		}
	}
	var read struct {
		Header
		Crit json.RawMessage `json:"crit"`
	}
	if err := josejson.Unmarshal(decoded[0], &read); err != nil || read.Algorithm == "" {
		return nil, header, errors.New("malformed header")
	}
	if read.Crit != nil {
		return nil, header, errors.New("critical header member not understood")
	}
	header = read.Header
	return decoded[1], header, nil
}

var strictURL = base64.RawURLEncoding.Strict()

// strictObject requires one JSON object in valid UTF-8 with no member twice at
// any level, nor twice but for case at the first (readers that fold case would
// take the wrong one), and nothing behind it.
func strictObject(doc []byte) error {
	if !utf8.Valid(doc) || !json.Valid(doc) || bytes.TrimLeft(doc, " \t\r\n")[0] != '{' {
		return errors.New("not a JSON object in UTF-8")
	}
	// The names seen; nil for an array. Maps are used again: a stranger's token
	// may hold thousands of objects.
	var stack []map[string]struct{}
	var spare [maxJSONDepth + 1]map[string]struct{}
	before := byte(0) // the last byte that is not a blank
	for i := 0; i < len(doc); i++ {
		c := doc[i]
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			names := spare[len(stack)]
			if names == nil {
				names = make(map[string]struct{}, 16)
			}
			stack = append(stack, names)
		case '[':
			stack = append(stack, nil)
		case '}', ']':
			last := len(stack) - 1
			if names := stack[last]; len(names) > maxSpare {
				spare[last] = nil
			} else if names != nil {
				clear(names)
				spare[last] = names
			}
			stack = stack[:last]
		case '"':
			end := stringEnd(doc, i)
			if names := stack[len(stack)-1]; names != nil && before != ':' {
				if !addName(names, doc[i:end+1], len(stack) == 1) {
					return errors.New("duplicate JSON member")
				}
			}
			i = end
		}
		if len(stack) > maxJSONDepth {
			return errors.New("JSON nested too deep")
		}
		before = c
	}
	return nil
}

// stringEnd is where the string that begins at i in valid JSON has its last
// quote.
func stringEnd(doc []byte, i int) int {
	for i++; doc[i] != '"'; i++ {
		if doc[i] == '\\' {
			i++
		}
	}
	return i
}

// addName reports false for a name that is there already.
func addName(names map[string]struct{}, quoted []byte, fold bool) bool {
	name := string(quoted[1 : len(quoted)-1])
	if strings.IndexByte(name, '\\') >= 0 && json.Unmarshal(quoted, &name) != nil {
		return false
	}
	if fold {
		name = strings.ToLower(strings.ToUpper(name)) // as far as encoding/json folds
	}
	n := len(names)
	names[name] = struct{}{}
	return len(names) > n
}
