package oidc

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{"", "Basic", "Basic YTpi", "basic  YTpi", "Basic YWJj", "Basic JSU6", "Bearer x", "Basic Og=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, secret, ok := parseBasic(header)
		if !ok && (id != "" || secret != "") {
			t.Errorf("%q: refused, yet got %q", header, id)
		}
		if ok && id == "" {
			t.Errorf("%q: accepted without an ID", header)
		}
	})
}

// refusing is an Issuer that refuses everything that reaches it.
type refusing struct{ Issuer }

func (refusing) Realm(string) (issue.RealmFacts, error) { return issue.RealmFacts{}, nil }

func (refusing) Password(context.Context, issue.PasswordGrant) (issue.TokenSet, error) {
	return issue.TokenSet{}, identity.NewError(identity.KindInvalidCredentials, "fake", "")
}

func (refusing) Refresh(context.Context, issue.RefreshGrant) (issue.TokenSet, error) {
	return issue.TokenSet{}, identity.NewError(identity.KindInvalidGrant, "fake", "")
}

func (refusing) ClientCredentials(context.Context, issue.ClientGrant) (issue.TokenSet, error) {
	return issue.TokenSet{}, identity.NewError(identity.KindInvalidClient, "fake", "")
}

// FuzzToken: whatever is posted, the answer is a JSON error.
func FuzzToken(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	f.Add(form, "", "grant_type=password&client_id=c&username=u&password=p")
	f.Add(form, "Basic YTpi", "grant_type=client_credentials")
	f.Add(form+"; charset=utf-8", "", "grant_type=refresh_token&client_id=c&refresh_token=%00")
	f.Add("application/json", "Bearer x", "{}")
	h := New(Config{Issuer: refusing{}, ExternalURL: "https://x", Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, contentType, authorization, body string) {
		r := httptest.NewRequest("POST", "/realms/r/protocol/openid-connect/token", strings.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var e errorBody
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == "" || w.Code < 400 || w.Code >= 500 {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	})
}
