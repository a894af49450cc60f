package access

import "sync"

// cache holds what was once worked out: credentials that were proven, by the
// hash of their token or by key ID and version, and compiled policies. It only
// saves work: whatever can change is judged at each use. Bounded; it forgets in
// the order it learned.
type cache[K comparable, V any] struct {
	mu    sync.RWMutex
	m     map[K]V
	order []K
	next  int
	max   int
}

func newCache[K comparable, V any](max int) *cache[K, V] {
	return &cache[K, V]{m: map[K]V{}, max: max}
}

// get returns the zero V for what is not there.
func (c *cache[K, V]) get(k K) V {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[k]
}

func (c *cache[K, V]) put(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.m[k]; !ok {
		if len(c.order) < c.max {
			c.order = append(c.order, k)
		} else {
			delete(c.m, c.order[c.next])
			c.order[c.next] = k
			c.next = (c.next + 1) % c.max
		}
	}
	c.m[k] = v
}
