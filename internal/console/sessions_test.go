package console_test

import (
	"html"
	"net/http"
	"regexp"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

var ids = regexp.MustCompile(`name="id" value="([^"]*)"`)

// ids are what a page of sessions offers to end: log-ins first.
func (a answer) ids() []string {
	var out []string
	for _, m := range ids.FindAllStringSubmatch(a.body, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

func (s *site) wantKeys(t *testing.T, what string, k identity.SessionKeys, live bool) {
	t.Helper()
	if _, err := s.caller(t, k); (err == nil) != live {
		t.Errorf("%s: %v, want live %v", what, err, live)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, other := s.logIn(t, boss), s.logIn(t, boss)
	stranger := s.logIn(t, stacktest.TestUser)
	own := b.post("/keys", "role", "", "seconds", "900").keys(t)
	assumed := b.post("/keys", "role", roleARN, "seconds", "900").keys(t)
	others := other.post("/keys", "role", "", "seconds", "900").keys(t)
	if err := s.Index.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := b.get("/sessions")
	b.want(a, http.StatusOK, "this one", own.AccessKeyID, assumed.AccessKeyID, others.AccessKeyID, "192.0.2.1", "Firefox on Linux")
	if n := len(a.ids()); n != 5 {
		t.Fatalf("%d sessions, want 2 log-ins and 3 of keys\n%s", n, a.body)
	}
	if got := stranger.get("/sessions").ids(); len(got) != 1 {
		t.Errorf("another user sees %v", got)
	}
	for _, id := range []string{own.AccessKeyID, a.ids()[0], "", "ASIAXXXXXXXXXXXXXXXX", "nosuch"} {
		stranger.want(stranger.post("/sessions/end", "id", id), http.StatusNotFound)
	}
	b.wantSent(b.post("/sessions/end", "id", assumed.AccessKeyID), "/sessions?done=session-ended")
	s.wantKeys(t, "ended keys", assumed, false)
	s.wantKeys(t, "other keys", own, true)
	b.want(b.get("/sessions"), http.StatusOK)

	b.wantSent(b.post("/sessions/end-others"), "/sessions?done=sessions-ended")
	s.wantKeys(t, "own keys", own, false)
	s.wantKeys(t, "keys of another log-in", others, false)
	other.wantSent(other.get("/profile"), "/login?next=%2Fprofile&why=ended")
	a = b.get("/sessions?done=sessions-ended")
	b.want(a, http.StatusOK, "All your other sessions and keys have ended.")
	if n := len(a.ids()); n != 1 {
		t.Errorf("%d sessions are left, want this one", n)
	}
	s.wantKeys(t, "new keys", b.post("/keys", "role", "", "seconds", "900").keys(t), true)

	// Ending the log-in that asks logs out.
	b.wantSent(b.post("/sessions/end", "id", a.ids()[0]), "/sessions?done=session-ended")
	b.wantSent(b.get("/sessions?done=session-ended"), "/login?next=%2Fsessions%3Fdone%3Dsession-ended&why=ended")
	stranger.want(stranger.get("/profile"), http.StatusOK)
}
