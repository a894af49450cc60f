package stacktest

import (
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
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass/internal/egress"
	"daypass/internal/identity"
)

// Issuer is a foreign OIDC issuer over TLS on loopback: discovery, key set and
// token endpoint. Its authorization endpoint is a person in the test: Code.
type Issuer struct {
	URL, CA      string
	ClientID     string
	ClientSecret string
	// Algorithm is ES256, or "none".
	Algorithm string
	// TellsIssuer says in discovery that answers carry iss (RFC 9207).
	TellsIssuer bool
	// AuthMethods are told in discovery when not nil.
	AuthMethods []string

	now func() time.Time
	key *ecdsa.PrivateKey

	mu    sync.Mutex
	codes map[string]grant
	// Asked is how many codes were brought to the token endpoint.
	asked int
}

// grant is what a code stands for.
type grant struct {
	challenge, redirect string
	claims              map[string]any
}

// NewIssuer starts an issuer that ends with the test; now is the time it knows.
func NewIssuer(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{ClientID: "console", ClientSecret: "client secret of the console", Algorithm: "ES256", now: now, key: key, codes: map[string]grant{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", i.token)
	srv := httptest.NewTLSServer(mux)
	t.Cleanup(srv.Close)
	i.URL = srv.URL
	i.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	return i
}

// Web is a client that may reach these issuers although they are on loopback.
func Web(t testing.TB, issuers ...*Issuer) *egress.Client {
	t.Helper()
	var exempt []string
	for _, i := range issuers {
		exempt = append(exempt, strings.TrimPrefix(i.URL, "https://"))
	}
	c, err := egress.NewClient(egress.Config{Exempt: exempt})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Login is the issuer as a realm's log-in.
func (i *Issuer) Login(name string) identity.ForeignLogin {
	return identity.ForeignLogin{Name: name, Issuer: i.URL, ClientID: i.ClientID, CABundle: i.CA, Scopes: []string{"email"}}
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	doc := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"authorization_response_iss_parameter_supported": i.TellsIssuer,
	}
	if i.AuthMethods != nil {
		doc["token_endpoint_auth_methods_supported"] = i.AuthMethods
	}
	_ = json.NewEncoder(w).Encode(doc)
}

// Code is the person who logs in at the issuer: it takes the URL to which the
// browser was sent and returns the query with which it is sent back. The claims
// are added to those of the ID token, or stand in their place.
func (i *Issuer) Code(t testing.TB, authorizationURL string, claims map[string]any) url.Values {
	t.Helper()
	u, err := url.Parse(authorizationURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/authorize" || q.Get("response_type") != "code" || q.Get("client_id") != i.ClientID || q.Get("code_challenge_method") != "S256" ||
		q.Get("nonce") == "" || q.Get("state") == "" || !strings.Contains(q.Get("scope"), "openid") {
		t.Fatalf("authorization request %s", authorizationURL)
	}
	now := i.now().Unix()
	all := map[string]any{"iss": i.URL, "aud": i.ClientID, "sub": "foreign-1", "nonce": q.Get("nonce"), "iat": now, "exp": now + 300}
	maps.Copy(all, claims)
	code := rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.codes[code] = grant{q.Get("code_challenge"), q.Get("redirect_uri"), all}
	out := url.Values{"code": {code}, "state": {q.Get("state")}}
	if i.TellsIssuer {
		out.Set("iss", i.URL)
	}
	return out
}

// Asked is how many codes were brought to the token endpoint.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": "a secret of the issuer"})
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	} else {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	}
	if id != i.ClientID || secret != i.ClientSecret || i.AuthMethods != nil && ok != (i.AuthMethods[0] == "client_secret_basic") {
		refuse("invalid_client")
		return
	}
	code := r.PostFormValue("code")
	i.mu.Lock()
	i.asked++
	g, ok := i.codes[code]
	delete(i.codes, code)
	i.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		refuse("invalid_grant")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": i.sign(g.claims)})
}

func (i *Issuer) sign(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	if i.Algorithm == "none" {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k1"}}, nil)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}
