package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"daypass/internal/identity"
)

// brokenSTS is a token service whose way the test changes.
type brokenSTS struct {
	*STS
	way     atomic.Pointer[roundTrip]
	sent    atomic.Int64
	changes []error
}

func newBrokenSTS(way roundTrip) *brokenSTS {
	q := &brokenSTS{}
	q.way.Store(&way)
	q.STS = &STS{
		Name: "ceph", Endpoint: &url.URL{Scheme: "http", Host: "rgw"}, Region: "r1", Clock: &stsClock{now: fixedClock{}.Now()},
		Credentials: func() (string, identity.Secret, error) { return "id", "secret", nil },
		Breaker:     NewBreaker(func(cause error) { q.changes = append(q.changes, cause) }),
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			q.sent.Add(1)
			return (*q.way.Load())(r)
		}),
	}
	return q
}

func (q *brokenSTS) ask(ctx context.Context) error {
	_, err := q.AssumeRole(ctx, aliceRequest)
	return err
}

func (q *brokenSTS) now(way roundTrip) { q.way.Store(&way) }

func mints(status int, body string) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}, nil
	}
}

// TestSTSBreaker: after a few calls nothing is sent and nobody waits, and when
// the token service is back it is found to be.
func TestSTSBreaker(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]roundTrip{"refuses": refuses, "silent": silent} {
		synctest.Test(t, func(t *testing.T) {
			q := newBrokenSTS(mints(200, rgwAnswer))
			if err := q.ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			q.now(gone)
			for i := range tripAfter {
				if err := q.ask(t.Context()); identity.KindOf(err) != identity.KindUnavailable || errors.Is(err, ErrAway) {
					t.Fatalf("%s: call %d: %v", name, i, err)
				}
			}
			sent, began := q.sent.Load(), time.Now()
			for range 100 {
				err := q.ask(t.Context())
				if e := identity.AsError(err); !errors.Is(err, ErrAway) || e.Kind != identity.KindUnavailable || e.RetryAfterSeconds == 0 {
					t.Fatalf("%s: while it is away: %v", name, err)
				}
			}
			if q.sent.Load() != sent || time.Since(began) != 0 {
				t.Errorf("%s: %d requests were sent in %v", name, q.sent.Load()-sent, time.Since(began))
			}
			q.now(mints(403, rgwError("AccessDenied"))) // an answer is an answer
			time.Sleep(openFor + time.Millisecond)
			for range backAfter {
				if err := q.ask(t.Context()); identity.KindOf(err) != identity.KindUpstream {
					t.Errorf("%s: when it is back: %v", name, err)
				}
			}
			if !q.Breaker.Up() || len(q.changes) != 2 || q.changes[0] == nil || q.changes[1] != nil {
				t.Errorf("%s: up %v, told %v", name, q.Breaker.Up(), q.changes)
			}
		})
	}
}

// TestSTSBlameless: what is not the token service's doing does not close the
// way to it for everybody.
func TestSTSBlameless(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		way    roundTrip
		change func(*STS)
		waits  time.Duration // how long callers wait; 0 for long enough
		open   bool
	}{
		"refusals":          {way: mints(403, rgwError("AccessDenied"))},
		"one role's 500":    {way: mints(500, rgwError("InternalError"))},
		"too many requests": {way: mints(429, "")},
		"no XML":            {way: mints(200, "<html>")},
		"too much of it":    {way: mints(200, strings.Repeat(" ", maxAnswer+1))},
		"no keys of ours": {way: refuses, change: func(s *STS) {
			s.Credentials = func() (string, identity.Secret, error) { return "", "", io.ErrUnexpectedEOF }
		}},
		"callers in a hurry":   {way: silent, waits: time.Second},
		"callers with leisure": {way: silent, waits: tryTimeout + time.Second, open: true},
		"nobody there":         {way: refuses, open: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newBrokenSTS(tt.way)
			if tt.change != nil {
				tt.change(q.STS)
			}
			for range 3 * tripAfter {
				ctx, cancel := context.WithCancel(t.Context())
				if tt.waits > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), tt.waits)
				}
				if err := q.ask(ctx); err == nil {
					t.Errorf("%s: keys", name)
				}
				cancel()
			}
			if q.Breaker.Up() == tt.open {
				t.Errorf("%s: open %v, want %v", name, !q.Breaker.Up(), tt.open)
			}
		})
	}
}
