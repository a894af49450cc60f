package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"daypass/internal/identity"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answers(status int) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			r.Body.Close()
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("x")), Header: http.Header{}}, nil
	}
}

func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func refuses(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

// brokenRig is an upstream with a breaker, whose way the test changes.
type brokenRig struct {
	*S3
	way     atomic.Pointer[roundTrip]
	sent    atomic.Int64
	changes []error
}

func newBrokenRig(way roundTrip) *brokenRig {
	q := &brokenRig{}
	q.way.Store(&way)
	q.S3 = &S3{
		Name: "ceph", Endpoint: &url.URL{Scheme: "http", Host: "rgw"}, Region: "r1", Clock: identity.SystemClock{},
		Credentials: func() (string, identity.Secret, error) { return "id", "secret", nil },
		Breaker:     NewBreaker(func(cause error) { q.changes = append(q.changes, cause) }),
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			q.sent.Add(1)
			return (*q.way.Load())(r)
		}),
	}
	return q
}

func (q *brokenRig) get(ctx context.Context) error {
	resp, err := q.Do(ctx, &Request{Method: http.MethodGet, Bucket: "b", Key: "k"})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return err
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newBrokenRig(answers(500))
		for range tripAfter - 1 { // an answer is an answer
			if err := q.get(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		way := roundTrip(refuses)
		q.way.Store(&way)
		for i := range tripAfter {
			if err := q.get(t.Context()); err == nil || errors.Is(err, ErrAway) {
				t.Fatalf("request %d: %v", i, err)
			}
		}
		sent := q.sent.Load()
		err := q.get(t.Context())
		if e := identity.AsError(err); !errors.Is(err, ErrAway) || e.Kind != identity.KindUnavailable || e.RetryAfterSeconds == 0 {
			t.Errorf("while open: %v", err)
		}
		if q.sent.Load() != sent || q.Breaker.Up() || q.Breaker.Refused() != 1 || q.Breaker.Failures() != tripAfter {
			t.Errorf("sent %d, refused %d, failures %d", q.sent.Load()-sent, q.Breaker.Refused(), q.Breaker.Failures())
		}
		<-time.After(openFor + time.Millisecond)
		if err := q.get(t.Context()); errors.Is(err, ErrAway) || err == nil {
			t.Errorf("half open: %v", err)
		}
		if err := q.get(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("open again: %v", err)
		}
		<-time.After(openFor + time.Millisecond)
		well := answers(404)
		q.way.Store(&well)
		if err := q.Probe(t.Context()); err != nil || !q.Breaker.Up() {
			t.Errorf("back: %v", err)
		}
		if len(q.changes) != 2 || q.changes[0] == nil || q.changes[1] != nil {
			t.Errorf("told %v", q.changes)
		}
	})
}

// TestBlameless: what callers do to their own requests opens nothing.
func TestBlameless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newBrokenRig(silent)
		for range 2 * tripAfter {
			ctx, cancel := context.WithTimeout(t.Context(), patience-time.Second)
			if err := q.get(ctx); err == nil {
				t.Error("no error")
			}
			cancel()
		}
		way := answers(200)
		q.way.Store(&way)
		for range 2 * tripAfter {
			_, err := q.Do(t.Context(), &Request{Method: "PUT", Bucket: "b", Key: "k", Body: &failingBody{left: 9}, Length: 10, PayloadHash: "UNSIGNED-PAYLOAD"})
			if !errors.Is(err, errTampered) {
				t.Errorf("%v", err)
			}
		}
		q.Credentials = func() (string, identity.Secret, error) { return "", "", errors.New("none") }
		for range 2 * tripAfter {
			if err := q.get(t.Context()); err == nil || errors.Is(err, ErrAway) {
				t.Errorf("%v", err)
			}
		}
		if !q.Breaker.Up() || q.Breaker.Failures() != 0 {
			t.Errorf("%d failures", q.Breaker.Failures())
		}
	})
}

// TestStanding: an upstream that takes connections and says nothing is away,
// whether callers lose patience or probes do.
func TestStanding(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newBrokenRig(silent)
		for range tripAfter {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_ = q.get(ctx)
			cancel()
		}
		if q.Breaker.Up() {
			t.Error("callers lost patience, and it counts as up")
		}
		q = newBrokenRig(silent)
		for range tripAfter {
			if err := q.Probe(t.Context()); err == nil {
				t.Error("a probe got through")
			}
		}
		if q.Breaker.Up() {
			t.Error("probes got no answer, and it counts as up")
		}
		q = newBrokenRig(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: standing{r.Context()}}, nil
		})
		var all sync.WaitGroup
		for range tripAfter {
			all.Go(func() { _ = q.get(t.Context()) })
		}
		all.Wait()
		if q.Breaker.Up() {
			t.Error("it stood still in the middle of answers, and counts as up")
		}
		// To complete an upload takes what it takes, and so does a listing.
		for _, slow := range []Request{{Method: "POST", Bucket: "b", Key: "k", Query: "uploadId=1"}, {Method: "GET", Bucket: "b", Query: "list-type=2"}} {
			q = newBrokenRig(silent)
			for range 2 * tripAfter {
				ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
				again := slow
				_, _ = q.Do(ctx, &again)
				cancel()
			}
			if !q.Breaker.Up() {
				t.Errorf("%s %s?%s: slow ones opened it", slow.Method, slow.Key, slow.Query)
			}
		}
	})
}

// standing is a body that gives nothing until its request ends.
type standing struct{ ctx context.Context }

func (s standing) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }
func (standing) Close() error               { return nil }

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	u := client(t, func(http.ResponseWriter, *http.Request) {})
	u.Endpoint, u.Breaker = endpoint(t, srv.URL), NewBreaker(nil)
	for range tripAfter {
		if _, err := u.Do(t.Context(), &Request{Method: "GET"}); identity.KindOf(err) != identity.KindUnavailable || errors.Is(err, ErrAway) {
			t.Errorf("%v", err)
		}
	}
	if _, err := u.Do(t.Context(), &Request{Method: "GET"}); !errors.Is(err, ErrAway) {
		t.Errorf("%v", err)
	}
}
