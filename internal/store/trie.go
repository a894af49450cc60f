package store

import (
	"hash/maphash"
	"math/bits"
)

// edit is the token of one batch of changes: nodes that carry it were made by
// the batch and may still be changed in place, all others are copied first.
type edit struct{ _ byte }

// trie is a persistent hash map from key to row (a hash array mapped trie):
// a look-up takes no lock and allocates nothing, a change copies one path.
type trie struct {
	root *trieNode
	n    int
}

type trieNode struct {
	owner  *edit
	bitmap uint64
	slots  []trieSlot
}

// trieSlot holds a node or a row, never both.
type trieSlot struct {
	node *trieNode
	row  *Row
}

const (
	trieBits = 6
	// Below the last level the hash is used up, and nodes are plain lists.
	trieLast = 60
)

var trieSeed = maphash.MakeSeed()

func (t *trie) get(key string) *Row {
	h := maphash.String(trieSeed, key)
	n := t.root
	for shift := uint(0); n != nil && shift <= trieLast; shift += trieBits {
		bit := uint64(1) << (h >> shift & 63)
		if n.bitmap&bit == 0 {
			return nil
		}
		s := &n.slots[bits.OnesCount64(n.bitmap&(bit-1))]
		if s.row != nil {
			if s.row.Key == key {
				return s.row
			}
			return nil
		}
		n = s.node
	}
	if n != nil {
		for i := range n.slots {
			if n.slots[i].row.Key == key {
				return n.slots[i].row
			}
		}
	}
	return nil
}

// put writes a row and returns the one it replaced, or nil.
func (t *trie) put(own *edit, row *Row) *Row {
	root, old := t.root.put(own, row, maphash.String(trieSeed, row.Key), 0)
	t.root = root
	if old == nil {
		t.n++
	}
	return old
}

// delete removes a row and returns it, or nil.
func (t *trie) delete(own *edit, key string) *Row {
	old := t.get(key)
	if old == nil {
		return nil
	}
	t.root = t.root.delete(own, key, maphash.String(trieSeed, key), 0)
	t.n--
	return old
}

// mine returns n itself when the batch owns it, else a copy that it owns.
func (n *trieNode) mine(own *edit) *trieNode {
	if n == nil {
		return &trieNode{owner: own}
	}
	if n.owner == own {
		return n
	}
	c := &trieNode{owner: own, bitmap: n.bitmap, slots: make([]trieSlot, len(n.slots), len(n.slots)+1)}
	copy(c.slots, n.slots)
	return c
}

func (n *trieNode) put(own *edit, row *Row, h uint64, shift uint) (*trieNode, *Row) {
	n = n.mine(own)
	if shift > trieLast {
		for i := range n.slots {
			if old := n.slots[i].row; old.Key == row.Key {
				n.slots[i].row = row
				return n, old
			}
		}
		n.slots = append(n.slots, trieSlot{row: row})
		return n, nil
	}
	bit := uint64(1) << (h >> shift & 63)
	i := bits.OnesCount64(n.bitmap & (bit - 1))
	if n.bitmap&bit == 0 {
		n.slots = append(n.slots, trieSlot{})
		copy(n.slots[i+1:], n.slots[i:])
		n.slots[i] = trieSlot{row: row}
		n.bitmap |= bit
		return n, nil
	}
	s := &n.slots[i]
	if have := s.row; have != nil {
		if have.Key == row.Key {
			s.row = row
			return n, have
		}
		var child *trieNode
		child, _ = child.put(own, have, maphash.String(trieSeed, have.Key), shift+trieBits)
		child, _ = child.put(own, row, h, shift+trieBits)
		*s = trieSlot{node: child}
		return n, nil
	}
	child, old := s.node.put(own, row, h, shift+trieBits)
	s.node = child
	return n, old
}

// delete removes a key that is there; it returns nil for a node left empty.
func (n *trieNode) delete(own *edit, key string, h uint64, shift uint) *trieNode {
	n = n.mine(own)
	i := 0
	if shift > trieLast {
		for n.slots[i].row.Key != key {
			i++
		}
	} else {
		bit := uint64(1) << (h >> shift & 63)
		i = bits.OnesCount64(n.bitmap & (bit - 1))
		if s := &n.slots[i]; s.node != nil {
			if s.node = s.node.delete(own, key, h, shift+trieBits); s.node != nil {
				return n
			}
		}
		n.bitmap &^= bit
	}
	copy(n.slots[i:], n.slots[i+1:])
	n.slots[len(n.slots)-1] = trieSlot{}
	n.slots = n.slots[:len(n.slots)-1]
	if len(n.slots) == 0 {
		return nil
	}
	return n
}
