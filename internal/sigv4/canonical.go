package sigv4

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// message is what a canonical request is made of, for both sides.
type message struct {
	method   string
	path     string // raw, as on the wire
	query    string // raw
	host     string
	header   http.Header
	length   int64    // of the body; -1 = unknown
	encoding []string // transfer encodings
	names    []string // signed headers: lower case, sorted
	verbatim bool     // S3's path rule
}

// form is one way to read a message.
type form struct {
	host         string // "" = the message's own
	singlePath   bool   // path encoded once although the service encodes twice
	rawQuery     bool   // query bytes untouched
	order        order  // of the pairs of the query
	withoutToken bool   // X-Amz-Security-Token not in the canonical query
	redact       bool   // for showing
}

// order is how a signer sorts the pairs of a query.
type order uint8

const (
	byKey    order = iota // by key, then by value
	byPair                // by whole pair, "=" included, as joined text is
	asItCame              // not at all
)

// target splits a request target into raw path and raw query; scheme and
// authority of the absolute form are dropped.
func target(uri string) (path, query string) {
	path, query, _ = strings.Cut(uri, "?")
	if !strings.HasPrefix(path, "/") {
		if i := strings.Index(path, "://"); i >= 0 {
			rest := path[i+3:]
			path = ""
			if j := strings.IndexByte(rest, '/'); j >= 0 {
				path = rest[j:]
			}
		}
	}
	if path == "" {
		path = "/"
	}
	return path, query
}

func requestTarget(r *http.Request) (path, query string) {
	if r.RequestURI != "" {
		return target(r.RequestURI)
	}
	return target(r.URL.RequestURI())
}

