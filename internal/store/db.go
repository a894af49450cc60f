package store

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"daypass/internal/identity"
)

// Options of a DB.
type Options struct {
	Clock identity.Clock
	Log   *slog.Logger
	// MaxPrincipals bounds how many rows of a bounded table snapshots hold
	// whole (cache.principals; 200,000 by default).
	MaxPrincipals int
	// Heartbeat is how often the feed is asked when nothing wakes the follower
	// (250 ms by default).
	Heartbeat time.Duration
	// MaxStaleness is how old the last heartbeat may be (30 s by default).
	MaxStaleness time.Duration
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = identity.SystemClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.MaxPrincipals = cmp.Or(o.MaxPrincipals, 200_000)
	o.Heartbeat = cmp.Or(o.Heartbeat, 250*time.Millisecond)
	o.MaxStaleness = cmp.Or(o.MaxStaleness, 30*time.Second)
	return o
}

// DB is an engine with a snapshot kept fresh by its change feed.
type DB struct {
	engine Engine
	opt    Options

	snapshot atomic.Pointer[Snapshot]
	beat     atomic.Pointer[heartbeat]
	caches   map[string]*rowCache // of bounded tables, by name

	applying sync.Mutex // held while the snapshot moves on and hooks run
	hooks    []func(*Snapshot, map[string]bool)

	stop    context.CancelFunc
	stopped chan struct{}
	closing sync.Once
	closed  error
}

// OpenDB loads the snapshot and starts the follower. Close stops it and the
// engine. When it fails, the engine stays the caller's to close.
func OpenDB(ctx context.Context, engine Engine, opt Options) (*DB, error) {
	db := &DB{engine: engine, opt: opt.withDefaults(), caches: map[string]*rowCache{}, stopped: make(chan struct{})}
	for name, info := range tables {
		if info.bounded {
			db.caches[name] = newRowCache(info, db.opt.MaxPrincipals)
		}
	}
	if err := db.reload(ctx, db.opt.Clock.Now()); err != nil {
		return nil, err
	}
	if err := db.sync(ctx); err != nil { // for the clock's skew
		return nil, err
	}
	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stop = stop
	go db.follow(follow)
	return db, nil
}

// Snapshot returns the current view: a Reader of the resident tables that
// never fails with anything but KindNotFound, takes no lock, and never changes.
// See Snapshot for tables beyond their bound.
func (db *DB) Snapshot() *Snapshot { return db.snapshot.Load() }

// Update runs Engine.Update and returns when this node's snapshot holds what
// was committed and the hooks of OnChange have run. In the rare case that the
// store goes away just after the commit it returns the position together with
// KindUnavailable: the commit stands.
func (db *DB) Update(ctx context.Context, fn func(Tx) error) (identity.Position, error) {
	pos, err := db.engine.Update(ctx, fn)
	if err != nil {
		return pos, err
	}
	return pos, db.reach(context.WithoutCancel(ctx), pos)
}

// View runs fn against the engine, for what snapshots do not hold.
func (db *DB) View(ctx context.Context, fn func(Reader) error) error {
	_, err := db.engine.View(ctx, fn)
	return err
}

// ViewAt is View, and tells fn where the state stands in the feed.
func (db *DB) ViewAt(ctx context.Context, fn func(Reader, identity.Position) error) error {
	return db.View(ctx, func(r Reader) error {
		v, ok := r.(view)
		if !ok {
			return &identity.Error{Kind: identity.KindInternal, Op: "store.view", Err: errors.New("the engine's Reader is not NewReader's")}
		}
		pos, err := v.state.Position()
		if err != nil {
			return err
		}
		return fn(r, pos)
	})
}

// Eraser is an engine that can have copies of rows that were deleted.
type Eraser interface {
	// Erase returns when nothing of what was deleted before is left in what the
	// engine keeps. KindUnavailable where something stands in the way now.
	Erase(ctx context.Context) error
}

// Erase runs Eraser.Erase where the engine is one.
func (db *DB) Erase(ctx context.Context) error {
	if e, ok := db.engine.(Eraser); ok {
		return e.Erase(ctx)
	}
	return nil
}

// Staleness is the age of the last heartbeat by the monotonic clock.
func (db *DB) Staleness() time.Duration {
	return max(0, db.opt.Clock.Now().Sub(db.beat.Load().at))
}

// Fresh returns KindUnavailable when the snapshot is older than MaxStaleness.
func (db *DB) Fresh() error {
	if db.Staleness() <= db.opt.MaxStaleness {
		return nil
	}
	return errStaleSnapshot
}

// ClockSkew is how far this node's clock was from the store's at the last
// heartbeat, ahead of it when positive; beyond five seconds a node must not
// issue. Zero with an engine that runs on the node.
func (db *DB) ClockSkew() time.Duration { return db.beat.Load().skew }

// OnChange calls fn, in feed order and from one goroutine at a time, after
// each new snapshot, with the tables that changed (after a reload: all that are
// resident). For caches that hang on rows; fn must be quick, must not change
// the map, and must not call Update or OnChange.
func (db *DB) OnChange(fn func(s *Snapshot, tables map[string]bool)) {
	db.applying.Lock()
	defer db.applying.Unlock()
	db.hooks = append(db.hooks, fn)
}

// Lookup reads a record of a bounded table: from the snapshot, or, when the
// table is beyond its bound, from a bounded cache with one single-flight read
// on a miss. KindUnavailable when the store is away on a miss.
func Lookup[T any](ctx context.Context, db *DB, t *Table[T], key string) (*T, error) {
	row, err := db.lookup(ctx, t.name, key)
	if err != nil {
		return nil, err
	}
	return t.typed(row)
}

// LookupBy is Table.By on the snapshot, or, when the table is beyond its bound,
// one indexed read of the engine.
func LookupBy[T any](ctx context.Context, db *DB, t *Table[T], index, value string) (*T, error) {
	v, err := t.By(db.Snapshot(), index, value)
	if err != errPartial {
		return v, err
	}
	err = db.View(ctx, func(r Reader) error {
		v, err = t.By(r, index, value)
		return err
	})
	return v, err
}

// Close stops the follower and closes the engine.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.stop()
		<-db.stopped
		db.closed = db.engine.Close()
	})
	return db.closed
}
