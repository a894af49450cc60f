package probe

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// answer is what the store answered, or why it did not.
type answer struct {
	status int
	header http.Header
	body   []byte
	tls    *tls.ConnectionState
	err    error
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 16 << 20

// do sends one request and reads the answer.
func (r *run) do(req *upstream.Request) answer { return r.doAs(r.u, req) }

func (r *run) doAs(u *upstream.S3, req *upstream.Request) answer {
	resp, err := u.Do(r.ctx, req)
	if err != nil {
		if e := identity.AsError(err); e.Err != nil {
			err = e.Err // the cause, not the function that met it
		}
		return answer{err: err}
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header, tls: resp.TLS}
	a.body, a.err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return a
}

func (a answer) ok() bool { return a.err == nil && a.status >= 200 && a.status < 300 }

// refused reports whether the store answered, and gave nothing: a failure of the
// way there, or of the store, says nothing.
func (a answer) refused() bool { return a.status >= 400 && a.status < 500 }

// wireError is a store's error document.
type wireError struct {
	XMLName  xml.Name `xml:"Error"`
	Code     string   `xml:"Code"`
	Region   string   `xml:"Region"`
	Endpoint string   `xml:"Endpoint"`
}

func (a answer) wireError() wireError {
	var e wireError
	if a.status < 300 || xml.Unmarshal(a.body, &e) != nil {
		return wireError{}
	}
	return e
}

func (a answer) code() string { return a.wireError().Code }

// said is the answer for people: "404 NoSuchKey".
func (a answer) said() string {
	if a.err != nil && a.status == 0 {
		return a.err.Error()
	}
	text := a.code()
	if text == "" {
		text = http.StatusText(a.status)
	}
	text = strings.TrimSpace(strconv.Itoa(a.status) + " " + clip(text))
	if a.err != nil {
		text += ", broken off"
	}
	return text
}

// decode reads the answer's document.
func (a answer) decode(into any) error {
	if !a.ok() {
		return errors.New(a.said())
	}
	return xml.Unmarshal(a.body, into)
}

// on is a request on the scratch bucket, or on a key in it.
func (r *run) on(method, key, query string, header http.Header) *upstream.Request {
	return &upstream.Request{Method: method, Bucket: r.bucket, Key: encodeKey(key), Query: query, Header: header}
}

func (r *run) get(key string) answer { return r.do(r.on(http.MethodGet, key, "", nil)) }

// has reports whether a key holds exactly a content.
func (r *run) has(key string, content []byte) bool {
	a := r.get(key)
	return a.ok() && bytes.Equal(a.body, content)
}

// put uploads with a signed hash of the body.
func (r *run) put(key string, content []byte, header http.Header) answer {
	return r.do(withBody(r.on(http.MethodPut, key, "", header), content))
}

// withBody gives req a body that its signature covers.
func withBody(req *upstream.Request, body []byte) *upstream.Request {
	if len(body) > 0 {
		sum := sha256.Sum256(body)
		req.Body, req.Length, req.PayloadHash = io.NopCloser(bytes.NewReader(body)), int64(len(body)), hex.EncodeToString(sum[:])
	}
	return req
}

// document is a request on the bucket or a key whose body is XML, as the
// gateway forwards them: with its MD5.
func (r *run) document(method, key, query, body string) *upstream.Request {
	sum := md5.Sum([]byte(body))
	h := http.Header{"Content-Md5": {base64.StdEncoding.EncodeToString(sum[:])}, "Content-Type": {"application/xml"}}
	return withBody(r.on(method, key, query, h), []byte(body))
}

// encodeKey is the canonical percent-encoding of a key, slashes kept.
func encodeKey(key string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return b.String()
}

// clip bounds what is repeated of a store's answer.
func clip(s string) string { return identity.Printable(s[:min(len(s), 80)]) }
