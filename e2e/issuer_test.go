package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// foreignIssuer is an OIDC issuer of somebody else, on this machine: discovery
// and keys over TLS, under a certificate that only the site file knows. Browsers
// that it is asked to log in are foreignPerson's.
type foreignIssuer struct {
	t   testing.TB
	URL string // without a slash at its end
	CA  string // PEM
	key *ecdsa.PrivateKey
}

const foreignPerson = "sam@partner.example"

func startIssuer(t testing.TB) *foreignIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &foreignIssuer{t: t, key: key}
	point, err := key.PublicKey.Bytes() // 4, x and y of 32 bytes
	if err != nil {
		t.Fatal(err)
	}
	answer := func(body func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(body())
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", answer(func() any {
		return map[string]any{
			"issuer": f.URL, "jwks_uri": f.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"},
			"authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token",
		}
	}))
	mux.HandleFunc("GET /keys", answer(func() any {
		return map[string]any{"keys": []any{map[string]string{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "key-1",
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
		}}}
	}))
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		code := url.Values{"nonce": {q.Get("nonce")}, "aud": {q.Get("client_id")}}.Encode()
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		code, err := url.ParseQuery(r.FormValue("code"))
		if err != nil {
			http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
			return
		}
		answer(func() any {
			return map[string]any{"access_token": "unused", "token_type": "Bearer", "id_token": f.Token(map[string]any{
				"sub": foreignPerson, "email": foreignPerson, "email_verified": true, "aud": code.Get("aud"), "nonce": code.Get("nonce"),
			})}
		})(w, r)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	f.URL = server.URL
	f.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return f
}

// Host is the issuer as condition keys and ARNs have it.
func (f *foreignIssuer) Host() string { return strings.TrimPrefix(f.URL, "https://") }

// Token is a token for five minutes, with these claims over the usual ones.
func (f *foreignIssuer) Token(claims map[string]any) string {
	f.t.Helper()
	now := time.Now().Unix()
	all := map[string]any{"iss": f.URL, "aud": "sts.amazonaws.com", "iat": now, "nbf": now, "exp": now + 300}
	maps.Copy(all, claims)
	var parts []string
	for _, v := range []any{map[string]string{"alg": "ES256", "typ": "JWT", "kid": "key-1"}, all} {
		b, err := json.Marshal(v)
		if err != nil {
			f.t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	signed := strings.Join(parts, ".")
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, digest[:])
	if err != nil {
		f.t.Fatal(err)
	}
	sig := make([]byte, 2*crypto.SHA256.Size())
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}
