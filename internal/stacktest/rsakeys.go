package stacktest

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
)

// made are RSA keys of this process. Making one takes a good part of a second,
// and what tests look at is never the key itself.
var made struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey
}

// usedRSA makes the RSA keys of one stack: no two alike in it, and the same ones
// in every stack.
func usedRSA() func() (*rsa.PrivateKey, error) {
	next := 0
	return func() (*rsa.PrivateKey, error) {
		made.mu.Lock()
		defer made.mu.Unlock()
		if next == len(made.keys) {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return nil, err
			}
			made.keys = append(made.keys, key)
		}
		next++
		return made.keys[next-1], nil
	}
}
