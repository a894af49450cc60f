package cray_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"daypass/internal/api/cray"
	"daypass/internal/identity"
	"daypass/internal/wiretest"
)

func TestWire(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, func(t *testing.T) http.Handler { return newHandler(t) })
	for _, k := range possible {
		if _, err := os.Stat("testdata/wire/error-" + string(k) + ".txtar"); err != nil {
			t.Errorf("no transcript of the error kind %s: %v", k, err)
		}
	}
}

// possible are the kinds that issue returns to this dialect, or that it makes
// itself.
var possible = []identity.Kind{
	identity.KindInternal, identity.KindUnavailable, identity.KindInvalidAction, identity.KindTooLarge,
	identity.KindMethodNotAllowed, identity.KindNotFound, identity.KindAccessDenied, identity.KindMissingAuthentication,
	identity.KindAuthTwice, identity.KindIncompleteBody, identity.KindInvalidBearer, identity.KindInvalidIdentity,
	identity.KindExpiredIdentity, identity.KindProviderUnreachable, identity.KindUpstream, identity.KindScopeService,
}

type problem struct {
	Detail, Title, Type string
	Status              int
}

// TestEveryKindIsAnswered walks all kinds: each is a problem with all four
// members, and a status that is its own.
func TestEveryKindIsAnswered(t *testing.T) {
	t.Parallel()
	faults := []identity.Kind{
		identity.KindInternal, identity.KindAlreadyExists, identity.KindDeleteConflict, identity.KindMalformedPolicy, identity.KindInvalidMessage,
	}
	for _, k := range identity.Kinds() {
		w := httptest.NewRecorder()
		cray.WriteError(w, &identity.Error{Kind: k, Op: "test", Err: os.ErrPermission})
		p := problemOf(t, w)
		if w.Code < 400 || p.Status != w.Code || p.Title != http.StatusText(w.Code) || p.Type != "about:blank" || p.Detail == "" {
			t.Errorf("%s: status %d, %+v", k, w.Code, p)
		}
		if (w.Code == 500) != slices.Contains(faults, k) {
			t.Errorf("%s: status %d", k, w.Code)
		}
		if got := w.Header().Get("WWW-Authenticate"); (w.Code == 401) != (got == "Bearer") {
			t.Errorf("%s: status %d with WWW-Authenticate %q", k, w.Code, got)
		}
		if (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: status %d with Retry-After %q", k, w.Code, w.Header().Get("Retry-After"))
		}
		if strings.Contains(w.Body.String(), "permission") {
			t.Errorf("%s: the answer tells the cause that is for the log: %s", k, w.Body)
		}
	}
	w := httptest.NewRecorder()
	cray.WriteError(w, &identity.Error{Kind: "of-no-table", Public: "secret"})
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("an unknown kind: %d %s", w.Code, w.Body)
	}
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder) (p problem) {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return p
}

