package embedded

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

// inlineTo is a transport to h that counts its connections.
func inlineTo(t *testing.T, h http.HandlerFunc) (*inline, string, *atomic.Int32) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	dialled := new(atomic.Int32)
	tr := &inline{rest: &http.Transport{}, dial: func(ctx context.Context) (net.Conn, error) {
		dialled.Add(1)
		var d net.Dialer
		return d.DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr, srv.URL, dialled
}

func fetch(t *testing.T, tr http.RoundTripper, ctx context.Context, method, target string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestInlineReusesConnections(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 300_000)
	tr, base, dialled := inlineTo(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = io.WriteString(w, large) // chunked
		case "/none":
			w.WriteHeader(204)
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "late")
		default:
			fmt.Fprint(w, r.Method, " ", r.RequestURI)
		}
	})
	for range 3 {
		for _, tt := range []struct {
			method, path string
			status       int
			body         string
		}{{"GET", "/a%2Fb?c=d", 200, "GET /a%2Fb?c=d"}, {"HEAD", "/a", 200, ""}, {"GET", "/large", 200, large}, {"GET", "/none", 204, ""}, {"GET", "/early", 200, "late"}, {"DELETE", "/x", 200, "DELETE /x"}} {
			status, body, err := fetch(t, tr, t.Context(), tt.method, base+tt.path)
			if err != nil || status != tt.status || body != tt.body {
				t.Errorf("%s %s: %d, %d bytes, %v", tt.method, tt.path, status, len(body), err)
			}
		}
	}
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestInlineConcurrently(t *testing.T) {
	t.Parallel()
	tr, base, _ := inlineTo(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte(r.URL.Path[1:]), 5000))
	})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 20 {
				name := fmt.Sprintf("%02d%02d", i, j)
				if _, body, err := fetch(t, tr, t.Context(), "GET", base+"/"+name); err != nil || body != strings.Repeat(name, 5000) {
					t.Errorf("%s: %d bytes, %v", name, len(body), err)
				}
			}
		})
	}
	wg.Wait()
}

// TestInlineFindsClosed: an idle connection that the other side has closed is
// no reason to fail; an answer that is cut short is.
func TestInlineFindsClosed(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	tr, base, dialled := inlineTo(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		switch r.URL.Path {
		case "/cut":
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
		case "/head":
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Le")
		case "/endless":
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			for range 100 {
				_, _ = io.WriteString(conn, "X-A: "+strings.Repeat("a", 4000)+"\r\n")
			}
		default:
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
		}
		conn.Close()
	})
	for range 3 {
		if _, body, err := fetch(t, tr, t.Context(), "GET", base+"/"); err != nil || body != "abc" {
			t.Errorf("%q %v", body, err)
		}
	}
	if s, d := served.Load(), dialled.Load(); s != 3 || d != 3 {
		t.Errorf("served %d times on %d connections", s, d)
	}
	for _, path := range []string{"/cut", "/head", "/endless"} {
		if _, _, err := fetch(t, tr, t.Context(), "GET", base+path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	if s := served.Load(); s != 6 {
		t.Errorf("served %d times: something was sent twice", s)
	}
}

func TestInlineCancelled(t *testing.T) {
	t.Parallel()
	entered, over := make(chan bool), make(chan bool)
	tr, base, _ := inlineTo(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "abc")
			_ = http.NewResponseController(w).Flush()
		}
		entered <- true
		<-over
	})
	defer close(over)
	why := errors.New("why")
	for _, path := range []string{"/head", "/body"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-entered
			cancel(why)
		}()
		if _, _, err := fetch(t, tr, ctx, "GET", base+path); !errors.Is(err, why) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestInlineBodies sends small bodies inline and large ones by the other way;
