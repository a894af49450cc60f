package store

import (
	"context"
	"log/slog"
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

// DB is an engine with a snapshot kept fresh by its change feed.
type DB struct {
	engine Engine
	opt    Options
	dbState
}

// OpenDB loads the snapshot and starts the follower. Close stops it and the
// engine.
func OpenDB(ctx context.Context, engine Engine, opt Options) (*DB, error) {
	return openDB(ctx, engine, opt)
}

// Snapshot returns the current view: a Reader of the resident tables that
// never fails with anything but KindNotFound, takes no lock, and never changes.
func (db *DB) Snapshot() *Snapshot { return db.current() }

// Update runs Engine.Update and returns when this node's snapshot holds what
// was committed.
func (db *DB) Update(ctx context.Context, fn func(Tx) error) (identity.Position, error) {
	return db.update(ctx, fn)
}

// View runs fn against the engine, for what snapshots do not hold.
func (db *DB) View(ctx context.Context, fn func(Reader) error) error {
	_, err := db.engine.View(ctx, fn)
	return err
}

// Staleness is the age of the last heartbeat by the monotonic clock.
func (db *DB) Staleness() time.Duration { return db.staleness() }

// Fresh returns KindUnavailable when the snapshot is older than MaxStaleness.
func (db *DB) Fresh() error { return db.fresh() }

// ClockSkew is how far this node's clock was from the store's at the last
// heartbeat; beyond five seconds a node must not issue.
func (db *DB) ClockSkew() time.Duration { return db.clockSkew() }

// OnChange calls fn, in feed order and from one goroutine at a time, after
// each new snapshot, with the tables that changed. For caches that hang on
// rows; fn must be quick.
func (db *DB) OnChange(fn func(s *Snapshot, tables map[string]bool)) { db.onChange(fn) }

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

// Close stops the follower and closes the engine.
func (db *DB) Close() error { return db.close() }
