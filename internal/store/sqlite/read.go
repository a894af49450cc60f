package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// head is the row of feed_head.
type head struct {
	pos    identity.Position
	pruned uint64
}

// reader is a connection with its statements. Statements run without the
// caller's context: a cancelled one would cost the connection, and each is
// short. The context is looked at between them.
type reader struct {
	conn   *sql.Conn
	at     head // of the transaction that is open
	stmts  map[string]*sql.Stmt
	broken bool
}

const (
	sqlHead    = "SELECT incarnation, n, pruned FROM feed_head WHERE id = 1"
	sqlRow     = "SELECT n, value, entries FROM record WHERE tbl = ? AND key = ?"
	sqlChanged = "SELECT DISTINCT tbl, key FROM feed WHERE n > ?"
	sqlChanges = `SELECT f.tbl, f.key, r.n, r.value, r.entries FROM (` + sqlChanged + `) f
		LEFT JOIN record r ON r.tbl = f.tbl AND r.key = f.key`

	// Listings with and without an upper bound are two statements: an optional
	// bound would make SQLite read on to the end of the table. None has a LIMIT:
	// SQLite looks at the value bound to it while planning, and so would plan
	// anew for each execution. Rows come in the order of the index, one by one,
	// and reading stops when there are enough.
	sqlKeys      = "SELECT key, key, n, value, entries FROM record WHERE tbl = ? AND key >= ? ORDER BY key"
	sqlKeysTo    = "SELECT key, key, n, value, entries FROM record WHERE tbl = ? AND key >= ? AND key < ? ORDER BY key"
	sqlIndex     = sqlIndexed + " ORDER BY i.value, i.key"
	sqlIndexTo   = sqlIndexed + " AND i.value < ? ORDER BY i.value, i.key"
	sqlIndexed   = sqlIndexJoin + " WHERE i.tbl = ? AND i.name = ? AND (i.value, i.key) > (?, ?)"
	sqlIndexJoin = `SELECT i.value, i.key, r.n, r.value, r.entries FROM entry i
		CROSS JOIN record r ON r.tbl = i.tbl AND r.key = i.key`
)

func (e *Engine) openReader(ctx context.Context) (*reader, error) {
	c, err := e.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &reader{conn: c, stmts: map[string]*sql.Stmt{}}, nil
}

func (r *reader) stmt(query string) (*sql.Stmt, error) {
	if s := r.stmts[query]; s != nil {
		return s, nil
	}
	s, err := r.conn.PrepareContext(context.Background(), query)
	if err == nil {
		r.stmts[query] = s
	}
	return s, r.noted(err)
}

// noted marks the connection as one to throw away after an error.
func (r *reader) noted(err error) error {
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		r.broken = true
	}
	return err
}

func (r *reader) exec(query string, args ...any) error {
	s, err := r.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background(), args...)
	return r.noted(err)
}

func (r *reader) one(query string, args []any, into ...any) error {
	s, err := r.stmt(query)
	if err != nil {
		return err
	}
	return r.noted(s.QueryRowContext(context.Background(), args...).Scan(into...))
}

// errEnough ends each without an error.
var errEnough = errors.New("enough rows")

// each calls fn for every row of the answer until it returns errEnough; fn
// scans the row.
func (r *reader) each(ctx context.Context, query string, args []any, fn func(*sql.Rows) error) error {
	s, err := r.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		return r.noted(err)
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n%1024 == 1023 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch err := fn(rows); err {
		case nil:
		case errEnough:
			return nil
		default:
			return r.noted(err)
		}
	}
	return r.noted(rows.Err())
}

func (r *reader) head() (head, error) {
	var h head
	err := r.one(sqlHead, nil, &h.pos.Incarnation, &h.pos.N, &h.pruned)
	return h, err
}

func (r *reader) changed(ctx context.Context, after uint64) ([]store.RowID, error) {
	var out []store.RowID
	err := r.each(ctx, sqlChanged, []any{int64(after)}, func(rows *sql.Rows) error {
		var id store.RowID
		err := rows.Scan(&id.Table, &id.Key)
		out = append(out, id)
		return err
	})
	return out, err
}

// state is a store.State: a read transaction, begun at the first read and from
// then on one WAL snapshot; or the writer's own transaction.
type state struct {
	engine *Engine
	ctx    context.Context
	reader *reader // nil: not begun
}

// begin is what store.Optimistic wants.
func (e *Engine) begin(ctx context.Context) (store.State, func()) {
	s := &state{engine: e, ctx: ctx}
	return s, s.end
}

func (s *state) begin() error {
	if err := s.ctx.Err(); err != nil {
		return store.Away("sqlite.read", err)
	}
	if s.reader != nil {
		return nil
	}
	r, err := s.engine.takeReader(s.ctx)
	if err != nil {
		return err
	}
	s.reader = r
	err = r.exec("BEGIN")
	if err == nil {
		r.at, err = r.head() // the first read fixes the snapshot
	}
	return failed("sqlite.read", err)
}

