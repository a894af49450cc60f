package cognito_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass/internal/api/cognito"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// issuers is a fake that knows one user pool and one identity pool.
type issuers struct{}

func (issuers) Pool(id string) (issue.PoolFacts, error) {
	if id != "r_One" {
		return issue.PoolFacts{}, identity.NewError(identity.KindNotFound, "fake", "")
	}
	return issue.PoolFacts{Issuer: "https://x/r_One", Algorithm: "RS256", Keys: []byte(`{"keys":[]}`), KeysMaxAge: time.Minute}, nil
}

func (issuers) IdentityPoolIssuer(id string) (issue.PoolIssuerFacts, []byte, error) {
	if id != "r:1" {
		return issue.PoolIssuerFacts{}, nil, identity.NewError(identity.KindUnavailable, "fake", "")
	}
	return issue.PoolIssuerFacts{Issuer: "https://x/identity_pool/r:1", Algorithm: "RS256"}, []byte(`{"keys":[1]}`), nil
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	d := &cognito.Discovery{Issuers: issuers{}, Log: slog.New(slog.DiscardHandler)}
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/r_One/.well-known/openid-configuration", 200, `{"issuer":"https://x/r_One","jwks_uri":"https://x/r_One/.well-known/jwks.json",`},
		{"GET", "/r_One/.well-known/jwks.json", 200, `{"keys":[]}`},
		{"GET", "/identity_pool/r:1/.well-known/jwks.json", 200, `{"keys":[1]}`},
		{"GET", "/identity_pool/r:1/.well-known/openid-configuration", 200, `"issuer":"https://x/identity_pool/r:1"`},
		{"GET", "/identity_pool/r:2/.well-known/jwks.json", 503, "Try again"},
		{"GET", "/r_Two/.well-known/jwks.json", 404, "Not found"},
		{"GET", "/r_One/x/.well-known/jwks.json", 404, "Not found"},
		{"GET", "/r_One/.well-known/other", 404, "Not found"},
		{"POST", "/r_One/.well-known/jwks.json", 405, "Method"},
	} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: got %d %s, want %d %s", c.method, c.path, w.Code, w.Body, c.status, c.want)
		}
		if age := w.Header().Get("Cache-Control"); (age == "public, max-age=60" || age == "public, max-age=300") != (c.status == 200) {
			t.Errorf("%s %s: Cache-Control %q", c.method, c.path, age)
		}
	}
}
