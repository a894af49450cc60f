package embedded

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// readAnswer reads the head of an answer. What is in any way unusual, net/http
// reads: nothing has been taken from the buffer until then.
func (l *line) readAnswer(r *http.Request) (*http.Response, error) {
	if head := peekHead(l.br); head != nil {
		if resp := parseAnswer(string(head), r); resp != nil {
			_, _ = l.br.Discard(len(head)) // it is in the buffer
			if resp.ContentLength > 0 && r.Method != http.MethodHead {
				resp.Body = &fixedBody{br: l.br, left: resp.ContentLength}
			}
			return resp, nil
		}
	}
	return http.ReadResponse(l.br, r)
}

// peekHead returns a head up to and with the empty line, or nil when it does
// not fit into the buffer or does not come.
func peekHead(br *bufio.Reader) []byte {
	for want := 1; want <= br.Size(); want = br.Buffered() + 1 {
		if _, err := br.Peek(want); err != nil {
			return nil
		}
		have, _ := br.Peek(br.Buffered())
		if i := bytes.Index(have, []byte("\r\n\r\n")); i >= 0 {
			return have[:i+4]
		}
	}
	return nil
}

// parseAnswer reads a plain head: HTTP/1.1, a final status, each header a
// token and a text without control characters, one Content-Length and no
// other framing. For all else it returns nil.
func parseAnswer(head string, r *http.Request) *http.Response {
	first, rest, _ := strings.Cut(head, "\r\n")
	text, ok := strings.CutPrefix(first, "HTTP/1.1 ")
	if !ok || len(text) < 4 || text[3] != ' ' || !plainValue(text) {
		return nil
	}
	status, ok := digits(text[:3])
	if !ok || status < 200 || status == http.StatusNoContent || status == http.StatusNotModified {
		return nil
	}
	n := strings.Count(rest, "\n")
	resp := &http.Response{
		Status: text, StatusCode: int(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, n), ContentLength: -1, Body: http.NoBody, Request: r,
	}
	values := make([]string, 0, n)
	for {
		var line string
		line, rest, _ = strings.Cut(rest, "\r\n")
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !tokenName(name) || !plainValue(value) {
			return nil
		}
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		switch name {
		case "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
			return nil
		case "Content-Length":
			if resp.ContentLength >= 0 {
				return nil
			}
			if resp.ContentLength, ok = digits(value); !ok {
				return nil
			}
		}
		if have := resp.Header[name]; have != nil {
			resp.Header[name] = append(have, value)
			continue
		}
		values = append(values, value)
		resp.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if resp.ContentLength < 0 {
		return nil
	}
	return resp
}

func digits(s string) (int64, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// fixedBody is a body of known length. Its last bytes come with io.EOF, so
// that the line is free before they are passed on.
type fixedBody struct {
	br   *bufio.Reader
	left int64
}

func (b *fixedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.br.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *fixedBody) Close() error { return nil }
