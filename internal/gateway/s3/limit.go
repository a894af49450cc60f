package s3

import (
	"context"
	"errors"
	"sync"
	"time"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

const (
	// limitWait is how long a request waits for others of its principal, well
	// within the time that clients give an answer.
	limitWait = 20 * time.Second
	// limitQueue is how many requests may wait, as a multiple of those under
	// way: a waiting one costs no more than its connection.
	limitQueue = 4
)

// limiter bounds the requests under way of each principal.
type limiter struct {
	most int
	wait time.Duration
	mu   sync.Mutex
	busy map[string]*principalGate
}

type principalGate struct {
	*upstream.Gate
	users int
}

// enter waits for a place, which leave gives back. Errors are of KindThrottled,
// or the context's.
func (l *limiter) enter(ctx context.Context, principal string) (leave func(), err error) {
	if l.most <= 0 {
		return func() {}, nil
	}
	l.mu.Lock()
	p := l.busy[principal]
	if p == nil {
		p = &principalGate{Gate: upstream.NewGate(l.most, l.most*limitQueue, l.wait)}
		l.busy[principal] = p
	}
	p.users++
	l.mu.Unlock()
	if err := p.Enter(ctx); err != nil {
		l.release(principal, p)
		if errors.Is(err, upstream.ErrBusy) {
			err = &identity.Error{Kind: identity.KindThrottled, Op: "s3.limit", RetryAfterSeconds: 1, Err: err}
		}
		return nil, err
	}
	return func() {
		p.Leave()
		l.release(principal, p)
	}, nil
}

func (l *limiter) release(principal string, p *principalGate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(l.busy, principal)
	}
}
