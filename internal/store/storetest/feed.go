package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

func changes(t *testing.T, e store.Engine, after identity.Position) store.Feed {
	t.Helper()
	f, err := e.Changes(t.Context(), after)
	if err != nil {
		t.Fatalf("Changes: %v", err)
	}
	return f
}

// told is what a feed says, one "key=value" per row, "key=-" for a deletion.
func told(f store.Feed) []string {
	out := []string{}
	for _, r := range f.Changes {
		v := "-"
		if r.Value != nil {
			v = string(r.Value)
		}
		out = append(out, r.Key+"="+v)
	}
	slices.Sort(out)
	return out
}

func testChanges(t *testing.T, e store.Engine) {
	p1 := put(t, e, row("a", "1", uniq("name", "a")), row("b", "1"))
	p2 := put(t, e, row("a", "2", uniq("name", "z")), row("c", "1"))
	p3 := update(t, e, func(tx store.Tx) error { return tx.Delete("things", "b") })
	p4 := update(t, e, func(tx store.Tx) error { return tx.Delete("things", "c") })
	p5 := put(t, e, row("c", "9"))
	for _, c := range []struct {
		after identity.Position
		want  []string
	}{
		{p1, []string{"a=2", "b=-", "c=9"}},
		{p2, []string{"b=-", "c=9"}},
		{p3, []string{"c=9"}},
		{p4, []string{"c=9"}},
		{p5, []string{}},
	} {
		f := changes(t, e, c.after)
		if got := told(f); f.Reload || f.Position != p5 || !slices.Equal(got, c.want) {
			t.Errorf("after %d: got %v, reload %v, at %+v; want %v at %+v", c.after.N, got, f.Reload, f.Position, c.want, p5)
		}
	}
	for _, r := range changes(t, e, p1).Changes {
		if r.Key == "a" && (r.N != p2.N || len(r.Index) != 1 || r.Index[0] != uniq("name", "z") || r.Table != "things") {
			t.Errorf("a changed row is told whole: got %+v", r)
		}
	}
	start := identity.Position{Incarnation: p1.Incarnation}
	if f := changes(t, e, start); f.Reload || !slices.Equal(told(f), []string{"a=2", "b=-", "c=9"}) {
		t.Errorf("from the beginning: got %+v", f)
	}
}

// testFeedOrder follows the feed while many write, and checks at every step
// that each commit up to the position told is there, whole.
func testFeedOrder(t *testing.T, e store.Engine) {
	const writers, each = 6, 20
	start := put(t, e, row("start", "1"))
	var wg sync.WaitGroup
	acked := make(chan uint64, writers*each)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				k := fmt.Sprintf("%d-%d", w, i)
				pos, err := e.Update(t.Context(), func(tx store.Tx) error {
					return putAll(tx, row("x"+k, "1", uniq("name", k)), row("y"+k, "1"))
				})
				if err != nil {
					t.Errorf("Update: %v", err)
				}
				acked <- pos.N
			}
		})
	}
	rowsAt := map[uint64]int{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for at := start; at.N < start.N+writers*each && ctx.Err() == nil; {
		e.Wait(ctx, at)
		f := changes(t, e, at)
		if f.Reload || f.Position.N < at.N {
			t.Fatalf("the feed went from %+v to %+v", at, f.Position)
		}
		for _, r := range f.Changes {
			if r.N <= at.N || r.N > f.Position.N {
				t.Errorf("row of commit %d told between %d and %d", r.N, at.N, f.Position.N)
			}
			rowsAt[r.N]++
		}
		for n := at.N + 1; n <= f.Position.N; n++ {
			if rowsAt[n] != 2 {
				t.Errorf("at %d, commit %d has %d of 2 rows", f.Position.N, n, rowsAt[n])
			}
		}
		at = f.Position
	}
	wg.Wait()
	close(acked)
	seen := map[uint64]bool{}
	for n := range acked {
		if seen[n] {
			t.Errorf("number %d was given twice", n)
		}
		seen[n] = true
	}
}

func testReload(t *testing.T, e store.Engine) {
	pos := put(t, e, row("a", "1"))
	for name, after := range map[string]identity.Position{
		"zero":                {},
		"another incarnation": {Incarnation: "other", N: pos.N},
		"ahead of the feed":   {Incarnation: pos.Incarnation, N: pos.N + 1},
	} {
		if f := changes(t, e, after); !f.Reload || f.Position != pos {
			t.Errorf("%s: got %+v, want Reload", name, f)
		}
	}
}

