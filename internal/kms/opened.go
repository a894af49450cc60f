package kms

import (
	"context"
	"strconv"
	"sync"

	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/sync/singleflight"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// version is the opened material of one version of a root key.
type version struct {
	identity.KMSVersionID
	aead tink.AEAD
}

type versionRef struct {
	key    string
	number uint32
}

// opened holds versions that were used lately. It only saves work: whether a key
// may be used its row says, which is asked before each use. Bounded; it forgets in
// the order it learned.
type opened struct {
	flight singleflight.Group

	mu    sync.RWMutex
	m     map[versionRef]*version
	order []versionRef
	next  int
	max   int
}

func newOpened(max int) *opened { return &opened{m: map[versionRef]*version{}, max: max} }

func (o *opened) get(ref versionRef) *version {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.m[ref]
}

func (o *opened) put(ref versionRef, v *version) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.m[ref]; !ok {
		if len(o.order) < o.max {
			o.order = append(o.order, ref)
		} else {
			delete(o.m, o.order[o.next])
			o.order[o.next] = ref
			o.next = (o.next + 1) % o.max
		}
	}
	o.m[ref] = v
}

// sweep forgets versions of keys that are not to be used any more.
func (o *opened) sweep(usable func(key string) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for ref := range o.m {
		if !usable(ref.key) {
			delete(o.m, ref)
		}
	}
	kept := make([]versionRef, 0, len(o.m))
	for _, ref := range append(o.order[o.next:len(o.order):len(o.order)], o.order[:o.next]...) {
		if _, ok := o.m[ref]; ok {
			kept = append(kept, ref)
		}
	}
	o.order, o.next = kept, 0
}

// version opens a version of a root key. The store is asked once for all who wait
// for the same one.
func (k *KMS) version(ctx context.Context, key *identity.KMSKey, number uint32) (*version, error) {
	ref := versionRef{key.ID, number}
	if v := k.opened.get(ref); v != nil {
		return v, nil
	}
	read := k.opened.flight.DoChan(key.ID+"/"+strconv.FormatUint(uint64(number), 10), func() (any, error) {
		if v := k.opened.get(ref); v != nil { // by a flight that has just landed
			return v, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		defer cancel()
		v := &version{}
		err := k.db.View(ctx, func(r store.Reader) error {
			id, material, err := k.material(r, key, int(number))
			if err != nil {
				return err
			}
			v.KMSVersionID = id
			v.aead, err = rootAEAD(material)
			return err
		})
		if err != nil {
			return nil, err
		}
		k.opened.put(ref, v)
		return v, nil
	})
	select {
	case r := <-read:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*version), nil
	case <-ctx.Done():
		return nil, store.Away("kms.version", ctx.Err())
	}
}
