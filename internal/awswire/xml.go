package awswire

import (
	"net/http"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// XML appends a document to a buffer. Names of elements are the program's own
// words and are not escaped; texts are escaped, and characters that XML 1.0
// cannot carry become U+FFFD. An XML is valid only inside the function that it
// was passed to.
type XML struct{ b []byte }

// Open begins an element.
func (x *XML) Open(name string) {
	x.b = append(x.b, '<')
	x.b = append(x.b, name...)
	x.b = append(x.b, '>')
}

// OpenNS begins an element that declares the default namespace.
func (x *XML) OpenNS(name, namespace string) {
	x.b = append(x.b, '<')
	x.b = append(x.b, name...)
	x.b = append(x.b, ` xmlns="`...)
	x.b = appendEscaped(x.b, namespace)
	x.b = append(x.b, `">`...)
}

// Close ends an element.
func (x *XML) Close(name string) {
	x.b = append(x.b, "</"...)
	x.b = append(x.b, name...)
	x.b = append(x.b, '>')
}

// Elem writes a whole element, also when the text is empty.
func (x *XML) Elem(name, text string) {
	x.Open(name)
	x.b = appendEscaped(x.b, text)
	x.Close(name)
}

// OptElem writes an element unless the text is empty.
func (x *XML) OptElem(name, text string) {
	if text != "" {
		x.Elem(name, text)
	}
}

// Int writes an element with a decimal number.
func (x *XML) Int(name string, n int64) {
	x.Open(name)
	x.b = strconv.AppendInt(x.b, n, 10)
	x.Close(name)
}

// Bool writes an element with "true" or "false".
func (x *XML) Bool(name string, v bool) {
	x.Open(name)
	x.b = strconv.AppendBool(x.b, v)
	x.Close(name)
}

// Time writes an element with a time as FormatTime does.
func (x *XML) Time(name string, t time.Time) {
	x.Open(name)
	x.b = t.UTC().AppendFormat(x.b, timeLayout)
	x.Close(name)
}

// List writes "<name><member>…</member>…</name>", one member per value.
func (x *XML) List(name string, values []string) {
	x.Open(name)
	for _, v := range values {
		x.Elem("member", v)
	}
	x.Close(name)
}

// Bytes is what was written so far; it belongs to x.
func (x *XML) Bytes() []byte { return x.b }

const (
	timeLayout      = "2006-01-02T15:04:05Z"
	timeLayoutMilli = "2006-01-02T15:04:05.000Z"
)

// FormatTime writes a time in UTC as ISO 8601 with seconds, "2026-01-02T03:04:05Z".
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// FormatTimeMilli writes a time in UTC as ISO 8601 with milliseconds, as S3
// does for LastModified and CreationDate.
func FormatTimeMilli(t time.Time) string { return t.UTC().Format(timeLayoutMilli) }

const replacement = "\uFFFD"

// plainText are the bytes that stand for themselves: most of what is sent is
// tokens.
var plainText = func() (plain [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		plain[c] = c != '&' && c != '<' && c != '>' && c != '"'
	}
	return plain
}()

// appendEscaped appends text as XML character data that is also safe inside a
// quoted attribute. Carriage returns are written as references, since a parser
// would otherwise turn them into line feeds.
func appendEscaped(b []byte, s string) []byte {
	last := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainText[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || r == 0xFFFE || r == 0xFFFF {
				b = append(b, s[last:i]...)
				b = append(b, replacement...)
				last = i + size
			}
			i += size
			continue
		}
		var esc string
		switch {
		case c == '&':
			esc = "&amp;"
		case c == '<':
			esc = "&lt;"
		case c == '>':
			esc = "&gt;"
		case c == '"':
			esc = "&quot;"
		case c == '\r':
			esc = "&#xD;"
		case c < ' ' && c != '\t' && c != '\n':
			esc = replacement
		}
		if esc != "" {
			b = append(b, s[last:i]...)
			b = append(b, esc...)
			last = i + 1
		}
		i++
	}
	return append(b, s[last:]...)
}

var xmlPool = sync.Pool{New: func() any { return &XML{b: make([]byte, 0, 4<<10)} }}

// keepBuffer is the largest buffer that returns to the pool.
const keepBuffer = 64 << 10

func getXML() *XML { return xmlPool.Get().(*XML) }

func putXML(x *XML) {
	if cap(x.b) > keepBuffer {
		return
	}
	clear(x.b) // answers hold secret keys
	x.b = x.b[:0]
	xmlPool.Put(x)
}

// WriteXML sends a document that build writes, in one write with
// Content-Length, as application/xml with the XML declaration, in the manner of
// S3. Headers set before are kept.
func WriteXML(w http.ResponseWriter, status int, build func(*XML)) {
	x := getXML()
	defer putXML(x)
	x.b = append(x.b, xmlDeclaration...)
	build(x)
	send(w, status, "application/xml", x.b)
}

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// send is the one place that writes an answer. A failed write means that the
// client is gone, which nobody can be told.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	h, values := w.Header(), []string{contentType, strconv.Itoa(len(body))}
	h["Content-Type"], h["Content-Length"] = values[:1:1], values[1:2:2]
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// PercentEncode encodes a policy document as IAM does inside its XML: every
// byte outside the unreserved characters of RFC 3986 section 2.3 becomes %XX
// with capital digits.
func PercentEncode(s string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return string(b)
}
