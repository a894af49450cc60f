package egress

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"daypass/internal/identity"
)

var discardLog = log.New(io.Discard, "", 0)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var rsa2048 = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func jwkOf(key any, kid string) jose.JSONWebKey { return jose.JSONWebKey{Key: key, KeyID: kid} }

// provider is an OpenID provider whose keys the test changes.
type provider struct {
	mu        sync.Mutex
	keys      []jose.JSONWebKey
	issuer    string // what discovery says; the right one when empty
	jwksURI   string
	broken    bool
	fetches   int // of the key set
	discovers int
	gate      chan struct{}
}

func (p *provider) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *provider) counts() (discovers, fetches int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.discovers, p.fetches
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	self := "https://" + r.Host + "/realms/a"
	switch r.URL.Path {
	case "/realms/a/.well-known/openid-configuration":
		p.discovers++
		if p.broken {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		doc := map[string]any{"issuer": self, "jwks_uri": self + "/keys", "token_endpoint": "https://elsewhere.example/"}
		if p.issuer != "" {
			doc["issuer"] = p.issuer
		}
		if p.jwksURI != "" {
			doc["jwks_uri"] = p.jwksURI
		}
		_ = json.NewEncoder(w).Encode(doc)
	case "/realms/a/keys":
		p.fetches++
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: p.keys})
	default:
		http.NotFound(w, r)
	}
}

type rig struct {
	p      *provider
	i      *Issuers
	c      *clock
	issuer string
	ca     string
}

func newRig(t *testing.T, keys ...jose.JSONWebKey) *rig {
	t.Helper()
	p := &provider{keys: keys}
	srv, hp, ca := tlsServer(t, p.ServeHTTP)
	c := &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	i := NewIssuers(IssuersConfig{Client: client(t, Config{Exempt: []string{hp}}), Clock: c})
	t.Cleanup(i.Close)
	return &rig{p: p, i: i, c: c, issuer: srv.URL + "/realms/a", ca: ca}
}

func (r *rig) idp() *identity.Provider { return &identity.Provider{URL: r.issuer, CABundle: r.ca} }

func (r *rig) lookup(kid, alg string) (VerifyKey, error) {
	return r.i.Lookup(context.Background(), r.idp(), kid, alg)
}

// settle waits for a refresh behind the answer, if one is running.
func (r *rig) settle() {
	e := r.i.entry(keyOf(r.idp()))
	e.mu.Lock()
	done := e.inflight
	e.mu.Unlock()
	if done != nil {
		<-done
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	p256, p384 := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())
	r := newRig(t,
		jwkOf(p256.Public(), "a"), jwkOf(rsa2048().Public(), "r"),
		jose.JSONWebKey{Key: p384.Public(), KeyID: "b", Algorithm: "ES384", Use: "sig"},
		jose.JSONWebKey{Key: ecKey(t, elliptic.P256()).Public(), KeyID: "e", Use: "enc"},
	)
	tests := []struct {
		kid, alg string
		want     any
	}{
		{"a", "ES256", p256.Public()},
		{"r", "RS256", rsa2048().Public()},
		{"r", "RS512", rsa2048().Public()},
		{"b", "ES384", p384.Public()},
		{"", "ES256", p256.Public()},
		{"a", "ES384", nil},
		{"a", "RS256", nil},
		{"a", "none", nil},
		{"r", "HS256", nil},
		{"r", "PS256", nil},
		{"e", "ES256", nil},
		{"zz", "ES256", nil},
	}
	for _, tt := range tests {
		got, err := r.lookup(tt.kid, tt.alg)
		if tt.want == nil {
			if e := identity.AsError(err); identity.KindOf(err) != identity.KindInvalidIdentity || e.Public != noKey {
				t.Errorf("%s %s: %v", tt.kid, tt.alg, err)
			}
			continue
		}
		if err != nil || !tt.want.(interface {
			Equal(crypto.PublicKey) bool
		}).Equal(got.Public) {
			t.Errorf("%s %s: %v, %v", tt.kid, tt.alg, got, err)
		}
	}
	if _, n := r.p.counts(); n != 1 {
		t.Errorf("%d fetches of the key set", n)
	}
	if k, err := r.i.Key(context.Background(), r.idp(), "a", "ES256"); err != nil || !p256.PublicKey.Equal(k) {
		t.Errorf("Key: %v, %v", k, err)
	}
}

