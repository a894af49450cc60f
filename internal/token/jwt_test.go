package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/token"
)

func ensure(t testing.TB, f *fixture, set, alg string) {
	t.Helper()
	if err := f.keys.EnsureSets(t.Context(), []keyring.SetSpec{{Set: set, Algorithm: alg}}); err != nil {
		t.Fatal(err)
	}
}

func sign(t testing.TB, f *fixture, set, claims string) string {
	t.Helper()
	raw, err := f.jwts.Sign(set, "", []byte(claims), "JWT")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const awkward = `{"iss":"https://x/~a?b>c","name":"Žofie 😀 \u00e9","sub":"1","n":{"a":[1,2,{"b":null}]},"del":"` + "\x7f" + `"}`

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, alg := range []string{keyring.ES256, keyring.ES384, keyring.RS256} {
		set := "realm/" + alg
		ensure(t, f, set, alg)
		for i := range 30 { // ECDSA signatures have halves of varying length
			raw := sign(t, f, set, awkward)
			payload, header, err := f.jwts.Verify(set, raw)
			if err != nil {
				t.Fatalf("%s %d: %v", alg, i, err)
			}
			if header.Algorithm != alg || header.Type != "JWT" || header.KeyID == "" {
				t.Errorf("header %+v", header)
			}
			var got, want any
			if json.Unmarshal(payload, &got) != nil || json.Unmarshal([]byte(awkward), &want) != nil {
				t.Fatalf("payload %s", payload)
			}
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(want)
			if !bytes.Equal(g, w) {
				t.Errorf("payload\n got %s\nwant %s", g, w)
			}
			jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			var doc jose.JSONWebKeySet
			if err := json.Unmarshal(f.keys.JWKS(set), &doc); err != nil {
				t.Fatal(err)
			}
			if _, err := jws.Verify(&doc.Keys[0]); err != nil {
				t.Errorf("go-jose with our JWKS: %v", err)
			}
			if alg == keyring.RS256 {
				break
			}
		}
	}
	_, _, err := f.jwts.Verify("realm/RS256", sign(t, f, "realm/ES256", "{}"))
	wantKind(t, err, identity.KindInvalidBearer)
	for _, claims := range []string{"", "[]", "{", `{"a":1} x`, "null"} {
		_, err := f.jwts.Sign("realm/ES256", "", []byte(claims), "JWT")
		wantKind(t, err, identity.KindInternal)
	}
	_, err = f.jwts.Sign("nobody", "", []byte("{}"), "JWT")
	wantKind(t, err, identity.KindUnavailable)
}

func TestPayloadIsPlainBase64(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ensure(t, f, "r", keyring.ES256)
	tool, lookErr := exec.LookPath("base64")
	for n := range 9 {
		claims := `{"a":"` + strings.Repeat("~?>\x7fé", n%4) + strings.Repeat("x", n) + `"}`
		part := strings.Split(sign(t, f, "r", claims), ".")[1]
		if len(part)%4 != 0 || strings.ContainsAny(part, "-_=") {
			t.Errorf("payload %q is not plain base64", part)
		}
		got, err := base64.StdEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		if trimmed := bytes.TrimRight(got, " "); len(got)%3 != 0 || trimmed[len(trimmed)-1] != '}' || !json.Valid(got) {
			t.Errorf("payload %q", got)
		}
		if lookErr == nil {
			cmd := exec.Command(tool, "--decode")
			cmd.Stdin = strings.NewReader(part + "\n")
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.Equal(out, got) {
				t.Errorf("base64 --decode: %v %q", err, out)
			}
		}
	}
}

func TestTamperedJWT(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ensure(t, f, "r", keyring.ES256)
	raw := sign(t, f, "r", `{"sub":"1","aud":"x"}`)
	for i := range raw {
		for _, c := range []string{"A", "z", ".", "\n", "=", ""} {
			bad := raw[:i] + c + raw[i+1:]
			if bad == raw {
				continue
			}
			_, _, err := f.jwts.Verify("r", bad)
			if identity.KindOf(err) != identity.KindInvalidBearer {
				t.Fatalf("%q: %v", bad, err)
			}
		}
	}
}

func TestKeepsVerifyingAfterRotation(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ensure(t, f, "r", keyring.ES256)
	raw := sign(t, f, "r", "{}")
	if _, err := f.keys.Rotate(t.Context(), keyring.RotateSigning, keyring.RotateOptions{Now: true}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.jwts.Verify("r", raw); err != nil {
		t.Error(err)
	}
	f.clock.add(24*time.Hour + 10*time.Minute)
	_, _, err := f.jwts.Verify("r", raw) // whether or not Tick has run
	wantKind(t, err, identity.KindInvalidBearer)
	if _, err := f.keys.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.jwts.Verify("r", raw)
	wantKind(t, err, identity.KindInvalidBearer)
}

// testKeys are made once: RSA takes its time.
var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for name, bits := range map[string]int{"rsa2048": 2048, "rsa1024": 1024} {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		keys[name] = k
	}
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[name] = k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	keys["ed25519"] = ed
	return keys
})

