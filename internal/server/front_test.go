package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
)

// fixedClock is a clock that stands still until it is set.
type fixedClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fixedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fixedClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newFront(log io.Writer, dialects map[string]http.Handler) *Front {
	logger := NewLogger(LogConfig{Level: "info", Format: "text"}, log)
	return &Front{
		Router: NewRouter(testHosts(), false, Pages{}, ownHost), Dialects: dialects, Log: logger,
		Access: newAccessLog(logger), Metrics: NewMetrics("test", []string{"GetCallerIdentity"}), Clock: &fixedClock{now: time.Unix(1e9, 0)},
	}
}

func TestFrontGivesFacts(t *testing.T) {
	t.Parallel()
	var got identity.RequestFacts
	var log lockedBuffer
	front := newFront(&log, map[string]http.Handler{"s3": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = identity.RequestOf(r.Context())
		fmt.Fprint(w, "hello")
	})})
	r := request(t, "GET /b/k?X-Amz-Signature=hush&versionId=1&%58-Amz-Security-Token=hush2", "h", "", "Authorization: hush3", "Cookie: hush4", "User-Agent: agent/1")
	r.RemoteAddr = "192.0.2.7:999"
	w := httptest.NewRecorder()
	front.ServeHTTP(w, r)
	if !regexp.MustCompile(`^[0-9A-F]{16}$`).MatchString(got.ID) {
		t.Errorf("request ID %q", got.ID)
	}
	got.ID = ""
	if want := (identity.RequestFacts{SourceIP: "192.0.2.7", UserAgent: "agent/1", Dialect: "s3"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	flushLog(front.Log)
	line := log.String()
	for _, want := range []string{"service=s3", "method=GET", "status=200", "bytes=5", "versionId=1", "source=192.0.2.7"} {
		if !strings.Contains(line, want) {
			t.Errorf("the log lacks %s: %s", want, line)
		}
	}
	if strings.Contains(line, "hush") {
		t.Errorf("the log holds a secret: %s", line)
	}
}

func TestRealmsNameTheRequest(t *testing.T) {
	t.Parallel()
	var got string
	front := newFront(io.Discard, map[string]http.Handler{serviceOIDC: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = identity.RequestOf(r.Context()).ID
	})})
	w := httptest.NewRecorder()
	front.ServeHTTP(w, request(t, "GET /realms/x/.well-known/openid-configuration", "h", ""))
	if id := w.Header().Get("X-Request-Id"); id == "" || id != got {
		t.Errorf("X-Request-Id is %q, and the request's ID %q", id, got)
	}
}

func TestFrontRefusals(t *testing.T) {
	t.Parallel()
	boom := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom hush") })
	many := make([]string, maxHeaderCount+1)
	for i := range many {
		many[i] = fmt.Sprintf("X-%d: v", i)
	}
	for _, tc := range []struct {
		name, line, body string
		headers          []string
		status           int
		want             string
	}{
		{"panic in s3", "GET /b/k", "", nil, 500, "<Code>InternalError</Code>"},
		{"panic in sts", "POST /", webIdentity, []string{formHeader}, 500, "<Code>InternalFailure</Code>"},
		{"panic in a realm", "GET /realms/r", "", nil, 500, `"error":"server_error"`},
		{"not served", "POST /", listUsers, []string{formHeader}, 501, "<Code>NotImplemented</Code>"},
		{"wrong service", "POST /", webIdentity, []string{formHeader, "Authorization: " + signedFor("s3")}, 400, "Credential should be scoped to correct service: &#39;sts&#39;."},
		{"wrong service of an object", "GET /b/k", "", []string{"Authorization: " + signedFor("sts")}, 400, "<Code>AuthorizationHeaderMalformed</Code>"},
		{"wrong service of a realm", "GET /realms/r", "", []string{"Authorization: " + signedFor("s3")}, 400, `"error":"invalid_request"`},
		{"long headers", "GET /b/k", "", []string{"X-A: " + strings.Repeat("a", maxHeaderBytes)}, 400, "<Message>Your request header section"},
		{"many headers", "GET /b/k", "", many, 400, "<Code>EntityTooLarge"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var log lockedBuffer
			front := newFront(&log, map[string]http.Handler{"s3": boom, "sts": boom, "oidc": boom})
			w := httptest.NewRecorder()
			front.ServeHTTP(w, request(t, tc.line, "h", tc.body, tc.headers...))
			body := strings.ReplaceAll(w.Body.String(), "'", "&#39;")
			if w.Code != tc.status || !strings.Contains(strings.ReplaceAll(body, "&apos;", "&#39;"), tc.want) {
				t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, tc.status, tc.want)
			}
			if strings.Contains(w.Body.String(), "hush") || w.Header().Get("Connection") != "close" {
				t.Errorf("headers %v, body %s", w.Header(), w.Body)
			}
		})
	}
}

