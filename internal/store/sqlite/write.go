package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"

	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// maxGroup is how many waiting commits share one transaction and its fsync.
	maxGroup = 128
	// pruneEvery is after how many feed numbers the feed is pruned.
	pruneEvery = 1024
)

// request is one commit on its way to the writer.
type request struct {
	batch *store.Batch // nil: begin a new incarnation, beyond after
	after uint64
	state atomic.Int32 // of waiting, taken, given up
	pos   identity.Position
	err   error
	done  chan struct{}
}

const (
	waiting int32 = iota
	taken
	givenUp
)

// commit hands a batch to the writer and waits. When ctx ends first, the batch
// is taken back if the writer has not begun it; else the outcome is waited for,
// so that it is known either way.
func (e *Engine) commit(ctx context.Context, b *store.Batch) (identity.Position, error) {
	return e.submit(ctx, &request{batch: b, done: make(chan struct{})})
}

func (e *Engine) submit(ctx context.Context, r *request) (identity.Position, error) {
	select {
	case e.commits <- r:
	case <-ctx.Done():
		return identity.Position{}, store.Away("sqlite.commit", ctx.Err())
	case <-e.quit:
		return identity.Position{}, store.Away("sqlite.commit", errClosed)
	}
	select {
	case <-r.done:
		return r.pos, r.err
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, givenUp) {
			return identity.Position{}, store.Away("sqlite.commit", ctx.Err())
		}
	case <-e.stopped:
		if r.state.CompareAndSwap(waiting, givenUp) {
			return identity.Position{}, store.Away("sqlite.commit", errClosed)
		}
	}
	<-r.done
	return r.pos, r.err
}

// NewIncarnation begins a new feed on the same rows, as a restore does: every
// follower reloads, and no earlier position compares with a later one. Its
// numbers begin beyond those of this feed, and beyond after.
func (e *Engine) NewIncarnation(ctx context.Context, after uint64) (identity.Position, error) {
	return e.submit(ctx, &request{after: after, done: make(chan struct{})})
}

func (e *Engine) openWriter(ctx context.Context) (*reader, error) {
	w, err := e.openReader(ctx)
	if err != nil {
		return nil, err
	}
	var mode string
	if err := w.one("PRAGMA journal_mode", nil, &mode); err != nil {
		w.drop()
		return nil, err
	}
	if mode != "wal" {
		w.drop()
		return nil, errors.New("the file system does not allow WAL mode")
	}
	// Commits of many rows under random keys touch many pages; with room for
	// them none is written twice. It fills with use.
	if err := w.exec("PRAGMA cache_size = -16000"); err != nil {
		w.drop()
		return nil, err
	}
	return w, nil
}

// committer is the one writer. It takes all commits that wait and makes one
// transaction of them.
func (e *Engine) committer(w *reader) {
	defer close(e.stopped)
	defer func() {
		if w != nil {
			w.drop()
		}
	}()
	for {
		var group []*request
		select {
		case <-e.quit:
			return
		case r := <-e.commits:
			group = gather(group, r)
		}
		for more := true; more && len(group) < maxGroup; {
			select {
			case r := <-e.commits:
				group = gather(group, r)
			default:
				more = false
			}
		}
		w = e.writeGroup(w, group)
	}
}

func gather(group []*request, r *request) []*request {
	if r.state.CompareAndSwap(waiting, taken) {
		return append(group, r)
	}
	return group
}

// writeGroup commits a group and answers it. When one of its members cannot be
// written, all are tried one by one, so that none suffers for another.
func (e *Engine) writeGroup(w *reader, group []*request) *reader {
	if len(group) == 0 {
		return w
	}
	var err error
	if w == nil {
		if w, err = e.openWriter(context.Background()); err != nil {
			answer(group, err)
			return nil
		}
	}
	pos, err := e.writeTx(w, group)
	if err != nil {
		if w.exec("ROLLBACK") != nil || w.broken {
			w.drop()
			w = nil
		}
		if err = failed("sqlite.commit", err); len(group) == 1 || identity.KindOf(err) == identity.KindUnavailable {
			answer(group, err)
			return w
		}
		for _, r := range group {
			w = e.writeGroup(w, []*request{r})
		}
		return w
	}
	e.signal.Set(pos)
	answer(group, nil)
	return w
}

func answer(group []*request, err error) {
	for _, r := range group {
		if err != nil {
			r.pos, r.err = identity.Position{}, failed("sqlite.commit", err)
		}
		close(r.done)
	}
}

// writeTx makes one transaction of a group. A member that does not fit gets its
// error and has written nothing; an error returned is one of the whole.
func (e *Engine) writeTx(w *reader, group []*request) (identity.Position, error) {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return identity.Position{}, err
	}
	h, err := w.head()
	if err != nil {
		return identity.Position{}, err
	}
	first := h
	for _, r := range group {
		r.pos, r.err = identity.Position{}, nil
		if r.batch == nil {
			h.pos.Incarnation, h.pos.N = rand.Text(), max(h.pos.N, r.after)+1
			h.pruned = h.pos.N
			if err := w.exec("DELETE FROM feed"); err != nil {
				return identity.Position{}, err
			}
			r.pos = h.pos
			continue
		}
		if r.err = e.check(w, h, r.batch); r.err != nil {
			if k := identity.KindOf(r.err); !errors.Is(r.err, store.ErrStale) && k != identity.KindAlreadyExists {
				return identity.Position{}, r.err
			}
			continue
		}
		h.pos.N++
		if err := w.apply(h.pos.N, r.batch); err != nil {
			return identity.Position{}, err
		}
		r.pos = h.pos
	}
	if h == first {
		return h.pos, w.exec("ROLLBACK")
	}
	if err := e.prune(w, first.pos.N, &h); err != nil {
		return identity.Position{}, err
	}
	const setHead = "UPDATE feed_head SET incarnation = ?, n = ?, pruned = ? WHERE id = 1"
	if err := w.exec(setHead, h.pos.Incarnation, int64(h.pos.N), int64(h.pruned)); err != nil {
		return identity.Position{}, err
	}
	return h.pos, w.exec("COMMIT")
}

