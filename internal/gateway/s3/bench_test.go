package s3

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// benchAccess checks with a key derived once and allows everything, so that
// what is measured is the gate.
type benchAccess struct{ key *sigv4.SigningKey }

func (a benchAccess) Authenticate(r *http.Request, _ access.Service, _ string) (access.Authenticated, error) {
	signed, err := sigv4.Parse(r, sigv4.Rules{Service: "s3", S3: true, Presigned: true}, testTime)
	if err == nil {
		err = signed.Check(a.key, "")
	}
	return access.Authenticated{Signed: signed, Caller: identity.Caller{AccountID: account, Partition: "aws", PrincipalID: "u"}}, err
}

func (benchAccess) AuthenticateForm(*http.Request, string) (access.Authenticated, *sigv4.PostForm, error) {
	panic("not used")
}

func (benchAccess) Ended(context.Context, *identity.Caller) bool { return false }

func (benchAccess) Authorize(*identity.Caller, string, access.Resource) access.Decision {
	return access.Decision{Effect: access.Allow}
}

// benchStore keeps nothing: it serves size bytes and swallows what it gets.
func benchStore(b *testing.B, size int) *httptest.Server {
	chunk, sink := make([]byte, 256<<10), make([]byte, 256<<10) // what lands in sink is never read
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, sink); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
			return
		}
		w.Header()["Content-Length"] = []string{strconv.Itoa(size)}
		for left := size; left > 0; {
			n, err := w.Write(chunk[:min(left, len(chunk))])
			if left -= n; err != nil {
				return
			}
		}
	}))
	b.Cleanup(srv.Close)
	return srv
}

func benchGateway(b *testing.B, store string) string {
	tr := upstream.NewTransport(upstream.TransportConfig{})
	b.Cleanup(tr.CloseIdleConnections)
	return benchGatewayBy(b, store, tr, fixedClock{})
}

func benchGatewayBy(b *testing.B, store string, tr http.RoundTripper, clock identity.Clock) string {
	endpoint, err := url.Parse(store)
	if err != nil {
		b.Fatal(err)
	}
	reg := &fakeRegistry{m: map[string]identity.Bucket{"photos": {Name: "photos", AccountID: account, Upstream: "main", State: identity.BucketOwned}}}
	gw, err := New(Config{
		Access: benchAccess{sigv4.Derive(testSecret, "20260102", "us-east-1", "s3")}, Registry: reg, Bucket: reg.get, ExternalURL: "http://x",
		Clock: clock,
		Upstreams: only(&upstream.S3{
			Name: "main", Endpoint: endpoint, Region: "us-east-1", Transport: tr, Clock: clock, Mode: upstream.Reframe, KeySemantics: upstream.KeysArePaths,
			Credentials: func() (string, identity.Secret, error) { return rootKey, rootSecret, nil },
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	front := httptest.NewServer(gw)
	b.Cleanup(front.Close)
	return front.URL
}

// benchRun sends one request b.N times, one after the other.
func benchRun(b *testing.B, base, method string, size int, payload string) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, ReadBufferSize: 256 << 10, WriteBufferSize: 256 << 10}}
	defer client.CloseIdleConnections()
	body := strings.Repeat("x", size)
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		var r io.Reader
		if method == http.MethodPut {
			r = strings.NewReader(body)
		}
		req, err := http.NewRequest(method, base+"/photos/key", r)
		if err != nil {
			b.Fatal(err)
		}
		if err := sigv4.Sign(req, sigv4.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "us-east-1", "s3", payload, testTime); err != nil {
			b.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buf)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || method == http.MethodGet && n != int64(size) {
			b.Fatalf("%d, %d bytes, %v", resp.StatusCode, n, err)
		}
	}
}

// BenchmarkGateway compares each transfer with the same one sent to the store
// directly, and with a request that an empty handler answers (hello).
func BenchmarkGateway(b *testing.B) {
	const small, large = 4 << 10, 16 << 20
	b.Run("hello", func(b *testing.B) {
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		b.Cleanup(srv.Close)
		benchRun(b, srv.URL, http.MethodHead, 0, sigv4.EmptySHA256)
	})
	for _, tt := range []struct {
		name, method string
		size         int
		payload      string
	}{
		{"get4K", http.MethodGet, small, sigv4.EmptySHA256},
		{"get16M", http.MethodGet, large, sigv4.EmptySHA256},
		{"put4K", http.MethodPut, small, sigv4.UnsignedPayload},
		{"put16M", http.MethodPut, large, sigv4.UnsignedPayload},
	} {
		store := benchStore(b, tt.size)
		b.Run(tt.name+"/direct", func(b *testing.B) { benchRun(b, store.URL, tt.method, tt.size, tt.payload) })
		b.Run(tt.name+"/gateway", func(b *testing.B) { benchRun(b, benchGateway(b, store.URL), tt.method, tt.size, tt.payload) })
	}
}

// BenchmarkChild is BenchmarkGateway before the object store that daypass brings
// along; "direct" is the same requests, signed for it, on its own socket.
func BenchmarkChild(b *testing.B) {
	const small, large = 4 << 10, 16 << 20
	tr := startChild(b)
	up := &upstream.S3{
		Name: "main", Endpoint: &url.URL{Scheme: "http", Host: "objectstore"}, Region: "us-east-1", Transport: tr, Clock: identity.SystemClock{},
		Credentials: func() (string, identity.Secret, error) { return rootKey, rootSecret, nil },
	}
	direct := func(b *testing.B, method, key string, size int) {
		b.Helper()
		body, buf := strings.Repeat("x", size), make([]byte, 256<<10)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			req := &upstream.Request{Method: method, Bucket: "photos", Key: key}
			if method == http.MethodPut && size > 0 {
				req.Body, req.Length, req.PayloadHash = io.NopCloser(strings.NewReader(body)), int64(size), sigv4.UnsignedPayload
			}
			resp, err := up.Do(b.Context(), req)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, buf)
			resp.Body.Close()
			if err != nil || resp.StatusCode >= 300 || method == http.MethodGet && n != int64(size) {
				b.Fatalf("%s: %d, %d bytes, %v", key, resp.StatusCode, n, err)
			}
		}
	}
	gate := benchGatewayBy(b, "http://objectstore", tr, identity.SystemClock{})
	put := func(key string, size int) {
		req := &upstream.Request{Method: http.MethodPut, Bucket: "photos", Key: key}
		if size > 0 {
			req.Body, req.Length, req.PayloadHash = io.NopCloser(strings.NewReader(strings.Repeat("x", size))), int64(size), sigv4.UnsignedPayload
		}
		resp, err := up.Do(b.Context(), req)
		if err != nil || resp.StatusCode != 200 {
			b.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	put("", 0)
	for _, tt := range []struct {
		name, method string
		size         int
		payload      string
	}{
		{"get4K", http.MethodGet, small, sigv4.EmptySHA256},
		{"get16M", http.MethodGet, large, sigv4.EmptySHA256},
		{"put4K", http.MethodPut, small, sigv4.UnsignedPayload},
		{"put16M", http.MethodPut, large, sigv4.UnsignedPayload},
	} {
		put("key", tt.size)
		b.Run(tt.name+"/direct", func(b *testing.B) { direct(b, tt.method, "key", tt.size) })
		b.Run(tt.name+"/gateway", func(b *testing.B) { benchRun(b, gate, tt.method, tt.size, tt.payload) })
	}
}