func joseSign(t testing.TB, alg string, key any, payload string, headers map[string]any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for k, v := range headers {
		opts = opts.WithHeader(jose.HeaderKey(k), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, opts)
	if err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	jws, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func only(key crypto.PublicKey) func(string, string) (crypto.PublicKey, bool) {
	return func(string, string) (crypto.PublicKey, bool) { return key, true }
}

func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	fit := map[string]string{
		"RS256": "rsa2048", "RS384": "rsa2048", "RS512": "rsa2048", "PS256": "rsa2048", "PS384": "rsa2048",
		"PS512": "rsa2048", "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519",
	}
	for _, alg := range token.Algorithms {
		raw := joseSign(t, alg, testKeys()[fit[alg]], `{"sub":"1"}`, nil)
		for name, key := range testKeys() {
			payload, err := token.VerifyWith(raw, only(key.Public()), token.Algorithms)
			if name == fit[alg] {
				if err != nil || string(payload) != `{"sub":"1"}` {
					t.Errorf("%s with %s: %q, %v", alg, name, payload, err)
				}
				continue
			}
			if identity.KindOf(err) != identity.KindInvalidBearer {
				t.Errorf("%s with %s: %v", alg, name, err)
			}
		}
		for _, other := range token.Algorithms {
			_, err := token.VerifyWith(raw, only(testKeys()[fit[alg]].Public()), []string{other})
			if (err == nil) != (other == alg) {
				t.Errorf("%s where only %s is allowed: %v", alg, other, err)
			}
		}
	}
}

func compact(header, payload, sig string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(payload)) + "." + e([]byte(sig))
}

