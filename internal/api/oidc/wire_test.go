package oidc_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/wiretest"
)

func TestWire(t *testing.T) {
	t.Parallel()
	paths := wiretest.Run(t, func(*testing.T) http.Handler { return quietHandler() })
	for _, k := range identity.Kinds() {
		want := "testdata/wire/error-" + string(k) + ".txtar"
		if _, err := os.Stat(want); isPossible(k) && err != nil {
			t.Errorf("no transcript of the error kind %s among %d: %v", k, len(paths), err)
		}
	}
}

// TestNoSecretInLogs sends secrets in every place there is for one and looks
// for them in what was logged and answered.
func TestNoSecretInLogs(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	h := newHandler(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, raw := range []string{
		post("token", "grant_type=password&client_id=root-client&username=SECRETuser&password=SECRETpass"),
		post("token", "grant_type=password&client_id=root-client&client_secret=SECRETsecret&username=a&password=SECRETpass"),
		post("token", "grant_type=refresh_token&client_id=root-client&refresh_token=SECRETrefresh"),
		post("token", "grant_type=password&password=SECRETpass&password=SECRETpass"),
		post("token", "grant_type=password&password=%zzSECRETpass"),
		"POST /realms/root-accounts/protocol/openid-connect/token?password=SECRETquery HTTP/1.1\nHost: x\n\n",
		"GET /realms/root-accounts/protocol/openid-connect/userinfo HTTP/1.1\nHost: x\nAuthorization: Bearer SECRETbearer\n\n",
		"GET /realms/root-accounts/protocol/openid-connect/userinfo HTTP/1.1\nHost: x\nAuthorization: Basic SECRETbasic\n\n",
	} {
		if answer := wiretest.Exchange(t, h, raw); strings.Contains(answer, "SECRET") {
			t.Errorf("the answer repeats a secret:\n%s", answer)
		}
	}
	if strings.Contains(logged.String(), "SECRET") {
		t.Errorf("the log holds a secret:\n%s", logged.String())
	}
	if got, want := strings.Count(logged.String(), requestID), 8; got != want {
		t.Errorf("got %d log lines with the request ID, want %d:\n%s", got, want, logged.String())
	}
}

// post is a raw form post to an endpoint of root-accounts.
func post(endpoint, body string) string {
	return "POST /auth/realms/root-accounts/protocol/openid-connect/" + endpoint + " HTTP/1.1\nHost: idp.example.com\n" +
		"Content-Type: application/x-www-form-urlencoded\n\n" + body + "\n"
}
