package store

import (
	"context"
	"time"

	"daypass/internal/identity"
)

// Row is one stored record. Its fields are shared: nobody writes through them.
type Row struct {
	Table string
	Key   string // never empty
	// Value is the record as JSON; nil in a Change that deletes, and in rows of
	// a Snapshot, which have Decoded.
	Value []byte
	// Index holds the row's entries in the table's indexes.
	Index []IndexEntry
	// Decoded is the typed record (a pointer that nobody may write through);
	// set in rows of a Snapshot, nil in rows of an engine.
	Decoded any
	// N is the feed number of the commit that wrote the row; the engine sets
	// it. Zero for what the running transaction itself has put.
	N uint64
}

// IndexEntry places a row under a value of a named index. A unique entry
// refuses a second row with the same table, name and value; the entries of one
// index are all unique or all not.
type IndexEntry struct {
	Name   string
	Value  string
	Unique bool
}

// Reader is what rows are read from: a transaction or a snapshot, so the same
// look-up serves both. It is not safe for use after its transaction ended.
type Reader interface {
	// Row returns one row, or an error of KindNotFound.
	Row(table, key string) (Row, error)
	// Rows returns at most limit rows (0: all) whose entry in the index starts
	// with prefix and, as (value, key), comes after the given pair; ordered by
	// value, then key, bytewise. The index "" is the key itself. A row with two
	// entries that match is listed twice.
	Rows(table, index, prefix string, after After, limit int) ([]Row, error)
}

// under says whether the row has an entry with this value in the index.
func (r *Row) under(index, value string) bool {
	if index == "" {
		return r.Key == value
	}
	for _, e := range r.Index {
		if e.Name == index && e.Value == value {
			return true
		}
	}
	return false
}

// After is where a listing goes on: behind this index value and key.
type After struct{ Value, Key string }

// Tx is a read-write transaction. Its reads see its own writes.
type Tx interface {
	Reader
	// Put writes a row. A unique index entry that another row holds makes Put
	// or the commit fail with KindAlreadyExists.
	Put(row Row) error
	// Delete removes a row; KindNotFound when there is none.
	Delete(table, key string) error
}

// Engine is a storage engine. Contract, checked by storetest on every engine:
//
//   - Update runs fn against one consistent state and commits what it wrote,
//     all or nothing, durable before Update returns. Transactions are
//     serialisable: when another commit changed a row that fn read, or a table
//     that fn listed, fn runs again from the start against the new state (so it
//     must have no effects besides the Tx); after too many collisions Update
//     fails with KindConflict. An error of fn rolls back and is returned as it is.
//   - Every commit that wrote something gets the next feed number, in commit
//     order: a reader that sees number n sees everything below n. A transaction
//     begun earlier and committed later has the higher number.
//   - Storage that is away gives KindUnavailable at once, never a hang.
//   - All methods may be called from many goroutines.
type Engine interface {
	Update(ctx context.Context, fn func(Tx) error) (identity.Position, error)
	// View runs fn against one consistent state, read through NewReader, and
	// returns its position.
	View(ctx context.Context, fn func(Reader) error) (identity.Position, error)
	// Changes returns, from one consistent state, the latest row (or the
	// absence) of everything that changed after the position. A position of
	// another incarnation, ahead of the feed, or older than what the feed still
	// holds gives Feed.Reload.
	Changes(ctx context.Context, after identity.Position) (Feed, error)
	// Load returns all rows of the tables and the position they stand at.
	Load(ctx context.Context, tables []string) ([]Row, identity.Position, error)
	// Wait returns when there may be changes after the position, or ctx ends;
	// an engine that cannot tell returns after a short while.
	Wait(ctx context.Context, after identity.Position)
	Close() error
}

// Feed is one answer of Engine.Changes.
type Feed struct {
	Position identity.Position
	Changes  []Row // Value nil: deleted
	// Reload says that the follower must begin anew with Load.
	Reload bool
	// StoreTime is the engine's clock, to compare with the node's own; zero
	// when the engine runs on the node and has no other clock.
	StoreTime time.Time
}
