package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// foreignIssuer is an OpenID provider of somebody else's: discovery, keys and
// tokens, over TLS on loopback.
type foreignIssuer struct {
	url, address, ca string
	key              *ecdsa.PrivateKey
	elsewhere        string // where its keys are redirected to, "" to serve them
	calls            atomic.Int64
}

const foreignKeyID = "foreign-1"

func startIssuer(t testing.TB) *foreignIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &foreignIssuer{key: key}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	answer := func(path string, body func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			f.calls.Add(1)
			if f.elsewhere != "" && path == "/keys" {
				http.Redirect(w, r, f.elsewhere, http.StatusFound)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(body())
		})
	}
	answer("/.well-known/openid-configuration", func() any {
		return map[string]any{"issuer": f.url, "jwks_uri": f.url + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}}
	})
	answer("/keys", func() any {
		return map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": foreignKeyID,
			"x": b64(point[1:33]), "y": b64(point[33:]),
		}}}
	})
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	f.url = s.URL
	f.address = s.Listener.Addr().(*net.TCPAddr).String()
	f.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return f
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token signs claims; those of an ordinary ID token are filled in, and nil
// takes one away.
func (f *foreignIssuer) token(t testing.TB, claims map[string]any) string {
	t.Helper()
	now := time.Now()
	all := map[string]any{
		"iss": f.url, "sub": "alice", "aud": "workload", "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return f.sign(t, map[string]any{"alg": "ES256", "kid": foreignKeyID, "typ": "JWT"}, all)
}

// sign makes a JWT of any header and claims with the issuer's key.
func (f *foreignIssuer) sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64(h) + "." + b64(c)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, f.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + b64(signature)
}
