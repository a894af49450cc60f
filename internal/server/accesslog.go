package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"daypass/internal/identity"
)

// accessLog writes the line per request, in the form of the log that it is
// part of. It does so by itself: a slog.Handler takes as long for the line as
// the check of a signature takes.
type accessLog struct {
	lines *gatheredLines
	json  bool
}

// newAccessLog makes the access log in a log of NewLogger; nil, which writes
// nothing, when the log has no place for lines of level INFO.
func newAccessLog(l *slog.Logger) *accessLog {
	g, ok := l.Handler().(gathering)
	if !ok || !g.Enabled(context.Background(), slog.LevelInfo) {
		return nil
	}
	return &accessLog{lines: g.lines, json: g.json}
}

// accessLine is what is told about a request.
type accessLine struct {
	at     time.Time
	took   time.Duration
	facts  *identity.RequestFacts
	route  *Route
	r      *http.Request
	status int
	bytes  int64
}

func (a *accessLog) write(l *accessLine) {
	if a == nil {
		return
	}
	w := lineBuilders.Get().(*lineBuilder)
	defer lineBuilders.Put(w)
	w.b, w.json = w.b[:0], a.json
	w.begin(l.at)
	w.text("id", l.facts.ID)
	w.text("service", l.route.Service)
	w.text("action", printable(l.route.Action))
	w.text("method", cut(l.r.Method, 64))
	w.text("host", cut(l.r.Host, 255))
	w.text("target", logTarget(l.r.RequestURI))
	w.number("status", int64(l.status))
	w.number("bytes", l.bytes)
	if a.json {
		w.number("took", int64(l.took)) // nanoseconds, as slog has it
	} else {
		w.text("took", l.took.String())
	}
	w.text("source", l.facts.SourceIP)
	w.text("agent", l.facts.UserAgent)
	_, _ = a.lines.Write(w.end()) // there is nowhere to tell of a log that fails
}

// lineBuilder appends one line as slog's handlers would, text or JSON.
type lineBuilder struct {
	b    []byte
	json bool
}

var lineBuilders = sync.Pool{New: func() any { return &lineBuilder{b: make([]byte, 0, 1<<10)} }}

func (w *lineBuilder) begin(at time.Time) {
	if w.json {
		w.b = append(at.AppendFormat(append(w.b, `{"time":"`...), time.RFC3339Nano), `","level":"INFO","msg":"`+accessMessage+`"`...)
		return
	}
	w.b = append(at.AppendFormat(append(w.b, "time="...), "2006-01-02T15:04:05.000Z07:00"), " level=INFO msg="+accessMessage...)
}

func (w *lineBuilder) end() []byte {
	if w.json {
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, '\n')
	return w.b
}

func (w *lineBuilder) name(name string) {
	if w.json {
		w.b = append(append(append(w.b, ',', '"'), name...), '"', ':')
		return
	}
	w.b = append(append(append(w.b, ' '), name...), '=')
}

func (w *lineBuilder) number(name string, n int64) {
	w.name(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *lineBuilder) text(name, s string) {
	w.name(name)
	switch {
	case !w.json && s != "" && ordinary(s, false):
		w.b = append(w.b, s...)
	case ordinary(s, true):
		w.b = append(append(append(w.b, '"'), s...), '"')
	case w.json:
		quoted, _ := json.Marshal(s) // a string always has a form
		w.b = append(w.b, quoted...)
	default:
		w.b = strconv.AppendQuote(w.b, s)
	}
}

// ordinary reports whether a text needs no escape between quotes, or, where
// spaces and equals signs part words, no quotes.
func ordinary(s string, quoted bool) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c < ' ', c > '~', quoted && c == '\\', !quoted && (c == ' ' || c == '='):
			return false
		}
	}
	return true
}