// build leaves the canonical request in c.canonical, and c.absent set if a
// signed header is not there.
func (m *message) build(c *scratch, f form, payload string) {
	c.absent = false
	b := append(c.canonical[:0], m.method...)
	b = append(b, '\n')
	switch {
	case m.verbatim:
		b = appendEncoded(b, m.path, true)
	case f.singlePath:
		b = appendEncoded(b, normalized(m.path), true)
	default:
		b = appendTwice(b, normalized(m.path))
	}
	b = append(b, '\n')
	c.canonical = b
	m.buildQuery(c, f)
	b = append(c.canonical, '\n')
	for _, name := range m.names {
		b = append(b, name...)
		b = append(b, ':')
		if f.redact && secretHeader(name) {
			b = append(b, redacted...)
		} else {
			b = m.appendHeader(b, c, name, f.host)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range m.names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	b = append(b, '\n')
	c.canonical = append(b, payload...)
}

// stringToSign leaves the string to sign for c.canonical in c.text.
func (c *scratch) stringToSign(algorithm, timestamp, date, region, service string) {
	b := append(c.text[:0], algorithm...)
	b = append(b, '\n')
	b = append(b, timestamp...)
	b = append(b, '\n')
	b = appendScope(b, algorithm, date, region, service)
	b = append(b, '\n')
	sum := sha256.Sum256(c.canonical)
	c.text = hex.AppendEncode(b, sum[:])
}

// appendScope appends a credential scope, that of SigV4A without a region. An
// empty region is one all the same.
func appendScope(b []byte, algorithm, date, region, service string) []byte {
	b = append(b, date...)
	b = append(b, '/')
	if algorithm != algorithmECDSA {
		b = append(b, region...)
		b = append(b, '/')
	}
	b = append(b, service...)
	return append(b, "/"+terminator...)
}

const redacted = "REDACTED"

// secretHeader tells the headers whose value is never shown, not even to the
// one who sent it: error bodies end up in tickets and logs.
func secretHeader(name string) bool {
	switch name {
	case "x-amz-security-token", "authorization", "proxy-authorization", "cookie",
		"x-amz-server-side-encryption-customer-key",
		"x-amz-copy-source-server-side-encryption-customer-key":
		return true
	}
	return false
}

// values finds a signed header. net/http keeps some of them outside the map.
func (m *message) values(c *scratch, name string) ([]string, bool) {
	c.name = appendHeaderKey(c.name[:0], name)
	if v, ok := m.header[string(c.name)]; ok {
		return v, true
	}
	v, ok := m.header[name]
	return v, ok
}

func (m *message) appendHeader(b []byte, c *scratch, name, host string) []byte {
	if name == "host" {
		if host == "" {
			host = m.host
		}
		return appendTrimmed(b, host)
	}
	values, ok := m.values(c, name)
	if !ok {
		switch {
		case name == "content-length" && m.length >= 0:
			return strconv.AppendInt(b, m.length, 10)
		case name == "transfer-encoding" && len(m.encoding) > 0:
			values = m.encoding
		case name == "expect":
			return append(b, "100-continue"...)
		default:
			c.absent = true
		}
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// appendHeaderKey writes the map key net/http uses for a lower-case name.
func appendHeaderKey(b []byte, name string) []byte {
	upper := true
	for i := 0; i < len(name); i++ {
		ch := name[i]
		if upper && 'a' <= ch && ch <= 'z' {
			ch -= 'a' - 'A'
		}
		upper = ch == '-'
		b = append(b, ch)
	}
	return b
}

// appendTrimmed trims a value and makes one blank of each inner run of white
// space, folded lines included.
func appendTrimmed(b []byte, v string) []byte {
	if strings.IndexByte(v, ' ') < 0 && strings.IndexByte(v, '\t') < 0 && strings.IndexByte(v, '\n') < 0 {
		return append(b, v...)
	}
	start, space := len(b), false
	for i := 0; i < len(v); i++ {
		switch ch := v[i]; ch {
		case ' ', '\t', '\n':
			space = true
		default:
			if space && len(b) > start {
				b = append(b, ' ')
			}
			space = false
			b = append(b, ch)
		}
	}
	return b
}

// normalized removes dot segments and empty segments from a raw path.
func normalized(path string) string {
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
		}
	}
	if len(kept) == 0 {
		return "/"
	}
	out := "/" + strings.Join(kept, "/")
	if strings.HasSuffix(path, "/") {
		out += "/"
	}
	return out
}

type pair struct{ start, split, end int }

func (m *message) buildQuery(c *scratch, f form) {
	if m.query == "" {
		return
	}
	text, pairs := c.text[:0], c.pairs[:0]
	for rest := m.query; rest != ""; {
		var key, value string
		key, value, rest = nextPair(rest)
		if key == "" && value == "" {
			continue
		}
		p := pair{start: len(text)}
		if f.rawQuery {
			text = append(text, key...)
		} else {
			text = appendQueryEncoded(text, key)
		}
		p.split = len(text)
		switch name := text[p.start:]; {
		case string(name) == "X-Amz-Signature", f.withoutToken && string(name) == "X-Amz-Security-Token":
			text = text[:p.start]
			continue
		case f.redact && secretHeader(strings.ToLower(string(name))):
			text = append(text, redacted...)
		case f.rawQuery:
			text = append(text, value...)
		default:
			text = appendQueryEncoded(text, value)
		}
		p.end = len(text)
		pairs = append(pairs, p)
	}
	switch f.order {
	case byKey:
		slices.SortFunc(pairs, func(x, y pair) int {
			if d := bytes.Compare(text[x.start:x.split], text[y.start:y.split]); d != 0 {
				return d
			}
			return bytes.Compare(text[x.split:x.end], text[y.split:y.end])
		})
	case byPair:
		slices.SortFunc(pairs, func(x, y pair) int { return comparePairs(text, x, y) })
	}
	b := c.canonical
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, text[p.start:p.split]...)
		b = append(b, '=')
		b = append(b, text[p.split:p.end]...)
	}
	c.canonical, c.text, c.pairs = b, text, pairs
}

// comparePairs compares pairs as "key=value" texts: "a-b=" comes before "a=". No
// key holds a "=".
func comparePairs(text []byte, x, y pair) int {
	a, b := text[x.start:x.split], text[y.start:y.split]
	switch n := min(len(a), len(b)); {
	case !bytes.Equal(a[:n], b[:n]):
		return bytes.Compare(a, b)
	case len(a) < len(b):
		return cmp.Compare('=', b[n])
	case len(a) > len(b):
		return cmp.Compare(a[n], '=')
	}
	return bytes.Compare(text[x.split:x.end], text[y.split:y.end])
}

// nextPair cuts the first pair off a raw query. Only & separates: a raw ; is
// data.
func nextPair(query string) (key, value, rest string) {
	one, rest, _ := strings.Cut(query, "&")
	key, value, _ = strings.Cut(one, "=")
	return key, value, rest
}
