package console_test

import (
	"html"
	"net/http"
	"regexp"
	"testing"
	"time"

	"daypass/internal/stacktest"
)

var tokenStrings = regexp.MustCompile(`(?s)<code id="token-(key|secret)"[^>]*>(.*?)</code>`)

func TestTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.withAPI(t)
	b := s.browser(t)
	b.wantSent(b.post("/login", "username", stacktest.RootEmailA, "password", stacktest.RootPassword), "/profile")
	b.want(b.get("/profile"), http.StatusOK, `href="/tokens"`)
	b.want(b.get("/tokens"), http.StatusOK, "There are no API tokens yet.")
	b.want(b.post("/tokens", "name", "x", "role", "api_user"), http.StatusBadRequest, "Name must have")
	a := b.post("/tokens", "name", "build", "description", "for the build", "role", "api_readonly")
	b.want(a, http.StatusOK, "shown this once", "api_readonly")
	found := map[string]string{}
	for _, m := range tokenStrings.FindAllStringSubmatch(a.body, -1) {
		found[m[1]] = html.UnescapeString(m[2])
	}
	if len(found["secret"]) != 32 || len(found["key"]) != 36 {
		t.Fatalf("shown: %v", found)
	}
	b.want(b.get("/tokens"), http.StatusOK, "build", "for the build", found["key"], "by you")
	s.Clock.Advance(5 * time.Minute)
	b.wantSent(b.post("/tokens", "name", "late", "role", "api_user"), "/again?next=%2Ftokens")
	b.wantSent(b.post("/tokens/delete", "key", found["key"]), "/tokens?done=token-deleted")
	b.want(b.post("/tokens/delete", "key", found["key"]), http.StatusNotFound)
	b.want(b.get("/tokens"), http.StatusOK, "There are no API tokens yet.")

	// Who may not, is not offered it, and is refused.
	other := s.logIn(t, boss)
	if page := other.get("/profile"); regexp.MustCompile(`href="/tokens"`).MatchString(page.body) {
		t.Error("tokens are offered to a user without rights")
	}
	other.want(other.get("/tokens"), http.StatusForbidden, "Not allowed")
	other.want(other.post("/tokens", "name", "mine", "role", "api_user"), http.StatusForbidden)
}