// TestRequests are the spellings of a request that clients have, and those that
// nobody may have.
func TestRequests(t *testing.T) {
	t.Parallel()
	const bearer, forwarded = "Authorization: Bearer " + goodToken + "\n", "X-Forwarded-Access-Token: " + goodToken + "\n"
	large := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		request string // line and headers without Host, then perhaps an empty line and a body
		status  int
		part    string // of the answer
	}{
		"no body, no length":         {"PUT /apis/sts/token HTTP/1.1\n" + bearer, 201, `rgw.example.com`},
		"length 0":                   {"PUT /apis/sts/token HTTP/1.1\nContent-Length: 0\n" + bearer, 201, "Credentials"},
		"a body":                     {"PUT /apis/sts/token HTTP/1.1\nContent-Type: application/json\n" + bearer + "\n" + `{"DurationSeconds":99999,"RoleArn":"x"}`, 201, "05:05:17.461969+00:00"},
		"a body that is no JSON":     {"PUT /apis/sts/token HTTP/1.1\n" + bearer + "\n{", 201, "Credentials"},
		"a body of no length":        {"PUT /apis/sts/token HTTP/1.1\nTransfer-Encoding: chunked\n" + bearer + "\n2\r\n{}\r\n0\r\n\r\n\n", 201, "Credentials"},
		"the largest body":           {"PUT /apis/sts/token HTTP/1.1\n" + bearer + "\n" + large, 201, "Credentials"},
		"HTTP/1.0":                   {"PUT /apis/sts/token HTTP/1.0\n" + bearer, 201, "Credentials"},
		"a query":                    {"PUT /apis/sts/token?duration=1&access_token=x HTTP/1.1\n" + bearer, 201, "Credentials"},
		"Accept of something else":   {"PUT /apis/sts/token HTTP/1.1\nAccept: text/html\n" + bearer, 201, "Credentials"},
		"the bare path":              {"PUT /token HTTP/1.1\n" + bearer, 201, "Credentials"},
		"forwarded":                  {"PUT /apis/sts/token HTTP/1.1\n" + forwarded, 201, "forwarded.example.com"},
		"both, of one token":         {"PUT /apis/sts/token HTTP/1.1\n" + bearer + forwarded, 201, "rgw.example.com"},
		"health":                     {"GET /apis/sts/healthz HTTP/1.1\n", 200, `{"Status":"ok"}`},
		"bare health":                {"GET /healthz HTTP/1.1\n", 200, `{"Status":"ok"}`},
		"health with a token":        {"GET /apis/sts/healthz HTTP/1.1\n" + bearer, 200, `{"Status":"ok"}`},
		"both, of two tokens":        {"PUT /apis/sts/token HTTP/1.1\n" + bearer + "X-Forwarded-Access-Token: a.b.c\n", 401, "more than one"},
		"two Authorizations":         {"PUT /apis/sts/token HTTP/1.1\n" + bearer + bearer, 401, "more than one"},
		"two forwarded":              {"PUT /apis/sts/token HTTP/1.1\n" + forwarded + forwarded, 401, "more than one"},
		"no token":                   {"PUT /apis/sts/token HTTP/1.1\n", 401, "missing"},
		"an empty one":               {"PUT /apis/sts/token HTTP/1.1\nAuthorization:\n", 401, "missing"},
		"a token in the query":       {"PUT /apis/sts/token?access_token=" + goodToken + " HTTP/1.1\n", 401, "missing"},
		"bearer alone":               {"PUT /apis/sts/token HTTP/1.1\nAuthorization: Bearer\n", 401, "one space"},
		"lower case":                 {"PUT /apis/sts/token HTTP/1.1\nAuthorization: bearer " + goodToken + "\n", 401, "one space"},
		"two spaces":                 {"PUT /apis/sts/token HTTP/1.1\nAuthorization: Bearer  " + goodToken + "\n", 401, "one space"},
		"a tab":                      {"PUT /apis/sts/token HTTP/1.1\nAuthorization: Bearer\t" + goodToken + "\n", 401, "one space"},
		"two words":                  {"PUT /apis/sts/token HTTP/1.1\nAuthorization: Bearer " + goodToken + " x\n", 401, "one space"},
		"Basic":                      {"PUT /apis/sts/token HTTP/1.1\nAuthorization: Basic dTpw\n", 401, "one space"},
		"Basic beside a forwarded":   {"PUT /apis/sts/token HTTP/1.1\nAuthorization: Basic dTpw\n" + forwarded, 401, "one space"},
		"a signature":                {"PUT /apis/sts/token HTTP/1.1\nAuthorization: AWS4-HMAC-SHA256 x\n", 401, "one space"},
		"another token":              {"PUT /apis/sts/token HTTP/1.1\nAuthorization: Bearer a.b.c\n", 401, "bearer token"},
		"forwarded with blanks":      {"PUT /apis/sts/token HTTP/1.1\nX-Forwarded-Access-Token: Bearer " + goodToken + "\n", 401, "bearer token"},
		"a body too large":           {"PUT /apis/sts/token HTTP/1.1\n" + bearer + "\n" + large + "x", 413, "larger"},
		"a body cut off":             {"PUT /apis/sts/token HTTP/1.1\nContent-Length: 9\n" + bearer + "\n{}", 400, "too early"},
		"trailing slash":             {"PUT /apis/sts/token/ HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"bare, trailing slash":       {"PUT /token/ HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"the prefix":                 {"GET /apis/sts/ HTTP/1.1\n", 404, "nothing at this path"},
		"dots":                       {"PUT /apis/sts/../sts/token HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"a dot":                      {"PUT /apis/sts/./token HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"two slashes":                {"PUT /apis/sts//token HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"escaped":                    {"PUT /apis/sts/%74oken HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"another case":               {"PUT /apis/sts/Token HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"a path parameter":           {"PUT /apis/sts/token;x HTTP/1.1\n" + bearer, 404, "nothing at this path"},
		"another host's health":      {"GET /apis/sts/healthz HTTP/1.1\nHost: fail-not-found\n", 404, "No token service"},
		"health while it cannot":     {"GET /apis/sts/healthz HTTP/1.1\nHost: fail-unavailable\n", 503, "for a moment"},
		"POST":                       {"POST /apis/sts/token HTTP/1.1\n" + bearer, 405, "PUT"},
		"GET":                        {"GET /apis/sts/token HTTP/1.1\n" + bearer, 405, "PUT"},
		"OPTIONS":                    {"OPTIONS /apis/sts/token HTTP/1.1\n", 405, "PUT"},
		"method in lower case":       {"put /apis/sts/token HTTP/1.1\n" + bearer, 405, "PUT"},
		"PUT of health":              {"PUT /apis/sts/healthz HTTP/1.1\n" + bearer, 405, "GET, HEAD"},
		"a 405 before any bad token": {"DELETE /apis/sts/token HTTP/1.1\nAuthorization: x\n", 405, "PUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := c.request
			if !strings.Contains(raw, "\nHost:") {
				raw = strings.Replace(raw, "\n", "\nHost: api-gw.example.com\n", 1)
			}
			if !strings.Contains(raw, "\n\n") {
				raw += "\n"
			}
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, wiretest.Request(t, raw))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.part) {
				t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, c.status, c.part)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
			if allow := w.Header().Get("Allow"); (w.Code == 405) != (allow == c.part && allow != "") {
				t.Errorf("status %d with Allow %q", w.Code, allow)
			}
			if c.status >= 400 {
				problemOf(t, w)
			}
		})
	}
}

// TestHead asks for the headers of both paths.
func TestHead(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newHandler(t))
	defer server.Close()
	for path, want := range map[string]struct {
		status int
		length int64
	}{"/apis/sts/healthz": {200, int64(len(`{"Status":"ok"}`))}, "/apis/sts/token": {405, -1}} {
		r, err := server.Client().Head(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want.status || want.length >= 0 && r.ContentLength != want.length {
			t.Errorf("%s: %d with length %d", path, r.StatusCode, r.ContentLength)
		}
	}
}

func TestBare(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/token": true, "/healthz": true, "token": false, "/": false, "/token/": false, "//token": false, "/Token": false, "/apis/sts/token": false,
	} {
		if got := cray.Bare(path); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}
