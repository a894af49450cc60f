package console_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

var shownCode = regexp.MustCompile(`<code id="passcode"[^>]*>([^<]*)</code>`)

// passcode is the one-time code that a page shows; "" for none.
func (a answer) passcode() identity.Secret {
	m := shownCode.FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return identity.Secret(html.UnescapeString(m[1]))
}

func (s *site) useCode(t *testing.T, code identity.Secret) (issue.IBMTokens, error) {
	t.Helper()
	ctx := identity.WithRequest(t.Context(), identity.RequestFacts{ID: "REQUEST2", SourceIP: "192.0.2.99", UserAgent: "ibmcloud/<2.0>"})
	return s.Issuer.IBMPasscode(ctx, code, "", issue.IBMClient{ID: "bx", Secret: "bx"})
}

func TestPasscode(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacktest.WithIBM())
	b := s.browser(t)
	b.wantSent(b.get("/passcode"), "/login?next=%2Fpasscode")
	b.wantSent(b.post("/login", "place", "shasta", "username", stacktest.TestUser, "password", stacktest.TestPassword, "next", "/passcode"), "/passcode")
	a := b.get("/passcode")
	b.want(a, http.StatusOK, "Make a one-time code", `href="/passcode"`)
	if a.passcode() != "" || strings.Contains(a.body, "Your last code") {
		t.Errorf("a page that was opened shows a code\n%s", a.body)
	}
	a = b.post("/passcode")
	b.want(a, http.StatusOK, "shown this once", "Good until", stacktest.AccountA)
	first := a.passcode()
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", a.Header)
	}
	if a = b.get("/passcode"); a.passcode() != "" || strings.Contains(a.body, first.Reveal()) {
		t.Errorf("the code is shown twice\n%s", a.body)
	}
	b.want(a, http.StatusOK, "not yet; it is good until")
	second := b.post("/passcode").passcode()
	if _, err := s.useCode(t, first); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("the code before: %v", err)
	}
	if _, err := s.useCode(t, second); err != nil {
		t.Fatal(err)
	}
	b.want(b.get("/passcode"), http.StatusOK, "192.0.2.99", "ibmcloud/<2.0>", "If that was not you")
	b.want(b.get("/sessions"), http.StatusOK, "IBM Cloud IAM, client bx", "192.0.2.99")
	b.post("/passcode")
	s.Clock.Advance(5 * time.Minute)
	b.wantSent(b.post("/passcode"), "/again?next=%2Fpasscode")
	b.wantSent(b.get("/passcode"), "/again?next=%2Fpasscode")
	b.wantSent(b.post("/again", "password", stacktest.TestPassword, "next", "/passcode"), "/passcode?done=proved")
	b.want(b.get("/passcode?done=proved"), http.StatusOK, "one-time codes for the next five minutes", "no, and it is too old now")
	if strings.Contains(s.log.String(), second.Reveal()) {
		t.Error("the log holds a code")
	}
}

// TestPasscodeIsAskedForHere: a code is made by a page of ours alone.
func TestPasscodeIsAskedForHere(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacktest.WithIBM())
	b := s.logIn(t, stacktest.TestUser)
	r := b.form("/passcode")
	r.Header.Set("Origin", "https://evil.example.com")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := b.send(r); a.StatusCode != http.StatusForbidden || a.passcode() != "" {
		t.Errorf("%d\n%s", a.StatusCode, a.body)
	}
}

// TestPasscodeIsForOneRealm: others are told whose it is, and are not offered it.
func TestPasscodeIsForOneRealm(t *testing.T) {
	t.Parallel()
	s := newSite(t, stacktest.WithIBM())
	b := s.browser(t)
	b.wantSent(b.post("/login", "username", stacktest.RootEmailA, "password", stacktest.RootPassword), "/profile")
	for _, a := range []answer{b.get("/passcode"), b.post("/passcode")} {
		b.want(a, http.StatusForbidden, "users of the realm shasta in account "+stacktest.AccountA)
	}
	if page := b.get("/profile"); strings.Contains(page.body, `href="/passcode"`) {
		t.Error("codes are offered to the root user")
	}
	none := newSite(t)
	c := none.logIn(t, stacktest.TestUser)
	c.want(c.get("/passcode"), http.StatusNotFound)
	c.want(c.post("/passcode"), http.StatusNotFound)
	if page := c.get("/profile"); strings.Contains(page.body, `href="/passcode"`) {
		t.Error("codes are offered without the dialect")
	}
}
