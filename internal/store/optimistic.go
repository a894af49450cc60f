package store

import (
	"context"
	"errors"
	"fmt"

	"daypass/internal/identity"
)

// What engines with optimistic transactions are made of: a State to read from,
// a Batch to commit, and Optimistic to run the two until they fit.

// State is one consistent state of an engine.
type State interface {
	// Position is where the state stands in the feed.
	Position() (identity.Position, error)
	// Row is Reader.Row.
	Row(table, key string) (Row, error)
	// Scan is Reader.Rows, with the index value that each row was found under.
	Scan(table, index, prefix string, after After, limit int) ([]Found, error)
}

// Found is a row and the index value that it was found under.
type Found struct {
	Value string
	Row   Row
}

// RowID names a row.
type RowID struct{ Table, Key string }

// ErrStale is what commit gives to Optimistic.Update when the state that the
// batch was read from is no longer the one to commit on.
var ErrStale = errors.New("store: the state moved on")

const (
	// maxTries is how often Update runs fn.
	maxTries = 32
	// patience is after how many tries a transaction waits for its turn among
	// those that collide, so that a crowd around one row gets through one by one.
	patience = 3
)

// Optimistic runs transactions that read one state, buffer their writes, and
// commit only if what they read still holds.
type Optimistic struct{ turn chan struct{} }

// NewOptimistic returns an Optimistic for one engine.
func NewOptimistic() *Optimistic { return &Optimistic{turn: make(chan struct{}, 1)} }

// Update is Engine.Update. begin returns a state and what ends it; commit
// checks and applies a batch, and returns its position or ErrStale.
func (o *Optimistic) Update(
	ctx context.Context,
	begin func(context.Context) (State, func()),
	commit func(context.Context, *Batch) (identity.Position, error),
	fn func(Tx) error,
) (identity.Position, error) {
	for try := range maxTries {
		if try == patience {
			select {
			case o.turn <- struct{}{}:
				defer func() { <-o.turn }()
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			return identity.Position{}, Away("store.update", err)
		}
		batch, pos, err := attempt(ctx, begin, fn)
		if err != nil || batch == nil {
			return pos, err
		}
		pos, err = commit(ctx, batch)
		if !errors.Is(err, ErrStale) {
			return pos, err
		}
	}
	return identity.Position{}, &identity.Error{
		Kind: identity.KindConflict, Op: "store.update",
		Err: fmt.Errorf("collided with other transactions %d times", maxTries),
	}
}

// attempt runs fn once. Without writes the batch is nil: what fn read was one
// state, and there is nothing to commit.
func attempt(ctx context.Context, begin func(context.Context) (State, func()), fn func(Tx) error) (*Batch, identity.Position, error) {
	state, end := begin(ctx)
	defer end()
	tx := &bufferedTx{state: state, reads: map[RowID]struct{}{}, writes: map[RowID]int{}}
	err := fn(tx)
	tx.ended = true
	switch {
	case err != nil:
		return nil, identity.Position{}, err
	case tx.failed != nil: // a read failed and fn went on without
		return nil, identity.Position{}, tx.failed
	case len(tx.batch.writes) == 0:
		pos, err := state.Position()
		return nil, pos, err
	}
	if len(tx.reads) > 0 || len(tx.batch.scans) > 0 {
		tx.batch.reads, tx.batch.hasRead = tx.reads, true
		if tx.batch.at, err = state.Position(); err != nil {
			return nil, identity.Position{}, err
		}
	}
	return &tx.batch, identity.Position{}, nil
}

// Away is the error of storage that cannot be reached now: KindUnavailable
// with a time to try again.
func Away(op string, err error) error {
	return &identity.Error{Kind: identity.KindUnavailable, Op: op, Err: err, RetryAfterSeconds: 1}
}

// Batch is a transaction that ran and waits for its commit.
type Batch struct {
	at      identity.Position
	hasRead bool
	reads   map[RowID]struct{}
	scans   []scanned
	writes  []Row
}

// scanned is a listing that a transaction made, to be made again at commit.
type scanned struct {
	table, index, prefix string
	after                After
	limit                int
	exact                bool // only entries of value prefix count
	found                []After
}

// Writes are the rows to write, one per row ID; Value nil: delete. The engine
// sets N.
func (b *Batch) Writes() []Row { return b.writes }

// ReadAt is the position of the state that the batch was read from; false when
// it read nothing.
func (b *Batch) ReadAt() (identity.Position, bool) { return b.at, b.hasRead }

// Check says whether the batch may commit on the state now, when changed is
// everything that changed since ReadAt: ErrStale when a row that it read or the
// outcome of a listing is another, KindAlreadyExists when a unique entry is
// taken. The engine must let nothing commit between Check and the writing.
func (b *Batch) Check(now State, changed []RowID) error {
	touched := map[string]bool{}
	for _, id := range changed {
		if _, ok := b.reads[id]; ok {
			return ErrStale
		}
		touched[id.Table] = true
	}
	for i := range b.scans {
		s := &b.scans[i]
		if !touched[s.table] {
			continue
		}
		again, err := now.Scan(s.table, s.index, s.prefix, s.after, s.limit)
		if err != nil {
			return err
		}
		if !s.same(again) {
			return ErrStale
		}
	}
	return b.checkUnique(now)
}

func (s *scanned) keep(found []Found) []Found {
	if s.exact {
		for i := range found {
			if found[i].Value != s.prefix {
				return found[:i]
			}
		}
	}
	return found
}

func (s *scanned) same(again []Found) bool {
	again = s.keep(again)
	if len(again) != len(s.found) {
		return false
	}
	for i, f := range again {
		if f.Value != s.found[i].Value || f.Row.Key != s.found[i].Key {
			return false
		}
	}
	return true
}

// checkUnique judges the state as it will be: a value may pass from one row to
// another within a batch.
func (b *Batch) checkUnique(now State) error {
	type place struct{ table, index, value string }
	taken := map[place]bool{}
	written := make(map[RowID]bool, len(b.writes))
	uniques := false
	for i := range b.writes {
		w := &b.writes[i]
		written[RowID{w.Table, w.Key}] = true
		for _, e := range w.Index {
			uniques = uniques || e.Unique
			p := place{w.Table, e.Name, e.Value}
			if e.Unique && taken[p] {
				return errTaken(w.Table, e.Name)
			}
			taken[p] = true
		}
	}
	if !uniques {
		return nil
	}
	for i := range b.writes {
		w := &b.writes[i]
		for _, e := range w.Index {
			if !e.Unique {
				continue
			}
			// At most one row holds the value now. When the batch writes that
			// row too, the new entries count, and they were judged above.
			held, err := now.Scan(w.Table, e.Name, e.Value, After{}, 1)
			if err != nil {
				return err
			}
			if len(held) == 1 && held[0].Value == e.Value && !written[RowID{w.Table, held[0].Row.Key}] {
				return errTaken(w.Table, e.Name)
			}
		}
	}
	return nil
}

func errTaken(table, index string) error {
	return &identity.Error{Kind: identity.KindAlreadyExists, Op: "store.commit", Err: fmt.Errorf("table %s, unique index %s", table, index)}
}
