package sigv4

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestSignOverTheWire checks, behind net/http on both sides, that what Sign
// covers is what arrives.
func TestSignOverTheWire(t *testing.T) {
	t.Parallel()
	var rules Rules
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := Parse(r, rules, testTime)
		if err == nil {
			err = s.Check(keyFor(s), EmptySHA256)
		}
		if err == nil && s.PayloadMode != PayloadBody {
			_, err = io.Copy(io.Discard, s.Reader(r.Body, r.ContentLength))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"s3", "execute-api"} {
		rules = Rules{Service: service, S3: service == "s3", Presigned: true}
		for _, u := range []*url.URL{
			{Path: ""},
			{Path: "/b/a key+plus;semi=eq&amp"},
			{Path: "/b/a/b", RawPath: "/b/a%2Fb"},
			{Path: "/b/\u1234", RawQuery: "uploads"},
			{Opaque: "//" + base.Host + "/b/a%2fb//c/%7E", RawQuery: "x=1&x=0&y"},
			{Opaque: "/b/./c/../d", RawQuery: "a=b;c"},
		} {
			u.Scheme, u.Host = base.Scheme, base.Host
			for _, query := range []bool{false, true} {
				target := *u
				r := &http.Request{Method: "GET", URL: &target, Header: http.Header{"X-Amz-Meta-A": {" a  b "}, "Range": {"bytes=0-1"}}}
				cred := testCredentials
				cred.SessionToken = "a/token=="
				if query {
					err = Presign(r, cred, "us-east-1", service, time.Minute, testTime)
				} else {
					err = Sign(r, cred, "us-east-1", service, "", testTime)
				}
				if err != nil {
					t.Fatal(err)
				}
				checkAnswer(t, r)
			}
		}
	}
	rules = Rules{Service: "s3", S3: true}
	content := strings.Repeat("content", 30000)
	r, err := http.NewRequest("PUT", server.URL+"/b/k", NewFramer(strings.NewReader(content), int64(len(content)), CRC64NVME))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = FramedLength(int64(len(content)), CRC64NVME)
	r.Header.Set("X-Amz-Decoded-Content-Length", "210000")
	r.Header.Set("X-Amz-Trailer", CRC64NVME.Header())
	if err := Sign(r, testCredentials, "us-east-1", "s3", StreamingUnsignedTrailer, testTime); err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, r)
}

func checkAnswer(t *testing.T, r *http.Request) {
	t.Helper()
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", r.URL, text)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	r := request("GET", "/")
	for name, err := range map[string]error{
		"mode":     Sign(r, testCredentials, "r", "s3", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", testTime),
		"unsigned": Sign(r, testCredentials, "r", "sts", UnsignedPayload, testTime),
		"short":    Presign(r, testCredentials, "r", "s3", time.Millisecond, testTime),
		"long":     Presign(r, testCredentials, "r", "s3", 8*24*time.Hour, testTime),
		"no host":  Sign(&http.Request{URL: &url.URL{Path: "/"}}, testCredentials, "r", "s3", "", testTime),
		"spelling": Sign(&http.Request{Host: "h", URL: &url.URL{Path: "/"}, Header: http.Header{"x-amz-a": {"b"}}}, testCredentials, "r", "s3", "", testTime),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSignerKeepsTheDay: the kept key follows the date of signing.
func TestSignerKeepsTheDay(t *testing.T) {
	t.Parallel()
	s := NewSigner(testCredentials, "us-east-1", "s3")
	for _, at := range []time.Time{testTime, testTime.Add(48 * time.Hour), testTime} {
		r := request("GET", "/b/k")
		if err := s.Sign(r, "", at); err != nil {
			t.Fatal(err)
		}
		signed, err := Parse(r, s3Rules, at)
		if err == nil {
			err = signed.Check(keyFor(signed), "")
		}
		if err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}
