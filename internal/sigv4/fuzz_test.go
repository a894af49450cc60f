package sigv4

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// parseFuzzed demands that Parse answers with a *Error of a known failure, or
// with a request whose signature cannot be good.
func parseFuzzed(t *testing.T, r *http.Request, rules Rules) {
	s, err := Parse(r, rules, testTime)
	if err == nil {
		if len(s.Date) != 8 || len(s.Signature) != 64 || s.AccessKeyID == "" {
			t.Errorf("accepted %+v", *s)
		}
		err = s.Check(Derive("a secret nobody signs with", s.Date, s.Region, s.Service), EmptySHA256)
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if e.S3Message() == "" || e.QueryMessage() == "" {
		t.Errorf("no sentence for %s", e.Failure)
	}
}

func FuzzAuthorization(f *testing.F) {
	good := signedS3(f)
	f.Add(good.Header.Get("Authorization"), "20260102T030405Z", "")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/20260102/r/s3/aws4_request,SignedHeaders=host,Signature="+EmptySHA256, "", "Fri, 02 Jan 2026 03:04:05 GMT")
	for _, v := range headerRefusals {
		r := signedS3(f)
		v.mutate(r)
		f.Add(r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), r.Header.Get("Date"))
	}
	f.Fuzz(func(t *testing.T, authorization, amzDate, date string) {
		for _, rules := range []Rules{s3Rules, {Service: "execute-api", Fallbacks: true}} {
			r := request("GET", "/a?b=c")
			r.Header.Set("Authorization", authorization)
			r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload)
			if amzDate != "" {
				r.Header.Set("X-Amz-Date", amzDate)
			}
			r.Header.Set("Date", date)
			parseFuzzed(t, r, rules)
		}
	})
}

func FuzzPresigned(f *testing.F) {
	f.Add(presigned(f, "s3", "/b/k?versionId=1").RequestURI)
	for _, v := range presignedRefusals {
		r := presigned(f, "s3", "/b/k")
		v.mutate(r)
		f.Add(r.RequestURI)
	}
	f.Add("http://a/%2f/../?;&&=&+=%")
	f.Fuzz(func(t *testing.T, uri string) {
		for _, rules := range []Rules{s3Rules, stsRules} {
			r := request("GET", "/")
			r.RequestURI = uri
			if uri == "" {
				r.RequestURI = "/"
			}
			parseFuzzed(t, r, rules)
		}
	})
}

func FuzzTrailer(f *testing.F) {
	f.Add(framed(CRC32, "hello"), int64(5))
	f.Add(framed(CRC32, strings.Repeat("x", 9000), 8192), int64(9000))
	f.Add("5\r\nhello\r\n0\r\n\r\n", int64(5))
	f.Add("ffffffffffffffff\r\n", int64(1)<<62)
	f.Fuzz(func(t *testing.T, body string, length int64) {
		got, err := io.ReadAll(NewTrailerReader(strings.NewReader(body), length, CRC32))
		if err == nil {
			if int64(len(got)) != length || !strings.Contains(body, sumOf(CRC32, string(got))) {
				t.Fatalf("accepted %q as %q", body, got)
			}
			return
		}
		if FailureOf(err) == "" || length > 0 && int64(len(got)) >= length {
			t.Fatalf("%d of %d bytes, %v", len(got), length, err)
		}
	})
}
