package s3

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"daypass/internal/identity"
)

func TestLimiterQueues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter{most: 1, wait: 10 * time.Second, busy: map[string]*principalGate{}}
		leave, err := l.enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if other, err := l.enter(t.Context(), "b"); err != nil {
			t.Errorf("another principal: %v", err)
		} else {
			other()
		}
		began := time.Now()
		if _, err := l.enter(t.Context(), "a"); identity.KindOf(err) != identity.KindThrottled || identity.AsError(err).RetryAfterSeconds < 1 || time.Since(began) != 10*time.Second {
			t.Errorf("in vain: %v after %v", err, time.Since(began))
		}
		entered := make(chan error)
		for range 2 {
			go func() {
				done, err := l.enter(t.Context(), "a")
				if err == nil {
					done()
				}
				entered <- err
			}()
		}
		synctest.Wait()
		leave()
		for range 2 {
			if err := <-entered; err != nil {
				t.Errorf("in turn: %v", err)
			}
		}
		leave, _ = l.enter(t.Context(), "a")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.enter(gone, "a"); err == nil || identity.KindOf(err) == identity.KindThrottled {
			t.Errorf("a client that went away: %v", err)
		}
		leave()
		if len(l.busy) != 0 {
			t.Errorf("%d principals left", len(l.busy))
		}
	})
}
