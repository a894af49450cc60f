package store

import (
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"daypass/internal/identity"
)

const (
	// maxAbsent bounds the keys known to be absent: strangers choose them.
	maxAbsent = 4096
	// absentFor is how long such a key is believed absent without the feed
	// saying otherwise.
	absentFor = 5 * time.Second
	// lookupTimeout bounds one read on a miss.
	lookupTimeout = 5 * time.Second
)

// rowCache holds the most recently used rows of a table that outgrew its
// bound. The feed keeps what it holds true; what a read brings goes in only
// when the feed has not moved past that read.
type rowCache struct {
	info   tableInfo
	flight singleflight.Group

	mu      sync.Mutex
	applied identity.Position
	rows    lru
	absent  lru
}

func newRowCache(info tableInfo, size int) *rowCache {
	return &rowCache{info: info, rows: newLRU(size), absent: newLRU(maxAbsent)}
}

// lru is a map bounded by use; not safe by itself.
type lru struct {
	max   int
	order *list.List // front: used last
	byKey map[string]*list.Element
}

type lruEntry struct {
	key   string
	row   *Row      // nil in absent
	until time.Time // of absent
}

func newLRU(size int) lru {
	return lru{max: size, order: list.New(), byKey: map[string]*list.Element{}}
}

func (l *lru) get(key string) *lruEntry {
	e := l.byKey[key]
	if e == nil {
		return nil
	}
	l.order.MoveToFront(e)
	return e.Value.(*lruEntry)
}

func (l *lru) put(entry lruEntry) {
	l.drop(entry.key)
	l.byKey[entry.key] = l.order.PushFront(&entry)
	if l.order.Len() > l.max {
		l.drop(l.order.Back().Value.(*lruEntry).key)
	}
}

func (l *lru) drop(key string) {
	if e := l.byKey[key]; e != nil {
		l.order.Remove(e)
		delete(l.byKey, key)
	}
}

// apply takes the changes of a new snapshot in.
func (c *rowCache) apply(pos identity.Position, changes []Row) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range changes {
		if row.Table != c.info.name {
			continue
		}
		c.absent.drop(row.Key)
		if c.rows.byKey[row.Key] == nil {
			continue
		}
		c.rows.drop(row.Key)
		if row.Value != nil {
			kept, err := kept(c.info, row)
			if err != nil {
				return err
			}
			c.rows.put(lruEntry{key: row.Key, row: kept})
		}
	}
	c.applied = pos
	return nil
}

// reset empties the cache for a snapshot loaded anew.
func (c *rowCache) reset(pos identity.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows, c.absent, c.applied = newLRU(c.rows.max), newLRU(maxAbsent), pos
}

// cached returns the row, or KindNotFound when it is known to be absent.
func (c *rowCache) cached(key string, now time.Time) (row Row, err error, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.rows.get(key); e != nil {
		return *e.row, nil, true
	}
	if e := c.absent.get(key); e != nil && now.Before(e.until) {
		return Row{}, errNotFound, true
	}
	return Row{}, nil, false
}

// keep takes the outcome of a read at pos in; row nil: absent. It reports false
// when the feed has moved on since, and the read may be out of date.
func (c *rowCache) keep(key string, row *Row, pos identity.Position, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pos.Incarnation != c.applied.Incarnation || pos.N < c.applied.N {
		return false
	}
	if row == nil {
		c.absent.put(lruEntry{key: key, until: now.Add(absentFor)})
	} else {
		c.rows.put(lruEntry{key: key, row: row})
	}
	return true
}

// Current reads rows as Lookup does, bounded tables beyond their bound
// included, for whoever judges a caller outside of a transaction. Its listings
// are those of the snapshot.
func (db *DB) Current(ctx context.Context) Reader { return current{ctx, db} }

type current struct {
	ctx context.Context
	db  *DB
}

func (c current) Row(table, key string) (Row, error) { return c.db.lookup(c.ctx, table, key) }

func (c current) Rows(table, index, prefix string, after After, limit int) ([]Row, error) {
	return c.db.Snapshot().Rows(table, index, prefix, after, limit)
}

func (db *DB) lookup(ctx context.Context, table, key string) (Row, error) {
	row, err := db.Snapshot().Row(table, key)
	if err != errPartial {
		return row, err
	}
	c := db.caches[table]
	if row, err, ok := c.cached(key, db.opt.Clock.Now()); ok {
		return row, err
	}
	// The read is everybody's who waits for it: no single caller may end it.
	read := c.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		return db.readMissing(ctx, c, key)
	})
	select {
	case r := <-read:
		if r.Err != nil {
			return Row{}, r.Err
		}
		return *r.Val.(*Row), nil
	case <-ctx.Done():
		return Row{}, Away("store.lookup", ctx.Err())
	}
}

// readMissing reads until the answer is no older than the snapshot, so that
// nobody who waits is given what a write acknowledged before has replaced.
func (db *DB) readMissing(ctx context.Context, c *rowCache, key string) (*Row, error) {
	for {
		var row *Row
		pos, err := db.engine.View(ctx, func(r Reader) error {
			row = nil
			raw, err := r.Row(c.info.name, key)
			switch identity.KindOf(err) {
			case "":
				row, err = kept(c.info, raw)
				return err
			case identity.KindNotFound:
				return nil
			default:
				return err
			}
		})
		if err != nil {
			return nil, err
		}
		if !c.keep(key, row, pos, db.opt.Clock.Now()) {
			if err := ctx.Err(); err != nil {
				return nil, Away("store.lookup", err)
			}
			if pos.Incarnation == db.Snapshot().pos.Incarnation {
				continue
			}
		}
		if row == nil {
			return nil, errNotFound
		}
		return row, nil
	}
}
