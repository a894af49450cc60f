package embedded

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	// maxInlineBody fits into the buffers of a socket, so that nothing waits
	// for a store that answers before it has read.
	maxInlineBody = 64 << 10
	maxPooledHead = 128 << 10
)

// outgoing is a request as it goes over the line, in memory that is pooled.
type outgoing struct{ b []byte }

var outgoings = sync.Pool{New: func() any { return &outgoing{b: make([]byte, 0, 8<<10)} }}

func (o *outgoing) release() {
	if cap(o.b) <= maxPooledHead {
		outgoings.Put(o)
	}
}

var (
	errBadHead    = errors.New("the head of the request holds what no head can")
	errBodyLength = errors.New("the body is not as long as was said")
)

// fill writes head and body of r, which it closes. Errors of the body are
// returned as they are.
func (o *outgoing) fill(r *http.Request) error {
	if r.Body != nil {
		defer r.Body.Close()
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	target := r.URL.RequestURI()
	if !tokenName(method) || !plainValue(target) || strings.Contains(target, " ") || !plainValue(host) {
		return errBadHead
	}
	b := append(append(o.b[:0], method...), ' ')
	b = append(append(b, target...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, host...), "\r\n"...)
	for name, values := range r.Header {
		if framing[name] {
			continue
		}
		for _, v := range values {
			if !tokenName(name) || !plainValue(v) {
				return errBadHead
			}
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if r.ContentLength > 0 || method != http.MethodGet && method != http.MethodHead && method != http.MethodDelete {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), r.ContentLength, 10), "\r\n"...)
	}
	o.b = append(b, "\r\n"...)
	return o.addBody(r)
}

// framing are the headers that follow from the request, and from nothing else.
var framing = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "Connection": true}

// tokenName reports whether s is a token of RFC 9110.
func tokenName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenBytes = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()

// plainValue reports whether s holds no control character but tabs.
func plainValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// addBody reads on to the end, where a body that is not as promised fails.
func (o *outgoing) addBody(r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		if r.ContentLength > 0 {
			return errBodyLength
		}
		return nil
	}
	start, length := len(o.b), int(r.ContentLength)
	if need := start + length + 1; cap(o.b) < need {
		o.b = append(make([]byte, 0, need), o.b...)
	}
	room := o.b[start : start+length+1]
	n, err := io.ReadFull(r.Body, room)
	switch {
	case err == nil:
		return errBodyLength
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	case n != length:
		return errBodyLength
	}
	o.b = o.b[:start+n]
	return nil
}