func testLoad(t *testing.T, e store.Engine) {
	empty, pos, err := e.Load(t.Context(), []string{"things"})
	if err != nil || len(empty) != 0 || pos.Incarnation == "" || pos.N != 0 {
		t.Errorf("of nothing: got %v at %+v, %v", keys(empty), pos, err)
	}
	want := put(t, e, row("a", "1", uniq("name", "x")), row("b", "2"),
		store.Row{Table: "others", Key: "c", Value: []byte("3")}, store.Row{Table: "more", Key: "d", Value: []byte("4")})
	rows, pos, err := e.Load(t.Context(), []string{"others", "things"})
	got := []string{}
	for _, r := range rows {
		got = append(got, r.Table+"/"+r.Key+"="+string(r.Value))
		if r.Key == "a" && (len(r.Index) != 1 || r.Index[0] != uniq("name", "x") || r.N != want.N) {
			t.Errorf("a row is loaded whole: got %+v", r)
		}
	}
	slices.Sort(got)
	if err != nil || pos != want || strings.Join(got, " ") != "others/c=3 things/a=1 things/b=2" {
		t.Errorf("got %v at %+v, %v", got, pos, err)
	}
}

func testWait(t *testing.T, e store.Engine) {
	pos := put(t, e, row("a", "1"))
	e.Wait(t.Context(), identity.Position{Incarnation: pos.Incarnation}) // changes are there: returns
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	e.Wait(ended, pos) // returns, nothing there
	woken := make(chan identity.Position)
	go func() {
		for at := pos; at == pos; {
			e.Wait(t.Context(), pos)
			f, err := e.Changes(t.Context(), pos)
			if err != nil {
				t.Errorf("Changes: %v", err)
				break
			}
			at = f.Position
		}
		close(woken)
	}()
	put(t, e, row("a", "2"))
	<-woken
}

// incarnator is an engine that can begin a new incarnation.
type incarnator interface {
	NewIncarnation(ctx context.Context, after uint64) (identity.Position, error)
}

func testIncarnation(t *testing.T, e store.Engine) {
	old := put(t, e, row("a", "1", uniq("name", "x")))
	runs := 0
	update(t, e, func(tx store.Tx) error { // begun in the old one, committed in the new one
		runs++
		if got := value(t, tx, "a"); got != "1" {
			t.Errorf("a: got %s", got)
		}
		if runs > 1 {
			return tx.Put(row("b", "1"))
		}
		pos, err := e.(incarnator).NewIncarnation(t.Context(), 0)
		if err != nil || pos.Incarnation == old.Incarnation || pos.Incarnation == "" {
			t.Errorf("NewIncarnation: got %+v, %v", pos, err)
		}
		return tx.Put(row("b", "1"))
	})
	if runs != 2 {
		t.Errorf("a transaction across incarnations ran %d times, want 2", runs)
	}
	f := changes(t, e, old)
	if !f.Reload || f.Position.Incarnation == old.Incarnation {
		t.Errorf("a position of before: got %+v, want Reload", f)
	}
	next := put(t, e, row("a", "2"))
	if got := changes(t, e, f.Position); got.Reload || got.Position != next || !slices.Equal(told(got), []string{"a=2"}) {
		t.Errorf("the new feed: got %+v", got)
	}
	pos, err := e.(incarnator).NewIncarnation(t.Context(), next.N+1000)
	if err != nil || pos.N <= next.N+1000 {
		t.Errorf("NewIncarnation beyond %d: got %+v, %v", next.N+1000, pos, err)
	}
	if got := put(t, e, row("a", "3")); got.N != pos.N+1 || got.Incarnation != pos.Incarnation {
		t.Errorf("a commit after it: got %+v, want the one after %+v", got, pos)
	}
}

func (s *suite) testDurability(t *testing.T) {
	e := s.open(t)
	var last identity.Position
	for i := range 20 {
		last = put(t, e, row(fmt.Sprint("k", i), fmt.Sprint(i), uniq("name", fmt.Sprint(i))))
	}
	first := identity.Position{Incarnation: last.Incarnation}
	last = update(t, e, func(tx store.Tx) error { return tx.Delete("things", "k3") })
	want := told(changes(t, e, first))
	e = s.reopen(t, e)
	f := changes(t, e, first)
	if got := told(f); f.Position != last || !slices.Equal(got, want) {
		t.Errorf("after reopening: got %v at %+v, want %v at %+v", got, f.Position, want, last)
	}
	view(t, e, func(r store.Reader) error {
		rows, err := r.Rows("things", "name", "1", store.After{}, 0)
		if got := len(rows); err != nil || got != 11 {
			t.Errorf("by index: got %v, %v", keys(rows), err)
		}
		return nil
	})
	if pos := put(t, e, row("k3", "1")); pos.N != last.N+1 || pos.Incarnation != last.Incarnation {
		t.Errorf("next commit: got %+v after %+v", pos, last)
	}
}
