package server

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// net/http writes an answer through 4 KiB: what does not fit with its head
// into that leaves in two pieces, each with a system call here and one where
// the client reads. answerConn puts the pieces of a small answer together.
const (
	pieceSize = 4 << 10
	roomSize  = 2 * pieceSize
	// leastHeld is the smallest body that can be split; net/http gathers
	// smaller ones by itself.
	leastHeld = 2 << 10
)

// answerConn is a connection that can hold back the first piece of an answer
// until the next. Only the goroutine that serves the connection writes to it.
type answerConn struct {
	*net.TCPConn
	holding bool
	room    *[roomSize]byte // of what is held, nil when nothing is
	held    []byte
}

var rooms = sync.Pool{New: func() any { return new([roomSize]byte) }}

// answerListener makes answerConns.
type answerListener struct{ net.Listener }

func (l answerListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &answerConn{TCPConn: tcp}, err
	}
	return c, err
}

type answerConnKey struct{}

// withAnswerConn is http.Server.ConnContext.
func withAnswerConn(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*answerConn); ok {
		return context.WithValue(ctx, answerConnKey{}, c)
	}
	return ctx
}

// Write sends p behind what is held. While holding, a first piece is kept: of
// a body of which more than a piece is written at once, net/http always has a
// rest, which it writes before the answer is over.
func (c *answerConn) Write(p []byte) (int, error) {
	if c.room == nil {
		if !c.holding || len(p) > pieceSize {
			return c.TCPConn.Write(p)
		}
		c.room = rooms.Get().(*[roomSize]byte)
		c.held = append(c.room[:0], p...)
		return len(p), nil
	}
	var n int64
	var err error
	before := len(c.held)
	if before+len(p) <= roomSize {
		var m int
		m, err = c.TCPConn.Write(append(c.held, p...))
		n = int64(m)
	} else {
		n, err = (&net.Buffers{c.held, p}).WriteTo(c.TCPConn)
	}
	c.drop()
	return max(0, int(n)-before), err
}

func (c *answerConn) drop() {
	rooms.Put(c.room)
	c.room, c.held = nil, nil
}

// flush sends what is held.
func (c *answerConn) flush() error {
	if c.room == nil {
		return nil
	}
	_, err := c.TCPConn.Write(c.held)
	c.drop()
	return err
}

// ReadFrom implements io.ReaderFrom.
func (c *answerConn) ReadFrom(r io.Reader) (int64, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	return c.TCPConn.ReadFrom(r)
}

// SetReadDeadline is what net/http calls when an answer is over: should it
// ever have written no rest, nothing stays behind.
func (c *answerConn) SetReadDeadline(t time.Time) error {
	if !c.holding {
		_ = c.flush() // the next write fails too
	}
	return c.TCPConn.SetReadDeadline(t)
}

// writeWhole writes a body; when it is all of the answer, with its head.
func (r *recorder) writeWhole(b []byte) (int, error) {
	if r.conn == nil || r.written > 0 || len(b) < leastHeld || len(b) > smallAnswer || !r.promised(len(b)) {
		return r.ResponseWriter.Write(b)
	}
	r.conn.holding = true
	defer func() { r.conn.holding = false }()
	return r.ResponseWriter.Write(b)
}

// promised reports whether the answer's Content-Length is n.
func (r *recorder) promised(n int) bool {
	v := r.Header()["Content-Length"]
	if len(v) != 1 {
		return false
	}
	length, err := strconv.Atoi(v[0])
	return err == nil && length == n
}
