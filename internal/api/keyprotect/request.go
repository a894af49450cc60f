package keyprotect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

const (
	maxBody       = 64 << 10
	maxParameters = 16
	maxHeader     = 128 // of a header that is repeated or looked up
)

// correlationID is a header that is echoed, for people who compare logs.
const correlationID = "Correlation-Id"

// correlate puts the request's correlation ID on its answer, or the ID of the
// request where it brought none that can be repeated.
func correlate(w http.ResponseWriter, r *http.Request, requestID string) string {
	id := r.Header.Get(correlationID)
	if len(r.Header.Values(correlationID)) != 1 || !plain(id) {
		id = requestID
	}
	w.Header().Set(correlationID, id)
	return id
}

// plain reports whether a value is short, and of visible ASCII characters alone.
func plain(s string) bool {
	return s != "" && len(s) <= maxHeader && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func bad(sentence string) error {
	return identity.NewError(identity.KindValidation, "keyprotect.request", sentence)
}

// bearer finds the access token of a request (RFC 6750 §2.1).
func bearer(r *http.Request) (identity.Secret, error) {
	if headers := r.Header.Values("Authorization"); len(headers) == 1 {
		scheme, token, _ := strings.Cut(headers[0], " ")
		if token = strings.TrimLeft(token, " "); strings.EqualFold(scheme, "Bearer") && token != "" {
			return identity.Secret(token), nil
		}
	}
	return "", identity.NewError(identity.KindMissingAuthentication, "keyprotect.bearer", "")
}

// place is where the call goes. What names no instance or ring that could be is
// answered as one that is not there.
func place(r *http.Request) (kms.At, error) {
	at := kms.At{Instance: r.Header.Get("Bluemix-Instance"), Ring: r.Header.Get("X-Kms-Key-Ring")}
	if len(r.Header.Values("Bluemix-Instance")) > 1 || len(r.Header.Values("X-Kms-Key-Ring")) > 1 {
		return kms.At{}, bad("A header that names the instance or the key ring stands twice.")
	}
	if at.Ring != "" && !plain(at.Ring) {
		return kms.At{}, bad("The header X-Kms-Key-Ring names no key ring.")
	}
	return at, nil
}

// prefers is what the client wants back: "minimal", "representation", or "".
func (c *call) prefers() (string, error) {
	switch v := c.r.Header.Get("Prefer"); v {
	case "":
		return "", nil
	case "return=minimal", "return=representation":
		return strings.TrimPrefix(v, "return="), nil
	}
	return "", bad("The header Prefer is return=minimal or return=representation.")
}

// query reads the parameters of the URL, of those that the operation has: a filter
// that is not served must not look as if it had been. IBM's client for JavaScript
// repeats one that is a list; no other may stand twice.
func (c *call) query(names ...string) (query, error) {
	_, raw, _ := strings.Cut(c.r.RequestURI, "?")
	if strings.Count(raw, "&") >= maxParameters {
		return nil, badQuery("The query has too many parameters.")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badQuery("The query cannot be read.")
	}
	q := query{}
	for name, list := range values {
		if !slices.Contains(names, name) {
			return nil, badQuery("The query has a parameter that is not of this operation.")
		}
		q[name] = strings.Join(list, ",")
		if len(list) > 1 && name != "state" || !utf8.ValidString(q[name]) {
			return nil, badParameter(name)
		}
	}
	return q, nil
}

func badQuery(sentence string) error {
	return &identity.Error{Kind: identity.KindInvalidRequest, Op: "keyprotect.query", Public: sentence}
}

func badParameter(name string) error {
	return badQuery("The value of the parameter " + name + " is not valid.")
}

type query map[string]string

// number is a parameter that is one from 0 to most; absent it is another.
func (q query) number(name string, absent, most int) (int, error) {
	text := q[name]
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, badParameter(name)
	}
	return n, nil
}

