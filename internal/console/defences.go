package console

import (
	"net"
	"net/http"
	"strings"

	"daypass/internal/identity"
)

// formsTo is the part of policy that says where forms may lead.
const formsTo = "form-action 'self'"

// policy is the Content-Security-Policy of every answer: all that a page uses
// comes from here, and no page is shown within another.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	formsTo + "; frame-ancestors 'none'; base-uri 'none'"

// defended wraps all pages: headers of every answer, the host name, and that
// what changes something was sent from a page of ours.
func (c *Console) defended(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(&visit{w: w, r: r}, identity.NewError(identity.KindAccessDenied, "console.origin",
			"This request was not sent from a page of the console. Open the console and try again from there."))
	}))
	next = origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		if c.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if hostName(r.Host) != c.host {
			// In plain text: the page's links would lead nowhere.
			h.Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusMisdirectedRequest)
			_, _ = w.Write([]byte("This host name is not served here.\n"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}
