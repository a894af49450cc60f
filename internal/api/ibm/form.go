package ibm

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

const (
	maxFormBytes  = 64 << 10
	maxParameters = 64
	formType      = "application/x-www-form-urlencoded"
)

// form holds the parameters of a request's body, each at most once. A
// parameter without a value counts as absent (RFC 6749 §3.2).
type form map[string]string

func badRequest(sentence string) error {
	return identity.NewError(identity.KindValidation, "ibm.request", sentence)
}

// readForm reads and parses the body of r. Parameters in the URL are not
// looked at: secrets there end up in logs.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != formType || len(r.Header.Values("Content-Type")) != 1 {
		return nil, badRequest("The Content-Type must be " + formType + ".")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFormBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &identity.Error{Kind: identity.KindTooLarge, Op: "ibm.readForm", Err: err}
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindIncompleteBody, Op: "ibm.readForm", Err: err}
	}
	return parseForm(string(body))
}

// parseForm is strict where net/url is not: a repeated parameter, a bad escape
// and anything but UTF-8 are refused.
func parseForm(body string) (form, error) {
	f := form{}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		value, err2 := url.QueryUnescape(rawValue)
		if err != nil || err2 != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, badRequest("The body is not a valid form.")
		}
		if _, repeated := f[name]; repeated {
			return nil, badRequest("A parameter stands twice in the form.")
		}
		if len(f) == maxParameters {
			return nil, badRequest("The form has too many parameters.")
		}
		f[name] = value
	}
	return f, nil
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
