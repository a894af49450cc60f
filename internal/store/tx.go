package store

import (
	"bytes"
	"errors"
	"slices"

	"daypass/internal/identity"
)

// view is a Reader over one state.
type view struct{ state State }

// NewReader makes a Reader of a state, for Engine.View.
func NewReader(s State) Reader { return view{s} }

func (v view) Row(table, key string) (Row, error) { return v.state.Row(table, key) }

func (v view) Rows(table, index, prefix string, after After, limit int) ([]Row, error) {
	found, err := v.state.Scan(table, index, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	return rowsOf(found), nil
}

func (v view) exact(table, index, value string) (Row, error) {
	found, err := v.state.Scan(table, index, value, After{}, 1)
	if err != nil {
		return Row{}, err
	}
	if len(found) == 0 || found[0].Value != value {
		return Row{}, errNotFound
	}
	return found[0].Row, nil
}

func rowsOf(found []Found) []Row {
	out := make([]Row, len(found))
	for i := range found {
		out[i] = found[i].Row
	}
	return out
}

// bufferedTx is a Tx over a state: it keeps its writes to itself and remembers
// what it read.
type bufferedTx struct {
	state  State
	batch  Batch
	reads  map[RowID]struct{}
	writes map[RowID]int // place in batch.writes
	failed error
	ended  bool
}

var errEnded = &identity.Error{Kind: identity.KindInternal, Op: "store.tx", Err: errors.New("used after its transaction ended")}

// check notes a read that failed, so that no commit rests on it.
func (t *bufferedTx) check(err error) error {
	if err != nil && identity.KindOf(err) != identity.KindNotFound && t.failed == nil {
		t.failed = err
	}
	return err
}

func (t *bufferedTx) Row(table, key string) (Row, error) {
	if t.ended {
		return Row{}, errEnded
	}
	id := RowID{table, key}
	if i, ok := t.writes[id]; ok {
		if t.batch.writes[i].Value == nil {
			return Row{}, errNotFound
		}
		return t.batch.writes[i], nil
	}
	row, err := t.state.Row(table, key)
	t.reads[id] = struct{}{}
	return row, t.check(err)
}

func (t *bufferedTx) Rows(table, index, prefix string, after After, limit int) ([]Row, error) {
	found, err := t.scan(scanned{table: table, index: index, prefix: prefix, after: after, limit: limit})
	if err != nil {
		return nil, err
	}
	return rowsOf(found), nil
}

func (t *bufferedTx) exact(table, index, value string) (Row, error) {
	found, err := t.scan(scanned{table: table, index: index, prefix: value, limit: 1, exact: true})
	if err != nil {
		return Row{}, err
	}
	if len(found) == 0 {
		return Row{}, errNotFound
	}
	return found[0].Row, nil
}

// scan lists the state and lays the transaction's own writes over it.
func (t *bufferedTx) scan(s scanned) ([]Found, error) {
	if t.ended {
		return nil, errEnded
	}
	var own []Found
	hidden, limit := 0, s.limit
	for i := range t.batch.writes {
		if w := &t.batch.writes[i]; w.Table == s.table {
			hidden++
			own = append(own, s.matches(w)...)
		}
	}
	if limit > 0 && hidden > 0 && !s.exact {
		// How many entries the stored rows behind the own writes have is not
		// known, and the listing may be short by them: list without a bound.
		s.limit = 0
	}
	found, err := t.state.Scan(s.table, s.index, s.prefix, s.after, s.limit)
	if err != nil {
		return nil, t.check(err)
	}
	found = s.keep(found)
	s.found = make([]After, len(found))
	for i, f := range found {
		s.found[i] = After{f.Value, f.Row.Key}
		t.reads[RowID{s.table, f.Row.Key}] = struct{}{}
	}
	t.batch.scans = append(t.batch.scans, s)
	if hidden == 0 {
		return found, nil
	}
	out := slices.DeleteFunc(slices.Clone(found), func(f Found) bool {
		_, over := t.writes[RowID{s.table, f.Row.Key}]
		return over
	})
	out = append(out, own...)
	slices.SortFunc(out, func(a, b Found) int { return After{a.Value, a.Row.Key}.compare(b.Value, b.Row.Key) })
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// matches are the entries of a row that the listing would show.
func (s *scanned) matches(row *Row) []Found {
	if row.Value == nil {
		return nil
	}
	entries := row.Index
	if s.index == "" {
		entries = []IndexEntry{{Value: row.Key}}
	}
	var out []Found
	for _, e := range entries {
		fits := len(e.Value) >= len(s.prefix) && e.Value[:len(s.prefix)] == s.prefix
		if s.exact {
			fits = e.Value == s.prefix
		}
		if e.Name == s.index && fits && s.after.compare(e.Value, row.Key) < 0 {
			out = append(out, Found{e.Value, *row})
		}
	}
	return out
}

func (t *bufferedTx) Put(row Row) error {
	if t.ended {
		return errEnded
	}
	if row.Table == "" || row.Key == "" || len(row.Value) == 0 {
		return &identity.Error{Kind: identity.KindInternal, Op: "store.put", Err: errors.New("a row needs table, key and value")}
	}
	w := Row{Table: row.Table, Key: row.Key, Value: bytes.Clone(row.Value)}
	for _, e := range row.Index {
		if e.Name == "" {
			return &identity.Error{Kind: identity.KindInternal, Op: "store.put", Err: errors.New("an index needs a name")}
		}
		if !w.under(e.Name, e.Value) {
			w.Index = append(w.Index, e)
		}
	}
	t.write(w)
	return nil
}

func (t *bufferedTx) Delete(table, key string) error {
	if _, err := t.Row(table, key); err != nil {
		return err
	}
	t.write(Row{Table: table, Key: key})
	return nil
}

func (t *bufferedTx) write(row Row) {
	id := RowID{row.Table, row.Key}
	if i, ok := t.writes[id]; ok {
		t.batch.writes[i] = row
		return
	}
	t.writes[id] = len(t.batch.writes)
	t.batch.writes = append(t.batch.writes, row)
}