// check judges a batch on the writer's transaction, in which nothing else can
// commit.
func (e *Engine) check(w *reader, h head, b *store.Batch) error {
	now := &state{engine: e, ctx: context.Background(), reader: w}
	w.at = h
	var changed []store.RowID
	if at, ok := b.ReadAt(); ok {
		if at.Incarnation != h.pos.Incarnation || at.N < h.pruned {
			return store.ErrStale
		}
		if at.N != h.pos.N {
			var err error
			if changed, err = w.changed(now.ctx, at.N); err != nil {
				return err
			}
		}
	}
	return b.Check(now, changed)
}

// apply writes a batch. Rows that are only added, of all three tables, go in
// many at a time: a statement costs more than a row.
func (r *reader) apply(n uint64, b *store.Batch) error {
	var add additions
	for _, row := range b.Writes() {
		if err := r.replace(n, row, &add); err != nil {
			return err
		}
		add.feed = append(add.feed, int64(n), row.Table, row.Key)
	}
	for _, to := range []struct {
		statement *manyRows
		values    []any
	}{{entryRows, add.entries}, {recordRows, add.records}, {feedRows, add.feed}} {
		if err := r.addAll(to.statement, to.values); err != nil {
			return err
		}
	}
	return nil
}

// additions are the values of rows to be added, one behind the other.
type additions struct{ entries, records, feed []any }

// replace takes out of the index what a row's new version is not to be found
// by, and leaves to add what is to be written.
func (r *reader) replace(n uint64, row store.Row, add *additions) error {
	var packed []byte
	var old []store.IndexEntry
	err := r.one("SELECT entries FROM record WHERE tbl = ? AND key = ?", []any{row.Table, row.Key}, &packed)
	if err == nil {
		old, err = unpack(packed)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for _, x := range missing(old, row.Index) {
		if err := r.exec("DELETE FROM entry WHERE tbl = ? AND name = ? AND value = ? AND key = ?", row.Table, x.Name, x.Value, row.Key); err != nil {
			return err
		}
	}
	for _, x := range missing(row.Index, old) {
		add.entries = append(add.entries, row.Table, x.Name, x.Value, row.Key)
	}
	if row.Value == nil {
		return r.exec("DELETE FROM record WHERE tbl = ? AND key = ?", row.Table, row.Key)
	}
	add.records = append(add.records, row.Table, row.Key, int64(n), row.Value, pack(row.Index))
	return nil
}

// manyRows is an INSERT of any number of rows: one statement per number of
// rows that is in use, longest first.
type manyRows struct {
	columns int
	texts   [len(rowsAtOnce)]string
}

var rowsAtOnce = [...]int{32, 8, 1}

func newManyRows(insert string, columns int, conflict string) *manyRows {
	m := &manyRows{columns: columns}
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	for i, n := range rowsAtOnce {
		m.texts[i] = insert + " VALUES " + row + strings.Repeat(", "+row, n-1) + conflict
	}
	return m
}

var (
	entryRows  = newManyRows("INSERT INTO entry (tbl, name, value, key)", 4, "")
	feedRows   = newManyRows("INSERT INTO feed (n, tbl, key)", 3, "")
	recordRows = newManyRows("INSERT INTO record (tbl, key, n, value, entries)", 5,
		" ON CONFLICT (tbl, key) DO UPDATE SET n = excluded.n, value = excluded.value, entries = excluded.entries")
)

func (r *reader) addAll(m *manyRows, values []any) error {
	for i, n := range rowsAtOnce {
		for size := n * m.columns; len(values) >= size; values = values[size:] {
			if err := r.exec(m.texts[i], values[:size]...); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing are the entries of a that are not in b, as places in an index.
func missing(a, b []store.IndexEntry) []store.IndexEntry {
	var out []store.IndexEntry
next:
	for _, x := range a {
		for _, y := range b {
			if x.Name == y.Name && x.Value == y.Value {
				continue next
			}
		}
		out = append(out, x)
	}
	return out
}

// prune forgets the feed's oldest entries now and then.
func (e *Engine) prune(w *reader, before uint64, h *head) error {
	every := uint64(min(pruneEvery, e.opt.FeedKeep))
	if before/every == h.pos.N/every {
		return nil
	}
	var n int64
	err := w.one("SELECT n FROM feed ORDER BY n DESC LIMIT 1 OFFSET ?", []any{e.opt.FeedKeep}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	h.pruned = max(h.pruned, uint64(n))
	return w.exec("DELETE FROM feed WHERE n <= ?", n)
}
