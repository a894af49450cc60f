package ibm

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

type stopped struct{}

func (stopped) Now() time.Time { return time.Unix(0, 0) }

// TestUnsignedGetsNothing calls every operation of the identity API without a
// token: nothing behind the door is there to be called.
func TestUnsignedGetsNothing(t *testing.T) {
	t.Parallel()
	h := New(Config{Clock: stopped{}, Log: slog.New(slog.DiscardHandler)})
	called := 0
	for path, e := range endpoints {
		if !strings.HasPrefix(path, "/v") {
			continue
		}
		for method := range e.methods {
			called++
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, strings.ReplaceAll(path, "*", "x"), strings.NewReader("{}")))
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s: status %d", method, path, w.Code)
			}
		}
	}
	if called < 20 {
		t.Errorf("only %d operations", called)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]struct {
		name  string
		names []string
	}{
		"/identity/token":          {"Identity_Token", nil},
		"/identity/token/":         {"Unknown", nil},
		"/oidc/token":              {"Identity_Token", nil},
		"/v1/apikeys":              {"ApiKeys", nil},
		"/v1/apikeys/":             {"ApiKeys", nil},
		"/v1/apikeys//":            {"Unknown", nil},
		"/v1/apikeys/details":      {"ApiKeys_Details", nil},
		"/v1/apikeys/a":            {"ApiKey", []string{"a"}},
		"/v1/apikeys/a%3Ab/lock":   {"ApiKey_Lock", []string{"a:b"}},
		"/v1/apikeys/a%zz":         {"Unknown", nil},
		"/v1/apikeys/*":            {"Unknown", nil},
		"/v1/apikeys/*/lock":       {"Unknown", nil},
		"/v1/apikeys/%2A":          {"ApiKey", []string{"*"}},
		"/v1/apikeys/a/unlock":     {"Unknown", nil},
		"/v1/apikeys/a/lock/b":     {"Unknown", nil},
		"/v1":                      {"Unknown", nil},
		"/v1/":                     {"Unknown", nil},
		"/v2/apikeys":              {"Unknown", nil},
		"/v1//apikeys":             {"Unknown", nil},
		"/v1/./apikeys":            {"Unknown", nil},
		"/v1/serviceids/":          {"ServiceIds", nil},
		"/v1/serviceids/x/lock":    {"ServiceId_Lock", []string{"x"}},
		"/v1/apikeys/" + long(513): {"Unknown", nil},
		"/v1/apikeys/" + long(512): {"ApiKey", []string{long(512)}},
	} {
		if e, names := find(path); e.name != want.name || !slices.Equal(names, want.names) {
			t.Errorf("%s: got %s %q, want %s %q", path, e.name, names, want.name, want.names)
		}
	}
}

func long(n int) string { return strings.Repeat("n", n) }
