package s3

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"daypass/internal/sigv4"
)

// bearerCall is a request with a bearer token and further headers.
func bearerCall(method, target, body string, header ...string) call {
	c := call{method: method, target: target, body: body, unsigned: true, header: map[string]string{
		"Authorization": "Bearer " + testToken, "ibm-service-instance-id": "i",
	}}
	for i := 0; i < len(header); i += 2 {
		c.header[header[i]] = header[i+1]
	}
	return c
}

// TestBearer: who shows a bearer token is asked for the same rights, and what is
// said about a body holds before the store has all of it.
func TestBearer(t *testing.T) {
	t.Parallel()
	digest := md5.Sum([]byte("hello"))
	good := base64.StdEncoding.EncodeToString(digest[:])
	trailer := []string{
		"X-Amz-Content-Sha256", sigv4.StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-checksum-crc32",
		"Content-Encoding", "aws-chunked",
	}
	for _, v := range []struct {
		name   string
		call   call
		status int
		says   string // in the answer
	}{
		{"read", bearerCall("GET", "/photos/a", ""), 200, ""},
		{"in other letters", bearerCall("GET", "/photos/a", "", "Authorization", "bearer "+testToken), 200, ""},
		{"upload", bearerCall("PUT", "/photos/a", "hello"), 200, ""},
		{"upload with its hash", bearerCall("PUT", "/photos/a", "hello", "X-Amz-Content-Sha256", sha256Hex("hello")), 200, ""},
		{"upload with another hash", bearerCall("PUT", "/photos/a", "hello", "X-Amz-Content-Sha256", sha256Hex("other")), 400, "XAmzContentSHA256Mismatch"},
		{"upload with Content-MD5", bearerCall("PUT", "/photos/a", "hello", "Content-MD5", good), 200, ""},
		{"upload with another Content-MD5", bearerCall("PUT", "/photos/a", "hullo", "Content-MD5", good), 400, "BadDigest"},
		{"upload with another checksum", bearerCall("PUT", "/photos/a", "hullo", "X-Amz-Checksum-Crc32", "NhCmhg=="), 400, "BadDigest"},
		{"upload with a trailer", bearerCall("PUT", "/photos/a", framed("hello", sigv4.CRC32), trailer...), 200, ""},
		{"upload with another trailer", bearerCall("PUT", "/photos/a", strings.Replace(framed("hello", sigv4.CRC32), "hello", "hullo", 1), trailer...), 400, "BadDigest"},
		{"chunks that nothing describes", bearerCall("PUT", "/photos/a", framed("hello", sigv4.CRC32), "Content-Encoding", "aws-chunked"), 400, "InvalidArgument"},
		{"signed chunks", bearerCall("PUT", "/photos/a", "hello", "X-Amz-Content-Sha256", sigv4.StreamingSigned), 400, "InvalidArgument"},
		{"presigned too", bearerCall("GET", "/photos/a?X-Amz-Signature=0", ""), 400, "Only one auth mechanism"},
		{"session token too", bearerCall("GET", "/photos/a", "", "X-Amz-Security-Token", "t"), 400, "Only one auth mechanism"},
		{"a form", bearerCall("POST", "/photos", "x", "Content-Type", "multipart/form-data; boundary=b"), 400, "Only one auth mechanism"},
		{"another token", bearerCall("GET", "/photos/a", "", "Authorization", "Bearer x"), 403, "<Message>Access Denied</Message>"},
		{"encryption by a key elsewhere", bearerCall("PUT", "/photos/a", "hello", "ibm-sse-kp-customer-root-key-crn", "crn:v1"), 501, "NotImplemented"},
		{"retention of another kind", bearerCall("PUT", "/photos/a", "hello", "Retention-Period", "60"), 501, "NotImplemented"},
	} {
		q := newRig(t, nil)
		got := q.do(v.call)
		if got.Status != v.status || !strings.Contains(got.Body, v.says) {
			t.Errorf("%s: %d %s, want %d %s", v.name, got.Status, got.Body, v.status, v.says)
		}
		stored := q.store.take()
		if v.status == 200 && (len(stored) != 1 || stored[0].Err != nil || len(q.access.take()) == 0) {
			t.Errorf("%s: the store got %v", v.name, stored)
		}
		for _, s := range stored {
			if v.status != 200 && s.Err == nil {
				t.Errorf("%s: the store has all of %q", v.name, s.Body)
			}
			if strings.Contains(s.Header.Get("Authorization"), testToken) || s.Header.Get("Ibm-Service-Instance-Id") != "" {
				t.Errorf("%s: the store got %v", v.name, s.Header)
			}
		}
	}
}

// TestBearerConditions: what only signatures have has no value, and the body's
// hash is what the header says or would say.
func TestBearerConditions(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	if got := q.do(bearerCall(http.MethodPut, "/photos/a", "hello")); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	q.access.mu.Lock()
	defer q.access.mu.Unlock()
	for name, want := range map[string]string{"s3:authType": "", "s3:signatureversion": "", "s3:signatureAge": "", "s3:x-amz-content-sha256": sigv4.UnsignedPayload} {
		got := q.access.keys[0][name]
		if strings.Join(got, " ") != want || want == "" && got != nil {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if q.access.asked[0] != "s3:PutObject photos/a" {
		t.Errorf("asked for %v", q.access.asked)
	}
}
