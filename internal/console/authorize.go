package console

import (
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

var authorizePages = []page{
	{pattern: "GET /authorize", serve: (*Console).authorize},
	{pattern: "POST /authorize", serve: (*Console).letIn},
}

// authorizeData is what the page shows that asks whether a program may have the
// person's log-in.
type authorizeData struct {
	issue.IBMAuthorization
	Account string
}

// authorize shows what a program asks for by way of the browser (RFC 6749 §4.1.1).
// What is wrong with the request is said here: an address that was not judged is
// no place to send anybody to.
func (c *Console) authorize(v *visit) error {
	ask, err := asked(v.r.URL.Query())
	if err != nil {
		return err
	}
	place, err := c.Issuer.ConsolePasscodes(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	if c.Issuer.ConsoleFresh(v.r.Context(), v.caller) != nil {
		return v.proveFirst(v.r.URL.RequestURI())
	}
	// The form's answer leads to the program, which browsers hold against this.
	v.w.Header().Set("Content-Security-Policy", strings.Replace(policy, formsTo, formsTo+" "+ask.Origin(), 1))
	return c.show(v, "authorize", view{Title: "Log a program in", Data: authorizeData{ask, place.AccountID}})
}

// letIn gives the program its code.
func (c *Console) letIn(v *visit) error {
	ask, err := asked(v.r.PostForm)
	if err != nil {
		return err
	}
	to, err := c.Issuer.ConsoleAuthorize(v.r.Context(), v.caller, ask)
	if identity.KindOf(err) == identity.KindExpiredIdentity {
		return v.proveFirst("/authorize?" + v.r.PostForm.Encode())
	}
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, to.Reveal(), http.StatusSeeOther)
	return nil
}

// asked reads and judges the request of a program, each of whose parameters
// stands once.
func asked(q url.Values) (issue.IBMAuthorization, error) {
	bad := func(what string) error { return identity.NewError(identity.KindValidation, "console.authorize", what) }
	for _, name := range []string{"client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "response_type", "response_mode", "prompt"} {
		if len(q[name]) > 1 {
			return issue.IBMAuthorization{}, bad("The parameter " + name + " stands twice.")
		}
	}
	ask := issue.IBMAuthorization{
		ClientID: q.Get("client_id"), RedirectURI: q.Get("redirect_uri"), State: q.Get("state"), Challenge: q.Get("code_challenge"),
	}
	switch {
	case q.Get("response_type") != "code":
		return ask, bad("The program must ask for response_type=code.")
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return ask, bad("The code goes into the query alone.")
	case q.Get("code_challenge_method") != "S256":
		return ask, bad("The program must send a code_challenge of method S256.")
	case q.Get("prompt") == "none":
		return ask, bad("No program gets a code without your word.")
	}
	return ask, ask.Check()
}
