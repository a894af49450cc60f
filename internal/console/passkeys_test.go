package console_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/passkeytest"
	"daypass/internal/stacktest"
)

func (s *site) invite(t *testing.T, name string) string {
	t.Helper()
	l, err := s.Directory.InviteUser(t.Context(), s.Operator(), directory.Invitation{UserName: directory.UserName{AccountID: "alias-a", Name: name}})
	if err != nil {
		t.Fatal(err)
	}
	link, ok := strings.CutPrefix(l.Link.Reveal(), origin)
	if !ok {
		t.Fatalf("link to %s", l.Link.Reveal())
	}
	return link
}

func tokenOf(link string) string { _, t, _ := strings.Cut(link, "?t="); return t }

// ceremony asks for a ceremony as the script does.
func (b *browser) ceremony(path string, pairs ...string) (options json.RawMessage, state string) {
	b.t.Helper()
	a := b.post(path, pairs...)
	var out struct {
		Options     json.RawMessage
		State       string
		Error, Next string
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("%s: %d %s", path, a.StatusCode, a.body)
	}
	return out.Options, out.State
}

func TestWelcomePassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	link := s.invite(t, "alice")
	b := s.browser(t)
	for range 2 { // a look, as a program has at links in messages
		a := b.get(link)
		b.want(a, http.StatusOK, "This link is for <strong>alice</strong>", "at least 8 characters", "Register a passkey")
		if a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", a.Header)
		}
	}
	token := tokenOf(link)
	b.want(b.post("/welcome", "t", token, "new", "new password", "repeated", "other"), http.StatusBadRequest, "differ")
	b.want(b.post("/welcome", "t", token, "new", "short", "repeated", "short"), http.StatusBadRequest, "minimum length")
	b.wantSent(b.post("/welcome", "t", token, "new", "new password", "repeated", "new password"), "/login?done=welcome&realm=shasta&user=alice")
	b.want(b.get("/login?done=welcome&realm=shasta&user=alice"), http.StatusOK, "All is set up", "alice")
	b.wantSent(b.post("/login", "place", "shasta", "username", "alice", "password", "new password"), "/profile")
	b.want(s.browser(t).get(link), http.StatusGone, "used already")
	b.want(s.browser(t).get("/welcome"), http.StatusGone, "never made here")
	b.want(s.browser(t).post("/welcome", "t", token, "new", "new password", "repeated", "new password"), http.StatusGone, "used already")

	late := s.invite(t, "bob")
	s.Clock.Advance(24 * time.Hour)
	b.want(s.browser(t).get(late), http.StatusGone, "expired")
	if logs := s.log.String() + s.AuditLines(t); strings.Contains(logs, token) || strings.Contains(logs, "new password") {
		t.Error("the logs hold the link or the password")
	}
}

func TestPasskeyPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := tokenOf(s.invite(t, "alice"))
	key := passkeytest.New(t, origin)
	b := s.browser(t)
	options, state := b.ceremony("/welcome/passkey/begin", "t", token)
	b.wantSent(b.post("/welcome/passkey", "t", token, "state", state, "answer", string(key.Create(t, options)), "name", "laptop"), "/login?done=welcome&realm=shasta&user=alice")

	logIn := func(b *browser, key *passkeytest.Authenticator) answer {
		options, state := b.ceremony("/login/passkey/begin")
		return b.post("/login/passkey", "state", state, "answer", string(key.Get(t, options)), "next", "/security")
	}
	b.wantSent(logIn(b, key), "/security")
	b.want(b.get("/profile"), http.StatusOK, "with a second factor")
	b.want(b.get("/security"), http.StatusOK, "laptop", "Add a passkey")

	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(b.get("/security").body)
	if id == nil {
		t.Fatal("no passkey on the page")
	}
	b.wantSent(b.post("/security/passkeys/rename", "id", id[1], "name", "<old> laptop"), "/security?done=passkey-renamed")
	b.want(b.get("/security"), http.StatusOK, "<old> laptop")
	b.want(b.post("/security/passkeys/remove", "id", id[1]), http.StatusConflict, "last way to log in")

	second := passkeytest.New(t, origin)
	options, state = b.ceremony("/security/passkeys/begin")
	b.wantSent(b.post("/security/passkeys", "state", state, "answer", string(second.Create(t, options))), "/login?done=passkey-added")
	if b.cookie != "" {
		t.Error("the session stays")
	}
	b.wantSent(logIn(b, second), "/security")
	s.Clock.Advance(5 * time.Minute)
	if a := b.post("/security/passkeys/begin"); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "/again?next=") {
		t.Errorf("with an old log-in: %d %s", a.StatusCode, a.body)
	}
	options, state = b.ceremony("/login/passkey/begin")
	b.wantSent(b.post("/again/passkey", "state", state, "answer", string(second.Get(t, options)), "next", "/security"), "/security?done=proved")
	b.wantSent(b.post("/security/passkeys/remove", "id", id[1]), "/login?done=passkey-removed")
	b.want(logIn(b, key), http.StatusUnauthorized, "not accepted")

	evil := *second
	evil.Origin = "https://evil.example"
	b.want(logIn(b, &evil), http.StatusUnauthorized, "not accepted")
	b.want(b.post("/login/passkey"), http.StatusUnauthorized, "no longer good")
	for _, path := range []string{"/login/passkey/begin", "/login/passkey", "/welcome", "/welcome/passkey", "/welcome/identity", "/login/code", "/security/passkeys", "/security/identities"} {
		r := b.form(path)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		b.want(b.send(r), http.StatusForbidden, "not sent from a page of the console")
	}
}

