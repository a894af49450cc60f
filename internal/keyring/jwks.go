package keyring

import (
	"cmp"
	"crypto"
	"encoding/json"
	"slices"
	"time"
)

// signingSet is what an issuer has: all public keys by ID, the signing key of
// each algorithm, and the JWKS made of them.
type signingSet struct {
	public map[string]*signingKey
	active []*signingKey // one per algorithm, in the order of the JWKS
	jwks   []byte
}

// JWKS returns the public keys of a set as JSON (RFC 7517 §5), the active key
// first (an RSA one before others: Ceph RGW reads only the first), then those
// that will sign, then the retired. Nobody may write to it. Nil for a set that
// is not there.
func (k *Keyring) JWKS(set string) []byte {
	if s := k.state.Load().issuers[set]; s != nil {
		return s.jwks
	}
	return nil
}

// JWKSMaxAge is the Cache-Control max-age to serve JWKS with: a new key waits
// that long, and PublishMargin, before it signs.
func (k *Keyring) JWKSMaxAge() time.Duration { return k.opt.JWKSMaxAge }

// PublicKey returns a public key of a set, as long as its JWKS shows it.
func (k *Keyring) PublicKey(set, kid string) (key crypto.PublicKey, algorithm string, ok bool) {
	s := k.state.Load().issuers[set]
	if s == nil || s.public[kid] == nil {
		return nil, "", false
	}
	found := s.public[kid]
	if until := found.row.PublicUntil; !until.IsZero() && !until.After(k.clock.Now()) {
		return nil, "", false
	}
	return found.public, found.row.Algorithm, true
}

// arrange sorts a set's keys and writes its JWKS.
func (s *signingSet) arrange() error {
	keys := make([]*signingKey, 0, len(s.public))
	for _, key := range s.public {
		keys = append(keys, key)
	}
	rank := func(key *signingKey) int {
		switch {
		case key.active() && key.row.Algorithm == RS256:
			return 0
		case key.active():
			return 1
		case key.row.RetiredAt.IsZero():
			return 2
		}
		return 3
	}
	slices.SortFunc(keys, func(a, b *signingKey) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), b.row.SignsFrom.Compare(a.row.SignsFrom),
			b.row.CreatedAt.Compare(a.row.CreatedAt), cmp.Compare(a.row.ID, b.row.ID))
	})
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	for _, key := range keys {
		doc.Keys = append(doc.Keys, key.jwk)
		if key.active() && !slices.ContainsFunc(s.active, func(a *signingKey) bool { return a.row.Algorithm == key.row.Algorithm }) {
			s.active = append(s.active, key)
		}
	}
	var err error
	s.jwks, err = json.Marshal(doc)
	return err
}
