package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/stacktest"
)

// everyPage are all pages: status without and with a session, and where the
// former leads.
var everyPage = []struct {
	method, path string
	out, in      int
}{
	{"GET", "/", http.StatusSeeOther, http.StatusSeeOther},
	{"GET", "/login", http.StatusOK, http.StatusSeeOther},
	{"POST", "/login", http.StatusUnauthorized, http.StatusUnauthorized},
	{"GET", "/again", http.StatusSeeOther, http.StatusOK},
	{"POST", "/again", http.StatusUnauthorized, http.StatusUnauthorized},
	{"GET", "/profile", http.StatusSeeOther, http.StatusOK},
	{"POST", "/keys", http.StatusUnauthorized, http.StatusBadRequest},
	{"POST", "/login/password", http.StatusUnauthorized, http.StatusUnauthorized},
	{"POST", "/login/authenticator", http.StatusUnauthorized, http.StatusUnauthorized},
	{"GET", "/sessions", http.StatusSeeOther, http.StatusOK},
	{"POST", "/sessions/end", http.StatusUnauthorized, http.StatusNotFound},
	{"POST", "/sessions/end-others", http.StatusUnauthorized, http.StatusSeeOther},
	{"GET", "/tokens", http.StatusSeeOther, http.StatusForbidden},
	{"POST", "/tokens", http.StatusUnauthorized, http.StatusForbidden},
	{"POST", "/tokens/delete", http.StatusUnauthorized, http.StatusForbidden},
	{"GET", "/security", http.StatusSeeOther, http.StatusOK},
	{"POST", "/security/password", http.StatusUnauthorized, http.StatusBadRequest},
	{"POST", "/security/authenticator", http.StatusUnauthorized, http.StatusOK},
	{"POST", "/security/authenticator/confirm", http.StatusUnauthorized, http.StatusForbidden},
	{"GET", "/welcome", http.StatusGone, http.StatusGone},
	{"POST", "/welcome", http.StatusGone, http.StatusGone},
	{"POST", "/welcome/passkey", http.StatusGone, http.StatusGone},
	{"POST", "/welcome/identity", http.StatusBadRequest, http.StatusBadRequest},
	{"GET", "/welcome/with", http.StatusGone, http.StatusGone},
	{"POST", "/login/passkey", http.StatusUnauthorized, http.StatusUnauthorized},
	{"POST", "/login/code", http.StatusBadRequest, http.StatusBadRequest},
	{"GET", "/login/with/shasta/nosuch", http.StatusNotFound, http.StatusNotFound},
	{"GET", "/login/callback/shasta/nosuch", http.StatusNotFound, http.StatusNotFound},
	{"POST", "/again/passkey", http.StatusUnauthorized, http.StatusUnauthorized},
	{"POST", "/security/passkeys", http.StatusUnauthorized, http.StatusBadRequest},
	{"POST", "/security/passkeys/remove", http.StatusUnauthorized, http.StatusNotFound},
	{"GET", "/security/link/nosuch", http.StatusSeeOther, http.StatusNotFound},
	{"GET", "/nosuch", http.StatusNotFound, http.StatusNotFound},
	{"GET", "/login/../nosuch", http.StatusTemporaryRedirect, http.StatusTemporaryRedirect},
	{"PUT", "/profile", http.StatusNotFound, http.StatusNotFound},
	{"GET", "/assets/nosuch.css", http.StatusNotFound, http.StatusNotFound},
	{"GET", "/assets/pico.LICENSE.md", http.StatusNotFound, http.StatusNotFound},
	{"POST", "/logout", http.StatusUnauthorized, http.StatusSeeOther},
	{"POST", "/security/authenticator/remove", http.StatusUnauthorized, http.StatusUnauthorized},
}

func TestEveryPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	in := s.logIn(t, boss)
	for _, p := range everyPage {
		for _, b := range []*browser{s.browser(t), in} {
			want := p.out
			if b == in {
				want = p.in
			}
			r := httptest.NewRequest(p.method, origin+p.path, nil)
			if p.method == http.MethodPost {
				r = b.form(p.path)
			}
			a := b.send(r)
			if a.StatusCode != want {
				t.Errorf("%s %s, session %v: %d to %q, want %d", p.method, p.path, b == in, a.StatusCode, a.Header.Get("Location"), want)
			}
			for name, value := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; ", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=",
			} {
				if !strings.HasPrefix(a.Header.Get(name), value) {
					t.Errorf("%s %s: %s is %q", p.method, p.path, name, a.Header.Get(name))
				}
			}
			for _, bad := range []string{"<script>", " style=", " onclick=", "javascript:", "http://"} {
				if strings.Contains(a.body, bad) {
					t.Errorf("%s %s: the page holds %q", p.method, p.path, bad)
				}
			}
			if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") && a.StatusCode < 300 || a.StatusCode >= 400 {
				if !strings.Contains(a.body, `<html lang="en">`) || strings.Count(a.body, "<h1>") != 1 {
					t.Errorf("%s %s: no page with one heading\n%s", p.method, p.path, a.body)
				}
			}
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser(t)
	page := b.get("/login").body
	for _, name := range []string{"pico.css", "console.css", "console.js", "icon.svg"} {
		_, rest, ok := strings.Cut(page, `"/assets/`+name+`?v=`)
		v, _, _ := strings.Cut(rest, `"`)
		if !ok {
			t.Errorf("the page uses no %s", name)
			continue
		}
		if a := b.get("/assets/" + name + "?v=" + v); a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %s", name, a.StatusCode, a.Header.Get("Cache-Control"))
		}
	}
}

func TestForeignHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.logIn(t, boss)
	for host, want := range map[string]int{
		"console.example.com": http.StatusOK, "CONSOLE.example.com.": http.StatusOK, "console.example.com:443": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "console.example.com.evil.example": http.StatusMisdirectedRequest, "127.0.0.1": http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequest(http.MethodGet, origin+"/profile", nil)
		r.Host = host
		if a := b.send(r); a.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, a.StatusCode, want)
		}
	}
}

// TestForeignOrigin: nothing is changed by a form of another site.
func TestForeignOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.logIn(t, boss)
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		for _, path := range []string{"/keys", "/logout", "/login", "/again"} {
			r := b.form(path, "role", "", "seconds", "900", "place", "shasta", "username", boss, "password", stacktest.TestPassword)
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Del("Origin")
			r.Header.Set(header[0], header[1])
			b.want(b.send(r), http.StatusForbidden, "not sent from a page of the console")
		}
	}
	b.want(b.get("/profile"), http.StatusOK)
}
