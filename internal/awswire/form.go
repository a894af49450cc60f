package awswire

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
)

// Bounds on what a stranger can make ParseQuery build.
const (
	// MaxBody is the usual bound on the body of a control API, in bytes.
	MaxBody = 1 << 20
	// MaxParameters bounds the parameters of query and body together.
	MaxParameters = 1000
	// MaxNameLength bounds the decoded name of a parameter, in bytes.
	MaxNameLength = 256
)

// Form is the parameters of a request of the query protocol. Values may be
// secrets: printing a Form yields their number only.
type Form struct {
	// BodySHA256 is the lower-case hex SHA-256 of the body as received, which
	// SigV4 covers; for a request without body that of the empty string.
	BodySHA256 string

	pairs []pair
	index map[string]int // only with many pairs
}

type pair struct{ name, value string }

// linearLookup is the number of pairs up to which scanning beats a map.
const linearLookup = 24

// ParseQuery reads the URL query and, for POST, the body of r as one set of
// parameters. The body may hold at most maxBody bytes and must be
// application/x-www-form-urlencoded unless it is empty.
//
// Pairs are split at '&' only; ';' is data. "+" and %20 are a space. A name
// without "=" has an empty value; empty pairs are skipped.
//
// Errors: KindTooLarge for a body, name or number of parameters over its
// limit; KindMethodNotAllowed for methods other than GET and POST;
// KindIncompleteBody when the body ends early; KindValidation for bad escapes,
// text that is not UTF-8, another media type, an empty name, and a parameter
// that occurs twice, in the query, in the body, or once in each.
func ParseQuery(r *http.Request, maxBody int64) (*Form, error) {
	f := &Form{BodySHA256: emptySHA256}
	switch r.Method {
	case http.MethodGet:
		// A body is neither read nor hashed as empty: its presence is an error.
		if r.ContentLength != 0 {
			return nil, invalid("A GET request must not have a body.")
		}
	case http.MethodPost:
	default:
		return nil, identity.NewError(identity.KindMethodNotAllowed, op, "")
	}
	if err := f.add(r.URL.RawQuery); err != nil {
		return nil, err
	}
	if r.Method == http.MethodPost {
		body, err := readBody(r, maxBody)
		if err != nil {
			return nil, err
		}
		if len(body) > 0 {
			sum := sha256.Sum256(body)
			f.BodySHA256 = hex.EncodeToString(sum[:])
			if !formMediaType(r.Header.Get("Content-Type")) {
				return nil, invalid("The content type of the request must be application/x-www-form-urlencoded.")
			}
			if err := f.add(string(body)); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

const (
	op          = "awswire.ParseQuery"
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func invalid(public string) *identity.Error {
	return identity.NewError(identity.KindValidation, op, public)
}

func formMediaType(ct string) bool {
	mt, _, _ := strings.Cut(ct, ";")
	mt = strings.TrimSpace(mt)
	return mt == "" || strings.EqualFold(mt, "application/x-www-form-urlencoded")
}

// readBody grows with what arrives: a claimed Content-Length alone must not
// make the server reserve that much.
func readBody(r *http.Request, maxBody int64) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, identity.NewError(identity.KindTooLarge, op, "")
	}
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	size := int64(4 << 10)
	if r.ContentLength > 0 {
		size = min(r.ContentLength+1, 64<<10)
	}
	buf := make([]byte, 0, size)
	in := io.LimitReader(r.Body, maxBody+1)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := in.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > maxBody {
			return nil, identity.NewError(identity.KindTooLarge, op, "")
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			kind := identity.KindIncompleteBody
			var tooBig *http.MaxBytesError
			if errors.As(err, &tooBig) {
				kind = identity.KindTooLarge
			}
			return nil, &identity.Error{Kind: kind, Op: op, Err: err}
		}
	}
}

func (f *Form) add(s string) error {
	for s != "" {
		var part string
		part, s, _ = strings.Cut(s, "&")
		if part == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, ok := unescape(rawName)
		if !ok || name == "" || !utf8.ValidString(name) {
			return invalid("The request holds a malformed parameter name.")
		}
		if len(name) > MaxNameLength {
			return identity.NewError(identity.KindTooLarge, op, "A parameter name is too long.")
		}
		value, ok := unescape(rawValue)
		if !ok || !utf8.ValidString(value) {
			return invalid("The value of a parameter is malformed.")
		}
		if len(f.pairs) == MaxParameters {
			return identity.NewError(identity.KindTooLarge, op, "The request holds too many parameters.")
		}
		if _, twice := f.Lookup(name); twice {
			return invalid("A parameter must not occur more than once in a request.")
		}
		f.put(name, value)
	}
	return nil
}

func (f *Form) put(name, value string) {
	f.pairs = append(f.pairs, pair{name, value})
	switch {
	case f.index != nil:
		f.index[name] = len(f.pairs) - 1
	case len(f.pairs) > linearLookup:
		f.index = make(map[string]int, 4*linearLookup)
		for i, p := range f.pairs {
			f.index[p.name] = i
		}
	}
}

// unescape decodes %XX and "+". It differs from url.QueryUnescape in nothing
// but allocation: what holds no escape is returned as it is.
func unescape(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return "", false
			}
			out = append(out, hi<<4|lo)
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// Lookup returns the value of a parameter and whether it was sent.
func (f *Form) Lookup(name string) (string, bool) {
	if f.index != nil {
		i, ok := f.index[name]
		if !ok {
			return "", false
		}
		return f.pairs[i].value, true
	}
	for i := range f.pairs {
		if f.pairs[i].name == name {
			return f.pairs[i].value, true
		}
	}
	return "", false
}

// Action is the parameter of that name, "" when absent.
func (f *Form) Action() string { return f.String("Action") }

// Version is the parameter of that name, "" when absent.
func (f *Form) Version() string { return f.String("Version") }

// String returns the value of a parameter, "" when absent.
func (f *Form) String(name string) string {
	v, _ := f.Lookup(name)
	return v
}

// Required returns the value of a parameter, or KindMissingParameter with the
// Detail "Parameter" when it is absent or empty.
func (f *Form) Required(name string) (string, error) {
	if v := f.String(name); v != "" {
		return v, nil
	}
	return "", MissingParameter(name)
}

// Int returns the value of an integer parameter, and false when it is absent
// or empty. What is not a decimal 32-bit integer is KindValidation.
func (f *Form) Int(name string) (n int, sent bool, err error) {
	v := f.String(name)
	if v == "" {
		return 0, false, nil
	}
	n64, perr := strconv.ParseInt(v, 10, 32)
	if perr != nil || v[0] == '+' {
		return 0, true, Constraint(name, v, "Member must be a 32-bit integer")
	}
	return int(n64), true, nil
}

// Bool returns the value of a boolean parameter, and false when it is absent
// or empty. What is neither "true" nor "false" is KindValidation.
func (f *Form) Bool(name string) (b, sent bool, err error) {
	switch v := f.String(name); v {
	case "":
		return false, false, nil
	case "true":
		return true, true, nil
	case "false":
		return false, true, nil
	default:
		return false, true, Constraint(name, v, "Member must satisfy enum value set: [true, false]")
	}
}

// All yields every parameter in the order received, query first.
func (f *Form) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, p := range f.pairs {
			if !yield(p.name, p.value) {
				return
			}
		}
	}
}

// Len is the number of parameters.
func (f *Form) Len() int { return len(f.pairs) }

// Format keeps values out of logs, whatever the verb.
func (f *Form) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "[form of %d parameters]", len(f.pairs))
}

// LogValue keeps values out of logs.
func (f *Form) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("[form of %d parameters]", len(f.pairs)))
}
