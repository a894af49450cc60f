package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// collide runs a transaction of two parts and, in its first run, lets another
// one commit between them. It returns how often the transaction ran.
func collide(t *testing.T, e store.Engine, read func(store.Tx) error, between func(), write func(store.Tx) error) int {
	t.Helper()
	runs := 0
	update(t, e, func(tx store.Tx) error {
		runs++
		if err := read(tx); err != nil {
			return err
		}
		if runs == 1 {
			between()
		}
		return write(tx)
	})
	return runs
}

func testRerunRow(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1"))
	for _, c := range []struct {
		name, key string
		other     func(store.Tx) error
	}{
		{"changed", "a", func(tx store.Tx) error { return tx.Put(row("a", "2")) }},
		{"deleted", "a", func(tx store.Tx) error { return tx.Delete("things", "a") }},
		{"made", "a", func(tx store.Tx) error { return tx.Put(row("a", "3")) }},
	} {
		seen := ""
		runs := collide(t, e,
			func(tx store.Tx) error { seen = value(t, tx, c.key); return nil },
			func() { update(t, e, c.other) },
			func(tx store.Tx) error { return tx.Put(row("sum", `"`+seen+`"`)) })
		if runs != 2 {
			t.Errorf("row %s under the transaction: ran %d times, want 2", c.name, runs)
		}
		if got, want := stored(t, e, "sum"), `"`+stored(t, e, "a")+`"`; got != want {
			t.Errorf("row %s: wrote %s, want %s", c.name, got, want)
		}
	}
}

func testRerunListing(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1", multi("tag", "x1")), row("b", "1", multi("tag", "x2")))
	for i, other := range []func(store.Tx) error{
		func(tx store.Tx) error { return tx.Put(row("c", "1", multi("tag", "x3"))) },
		func(tx store.Tx) error { return tx.Put(row("a", "2", multi("tag", "x1"))) },
		func(tx store.Tx) error { return tx.Put(row("a", "3", multi("tag", "y"))) },
		func(tx store.Tx) error { return tx.Delete("things", "b") },
	} {
		n := 0
		runs := collide(t, e,
			func(tx store.Tx) error {
				rows, err := tx.Rows("things", "tag", "x", store.After{}, 0)
				n = len(rows)
				return err
			},
			func() { update(t, e, other) },
			func(tx store.Tx) error { return tx.Put(row("sum", strconv.Itoa(n))) })
		if runs != 2 {
			t.Errorf("change %d of what was listed: ran %d times, want 2", i, runs)
		}
		view(t, e, func(r store.Reader) error {
			rows, err := r.Rows("things", "tag", "x", store.After{}, 0)
			if got := value(t, r, "sum"); err != nil || got != strconv.Itoa(len(rows)) {
				t.Errorf("change %d: wrote %s, there are %d (%v)", i, got, len(rows), err)
			}
			return nil
		})
	}
}

func testRerunLookup(t *testing.T, e store.Engine) {
	user := func(id, name string) *identity.User {
		return &identity.User{ID: id, AccountID: "1", Name: name, Path: "/"}
	}
	at := store.Join("1", "ann")
	seen := ""
	runs := collide(t, e,
		func(tx store.Tx) error {
			u, err := store.Users.By(tx, "name", at)
			if identity.KindOf(err) == identity.KindNotFound {
				seen = "nobody"
				return nil
			}
			if err == nil {
				seen = u.ID
			}
			return err
		},
		func() { update(t, e, func(tx store.Tx) error { return store.Users.Insert(tx, user("U1", "Ann")) }) },
		func(tx store.Tx) error { return tx.Put(row("seen", `"`+seen+`"`)) })
	if runs != 2 || stored(t, e, "seen") != `"U1"` {
		t.Errorf("name taken under the transaction: ran %d times and saw %s", runs, stored(t, e, "seen"))
	}
	_, err := e.Update(t.Context(), func(tx store.Tx) error { return store.Users.Insert(tx, user("U1", "Bob")) })
	wantKind(t, "Insert of a key that is there", err, identity.KindAlreadyExists)
}

