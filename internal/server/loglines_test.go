package server

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAccessLinesAreGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		log := NewLogger(LogConfig{Level: "info", Format: "text"}, &out).With("part", "x")
		lines := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got := strings.Count(out.String(), "\n"); got != want {
				t.Errorf("%s: got %d lines, want %d:\n%s", what, got, want, out.String())
			}
		}
		log.Info(accessMessage, "n", 1)
		lines("at once", 0)
		time.Sleep(gatherTime)
		lines("after a while", 1)
		log.Info(accessMessage, "n", 2)
		log.Info("something else")
		lines("with another line", 3)
		log.Warn(accessMessage, "n", 3)
		lines("a warning", 4)
		log.Info(accessMessage, "n", 4)
		flushLog(log)
		lines("at the end", 5)
		long := strings.Repeat("x", gatherBytes/2)
		log.Info(accessMessage, "long", long)
		log.Info(accessMessage, "long", long)
		lines("as many as fit", 7)
		if want := "level=INFO msg=request part=x n=1\n"; !strings.Contains(out.String(), want) {
			t.Errorf("got %s, want a line that ends in %s", out.String(), want)
		}
	})
}
