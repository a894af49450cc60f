package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/identity"
)

// TestConsoleFront gives pages their facts, and keeps what is secret in a path
// or query out of the log.
func TestConsoleFront(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	front := newFront(&log, nil)
	front.Access = newAccessLog(front.Log)
	var facts identity.RequestFacts
	handler := &consoleFront{front: front, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if facts = identity.RequestOf(r.Context()); r.URL.Path == "/panic" {
			panic("secret")
		}
		w.WriteHeader(http.StatusTeapot)
	})}
	s := httptest.NewServer(handler)
	defer s.Close()
	get := func(path string) *http.Response {
		t.Helper()
		res, err := http.Get(s.URL + path)
		if err != nil {
			return nil
		}
		res.Body.Close()
		return res
	}
	if res := get("/invite/one-time?key=hidden"); res == nil || res.StatusCode != http.StatusTeapot {
		t.Fatalf("%v", res)
	}
	if facts.Dialect != "console" || facts.ID == "" || facts.SourceIP != "127.0.0.1" {
		t.Errorf("facts: %+v", facts)
	}
	get("/panic")
	flushLog(front.Log)
	text := log.String()
	if !strings.Contains(text, "service=console") || !strings.Contains(text, "target=/invite status=418") || strings.Contains(text, "one-time") || strings.Contains(text, "hidden") {
		t.Errorf("log:\n%s", text)
	}
}
