package embedded

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	trailerPayload  = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// newRequest makes a request signed with the store's present key pair. Paths
// and queries must be given in canonical form. headers are name, value, ….
func newRequest(t *testing.T, s *Store, method, target, payload string, body []byte, headers ...string) *http.Request {
	t.Helper()
	id, secret, err := s.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://store.test"+target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	date, scope := now.Format("20060102T150405Z"), now.Format("20060102")+"/us-east-1/s3/aws4_request"
	r.Header.Set("X-Amz-Date", date)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	lines := []string{"host:store.test"}
	for name, values := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			lines = append(lines, name+":"+values[0])
		}
	}
	slices.Sort(lines)
	var names []string
	for _, l := range lines {
		name, _, _ := strings.Cut(l, ":")
		names = append(names, name)
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{
		method, r.URL.EscapedPath(), r.URL.RawQuery,
		strings.Join(lines, "\n") + "\n", signed, payload,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + secret.Reveal())
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	signature := mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(sum[:]))
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x",
		id, scope, signed, signature))
	return r
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// call sends a request and returns status, header and body.
func call(t *testing.T, s *Store, r *http.Request) (int, http.Header, string) {
	t.Helper()
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read the answer: %v", r.Method, r.URL, err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// do is call for a request with a plain body, which must be answered with want.
func do(t *testing.T, s *Store, want int, method, target, body string, headers ...string) (http.Header, string) {
	t.Helper()
	status, header, text := call(t, s, newRequest(t, s, method, target, unsignedPayload, []byte(body), headers...))
	if status != want {
		t.Fatalf("%s %s: got status %d, want %d: %s", method, target, status, want, text)
	}
	return header, text
}

func crc32cOf(data []byte) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	return base64.StdEncoding.EncodeToString(sum)
}

func crc64nvmeOf(text string) string {
	sum := crc64.Checksum([]byte(text), crc64.MakeTable(0x9a6c9329ac4bc9b5))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, sum))
}

// frame is data as one chunk, the zero chunk and a checksum trailer, with the
// headers that announce it.
func frame(data []byte) (body []byte, headers []string) {
	body = fmt.Appendf(nil, "%x\r\n", len(data))
	body = append(body, data...)
	body = fmt.Appendf(body, "\r\n0\r\nx-amz-checksum-crc32c:%s\r\n\r\n", crc32cOf(data))
	return body, []string{
		"X-Amz-Decoded-Content-Length", fmt.Sprint(len(data)),
		"X-Amz-Trailer", "x-amz-checksum-crc32c",
		"Content-Encoding", "aws-chunked",
	}
}
