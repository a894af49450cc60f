package console

import (
	"net/http"
	"net/url"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The page of a one-time link. Opening it changes nothing; its token stays in
// the address, so that it works without scripts, and no other site is told it.
var welcomePages = []page{
	{pattern: "GET /welcome", open: true, serve: (*Console).welcome},
	{pattern: "POST /welcome", open: true, serve: (*Console).welcomePassword},
	{pattern: "POST /welcome/passkey/begin", open: true, serve: (*Console).beginWelcomePasskey},
	{pattern: "POST /welcome/passkey", open: true, serve: (*Console).welcomePasskey},
	{pattern: "GET /welcome/with", open: true, serve: (*Console).welcomeWith},
	{pattern: "POST /welcome/identity", open: true, serve: (*Console).welcomeIdentity},
}

// welcomeData is what the page shows.
type welcomeData struct {
	directory.LinkView
	Token identity.Secret
}

func (c *Console) welcome(v *visit) error {
	return c.showWelcome(v, view{}, identity.Secret(v.r.URL.Query().Get("t")))
}

func (c *Console) showWelcome(v *visit, w view, token identity.Secret) error {
	v.caller = nil // whoever is logged in here need not be who the link is for
	link, err := c.Directory.OneTimeLink(v.r.Context(), token)
	if err != nil {
		return err
	}
	w.Title = "Welcome"
	if link.Reset {
		w.Title = "A new way to log in"
	}
	w.Data = welcomeData{link, token}
	return c.show(v, "welcome", w)
}

// redeemed leads to the log-in after a link was used.
func (c *Console) redeemed(v *visit, link directory.LinkView) error {
	name := link.User
	if link.Realm == identity.RootRealm {
		name, link.Realm = link.Email, ""
	}
	return v.see("/login?" + url.Values{"done": {"welcome"}, "realm": {link.Realm}, "user": {name}}.Encode())
}

// redeem uses the link of a form up by fn.
func (c *Console) redeem(v *visit, fn func(token identity.Secret) error) error {
	v.caller = nil
	token := identity.Secret(v.r.PostForm.Get("t"))
	link, err := c.Directory.OneTimeLink(v.r.Context(), token)
	if err == nil {
		err = fn(token)
	}
	switch kind := identity.KindOf(err); kind {
	case "":
		return c.redeemed(v, link)
	case identity.KindValidation, identity.KindInvalidInput, identity.KindAlreadyExists, identity.KindAccessDenied:
		return c.showWelcome(v, view{Status: troubleOf(kind).status, Alarm: sentence(err)}, token)
	}
	return err
}

func (c *Console) welcomePassword(v *visit) error {
	f := v.r.PostForm
	if f.Get("new") != f.Get("repeated") {
		return c.showWelcome(v, view{Status: http.StatusBadRequest, Alarm: notRepeated}, identity.Secret(f.Get("t")))
	}
	return c.redeem(v, func(token identity.Secret) error {
		return c.Directory.RedeemPassword(v.r.Context(), token, identity.Secret(f.Get("new")))
	})
}

func (c *Console) beginWelcomePasskey(v *visit) error {
	b, err := c.Directory.RegisterLinkPasskey(v.r.Context(), identity.Secret(v.r.PostForm.Get("t")))
	return v.sendCeremony(b.Options, b.State, err)
}

func (c *Console) welcomePasskey(v *visit) error {
	return c.redeem(v, func(token identity.Secret) error {
		state, answer := answerOf(v)
		return c.Directory.RedeemPasskey(v.r.Context(), token, state, answer, v.r.PostForm.Get("name"))
	})
}

func (c *Console) welcomeWith(v *visit) error {
	q := v.r.URL.Query()
	b, err := c.Directory.BeginLinkForeign(v.r.Context(), identity.Secret(q.Get("t")), q.Get("login"))
	if err != nil {
		return err
	}
	return c.leave(v, b.URL, b.Cookie)
}

// welcomeIdentity links the identity that a foreign issuer told, once the person
// has said so.
func (c *Console) welcomeIdentity(v *visit) error {
	v.caller = nil
	p, err := c.Issuer.ForeignProof(identity.Secret(v.r.PostForm.Get("pending")))
	if err == nil {
		err = c.Directory.RedeemForeign(v.r.Context(), p)
	}
	if err != nil {
		return err
	}
	return v.see("/login?" + url.Values{"done": {"welcome"}, "realm": {p.Realm}}.Encode())
}
