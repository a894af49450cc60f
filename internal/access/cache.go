package access

import "sync"

// cache holds credentials that were once proven, by the hash of their token or
// by key ID and version. It only saves work: whatever can change is judged at
// each use. Bounded; it forgets in the order it learned.
type cache[K comparable] struct {
	mu    sync.RWMutex
	m     map[K]*credential
	order []K
	next  int
	max   int
}

func newCache[K comparable](max int) *cache[K] {
	return &cache[K]{m: map[K]*credential{}, max: max}
}

func (c *cache[K]) get(k K) *credential {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[k]
}

func (c *cache[K]) put(k K, v *credential) {
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
