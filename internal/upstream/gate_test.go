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
	"testing/synctest"
	"time"

	"daypass/internal/identity"
)

func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2, 1, time.Second)
		for range 2 {
			if err := g.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		queued := make(chan error)
		go func() { queued <- g.Enter(t.Context()) }()
		synctest.Wait()
		if err := g.Enter(t.Context()); !errors.Is(err, ErrBusy) {
			t.Errorf("with the queue full: %v", err)
		}
		g.Leave()
		if err := <-queued; err != nil {
			t.Errorf("in turn: %v", err)
		}
		began := time.Now()
		if err := g.Enter(t.Context()); !errors.Is(err, ErrBusy) || time.Since(began) != time.Second {
			t.Errorf("in vain: %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Enter(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// stalled is an upstream before h, and the client for it.
func stalled(t *testing.T, h http.HandlerFunc) *S3 {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	endpoint, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := NewTransport(TransportConfig{})
	t.Cleanup(tr.CloseIdleConnections)
	return &S3{
		Endpoint: endpoint, Region: "us-east-1", Transport: tr, Clock: identity.SystemClock{}, Gate: NewGate(1, 0, 0),
		Credentials: func() (string, identity.Secret, error) { return "id", "secret", nil }, Stall: 50 * time.Millisecond,
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestUpstreamTakesNothing(t *testing.T) {
	t.Parallel()
	over := make(chan bool)
	u := stalled(t, func(http.ResponseWriter, *http.Request) { <-over })
	defer close(over)
	_, err := u.Do(t.Context(), &Request{Method: "PUT", Bucket: "b", Key: "k", Body: io.NopCloser(endless{}), Length: 1 << 40, PayloadHash: "UNSIGNED-PAYLOAD"})
	if identity.KindOf(err) != identity.KindUnavailable || !errors.Is(err, errStalled) {
		t.Errorf("%v", err)
	}
	if err := u.Gate.Enter(t.Context()); err != nil {
		t.Errorf("the place is still taken: %v", err)
	}
}

func TestUpstreamStopsAnswering(t *testing.T) {
	t.Parallel()
	over := make(chan bool)
	u := stalled(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("abc"))
		w.(http.Flusher).Flush()
		<-over
	})
	defer close(over)
	resp, err := u.Do(t.Context(), &Request{Method: "GET", Bucket: "b", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Gate.Enter(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("while the answer is read: %v", err)
	}
	got, err := io.ReadAll(resp.Body)
	if string(got) != "abc" || err == nil {
		t.Errorf("%q %v", got, err)
	}
	resp.Body.Close()
	resp.Body.Close()
	if err := u.Gate.Enter(t.Context()); err != nil {
		t.Errorf("after the answer was closed: %v", err)
	}
}

// TestSlowClientIsNotTheUpstreams: while the client's bytes are waited for, the
// upstream's clock does not run.
func TestSlowClientIsNotTheUpstreams(t *testing.T) {
	t.Parallel()
	u := stalled(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	pr, pw := io.Pipe()
	timer := time.NewTimer(3 * u.Stall)
	go func() {
		_, _ = io.WriteString(pw, "abc")
		<-timer.C
		_, _ = io.WriteString(pw, "def")
		pw.Close()
	}()
	resp, err := u.Do(t.Context(), &Request{Method: "PUT", Bucket: "b", Key: "k", Body: pr, Length: 6, PayloadHash: "UNSIGNED-PAYLOAD"})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || strings.TrimSpace(string(got)) != "abcdef" {
		t.Errorf("%q %v", got, err)
	}
}
