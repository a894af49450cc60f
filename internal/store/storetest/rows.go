package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/store"
)

func testCRUD(t *testing.T, e store.Engine) {
	if got := stored(t, e, "a"); got != "-" {
		t.Errorf("in an empty engine: got %s", got)
	}
	first := put(t, e, row("a", `{"v":1}`, uniq("name", "A"), multi("tag", "x")))
	if first.N == 0 || first.Incarnation == "" {
		t.Errorf("position of a commit: got %+v", first)
	}
	view(t, e, func(r store.Reader) error {
		got, err := r.Row("things", "a")
		if err != nil {
			return err
		}
		if got.Table != "things" || got.Key != "a" || string(got.Value) != `{"v":1}` || got.N != first.N || len(got.Index) != 2 {
			t.Errorf("got %+v", got)
		}
		if got.Index[0] != uniq("name", "A") || got.Index[1] != multi("tag", "x") {
			t.Errorf("index entries: got %+v", got.Index)
		}
		_, err = r.Row("others", "a")
		wantKind(t, "the key in another table", err, identity.KindNotFound)
		return nil
	})
	second := put(t, e, row("a", `{"v":2}`, uniq("name", "B")))
	if second.N != first.N+1 || second.Incarnation != first.Incarnation {
		t.Errorf("second commit: got %+v after %+v", second, first)
	}
	view(t, e, func(r store.Reader) error {
		if got := value(t, r, "a"); got != `{"v":2}` {
			t.Errorf("replaced: got %s", got)
		}
		for index, want := range map[string]int{"name": 1, "tag": 0} {
			if rows, err := r.Rows("things", index, "", store.After{}, 0); err != nil || len(rows) != want {
				t.Errorf("index %s: got %v, %v; want %d rows", index, keys(rows), err, want)
			}
		}
		return nil
	})
	update(t, e, func(tx store.Tx) error { return tx.Delete("things", "a") })
	if got := stored(t, e, "a"); got != "-" {
		t.Errorf("deleted: got %s", got)
	}
	_, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Delete("things", "a") })
	wantKind(t, "deleting again", err, identity.KindNotFound)
	for _, bad := range []store.Row{{Table: "things", Key: "k"}, {Table: "things", Value: []byte("1")}, {Key: "k", Value: []byte("1")}} {
		_, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Put(bad) })
		wantKind(t, "Put of an incomplete row", err, identity.KindInternal)
	}
}

func testRollback(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1"))
	mine := errors.New("mine")
	_, err := e.Update(t.Context(), func(tx store.Tx) error {
		if err := errors.Join(tx.Put(row("b", "2")), tx.Delete("things", "a")); err != nil {
			return err
		}
		return mine
	})
	if err != mine {
		t.Errorf("error of fn: got %v, want it as it is", err)
	}
	if a, b := stored(t, e, "a"), stored(t, e, "b"); a != "1" || b != "-" {
		t.Errorf("after the error: a=%s b=%s", a, b)
	}
	if pos := put(t, e, row("c", "3")); pos.N != 2 {
		t.Errorf("next feed number: got %d, want 2", pos.N)
	}
}

func testPanic(t *testing.T, e store.Engine) {
	for range 40 { // more than an engine has connections
		func() {
			defer func() { _ = recover() }()
			_, _ = e.Update(t.Context(), func(tx store.Tx) error {
				_, _ = tx.Row("things", "a")
				_ = tx.Put(row("a", "1"))
				panic("in fn")
			})
		}()
	}
	if got := stored(t, e, "a"); got != "-" {
		t.Errorf("after a panic: got %s", got)
	}
	put(t, e, row("a", "2"))
}

