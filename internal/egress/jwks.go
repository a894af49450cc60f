package egress

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
	// Unlike encoding/json this one minds the case of names and refuses
	// duplicate members.
	"github.com/go-jose/go-jose/v4/json"

	"daypass/internal/identity"
)

// Bounds on a key set; keys beyond them are ignored, as keys of other kinds are.
const (
	maxKeysPerType = 100
	maxKeyEntries  = 1000
	minRSABits     = 2048
	maxRSABits     = 8192
)

// jwk is one usable key of a set.
type jwk struct {
	kid string
	alg string // "" where the set does not bind the key to one
	key crypto.PublicKey
	id  string // RFC 7638 thumbprint and kid: what makes it the same key
}

// fits reports whether the key verifies alg.
func (k *jwk) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return alg == "RS256" || alg == "RS384" || alg == "RS512"
	case *ecdsa.PublicKey:
		return alg == "ES256" && key.Curve == elliptic.P256() ||
			alg == "ES384" && key.Curve == elliptic.P384() ||
			alg == "ES512" && key.Curve == elliptic.P521()
	}
	return false
}

// knownAlgorithm is the list of algorithms that web identity accepts.
func knownAlgorithm(alg string) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "ES256", "ES384", "ES512":
		return true
	}
	return false
}

// publicMembers are the members of RFC 7517 and 7518 that say what a public
// key is. Certificates and URLs (x5c, x5u) are ignored, so they are not read.
type publicMembers struct {
	Kty string `json:"kty"`
	Kid string `json:"kid,omitempty"`
	Use string `json:"use,omitempty"`
	Alg string `json:"alg,omitempty"`
	Crv string `json:"crv,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

// parseKeySet returns the usable keys of a JWK set (RFC 7517): public, for
// signatures, RSA of 2048 to 8192 bits or ECDSA. Keys that are not usable are
// ignored; what is not a key set is an error that repeats nothing of it.
func parseKeySet(b []byte) ([]jwk, error) {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil || set.Keys == nil {
		return nil, errors.New("not a JWK set")
	}
	if len(*set.Keys) > maxKeyEntries {
		return nil, errors.New("too many keys in the JWK set")
	}
	var keys []jwk
	nRSA, nEC := 0, 0
	for _, raw := range *set.Keys {
		k, ok := parseKey(raw)
		if !ok {
			continue
		}
		n := &nEC
		if _, isRSA := k.key.(*rsa.PublicKey); isRSA {
			n = &nRSA
		}
		if *n++; *n <= maxKeysPerType {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// CheckKeySet judges a JWK set that an operator gives in place of a URL: it
// must hold a usable key, and no secret. KindValidation.
func CheckKeySet(text string) error {
	unfit := func(why string) error {
		return identity.NewError(identity.KindValidation, "egress.CheckKeySet", why)
	}
	if len(text) > MaxBody {
		return unfit("the JWK set is too large")
	}
	keys, err := parseKeySet([]byte(text))
	if err != nil {
		return unfit(err.Error())
	}
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if json.Unmarshal([]byte(text), &set) != nil {
		return unfit("not a JWK set")
	}
	for _, k := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := k[private]; ok {
				return unfit("the JWK set holds a private key")
			}
		}
	}
	if len(keys) == 0 {
		return unfit("the JWK set holds no key that verifies signatures")
	}
	return nil
}

func parseKey(raw []byte) (jwk, bool) {
	var m struct {
		publicMembers
		D json.RawMessage `json:"d"`
	}
	if json.Unmarshal(raw, &m) != nil || m.D != nil || m.Use != "" && m.Use != "sig" {
		return jwk{}, false // a published private key is nobody's any more
	}
	if m.Kty != "RSA" && m.Kty != "EC" || m.Alg != "" && !knownAlgorithm(m.Alg) {
		return jwk{}, false
	}
	clean, err := json.Marshal(m.publicMembers)
	if err != nil {
		return jwk{}, false
	}
	var k jose.JSONWebKey
	if k.UnmarshalJSON(clean) != nil || !k.Valid() || !k.IsPublic() {
		return jwk{}, false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits || key.E < 3 || key.E&1 == 0 {
			return jwk{}, false
		}
	case *ecdsa.PublicKey:
	default:
		return jwk{}, false
	}
	thumb, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return jwk{}, false
	}
	return jwk{kid: m.Kid, alg: m.Alg, key: k.Key, id: string(thumb) + m.Alg + "\x00" + m.Kid}, true
}

// discovery is what is read of an OpenID provider's configuration.
type discovery struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

// discoveryURL is where OpenID Connect Discovery 1.0 section 4 puts it.
func discoveryURL(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

func parseDiscovery(b []byte, issuer string) (jwksURI string, err error) {
	var d discovery
	if json.Unmarshal(b, &d) != nil {
		return "", errors.New("not a discovery document")
	}
	if d.Issuer != issuer {
		return "", errors.New("the discovery document names another issuer")
	}
	if d.JWKSURI == "" {
		return "", errors.New("the discovery document names no key set")
	}
	return d.JWKSURI, nil
}
