package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"daypass/internal/stacktest"
)

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

// asking is the query of a program that asks for a code, with changes.
func asking(pairs ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {"bx"}, "redirect_uri": {"http://127.0.0.1:4000/back"}, "state": {"a&b"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacktest.WithIBM())
	b := s.browser(t)
	page := "/authorize?" + asking()
	b.wantSent(b.get(page), "/login?"+url.Values{"next": {page}}.Encode())
	b.wantSent(b.post("/login", "place", "shasta", "username", stacktest.TestUser, "password", stacktest.TestPassword, "next", page), page)
	a := b.get(page)
	b.want(a, http.StatusOK, "A program on this computer", "http://127.0.0.1:4000", "Log it in", `value="a&b"`)
	if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' http://127.0.0.1:4000; frame-ancestors 'none'") {
		t.Errorf("the policy is %s", csp)
	}
	form, err := url.ParseQuery(asking())
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for name := range form {
		pairs = append(pairs, name, form.Get(name))
	}
	a = b.post("/authorize", pairs...)
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || to.Host != "127.0.0.1:4000" || to.Query().Get("state") != "a&b" || len(to.Query().Get("code")) != 43 {
		t.Errorf("%d to %s", a.StatusCode, a.Header.Get("Location"))
	}
	for want, query := range map[string]string{
		"client_id must be bx":         asking("client_id", "app"),
		"not on this computer":         asking("redirect_uri", "https://evil.example.com/"),
		"response_type=code":           asking("response_type", "token"),
		"method S256":                  asking("code_challenge_method", "plain"),
		"of method S256":               asking("code_challenge", ""),
		"the query alone":              asking("response_mode", "fragment"),
		"without your word":            asking("prompt", "none"),
		"redirect_uri stands twice":    asking() + "&redirect_uri=http%3A%2F%2F127.0.0.1%3A5000",
		"response_type=code, of no op": "",
	} {
		want, _, _ = strings.Cut(want, ",")
		a := b.get("/authorize?" + query)
		b.want(a, http.StatusBadRequest, want)
		if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self';") {
			t.Errorf("the policy is %s", csp)
		}
	}
	s.Clock.Advance(5 * time.Minute)
	again := "/again?" + url.Values{"next": {page}}.Encode()
	b.wantSent(b.get(page), again)
	b.wantSent(b.post("/authorize", pairs...), again)

	root := s.browser(t)
	root.wantSent(root.post("/login", "username", stacktest.RootEmailA, "password", stacktest.RootPassword), "/profile")
	root.want(root.get(page), http.StatusForbidden, "users of the realm shasta")
	root.want(root.post("/authorize", pairs...), http.StatusForbidden)
}