func testOwnWrites(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1", multi("tag", "1")), row("b", "1", multi("tag", "2")), row("c", "1", multi("tag", "3")))
	update(t, e, func(tx store.Tx) error {
		if err := putAll(tx, row("b", "2", multi("tag", "0"), multi("tag", "9")), row("d", "2", multi("tag", "2"))); err != nil {
			return err
		}
		if err := tx.Delete("things", "a"); err != nil {
			return err
		}
		if a, b := value(t, tx, "a"), value(t, tx, "b"); a != "-" || b != "2" {
			t.Errorf("own writes: a=%s b=%s", a, b)
		}
		for _, c := range []struct {
			index, prefix string
			after         store.After
			limit         int
			want          []string
		}{
			{"tag", "", store.After{}, 0, []string{"b", "d", "c", "b"}},
			{"tag", "", store.After{}, 2, []string{"b", "d"}},
			{"tag", "", store.After{Value: "2", Key: "d"}, 0, []string{"c", "b"}},
			{"tag", "2", store.After{}, 0, []string{"d"}},
			{"", "", store.After{}, 0, []string{"b", "c", "d"}},
			{"", "", store.After{Value: "b", Key: "b"}, 1, []string{"c"}},
		} {
			rows, err := tx.Rows("things", c.index, c.prefix, c.after, c.limit)
			if got := keys(rows); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("Rows %+v: got %v, %v", c, got, err)
			}
		}
		wantKind(t, "deleting twice", tx.Delete("things", "a"), identity.KindNotFound)
		return tx.Put(row("a", "3"))
	})
	if got := stored(t, e, "a"); got != "3" {
		t.Errorf("put after delete: got %s", got)
	}
}

func testBlindWrites(t *testing.T, e store.Engine) {
	first := put(t, e, row("a", "1"))
	second := put(t, e, row("a", "1"))
	if second.N != first.N+1 {
		t.Errorf("a write that changes nothing is a commit: got %d after %d", second.N, first.N)
	}
}

func testEnded(t *testing.T, e store.Engine) {
	var kept store.Tx
	update(t, e, func(tx store.Tx) error {
		kept = tx
		return tx.Put(row("a", "1"))
	})
	_, err := kept.Row("things", "a")
	wantKind(t, "Row after the end", err, identity.KindInternal)
	_, err = kept.Rows("things", "", "", store.After{}, 0)
	wantKind(t, "Rows after the end", err, identity.KindInternal)
	wantKind(t, "Put after the end", kept.Put(row("b", "1")), identity.KindInternal)
	wantKind(t, "Delete after the end", kept.Delete("things", "a"), identity.KindInternal)
}

func testUnique(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1", uniq("name", "x")))
	_, err := e.Update(t.Context(), func(tx store.Tx) error { return tx.Put(row("b", "1", uniq("name", "x"))) })
	wantKind(t, "a value that is taken", err, identity.KindAlreadyExists)
	_, err = e.Update(t.Context(), func(tx store.Tx) error {
		return putAll(tx, row("b", "1", uniq("name", "y")), row("c", "1", uniq("name", "y")))
	})
	wantKind(t, "two rows of one transaction", err, identity.KindAlreadyExists)
	if b, c := stored(t, e, "b"), stored(t, e, "c"); b != "-" || c != "-" {
		t.Errorf("after refusals: b=%s c=%s", b, c)
	}
	// Neither a longer value, nor another index or table, nor the row itself is in the way.
	put(t, e, row("b", "1", uniq("name", "xx"), uniq("mail", "x")), store.Row{Table: "others", Key: "a", Value: []byte("1"), Index: []store.IndexEntry{uniq("name", "x")}})
	put(t, e, row("a", "2", uniq("name", "x")))
	update(t, e, func(tx store.Tx) error { return tx.Delete("things", "a") })
	put(t, e, row("c", "1", uniq("name", "x")))
	put(t, e, row("d", "1", uniq("login", "n"), uniq("login", "n"), uniq("login", "m"))) // one row, the same entry twice
}

func testUniqueSwap(t *testing.T, e store.Engine) {
	put(t, e, row("a", "1", uniq("name", "x")), row("b", "1", uniq("name", "y")))
	put(t, e, row("a", "2", uniq("name", "y")), row("b", "2", uniq("name", "x")))
	update(t, e, func(tx store.Tx) error {
		if err := tx.Delete("things", "a"); err != nil {
			return err
		}
		return tx.Put(row("c", "1", uniq("name", "y")))
	})
	view(t, e, func(r store.Reader) error {
		rows, err := r.Rows("things", "name", "", store.After{}, 0)
		if got, want := keys(rows), []string{"b", "c"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("by name: got %v, %v; want %v", got, err, want)
		}
		return nil
	})
}

