package egress

import (
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"daypass/internal/identity"
)

func TestParseKeySet(t *testing.T) {
	t.Parallel()
	ec := func(kid string) string {
		b, err := jwkOf(ecKey(t, elliptic.P256()).Public(), kid).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	private, _ := jwkOf(ecKey(t, elliptic.P256()), "p").MarshalJSON()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak, _ := jwkOf(small.Public(), "w").MarshalJSON()
	good := ec("a")
	withCert := strings.TrimSuffix(good, "}") + `,"x5c":["junk"],"x5u":"https://evil.example/"}`
	tests := []struct {
		name, doc string
		n         int
		bad       bool
	}{
		{"one", `{"keys":[` + good + `]}`, 1, false},
		{"certificates are not read", `{"keys":[` + withCert + `]}`, 1, false},
		{"none", `{"keys":[]}`, 0, false},
		{"private", `{"keys":[` + string(private) + `]}`, 0, false},
		{"RSA 1024", `{"keys":[` + string(weak) + `]}`, 0, false},
		{"symmetric", `{"keys":[{"kty":"oct","k":"AAAA"}]}`, 0, false},
		{"unsuitable beside good", `{"keys":[1,null,"x",{},{"kty":"RSA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},` + good + `]}`, 1, false},
		{"duplicate member in a key", `{"keys":[{"kty":"EC",` + strings.TrimPrefix(good, "{") + `]}`, 0, false},
		{"duplicate keys member", `{"keys":[],"keys":[` + good + `]}`, 0, true},
		{"other case", `{"Keys":[` + good + `]}`, 0, true},
		{"no keys", `{}`, 0, true},
		{"not JSON", `<html>`, 0, true},
		{"too many entries", `{"keys":[` + strings.Repeat("{},", maxKeyEntries) + `{}]}`, 0, true},
		{"more than the limit", `{"keys":[` + strings.Repeat(good+",", maxKeysPerType) + good + `]}`, maxKeysPerType, false},
	}
	for _, tt := range tests {
		keys, err := parseKeySet([]byte(tt.doc))
		if len(keys) != tt.n || (err != nil) != tt.bad {
			t.Errorf("%s: %d keys, %v", tt.name, len(keys), err)
		}
	}
}

func FuzzParseKeySet(f *testing.F) {
	b, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwkOf(ecKey(f, elliptic.P256()).Public(), "a"), jwkOf(rsa2048().Public(), "r")}})
	f.Add(b)
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":"EC","crv":"P-521"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeySet(b)
		if err != nil {
			return
		}
		for _, k := range keys {
			for _, alg := range []string{"none", "HS256", "EdDSA"} {
				if k.fits(alg) {
					t.Fatalf("a key fits %s", alg)
				}
			}
			if key, ok := k.key.(*rsa.PublicKey); ok && key.N.BitLen() < minRSABits {
				t.Fatal("a short RSA key")
			}
		}
		_, _ = parseDiscovery(b, "https://idp.example")
	})
}

func BenchmarkLookup(b *testing.B) {
	i := NewIssuers(IssuersConfig{})
	defer i.Close()
	e := i.entry(entryKey{issuer: "https://idp.example"})
	e.keys.Store(&keySet{keys: []jwk{{kid: "a", key: ecKey(b, elliptic.P256()).Public()}}, fetched: time.Now(), generation: 1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Lookup(context.Background(), &identity.Provider{URL: "https://idp.example"}, "a", "ES256"); err != nil {
			b.Fatal(err)
		}
	}
}
