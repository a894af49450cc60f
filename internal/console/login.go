package console

import (
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

var loginPages = []page{
	{pattern: "GET /{$}", serve: func(_ *Console, v *visit) error { return v.see("/profile") }},
	{pattern: "GET /login", open: true, serve: (*Console).showLogin},
	{pattern: "POST /login", open: true, serve: (*Console).login},
	{pattern: "POST /login/password", open: true, serve: (*Console).renewPassword},
	{pattern: "POST /login/authenticator", open: true, serve: (*Console).confirmFactor},
	{pattern: "GET /again", serve: (*Console).showAgain},
	{pattern: "POST /again", serve: (*Console).again},
	{pattern: "POST /logout", serve: (*Console).logout},
}

// loginForm is what the log-in page shows and takes; never a password.
type loginForm struct {
	Place, Username, Next string
	// Code asks for the authenticator's code.
	Code bool
	// What follows are the other ways: passkeys, and the foreign log-ins of a realm.
	Passkeys bool
	Realm    string
	Logins   []string
}

func (c *Console) showLogin(v *visit) error {
	q := v.r.URL.Query()
	form := loginForm{Place: first(q.Get("realm"), q.Get("account")), Username: q.Get("user"), Next: c.inside(q.Get("next"))}
	if v.caller != nil {
		return v.see(first(form.Next, "/profile"))
	}
	w := view{}
	if q.Get("why") == "ended" {
		w.Notice = "Your session has ended. Log in again to go on."
	}
	return c.showLoginForm(v, w, form)
}

func (c *Console) login(v *visit) error {
	f := v.r.PostForm
	form := loginForm{Place: strings.TrimSpace(f.Get("place")), Username: strings.TrimSpace(f.Get("username")), Next: c.inside(f.Get("next"))}
	s, err := c.Issuer.ConsoleLogin(v.r.Context(), issue.ConsoleLogin{
		Place: form.Place, Username: form.Username, Password: identity.Secret(f.Get("password")), Code: codeOf(f),
	})
	if err == nil {
		c.keep(v, s)
		return v.see(first(form.Next, "/profile"))
	}
	switch e := identity.AsError(err); {
	case e.Kind == identity.KindPasswordExpired:
		return c.showRenew(v, view{Status: http.StatusUnauthorized}, form)
	case e.Kind == identity.KindMFARequired && e.DetailValue("Setup") != "":
		if err = c.setUpFactor(v, form, identity.Secret(f.Get("password"))); err == nil {
			return nil
		}
	}
	w, known := refusedProof(err)
	if identity.KindOf(err) == identity.KindValidation {
		w, known = view{Status: http.StatusUnauthorized, Alarm: sentence(err)}, true
	}
	if !known {
		return err
	}
	if identity.KindOf(err) == identity.KindMFARequired || identity.KindOf(err) == identity.KindAccessDenied {
		form.Code = true
	}
	v.caller = nil
	return c.showLoginForm(v, w, form)
}

// codeOf is the authenticator's code, which people write with a space.
func codeOf(f url.Values) identity.Secret {
	return identity.Secret(strings.ReplaceAll(strings.TrimSpace(f.Get("code")), " ", ""))
}

// refusedProof is what a form says about a proof that was refused; false for an
// error that has its own page.
func refusedProof(err error) (view, bool) {
	e := identity.AsError(err)
	w := view{Status: http.StatusUnauthorized}
	switch e.Kind {
	case identity.KindInvalidCredentials:
		w.Alarm = "Name and password do not fit together, or this user may not log in here."
	case identity.KindAccessDenied:
		w.Alarm = "That code is not right, or it was used before. Wait for the next one and try again."
	case identity.KindMFARequired:
		w.Alarm = "Your account asks for a code from your authenticator besides the password. Enter both."
	case identity.KindThrottled:
		w.Status, w.Alarm = http.StatusTooManyRequests, "Too many tries. Wait "+lengthOf(max(1, e.RetryAfterSeconds))+", then try again."
	default:
		return view{}, false
	}
	return w, true
}

// againForm asks for another proof of the person who is logged in.
type againForm struct{ Next string }

func (c *Console) showAgain(v *visit) error {
	return c.show(v, "again", view{Title: "Confirm that it is you", Data: againForm{c.inside(v.r.URL.Query().Get("next"))}})
}

func (c *Console) again(v *visit) error {
	f := v.r.PostForm
	s, err := c.Issuer.ConsoleProve(v.r.Context(), v.caller, identity.Secret(f.Get("password")), codeOf(f))
	form := againForm{c.inside(f.Get("next"))}
	if err == nil {
		c.keep(v, s)
		return v.see(withDone(first(form.Next, "/profile"), "proved"))
	}
	w, known := refusedProof(err)
	if !known {
		return err
	}
	w.Title, w.Data = "Confirm that it is you", form
	return c.show(v, "again", w)
}

func (c *Console) logout(v *visit) error {
	if err := c.Issuer.ConsoleLogout(v.r.Context(), v.caller); err != nil {
		return err
	}
	c.forget(v)
	return v.see("/login?done=logged-out")
}

// inside is an address within the console to go on to, "" for any other: it
// comes from a query or a form.
func (c *Console) inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return ""
	}
	if !c.leadsTo[u.Path] {
		return ""
	}
	return u.RequestURI()
}

// withDone adds what was done to an address within the console.
func withDone(address, done string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "/profile?done=" + done
	}
	q := u.Query()
	q.Set("done", done)
	u.RawQuery = q.Encode()
	return u.RequestURI()
}

func first(values ...string) string {
	for _, s := range values {
		if s != "" {
			return s
		}
	}
	return ""
}
