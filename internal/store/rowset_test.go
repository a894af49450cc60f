package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// contents are all rows of a rowset by an index, as "value/key=version".
func contents(s rowset, index string) []string {
	var out []string
	s.scan("t", index, "", After{}, 0, func(e *treeEntry) {
		out = append(out, fmt.Sprintf("%s/%s=%d", e.value, e.row.Key, e.row.N))
	})
	return out
}

// TestRowset drives batches of changes and compares every state, also the
// earlier ones at the end, with plain maps.
func TestRowset(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			rows rowset
			want map[string]uint64
		}
		keys := rapid.IntRange(1, 2000).Draw(t, "keys")
		history := []version{{rowset{}, map[string]uint64{}}}
		n := uint64(0)
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			last := history[len(history)-1]
			e, want := last.rows.edit(), maps.Clone(last.want)
			remove := rapid.IntRange(0, 10).Draw(t, "remove")
			seed := rapid.Uint64().Draw(t, "seed")
			for range rapid.IntRange(0, 1500).Draw(t, "changes") {
				n++
				seed = seed*6364136223846793005 + 1442695040888963407
				key := fmt.Sprintf("k%d", seed>>33%uint64(keys))
				if seed>>20%10 < uint64(remove) {
					e.delete("t", key)
					delete(want, key)
				} else {
					e.put(&Row{Table: "t", Key: key, N: n, Index: []IndexEntry{{Name: "mod", Value: fmt.Sprint(n % 7)}, {Name: "two", Value: key}, {Name: "two", Value: "z" + key}}})
					want[key] = n
				}
			}
			history = append(history, version{e.done(), want})
		}
		for i, v := range history {
			var byKey, byMod []string
			for key, n := range v.want {
				if row := v.rows.row("t", key); row == nil || row.N != n {
					t.Fatalf("state %d, key %s: got %+v, want version %d", i, key, row, n)
				}
				if row := v.rows.exact("t", "two", "z"+key); row == nil || row.N != n {
					t.Fatalf("state %d, value z%s: got %+v, want version %d", i, key, row, n)
				}
				byKey = append(byKey, fmt.Sprintf("%s/%s=%d", key, key, n))
				byMod = append(byMod, fmt.Sprintf("%d/%s=%d", n%7, key, n))
			}
			for index, want := range map[string][]string{"": byKey, "mod": byMod} {
				got := contents(v.rows, index)
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) || !inOrder(v.rows, index) {
					t.Fatalf("state %d, index %q: %d rows, want %d; in order: %v", i, index, len(got), len(want), inOrder(v.rows, index))
				}
			}
			checkPlaces(t, v.rows)
			if n := len(v.want); n > 0 && v.rows["t"].byKey.n != n {
				t.Fatalf("state %d counts %d rows, has %d", i, v.rows["t"].byKey.n, n)
			}
			if v.rows.row("t", "absent") != nil || v.rows.exact("t", "two", "z") != nil {
				t.Fatalf("state %d: what is absent is there", i)
			}
		}
	})
}

func inOrder(s rowset, index string) bool {
	var last After
	ok := true
	s.scan("t", index, "", After{}, 0, func(e *treeEntry) {
		ok = ok && last.compare(e.value, e.row.Key) < 0
		last = After{e.value, e.row.Key}
	})
	return ok
}

// checkPlaces compares what is counted and skipped with a walk.
func checkPlaces(t *rapid.T, s rowset) {
	x := (*tree)(nil)
	if s["t"] != nil {
		x = s["t"].indexes["two"]
	}
	for _, prefix := range []string{"", "k1", "zk", "absent"} {
		var all []string
		s.scan("t", "two", prefix, After{}, 0, func(e *treeEntry) { all = append(all, e.value) })
		before, n := x.span(prefix)
		if n != len(all) {
			t.Fatalf("prefix %q: counted %d, have %d", prefix, n, len(all))
		}
		for skip := 0; skip < n; skip += 1 + n/7 {
			at := skip
			x.root.from(before+skip, func(e *treeEntry) bool {
				if e.value != all[at] {
					t.Fatalf("prefix %q, without %d, row %d: got %s, want %s", prefix, skip, at, e.value, all[at])
				}
				at++
				return at < n && at < skip+100
			})
			if at != min(n, skip+100) {
				t.Fatalf("prefix %q, without %d: ended at %d of %d", prefix, skip, at, n)
			}
		}
	}
}

// TestTrieBelowTheHash puts rows whose hashes are all the same.
func TestTrieBelowTheHash(t *testing.T) {
	t.Parallel()
	own := new(edit)
	var root *trieNode
	for i := range 5 {
		root, _ = root.put(own, &Row{Key: fmt.Sprint(i)}, 42, trieLast+trieBits)
	}
	root, old := root.put(own, &Row{Key: "3", N: 9}, 42, trieLast+trieBits)
	if old == nil || old.Key != "3" || len(root.slots) != 5 {
		t.Errorf("replacing: got %+v, %d slots", old, len(root.slots))
	}
	later := root
	for i := range 4 {
		later = later.delete(new(edit), fmt.Sprint(i), 42, trieLast+trieBits)
	}
	if len(later.slots) != 1 || later.slots[0].row.Key != "4" || len(root.slots) != 5 {
		t.Errorf("deleting: %d left, %d in the state of before", len(later.slots), len(root.slots))
	}
	if later.delete(own, "4", 42, trieLast+trieBits) != nil {
		t.Error("an empty node stays")
	}
}
