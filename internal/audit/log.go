package audit

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"daypass/internal/identity"
)

// Durability says when Record returns.
type Durability string

const (
	// Fsync: when the event is on disk.
	Fsync Durability = "fsync"
	// Buffered: when the event is queued. It reaches the kernel within
	// collectTime, the disk when the kernel pleases; a crash of the process
	// can lose the former, a crash of the machine both.
	Buffered Durability = "buffered"
)

// Config is what a Log needs. Zero values mean the default given.
type Config struct {
	Dir        string        // made with mode 0700 where missing
	Durability Durability    // Fsync
	MaxBytes   int64         // rotate when a file would grow beyond; 64 MiB
	MaxFiles   int           // rotated files to keep; 0 keeps all
	MaxAge     time.Duration // rotated files older than this are removed; 0 keeps all
	// MinFree is the room in bytes that must be left on the file system for
	// Record to succeed; 16 MiB. Negative: not checked.
	MinFree int64
	Region  string // awsRegion of events that name none
	Clock   identity.Clock
	Logger  *slog.Logger
}

// Stats are running totals since the log was opened.
type Stats struct {
	Recorded  uint64 // events that Record put on disk (with Buffered: queued)
	Failed    uint64 // Record calls refused: no room, disk error, closed
	Refused   uint64 // events that Refuse queued
	Counted   uint64 // refusals that went into a summary
	Dropped   uint64 // refusals lost: queue full or no room
	Batches   uint64 // writes, each with its fsync when durability is Fsync
	Bytes     uint64
	Rotations uint64
	Torn      uint64 // torn last lines found and terminated when opening
}

type counters struct {
	recorded, failed, refused, counted, dropped, batches, bytes, rotations, torn atomic.Uint64
}

const (
	// collectTime is how long a buffered log gathers events for one write.
	collectTime = 5 * time.Millisecond
	// maxPending bounds the bytes waiting for the disk. Callers of Record wait,
	// so it is reached only when a great many give up waiting.
	maxPending = 16 << 20
	// maxPendingRefusals bounds the part of them that are refusals.
	maxPendingRefusals = 1 << 20
)

var (
	errTooLarge = errors.New("event too large")
	errClosed   = errors.New("the audit log is closed")
	errBacklog  = errors.New("too many events are waiting for the disk")
	errNoRoom   = errors.New("no room left on the file system")
)

// Log is an open audit log. Its methods may be called from many goroutines.
// One process owns a directory.
type Log struct {
	cfg   Config
	stats counters
	file  *rotating

	mu     sync.Mutex
	cur    *batch // being filled
	spare  []byte // the buffer of the last batch, to be used again
	closed bool
	// failing is set while the last write failed: Record then waits for its
	// own batch also when Buffered.
	failing atomic.Bool

	// settled are events of the store's outbox that are in the log.
	settledMu sync.Mutex
	settled   []string
	inFlight  map[string]bool // Commit delivers these

	wake    chan struct{} // one token: there is something in cur
	stop    chan struct{}
	stopped chan struct{}
	refused *refusals
}

// batch is what one write and one fsync put on disk.
type batch struct {
	buf      []byte
	events   int
	refusals int // events among them that nobody waits for
	refBytes int
	done     chan struct{}
	err      error // valid after done
}

// Open opens or makes the log. A last line that a crash has torn is
// terminated, so that no event is ever glued to it.
func Open(cfg Config) (*Log, error) {
	if cfg.Durability == "" {
		cfg.Durability = Fsync
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 64 << 20
	}
	if cfg.MinFree == 0 {
		cfg.MinFree = 16 << 20
	}
	if cfg.Clock == nil {
		cfg.Clock = identity.SystemClock{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		cfg: cfg, cur: &batch{done: make(chan struct{})},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
		refused: newRefusals(), inFlight: map[string]bool{},
	}
	l.file = &rotating{cfg: &l.cfg, stats: &l.stats, open: openFile, free: freeBytes}
	if err := l.file.reopen(); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "audit.Open", Err: err}
	}
	go l.run()
	return l, nil
}

