package ibm

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/strictwire"
)

// form holds the parameters of a request's body.
type form map[string]string

func badRequest(sentence string) error {
	return identity.NewError(identity.KindValidation, "ibm.request", sentence)
}

var formFaults = map[strictwire.Reason]string{
	strictwire.MediaType: "The Content-Type must be " + strictwire.FormType + ".",
	strictwire.Syntax:    "The body is not a valid form.",
	strictwire.Twice:     "A parameter stands twice in the form.",
	strictwire.TooMany:   "The form has too many parameters.",
}

func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	f, err := strictwire.ReadForm(w, r)
	if fault := (*strictwire.Fault)(nil); errors.As(err, &fault) {
		return nil, badRequest(formFaults[fault.Reason])
	}
	return form(f), err
}

// need returns the value of a parameter that must be there.
func (f form) need(name string) (string, error) {
	if v := f[name]; v != "" {
		return v, nil
	}
	return "", identity.NewError(identity.KindMissingParameter, "ibm.form", "Property '"+name+"' either missing or empty")
}

// needSecret is need for a value that must not be printed.
func (f form) needSecret(name string) (identity.Secret, error) {
	v, err := f.need(name)
	return identity.Secret(v), err
}

// client finds how the client showed itself: by HTTP Basic, or not at all. ID
// and secret stand as they are, not form-encoded: so IBM's clients send them.
func client(r *http.Request) (issue.IBMClient, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return issue.IBMClient{}, nil
	}
	scheme, encoded, _ := strings.Cut(headers[0], " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	id, secret, ok := strings.Cut(string(raw), ":")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Basic") || err != nil || !ok || id == "" || !utf8.Valid(raw) {
		return issue.IBMClient{}, badRequest("The Authorization header is not valid HTTP Basic authentication.")
	}
	return issue.IBMClient{ID: id, Secret: identity.Secret(secret)}, nil
}