func testNoRerun(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1", uniq("name", "a")), row("b", "1", uniq("name", "b")))
	runs := collide(t, e,
		func(tx store.Tx) error { _, err := tx.Row("things", "a"); return err },
		func() { put(t, e, row("b", "2", uniq("name", "b")), row("c", "1")) },
		func(tx store.Tx) error { return tx.Put(row("a", "2", uniq("name", "a"))) })
	if runs != 1 {
		t.Errorf("another row changed: ran %d times, want 1", runs)
	}
}

// testCommitOrder: what begins first and commits last has the higher number.
func testCommitOrder(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1"))
	var inner identity.Position
	runs := 0
	outer := update(t, e, func(tx store.Tx) error {
		runs++
		if _, err := tx.Row("things", "a"); err != nil {
			return err
		}
		if runs == 1 {
			inner = put(t, e, row("b", "1"))
		}
		return tx.Put(row("c", "1"))
	})
	if runs != 1 || outer.N != inner.N+1 {
		t.Errorf("outer %+v after inner %+v in %d runs", outer, inner, runs)
	}
	view(t, e, func(r store.Reader) error {
		b, errB := r.Row("things", "b")
		c, errC := r.Row("things", "c")
		if errB != nil || errC != nil || b.N != inner.N || c.N != outer.N {
			t.Errorf("numbers of the rows: b %d (%v), c %d (%v)", b.N, errB, c.N, errC)
		}
		return nil
	})
}

func testConflict(t *testing.T, e store.Engine) {
	put(t, e, row("a", "0"))
	runs := 0
	_, err := e.Update(t.Context(), func(tx store.Tx) error {
		runs++
		if runs > 1000 {
			return errors.New("no bound in sight")
		}
		if _, err := tx.Row("things", "a"); err != nil {
			return err
		}
		put(t, e, row("a", strconv.Itoa(runs)))
		return tx.Put(row("b", "1"))
	})
	wantKind(t, "colliding every time", err, identity.KindConflict)
	if got := stored(t, e, "b"); got != "-" {
		t.Errorf("after the conflict: b=%s", got)
	}
}

// testWriteSkew: two transactions that each read what the other writes cannot
// both commit on what they saw.
func testWriteSkew(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1"), row("b", "1"))
	leave := func(mine, other string) func(store.Tx) error {
		return func(tx store.Tx) error {
			if value(t, tx, mine) == "1" && value(t, tx, other) == "1" {
				return tx.Put(row(mine, "0"))
			}
			return nil
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = e.Update(t.Context(), leave("a", "b")) })
		wg.Go(func() { _, _ = e.Update(t.Context(), leave("b", "a")) })
	}
	wg.Wait()
	if a, b := stored(t, e, "a"), stored(t, e, "b"); a+b != "01" && a+b != "10" {
		t.Errorf("one has to stay: a=%s b=%s", a, b)
	}
}