const loginCookie = "__Host-daypass-login"

// away follows a link to a foreign issuer and returns where it leads, and the
// cookie of the log-in under way.
func (b *browser) away(path string) (authorization, cookie string) {
	b.t.Helper()
	a := b.get(path)
	for _, k := range a.Cookies() {
		if k.Name == loginCookie {
			cookie = k.Value
			if !k.Secure || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" {
				b.t.Errorf("cookie %s", k.Raw)
			}
		}
	}
	if a.StatusCode != http.StatusSeeOther || cookie == "" {
		b.t.Fatalf("%s: %d\n%s", path, a.StatusCode, a.body)
	}
	return a.Header.Get("Location"), cookie
}

// back is led back by the issuer: without the session's cookie, as browsers do.
func (b *browser) back(login, cookie string, answer url.Values) answer {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, origin+"/login/callback/shasta/"+login+"?"+answer.Encode(), nil)
	r.AddCookie(&http.Cookie{Name: loginCookie, Value: cookie})
	held := b.cookie
	b.cookie = ""
	a := b.send(r)
	if b.cookie == "" {
		b.cookie = held
	}
	return a
}

func pendingOf(t *testing.T, a answer) string {
	t.Helper()
	m := regexp.MustCompile(`name="pending" value="([^"]+)"`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("nothing pending in\n%s", a.body)
	}
	return html.UnescapeString(m[1])
}

func TestForeignPages(t *testing.T) {
	t.Parallel()
	idp := stacktest.NewIssuer(t, func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) })
	s := newSite(t, stacktest.WithWeb(stacktest.Web(t, idp)))
	spec := stacktest.Site()
	spec.Realms[1].SupportContact = "desk@example.com"
	spec.Realms[1].Logins = []identity.ForeignLogin{idp.Login("corp")}
	spec.Realms[1].LoginSecrets = map[string]identity.Secret{"corp": identity.Secret(idp.ClientSecret)}
	if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
		t.Fatal(err)
	}
	b := s.browser(t)
	b.want(b.get("/login"), http.StatusOK, "Log in with corp", "/login/with/shasta/corp")
	at, cookie := b.away("/login/with/shasta/corp")
	b.want(b.back("corp", cookie, idp.Code(t, at, map[string]any{"preferred_username": "ann"})), http.StatusForbidden, "You are ann at corp", "desk@example.com")

	// By a one-time link, after the person's word.
	token := tokenOf(s.invite(t, "ann"))
	at, cookie = b.away("/welcome/with?t=" + token + "&login=corp")
	a := b.back("corp", cookie, idp.Code(t, at, map[string]any{"preferred_username": "ann"}))
	b.want(a, http.StatusOK, "You are <strong>ann</strong> at corp", "Link it")
	b.wantSent(b.post("/welcome/identity", "pending", pendingOf(t, a)), "/login?done=welcome&realm=shasta")
	b.want(b.post("/welcome/identity", "pending", pendingOf(t, a)), http.StatusGone, "used already")

	at, cookie = b.away("/login/with/shasta/corp")
	code := idp.Code(t, at, nil)
	a = b.back("corp", cookie, code)
	b.want(a, http.StatusOK, "You are logged in")
	if a.Header.Get("Refresh") != "0; url=/profile" {
		t.Errorf("Refresh %q", a.Header.Get("Refresh"))
	}
	b.want(b.get("/security"), http.StatusOK, ">ann<", "Link an identity of corp")
	other := s.browser(t)
	other.want(other.back("corp", cookie, code), http.StatusForbidden, "begin again")
	other.want(other.back("corp", "", idp.Code(t, at, nil)), http.StatusForbidden, "not begin in this browser")
	if other.cookie != "" {
		t.Error("another browser has a session")
	}

	// From the Security page.
	c := s.logIn(t, boss)
	at, cookie = c.away("/security/link/corp")
	a = c.back("corp", cookie, idp.Code(t, at, map[string]any{"sub": "foreign-2"}))
	c.want(a, http.StatusOK, "foreign-2", "Link it")
	b.want(b.post("/security/identities", "pending", pendingOf(t, a)), http.StatusForbidden, "begun for something else")
	c.wantSent(c.post("/security/identities", "pending", pendingOf(t, a)), "/login?done=identity-linked")
	at, cookie = c.away("/login/with/shasta/corp")
	c.want(c.back("corp", cookie, idp.Code(t, at, map[string]any{"sub": "foreign-2"})), http.StatusOK, "You are logged in")
	key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(c.get("/security").body)
	if key == nil {
		t.Fatal("no identity on the page")
	}
	c.wantSent(c.post("/security/identities/remove", "key", html.UnescapeString(key[1])), "/login?done=identity-unlinked")
	b.want(s.browser(t).get("/login/with/shasta/nosuch"), http.StatusNotFound)
	s.Clock.Advance(6 * time.Minute)
	d := s.browser(t)
	d.cookie = b.cookie
	d.wantSent(d.get("/security/link/corp"), "/again?next=%2Fsecurity")
}