// Record puts an event on disk and returns after it is there (see Durability).
// ctx gives the facts of the request and bounds the wait; an event whose
// caller gave up waiting may still be written.
//
// It fails with KindUnavailable when there is no room, the disk fails, ctx
// ends or the log is closed, and with KindInternal when the event cannot be
// encoded. A caller that gets an error must not hand out what it recorded.
func (l *Log) Record(ctx context.Context, e Event) error {
	line, err := l.encode(ctx, &e)
	if err != nil {
		l.stats.failed.Add(1)
		return err
	}
	b, err := l.enqueue(line, false)
	if err == nil && (l.cfg.Durability == Fsync || l.failing.Load()) {
		select {
		case <-b.done:
			err = b.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		l.stats.failed.Add(1)
		return &identity.Error{Kind: identity.KindUnavailable, Op: "audit.Record", RetryAfterSeconds: 1, Err: err}
	}
	l.stats.recorded.Add(1)
	return nil
}

// Refuse notes a refused call or log-in and never waits. Refusals of callers
// that proved nothing (no UserIdentity.PrincipalID) are counted, and become
// one summary event per address and minute. A refusal that finds the queue
// full is dropped and counted in Stats.Dropped.
func (l *Log) Refuse(ctx context.Context, e Event) {
	e.ErrorMessage = identity.WithoutMessage(e.ErrorMessage)
	now := l.cfg.Clock.Now()
	if e.UserIdentity.PrincipalID == "" {
		e.complete(now, identity.RequestOf(ctx))
		l.stats.counted.Add(1)
		if l.refused.count(now, &e) {
			l.signal()
		}
		return
	}
	line, err := l.encode(ctx, &e)
	if err == nil {
		_, err = l.enqueue(line, true)
	}
	if err != nil {
		l.stats.dropped.Add(1)
		return
	}
	l.stats.refused.Add(1)
}

func (l *Log) encode(ctx context.Context, e *Event) ([]byte, error) {
	if e.Region == "" {
		e.Region = l.cfg.Region
	}
	e.complete(l.cfg.Clock.Now(), identity.RequestOf(ctx))
	return e.line()
}

func (l *Log) enqueue(line []byte, refusal bool) (*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.cur
	switch {
	case l.closed:
		return nil, errClosed
	case len(b.buf)+len(line) > maxPending, refusal && b.refBytes+len(line) > maxPendingRefusals:
		return nil, errBacklog
	}
	if b.buf == nil {
		b.buf, l.spare = l.spare[:0], nil
	}
	b.buf = append(b.buf, line...)
	b.events++
	if refusal {
		b.refusals++
		b.refBytes += len(line)
	}
	if b.events == 1 {
		l.signal()
	}
	return b, nil
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run is the only writer. While it waits for the disk, callers fill the next
// batch: the slower the disk, the larger the batch.
func (l *Log) run() {
	defer close(l.stopped)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			l.flushRefusals(true)
			l.commit()
			return
		case <-tick.C:
		case <-l.wake:
			l.collect()
		}
		l.flushRefusals(false)
		l.commit()
	}
}

// collect lets the batch grow. With Fsync it yields while callers that are
// ready to run add to it: the callers that the last batch woke come back at
// once, and without this the first of them would get an fsync of its own. With
// Buffered nobody waits, so it can take its time.
func (l *Log) collect() {
	if l.cfg.Durability == Fsync {
		const most = 64
		for before, i := 0, 0; i < most; i++ {
			runtime.Gosched()
			l.mu.Lock()
			n := l.cur.events
			l.mu.Unlock()
			if n == before {
				return
			}
			before = n
		}
		return
	}
	t := time.NewTimer(collectTime)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.stop:
	}
}

func (l *Log) flushRefusals(all bool) {
	now := l.cfg.Clock.Now()
	for _, e := range l.refused.take(now, all) {
		if e.Region == "" {
			e.Region = l.cfg.Region
		}
		e.complete(now, identity.RequestFacts{})
		line, err := e.line()
		if err == nil {
			// Bounded by maxAddresses, so not by the queue of refusals.
			_, err = l.enqueueSummary(line)
		}
		if err != nil {
			l.stats.dropped.Add(1)
		}
	}
}

// enqueueSummary is enqueue for the writer itself, which may do so after Close
// has begun.
func (l *Log) enqueueSummary(line []byte) (*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.cur
	if len(b.buf)+len(line) > maxPending {
		return nil, errBacklog
	}
	b.buf = append(b.buf, line...)
	b.events++
	b.refusals++
	return b, nil
}

func (l *Log) commit() {
	l.mu.Lock()
	b := l.cur
	if b.events == 0 {
		l.mu.Unlock()
		return
	}
	l.cur = &batch{done: make(chan struct{})}
	l.mu.Unlock()

	b.err = l.file.write(b.buf)
	l.failing.Store(b.err != nil)
	if b.err != nil {
		l.stats.dropped.Add(uint64(b.refusals))
		l.cfg.Logger.Error("audit: events not written", "events", b.events, "err", b.err)
	} else {
		l.stats.batches.Add(1)
		l.stats.bytes.Add(uint64(len(b.buf)))
	}
	close(b.done)

	const keep = 1 << 20
	if cap(b.buf) <= keep {
		l.mu.Lock()
		l.spare = b.buf
		l.mu.Unlock()
	}
}

// Close writes what is queued, counted refusals included, and closes the file.
// Record and Refuse fail from then on.
func (l *Log) Close() error {
	l.mu.Lock()
	already := l.closed
	l.closed = true
	l.mu.Unlock()
	if !already {
		close(l.stop)
	}
	<-l.stopped
	if already {
		return nil
	}
	if err := l.file.close(); err != nil {
		return &identity.Error{Kind: identity.KindUnavailable, Op: "audit.Close", Err: err}
	}
	return nil
}

// Stats returns the totals so far.
func (l *Log) Stats() Stats {
	s := &l.stats
	return Stats{
		Recorded: s.recorded.Load(), Failed: s.failed.Load(), Refused: s.refused.Load(), Counted: s.counted.Load(),
		Dropped: s.dropped.Load(), Batches: s.batches.Load(), Bytes: s.bytes.Load(), Rotations: s.rotations.Load(),
		Torn: s.torn.Load(),
	}
}
