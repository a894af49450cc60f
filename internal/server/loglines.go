package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

// accessMessage is the message of the line per request.
const accessMessage = "request"

// Lines per request are gathered for one write, which would otherwise be a
// tenth of the work of a small request. Every other line goes out at once, and
// takes along what was gathered.
const (
	gatherTime  = 100 * time.Millisecond
	gatherBytes = 32 << 10
)

// gathering is a slog.Handler over a handler that writes to lines, where the
// access log writes too.
type gathering struct {
	slog.Handler
	lines *gatheredLines
	json  bool
}

func (g gathering) Handle(ctx context.Context, r slog.Record) error {
	return errors.Join(g.Handler.Handle(ctx, r), g.lines.flush())
}

func (g gathering) WithAttrs(attrs []slog.Attr) slog.Handler {
	return gathering{g.Handler.WithAttrs(attrs), g.lines, g.json}
}

func (g gathering) WithGroup(name string) slog.Handler {
	return gathering{g.Handler.WithGroup(name), g.lines, g.json}
}

// flushLog writes what a logger of NewLogger has gathered.
func flushLog(l *slog.Logger) {
	if g, ok := l.Handler().(gathering); ok {
		_ = g.lines.flush() // nobody is left to be told
	}
}

// gatheredLines is a writer that passes on whole lines, many at a time.
type gatheredLines struct {
	w   io.Writer
	mu  sync.Mutex
	buf []byte
	due bool // a flush is on its way
}

func (l *gatheredLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, line...)
	if len(l.buf) >= gatherBytes {
		return len(line), l.flushLocked()
	}
	if !l.due {
		l.due = true
		time.AfterFunc(gatherTime, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.due = false
			_ = l.flushLocked()
		})
	}
	return len(line), nil
}

func (l *gatheredLines) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushLocked()
}

func (l *gatheredLines) flushLocked() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}
