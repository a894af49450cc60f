package console

import (
	"net/http"
	"net/url"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// What people must do before they can log in: change a password, set up a
// second factor. They have no session yet, so each form proves them again.

func (c *Console) showRenew(v *visit, w view, form loginForm) error {
	v.caller = nil
	w.Title, w.Data = "Choose a new password", form
	return c.show(v, "renew", w)
}

// renewPassword replaces a password that must be changed; the new one then logs
// in.
func (c *Console) renewPassword(v *visit) error {
	f := v.r.PostForm
	form := loginForm{Place: f.Get("place"), Username: f.Get("username"), Next: c.inside(f.Get("next"))}
	if f.Get("new") != f.Get("repeated") {
		return c.showRenew(v, view{Status: http.StatusBadRequest, Alarm: notRepeated}, form)
	}
	err := c.Directory.RenewPassword(v.r.Context(), directory.RenewedPassword{
		Place: form.Place, Username: form.Username, Old: identity.Secret(f.Get("password")), New: identity.Secret(f.Get("new")), Code: codeOf(f),
	})
	if err == nil {
		q := url.Values{"done": {"password-changed"}, "realm": {form.Place}, "user": {form.Username}, "next": {form.Next}}
		return v.see("/login?" + q.Encode())
	}
	w, known := refusedProof(err)
	if identity.KindOf(err) == identity.KindValidation {
		w, known = view{Status: http.StatusBadRequest, Alarm: sentence(err)}, true
	}
	if !known {
		return err
	}
	form.Code = identity.KindOf(err) == identity.KindMFARequired
	return c.showRenew(v, w, form)
}

const notRepeated = "The two new passwords differ."

// setUpData is what the page of a second factor that is owed shows.
type setUpData struct {
	loginForm
	enrolData
}

// setUpFactor begins to set up the authenticator that a person owes, who has
// just shown the password.
func (c *Console) setUpFactor(v *visit, form loginForm, password identity.Secret) error {
	seed, err := c.Directory.EnrolAtLogin(v.r.Context(), directory.LoginFactor{Place: form.Place, Username: form.Username, Password: password})
	if err != nil {
		return err
	}
	data, err := c.enrolment(form.Username, seed)
	if err != nil {
		return err
	}
	return c.showSetUp(v, view{Status: http.StatusUnauthorized}, setUpData{form, data})
}

func (c *Console) showSetUp(v *visit, w view, data setUpData) error {
	v.caller = nil
	w.Title, w.Data = "Set up an authenticator", data
	return c.show(v, "setup", w)
}

// confirmFactor ends what setUpFactor began; password and code then log in.
func (c *Console) confirmFactor(v *visit) error {
	f := v.r.PostForm
	form := loginForm{Place: f.Get("place"), Username: f.Get("username"), Next: c.inside(f.Get("next"))}
	err := c.Directory.ConfirmAtLogin(v.r.Context(), directory.LoginFactor{
		Place: form.Place, Username: form.Username, Password: identity.Secret(f.Get("password")), Code: codeOf(f).Reveal(),
	})
	if err == nil {
		q := url.Values{"done": {"authenticator-on"}, "realm": {form.Place}, "user": {form.Username}, "next": {form.Next}}
		return v.see("/login?" + q.Encode())
	}
	w, known := refusedProof(err)
	if !known {
		return err
	}
	return c.showSetUp(v, w, setUpData{loginForm: form})
}
