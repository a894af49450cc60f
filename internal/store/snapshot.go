package store

import (
	"errors"

	"daypass/internal/identity"
)

// Snapshot is a Reader of the resident tables at one position of the feed. It
// never changes, takes no lock, and Row and Table.By allocate nothing. A bounded
// table beyond Options.MaxPrincipals is not in it: reading that gives
// KindUnavailable, and Lookup and LookupBy are the way to its rows. Reading a
// table that is never resident gives KindInternal.
type Snapshot struct {
	pos  identity.Position
	rows rowset
	// partial are the bounded tables that outgrew their bound.
	partial map[string]bool
}

// Position is where the snapshot stands in the feed: what it mints carries it.
func (s *Snapshot) Position() identity.Position { return s.pos }

// Row is Reader.Row.
func (s *Snapshot) Row(table, key string) (Row, error) {
	if row := s.rows.row(table, key); row != nil {
		return *row, nil
	}
	return Row{}, s.absent(table)
}

// Rows is Reader.Rows.
func (s *Snapshot) Rows(table, index, prefix string, after After, limit int) ([]Row, error) {
	var out []Row
	s.rows.scan(table, index, prefix, after, limit, func(e *treeEntry) { out = append(out, *e.row) })
	if out == nil && s.rows[table] == nil {
		return nil, s.absent(table)
	}
	return out, nil
}

// Count is how many rows there are under an index whose values begin with a
// prefix. It takes no longer for many than for few.
func (s *Snapshot) Count(table, index, prefix string) (int, error) {
	t := s.rows[table]
	if t == nil {
		return 0, s.absent(table)
	}
	_, n := t.indexes[index].span(prefix)
	return n, nil
}

// Page is Rows without the first so many, and takes no longer for many of those
// than for few.
func (s *Snapshot) Page(table, index, prefix string, skip, limit int) ([]Row, error) {
	t := s.rows[table]
	if t == nil {
		return nil, s.absent(table)
	}
	x := t.indexes[index]
	before, n := x.span(prefix)
	if limit = min(limit, n-skip); limit <= 0 {
		return nil, nil
	}
	out := make([]Row, 0, limit)
	x.root.from(before+skip, func(e *treeEntry) bool {
		out = append(out, *e.row)
		return len(out) < limit
	})
	return out, nil
}

func (s *Snapshot) exact(table, index, value string) (Row, error) {
	if row := s.rows.exact(table, index, value); row != nil {
		return *row, nil
	}
	return Row{}, s.absent(table)
}

var (
	errPartial  = Away("store.snapshot", errors.New("the table is beyond its bound"))
	errResident = &identity.Error{Kind: identity.KindInternal, Op: "store.snapshot", Err: errors.New("the table is not resident")}
)

// absent is why a row is not there.
func (s *Snapshot) absent(table string) error {
	switch {
	case s.rows[table] != nil:
		return errNotFound
	case s.partial[table]:
		return errPartial
	default:
		return errResident
	}
}

// snapshotEdit is a batch of changes on the way to the next snapshot.
type snapshotEdit struct {
	*rowsetEdit
	partial map[string]bool
}

func (s *Snapshot) edit() *snapshotEdit {
	partial := make(map[string]bool, len(s.partial))
	for t := range s.partial {
		partial[t] = true
	}
	return &snapshotEdit{rowsetEdit: s.rows.edit(), partial: partial}
}

// apply takes a row of the engine in, decoded; rows of tables that the
// snapshot does not hold are passed over.
func (e *snapshotEdit) apply(row Row) error {
	info := tables[row.Table]
	if !info.resident || e.partial[row.Table] {
		return nil
	}
	if row.Value == nil {
		e.delete(row.Table, row.Key)
		return nil
	}
	kept, err := kept(info, row)
	if err != nil {
		return err
	}
	e.put(kept)
	return nil
}

// kept is a row as snapshots and caches hold it: decoded, without its JSON.
func kept(info tableInfo, row Row) (*Row, error) {
	v, err := info.decode(row)
	if err != nil {
		return nil, err
	}
	row.Decoded, row.Value, row.Table = v, nil, info.name
	return &row, nil
}

// bound gives up bounded tables of more than limit rows.
func (e *snapshotEdit) bound(limit int) {
	for name, t := range e.tables {
		if tables[name].bounded && t.byKey.n > limit {
			delete(e.tables, name)
			e.partial[name] = true
		}
	}
}

func (e *snapshotEdit) done(pos identity.Position) *Snapshot {
	return &Snapshot{pos: pos, rows: e.rowsetEdit.done(), partial: e.partial}
}
