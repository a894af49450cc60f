package console

import (
	"net/http"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// cookieName is that of the session cookie. Over TLS its prefix binds it to
// this very host and to TLS.
func (c *Console) cookieName() string {
	if c.secure {
		return "__Host-daypass"
	}
	return "daypass"
}

// session finds who sent a request. A page that is opened keeps the session
// from falling idle.
func (c *Console) session(v *visit) (*identity.Caller, error) {
	text := identity.Secret("")
	if k, err := v.r.Cookie(c.cookieName()); err == nil {
		text = identity.Secret(k.Value)
	}
	caller, err := c.Access.Cookie(v.r.Context(), text)
	if err != nil || v.r.Method != http.MethodGet {
		return caller, err
	}
	s, err := c.Issuer.ConsoleSeen(v.r.Context(), caller)
	if err != nil {
		return nil, err
	}
	c.keep(v, s)
	return caller, nil
}

// keep gives the browser the cookie of a session.
func (c *Console) keep(v *visit, s issue.ConsoleSession) {
	c.setCookie(v, s.Cookie.Reveal(), max(1, int(s.ExpiresAt.Sub(c.Clock.Now())/time.Second)))
}

func (c *Console) forget(v *visit) { c.setCookie(v, "", -1) }

func (c *Console) setCookie(v *visit, text string, maxAge int) {
	http.SetCookie(v.w, &http.Cookie{
		Name: c.cookieName(), Value: text, Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}
