package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var testCredentials = Credentials{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

func benchRequest(b testing.TB) *http.Request {
	r := httptest.NewRequest("GET", "/bucket/some/key%20with%20blanks?list-type=2&prefix=a%2Fb", nil)
	r.Host = "127.0.0.1:8080"
	for _, h := range []string{"Accept", "Accept-Encoding", "User-Agent", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Connection", "Range"} {
		r.Header.Set(h, "some ordinary value of a header")
	}
	r.Header.Set("X-Amz-Checksum-Mode", "ENABLED")
	cred := testCredentials
	cred.SessionToken = strings.Repeat("FwoGZXIvYXdzEBYaDK0", 43)[:800]
	if err := Sign(r, cred, "us-east-1", "s3", UnsignedPayload, testTime); err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkCheck is the check of a GET with 12 headers and a token of 800
// characters, with a cached key; "bare" is what cannot be saved of it.
func BenchmarkCheck(b *testing.B) {
	rules := Rules{Service: "s3", S3: true, Presigned: true}
	r := benchRequest(b)
	key := Derive(testCredentials.SecretAccessKey, "20260102", "us-east-1", "s3")
	b.Run("parse+check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := Parse(r, rules, testTime)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Check(key, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(r, rules, testTime); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("derive+parse+check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := Parse(r, rules, testTime)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Check(Derive(testCredentials.SecretAccessKey, s.Date, s.Region, s.Service), ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	s, err := Parse(r, rules, testTime)
	if err != nil {
		b.Fatal(err)
	}
	c := scratches.Get().(*scratch)
	s.msg.build(c, form{}, s.PayloadHash)
	c.stringToSign(s.algorithm(), s.timestamp, s.Date, s.Region, s.Service)
	b.Run("bare-sha256+hmac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sha256.Sum256(c.canonical)
			key.mac(c, c.text)
		}
	})
	b.Run("bare-hmac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			key.mac(c, c.text)
		}
	})
	b.Run("crypto-hmac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h := hmac.New(sha256.New, key.inner[:32])
			h.Write(c.text)
			h.Sum(nil)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	r := benchRequest(b)
	s := NewSigner(testCredentials, "us-east-1", "s3")
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Sign(r, UnsignedPayload, testTime); err != nil {
			b.Fatal(err)
		}
	}
}
