package store

import (
	"maps"
	"strings"
)

// rowset is a persistent set of tables: the state of the in-memory engine and
// the body of every Snapshot. Its rows are never changed once they are in.
type rowset map[string]*tableRows

// tableRows is one table: its rows by key, and its indexes. The index "" is the
// key itself.
type tableRows struct {
	owner   *edit
	byKey   trie
	indexes map[string]*tree
}

func (s rowset) row(table, key string) *Row {
	if t := s[table]; t != nil {
		return t.byKey.get(key)
	}
	return nil
}

func (s rowset) exact(table, index, value string) *Row {
	if t := s[table]; t != nil {
		if x := t.indexes[index]; x != nil {
			return x.exact(value)
		}
	}
	return nil
}

func (s rowset) scan(table, index, prefix string, after After, limit int, fn func(*treeEntry)) {
	if t := s[table]; t != nil {
		if x := t.indexes[index]; x != nil {
			x.scan(prefix, after, limit, fn)
		}
	}
}

// each calls fn for the entries of an index under a prefix until it returns false.
func (s rowset) each(table, index, prefix string, fn func(*treeEntry) bool) {
	if x := s[table].indexes[index]; x != nil {
		x.root.ascend(After{Value: prefix}, func(e *treeEntry) bool { return strings.HasPrefix(e.value, prefix) && fn(e) })
	}
}

// rowsetEdit is a batch of changes to a rowset; the rowset it began from stays
// as it was.
type rowsetEdit struct {
	own    *edit
	tables rowset
}

func (s rowset) edit() *rowsetEdit {
	tables := maps.Clone(s)
	if tables == nil {
		tables = rowset{}
	}
	return &rowsetEdit{own: new(edit), tables: tables}
}

// done ends the batch. No change may follow.
func (e *rowsetEdit) done() rowset {
	e.own = nil
	return e.tables
}

// table returns a table that the batch may change, made when it is not there.
func (e *rowsetEdit) table(name string) *tableRows {
	t := e.tables[name]
	if t != nil && t.owner == e.own {
		return t
	}
	c := &tableRows{owner: e.own, indexes: map[string]*tree{}}
	if t != nil {
		c.byKey = t.byKey
		for name, x := range t.indexes {
			own := *x
			c.indexes[name] = &own
		}
	} else {
		c.indexes[""] = &tree{}
	}
	e.tables[name] = c
	return c
}

func (e *rowsetEdit) put(row *Row) {
	t := e.table(row.Table)
	if old := t.byKey.put(e.own, row); old != nil {
		for _, x := range old.Index {
			t.indexes[x.Name].delete(e.own, x.Value, old.Key)
		}
	}
	t.indexes[""].put(e.own, row.Key, row)
	for _, x := range row.Index {
		idx := t.indexes[x.Name]
		if idx == nil {
			idx = &tree{}
			t.indexes[x.Name] = idx
		}
		idx.put(e.own, x.Value, row)
	}
}

func (e *rowsetEdit) delete(table, key string) {
	t := e.table(table)
	old := t.byKey.delete(e.own, key)
	if old == nil {
		return
	}
	t.indexes[""].delete(e.own, key, key)
	for _, x := range old.Index {
		t.indexes[x.Name].delete(e.own, x.Value, key)
	}
}