func testListing(t *testing.T, e store.Engine) {
	var rows []store.Row
	for i := range 20 {
		rows = append(rows, row(fmt.Sprintf("k%02d", i), "1", multi("tag", fmt.Sprintf("%c%02d", 'a'+i%2, 19-i)), multi("all", "same")))
	}
	put(t, e, rows...)
	put(t, e, store.Row{Table: "others", Key: "k00", Value: []byte("1"), Index: []store.IndexEntry{multi("tag", "a00")}})
	for _, c := range []struct {
		index, prefix string
		after         store.After
		limit         int
		want          []string
	}{
		{"tag", "a0", store.After{}, 0, []string{"k18", "k16", "k14", "k12", "k10"}},
		{"tag", "a0", store.After{}, 2, []string{"k18", "k16"}},
		{"tag", "a0", store.After{Value: "a03", Key: "k16"}, 2, []string{"k14", "k12"}},
		{"tag", "b", store.After{Value: "a", Key: "zzz"}, 1, []string{"k19"}},
		{"tag", "a", store.After{Value: "b", Key: ""}, 0, []string{}},
		{"tag", "c", store.After{}, 0, []string{}},
		{"none", "", store.After{}, 0, []string{}},
		{"all", "same", store.After{Value: "same", Key: "k17"}, 0, []string{"k18", "k19"}},
		{"", "k1", store.After{}, 3, []string{"k10", "k11", "k12"}},
		{"", "k1", store.After{Value: "k17", Key: "k17"}, 0, []string{"k18", "k19"}},
		{"", "k1", store.After{Value: "k17"}, 0, []string{"k17", "k18", "k19"}},
		{"", "", store.After{Value: "k18", Key: "k18"}, 0, []string{"k19"}},
	} {
		view(t, e, func(r store.Reader) error {
			rows, err := r.Rows("things", c.index, c.prefix, c.after, c.limit)
			if got := keys(rows); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("Rows %+v: got %v, %v", c, got, err)
			}
			return nil
		})
	}
}

// testOddBytes holds engines to bytewise order, whatever the bytes are.
func testOddBytes(t *testing.T, e store.Engine) {
	odd := []string{"\x00", "\x00\x00", "\x00a", "A", "a", "a\x00", "a\x00b", "a\xff", "a\xff\xff", "aé", "b", "é", "\xff", "\xff\xff"}
	slices.Sort(odd)
	var rows []store.Row
	for _, k := range odd {
		rows = append(rows, row(k, "1", uniq("v", k), multi("w", k+"\x00"+k)))
	}
	rows = append(rows, row("empty", "1", uniq("v", "")))
	put(t, e, rows...)
	for _, prefix := range append(odd, "") {
		for _, index := range []string{"", "v", "w"} {
			var want []string
			if prefix == "" && index == "v" {
				want = append(want, "empty")
			}
			all := odd
			if index == "" {
				all = slices.Sorted(slices.Values(append([]string{"empty"}, odd...)))
			}
			if index == "w" {
				all = slices.Clone(odd)
				slices.SortFunc(all, func(a, b string) int { return compare(a+"\x00"+a, b+"\x00"+b) })
			}
			for _, k := range all {
				v := k
				if index == "w" {
					v = k + "\x00" + k
				}
				if len(v) >= len(prefix) && v[:len(prefix)] == prefix {
					want = append(want, k)
				}
			}
			view(t, e, func(r store.Reader) error {
				rows, err := r.Rows("things", index, prefix, store.After{}, 0)
				if got := keys(rows); err != nil || !slices.Equal(got, want) {
					t.Errorf("index %q, prefix %q: got %q, %v; want %q", index, prefix, got, err, want)
				}
				return nil
			})
		}
	}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func testPaging(t *testing.T, e store.Engine) {
	var rows []store.Row
	var want []string
	for i := range 57 {
		k := fmt.Sprintf("k%02d", i)
		rows = append(rows, row(k, "1", multi("tag", fmt.Sprint(i/10))))
		want = append(want, k)
	}
	put(t, e, rows...)
	for _, index := range []string{"", "tag"} {
		var got []string
		after := store.After{}
		for {
			var page []store.Row
			view(t, e, func(r store.Reader) (err error) {
				page, err = r.Rows("things", index, "", after, 10)
				return err
			})
			if len(page) == 0 {
				break
			}
			got = append(got, keys(page)...)
			last := page[len(page)-1]
			after = store.After{Value: last.Key, Key: last.Key}
			if index == "tag" {
				after.Value = last.Index[0].Value
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages by %q: got %v", index, got)
		}
	}
}
