package console

import (
	"net/http"

	"daypass/internal/identity"
)

// Log-ins by foreign issuers. They begin with a link, not a form: the policy
// lets no form of ours lead to another site.
var foreignPages = []page{
	{pattern: "GET /login/with/{realm}/{login}", open: true, serve: (*Console).loginWith},
	{pattern: "GET /login/callback/{realm}/{login}", open: true, serve: (*Console).foreignAnswer},
	{pattern: "POST /login/code", open: true, serve: (*Console).foreignCode},
	{pattern: "GET /security/link/{login}", serve: (*Console).linkWith},
	{pattern: "POST /security/identities", serve: (*Console).linkIdentity},
	{pattern: "POST /security/identities/remove", fresh: "/security", serve: (*Console).unlinkIdentity},
}

// foreignTime is how long a browser keeps the cookie of a log-in under way.
const foreignTime = 10 * 60

// foreignCookie is that cookie's name. It is sent when the issuer leads the
// browser back, as the session's is not.
func (c *Console) foreignCookie() string {
	if c.secure {
		return "__Host-daypass-login"
	}
	return "daypass-login"
}

func (c *Console) setForeignCookie(v *visit, text string, maxAge int) {
	http.SetCookie(v.w, &http.Cookie{
		Name: c.foreignCookie(), Value: text, Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// leave sends the browser to a foreign issuer.
func (c *Console) leave(v *visit, url string, cookie identity.Secret) error {
	c.setForeignCookie(v, cookie.Reveal(), foreignTime)
	return v.see(url)
}

func (c *Console) loginWith(v *visit) error {
	b, err := c.Issuer.BeginForeign(v.r.Context(), v.r.PathValue("realm"), v.r.PathValue("login"))
	if err != nil {
		return err
	}
	return c.leave(v, b.URL, b.Cookie)
}

// foreignData is what the page after a foreign issuer shows: Ask is "code" for a
// second factor, "link" or "welcome" for the person's word, "" to go on.
type foreignData struct {
	Ask, Login, Label string
	Pending           identity.Secret
}

func (c *Console) foreignAnswer(v *visit) error {
	cookie := identity.Secret("")
	if k, err := v.r.Cookie(c.foreignCookie()); err == nil {
		cookie = identity.Secret(k.Value)
	}
	c.setForeignCookie(v, "", -1)
	v.caller = nil
	a, err := c.Issuer.Foreign(v.r.Context(), v.r.PathValue("realm"), v.r.PathValue("login"), cookie, v.r.URL.Query())
	if err != nil {
		return err
	}
	data := foreignData{Login: a.Login, Label: a.Label, Pending: a.Pending}
	switch {
	case a.Session != nil:
		// A page, and no redirect: browsers do not send the session's cookie while
		// they follow redirects that began at another site.
		c.keep(v, *a.Session)
		v.w.Header().Set("Refresh", "0; url=/profile")
		return c.show(v, "foreign", view{Title: "Logged in", Data: data})
	case a.For.Purpose == "login":
		data.Ask = "code"
	default:
		data.Ask = string(a.For.Purpose)
	}
	return c.show(v, "foreign", view{Title: "One more step", Data: data})
}

func (c *Console) foreignCode(v *visit) error {
	pending := identity.Secret(v.r.PostForm.Get("pending"))
	s, err := c.Issuer.ForeignCode(v.r.Context(), pending, codeOf(v.r.PostForm))
	if err == nil {
		c.keep(v, s)
		return v.see("/profile")
	}
	v.caller = nil
	if w, known := refusedProof(err); known && identity.KindOf(err) != identity.KindInvalidCredentials {
		w.Title, w.Data = "One more step", foreignData{Ask: "code", Pending: pending}
		return c.show(v, "foreign", w)
	}
	return err
}

func (c *Console) linkWith(v *visit) error {
	b, err := c.Directory.BeginOwnForeign(v.r.Context(), v.caller, v.r.PathValue("login"))
	if err != nil {
		return c.refusedFactor(v, err)
	}
	return c.leave(v, b.URL, b.Cookie)
}

func (c *Console) linkIdentity(v *visit) error {
	p, err := c.Issuer.ForeignProof(identity.Secret(v.r.PostForm.Get("pending")))
	if err == nil {
		err = c.Directory.LinkForeign(v.r.Context(), v.caller, p)
	}
	if err != nil {
		return c.refusedFactor(v, err)
	}
	return c.endedBy(v, "identity-linked")
}

func (c *Console) unlinkIdentity(v *visit) error {
	if err := c.Directory.UnlinkForeign(v.r.Context(), v.caller, v.r.PostForm.Get("key")); err != nil {
		return c.refusedFactor(v, err)
	}
	return c.endedBy(v, "identity-unlinked")
}
