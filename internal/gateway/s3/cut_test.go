package s3

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// TestCut breaks off a download that has begun once its caller has ended, and
// not before.
func TestCut(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	begun := strings.Repeat("x", 4<<20)
	q.store.reply = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000000")
		io.WriteString(w, begun)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	req, err := q.build(call{method: "GET", target: "/photos/cat.jpg"})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := q.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n := q.gw.Cut(t.Context()); n != 0 {
		t.Errorf("cut %d requests of a living caller", n)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, len(begun)/2)); err != nil {
		t.Fatalf("the stream after a cut that was not for it: %v", err)
	}
	q.access.ended.Store(true)
	if n := q.gw.Cut(t.Context()); n != 1 {
		t.Errorf("cut %d requests, want 1", n)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the stream came to a good end")
	}
	// Let in by what was known before the cut, a request is judged again.
	if err := q.gw.serveOnce(t, 1); !errors.Is(err, errCut) {
		t.Errorf("let in before the last cut: %v", err)
	}
	if err := q.gw.serveOnce(t, 2); err != nil {
		t.Errorf("let in after it: %v", err)
	}
	q.gw.running.mu.Lock()
	defer q.gw.running.mu.Unlock()
	if kept := len(q.gw.running.all); kept > 1 { // the one above may still be ending
		t.Errorf("%d requests are kept", kept)
	}
}

// serveOnce tracks a request that was let in after so many cuts.
func (g *Gateway) serveOnce(t *testing.T, cuts uint64) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	done, err := (&exchange{g: g, r: r}).track(cuts)
	if err == nil {
		done()
	}
	return err
}

// TestCutUpload ends an upload whose body is still coming.
func TestCutUpload(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.access.ended.Store(true)
	body, feed := io.Pipe()
	req, err := q.build(call{method: "PUT", target: "/photos/cat.jpg", payload: "UNSIGNED-PAYLOAD"})
	if err != nil {
		t.Fatal(err)
	}
	req.Body, req.ContentLength = body, 1<<20
	answered := make(chan error, 1)
	go func() {
		resp, err := q.client.Do(req)
		if err == nil {
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if !strings.Contains(string(text), "<Code>ExpiredToken</Code>") {
				err = errors.New(string(text))
			}
		}
		answered <- err
	}()
	if _, err := feed.Write(make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	// Until it is let in and cut; or it was let in meanwhile, judged again, and
	// answered at once.
	var end error
	for done := false; !done; {
		q.gw.Cut(t.Context())
		select {
		case end = <-answered:
			done = true
		default:
			runtime.Gosched()
		}
	}
	if end != nil && !strings.Contains(end.Error(), "connection") && !strings.Contains(end.Error(), "EOF") && !strings.Contains(end.Error(), "pipe") {
		t.Errorf("the upload: %v", end)
	}
	feed.Close()
	for _, got := range q.store.take() {
		if got.Err == nil {
			t.Errorf("the upstream took the whole of %s", got.Line)
		}
	}
}
