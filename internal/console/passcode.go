package console

import (
	"net/url"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

var passcodePages = []page{
	{pattern: "GET /passcode", area: "One-time code", may: (*Console).mayPasscode, serve: (*Console).passcode},
	{pattern: "POST /passcode", serve: (*Console).makePasscode},
}

// passcodeData is what the page of one-time codes shows.
type passcodeData struct {
	// Code is the new one; nil on a page that was merely opened, which makes none.
	Code *issue.Passcode
	// Last is the one before; nil when there is none.
	Last    *issue.LastPasscode
	Account string
	Now     time.Time
}

// Ended says whether a code is no longer good for its age.
func (d passcodeData) Ended(p *issue.LastPasscode) bool { return !d.Now.Before(p.ExpiresAt) }

func (c *Console) mayPasscode(v *visit) bool {
	_, err := c.Issuer.ConsolePasscodes(v.r.Context(), v.caller)
	return err == nil
}

// passcode shows the page that makes a one-time code by a button. Whoever has to
// show a password first is asked at once.
func (c *Console) passcode(v *visit) error {
	place, err := c.Issuer.LastPasscode(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	if c.Issuer.ConsoleFresh(v.r.Context(), v.caller) != nil {
		return v.proveFirst("/passcode")
	}
	return c.showPasscode(v, passcodeData{Last: place.Last, Account: place.AccountID})
}

func (c *Console) makePasscode(v *visit) error {
	place, err := c.Issuer.ConsolePasscodes(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	code, err := c.Issuer.ConsolePasscode(v.r.Context(), v.caller)
	if identity.KindOf(err) == identity.KindExpiredIdentity {
		return v.proveFirst("/passcode")
	}
	if err != nil {
		return err
	}
	return c.showPasscode(v, passcodeData{Code: &code, Account: place.AccountID})
}

// proveFirst asks for a proof, which leads on to a page of the console.
func (v *visit) proveFirst(next string) error {
	return v.see("/again?" + url.Values{"next": {next}}.Encode())
}

func (c *Console) showPasscode(v *visit, data passcodeData) error {
	data.Now = c.Clock.Now()
	return c.show(v, "passcode", view{Title: "One-time code", Area: "One-time code", Data: data})
}