func testCounter(t *testing.T, e store.Engine) {
	const workers, each = 8, 10
	put(t, e, row("n", "0"))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				_, err := e.Update(t.Context(), func(tx store.Tx) error {
					got, err := tx.Row("things", "n")
					if err != nil {
						return err
					}
					n, err := strconv.Atoi(string(got.Value))
					if err != nil {
						return err
					}
					return tx.Put(row("n", strconv.Itoa(n+1)))
				})
				if err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got, want := stored(t, e, "n"), fmt.Sprint(workers*each); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func testReadOnlyUpdate(t *testing.T, e store.Engine) {
	pos := put(t, e, row("a", "1"))
	got := update(t, e, func(tx store.Tx) error { _, err := tx.Row("things", "a"); return err })
	if got != pos {
		t.Errorf("an Update that writes nothing: got %+v, want %+v", got, pos)
	}
	if got := update(t, e, func(store.Tx) error { return nil }); got != pos {
		t.Errorf("an Update that does nothing: got %+v, want %+v", got, pos)
	}
}

func testViewIsOneState(t *testing.T, e store.Engine) {
	first := put(t, e, row("a", "1"), row("b", "1"))
	pos := view(t, e, func(r store.Reader) error {
		a := value(t, r, "a")
		put(t, e, row("a", "2"), row("b", "2"))
		if b := value(t, r, "b"); a != "1" || b != "1" {
			t.Errorf("one view: a=%s b=%s", a, b)
		}
		return nil
	})
	if pos != first {
		t.Errorf("position of the view: got %+v, want %+v", pos, first)
	}
	mine := errors.New("mine")
	if _, err := e.View(t.Context(), func(store.Reader) error { return mine }); err != mine {
		t.Errorf("error of fn: got %v", err)
	}
}

func testCancel(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1"))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := e.Update(ctx, func(tx store.Tx) error {
		if err := tx.Put(row("a", "2")); err != nil {
			return err
		}
		cancel()
		return nil
	})
	wantKind(t, "cancelled before the commit", err, identity.KindUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it to wrap context.Canceled", err)
	}
	if got := stored(t, e, "a"); got != "1" {
		t.Errorf("after the cancelled commit: got %s", got)
	}
	_, err = e.Update(ctx, func(store.Tx) error { t.Error("fn ran"); return nil })
	wantKind(t, "Update when already cancelled", err, identity.KindUnavailable)
	_, err = e.View(ctx, func(store.Reader) error { return nil })
	wantKind(t, "View", err, identity.KindUnavailable)
	_, err = e.Changes(ctx, identity.Position{})
	wantKind(t, "Changes", err, identity.KindUnavailable)
	_, _, err = e.Load(ctx, []string{"things"})
	wantKind(t, "Load", err, identity.KindUnavailable)
	put(t, e, row("a", "3"))
}

func testClosed(t *testing.T, e store.Engine) {
	pos := put(t, e, row("a", "1"))
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Errorf("Close, twice: %v", err)
	}
	_, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Put(row("a", "2")) })
	wantKind(t, "Update", err, identity.KindUnavailable)
	_, err = e.View(t.Context(), func(store.Reader) error { return nil })
	wantKind(t, "View", err, identity.KindUnavailable)
	_, err = e.Changes(t.Context(), pos)
	wantKind(t, "Changes", err, identity.KindUnavailable)
	_, _, err = e.Load(t.Context(), []string{"things"})
	wantKind(t, "Load", err, identity.KindUnavailable)
	e.Wait(t.Context(), pos) // returns
}

// testCrowd moves money between many rows from many goroutines while others
// look: the sum is the same in every state.
func testCrowd(t *testing.T, e store.Engine) {
	const accounts, workers, each, start = 12, 8, 15, 100
	name := func(i int) string { return fmt.Sprintf("acc%02d", i%accounts) }
	var rows []store.Row
	for i := range accounts {
		rows = append(rows, row(name(i), strconv.Itoa(start), uniq("name", name(i))))
	}
	put(t, e, rows...)
	move := func(tx store.Tx, from, to string) error {
		a, err := strconv.Atoi(value(t, tx, from))
		if err != nil || from == to {
			return err
		}
		b, err := strconv.Atoi(value(t, tx, to))
		if err != nil {
			return err
		}
		return putAll(tx, row(from, strconv.Itoa(a-1), uniq("name", from)), row(to, strconv.Itoa(b+1), uniq("name", to)))
	}
	var work, look sync.WaitGroup
	done := make(chan struct{})
	for w := range workers {
		work.Go(func() {
			for i := range each {
				_, err := e.Update(t.Context(), func(tx store.Tx) error { return move(tx, name(w*7+i), name(w*3+i*5+1)) })
				if err != nil && identity.KindOf(err) != identity.KindConflict {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	sum := func(r store.Reader) error {
		rows, err := r.Rows("things", "name", "acc", store.After{}, 0)
		total := 0
		for _, r := range rows {
			n, _ := strconv.Atoi(string(r.Value))
			total += n
		}
		if err != nil || len(rows) != accounts || total != accounts*start {
			t.Errorf("%d rows, sum %d, %v", len(rows), total, err)
		}
		return nil
	}
	for range 2 {
		look.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_, _ = e.View(t.Context(), sum)
				}
			}
		})
	}
	work.Wait()
	close(done)
	look.Wait()
	view(t, e, sum)
}