// one that fails before its end is never sent.
func TestInlineBodies(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	tr, base, dialled := inlineTo(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, " ", r.ContentLength, " ", len(body), " ", r.Header["X-A"], err)
	})
	bad := errors.New("not as promised")
	for _, tt := range []struct {
		method string
		length int64
		body   io.Reader
		want   string
		err    error
	}{
		{"PUT", 5, strings.NewReader("hello"), "PUT 5 5 [1 2] <nil>", nil},
		{"PUT", 0, nil, "PUT 0 0 [1 2] <nil>", nil},
		{"DELETE", 0, nil, "DELETE 0 0 [1 2] <nil>", nil},
		{"POST", maxInlineBody, strings.NewReader(strings.Repeat("x", maxInlineBody)), "POST 65536 65536 [1 2] <nil>", nil},
		{"POST", maxInlineBody + 1, strings.NewReader(strings.Repeat("x", maxInlineBody+1)), "POST 65537 65537 [1 2] <nil>", nil},
		{"PUT", 5, strings.NewReader("hello, too long"), "", errBodyLength},
		{"PUT", 5, strings.NewReader("hell"), "", errBodyLength},
		{"PUT", 5, nil, "", errBodyLength},
		{"PUT", 5, io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(bad)), "", bad},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, base+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["X-A"] = []string{"1", "2"}
		closed := &closing{Reader: tt.body, done: make(chan struct{})}
		if req.ContentLength = tt.length; tt.body != nil {
			req.Body = closed
		}
		before := served.Load()
		resp, err := tr.RoundTrip(req)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s of %d bytes: %v, want %v", tt.method, tt.length, err, tt.err)
		}
		if tt.body != nil {
			<-closed.done // net/http may close it after the answer has come
		}
		if err != nil {
			if served.Load() != before {
				t.Errorf("%s of %d bytes: it was sent", tt.method, tt.length)
			}
			continue
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != tt.want || err != nil {
			t.Errorf("%s of %d bytes: %q %v, want %q", tt.method, tt.length, got, err, tt.want)
		}
	}
	if n := dialled.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

type closing struct {
	io.Reader
	once sync.Once
	done chan struct{}
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

// TestInlineSendsOnce: what changes something goes over a connection that is
// seen to be open, and never twice.
func TestInlineSendsOnce(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	tr, base, dialled := inlineTo(t, func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1) == 4 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
			}
			conn.Close() // without an answer
		}
	})
	put := func() error {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", base+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	for i, want := range []struct {
		fails   bool
		dialled int32
	}{{false, 1}, {false, 1}, {false, 2}, {true, 2}} {
		if i == 2 { // the other side closes the idle connection
			tr.idle[0].Conn.(*net.TCPConn).CloseRead()
		}
		if err := put(); (err != nil) != want.fails || dialled.Load() != want.dialled || served.Load() != int32(i)+1 {
			t.Errorf("request %d: %v, %d connections, served %d times", i, err, dialled.Load(), served.Load())
		}
	}
}

func TestInlineRefusesHeads(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	tr, base, _ := inlineTo(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
	for _, tt := range []struct {
		what   string
		change func(*http.Request)
	}{
		{"break in a value", func(r *http.Request) { r.Header["X-A"] = []string{"a\r\nX-B: c"} }},
		{"line feed in a value", func(r *http.Request) { r.Header["X-A"] = []string{"a\nX-B: c"} }},
		{"colon in a name", func(r *http.Request) { r.Header["X-A:b"] = []string{"c"} }},
		{"blank in a name", func(r *http.Request) { r.Header["X-A b"] = []string{"c"} }},
		{"empty name", func(r *http.Request) { r.Header[""] = []string{"c"} }},
		{"break in the host", func(r *http.Request) { r.Host = "a\r\nb: c" }},
		{"blank in the target", func(r *http.Request) { r.URL.Opaque = "/a b" }},
		{"break in the target", func(r *http.Request) { r.URL.Opaque = "/a\r\nX-B:c" }},
		{"blank in the method", func(r *http.Request) { r.Method = "PUT /a HTTP/1.1" }},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", base+"/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		tt.change(req)
		if _, err := tr.RoundTrip(req); !errors.Is(err, errBadHead) {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
	if n := served.Load(); n != 0 {
		t.Errorf("%d were sent", n)
	}
	req, err := http.NewRequestWithContext(t.Context(), "PUT", base+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range framing {
		req.Header[name] = []string{"7"}
	}
	var out outgoing
	want := "PUT /x HTTP/1.1\r\nHost: " + req.URL.Host + "\r\nContent-Length: 0\r\n\r\n"
	if err := out.fill(req); err != nil || string(out.b) != want {
		t.Errorf("headers that frame: %v, %q, want %q", err, out.b, want)
	}
}

// FuzzParseAnswer: what it reads, net/http reads alike.
func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nX-A: 1\r\n folded\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 5\n\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
	} {
		f.Add(s)
	}
	r := &http.Request{Method: "GET"}
	f.Fuzz(func(t *testing.T, head string) {
		br := bufio.NewReaderSize(strings.NewReader(head), 16<<10)
		peeked := peekHead(br)
		if peeked == nil {
			return
		}
		got := parseAnswer(string(peeked), r)
		if got == nil {
			return
		}
		want, err := http.ReadResponse(br, r)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", peeked, err)
		}
		if got.StatusCode != want.StatusCode || got.ContentLength != want.ContentLength || got.Close != want.Close || !reflect.DeepEqual(got.Header, want.Header) {
			t.Errorf("%q: got %d, %d, %v; net/http %d, %d, %v", peeked, got.StatusCode, got.ContentLength, got.Header, want.StatusCode, want.ContentLength, want.Header)
		}
	})
}
