package kms

import (
	"context"
	"sync/atomic"

	"daypass/internal/identity"
)

// queue lets one expensive operation run at a time, and a bounded number wait.
type queue struct {
	turn    chan struct{}
	waiting atomic.Int32
	max     int32
}

func newQueue(max int32) *queue { return &queue{turn: make(chan struct{}, 1), max: max} }

// do runs fn when its turn comes. KindThrottled when too many wait already or ctx
// ends first.
func (q *queue) do(ctx context.Context, fn func() error) error {
	full := &identity.Error{Kind: identity.KindThrottled, Op: "kms.queue", RetryAfterSeconds: 1, Public: "Too many requests are waiting."}
	if q.waiting.Add(1) > q.max {
		q.waiting.Add(-1)
		return full
	}
	defer q.waiting.Add(-1)
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return full
	}
	defer func() { <-q.turn }()
	return fn()
}
