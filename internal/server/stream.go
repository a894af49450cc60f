package server

import (
	"io"
	"net/http"
	"time"
)

const (
	// stallTimeout is how long a body may stand still, in or out. There is no
	// bound on the whole: objects stream for hours.
	stallTimeout = 2 * time.Minute
	// deadlineStep is how often a deadline is moved on while bytes flow.
	deadlineStep = 15 * time.Second
	// smallAnswer fits into the buffers of a connection, so that nobody can
	// hold it up; it is spared the deadline.
	smallAnswer = 64 << 10
	// copyStep is the most that is copied without a look at the deadline.
	copyStep = 4 << 20
)

// recorder remembers status and size of an answer, and breaks off one that
// nobody takes.
type recorder struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	written int64
	moved   time.Time // when the write deadline was moved on last
	conn    *answerConn
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.begin(len(b))
	n, err := r.writeWhole(b)
	r.written += int64(n)
	return n, err
}

// ReadFrom keeps the connection's own ways of copying in use.
func (r *recorder) ReadFrom(src io.Reader) (total int64, err error) {
	for {
		r.begin(copyStep)
		n, err := io.CopyN(r.ResponseWriter, src, copyStep)
		r.written += n
		total += n
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Flush is for handlers that stream.
func (r *recorder) Flush() {
	r.begin(0)
	r.control.Flush()
}

// begin notes that so many bytes are about to be written.
func (r *recorder) begin(more int) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.written+int64(more) <= smallAnswer {
		return
	}
	if now := time.Now(); now.Sub(r.moved) > deadlineStep {
		r.control.SetWriteDeadline(now.Add(stallTimeout))
		r.moved = now
	}
}

// finish takes the write deadline away: net/http would carry it over to the
// next request on the connection. What the answer still has in buffers is
// written under none, which a connection's idle timeout bounds.
func (r *recorder) finish() {
	if !r.moved.IsZero() {
		r.control.SetWriteDeadline(time.Time{})
	}
}

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// steadyBody breaks off a body that stands still.
type steadyBody struct {
	io.ReadCloser
	control *http.ResponseController
	moved   time.Time
}

func (b *steadyBody) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(b.moved) > deadlineStep {
		b.control.SetReadDeadline(now.Add(stallTimeout))
		b.moved = now
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		// After the end net/http reads on to notice a client that goes away; a
		// deadline left behind would look like one and cancel the request.
		b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
