package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// stallTimeout is how long the upstream may take no byte of a request, or
	// give none of an answer that it has begun.
	stallTimeout = 2 * time.Minute
	// answerTimeout is how long it may think before it answers: completing a
	// large multipart upload takes a store minutes before its first byte.
	answerTimeout = 10 * time.Minute
)

var errStalled = errors.New("the upstream stood still")

// watch ends one request whose upstream stands still. While the other side, the
// client, is waited for, it does not run: that is the server's to bound.
type watch struct {
	ctx    context.Context // the request's
	cancel context.CancelCauseFunc
	stall  time.Duration

	mu    sync.Mutex
	timer *time.Timer
	phase phase
}

type phase uint8

const (
	sending phase = iota
	answered
	ended
)

func newWatch(ctx context.Context, cancel context.CancelCauseFunc, stall time.Duration) *watch {
	w := &watch{ctx: ctx, cancel: cancel, stall: stall}
	w.timer = time.AfterFunc(answerTimeout, w.fire)
	return w
}

func (w *watch) fire() { w.cancel(errStalled) }

// arm starts the clock, if the request is still in phase p.
func (w *watch) arm(p phase, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == p {
		w.timer.Reset(d)
	}
}

func (w *watch) disarm(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == p {
		w.timer.Stop()
	}
}

func (w *watch) enter(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = p
	w.timer.Stop()
}

// watchedBody is a request body: between two reads the upstream must take what
// the first one gave.
type watchedBody struct {
	io.ReadCloser
	watch  *watch
	failed atomic.Bool // reading it did: whoever sends it is to blame
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.watch.disarm(sending)
	n, err := b.ReadCloser.Read(p)
	d := b.watch.stall
	if err != nil {
		d = answerTimeout
		if !errors.Is(err, io.EOF) {
			b.failed.Store(true)
		}
	}
	b.watch.arm(sending, d)
	return n, err
}

// answer is the body of an answer; closing it ends the request.
type answer struct {
	io.ReadCloser
	watch *watch
	from  *S3
	once  sync.Once
	stood bool // the upstream stood still, which was counted
}

func (a *answer) Read(p []byte) (int, error) {
	a.watch.arm(answered, a.watch.stall)
	n, err := a.ReadCloser.Read(p)
	a.watch.disarm(answered)
	if err != nil && !a.stood && errors.Is(context.Cause(a.watch.ctx), errStalled) {
		a.stood = true
		a.from.Breaker.fail(errStalled)
	}
	return n, err
}

func (a *answer) Close() error {
	err := a.ReadCloser.Close()
	a.once.Do(func() {
		a.watch.enter(ended)
		a.watch.cancel(nil)
		a.from.leave()
	})
	return err
}
