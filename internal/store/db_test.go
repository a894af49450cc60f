package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// faulty is an in-memory engine that can be away, count, and lie about time.
type faulty struct {
	*store.Memory
	away    atomic.Bool
	views   atomic.Int64
	skew    time.Duration
	hold    chan struct{} // when set, views wait for it
	holding chan struct{}
}

var errAway = store.Away("faulty", errors.New("away"))

func (f *faulty) Update(ctx context.Context, fn func(store.Tx) error) (identity.Position, error) {
	if f.away.Load() {
		return identity.Position{}, errAway
	}
	return f.Memory.Update(ctx, fn)
}

func (f *faulty) View(ctx context.Context, fn func(store.Reader) error) (identity.Position, error) {
	f.views.Add(1)
	if f.away.Load() {
		return identity.Position{}, errAway
	}
	pos, err := f.Memory.View(ctx, fn)
	if f.hold != nil {
		f.holding <- struct{}{}
		<-f.hold
	}
	return pos, err
}

func (f *faulty) Changes(ctx context.Context, after identity.Position) (store.Feed, error) {
	if f.away.Load() {
		return store.Feed{}, errAway
	}
	feed, err := f.Memory.Changes(ctx, after)
	feed.StoreTime = time.Now().Add(f.skew)
	return feed, err
}

