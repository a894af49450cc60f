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

// inline sends over plain HTTP/1.1 on the goroutine that asks, whatever has no
// body or a small one, and everything else by way of rest. A transport of
// net/http has two goroutines for each connection, which a small answer pays
// for with four switches.
//
// A small body is read to its end, and thereby checked, before any of it is
// sent; it leaves together with its head.
type inline struct {
	// dial makes a connection; the URL's host is not looked at.
	dial func(ctx context.Context) (net.Conn, error)
	rest http.RoundTripper

	mu     sync.Mutex
	idle   []*line // the last is the one used last
	closed bool
}

// line is one connection.
type line struct {
	net.Conn
	head  io.LimitedReader // bounds the head of an answer
	br    *bufio.Reader
	since time.Time // idle
}

// RoundTrip implements http.RoundTripper. A connection that was idle may have
// been closed by the other side. What finds one so and changes nothing is sent
// again, on the next; for all else connections are looked at before.
func (t *inline) RoundTrip(r *http.Request) (*http.Response, error) {
	unknown := r.ContentLength < 0 || r.ContentLength == 0 && r.Body != nil && r.Body != http.NoBody
	if unknown || r.ContentLength > maxInlineBody || len(r.TransferEncoding) > 0 {
		return t.rest.RoundTrip(r)
	}
	out := outgoings.Get().(*outgoing)
	defer out.release()
	if err := out.fill(r); err != nil {
		return nil, err
	}
	repeatable := r.Method == http.MethodGet || r.Method == http.MethodHead
	for {
		l, used, err := t.take(r.Context(), !repeatable)
		if err != nil {
			return nil, err
		}
		resp, err := t.exchange(l, r, out.b)
		if err == nil {
			return resp, nil
		}
		l.Close()
		if cause := context.Cause(r.Context()); cause != nil {
			return nil, cause
		}
		if !used || !repeatable || l.head.N < maxResponseHeader {
			return nil, err
		}
	}
}

func (t *inline) exchange(l *line, r *http.Request, out []byte) (*http.Response, error) {
	stop := context.AfterFunc(r.Context(), func() { l.Close() })
	l.head.N = maxResponseHeader
	_, err := l.Write(out)
	var resp *http.Response
	for first := true; err == nil && (first || resp.StatusCode < 200); first = false {
		resp, err = l.readAnswer(r)
	}
	if err != nil {
		stop()
		return nil, err
	}
	l.head.N = math.MaxInt64
	body := &lineBody{reader: resp.Body, transport: t, line: l, stop: stop, ctx: r.Context(), keep: !resp.Close}
	if resp.Body == http.NoBody || r.Method == http.MethodHead {
		body.end(true)
	}
	resp.Body = body
	return resp, nil
}

// lineBody is the body of an answer; at its end the connection is free again.
type lineBody struct {
	reader    io.Reader
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
	n, err := b.reader.Read(p)
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

// take returns a connection, one that was used before if there is one; with
// alive only one that the other side has not closed.
func (t *inline) take(ctx context.Context, alive bool) (l *line, used bool, err error) {
	for {
		t.mu.Lock()
		l = nil
		if n := len(t.idle); n > 0 {
			l, t.idle = t.idle[n-1], t.idle[:n-1]
		}
		t.mu.Unlock()
		switch {
		case l == nil:
			conn, err := t.dial(ctx)
			if err != nil {
				return nil, false, err
			}
			l = &line{Conn: conn}
			l.head.R = conn
			l.br = bufio.NewReaderSize(&l.head, headBytes)
			return l, false, nil
		case !alive || stillOpen(l.Conn):
			return l, true, nil
		}
		l.Close()
	}
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
	if c, ok := t.rest.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
