// Package sqlite is the embedded storage engine: one SQLite file in WAL mode,
// for one node. Transactions read in WAL snapshots on a pool of connections;
// commits go through one writer, several at a time when they wait.
//
// It refuses to know what the rows mean. Only one process may serve a file, but
// nothing breaks when another one (a backup tool, a shell) reads or writes it:
// whatever a commit rests on is read from the file in the transaction itself.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"modernc.org/sqlite"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Options of an engine.
type Options struct {
	// FeedKeep is about how many entries of the change feed are kept (100,000
	// by default); a follower further behind reloads.
	FeedKeep int
	// Readers bounds the connections that read (by default four per processor,
	// eight at least).
	Readers int
}

// Engine is a store.Engine on a SQLite file.
type Engine struct {
	db      *sql.DB
	opt     Options
	run     *store.Optimistic
	signal  store.Signal
	readers chan *reader // nil: a place whose connection is not open
	commits chan *request
	quit    chan struct{}
	stopped chan struct{}
	closing sync.Once
	closed  error
}

var errClosed = errors.New("the engine is closed")

// Open opens the file, made with mode 0600 in a directory made with mode 0700
// when they are not there, and brings its schema up to date. KindUnavailable
// when the file cannot be opened, KindInternal when it is no database of ours.
func Open(ctx context.Context, path string, opt Options) (*Engine, error) {
	opt.FeedKeep = cmp.Or(opt.FeedKeep, 100_000)
	opt.Readers = cmp.Or(opt.Readers, max(8, 4*runtime.GOMAXPROCS(0)))
	path, err := private(path)
	if err != nil {
		return nil, store.Away("sqlite.open", err)
	}
	connector, err := sqlite.NewConnector(dsn(path))
	if err != nil {
		return nil, failed("sqlite.open", err)
	}
	e := &Engine{
		db: sql.OpenDB(connector), opt: opt, run: store.NewOptimistic(),
		readers: make(chan *reader, opt.Readers),
		commits: make(chan *request, maxGroup), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	e.db.SetMaxOpenConns(opt.Readers + 1)
	e.db.SetMaxIdleConns(opt.Readers + 1)
	for range opt.Readers {
		e.readers <- nil
	}
	if err := e.start(ctx); err != nil {
		e.db.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context) error {
	if err := migrate(ctx, e.db); err != nil {
		return err
	}
	w, err := e.openWriter(ctx)
	if err != nil {
		return failed("sqlite.open", err)
	}
	h, err := w.head()
	if err != nil {
		return failed("sqlite.open", err)
	}
	e.signal.Set(h.pos)
	go e.committer(w)
	return nil
}

// private makes what is missing and narrows the file's mode. SQLite gives its
// WAL and index files the mode of the database. This is done before SQLite has
// the file: closing any other descriptor of it would drop SQLite's locks.
func private(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	return path, errors.Join(f.Chmod(0o600), f.Close())
}

func dsn(path string) string {
	q := url.Values{"_pragma": {
		"busy_timeout(1000)", "journal_mode(WAL)", "synchronous(FULL)", "journal_size_limit(67108864)",
		"cache_size(-2000)", "temp_store(MEMORY)", "trusted_schema(OFF)",
		"secure_delete(ON)", // a key that is destroyed leaves nothing behind in the file
	}, "_defensive": {"1"}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// failed gives an error of SQLite its kind: what passes (a full disk, a locked
// file) is KindUnavailable, what does not is KindInternal.
func failed(op string, err error) error {
	var known *identity.Error
	if err == nil || errors.Is(err, store.ErrStale) || errors.As(err, &known) {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case 1, 2, 11, 12, 18, 19, 20, 21, 25, 26: // ERROR … NOTADB: see sqlite.org/rescode.html
			return &identity.Error{Kind: identity.KindInternal, Op: op, Err: err}
		}
	}
	return store.Away(op, err)
}

// Update is store.Engine's.
func (e *Engine) Update(ctx context.Context, fn func(store.Tx) error) (identity.Position, error) {
	return e.run.Update(ctx, e.begin, e.commit, fn)
}

// View is store.Engine's.
func (e *Engine) View(ctx context.Context, fn func(store.Reader) error) (identity.Position, error) {
	s, end := e.begin(ctx)
	defer end()
	pos, err := s.Position()
	if err != nil {
		return identity.Position{}, err
	}
	if err := fn(store.NewReader(s)); err != nil {
		return identity.Position{}, err
	}
	return pos, nil
}

// Changes is store.Engine's.
func (e *Engine) Changes(ctx context.Context, after identity.Position) (store.Feed, error) {
	s := &state{engine: e, ctx: ctx}
	defer s.end()
	if err := s.begin(); err != nil {
		return store.Feed{}, err
	}
	h := s.reader.at
	e.signal.Seen(h.pos) // another process may have written
	feed := store.Feed{Position: h.pos, Reload: after.Incarnation != h.pos.Incarnation || after.N > h.pos.N || after.N < h.pruned}
	if feed.Reload || after.N == h.pos.N {
		return feed, nil
	}
	var err error
	feed.Changes, err = s.changes(after.N)
	return feed, err
}

// Load is store.Engine's.
func (e *Engine) Load(ctx context.Context, tables []string) ([]store.Row, identity.Position, error) {
	var out []store.Row
	pos, err := e.View(ctx, func(r store.Reader) error {
		for _, t := range tables {
			rows, err := r.Rows(t, "", "", store.After{}, 0)
			if err != nil {
				return err
			}
			out = append(out, rows...)
		}
		return nil
	})
	return out, pos, err
}

// Wait is store.Engine's; it notices the commits of this process.
func (e *Engine) Wait(ctx context.Context, after identity.Position) { e.signal.Wait(ctx, after) }

// Close ends the writer after the commits it has begun, and closes the file. The
// last connection to close it takes the WAL back into it.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		close(e.quit)
		<-e.stopped
		e.signal.Close()
		e.dropReaders()
		e.closed = e.db.Close()
	})
	return e.closed
}

// dropReaders closes the connections that nobody reads on.
func (e *Engine) dropReaders() {
	for {
		select {
		case r := <-e.readers:
			if r != nil {
				r.drop()
			}
		default:
			return
		}
	}
}
