package upstream

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// The circuit opens after tripAfter failures in a row, or when of the ends
	// that were seen within window so many, and half of all, are failures: a store
	// may begin every answer and finish none.
	tripAfter = 5
	window    = 5 * time.Minute
	// openFor is how long nothing is sent then; after it, backAfter requests are
	// let through, and when all of them get through, the upstream is back.
	openFor   = 5 * time.Second
	backAfter = 3
	// patience is how long a request that asks for little may stay without an
	// answer before it counts that its caller gave up.
	patience = 30 * time.Second
	// probeTimeout is how long a probe waits.
	probeTimeout = 5 * time.Second
	// Ceph's answer to HEAD of the service has a body, so a bucket is asked for.
	probeBucket = "daypass-probe"
)

// ErrAway is the cause when the circuit is open: nothing was sent.
var ErrAway = errors.New("the upstream is away; nothing was sent")

// errBlameless stands for an end that says nothing of the upstream.
var errBlameless = errors.New("not the upstream's doing")

// Breaker stops requests to an upstream that cannot be reached or stands still,
// so that callers know at once and do not queue up. Answers of any status count
// as success; what a caller or its body ends does not count. A nil Breaker lets
// everything through. It is safe for concurrent use.
type Breaker struct {
	circuit         *gobreaker.CircuitBreaker[struct{}]
	cause           atomic.Pointer[error]
	failed, refused atomic.Uint64
}

// NewBreaker makes a Breaker. changed, which may be nil, is told when it opens,
// with the last failure, and when it closes again, with nil.
func NewBreaker(changed func(cause error)) *Breaker {
	b := &Breaker{}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: backAfter, Timeout: openFor, Interval: window,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.ConsecutiveFailures >= tripAfter ||
				c.TotalFailures >= tripAfter && c.TotalFailures >= c.TotalSuccesses
		},
		IsExcluded: func(err error) bool { return err == errBlameless },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case changed == nil:
			case from == gobreaker.StateClosed:
				changed(*b.cause.Load())
			case to == gobreaker.StateClosed:
				changed(nil)
			}
		},
	})
	return b
}

// run calls send, which returns nil, errBlameless or a failure. Errors: ErrAway,
// when it was not called.
func (b *Breaker) run(send func() error) error {
	if b == nil {
		_ = send()
		return nil
	}
	_, err := b.circuit.Execute(func() (struct{}, error) {
		err := send()
		if err != nil && err != errBlameless {
			b.note(err)
		}
		return struct{}{}, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		b.refused.Add(1)
		return ErrAway
	}
	return nil
}

func (b *Breaker) note(err error) {
	b.cause.Store(&err)
	b.failed.Add(1)
}

// fail counts a failure that came after the answer had begun.
func (b *Breaker) fail(err error) {
	if b == nil {
		return
	}
	_, _ = b.circuit.Execute(func() (struct{}, error) {
		b.note(err)
		return struct{}{}, err
	})
}

// Up reports whether requests are let through without restraint.
func (b *Breaker) Up() bool { return b == nil || b.circuit.State() == gobreaker.StateClosed }

// Failures counts the requests that did not reach the upstream, or that it let
// down.
func (b *Breaker) Failures() uint64 { return b.failed.Load() }

// Refused counts the requests that were not sent.
func (b *Breaker) Refused() uint64 { return b.refused.Load() }

// Probe finds out whether the upstream can be reached, so that its Breaker knows
// without anybody's request. Any answer will do: it looks for a bucket that need
// not be there. Errors: as Do's.
func (u *S3) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errStalled)
	defer cancel()
	for {
		resp, err := u.Do(ctx, &Request{Method: http.MethodHead, Bucket: probeBucket})
		if err != nil {
			return err
		}
		resp.Body.Close()
		if u.Breaker.Up() {
			return nil
		}
	}
}

// verdict says what the end of a request means for the breaker. waited is how
// long it took, and body the request's, nil for none.
func verdict(ctx context.Context, r *Request, body *watchedBody, waited time.Duration, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errStalled):
		return errStalled
	case body != nil && body.failed.Load():
		return errBlameless
	case ctx.Err() == nil:
		return err
	case waited >= patience && r.asksLittle():
		return errStalled
	}
	return errBlameless
}

// asksLittle reports whether an upstream needs no time to think: to complete an
// upload or to copy takes minutes, and a listing what its owner made it take.
func (r *Request) asksLittle() bool {
	return r.Body == nil && r.Method != http.MethodPost && len(r.Header["X-Amz-Copy-Source"]) == 0 &&
		(r.Key != "" || r.Method == http.MethodHead)
}
