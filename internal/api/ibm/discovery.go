package ibm

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
)

// discoveryDocument is OpenID Connect Discovery 1.0 §3 with IBM's
// passcode_endpoint, and with the regions of the site, which our command line
// offers.
type discoveryDocument struct {
	Issuer            string   `json:"issuer"`
	Authorization     string   `json:"authorization_endpoint"`
	Token             string   `json:"token_endpoint"`
	Passcode          string   `json:"passcode_endpoint"`
	UserInfo          string   `json:"userinfo_endpoint"`
	Introspection     string   `json:"introspection_endpoint"` // RFC 8414
	JWKS              string   `json:"jwks_uri"`
	ResponseTypes     []string `json:"response_types_supported"`
	GrantTypes        []string `json:"grant_types_supported"`
	SubjectTypes      []string `json:"subject_types_supported"`
	TokenAuthMethods  []string `json:"token_endpoint_auth_methods_supported"`
	SigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	Scopes            []string `json:"scopes_supported"`
	Claims            []string `json:"claims_supported"`
	Challenges        []string `json:"code_challenge_methods_supported"`
	NamesIssuer       bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	Regions           []string `json:"regions_supported"`
}

const maxAuthorize = 4 << 10 // bytes of a query

// claims are those of access tokens.
var claims = []string{
	"iss", "iam_id", "id", "identifier", "realmid", "jti", "sub", "sub_type", "name", "email", "authn", "account", "iat", "exp",
	"grant_type", "scope", "client_id", "acr", "amr", "session_id",
}

func (h *Handler) discovery(c *call) error {
	facts, err := h.Issuer.IBM()
	if err != nil {
		return err
	}
	base := h.ExternalURL + "/identity"
	var kinds []string
	for kind := range grants {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	publish(c.w, facts.KeysMaxAge, encode(discoveryDocument{
		Issuer: facts.Issuer, Authorization: base + "/authorize", Token: base + "/token", Passcode: base + "/passcode", UserInfo: base + "/userinfo", Introspection: base + "/introspect", JWKS: base + "/keys",
		ResponseTypes: []string{"code"}, GrantTypes: kinds, SubjectTypes: []string{"public"},
		TokenAuthMethods: []string{"client_secret_basic", "none"}, SigningAlgorithms: []string{facts.Algorithm},
		Scopes: []string{"ibm", "openid"}, Claims: claims,
		Challenges: []string{"S256"}, NamesIssuer: true,
		Regions: append([]string{}, facts.Regions...),
	}))
	return nil
}

func (h *Handler) keys(c *call) error {
	facts, err := h.Issuer.IBM()
	if err != nil {
		return err
	}
	publish(c.w, facts.KeysMaxAge, facts.Keys)
	return nil
}

// passcode leads to the page that shows a one-time code after a log-in: pages
// for people have a host name of their own.
func (h *Handler) passcode(c *call) error { return h.toConsole(c, "passcode") }

// authorize leads to the page that asks a person whether a program may log in,
// which judges what was asked for.
func (h *Handler) authorize(c *call) error {
	_, query, _ := strings.Cut(c.r.RequestURI, "?")
	if len(query) > maxAuthorize {
		return badRequest("The query is too long.")
	}
	if _, err := url.ParseQuery(query); err != nil {
		return badRequest("The query cannot be read.")
	}
	return h.toConsole(c, "authorize?"+query)
}

func (h *Handler) toConsole(c *call, page string) error {
	if h.ConsoleURL == "" {
		return identity.NewError(identity.KindNotFound, "ibm.console", "There are no pages for people here.")
	}
	c.w.Header().Set("Location", h.ConsoleURL+page)
	send(c.w, http.StatusSeeOther, nil)
	return nil
}

// publish answers with what others may keep for a while.
func publish(w http.ResponseWriter, age time.Duration, body []byte) {
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(age/time.Second)))
	send(w, http.StatusOK, body)
}
