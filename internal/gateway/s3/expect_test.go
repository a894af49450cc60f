package s3

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// raw sends a request head by hand and returns the status lines and headers of
// what comes back before any body was sent.
func raw(t *testing.T, q *rig, c call) []string {
	t.Helper()
	req, err := q.build(c)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(q.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n", c.method, c.target, req.URL.Host, max(0, req.ContentLength))
	_ = req.Header.Write(conn)
	fmt.Fprint(conn, "\r\n")
	br := bufio.NewReader(conn)
	var out []string
	for {
		resp, err := http.ReadResponse(br, req)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(resp.StatusCode, " close=", resp.Close))
		if resp.StatusCode != 100 {
			return out
		}
		if c.body != "" {
			fmt.Fprint(conn, c.body)
		}
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	body := strings.Repeat("x", 1000)
	for _, tt := range []struct {
		name string
		call call
		deny string
		want string
	}{
		{"accepted", call{body: body, payload: sigv4.UnsignedPayload}, "", "100 close=false,200 close=false"},
		{"accepted without a body", call{}, "", "100 close=false,200 close=false"},
		{"denied before the body", call{body: body}, "s3:PutObject", "403 close=true"},
		{"denied without a body", call{}, "s3:PutObject", "403 close=true"},
	} {
		q.access.deny = map[string]bool{tt.deny: true}
		tt.call.method, tt.call.target = "PUT", "/photos/a"
		if got := strings.Join(raw(t, q, tt.call), ","); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestAbortedUpload: a client that goes away in the middle of a body leaves
// the upstream with a body that failed, whatever the mode.
func TestAbortedUpload(t *testing.T) {
	t.Parallel()
	for _, mode := range []upstream.Mode{upstream.Reframe, upstream.Passthrough, upstream.Plain} {
		for _, sizes := range [][2]int{{1000, 500}, {300_000, 200_000}, {300_000, 0}} {
			for _, half := range []bool{false, true} {
				t.Run(fmt.Sprint(mode, sizes, half), func(t *testing.T) {
					t.Parallel()
					q := newRig(t, nil)
					q.up.Mode = mode
					body := strings.Repeat("x", sizes[0])
					req, err := q.build(call{method: "PUT", target: "/photos/a", body: body, payload: sigv4.UnsignedPayload})
					if err != nil {
						t.Fatal(err)
					}
					conn, err := net.Dial("tcp", strings.TrimPrefix(q.url, "http://"))
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					fmt.Fprintf(conn, "PUT /photos/a HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", req.URL.Host, sizes[0])
					_ = req.Header.Write(conn)
					fmt.Fprint(conn, "\r\n", body[:sizes[1]])
					if half {
						_ = conn.(*net.TCPConn).CloseWrite()
						resp, err := http.ReadResponse(bufio.NewReader(conn), req)
						if err != nil || resp.StatusCode != 400 {
							t.Errorf("half-closed: %v %v", resp, err)
						}
					} else {
						conn.Close()
					}
					for _, s := range q.servers {
						s.Close() // waits for requests under way
					}
					for _, up := range q.store.take() {
						if up.Err == nil {
							t.Errorf("the upstream got a whole body of %d bytes", len(up.Body))
						}
					}
				})
			}
		}
	}
}

func TestLimitPerPrincipal(t *testing.T) {
	t.Parallel()
	q := newRig(t, func(c *Config) { c.MaxPerPrincipal = 1 })
	q.gw.limit.wait = 0
	entered, leave := make(chan bool), make(chan bool)
	q.store.reply = func(http.ResponseWriter, *http.Request) {
		entered <- true
		<-leave
	}
	done := make(chan int)
	go func() { done <- q.do(call{method: "GET", target: "/photos/a"}).Status }()
	<-entered
	if got := q.do(call{method: "GET", target: "/photos/a"}); got.Status != 503 || !strings.Contains(got.Body, "SlowDown") {
		t.Errorf("second request: %d %s", got.Status, got.Body)
	}
	leave <- true
	if got := <-done; got != 200 {
		t.Errorf("first request: %d", got)
	}
	if n := len(q.gw.limit.busy); n != 0 {
		t.Errorf("%d principals still counted", n)
	}
}
