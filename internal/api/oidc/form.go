package oidc

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/strictwire"
)

// form holds the parameters of a request's body.
type form map[string]string

var formFaults = map[strictwire.Reason]string{
	strictwire.MediaType: "The Content-Type must be " + strictwire.FormType,
	strictwire.Syntax:    "The body is not a valid form",
	strictwire.Twice:     "duplicated parameter",
	strictwire.TooMany:   "Too many parameters",
}

func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	f, err := strictwire.ReadForm(w, r)
	var fault *strictwire.Fault
	switch {
	case errors.As(err, &fault):
		return nil, badRequest(formFaults[fault.Reason])
	case identity.KindOf(err) == identity.KindIncompleteBody:
		return nil, badRequest("The body could not be read")
	}
	return form(f), err
}

// need returns the value of a parameter that must be there.
func (f form) need(name string) (string, error) {
	if v := f[name]; v != "" {
		return v, nil
	}
	return "", badRequest("Missing form parameter: " + name)
}

// needSecret is need for a value that must not be printed.
func (f form) needSecret(name string) (identity.Secret, error) {
	v, err := f.need(name)
	return identity.Secret(v), err
}

// client finds how the client showed itself: HTTP Basic or client_id and
// client_secret in the body, never both (RFC 6749 §2.3). An empty secret
// counts as none.
func (f form) client(r *http.Request) (issue.ClientProof, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		id, err := f.need("client_id")
		secret := f["client_secret"]
		return issue.ClientProof{ID: id, Secret: identity.Secret(secret), HasSecret: secret != ""}, err
	}
	if len(headers) > 1 || f["client_secret"] != "" || f["client_assertion"] != "" {
		return issue.ClientProof{}, badRequest("More than one way of client authentication")
	}
	id, secret, ok := parseBasic(headers[0])
	if !ok {
		return issue.ClientProof{}, badRequest("The Authorization header is not valid HTTP Basic authentication")
	}
	if inBody := f["client_id"]; inBody != "" && inBody != id {
		return issue.ClientProof{}, badRequest("client_id and the Authorization header disagree")
	}
	return issue.ClientProof{ID: id, Secret: identity.Secret(secret), HasSecret: secret != ""}, nil
}

// parseBasic reads "Basic base64(id:secret)", where both are form-encoded
// before they are joined (RFC 6749 §2.3.1).
func parseBasic(header string) (id, secret string, ok bool) {
	scheme, encoded, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil {
		return "", "", false
	}
	rawID, rawSecret, found := strings.Cut(string(raw), ":")
	if !found {
		return "", "", false
	}
	id, err = url.QueryUnescape(rawID)
	if err != nil || id == "" || !utf8.ValidString(id) {
		return "", "", false
	}
	secret, err = url.QueryUnescape(rawSecret)
	if err != nil || !utf8.ValidString(secret) {
		return "", "", false
	}
	return id, secret, true
}

// bearer finds the access token of a request in the header or, for a form,
// in the body (RFC 6750 §2.1 and §2.2), never both and never in the URL.
func bearer(w http.ResponseWriter, r *http.Request) (identity.Secret, error) {
	var inBody string
	if r.Method == http.MethodPost && r.ContentLength != 0 && r.Header.Get("Content-Type") != "" {
		f, err := readForm(w, r)
		if err != nil {
			return "", err
		}
		inBody = f["access_token"]
	}
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 || len(headers) == 1 && inBody != "" {
		return "", badRequest("More than one access token")
	}
	if len(headers) == 0 {
		if inBody == "" {
			return "", identity.NewError(identity.KindMissingAuthentication, "oidc.bearer", "")
		}
		return identity.Secret(inBody), nil
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if token = strings.TrimLeft(token, " "); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", identity.NewError(identity.KindMissingAuthentication, "oidc.bearer", "")
	}
	return identity.Secret(token), nil
}
