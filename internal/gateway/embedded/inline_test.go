package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
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
