package upstream_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// keyService answers like IBM Key Protect: it "wraps" into base64 with the AAD.
type keyService struct {
	status int    // of actions; 0 for success
	code   string // reason of a refusal
	body   string // in place of an answer
	again  string // ciphertext in the answers of unwrap
	seen   []string
}

func (s *keyService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.seen = append(s.seen, r.Method+" "+r.URL.EscapedPath())
	if r.URL.Path == "/identity/token" {
		if r.PostFormValue("grant_type") != "urn:ibm:params:oauth:grant-type:apikey" || r.PostFormValue("apikey") != "an-API-key" {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found."}`)
			return
		}
		io.WriteString(w, `{"access_token":"token","expires_in":3600}`)
		return
	}
	if r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("bluemix-instance") != "instance" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if s.status != 0 {
		w.WriteHeader(s.status)
		io.WriteString(w, `{"resources":[{"errorMsg":"secret words","reasons":[{"code":"`+s.code+`"}]}]}`)
		return
	}
	if s.body != "" {
		io.WriteString(w, s.body)
		return
	}
	var in struct {
		Plaintext, Ciphertext string
		AAD                   []string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	aad := strings.Join(in.AAD, "|") + "#"
	if strings.HasSuffix(r.URL.Path, "/wrap") {
		json.NewEncoder(w).Encode(map[string]string{"ciphertext": base64.StdEncoding.EncodeToString([]byte(aad + in.Plaintext))})
		return
	}
	text, _ := base64.StdEncoding.DecodeString(in.Ciphertext)
	plain, ok := strings.CutPrefix(string(text), aad)
	if !ok {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"plaintext": plain, "ciphertext": s.again})
}

func keyProtect(t *testing.T, h http.Handler) *upstream.KeyProtect {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &upstream.KeyProtect{
		URL: u, TokenURL: u.JoinPath("identity/token"), Instance: "instance", Key: "root-of-b",
		APIKey: func() (identity.Secret, error) { return "an-API-key", nil }, Transport: upstream.NewTransport(upstream.TransportConfig{}),
	}
}

func TestKeyProtect(t *testing.T) {
	t.Parallel()
	s := &keyService{}
	k := keyProtect(t, s)
	wrapped, err := k.Wrap(t.Context(), []byte("\x00secret"), []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	secret, again, err := k.Unwrap(t.Context(), wrapped, []string{"a", "b"})
	if err != nil || string(secret) != "\x00secret" || again != "" {
		t.Errorf("got %q, %q, %v", secret, again, err)
	}
	s.again = "newer"
	if _, again, err = k.Unwrap(t.Context(), wrapped, []string{"a", "b"}); err != nil || again != "newer" {
		t.Errorf("after a rotation: %q, %v", again, err)
	}
	_, _, err = k.Unwrap(t.Context(), wrapped, []string{"b", "a"})
	if e := identity.AsError(err); e.Kind != identity.KindUpstream || !strings.Contains(e.Public, "did not wrap what it was given") {
		t.Errorf("other AAD: %v", err)
	}
	want := []string{"POST /identity/token", "POST /api/v2/keys/root-of-b/actions/wrap"}
	if !slices.Equal(s.seen[:2], want) {
		t.Errorf("got %v, want %v", s.seen[:2], want)
	}
}

func TestKeyProtectRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		server keyService
		kind   identity.Kind
		says   string
	}{
		{"disabled", keyService{status: 409, code: "KEY_ACTION_INVALID_STATE_ERR"}, identity.KindUpstream, "is disabled there, or otherwise not active: enable it (KEY_ACTION_INVALID_STATE_ERR)"},
		{"deleted", keyService{status: 410, code: "KEY_DELETED_ERR"}, identity.KindUpstream, "was deleted there: restore it"},
		{"no such key", keyService{status: 404, code: "KEY_NOT_FOUND_ERR"}, identity.KindUpstream, "key root-of-b at 127.0.0.1"},
		{"no role", keyService{status: 401, code: "UNAUTHORIZED_ERR"}, identity.KindUpstream, "service role Reader"},
		{"a code that is none", keyService{status: 409, code: "x\ny"}, identity.KindUpstream, "look at it there"},
		{"another answer", keyService{status: 302}, identity.KindUpstream, "is not understood (status 302)"},
		{"no JSON", keyService{body: "<html>"}, identity.KindUpstream, "is not understood (no JSON)"},
		{"no base64", keyService{body: `{"plaintext":"*"}`}, identity.KindUpstream, "no plaintext in base64"},
		{"too much", keyService{body: strings.Repeat(" ", 70000)}, identity.KindUpstream, "more than 65536 bytes"},
		{"away", keyService{status: 503}, identity.KindUnavailable, "cannot be reached: status 503"},
		{"busy", keyService{status: 429}, identity.KindUnavailable, "cannot be reached: status 429"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			k := keyProtect(t, &tc.server)
			_, _, err := k.Unwrap(t.Context(), "text", nil)
			e := identity.AsError(err)
			if e.Kind != tc.kind || !strings.Contains(e.Public, tc.says) {
				t.Errorf("got %s: %s", e.Kind, e.Public)
			}
			if all := err.Error() + e.Public; strings.Contains(all, "secret words") || strings.Contains(all, "an-API-key") {
				t.Errorf("the error quotes: %s", all)
			}
		})
	}
}

