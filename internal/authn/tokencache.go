package authn

import (
	"crypto"
	"crypto/sha256"
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
	issuer string
	key    crypto.PublicKey
	claims *Claims
}

func newTokenCache(max int) *tokenCache {
	return &tokenCache{max: max, m: make(map[[32]byte]tokenEntry, max), order: make([][32]byte, 0, max)}
}

func (c *tokenCache) get(raw, issuer string, key crypto.PublicKey) *Claims {
	sum := sha256.Sum256([]byte(raw))
	c.mu.RLock()
	e, ok := c.m[sum]
	c.mu.RUnlock()
	if !ok || e.issuer != issuer || !sameKey(e.key, key) {
		return nil
	}
	return e.claims
}

func (c *tokenCache) put(raw, issuer string, key crypto.PublicKey, claims *Claims) {
	sum := sha256.Sum256([]byte(raw))
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
	c.m[sum] = tokenEntry{issuer: issuer, key: key, claims: claims}
}

func sameKey(a, b crypto.PublicKey) bool {
	if a == b { // the same pointer, as long as the key set was not fetched anew
		return true
	}
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}
