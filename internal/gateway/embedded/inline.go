package embedded

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"
)

// inline sends GET and HEAD over plain HTTP/1.1 on the goroutine that asks, and
// everything else by way of rest. A transport of net/http has two goroutines
// for each connection, which a small answer pays for with four switches.
type inline struct {
	// dial makes a connection; the URL's host is not looked at.
	dial func(ctx context.Context) (net.Conn, error)
	rest *http.Transport

	mu     sync.Mutex
	idle   []*line // the last is the one used last
	closed bool
}

// line is one connection.
type line struct {
	net.Conn
	head  io.LimitedReader // bounds the head of an answer
	br    *bufio.Reader
	bw    *bufio.Writer
	since time.Time // idle
}

// RoundTrip implements http.RoundTripper. A connection that was idle may have
// been closed by the other side: what finds one so is sent again, on the next.
func (t *inline) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil || r.URL.Scheme != "http" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return t.rest.RoundTrip(r)
	}
	for {
		l, used, err := t.take(r.Context())
		if err != nil {
			return nil, err
		}
		resp, err := t.exchange(l, r)
		if err == nil {
			return resp, nil
		}
		l.Close()
		if cause := context.Cause(r.Context()); cause != nil {
			return nil, cause
		}
		if !used || l.head.N < maxResponseHeader {
			return nil, err
		}
	}
}

func (t *inline) exchange(l *line, r *http.Request) (*http.Response, error) {
	stop := context.AfterFunc(r.Context(), func() { l.Close() })
	l.head.N = maxResponseHeader
	err := r.Write(l.bw)
	if err == nil {
		err = l.bw.Flush()
	}
	var resp *http.Response
	for first := true; err == nil && (first || resp.StatusCode < 200); first = false {
		resp, err = http.ReadResponse(l.br, r)
	}
	if err != nil {
		stop()
		return nil, err
	}
	l.head.N = math.MaxInt64
	body := &lineBody{ReadCloser: resp.Body, transport: t, line: l, stop: stop, ctx: r.Context(), keep: !resp.Close}
	if resp.Body == http.NoBody || r.Method == http.MethodHead {
		body.end(true)
	}
	resp.Body = body
	return resp, nil
}

// lineBody is the body of an answer; at its end the connection is free again.
type lineBody struct {
	io.ReadCloser
	transport *inline
	line      *line
	stop      func() bool
	ctx       context.Context
	keep      bool
	ended     bool
}

func (b *lineBody) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(errors.Is(err, io.EOF))
		if cause := context.Cause(b.ctx); cause != nil && !errors.Is(err, io.EOF) {
			err = cause
		}
	}
	return n, err
}

// Close drops a connection whose answer was not read to its end.
func (b *lineBody) Close() error {
	b.end(false)
	return nil
}

func (b *lineBody) end(whole bool) {
	if b.ended {
		return
	}
	b.ended = true
	if b.stop() && whole && b.keep && b.line.br.Buffered() == 0 {
		b.transport.put(b.line)
		return
	}
	b.line.Close()
}

func (t *inline) take(ctx context.Context) (l *line, used bool, err error) {
	t.mu.Lock()
	if n := len(t.idle); n > 0 {
		l, t.idle = t.idle[n-1], t.idle[:n-1]
	}
	t.mu.Unlock()
	if l != nil {
		return l, true, nil
	}
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	l = &line{Conn: conn, bw: bufio.NewWriterSize(conn, 4<<10)}
	l.head.R = conn
	l.br = bufio.NewReaderSize(&l.head, headBytes)
	return l, false, nil
}

func (t *inline) put(l *line) {
	now := time.Now()
	l.since = now
	t.mu.Lock()
	var old []*line
	for len(t.idle) > 0 && now.Sub(t.idle[0].since) > idleTimeout {
		old, t.idle = append(old, t.idle[0]), t.idle[1:]
	}
	if t.closed || len(t.idle) >= maxIdle {
		old = append(old, l)
	} else {
		t.idle = append(t.idle, l)
	}
	t.mu.Unlock()
	for _, l := range old {
		l.Close()
	}
}

// CloseIdleConnections closes what is idle, now and from now on.
func (t *inline) CloseIdleConnections() {
	t.mu.Lock()
	idle := t.idle
	t.idle, t.closed = nil, true
	t.mu.Unlock()
	for _, l := range idle {
		l.Close()
	}
	t.rest.CloseIdleConnections()
}
