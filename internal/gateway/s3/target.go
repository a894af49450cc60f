package s3

import (
	"net"
	"strings"
	"unicode/utf8"

	"daypass/internal/identity"
)

// Target is what the request line and the host name of a request name.
type Target struct {
	Bucket string // decoded; "" at service level
	// Key is decoded: what policies see. RawKey is the same in the one
	// encoding that is forwarded, so that gate and upstream read one key; in
	// S3 an encoded slash is a slash.
	Key, RawKey string
	// Query holds the parameters in arrival order, decoded.
	Query []Param
	// VirtualHost is set when the host name, not the path, named the bucket.
	VirtualHost bool
}

// Param is one query parameter.
type Param struct{ Name, Value string }

const (
	maxParams = 64
	maxKey    = 1024 // bytes, as S3
	opTarget  = "s3.ParseTarget"
)

// ParseTarget reads the raw request target and the Host header as received.
// bases are the configured base domains, lower case and without port: a host
// equal to a base is path-style, one label more is a bucket, the longest base
// wins; any other host is path-style too. Nothing is cleaned or normalised.
// Errors are of KindInvalidRequest.
func ParseTarget(requestURI, host string, bases []string) (Target, error) {
	path, query, _ := strings.Cut(requestURI, "?")
	if !strings.HasPrefix(path, "/") {
		path = afterAuthority(path)
	}
	if path == "" || path[0] != '/' {
		return Target{}, uriError()
	}
	var t Target
	bucket, rest, hasKey := "", "", false
	if label, ok := hostBucket(host, bases); ok {
		bucket, rest, hasKey, t.VirtualHost = label, path[1:], len(path) > 1, true
	} else {
		raw, after, _ := strings.Cut(path[1:], "/")
		if bucket, ok = decode(raw, false); !ok {
			return Target{}, uriError()
		}
		if bucket == "" && path != "/" {
			return Target{}, identity.NewError(identity.KindInvalidBucketName, opTarget, "")
		}
		rest, hasKey = after, after != ""
	}
	t.Bucket = bucket
	if hasKey {
		key, ok := decode(rest, false)
		if !ok || !utf8.ValidString(key) || strings.IndexByte(key, 0) >= 0 {
			return Target{}, uriError()
		}
		t.Key, t.RawKey = key, encode(key, true)
	}
	var err error
	t.Query, err = parseQuery(query)
	return t, err
}

func uriError() error {
	return identity.NewError(identity.KindInvalidRequest, opTarget, "Couldn't parse the specified URI.")
}

// afterAuthority drops scheme and authority of an absolute-form target.
func afterAuthority(s string) string {
	i := strings.Index(s, "://")
	if i < 0 {
		return ""
	}
	if j := strings.IndexByte(s[i+3:], '/'); j >= 0 {
		return s[i+3+j:]
	}
	return "/"
}

// hostBucket returns the bucket that a virtual host names. More labels than
// one before the longest base match no bucket and yield a name that the rules
// for bucket names refuse.
func hostBucket(host string, bases []string) (string, bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	best := -1
	for _, b := range bases {
		if len(b) > best && strings.HasSuffix(host, b) &&
			(len(host) == len(b) || host[len(host)-len(b)-1] == '.') {
			best = len(b)
		}
	}
	if best < 0 || len(host) == best {
		return "", false
	}
	label := host[:len(host)-best-1]
	if strings.IndexByte(label, '.') >= 0 || label == "" {
		return ".", true
	}
	return label, true
}

// parseQuery splits on & only: a raw ; is data. A parameter given twice is
// refused, since gate and upstream could read different ones.
func parseQuery(raw string) ([]Param, error) {
	if raw == "" {
		return nil, nil
	}
	params := make([]Param, 0, strings.Count(raw, "&")+1)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, ok1 := decode(name, true)
		v, ok2 := decode(value, true)
		if !ok1 || !ok2 || len(params) == maxParams {
			return nil, uriError()
		}
		for i := range params {
			if strings.EqualFold(params[i].Name, n) {
				return nil, identity.NewError(identity.KindInvalidRequest, opTarget, "A query parameter was given more than once.")
			}
		}
		params = append(params, Param{n, v})
	}
	return params, nil
}

// param returns a parameter's value and whether it is there.
func (t *Target) param(name string) (string, bool) {
	for i := range t.Query {
		if t.Query[i].Name == name {
			return t.Query[i].Value, true
		}
	}
	return "", false
}

// decode undoes percent-encoding; with plus, + is a blank.
func decode(s string, plus bool) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return "", false
			}
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		case c == '+' && plus:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(b), true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

const upperHex = "0123456789ABCDEF"

func appendEncoded(b []byte, c byte) []byte {
	if isUnreserved(c) {
		return append(b, c)
	}
	return append(b, '%', upperHex[c>>4], upperHex[c&15])
}

// encode is strict percent-encoding; with slash, / is kept.
func encode(s string, slash bool) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = isUnreserved(s[i]) || slash && s[i] == '/'
	}
	if plain {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := 0; i < len(s); i++ {
		if s[i] == '/' && slash {
			b = append(b, '/')
			continue
		}
		b = appendEncoded(b, s[i])
	}
	return string(b)
}
