package store

import (
	"context"
	"errors"
	"time"

	"daypass/internal/identity"
)

// heartbeat is the last time that the snapshot was known to be the engine's
// latest state.
type heartbeat struct {
	at   time.Time // before the engine was asked
	skew time.Duration
}

var errStaleSnapshot = Away("store.fresh", errors.New("the snapshot is older than the staleness bound"))

// follow keeps the snapshot fresh until ctx ends. While the engine is away the
// snapshot stays as it is and its age grows; every heartbeat tries again.
func (db *DB) follow(ctx context.Context) {
	defer close(db.stopped)
	away := false
	for {
		err := db.pulse(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !away {
			db.opt.Log.Warn("the store is away; reads go on from memory", "error", err, "max_staleness", db.opt.MaxStaleness)
		}
		if err == nil && away {
			db.opt.Log.Info("the store is back")
		}
		if away = err != nil; away {
			select {
			case <-time.After(db.opt.Heartbeat):
			case <-ctx.Done():
				return
			}
		}
	}
}

// pulse waits for a change or the next heartbeat, and takes in what there is.
func (db *DB) pulse(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, db.opt.Heartbeat)
	db.engine.Wait(wait, db.Snapshot().pos)
	cancel()
	if ctx.Err() != nil {
		return nil
	}
	db.applying.Lock()
	defer db.applying.Unlock()
	return db.sync(ctx)
}

// reach returns when the snapshot holds a position that was committed.
func (db *DB) reach(ctx context.Context, pos identity.Position) error {
	db.applying.Lock()
	defer db.applying.Unlock()
	if at := db.Snapshot().pos; at.Incarnation == pos.Incarnation && at.N >= pos.N {
		return nil
	}
	return db.sync(ctx)
}

// sync takes the changes since the snapshot in; applying is held.
func (db *DB) sync(ctx context.Context) error {
	began := db.opt.Clock.Now()
	ask, cancel := context.WithTimeout(ctx, db.opt.MaxStaleness)
	defer cancel()
	old := db.Snapshot()
	feed, err := db.engine.Changes(ask, old.pos)
	if err != nil {
		return err
	}
	if feed.Reload {
		return db.reload(ctx, began)
	}
	if feed.Position == old.pos {
		db.pulsed(began, feed.StoreTime)
		return nil
	}
	next := old.edit()
	changed := map[string]bool{}
	for _, row := range feed.Changes {
		changed[row.Table] = true
		if err := next.apply(row); err != nil {
			return err
		}
	}
	next.bound(db.opt.MaxPrincipals)
	for _, c := range db.caches {
		if err := c.apply(feed.Position, feed.Changes); err != nil {
			return err
		}
	}
	db.publish(next.done(feed.Position), changed)
	db.pulsed(began, feed.StoreTime)
	return nil
}

// pulsed notes a heartbeat; without a time of the store the skew stays.
func (db *DB) pulsed(began time.Time, store time.Time) {
	b := &heartbeat{at: began}
	if last := db.beat.Load(); last != nil {
		b.skew = last.skew
	}
	if !store.IsZero() {
		now := db.opt.Clock.Now()
		b.skew = began.Add(now.Sub(began) / 2).Sub(store)
	}
	db.beat.Store(b)
}

func (db *DB) publish(s *Snapshot, changed map[string]bool) {
	db.snapshot.Store(s)
	if len(changed) == 0 {
		return
	}
	for _, fn := range db.hooks {
		fn(s, changed)
	}
}

// loadPage is how many rows are read at once when a snapshot is loaded.
const loadPage = 5_000

// reload makes the snapshot anew from one state of the engine; applying is held
// or nobody else has the DB yet. Pages, and not Engine.Load, so that a table
// beyond its bound is noticed before it fills the memory.
func (db *DB) reload(ctx context.Context, began time.Time) error {
	next := (&Snapshot{}).edit()
	changed := map[string]bool{}
	pos, err := db.engine.View(ctx, func(r Reader) error {
		next = (&Snapshot{}).edit()
		for name, info := range tables {
			if !info.resident {
				continue
			}
			changed[name] = true
			next.table(name)
			if err := db.loadTable(ctx, r, next, info); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range db.caches {
		c.reset(pos)
	}
	db.publish(next.done(pos), changed)
	db.pulsed(began, time.Time{})
	return nil
}

func (db *DB) loadTable(ctx context.Context, r Reader, next *snapshotEdit, info tableInfo) error {
	var after After
	for {
		if err := ctx.Err(); err != nil {
			return Away("store.load", err)
		}
		rows, err := r.Rows(info.name, "", "", after, loadPage)
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = After{row.Key, row.Key}
			if err := next.apply(row); err != nil {
				return err
			}
		}
		if next.bound(db.opt.MaxPrincipals); len(rows) < loadPage || next.partial[info.name] {
			return nil
		}
	}
}
