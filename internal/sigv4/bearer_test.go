package sigv4

import (
	"net/http"
	"strings"
	"testing"
)

func TestParseBearer(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		name    string
		change  func(r *http.Request)
		token   string
		mode    PayloadMode
		failure Failure
	}{
		{"as IBM's clients send it", func(*http.Request) {}, "a.b.c", PayloadUnsigned, ""},
		{"as curl is told to", header("Authorization", "bearer  a.b.c"), "a.b.c", PayloadUnsigned, ""},
		{"no token", header("Authorization", "Bearer "), "", PayloadUnsigned, ""},
		{"with a hash", header("X-Amz-Content-Sha256", EmptySHA256), "a.b.c", PayloadHashed, ""},
		{"with a trailer", func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", StreamingUnsignedTrailer)
			r.Header.Set("X-Amz-Decoded-Content-Length", "5")
			r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
			r.Header.Set("Content-Encoding", "aws-chunked")
		}, "a.b.c", PayloadTrailer, ""},
		{"chunks that nothing describes", header("Content-Encoding", "gzip, AWS-Chunked"), "", 0, FailurePayloadHashInvalid},
		{"signed chunks", header("X-Amz-Content-Sha256", StreamingSigned), "", 0, FailurePayloadHashInvalid},
		{"two hashes", header("X-Amz-Content-Sha256", UnsignedPayload, UnsignedPayload), "", 0, FailurePayloadHashInvalid},
		{"twice", header("Authorization", "Bearer a.b.c", "Bearer a.b.c"), "", 0, FailureAuthTwice},
		{"and signed", header("Authorization", "Bearer a.b.c", "AWS4-HMAC-SHA256 Credential=a"), "", 0, FailureAuthTwice},
		{"and presigned", uri("?", "?X-Amz-Signature=0&"), "", 0, FailureAuthTwice},
		{"and presigned, in other letters", uri("?", "?x%2damz-credential=0&"), "", 0, FailureAuthTwice},
		{"and presigned as of old", uri("?", "?AWSAccessKeyId=a&Signature=b&"), "", 0, FailureAuthTwice},
		{"and a session token", header("X-Amz-Security-Token", "t"), "", 0, FailureAuthTwice},
		{"and a session token in the query", uri("?", "?X-Amz-Security-Token=t&"), "", 0, FailureAuthTwice},
		{"an escape cut short", uri("?", "?a=%2&"), "", 0, FailureAuthMalformed},
	} {
		r := request("PUT", "/bucket/key?x-id=PutObject")
		r.Header.Set("Authorization", "Bearer a.b.c")
		v.change(r)
		if !IsBearer(r) {
			t.Errorf("%s: not a bearer's", v.name)
		}
		token, s, err := ParseBearer(r)
		if FailureOf(err) != v.failure || (err == nil) != (v.failure == "") || token != v.token {
			t.Errorf("%s: %q, %v; want %q, %q", v.name, token, err, v.token, v.failure)
			continue
		}
		if err == nil && (s.Mechanism != MechanismBearer || s.PayloadMode != v.mode || s.AccessKeyID != "") {
			t.Errorf("%s: %+v", v.name, s)
		}
	}
	for _, other := range []string{"", "Bearer", "Bearertoken", "Basic Yng6Yng=", "AWS4-HMAC-SHA256 Credential=Bearer x"} {
		r := request("GET", "/")
		r.Header.Set("Authorization", other)
		if IsBearer(r) {
			t.Errorf("%q is a bearer's", other)
		}
	}
}

// FuzzParseBearer: whatever is said about a body, no reader of it yields more
// than was promised without an error, and no signature is made of it.
func FuzzParseBearer(f *testing.F) {
	f.Add("Bearer a.b.c", "/?x-id=1", "", "", "", "hello")
	f.Add("bearer x", "/?X-Amz-Signature=1", StreamingUnsignedTrailer, "5", "x-amz-checksum-crc32", framed(CRC32, "hello"))
	f.Add("Bearer x", "/%", StreamingSigned, "5", "", "5;chunk-signature=0\r\nhello\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, authorization, target, hash, length, trailer, body string) {
		r := request("PUT", "/")
		r.RequestURI = target
		for name, value := range map[string]string{
			"Authorization": authorization, "X-Amz-Content-Sha256": hash, "X-Amz-Decoded-Content-Length": length, "X-Amz-Trailer": trailer,
		} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		token, s, err := ParseBearer(r)
		if err != nil {
			if FailureOf(err) == "" {
				t.Fatalf("%v is no failure", err)
			}
			return
		}
		if !IsBearer(r) || !strings.Contains(authorization, token) || s.AccessKeyID != "" || s.SessionToken != "" {
			t.Fatalf("%q: %q, %+v", authorization, token, s)
		}
		if s.PayloadMode == PayloadChunks || s.PayloadMode == PayloadChunksTrailer {
			t.Fatalf("signed chunks without a signature: %+v", s)
		}
	})
}