// takeReader waits for a connection, to be put back into e.readers: nil there
// when it is of no more use.
func (e *Engine) takeReader(ctx context.Context) (*reader, error) {
	select {
	case <-e.quit:
		return nil, store.Away("sqlite.read", errClosed)
	default:
	}
	var r *reader
	select {
	case r = <-e.readers:
	case <-e.quit:
		return nil, store.Away("sqlite.read", errClosed)
	case <-ctx.Done():
		return nil, store.Away("sqlite.read", ctx.Err())
	}
	if r != nil {
		return r, nil
	}
	r, err := e.openReader(ctx)
	if err != nil {
		e.readers <- nil
		return nil, failed("sqlite.read", err)
	}
	return r, nil
}

// Erase is store.Eraser's. What a transaction deletes, secure_delete overwrites in
// the file's pages, but the log of earlier transactions still has them: all of it
// is written into the file and the log cut to nothing.
func (e *Engine) Erase(ctx context.Context) error {
	r, err := e.takeReader(ctx)
	if err != nil {
		return err
	}
	var busy, logged, moved int
	if err := r.one("PRAGMA wal_checkpoint(TRUNCATE)", nil, &busy, &logged, &moved); err != nil {
		r.drop()
		e.readers <- nil
		return failed("sqlite.erase", err)
	}
	e.readers <- r
	if busy != 0 {
		return store.Away("sqlite.erase", errors.New("a transaction still reads what was before"))
	}
	return nil
}

// end gives the connection back.
func (s *state) end() {
	r := s.reader
	if r == nil {
		return
	}
	s.reader = nil
	if r.exec("ROLLBACK") != nil || r.broken {
		r.drop()
		r = nil
	}
	s.engine.readers <- r
}

func (r *reader) drop() {
	for _, s := range r.stmts {
		s.Close()
	}
	r.conn.Close()
}

func (s *state) Position() (identity.Position, error) {
	if err := s.begin(); err != nil {
		return identity.Position{}, err
	}
	return s.reader.at.pos, nil
}

func (s *state) Row(table, key string) (store.Row, error) {
	if err := s.begin(); err != nil {
		return store.Row{}, err
	}
	row := store.Row{Table: table, Key: key}
	var packed []byte
	err := s.reader.one(sqlRow, []any{table, key}, &row.N, &row.Value, &packed)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Row{}, errNotFound
	}
	if err == nil {
		row.Index, err = unpack(packed)
	}
	return row, failed("sqlite.row", err)
}

var errNotFound = &identity.Error{Kind: identity.KindNotFound, Op: "sqlite"}

func (s *state) Scan(table, index, prefix string, after store.After, limit int) ([]store.Found, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	query, args := listing(table, index, prefix, after)
	var out []store.Found
	err := s.reader.each(s.ctx, query, args, func(rows *sql.Rows) error {
		f := store.Found{Row: store.Row{Table: table}}
		var packed sql.RawBytes
		err := rows.Scan(&f.Value, &f.Row.Key, &f.Row.N, &f.Row.Value, &packed)
		if err == nil {
			f.Row.Index, err = unpack(packed)
		}
		if out = append(out, f); err == nil && len(out) == limit {
			return errEnough
		}
		return err
	})
	return out, failed("sqlite.scan", err)
}

// listing picks the statement and its arguments.
func listing(table, index, prefix string, after store.After) (string, []any) {
	to, bounded := prefixEnd(prefix)
	if index != "" {
		from := after
		if from.Value < prefix {
			from = store.After{Value: prefix}
		}
		args := []any{table, index, from.Value, from.Key}
		if !bounded {
			return sqlIndex, args
		}
		return sqlIndexTo, append(args, to)
	}
	// Here value and key are one: (key, key) > after.
	from := after.Value
	if after.Key >= after.Value {
		from += "\x00" // the next string
	}
	from = max(from, prefix)
	if !bounded {
		return sqlKeys, []any{table, from}
	}
	return sqlKeysTo, []any{table, from, to}
}

// prefixEnd is the least string above everything with the prefix; false when
// there is none.
func prefixEnd(prefix string) (string, bool) {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0xff {
			b[i]++
			return string(b[:i+1]), true
		}
	}
	return "", false
}

func (s *state) changes(after uint64) ([]store.Row, error) {
	var out []store.Row
	err := s.reader.each(s.ctx, sqlChanges, []any{int64(after)}, func(rows *sql.Rows) error {
		var row store.Row
		var n sql.NullInt64
		var packed sql.RawBytes
		err := rows.Scan(&row.Table, &row.Key, &n, &row.Value, &packed)
		if err == nil && n.Valid {
			row.N = uint64(n.Int64)
			row.Index, err = unpack(packed)
		}
		out = append(out, row)
		return err
	})
	return slices.Clip(out), failed("sqlite.changes", err)
}
