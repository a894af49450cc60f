package strictwire

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
)

const (
	maxFormBytes = 64 << 10
	// MaxParameters is how many a form has at most.
	MaxParameters = 64
	// FormType is the media type of forms.
	FormType = "application/x-www-form-urlencoded"
)

// Form holds the parameters of a request's body, each at most once. A
// parameter without a value counts as absent (RFC 6749 §3.2).
type Form map[string]string

// ReadForm reads and parses the body of r, at most 64 KiB. Parameters in the URL
// are not looked at: secrets there end up in logs (RFC 6749 §2.3.1). A Fault, or
// KindTooLarge and KindIncompleteBody.
func ReadForm(w http.ResponseWriter, r *http.Request) (Form, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != FormType || len(r.Header.Values("Content-Type")) != 1 {
		return nil, &Fault{Reason: MediaType}
	}
	body, err := ReadBody(w, r, maxFormBytes)
	if err != nil {
		return nil, err
	}
	return ParseForm(string(body))
}

// ReadBody reads a body of at most limit bytes. KindTooLarge, KindIncompleteBody.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &identity.Error{Kind: identity.KindTooLarge, Op: "strictwire.body", Err: err}
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindIncompleteBody, Op: "strictwire.body", Err: err}
	}
	return body, nil
}

// ParseForm is strict where net/url is not: a repeated parameter, a bad escape
// and anything but UTF-8 are a Fault.
func ParseForm(body string) (Form, error) {
	f := Form{}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		value, err2 := url.QueryUnescape(rawValue)
		if err != nil || err2 != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, &Fault{Reason: Syntax}
		}
		if _, repeated := f[name]; repeated {
			return nil, &Fault{Reason: Twice, Member: name}
		}
		if len(f) == MaxParameters {
			return nil, &Fault{Reason: TooMany}
		}
		f[name] = value
	}
	return f, nil
}