func TestFrontBreaksOffAHalfSentAnswer(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	front := newFront(&log, map[string]http.Handler{"s3": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("half"))
		w.(http.Flusher).Flush()
		panic("boom")
	})})
	s := httptest.NewServer(front)
	defer s.Close()
	response, err := http.Get(s.URL + "/b/k")
	if err == nil {
		_, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err == nil {
		t.Error("the client took half an answer for a whole one")
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	trusted, err := parseProxies([]string{"10.0.0.0/8", "2001:db8::1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, remote       string
		headers            []string
		ip, host           string
		secure, noneListed bool
	}{
		{"no proxy", "192.0.2.1:1", nil, "192.0.2.1", "h", false, false},
		{"stranger's headers", "192.0.2.1:1", []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: x"}, "192.0.2.1", "h", false, false},
		{"proxy's headers", "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: x"}, "1.1.1.1", "x", true, false},
		{"spoofed first hop", "10.0.0.1:1", []string{"X-Forwarded-For: 6.6.6.6, 1.1.1.1"}, "1.1.1.1", "h", false, false},
		{"two proxies", "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1, 10.0.0.2"}, "1.1.1.1", "h", false, false},
		{"two headers", "10.0.0.1:1", []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 1.1.1.1"}, "1.1.1.1", "h", false, false},
		{"nonsense", "10.0.0.1:1", []string{"X-Forwarded-For: unknown"}, "10.0.0.1", "h", false, false},
		{"with port, IPv6", "[2001:db8::1]:1", []string{"X-Forwarded-For: [2001:db8::9]:77"}, "2001:db8::9", "h", false, false},
		{"mapped address", "[::ffff:10.0.0.1]:1", []string{"X-Forwarded-For: 1.1.1.1"}, "1.1.1.1", "h", false, false},
		{"none listed", "10.0.0.1:1", []string{"X-Forwarded-For: 1.1.1.1"}, "10.0.0.1", "h", false, true},
	} {
		r := request(t, "GET /", "h", "", tc.headers...)
		r.RemoteAddr = tc.remote
		p := trusted
		if tc.noneListed {
			p = nil
		}
		f := p.facts(r, "id")
		if f.SourceIP != tc.ip || f.Secure != tc.secure || r.Host != tc.host {
			t.Errorf("%s: got %s, %s, %v", tc.name, f.SourceIP, r.Host, f.Secure)
		}
	}
}

func TestMetricsBoundTheirLabels(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1.2", []string{"GetCallerIdentity"})
	post := httptest.NewRequest("POST", realmTokenURL, nil)
	m.observe(&Route{Service: "sts", Action: "GetCallerIdentity"}, post, 200, time.Millisecond)
	m.observe(&Route{Service: "sts", Action: "made-up"}, post, 400, time.Millisecond)
	m.observe(&Route{Service: "oidc"}, post, 200, time.Millisecond)
	m.observe(&Route{Service: "s3"}, httptest.NewRequest("BREW", "/made-up", nil), 405, time.Millisecond)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`daypass_requests_total{op="GetCallerIdentity",service="sts",status="200"} 1`,
		`daypass_requests_total{op="other",service="sts",status="400"} 1`,
		`daypass_requests_total{op="other",service="s3",status="405"} 1`,
		`daypass_requests_total{op="token",service="oidc",status="200"} 1`,
		`daypass_build_info{version="1.2"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(w.Body.String(), "made-up") {
		t.Error("a stranger's word became a label")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var state error
	h := localAdmin(health(func() error { return state }, NewMetrics("v", nil)))
	get := func(path, host string) int {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, tc := range []struct {
		path, host string
		state      error
		want       int
	}{
		{"/healthz", "127.0.0.1:1", errDraining, 200},
		{"/readyz", "127.0.0.1:1", nil, 200},
		{"/readyz", "localhost", errDraining, 503},
		{"/metrics", "localhost", nil, 200},
		{"/metrics", "evil.test", nil, 403},
		{"/v1/keyring", "localhost", nil, 404},
	} {
		if state = tc.state; get(tc.path, tc.host) != tc.want {
			t.Errorf("%s at %s, %v: got %d, want %d", tc.path, tc.host, tc.state, get(tc.path, tc.host), tc.want)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		finish bool
	}{{"in time", true}, {"too late", false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			doors := newListeners(slog.New(slog.DiscardHandler))
			l, err := doors.bind("listen", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			entered, release := make(chan struct{}), make(chan struct{})
			doors.serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				select {
				case <-release:
					fmt.Fprint(w, "done")
				case <-r.Context().Done():
				}
			}), nil)
			answer := make(chan error, 1)
			go func() {
				response, err := http.Get("http://" + l.Addr().String())
				if err == nil {
					_, err = io.ReadAll(response.Body)
					response.Body.Close()
				}
				answer <- err
			}()
			<-entered
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.finish {
				close(release)
			} else {
				cancel()
			}
			drained := doors.drain(ctx)
			if err := <-answer; (err == nil) != tc.finish || (drained == nil) != tc.finish {
				t.Errorf("the request ended with %v, the drain with %v", err, drained)
			}
			if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
				t.Error("the door is still open")
			}
		})
	}
}

// A handler that works on after it read the whole body is not cancelled by the
// deadline that guarded the reading.
func TestBodyDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	deadlines := make(chan time.Time, 8)
	w := &deadlineWriter{httptest.NewRecorder(), deadlines}
	body := &steadyBody{ReadCloser: io.NopCloser(strings.NewReader("abc")), control: http.NewResponseController(w)}
	if b, err := io.ReadAll(body); string(b) != "abc" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	close(deadlines)
	var got []bool
	for d := range deadlines {
		got = append(got, d.IsZero())
	}
	if len(got) != 2 || got[0] || !got[1] {
		t.Errorf("deadlines set %v; want one set and then none", got)
	}
}

// A large answer gets a deadline that moves on, and leaves none behind.
func TestLargeAnswersHaveADeadline(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		send func(*recorder)
		want int
	}{
		{"small", func(r *recorder) { r.Write(make([]byte, smallAnswer)) }, 0},
		{"large", func(r *recorder) { r.Write(make([]byte, smallAnswer)); r.Write([]byte("x")) }, 2},
		{"copied", func(r *recorder) { io.Copy(r, strings.NewReader(strings.Repeat("x", copyStep+7))) }, 2},
	} {
		deadlines := make(chan time.Time, 8)
		w := &deadlineWriter{httptest.NewRecorder(), deadlines}
		rec := &recorder{ResponseWriter: w, control: http.NewResponseController(w)}
		tc.send(rec)
		rec.finish()
		close(deadlines)
		var last time.Time
		n := 0
		for last = range deadlines {
			n++
		}
		if n != tc.want || !last.IsZero() || rec.written != int64(w.Body.Len()) {
			t.Errorf("%s: %d deadlines, the last %v; %d of %d bytes counted", tc.name, n, last, rec.written, w.Body.Len())
		}
	}
}

type deadlineWriter struct {
	*httptest.ResponseRecorder
	deadlines chan time.Time
}

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error {
	w.deadlines <- t
	return nil
}

func (w *deadlineWriter) SetReadDeadline(t time.Time) error {
	w.deadlines <- t
	return nil
}

func BenchmarkFront(b *testing.B) {
	for _, logged := range []bool{false, true} {
		b.Run(fmt.Sprintf("log=%v", logged), func(b *testing.B) {
			front := newFront(io.Discard, map[string]http.Handler{"s3": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Write([]byte("hello"))
			})})
			if !logged {
				front.Access = nil
			}
			r := httptest.NewRequest("GET", "/bucket/key", nil)
			r.RequestURI = "/bucket/key"
			r.Header.Set("Authorization", signedFor("s3"))
			b.ReportAllocs()
			for b.Loop() {
				front.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
