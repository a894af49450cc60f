package store

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"daypass/internal/identity"
)

// feedKeep is how many entries of the feed the in-memory engine holds.
const feedKeep = 100_000

// Memory is an engine that keeps everything in memory and forgets it on Close.
type Memory struct {
	commits sync.Mutex // held while a batch is checked and applied
	state   atomic.Pointer[memoryState]
	run     *Optimistic
	signal  Signal
	closed  atomic.Bool
}

// memoryState is one state; it implements State and never changes.
type memoryState struct {
	pos  identity.Position
	rows rowset
	// feed is in order of n and holds everything after pruned. States share its
	// array: a later one only appends behind what an earlier one sees.
	feed   []memoryChange
	pruned uint64
}

type memoryChange struct {
	n  uint64
	id RowID
}

// NewMemory returns an empty engine.
func NewMemory() *Memory {
	m := &Memory{run: NewOptimistic()}
	m.set(&memoryState{pos: identity.Position{Incarnation: rand.Text()}})
	return m
}

func (m *Memory) set(s *memoryState) {
	m.state.Store(s)
	m.signal.Set(s.pos)
}

func (m *Memory) open(ctx context.Context, op string) error {
	if m.closed.Load() {
		return Away(op, errors.New("the engine is closed"))
	}
	if err := ctx.Err(); err != nil {
		return Away(op, err)
	}
	return nil
}

// Update is Engine.Update.
func (m *Memory) Update(ctx context.Context, fn func(Tx) error) (identity.Position, error) {
	if err := m.open(ctx, "store.update"); err != nil {
		return identity.Position{}, err
	}
	begin := func(context.Context) (State, func()) { return m.state.Load(), func() {} }
	return m.run.Update(ctx, begin, m.commit, fn)
}

func (m *Memory) commit(ctx context.Context, b *Batch) (identity.Position, error) {
	m.commits.Lock()
	defer m.commits.Unlock()
	if err := m.open(ctx, "store.update"); err != nil {
		return identity.Position{}, err
	}
	now := m.state.Load()
	var changed []RowID
	if at, ok := b.ReadAt(); ok {
		if at.Incarnation != now.pos.Incarnation || at.N < now.pruned {
			return identity.Position{}, ErrStale
		}
		for _, c := range now.after(at.N) {
			changed = append(changed, c.id)
		}
	}
	if err := b.Check(now, changed); err != nil {
		return identity.Position{}, err
	}
	next := &memoryState{pos: now.pos, feed: now.feed, pruned: now.pruned}
	next.pos.N++
	e := now.rows.edit()
	for _, w := range b.Writes() {
		w.N = next.pos.N
		if w.Value == nil {
			e.delete(w.Table, w.Key)
		} else {
			e.put(&w)
		}
		next.feed = append(next.feed, memoryChange{w.N, RowID{w.Table, w.Key}})
	}
	next.rows = e.done()
	next.prune()
	m.set(next)
	return next.pos, nil
}

// prune cuts the feed when it is twice as long as it has to be.
func (s *memoryState) prune() {
	if len(s.feed) < 2*feedKeep {
		return
	}
	s.pruned = s.feed[len(s.feed)-feedKeep-1].n
	s.feed = slices.Clone(s.after(s.pruned))
}

func (s *memoryState) after(n uint64) []memoryChange {
	return s.feed[sort.Search(len(s.feed), func(i int) bool { return s.feed[i].n > n }):]
}

// Position is State.Position.
func (s *memoryState) Position() (identity.Position, error) { return s.pos, nil }

// Row is State.Row.
func (s *memoryState) Row(table, key string) (Row, error) {
	if row := s.rows.row(table, key); row != nil {
		return *row, nil
	}
	return Row{}, errNotFound
}

// Scan is State.Scan.
func (s *memoryState) Scan(table, index, prefix string, after After, limit int) ([]Found, error) {
	var out []Found
	s.rows.scan(table, index, prefix, after, limit, func(e *treeEntry) { out = append(out, Found{e.value, *e.row}) })
	return out, nil
}

// View is Engine.View.
func (m *Memory) View(ctx context.Context, fn func(Reader) error) (identity.Position, error) {
	if err := m.open(ctx, "store.view"); err != nil {
		return identity.Position{}, err
	}
	s := m.state.Load()
	if err := fn(NewReader(s)); err != nil {
		return identity.Position{}, err
	}
	return s.pos, nil
}

// Changes is Engine.Changes.
func (m *Memory) Changes(ctx context.Context, after identity.Position) (Feed, error) {
	if err := m.open(ctx, "store.changes"); err != nil {
		return Feed{}, err
	}
	s := m.state.Load()
	f := Feed{Position: s.pos}
	if after.Incarnation != s.pos.Incarnation || after.N > s.pos.N || after.N < s.pruned {
		f.Reload = true
		return f, nil
	}
	seen := map[RowID]bool{}
	for _, c := range s.after(after.N) {
		if seen[c.id] {
			continue
		}
		seen[c.id] = true
		if row := s.rows.row(c.id.Table, c.id.Key); row != nil {
			f.Changes = append(f.Changes, *row)
		} else {
			f.Changes = append(f.Changes, Row{Table: c.id.Table, Key: c.id.Key})
		}
	}
	return f, nil
}

// Load is Engine.Load.
func (m *Memory) Load(ctx context.Context, tables []string) ([]Row, identity.Position, error) {
	if err := m.open(ctx, "store.load"); err != nil {
		return nil, identity.Position{}, err
	}
	s := m.state.Load()
	var out []Row
	for _, t := range tables {
		s.rows.scan(t, "", "", After{}, 0, func(e *treeEntry) { out = append(out, *e.row) })
	}
	return out, s.pos, nil
}

// Wait is Engine.Wait.
func (m *Memory) Wait(ctx context.Context, after identity.Position) { m.signal.Wait(ctx, after) }

// NewIncarnation begins a new feed on the same rows, as a restore does: every
// follower reloads, and no earlier position compares with a later one. Its
// numbers begin beyond those of this feed, and beyond after.
func (m *Memory) NewIncarnation(ctx context.Context, after uint64) (identity.Position, error) {
	if err := m.open(ctx, "store.incarnation"); err != nil {
		return identity.Position{}, err
	}
	m.commits.Lock()
	defer m.commits.Unlock()
	now := m.state.Load()
	n := max(now.pos.N, after) + 1
	next := &memoryState{pos: identity.Position{Incarnation: rand.Text(), N: n}, rows: now.rows, pruned: n}
	m.set(next)
	return next.pos, nil
}

// Close is Engine.Close.
func (m *Memory) Close() error {
	m.closed.Store(true)
	m.signal.Close()
	return nil
}
