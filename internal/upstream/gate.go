package upstream

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Gate lets a bounded number through at a time. Whoever comes when it is full
// waits in a bounded queue, and not forever. It is safe for concurrent use.
type Gate struct {
	slots chan struct{}
	line  atomic.Int64
	queue int64
	wait  time.Duration
}

// ErrBusy is returned by Enter when the queue is full or the wait was in vain.
var ErrBusy = errors.New("too many requests at a time")

// NewGate makes a Gate for most (at least 1) at a time, with queue more
// waiting, each for at most wait.
func NewGate(most, queue int, wait time.Duration) *Gate {
	return &Gate{slots: make(chan struct{}, max(1, most)), queue: int64(queue), wait: wait}
}

// Enter waits for a place, which Leave gives back. Errors: ErrBusy, or ctx's.
func (g *Gate) Enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	defer g.line.Add(-1)
	if g.line.Add(1) > g.queue {
		return ErrBusy
	}
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ErrBusy
	}
}

// Busy is how many are through.
func (g *Gate) Busy() int { return len(g.slots) }

// Leave gives a place back.
func (g *Gate) Leave() { <-g.slots }
