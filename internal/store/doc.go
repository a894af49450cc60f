// Package store is where state lives: the storage interface with its contract,
// the typed tables, the in-memory engine, and the DB that gives every reader an
// immutable snapshot kept fresh by the change feed.
//
// An engine knows rows only: a table name, a key, a JSON value and index
// entries. Table[T] gives them types. Reads on the hot path go to DB.Snapshot,
// which never touches the engine; writes go through DB.Update, which returns
// when the node's own snapshot holds what was written.
//
// It refuses to know what the rows mean, who may read them, and any secret:
// what must not be read at rest arrives here sealed.
package store