// flag is a parameter that is true or false; nil when it is absent.
func (q query) flag(name string) (*bool, error) {
	switch strings.ToLower(q[name]) {
	case "":
		return nil, nil
	case "true":
		return new(true), nil
	case "false":
		return new(false), nil
	}
	return nil, badParameter(name)
}

// on is a parameter that is false unless it is true.
func (q query) on(name string) (bool, error) {
	v, err := q.flag(name)
	return v != nil && *v, err
}

// object is one JSON object. Names are as they are spelt, and what the operation
// does not know is left alone: clients send whole records.
type object map[string]json.RawMessage

var errBody = &identity.Error{Kind: identity.KindInvalidInput, Op: "keyprotect.decode", Public: "The body must be one JSON object in UTF-8."}

// body reads the body, which with or without a Content-Type is one JSON object, in
// which nothing stands twice. An empty one and null are an object without members.
func (c *call) body() (object, error) {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &identity.Error{Kind: identity.KindTooLarge, Op: "keyprotect.decode", Err: err}
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindIncompleteBody, Op: "keyprotect.decode", Err: err}
	}
	if text = bytes.TrimSpace(text); len(text) == 0 || string(text) == "null" {
		return object{}, nil
	}
	var o object
	if !utf8.Valid(text) || halfPair(text) || json.Unmarshal(text, &o) != nil {
		return nil, errBody
	}
	return o, nil
}

// halfPair reports whether a JSON text escapes half of a surrogate pair (RFC 8259
// §8.2). Decoded, all halves are one character, and two texts would be alike: two
// lists of additional data, say.
func halfPair(text []byte) bool {
	high := false // the escape just read wants its second half
	for i := 0; i < len(text); i++ {
		unit, size := rune(0), 1
		if text[i] == '\\' {
			size = 2
			if i+6 <= len(text) && text[i+1] == 'u' {
				if n, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 16); err == nil {
					unit, size = rune(n), 6
				}
			}
		}
		low := unit >= 0xdc00 && unit <= 0xdfff
		if high != low {
			return true
		}
		high = unit >= 0xd800 && unit <= 0xdbff
		i += size - 1
	}
	return false
}

// UnmarshalJSON reads an object of which no member stands twice: which one would
// count is not the same everywhere.
func (o *object) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return errBody
	}
	*o = object{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if _, twice := (*o)[name]; err != nil || !ok || twice {
			return errBody
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errBody
		}
		(*o)[name] = value
	}
	return nil
}

// read decodes members into where they go; absent ones and null leave that as it
// is.
func (o object) read(into map[string]any) error {
	for name, v := range into {
		text, ok := o[name]
		if !ok || string(text) == "null" {
			continue
		}
		if err := json.Unmarshal(text, v); err != nil {
			return &identity.Error{Kind: identity.KindInvalidInput, Op: "keyprotect.decode", Public: "The field " + name + " is not of its type."}
		}
	}
	return nil
}

// resources are the objects of the collection that the body is.
func (c *call) resources() ([]object, error) {
	o, err := c.body()
	if err != nil {
		return nil, err
	}
	if len(o) == 0 {
		return nil, &identity.Error{Kind: identity.KindMissingParameter, Op: "keyprotect.decode"}
	}
	return o.resources()
}

// resource is what the body is, or the one resource of the collection that it is:
// clients differ.
func (c *call) resource() (object, error) {
	o, err := c.body()
	if err != nil {
		return nil, err
	}
	if _, wrapped := o["resources"]; !wrapped {
		return o, nil
	}
	list, err := o.resources()
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, errResources
	}
	return list[0], nil
}

func (o object) resources() ([]object, error) {
	var metadata object
	var out []object
	if err := o.read(map[string]any{"metadata": &metadata, "resources": &out}); err != nil {
		return nil, err
	}
	total := len(out)
	if err := metadata.read(map[string]any{"collectionTotal": &total}); err != nil {
		return nil, err
	}
	if total != len(out) {
		return nil, errCollectionTotal
	}
	if len(out) == 0 || slices.ContainsFunc(out, func(o object) bool { return o == nil }) {
		return nil, errResources
	}
	return out, nil
}