func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	key := testKeys()["rsa2048"]
	pub, err := json.Marshal(jose.JSONWebKey{Key: key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string{"none", "HS256", "HS384", "HS512", ""}, token.Algorithms...)
	weak := testKeys()["rsa1024"]
	for name, tc := range map[string]struct {
		raw string
		key crypto.PublicKey
	}{
		"HMAC with the public key":  {joseSign(t, "HS256", append(pub, make([]byte, 32)...), "{}", nil), append(pub, make([]byte, 32)...)},
		"none":                      {compact(`{"alg":"none"}`, "{}", "x"), key.Public()},
		"none without signature":    {compact(`{"alg":"none"}`, "{}", ""), key.Public()},
		"None":                      {compact(`{"alg":"None"}`, "{}", "x"), key.Public()},
		"no algorithm":              {compact(`{}`, "{}", "x"), key.Public()},
		"algorithm in other case":   {compact(`{"ALG":"RS256"}`, "{}", "x"), key.Public()},
		"algorithm is not a string": {compact(`{"alg":1}`, "{}", "x"), key.Public()},
		"key in the header":         {joseSign(t, "ES256", testKeys()["p256"], "{}", map[string]any{"jwk": jose.JSONWebKey{Key: testKeys()["p256"].Public()}}), key.Public()},
		"private key":               {joseSign(t, "RS256", key, "{}", nil), key},
		"nil key":                   {joseSign(t, "RS256", key, "{}", nil), nil},
		"RSA 1024":                  {joseSign(t, "RS256", weak, "{}", nil), weak.Public()},
	} {
		if _, err := token.VerifyWith(tc.raw, only(tc.key), all); identity.KindOf(err) != identity.KindInvalidBearer {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = token.VerifyWith(joseSign(t, "RS256", key, "{}", nil), func(string, string) (crypto.PublicKey, bool) { return key.Public(), false }, all)
	wantKind(t, err, identity.KindInvalidBearer)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	key := testKeys()["p256"]
	for name, tc := range map[string]struct {
		headers map[string]any
		ok      bool
	}{
		"jku":         {map[string]any{"jku": "https://evil.example/jwks"}, true},
		"x5u and x5c": {map[string]any{"x5u": "https://evil.example/x"}, true},
		"kid":         {map[string]any{"kid": "k1"}, true},
		"crit exp":    {map[string]any{"crit": []string{"exp"}, "exp": 1}, false},
		"crit b64":    {map[string]any{"crit": []string{"b64"}, "b64": true}, false},
		"crit empty":  {map[string]any{"crit": []string{}}, false},
	} {
		_, err := token.VerifyWith(joseSign(t, "ES256", key, "{}", tc.headers), only(key.Public()), token.Algorithms)
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStrictJSON(t *testing.T) {
	t.Parallel()
	key := testKeys()["p256"]
	for payload, ok := range map[string]bool{
		`{}`:                         true,
		`{"a":{"b":1},"c":{"b":1}}`:  true,
		`{"a":[{"b":1},{"b":1}]}`:    true,
		`{"a":"a","b":["a","a"]}`:    true,
		`{"t":{"Team":1,"team":2}}`:  true,
		` {"a":1} `:                  true,
		`{"sub":"a","sub":"b"}`:      false,
		`{"sub":"a","SUB":"b"}`:      false,
		`{"sub":"a","ſub":"b"}`:      false,
		`{"sub":"a","s\u0075b":"b"}`: false,
		`{"x":{"a":1,"a":2}}`:        false,
		`{"x":[[{"a":1,"a":2}]]}`:    false,
		`{"a":{"x":1},"b":2,"a":3}`:  false,
		`[]`:                         false,
		`"a"`:                        false,
		``:                           false,
		`{"a":1}{}`:                  false,
		`{"a":1`:                     false,
		`{"a":[1,]}`:                 false,
		"{\"a\":\"\xff\"}":           false,
		strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40): false,
		strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20): true,
	} {
		_, err := token.VerifyWith(joseSign(t, "ES256", key, payload, nil), only(key.Public()), token.Algorithms)
		if (err == nil) != ok {
			t.Errorf("payload %q: %v", payload, err)
		}
	}
	for _, header := range []string{`{"alg":"ES256","alg":"ES256"}`, `{"alg":"none","alg":"ES256"}`, `{"alg":"ES256","Alg":"none"}`, `{"alg":"ES256","crit":null}`, `[]`, `{"alg":"ES256"`} {
		_, err := token.Parse(compact(header, "{}", "x"))
		wantKind(t, err, identity.KindInvalidBearer)
	}
	for _, raw := range []string{"", ".", "..", "a.b", "a.b.c.d", strings.Repeat("a", 20_001), compact(`{"alg":"ES256"}`, "{}", "x") + "=", compact(`{"alg":"ES256"}`, "{}", "x") + "\n"} {
		_, err := token.Parse(raw)
		wantKind(t, err, identity.KindInvalidBearer)
	}
}

func TestDecodeClaims(t *testing.T) {
	t.Parallel()
	var c struct {
		Sub string `json:"sub"`
	}
	if err := token.DecodeClaims([]byte(`{"SUB":"evil"}`), &c); err != nil || c.Sub != "" {
		t.Errorf("sub = %q, %v", c.Sub, err)
	}
	if err := token.DecodeClaims([]byte(`{"sub":"a"}`), &c); err != nil || c.Sub != "a" {
		t.Errorf("sub = %q, %v", c.Sub, err)
	}
	wantKind(t, token.DecodeClaims([]byte(`{"sub":1}`), &c), identity.KindInvalidBearer)
}

func FuzzVerify(f *testing.F) {
	key := testKeys()["p256"]
	good := joseSign(f, "ES256", key, `{"sub":"1","a":[{"b":1}]}`, map[string]any{"kid": "k"})
	f.Add(good)
	f.Add(compact(`{"alg":"ES256","jwk":{"kty":"EC"},"x5c":["AA=="]}`, "{}", "x"))
	f.Add("..")
	want := strings.Split(good, ".")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := token.VerifyWith(raw, only(key.Public()), token.Algorithms); err == nil {
			// ECDSA allows a second signature of the same text, never another text.
			if p := strings.Split(raw, "."); p[0] != want[0] || p[1] != want[1] {
				t.Errorf("accepted %q", raw)
			}
		}
		token.Parse(raw)
	})
}

func BenchmarkSign(b *testing.B) {
	f := setup(b)
	claims := []byte(`{"iss":"https://idp.example.com/auth/realms/demo","sub":"0b9bd1b0-3a0f-4f2a-8a3e-6a1d2c3b4a5f","aud":"root-client","exp":1900000000,"iat":1899999700,"jti":"0b9bd1b0-3a0f-4f2a-8a3e-6a1d2c3b4a5f","typ":"Bearer","scope":"email","email":"a@example.com","email_verified":true}`)
	for _, alg := range []string{keyring.ES256, keyring.ES384, keyring.RS256} {
		ensure(b, f, alg, alg)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.jwts.Sign(alg, alg, claims, "JWT"); err != nil {
					b.Fatal(err)
				}
			}
		})
		raw, err := f.jwts.Sign(alg, alg, claims, "JWT")
		if err != nil {
			b.Fatal(err)
		}
		b.Run("verify-"+alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := f.jwts.Verify(alg, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
