package authn

import (
	"crypto"
	"sync"
)

// tokenCache remembers JWTs whose signature was good, by the SHA-256 of the
// whole token. An entry holds under one issuer and one key; everything else is
// judged again at each use. Bounded: it forgets in the order it learned.
type tokenCache struct {
	mu    sync.RWMutex
	max   int
	m     map[[32]byte]tokenEntry
	order [][32]byte
	next  int
}

type tokenEntry struct {
	header header
	issuer string
	key    crypto.PublicKey
	claims *Claims
}

func newTokenCache(max int) *tokenCache {
	return &tokenCache{max: max, m: make(map[[32]byte]tokenEntry, max), order: make([][32]byte, 0, max)}
}

// get returns the entry of a token by its SHA-256.
func (c *tokenCache) get(sum [32]byte) (tokenEntry, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.m[sum]
	return e, ok
}

func (c *tokenCache) put(sum [32]byte, e tokenEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.m[sum]; !ok {
		if len(c.order) < c.max {
			c.order = append(c.order, sum)
		} else {
			delete(c.m, c.order[c.next])
			c.order[c.next] = sum
			c.next = (c.next + 1) % c.max
		}
	}
	c.m[sum] = e
}

func sameKey(a, b crypto.PublicKey) bool {
	if a == b { // the same pointer, as long as the key set was not fetched anew
		return true
	}
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}
