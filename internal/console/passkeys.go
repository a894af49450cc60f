package console

import (
	"encoding/json"
	"net/http"

	"daypass/internal/identity"
)

// Passkeys need a script: it fetches what the authenticator is asked, and sends
// the answer with the form of the page.
var passkeyPages = []page{
	{pattern: "POST /login/passkey/begin", open: true, serve: (*Console).beginPasskeyLogin},
	{pattern: "POST /login/passkey", open: true, serve: (*Console).passkeyLogin},
	{pattern: "POST /again/passkey", serve: (*Console).againByPasskey},
	{pattern: "POST /security/passkeys/begin", serve: (*Console).beginPasskey},
	{pattern: "POST /security/passkeys", fresh: "/security", serve: (*Console).addPasskey},
	{pattern: "POST /security/passkeys/rename", serve: (*Console).renamePasskey},
	{pattern: "POST /security/passkeys/remove", fresh: "/security", serve: (*Console).removePasskey},
}

// ceremony is what the script gets.
type ceremony struct {
	Options json.RawMessage `json:"options,omitempty"`
	State   string          `json:"state,omitempty"`
	// Error is a sentence for the person, in place of the others; Next a page to
	// go to first.
	Error string `json:"error,omitempty"`
	Next  string `json:"next,omitempty"`
}

func (v *visit) sendCeremony(options json.RawMessage, state identity.Secret, err error) error {
	out, status := ceremony{Options: options, State: state.Reveal()}, http.StatusOK
	switch identity.KindOf(err) {
	case "":
	case identity.KindInternal:
		return err
	case identity.KindExpiredIdentity:
		out, status = ceremony{Next: "/again?next=%2Fsecurity"}, http.StatusForbidden
	default:
		out, status = ceremony{Error: sentence(err)}, http.StatusForbidden
	}
	b, err := json.Marshal(out)
	if err != nil {
		return &identity.Error{Kind: identity.KindInternal, Op: "console.passkey", Err: err}
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b)
	return nil
}

// answerOf are state and answer of a ceremony, as the script put them into the
// form.
func answerOf(v *visit) (identity.Secret, []byte) {
	return identity.Secret(v.r.PostForm.Get("state")), []byte(v.r.PostForm.Get("answer"))
}

func (c *Console) beginPasskeyLogin(v *visit) error {
	b, err := c.Issuer.BeginPasskey()
	return v.sendCeremony(b.Options, b.State, err)
}

func (c *Console) passkeyLogin(v *visit) error {
	form := loginForm{Next: c.inside(v.r.PostForm.Get("next"))}
	state, answer := answerOf(v)
	s, err := c.Issuer.ConsolePasskey(v.r.Context(), state, answer)
	switch kind := identity.KindOf(err); kind {
	case "":
		c.keep(v, s)
		return v.see(first(form.Next, "/profile"))
	case identity.KindPasswordExpired:
		v.caller = nil
		return c.showLoginForm(v, view{Status: http.StatusUnauthorized, Alarm: "Your password must be changed before you can log in: log in with it."}, form)
	case identity.KindInvalidCredentials, identity.KindInvalidGrant, identity.KindValidation:
		v.caller = nil
		return c.showLoginForm(v, view{Status: http.StatusUnauthorized, Alarm: first(sentence(err), "This passkey does not log in here.")}, form)
	}
	return err
}

// showLoginForm shows the log-in page with all ways there are.
func (c *Console) showLoginForm(v *visit, w view, form loginForm) error {
	_, err := c.Issuer.BeginPasskey()
	form.Passkeys = err == nil
	form.Realm, form.Logins = c.Issuer.ForeignLogins(v.r.Context(), form.Place)
	w.Title, w.Data = "Log in", form
	return c.show(v, "login", w)
}

func (c *Console) againByPasskey(v *visit) error {
	form := againForm{c.inside(v.r.PostForm.Get("next"))}
	state, answer := answerOf(v)
	s, err := c.Issuer.ConsoleProvePasskey(v.r.Context(), v.caller, state, answer)
	switch kind := identity.KindOf(err); kind {
	case "":
		c.keep(v, s)
		return v.see(withDone(first(form.Next, "/profile"), "proved"))
	case identity.KindInvalidCredentials, identity.KindInvalidGrant, identity.KindValidation:
		return c.show(v, "again", view{Title: "Confirm that it is you", Data: form, Status: http.StatusUnauthorized, Alarm: first(sentence(err), "This passkey is not yours.")})
	}
	return err
}

func (c *Console) beginPasskey(v *visit) error {
	b, err := c.Directory.RegisterPasskey(v.r.Context(), v.caller)
	return v.sendCeremony(b.Options, b.State, err)
}

// refusedFactor shows the Security page again, with what was wrong.
func (c *Console) refusedFactor(v *visit, err error) error {
	switch kind := identity.KindOf(err); kind {
	case identity.KindExpiredIdentity:
		return v.see("/again?next=%2Fsecurity")
	case identity.KindInvalidInput, identity.KindInvalidGrant, identity.KindValidation, identity.KindLimitExceeded, identity.KindAlreadyExists,
		identity.KindDeleteConflict, identity.KindAccessDenied, identity.KindInvalidIdentity, identity.KindIdentityRejected, identity.KindNotFound:
		return c.showSecurity(v, view{Status: troubleOf(kind).status, Alarm: sentence(err)})
	}
	return err
}

// addPasskey, as all that changes ways to log in, ends the sessions of the
// person, this one too.
func (c *Console) addPasskey(v *visit) error {
	state, answer := answerOf(v)
	if err := c.Directory.AddPasskey(v.r.Context(), v.caller, state, answer, v.r.PostForm.Get("name")); err != nil {
		return c.refusedFactor(v, err)
	}
	return c.endedBy(v, "passkey-added")
}

func (c *Console) renamePasskey(v *visit) error {
	f := v.r.PostForm
	if err := c.Directory.RenamePasskey(v.r.Context(), v.caller, f.Get("id"), f.Get("name")); err != nil {
		return c.refusedFactor(v, err)
	}
	return v.see("/security?done=passkey-renamed")
}

func (c *Console) removePasskey(v *visit) error {
	if err := c.Directory.DeletePasskey(v.r.Context(), v.caller, v.r.PostForm.Get("id")); err != nil {
		return c.refusedFactor(v, err)
	}
	return c.endedBy(v, "passkey-removed")
}
