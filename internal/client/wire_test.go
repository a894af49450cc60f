package client

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/identity"
)

func redirectTo(url string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, url+r.URL.Path, http.StatusTemporaryRedirect)
	})
}

// TestAnswers holds every refusal against its kind, which is the exit status,
// and its text: what, where, why, what next, and the request's ID at the end.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		status int
		body   string
		kind   identity.Kind
		text   string
	}{
		{
			"wrong password", 401, `{"error":"invalid_grant","error_description":"Invalid user credentials"}`, identity.KindInvalidCredentials,
			"Invalid user credentials; check the user name, the password and the realm (root-accounts) [request R]",
		},
		{
			"must change", 400, `{"error":"invalid_grant","error_description":"Account is not fully set up: the password must be changed"}`, identity.KindPasswordExpired,
			"Account is not fully set up: the password must be changed [request R]",
		},
		{
			"second factor", 400, `{"error":"invalid_grant","error_description":"Account is not fully set up: a second factor is required"}`, identity.KindMFARequired,
			"Account is not fully set up: a second factor is required [request R]",
		},
		{"client", 401, `{"error":"invalid_client"}`, identity.KindInvalidClient, "invalid_client; the client is root-client; name another one with --client-id [request R]"},
		{"realm", 404, `{"error":"Realm does not exist"}`, identity.KindNotFound, "Realm does not exist; the realm is root-accounts; name another one with --realm [request R]"},
		{
			"throttled", 429, `{"error":"temporarily_unavailable","error_description":"Too many tries; try again later"}`, identity.KindThrottled,
			"Too many tries; try again later; try again in 7 s [request R]",
		},
		{"unavailable", 503, `{"error":"temporarily_unavailable"}`, identity.KindUnavailable, "temporarily_unavailable; try again in 7 s [request R]"},
		{"another server", 200, `<html>`, identity.KindUnavailable, "the answer (200 OK, text/html) is not one of Daypass; check the endpoint of the profile [request R]"},
		{"another server's error", 502, `bad gateway`, identity.KindUnavailable, "the answer (502 Bad Gateway, text/html) is not one of Daypass; check the endpoint of the profile [request R]"},
		{"no token", 200, `{}`, identity.KindUnavailable, "the answer (200 OK, text/html) is not one of Daypass; check the endpoint of the profile [request R]"},
		{"redirect", 302, ``, identity.KindUnavailable, "the endpoint redirects to http://elsewhere.test/; correct the endpoint of the profile [request R]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				h.Set("X-Request-Id", "R")
				h.Set("Retry-After", "7")
				h.Set("Content-Type", "text/html")
				h.Set("Location", "http://elsewhere.test/")
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			}))
			defer server.Close()
			k, err := NewKeeper(Profile{Name: "p", Endpoint: server.URL + "/"}, Options{Clock: identity.SystemClock{}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = k.LogIn(t.Context(), "me", "x")
			want := "logging in as me failed at " + server.URL + " (profile p): " + tc.text
			if e := identity.AsError(err); e == nil || e.Kind != tc.kind || e.Public != want {
				t.Errorf("got  %v\nwant %s: %s", err, tc.kind, want)
			}
		})
	}
}

// TestTraceHoldsNoSecret looks for every secret of a log-in and a renewal.
func TestTraceHoldsNoSecret(t *testing.T) {
	t.Parallel()
	f := newInstallation(t)
	var trace bytes.Buffer
	k, err := NewKeeper(Profile{Name: "p", Endpoint: f.URL}, Options{Clock: f.clock, Trace: &trace})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := k.LogIn(t.Context(), "me", "right")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.wire.refresh(t.Context(), "refresh-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.WhoAmI(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	got := trace.String()
	for _, secret := range []string{"right", "refresh-1", "e30.ey", "secret"} {
		if strings.Contains(got, secret) {
			t.Errorf("the trace holds %q:\n%s", secret, got)
		}
	}
	for _, want := range []string{"password=[redacted]", "refresh_token=re…sha256:", "WebIdentityToken=e30.…sha256:", "debug: 200, "} {
		if !strings.Contains(got, want) {
			t.Errorf("the trace lacks %q:\n%s", want, got)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add("e30.eyJzdWIiOiJidWlsZCA3In0.c2ln")
	f.Add("a.e30=.b")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		c := claimsOf(token)
		name := sessionName(c.Subject)
		if len(name) < 2 || len(name) > 64 {
			t.Errorf("a session name of %d bytes", len(name))
		}
	})
}