func TestUnknownKeyIDForcesOneFetch(t *testing.T) {
	t.Parallel()
	a, b := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	r := newRig(t, jwkOf(a.Public(), "a"))
	first, err := r.lookup("a", "ES256")
	if err != nil {
		t.Fatal(err)
	}
	r.p.set(func() { r.p.keys = append(r.p.keys, jwkOf(b.Public(), "b")) })
	if _, err := r.lookup("b", "ES256"); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("too early: %v", err)
	}
	r.c.advance(forceEvery)
	second, err := r.lookup("b", "ES256")
	if err != nil || second.Generation != first.Generation {
		t.Errorf("after 30 s: %v; generation %d, then %d", err, first.Generation, second.Generation)
	}
	for range 20 {
		_, _ = r.lookup("junk", "ES256")
	}
	if _, n := r.p.counts(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestSingleFlight(t *testing.T) {
	t.Parallel()
	r := newRig(t, jwkOf(ecKey(t, elliptic.P256()).Public(), "a"))
	gate := make(chan struct{})
	r.p.set(func() { r.p.gate = gate })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.i.Lookup(ctx, r.idp(), "a", "ES256"); !errors.Is(err, context.Canceled) || identity.KindOf(err) != identity.KindProviderUnreachable {
		t.Errorf("gave up: %v", err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := r.lookup("a", "ES256"); err != nil {
				t.Error(err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if d, n := r.p.counts(); d != 1 || n != 1 {
		t.Errorf("%d discoveries, %d fetches", d, n)
	}
}

func TestRefreshAndVanishedKey(t *testing.T) {
	t.Parallel()
	a, b := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	r := newRig(t, jwkOf(a.Public(), "a"), jwkOf(b.Public(), "b"))
	if g := r.i.Generation(r.idp()); g != 0 {
		t.Errorf("generation before any fetch: %d", g)
	}
	k, err := r.lookup("a", "ES256")
	if err != nil {
		t.Fatal(err)
	}
	if g := r.i.Generation(r.idp()); g != k.Generation || g == 0 {
		t.Errorf("generation %d, key's %d", g, k.Generation)
	}
	r.p.set(func() { r.p.keys = r.p.keys[1:] })
	r.c.advance(refreshAfter + time.Second)
	_ = r.i.Generation(r.idp()) // asking alone starts the refresh
	r.settle()
	if g := r.i.Generation(r.idp()); g == k.Generation || g == 0 {
		t.Errorf("generation after a vanished key: %d", g)
	}
	if _, err := r.lookup("a", "ES256"); identity.KindOf(err) != identity.KindInvalidIdentity {
		t.Errorf("vanished key: %v", err)
	}
	if g := r.i.Generation(&identity.Provider{URL: r.issuer}); g != 0 {
		t.Errorf("generation under another CA bundle: %d", g)
	}
}

func TestSameIDOtherKeyIsAVanishedKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, jwkOf(ecKey(t, elliptic.P256()).Public(), "a"))
	k, err := r.lookup("a", "ES256")
	if err != nil {
		t.Fatal(err)
	}
	r.p.set(func() { r.p.keys = []jose.JSONWebKey{jwkOf(ecKey(t, elliptic.P256()).Public(), "a")} })
	r.c.advance(refreshAfter + time.Second)
	_, _ = r.lookup("a", "ES256")
	r.settle()
	if g := r.i.Generation(r.idp()); g == k.Generation {
		t.Error("the generation did not change")
	}
}

func TestStaleAndBackOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, jwkOf(ecKey(t, elliptic.P256()).Public(), "a"))
	if _, err := r.lookup("a", "ES256"); err != nil {
		t.Fatal(err)
	}
	r.p.set(func() { r.p.broken = true })
	r.c.advance(maxStale)
	if _, err := r.lookup("a", "ES256"); err != nil {
		t.Errorf("1 h old: %v", err)
	}
	r.settle()
	r.c.advance(time.Second)
	if g := r.i.Generation(r.idp()); g != 0 {
		t.Errorf("generation of stale keys: %d", g)
	}
	d0, _ := r.p.counts()
	for range 5 {
		if _, err := r.lookup("a", "ES256"); identity.KindOf(err) != identity.KindProviderUnreachable || !errors.Is(err, errStatus) {
			t.Errorf("stale: %v", err)
		}
	}
	if d, _ := r.p.counts(); d != d0 {
		t.Errorf("%d fetches within the back-off", d-d0)
	}
	want := firstBackOff
	for range 8 { // 2 s passed once already; doubling up to a minute
		want = min(2*want, lastBackOff)
		r.c.advance(want)
		_, _ = r.lookup("a", "ES256")
	}
	if d, _ := r.p.counts(); d != d0+8 {
		t.Errorf("%d fetches, want 8", d-d0)
	}
	r.p.set(func() { r.p.broken = false })
	r.c.advance(lastBackOff)
	if _, err := r.lookup("a", "ES256"); err != nil {
		t.Errorf("mended: %v", err)
	}
}

func TestDiscoveryRefusals(t *testing.T) {
	t.Parallel()
	key := jwkOf(ecKey(t, elliptic.P256()).Public(), "a")
	tests := []struct {
		name   string
		change func(*provider)
	}{
		{"another issuer", func(p *provider) { p.issuer = "https://evil.example" }},
		{"keys by http", func(p *provider) { p.jwksURI = "http://idp.example/keys" }},
		{"keys on an inner address", func(p *provider) { p.jwksURI = "https://127.0.0.1:1/keys" }},
		{"keys absent", func(p *provider) { p.jwksURI = "x" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, key)
			tt.change(r.p)
			if _, err := r.lookup("a", "ES256"); identity.KindOf(err) != identity.KindProviderUnreachable {
				t.Errorf("error = %v", err)
			}
		})
	}
	// A trailing slash makes another issuer, though discovery is at the same place.
	r := newRig(t, key)
	r.issuer += "/"
	if _, err := r.lookup("a", "ES256"); identity.KindOf(err) != identity.KindProviderUnreachable {
		t.Errorf("trailing slash: %v", err)
	}
}

func TestCloseAndEviction(t *testing.T) {
	t.Parallel()
	r := newRig(t, jwkOf(ecKey(t, elliptic.P256()).Public(), "a"))
	if _, err := r.lookup("a", "ES256"); err != nil {
		t.Fatal(err)
	}
	for n := range maxIssuers {
		r.c.advance(1)
		r.i.entry(entryKey{issuer: fmt.Sprint("https://", n)})
	}
	if len(r.i.entries) != maxIssuers {
		t.Errorf("%d entries", len(r.i.entries))
	}
	if g := r.i.Generation(r.idp()); g != 0 {
		t.Errorf("generation of an evicted issuer: %d", g)
	}
	r.i.Close()
	if _, err := r.lookup("a", "ES256"); identity.KindOf(err) != identity.KindProviderUnreachable {
		t.Errorf("closed: %v", err)
	}
}
