package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
)

type fixedClock struct{}

func (fixedClock) Now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func endpoint(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func client(t *testing.T, h http.HandlerFunc) *S3 {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	tr := NewTransport(TransportConfig{})
	t.Cleanup(tr.CloseIdleConnections)
	return &S3{
		Endpoint: endpoint(t, srv.URL), Region: "r1", Transport: tr, Clock: fixedClock{},
		Credentials: func() (string, identity.Secret, error) { return "AKUP", "secret", nil },
	}
}

func signedBy(t *testing.T, r *http.Request, secret string) {
	t.Helper()
	s, err := sigv4.Parse(r, sigv4.Rules{Service: "s3", S3: true}, fixedClock{}.Now())
	if err == nil {
		err = s.Check(sigv4.Derive(secret, s.Date, s.Region, "s3"), "")
	}
	if err != nil || s.AccessKeyID != "AKUP" || s.Region != "r1" {
		t.Errorf("signature of %s %s: %v", r.Method, r.RequestURI, err)
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		virtual bool
		req     Request
		uri     string
	}{
		{"service", false, Request{Method: "GET"}, "/"},
		{"bucket", false, Request{Method: "HEAD", Bucket: "b"}, "/b"},
		{"object", false, Request{Method: "PUT", Bucket: "b", Key: "a%2Fb//c", Query: "partNumber=1&uploadId=x%2F"}, "/b/a%2Fb//c?partNumber=1&uploadId=x%2F"},
		{"virtual", true, Request{Method: "GET", Bucket: "b", Key: "a%20"}, "/a%20"},
		{"virtual with a slash", true, Request{Method: "GET", Bucket: "b", Key: "/a"}, "//a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := client(t, func(_ http.ResponseWriter, r *http.Request) {
				signedBy(t, r, "secret")
				if r.RequestURI != tt.uri {
					t.Errorf("target %s, want %s", r.RequestURI, tt.uri)
				}
				if tt.virtual != strings.HasPrefix(r.Host, "b.") {
					t.Errorf("host %s", r.Host)
				}
			})
			u.VirtualHost = tt.virtual
			resp, err := u.Do(context.Background(), &tt.req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		})
	}
}

func TestCredentialsMayChange(t *testing.T) {
	t.Parallel()
	secret := identity.Secret("one")
	u := client(t, func(_ http.ResponseWriter, r *http.Request) { signedBy(t, r, secret.Reveal()) })
	u.Credentials = func() (string, identity.Secret, error) { return "AKUP", secret, nil }
	for _, s := range []identity.Secret{"one", "two", "two"} {
		secret = s
		resp, err := u.Do(context.Background(), &Request{Method: "GET"})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	u.Credentials = func() (string, identity.Secret, error) { return "", "", errors.New("none") }
	if _, err := u.Do(context.Background(), &Request{Method: "GET"}); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("without credentials: %v", err)
	}
}

func TestRedirectIsAnAnswer(t *testing.T) {
	t.Parallel()
	u := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	resp, err := u.Do(context.Background(), &Request{Method: "GET"})
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
}

type failingBody struct{ left int }

func (f *failingBody) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errTampered
	}
	n := min(f.left, len(p))
	f.left -= n
	return n, nil
}

func (f *failingBody) Close() error { return nil }

var errTampered = errors.New("tampered")

func TestFailingBody(t *testing.T) {
	t.Parallel()
	u := client(t, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			t.Error("the body arrived whole")
		}
	})
	_, err := u.Do(context.Background(), &Request{Method: "PUT", Bucket: "b", Key: "k", Body: &failingBody{left: 99_999}, Length: 100_000, PayloadHash: sigv4.UnsignedPayload})
	e := identity.AsError(err)
	if e == nil || e.Kind != identity.KindUnavailable || e.RetryAfterSeconds == 0 || !errors.Is(err, errTampered) {
		t.Errorf("error %v", err)
	}
}

func TestNoEndpoint(t *testing.T) {
	t.Parallel()
	u := &S3{Clock: fixedClock{}}
	if _, err := u.Do(context.Background(), &Request{Method: "GET"}); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("%v", err)
	}
}
