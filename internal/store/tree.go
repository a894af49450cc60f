package store

import (
	"slices"
	"strings"
)

// tree is one index as a persistent B+ tree, ordered by value and then by the
// row's key, bytewise. A look-up takes no lock and allocates nothing, a change
// copies one path.
type tree struct{ root *treeNode }

// treeNode is a leaf when it has no kids.
type treeNode struct {
	owner   *edit
	entries []treeEntry
	kids    []*treeNode
	n       int // entries under it
	// low[i] is not above anything under kids[i] and above everything under
	// kids[i-1]; low[0] means nothing.
	low []After
}

type treeEntry struct {
	value string
	row   *Row
}

const treeWidth = 64

func (a After) compare(value, key string) int {
	if c := strings.Compare(a.Value, value); c != 0 {
		return c
	}
	return strings.Compare(a.Key, key)
}

// kid is the child that would hold a position.
func (n *treeNode) kid(at After) int {
	lo, hi := 1, len(n.low)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if at.compare(n.low[mid].Value, n.low[mid].Key) < 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

// behind is the first entry of a leaf after a position; same says that the one
// before it is at the position.
func (n *treeNode) behind(at After) (i int, same bool) {
	lo, hi := 0, len(n.entries)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		e := &n.entries[mid]
		c := at.compare(e.value, e.row.Key)
		if c == 0 {
			return mid + 1, true
		}
		if c < 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo, false
}

// next is the first entry after a position, or nil.
func (n *treeNode) next(at After) *treeEntry {
	if n == nil {
		return nil
	}
	if n.kids == nil {
		if i, _ := n.behind(at); i < len(n.entries) {
			return &n.entries[i]
		}
		return nil
	}
	for i := n.kid(at); i < len(n.kids); i++ {
		if e := n.kids[i].next(at); e != nil {
			return e
		}
	}
	return nil
}

// exact is the first row under a value, or nil.
func (t *tree) exact(value string) *Row {
	// No key is empty, so this is just before the value's first entry.
	if e := t.root.next(After{Value: value}); e != nil && e.value == value {
		return e.row
	}
	return nil
}

// ascend calls fn for the entries after a position until it returns false.
func (n *treeNode) ascend(at After, fn func(*treeEntry) bool) bool {
	if n == nil {
		return true
	}
	if n.kids == nil {
		i, _ := n.behind(at)
		for ; i < len(n.entries); i++ {
			if !fn(&n.entries[i]) {
				return false
			}
		}
		return true
	}
	for i := n.kid(at); i < len(n.kids); i++ {
		if !n.kids[i].ascend(at, fn) {
			return false
		}
	}
	return true
}

// rank is how many entries there are up to a position, that itself included.
func (n *treeNode) rank(at After) int {
	before := 0
	for n != nil {
		if n.kids == nil {
			i, _ := n.behind(at)
			return before + i
		}
		k := n.kid(at)
		for _, kid := range n.kids[:k] {
			before += kid.n
		}
		n = n.kids[k]
	}
	return before
}

// from calls fn for the entries that have at least skip before them until it
// returns false.
func (n *treeNode) from(skip int, fn func(*treeEntry) bool) bool {
	if n == nil || skip >= n.n {
		return true
	}
	for i := skip; n.kids == nil && i < len(n.entries); i++ {
		if !fn(&n.entries[i]) {
			return false
		}
	}
	for _, kid := range n.kids {
		if skip >= kid.n {
			skip -= kid.n
			continue
		}
		if !kid.from(skip, fn) {
			return false
		}
		skip = 0
	}
	return true
}

// span is where the entries whose values begin with a prefix are: how many are
// before them and how many they are.
func (t *tree) span(prefix string) (before, n int) {
	if t == nil {
		return 0, 0
	}
	before = t.root.rank(After{Value: prefix}) // no key is empty
	return before, t.root.rank(After{Value: behindPrefix(prefix)}) - before
}

// behindPrefix sorts behind everything that begins with a prefix: no value holds
// a byte 0xff, being text.
func behindPrefix(prefix string) string { return prefix + "\xff" }

// scan is State.Scan on one index.
func (t *tree) scan(prefix string, after After, limit int, fn func(*treeEntry)) {
	if after.compare(prefix, "") < 0 {
		after = After{Value: prefix}
	}
	n := 0
	t.root.ascend(after, func(e *treeEntry) bool {
		if !strings.HasPrefix(e.value, prefix) {
			return false
		}
		fn(e)
		n++
		return limit == 0 || n < limit
	})
}

func (t *tree) put(own *edit, value string, row *Row) {
	root, right := t.root.put(own, treeEntry{value, row})
	if right != nil {
		root = &treeNode{owner: own, kids: []*treeNode{root, right}, low: []After{{}, right.first()}, n: root.n + right.n}
	}
	t.root = root
}

func (t *tree) delete(own *edit, value, key string) {
	if t.root == nil {
		return
	}
	t.root = t.root.delete(own, After{value, key})
	for t.root != nil && len(t.root.kids) == 1 {
		t.root = t.root.kids[0]
	}
}

func (n *treeNode) first() After {
	for n.kids != nil {
		n = n.kids[0]
	}
	return After{n.entries[0].value, n.entries[0].row.Key}
}

func (n *treeNode) mine(own *edit) *treeNode {
	if n == nil {
		return &treeNode{owner: own}
	}
	if n.owner == own {
		return n
	}
	return &treeNode{owner: own, entries: slices.Clone(n.entries), kids: slices.Clone(n.kids), low: slices.Clone(n.low), n: n.n}
}

// put returns the node, and its new right sibling when it had to be split.
func (n *treeNode) put(own *edit, e treeEntry) (self, right *treeNode) {
	n = n.mine(own)
	at := After{e.value, e.row.Key}
	if n.kids == nil {
		i, same := n.behind(at)
		if same {
			n.entries[i-1] = e
			return n, nil
		}
		n.entries = slices.Insert(n.entries, i, e)
		n.n++
		if len(n.entries) <= treeWidth {
			return n, nil
		}
		cut := treeWidth / 2
		if i == treeWidth { // rows that arrive in order leave full leaves behind
			cut = treeWidth
		}
		right = &treeNode{owner: own, entries: slices.Clone(n.entries[cut:])}
		clear(n.entries[cut:])
		n.entries = n.entries[:cut]
		n.n, right.n = len(n.entries), len(right.entries)
		return n, right
	}
	i := n.kid(at)
	var split *treeNode
	had := n.kids[i].n
	n.kids[i], split = n.kids[i].put(own, e)
	n.n += n.kids[i].n - had
	if split == nil {
		return n, nil
	}
	n.n += split.n
	n.kids = slices.Insert(n.kids, i+1, split)
	n.low = slices.Insert(n.low, i+1, split.first())
	if len(n.kids) <= treeWidth {
		return n, nil
	}
	cut := treeWidth / 2
	right = &treeNode{owner: own, kids: slices.Clone(n.kids[cut:]), low: slices.Clone(n.low[cut:])}
	clear(n.kids[cut:])
	clear(n.low[cut:])
	n.kids, n.low = n.kids[:cut], n.low[:cut]
	for _, kid := range right.kids {
		right.n += kid.n
	}
	n.n -= right.n
	return n, right
}

// delete returns nil for a node left empty. Nodes are not merged: a leaf that
// is thin costs little, and an empty one goes.
func (n *treeNode) delete(own *edit, at After) *treeNode {
	if n.kids == nil {
		i, same := n.behind(at)
		if !same {
			return n
		}
		n = n.mine(own)
		n.entries = slices.Delete(n.entries, i-1, i)
		n.n--
		if len(n.entries) == 0 {
			return nil
		}
		return n
	}
	n = n.mine(own)
	i := n.kid(at)
	n.n -= n.kids[i].n
	if n.kids[i] = n.kids[i].delete(own, at); n.kids[i] == nil {
		n.kids = slices.Delete(n.kids, i, i+1)
		n.low = slices.Delete(n.low, i, i+1)
	} else {
		n.n += n.kids[i].n
	}
	if len(n.kids) == 0 {
		return nil
	}
	return n
}