func TestKeyProtectLogIn(t *testing.T) {
	t.Parallel()
	k := keyProtect(t, &keyService{})
	k.APIKey = func() (identity.Secret, error) { return "another", nil }
	_, err := k.Wrap(t.Context(), nil, nil)
	if e := identity.AsError(err); e.Kind != identity.KindUpstream || !strings.Contains(e.Public, "refuses the API key") || !strings.HasSuffix(e.Public, "(BXNIM0415E)") {
		t.Errorf("got %v", err)
	}
	broken := errors.New("no file")
	k.APIKey = func() (identity.Secret, error) { return "", broken }
	if _, err := k.Wrap(t.Context(), nil, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestKeyProtectTLS takes no certificate that does not verify, and does not wait
// for it to.
func TestKeyProtectTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(&keyService{})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	k := keyProtect(t, &keyService{})
	plain := k.URL.Host
	k.URL, _ = url.Parse(server.URL)
	k.TokenURL = k.URL.JoinPath("identity/token")
	_, err := k.Wrap(t.Context(), nil, nil)
	if e := identity.AsError(err); e.Kind != identity.KindUpstream || !strings.Contains(e.Public, "does not verify") {
		t.Errorf("got %v", err)
	}
	k.TokenURL.Host = plain
	_, err = k.Wrap(t.Context(), nil, nil)
	if e := identity.AsError(err); e.Kind != identity.KindUpstream || !strings.Contains(e.Public, "does not speak TLS") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Wrap(ctx, nil, nil); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("got %v", err)
	}
}

// answers is a transport that answers every action with one text.
type answers struct {
	status int
	body   string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	out := &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.body))}
	if r.URL.Path == "/token" {
		out.StatusCode, out.Body = http.StatusOK, io.NopCloser(strings.NewReader(`{"access_token":"t"}`))
	}
	return out, nil
}

// FuzzKeyProtectAnswer answers with anything: it is a secret or an error that
// people can read.
func FuzzKeyProtectAnswer(f *testing.F) {
	f.Add(200, `{"plaintext":"AAAA","ciphertext":"x"}`)
	f.Add(409, `{"resources":[{"reasons":[{"code":"KEY_ACTION_INVALID_STATE_ERR"}]}]}`)
	f.Add(410, `{"resources":[]}`)
	f.Add(500, ``)
	f.Fuzz(func(t *testing.T, status int, body string) {
		u := &url.URL{Scheme: "https", Host: "keys.example.com"}
		k := &upstream.KeyProtect{
			URL: u, TokenURL: u.JoinPath("token"), Key: "k", Transport: answers{status, body},
			APIKey: func() (identity.Secret, error) { return "an-API-key", nil },
		}
		_, _, err := k.Unwrap(t.Context(), "w", nil)
		if e := identity.AsError(err); err != nil && (e.Public == "" || e.Kind != identity.KindUpstream && e.Kind != identity.KindUnavailable) {
			t.Errorf("%v", err)
		}
		if err == nil && status != http.StatusOK && status != http.StatusCreated {
			t.Errorf("status %d is a success", status)
		}
	})
}