func openDB(t *testing.T, e store.Engine, opt store.Options) *store.DB {
	t.Helper()
	db, err := store.OpenDB(t.Context(), e, opt)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func user(i int) *identity.User {
	return &identity.User{ID: fmt.Sprintf("AIDA%06d", i), AccountID: "1", Name: fmt.Sprint("user", i), Path: "/"}
}

func putUsers(t *testing.T, u interface {
	Update(context.Context, func(store.Tx) error) (identity.Position, error)
}, users ...*identity.User,
) identity.Position {
	t.Helper()
	pos, err := u.Update(t.Context(), func(tx store.Tx) error {
		for _, v := range users {
			if err := store.Users.Put(tx, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func TestUpdateIsInTheSnapshot(t *testing.T) {
	t.Parallel()
	db := openDB(t, store.NewMemory(), store.Options{Heartbeat: time.Hour})
	defer db.Close()
	before := db.Snapshot()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			pos := putUsers(t, db, user(i))
			s := db.Snapshot()
			if _, err := store.Users.Get(s, user(i).ID); err != nil || s.Position().N < pos.N {
				t.Errorf("user %d: %v at %d, committed at %d", i, err, s.Position().N, pos.N)
			}
		})
	}
	wg.Wait()
	if users, err := store.Users.List(before, "", "", store.After{}, 0); err != nil || len(users) != 0 {
		t.Errorf("the snapshot of before: got %d users, %v", len(users), err)
	}
}

func TestSnapshotReads(t *testing.T) {
	t.Parallel()
	db := openDB(t, store.NewMemory(), store.Options{})
	defer db.Close()
	putUsers(t, db, user(1), user(2), user(10))
	s := db.Snapshot()
	if u, err := store.Users.By(s, "name", store.Join("1", "user1")); err != nil || u.ID != user(1).ID {
		t.Errorf("By: got %+v, %v", u, err)
	}
	if _, err := store.Users.By(s, "name", store.Join("1", "user")); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("By a prefix: got %v", err)
	}
	row, err := s.Row("users", user(2).ID)
	if u, ok := row.Decoded.(*identity.User); err != nil || !ok || u.Name != "user2" || row.Value != nil || row.N != 1 {
		t.Errorf("Row: got %+v, %v", row, err)
	}
	if _, err := store.Roles.Get(s, "x"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("a resident table without rows: got %v", err)
	}
	if roles, err := store.Roles.List(s, "name", "", store.After{}, 0); err != nil || len(roles) != 0 {
		t.Errorf("listing a resident table without rows: got %v, %v", roles, err)
	}
	if _, err := store.Passwords.Get(s, "x"); identity.KindOf(err) != identity.KindInternal {
		t.Errorf("a table that is not resident: got %v", err)
	}
	if _, err := store.Passwords.List(s, "", "", store.After{}, 0); identity.KindOf(err) != identity.KindInternal {
		t.Errorf("listing a table that is not resident: got %v", err)
	}
}

func TestRevocationKnowsItsNumber(t *testing.T) {
	t.Parallel()
	db := openDB(t, store.NewMemory(), store.Options{})
	defer db.Close()
	putUsers(t, db, user(1))
	pos, err := db.Update(t.Context(), func(tx store.Tx) error {
		return store.Revocations.Put(tx, &store.RevocationRow{ID: "r1", Revocation: identity.Revocation{Kind: identity.LineageRole, ID: "AROA1", N: 77}})
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Revocations.Get(db.Snapshot(), "r1")
	if err != nil || got.N != pos.N || got.Revocation.ID != "AROA1" || got.ID != "r1" {
		t.Errorf("from the snapshot: got %+v, %v; want N %d", got, err, pos.N)
	}
	err = db.View(t.Context(), func(r store.Reader) error {
		found, err := store.Revocations.List(r, "target", store.Join("r", "AROA1"), store.After{}, 0)
		if err != nil || len(found) != 1 || found[0].N != pos.N {
			t.Errorf("from the engine: got %+v, %v", found, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFollowsOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := store.NewMemory()
		db := openDB(t, e, store.Options{})
		defer db.Close()
		putUsers(t, e, user(1)) // not through the DB: as another node does
		synctest.Wait()
		if _, err := store.Users.Get(db.Snapshot(), user(1).ID); err != nil {
			t.Errorf("another node's write: %v", err)
		}
		old := db.Snapshot().Position()
		if _, err := e.NewIncarnation(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		putUsers(t, e, user(2))
		synctest.Wait()
		if _, err := store.Users.Get(db.Snapshot(), user(2).ID); err != nil || db.Snapshot().Position().Incarnation == old.Incarnation {
			t.Errorf("after a new incarnation: %v at %+v", err, db.Snapshot().Position())
		}
	})
}

func TestStaleness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &faulty{Memory: store.NewMemory(), skew: -7 * time.Second}
		db := openDB(t, e, store.Options{})
		defer db.Close()
		putUsers(t, db, user(1))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if age, err := db.Staleness(), db.Fresh(); age > 250*time.Millisecond || err != nil {
			t.Errorf("in health: staleness %v, %v", age, err)
		}
		if got := db.ClockSkew(); got != 7*time.Second {
			t.Errorf("ClockSkew: got %v, want 7s", got)
		}
		e.away.Store(true)
		time.Sleep(29 * time.Second)
		if age, err := db.Staleness(), db.Fresh(); age < 29*time.Second || err != nil {
			t.Errorf("away for 29 s: staleness %v, %v", age, err)
		}
		if _, err := db.Update(t.Context(), func(store.Tx) error { return nil }); identity.KindOf(err) != identity.KindUnavailable {
			t.Errorf("a write while away: got %v", err)
		}
		time.Sleep(2 * time.Second)
		err := db.Fresh()
		if identity.KindOf(err) != identity.KindUnavailable || identity.AsError(err).RetryAfterSeconds == 0 {
			t.Errorf("away for 31 s: got %v", err)
		}
		if _, err := store.Users.Get(db.Snapshot(), user(1).ID); err != nil {
			t.Errorf("reading while away: %v", err)
		}
		putUsers(t, e.Memory, user(2))
		e.away.Store(false)
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if err := db.Fresh(); err != nil {
			t.Errorf("back: %v", err)
		}
		if _, err := store.Users.Get(db.Snapshot(), user(2).ID); err != nil {
			t.Errorf("what was written meanwhile: %v", err)
		}
	})
}

func TestOnChange(t *testing.T) {
	t.Parallel()
	db := openDB(t, store.NewMemory(), store.Options{Heartbeat: time.Hour})
	defer db.Close()
	var told []uint64
	users := 0
	db.OnChange(func(s *store.Snapshot, tables map[string]bool) {
		told = append(told, s.Position().N)
		if tables["users"] {
			users++
		}
	})
	for i := range 3 {
		pos := putUsers(t, db, user(i))
		if len(told) == 0 || told[len(told)-1] != pos.N {
			t.Errorf("Update returned before its hook: told %v, committed %d", told, pos.N)
		}
	}
	if !slices.IsSorted(told) || users == 0 {
		t.Errorf("told %v, users %d times", told, users)
	}
}

func TestBeyondTheBound(t *testing.T) {
	t.Parallel()
	e := &faulty{Memory: store.NewMemory()}
	for i := range 5 {
		putUsers(t, e, user(i))
	}
	db := openDB(t, e, store.Options{MaxPrincipals: 5, Heartbeat: time.Hour})
	defer db.Close()
	views := e.views.Load()
	if _, err := store.Lookup(t.Context(), db, store.Users, user(1).ID); err != nil || e.views.Load() != views {
		t.Errorf("within the bound: %v, %d reads", err, e.views.Load()-views)
	}
	putUsers(t, db, user(5))
	if _, err := store.Users.Get(db.Snapshot(), user(1).ID); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("the snapshot beyond the bound: got %v", err)
	}
	for range 3 {
		if u, err := store.Lookup(t.Context(), db, store.Users, user(1).ID); err != nil || u.Name != "user1" {
			t.Errorf("Lookup: got %+v, %v", u, err)
		}
		if _, err := store.Lookup(t.Context(), db, store.Users, "nobody"); identity.KindOf(err) != identity.KindNotFound {
			t.Errorf("Lookup of nobody: got %v", err)
		}
	}
	if got := e.views.Load() - views; got != 2 {
		t.Errorf("reads for two keys: got %d, want 2", got)
	}
	if u, err := store.LookupBy(t.Context(), db, store.Users, "name", store.Join("1", "user3")); err != nil || u.ID != user(3).ID {
		t.Errorf("LookupBy: got %+v, %v", u, err)
	}
	changed := user(1)
	changed.Disabled = true
	nobody := user(7)
	nobody.ID = "nobody"
	putUsers(t, db, changed, nobody)
	if u, err := store.Lookup(t.Context(), db, store.Users, changed.ID); err != nil || !u.Disabled {
		t.Errorf("Lookup after a change: got %+v, %v", u, err)
	}
	if _, err := store.Lookup(t.Context(), db, store.Users, "nobody"); err != nil {
		t.Errorf("Lookup of what was absent: %v", err)
	}
	if _, err := db.Update(t.Context(), func(tx store.Tx) error { return store.Users.Delete(tx, changed.ID) }); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Lookup(t.Context(), db, store.Users, changed.ID); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("Lookup after the deletion: got %v", err)
	}
	e.away.Store(true)
	if _, err := store.Lookup(t.Context(), db, store.Users, "nobody"); err != nil {
		t.Errorf("a hit while away: %v", err)
	}
	if _, err := store.Lookup(t.Context(), db, store.Users, user(4).ID); identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("a miss while away: got %v", err)
	}
}

// TestLookupSharesOneRead also has a write overtake the read: nobody who asks
// after the write is acknowledged may be given what was read before it.
func TestLookupSharesOneRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &faulty{Memory: store.NewMemory()}
		for i := range 3 {
			putUsers(t, e, user(i))
		}
		db := openDB(t, e, store.Options{MaxPrincipals: 1})
		defer db.Close()
		e.hold, e.holding = make(chan struct{}), make(chan struct{}, 16)
		views := e.views.Load()
		var wg sync.WaitGroup
		ask := func(want bool) {
			wg.Go(func() {
				u, err := store.Lookup(t.Context(), db, store.Users, user(1).ID)
				if err != nil || want && !u.Disabled {
					t.Errorf("got %+v, %v", u, err)
				}
			})
		}
		for range 5 {
			ask(false)
		}
		<-e.holding
		changed := user(1)
		changed.Disabled = true
		putUsers(t, db, changed)
		ask(true)
		synctest.Wait()
		close(e.hold)
		wg.Wait()
		if got := e.views.Load() - views; got != 2 {
			t.Errorf("reads: got %d, want the one that was overtaken and one more", got)
		}
	})
}

func TestAbsenceIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &faulty{Memory: store.NewMemory()}
		putUsers(t, e, user(1), user(2))
		db := openDB(t, e, store.Options{MaxPrincipals: 1})
		defer db.Close()
		views := e.views.Load()
		for range 3 {
			_, _ = store.Lookup(t.Context(), db, store.Users, "nobody")
		}
		time.Sleep(6 * time.Second)
		_, _ = store.Lookup(t.Context(), db, store.Users, "nobody")
		if got := e.views.Load() - views; got != 2 {
			t.Errorf("reads: got %d, want 2", got)
		}
		for i := range 10_000 { // strangers' keys do not fill the memory, nor drive out rows
			_, _ = store.Lookup(t.Context(), db, store.Users, fmt.Sprint("stranger", i))
		}
	})
}

func TestUndecodableRowIsRefused(t *testing.T) {
	t.Parallel()
	e := store.NewMemory()
	if _, err := e.Update(t.Context(), func(tx store.Tx) error {
		return tx.Put(store.Row{Table: "users", Key: "x", Value: []byte(`{"id":7}`)})
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.OpenDB(t.Context(), e, store.Options{}); identity.KindOf(err) != identity.KindInternal {
		t.Errorf("OpenDB: got %v", err)
	}
}
