package server

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"daypass/internal/identity"
)

// line is one whose client calls itself agent.
func line(at time.Time, agent string) *accessLine {
	return &accessLine{
		at: at, took: 1500 * time.Microsecond, status: 200, bytes: 7,
		facts: &identity.RequestFacts{ID: "0123456789ABCDEF", SourceIP: "127.0.0.1", UserAgent: agent},
		route: &Route{Service: "s3"}, r: &http.Request{Method: "GET", Host: "127.0.0.1:8080", RequestURI: "/b/k?X-Amz-Signature=1&x=y"},
	}
}

// TestAccessLines wants what a slog.Handler would write.
func TestAccessLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	for _, format := range []string{"text", "json"} {
		for _, agent := range []string{"plain", "", "two words", `"quoted"`, `back\slash`, "a=b", "line\nbreak", "\x00\x7f", "<&>"} {
			var got, want lockedBuffer
			log := NewLogger(LogConfig{Level: "info", Format: format}, &got)
			newAccessLog(log).write(line(at, agent))
			flushLog(log)
			var handler slog.Handler = slog.NewTextHandler(&want, nil)
			if format == "json" {
				handler = slog.NewJSONHandler(&want, nil)
			}
			record := slog.NewRecord(at, slog.LevelInfo, accessMessage, 0)
			record.AddAttrs(slog.String("id", "0123456789ABCDEF"), slog.String("service", "s3"), slog.String("action", ""),
				slog.String("method", "GET"), slog.String("host", "127.0.0.1:8080"), slog.String("target", "/b/k?X-Amz-Signature=-&x=y"),
				slog.Int("status", 200), slog.Int64("bytes", 7), slog.Duration("took", 1500*time.Microsecond),
				slog.String("source", "127.0.0.1"), slog.String("agent", agent))
			if err := handler.Handle(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			w := strings.NewReplacer(`\u007f`, "\x7f").Replace(want.String())
			if g := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\u007f`, "\x7f").Replace(got.String()); g != w {
				t.Errorf("%s, agent %q:\ngot  %s\nwant %s", format, agent, g, w)
			}
		}
	}
}

func TestAccessLogNeedsItsLevel(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	log := NewLogger(LogConfig{Level: "warn", Format: "text"}, &out)
	newAccessLog(log).write(line(time.Unix(1e9, 0), "x"))
	flushLog(log)
	if out.String() != "" {
		t.Errorf("got %q, want nothing below the level", out.String())
	}
}

func TestAccessLinesAreGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		log := NewLogger(LogConfig{Level: "info", Format: "text"}, &out)
		access := newAccessLog(log)
		lines := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got := strings.Count(out.String(), "\n"); got != want {
				t.Errorf("%s: got %d lines, want %d:\n%s", what, got, want, out.String())
			}
		}
		access.write(line(time.Now(), "x"))
		lines("at once", 0)
		time.Sleep(gatherTime)
		lines("after a while", 1)
		access.write(line(time.Now(), "x"))
		log.With("part", "x").Info("something else")
		lines("with another line", 3)
		access.write(line(time.Now(), "x"))
		flushLog(log)
		lines("at the end", 4)
		long := strings.Repeat("x", gatherBytes/2)
		access.write(line(time.Now(), long))
		access.write(line(time.Now(), long))
		lines("as many as fit", 6)
	})
}
