package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"daypass/internal/identity"
)

// Table gives the rows of one table their type. Values are kept as JSON;
// records read from a snapshot are shared and must not be written through.
type Table[T any] struct {
	name    string
	key     func(*T) string
	indexes func(*T) []IndexEntry
}

// tableInfo is what the untyped half of the package knows of a table.
type tableInfo struct {
	name string
	// decode makes the typed record that snapshots keep.
	decode func(Row) (any, error)
	// entries are what the record's rows are found by.
	entries func(Row) ([]IndexEntry, error)
	// resident tables are whole in every snapshot.
	resident bool
	// bounded tables are whole up to the DB's limit, beyond it a cache.
	bounded bool
}

var tables = map[string]tableInfo{}

// residence says where a table's rows are read on the hot path.
type residence int

const (
	onDisk   residence = iota // only in the engine
	resident                  // whole in every snapshot
	bounded                   // whole in every snapshot up to Options.MaxPrincipals
)

func newTable[T any](name string, where residence, key func(*T) string, indexes func(*T) []IndexEntry) *Table[T] {
	if _, dup := tables[name]; dup {
		panic("store: table " + name + " declared twice")
	}
	t := &Table[T]{name: name, key: key, indexes: indexes}
	tables[name] = tableInfo{
		name:     name,
		resident: where != onDisk,
		bounded:  where == bounded,
		decode:   func(row Row) (any, error) { return decode[T](row) },
		entries: func(row Row) ([]IndexEntry, error) {
			v, err := decode[T](row)
			if err != nil {
				return nil, err
			}
			if t.key(v) != row.Key {
				return nil, &identity.Error{Kind: identity.KindInternal, Op: "store.decode", Err: fmt.Errorf("table %s: the record under %s is another's", name, row.Key)}
			}
			return t.entries(v), nil
		},
	}
	return t
}

// TableNames are all tables, in order: what a backup holds.
func TableNames() []string { return slices.Sorted(maps.Keys(tables)) }

// Indexed is a row as the engine keeps it, made of table, key and value alone.
// KindNotFound for a table that is not declared, KindInternal for a value that
// is no record of its table or has another key.
func Indexed(row Row) (Row, error) {
	info, ok := tables[row.Table]
	if !ok {
		return Row{}, &identity.Error{Kind: identity.KindNotFound, Op: "store.indexed", Err: fmt.Errorf("there is no table %q", row.Table)}
	}
	var err error
	row.Index, err = info.entries(row)
	return row, err
}

// Name is the table's name in the engine and in the AAD of sealed columns.
func (t *Table[T]) Name() string { return t.name }

func (t *Table[T]) typed(row Row) (*T, error) {
	if v, ok := row.Decoded.(*T); ok {
		return v, nil
	}
	return decode[T](row)
}

// numbered is a record that wants to know the feed number of the commit that
// wrote it, which is assigned only after the record is encoded.
type numbered interface{ setNumber(n uint64) }

func decode[T any](row Row) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(row.Value, v); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "store.decode", Err: fmt.Errorf("table %s, key %s: %w", row.Table, row.Key, err)}
	}
	if r, ok := any(v).(numbered); ok && row.N != 0 {
		r.setNumber(row.N)
	}
	return v, nil
}

// Get returns the record with a key, or an error of KindNotFound.
func (t *Table[T]) Get(r Reader, key string) (*T, error) {
	row, err := r.Row(t.name, key)
	if err != nil {
		return nil, err
	}
	return t.typed(row)
}

// By returns the one record under the value of a unique index, or an error of
// KindNotFound.
func (t *Table[T]) By(r Reader, index, value string) (*T, error) {
	if x, ok := r.(exactReader); ok {
		row, err := x.exact(t.name, index, value)
		if err != nil {
			return nil, err
		}
		return t.typed(row)
	}
	// The value itself sorts before everything that it is a prefix of.
	rows, err := r.Rows(t.name, index, value, After{}, 1)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.under(index, value) {
			return t.typed(row)
		}
	}
	return nil, errNotFound
}

// exactReader is every Reader of this package: the one row under a value of a
// unique index, found without a listing.
type exactReader interface {
	exact(table, index, value string) (Row, error)
}

// List returns at most limit records (0: all) under an index, as Reader.Rows.
func (t *Table[T]) List(r Reader, index, prefix string, after After, limit int) ([]*T, error) {
	rows, err := r.Rows(t.name, index, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	return t.records(rows)
}

// Each calls fn for the records of a resident table under an index, in the order of
// the index, until it returns false. It copies none of them.
func (t *Table[T]) Each(s *Snapshot, index, prefix string, fn func(*T) bool) error {
	if s.rows[t.name] == nil {
		return s.absent(t.name)
	}
	var failed error
	s.rows.each(t.name, index, prefix, func(e *treeEntry) bool {
		v, err := t.typed(*e.row)
		if err != nil {
			failed = err
			return false
		}
		return fn(v)
	})
	return failed
}

func (t *Table[T]) records(rows []Row) (out []*T, err error) {
	out = make([]*T, len(rows))
	for i, row := range rows {
		if out[i], err = t.typed(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Count is Snapshot.Count of a resident table.
func (t *Table[T]) Count(s *Snapshot, index, prefix string) (int, error) {
	return s.Count(t.name, index, prefix)
}

// Page is Snapshot.Page of a resident table.
func (t *Table[T]) Page(s *Snapshot, index, prefix string, skip, limit int) ([]*T, error) {
	rows, err := s.Page(t.name, index, prefix, skip, limit)
	if err != nil {
		return nil, err
	}
	return t.records(rows)
}

// Put writes a record, new or not.
func (t *Table[T]) Put(tx Tx, v *T) error {
	row, err := t.Row(v)
	if err != nil {
		return err
	}
	return tx.Put(row)
}

// Row is a record as an engine keeps it.
func (t *Table[T]) Row(v *T) (Row, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Row{}, &identity.Error{Kind: identity.KindInternal, Op: "store.encode", Err: err}
	}
	return Row{Table: t.name, Key: t.key(v), Value: b, Index: t.entries(v)}, nil
}

// Record is a row of an engine as a record of its own.
func (t *Table[T]) Record(row Row) (*T, error) { return decode[T](row) }

// Insert writes a new record; KindAlreadyExists when its key is taken.
func (t *Table[T]) Insert(tx Tx, v *T) error {
	switch _, err := tx.Row(t.name, t.key(v)); identity.KindOf(err) {
	case identity.KindNotFound:
		return t.Put(tx, v)
	case "":
		return &identity.Error{Kind: identity.KindAlreadyExists, Op: "store.insert"}
	default:
		return err
	}
}

// Delete removes a record; KindNotFound when there is none.
func (t *Table[T]) Delete(tx Tx, key string) error { return tx.Delete(t.name, key) }

func (t *Table[T]) entries(v *T) []IndexEntry {
	if t.indexes == nil {
		return nil
	}
	return t.indexes(v)
}

var errNotFound = &identity.Error{Kind: identity.KindNotFound, Op: "store"}
