package console

import (
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

var tokenPages = []page{
	{pattern: "GET /tokens", area: "API tokens", may: (*Console).maySeeTokens, serve: (*Console).tokens},
	{pattern: "POST /tokens", serve: (*Console).makeToken},
	{pattern: "POST /tokens/delete", serve: (*Console).deleteToken},
}

// tokensShown is how many API tokens a page lists.
const tokensShown = 100

// tokenForm is what a new token is made of.
type tokenForm struct{ Name, Description, Role string }

// tokensData is what the page of API tokens shows.
type tokensData struct {
	Tokens []tokenRow
	Next   string // marker of the next page
	// MayCreate shows the form, with Roles to choose from.
	MayCreate, Fresh bool
	Roles            []string
	Form             tokenForm
}

type tokenRow struct {
	identity.User
	MayDelete bool
}

// mayInvoke says whether a call of the API would be allowed, for what a page
// offers.
func (c *Console) mayInvoke(v *visit, method, path string) bool {
	return c.Access.Invoke(v.caller, access.Invocation{Host: c.apiHost, Method: method, Path: path}, true) == nil
}

func (c *Console) maySeeTokens(v *visit) bool {
	return c.Directory.OffersAPITokens(v.caller, c.apiHost) == nil
}

func (c *Console) tokens(v *visit) error {
	role := identity.APIRoles()[0]
	return c.showTokens(v, view{}, tokenForm{Role: role})
}

func (c *Console) showTokens(v *visit, w view, form tokenForm) error {
	list, err := c.Directory.APITokens(v.r.Context(), v.caller, c.apiHost, directory.APITokenFilter{}, directory.Page{Marker: v.r.URL.Query().Get("after"), MaxItems: tokensShown})
	if err != nil {
		return err
	}
	data := tokensData{
		Next: list.Next, Form: form, Roles: identity.APIRoles(), MayCreate: c.mayInvoke(v, http.MethodPost, "api-tokens"),
		Fresh: c.Issuer.ConsoleFresh(v.r.Context(), v.caller) == nil,
	}
	for _, u := range list.Items {
		data.Tokens = append(data.Tokens, tokenRow{u, c.mayInvoke(v, http.MethodDelete, "api-tokens/"+u.Name)})
	}
	w.Title, w.Area, w.Data = "API tokens", "API tokens", data
	return c.show(v, "tokens", w)
}

// newTokenData is what the page of a new token shows, once.
type newTokenData struct {
	issue.CreatedAPIToken
	Endpoint string
}

func (c *Console) makeToken(v *visit) error {
	f := v.r.PostForm
	form := tokenForm{Name: strings.TrimSpace(f.Get("name")), Description: strings.TrimSpace(f.Get("description")), Role: f.Get("role")}
	made, err := c.Issuer.APIToken(v.r.Context(), v.caller, c.apiHost, issue.NewAPIToken{Name: form.Name, Description: form.Description, Role: form.Role})
	switch kind := identity.KindOf(err); kind {
	case "":
		return c.show(v, "token", view{Title: "Your new API token", Area: "API tokens", Data: newTokenData{made, c.Endpoint}})
	case identity.KindExpiredIdentity:
		return v.see("/again?" + url.Values{"next": {"/tokens"}}.Encode())
	case identity.KindValidation, identity.KindLimitExceeded, identity.KindAccessDenied:
		return c.showTokens(v, view{Status: troubleOf(kind).status, Alarm: sentence(err)}, form)
	}
	return err
}

func (c *Console) deleteToken(v *visit) error {
	if _, err := c.Directory.DeleteAPIToken(v.r.Context(), v.caller, c.apiHost, v.r.PostForm.Get("key")); err != nil {
		return err
	}
	return v.see("/tokens?done=token-deleted")
}
