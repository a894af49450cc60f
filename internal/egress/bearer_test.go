package egress

import (
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"daypass/internal/identity"
)

// guarded is a provider that shows its documents only for a token, as
// Kubernetes API servers do.
func guarded(t *testing.T, want func() string, p *provider) (issuer, hostport, ca string) {
	t.Helper()
	srv, hp, ca := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+want() {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"keys":[]}`)
			return
		}
		p.ServeHTTP(w, r)
	})
	return srv.URL + "/realms/a", hp, ca
}

func TestBearerToken(t *testing.T) {
	t.Parallel()
	key := ecKey(t, elliptic.P256())
	valid := "first"
	issuer, hp, ca := guarded(t, func() string { return valid }, &provider{keys: []jose.JSONWebKey{jwkOf(key.Public(), "a")}})
	c := &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	i := NewIssuers(IssuersConfig{Client: client(t, Config{Exempt: []string{hp}}), Clock: c})
	t.Cleanup(i.Close)
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	idp := &identity.Provider{URL: issuer, CABundle: ca, BearerTokenFile: file}
	lookup := func(p *identity.Provider) error {
		_, err := i.Lookup(context.Background(), p, "a", "ES256")
		return err
	}
	for _, step := range []struct {
		file string
		want bool
	}{{"wrong\n", false}, {"", false}, {"two lines\nof it", false}, {"first\n", true}} {
		write(step.file)
		c.advance(2 * time.Minute) // beyond the back-off
		err := lookup(idp)
		if (err == nil) != step.want || (err != nil && identity.KindOf(err) != identity.KindProviderUnreachable) {
			t.Errorf("%q: %v", step.file, err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := strings.TrimSpace(step.file); text != "" && strings.Contains(e.Error(), text) {
				t.Errorf("an error shows the token: %v", e)
			}
		}
	}
	if err := lookup(&identity.Provider{URL: issuer, CABundle: ca}); identity.KindOf(err) != identity.KindProviderUnreachable {
		t.Errorf("who has no token was given the keys of who has one: %v", err)
	}
	// The token is replaced while the server runs.
	valid = "second"
	write("second")
	c.advance(2 * time.Hour)
	if err := lookup(idp); err != nil {
		t.Errorf("with a new token: %v", err)
	}
	for name, file := range map[string]string{"no file": file + "-none", "directory": filepath.Dir(file)} {
		if err := lookup(&identity.Provider{URL: issuer, CABundle: ca, BearerTokenFile: file}); identity.KindOf(err) != identity.KindProviderUnreachable {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(strings.Repeat("a", maxToken+1))
	if _, err := readToken(file); !errors.Is(err, errToken) {
		t.Errorf("a long token: %v", err)
	}
}

// TestBearerStays: the token goes to the URL that it is for, not after redirects.
func TestBearerStays(t *testing.T) {
	t.Parallel()
	reached := false
	srv, hp, ca := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			reached = true
			return
		}
		http.Redirect(w, r, "/end", http.StatusFound)
	})
	c := client(t, Config{Exempt: []string{hp}})
	if _, err := c.Get(context.Background(), srv.URL+"/begin", ca, "token"); !errors.Is(err, errRedirects) || reached {
		t.Errorf("got %v, reached %v", err, reached)
	}
	if _, err := c.Get(context.Background(), srv.URL+"/begin", ca, ""); err != nil || !reached {
		t.Errorf("without a token: %v, reached %v", err, reached)
	}
}

func keySetText(t *testing.T, keys ...jose.JSONWebKey) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestGivenKeys: a provider with its own JWKS has those keys and no others, at
// any time, and nothing is fetched.
func TestGivenKeys(t *testing.T) {
	t.Parallel()
	given, fetched, next := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	r := newRig(t, jwkOf(fetched.Public(), "f"))
	idp := &identity.Provider{URL: r.issuer, CABundle: r.ca, JWKS: keySetText(t, jwkOf(given.Public(), "g"))}
	rotated := &identity.Provider{URL: r.issuer, JWKS: keySetText(t, jwkOf(next.Public(), "g"))}
	for range 2 {
		for _, tt := range []struct {
			p    *identity.Provider
			kid  string
			want bool
		}{{idp, "g", true}, {idp, "f", false}, {idp, "", true}, {rotated, "g", true}, {&identity.Provider{URL: r.issuer, JWKS: "{"}, "g", false}} {
			k, err := r.i.Lookup(context.Background(), tt.p, tt.kid, "ES256")
			switch {
			case !tt.want:
				if identity.KindOf(err) != identity.KindInvalidIdentity {
					t.Errorf("%q: %v", tt.kid, err)
				}
			case err != nil, given.PublicKey.Equal(k.Public) != (tt.p == idp), next.PublicKey.Equal(k.Public) != (tt.p == rotated):
				t.Errorf("%q: %v, %v", tt.kid, k, err)
			}
		}
		r.c.advance(48 * time.Hour)
	}
	if discovers, fetches := r.p.counts(); discovers+fetches != 0 {
		t.Errorf("%d fetches", discovers+fetches)
	}
}

func TestCheckKeySet(t *testing.T) {
	t.Parallel()
	key := ecKey(t, elliptic.P256())
	for name, tt := range map[string]struct{ text, want string }{
		"good":        {keySetText(t, jwkOf(key.Public(), "a")), ""},
		"no set":      {"[]", "not a JWK set"},
		"no keys":     {`{"keys":[]}`, "the JWK set holds no key that verifies signatures"},
		"private key": {keySetText(t, jwkOf(key.Public(), "a"), jwkOf(key, "b")), "the JWK set holds a private key"},
		"shared key":  {`{"keys":[{"kty":"oct","k":"AAAA"}]}`, "the JWK set holds a private key"},
		"large":       {strings.Repeat(" ", MaxBody+1), "the JWK set is too large"},
	} {
		err := CheckKeySet(tt.text)
		if got := publicOf(err); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func publicOf(err error) string {
	if err == nil {
		return ""
	}
	return identity.AsError(err).Public
}
