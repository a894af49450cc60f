package kms

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// maxUses bounds the pairs of key and principal whose counts wait to be
	// written; beyond it new pairs are not counted. The audit log has them all.
	maxUses = 65536
	// usesBatch is how many one transaction writes.
	usesBatch = 256
	// maxUsage bounds one listing of uses.
	maxUsage = 10000
)

// uses counts who did what with which key, behind the answers: for people, and no
// decision reads it.
type uses struct {
	mu      sync.Mutex
	waiting map[useRef]*identity.KMSUse
	writing sync.Mutex
}

type useRef struct{ key, principal string }

func (u *uses) add(c *identity.Caller, key *identity.KMSKey, action string, now time.Time) {
	ref := useRef{key.ID, c.PrincipalID}
	u.mu.Lock()
	defer u.mu.Unlock()
	have := u.waiting[ref]
	if have == nil {
		if len(u.waiting) >= maxUses {
			return
		}
		have = &identity.KMSUse{KeyID: key.ID, Instance: key.Instance, Principal: principalOf(c), Counts: map[string]uint64{}, FirstAt: now}
		if u.waiting == nil {
			u.waiting = map[useRef]*identity.KMSUse{}
		}
		u.waiting[ref] = have
	}
	have.Counts[action]++
	have.LastAt, have.LastIP = now, c.Request.SourceIP
}

func principalOf(c *identity.Caller) string {
	if id := c.IAMID(); id != "" {
		return id
	}
	return c.PrincipalID
}

// FlushUses writes the counts of uses. The server calls it now and then, and once
// before it ends. What fails to be written is tried again the next time.
func (k *KMS) FlushUses(ctx context.Context) error {
	u := &k.uses
	u.writing.Lock()
	defer u.writing.Unlock()
	u.mu.Lock()
	batch := u.waiting
	u.waiting = nil
	u.mu.Unlock()
	for refs := range slices.Chunk(slices.Collect(maps.Keys(batch)), usesBatch) {
		if _, err := k.db.Update(ctx, func(tx store.Tx) error { return writeUses(tx, refs, batch) }); err != nil {
			u.putBack(batch)
			return err
		}
		for _, ref := range refs {
			delete(batch, ref)
		}
	}
	return nil
}

func writeUses(tx store.Tx, refs []useRef, batch map[useRef]*identity.KMSUse) error {
	for _, ref := range refs {
		if _, err := store.KMSKeys.Get(tx, ref.key); identity.KindOf(err) == identity.KindNotFound {
			continue // purged meanwhile
		} else if err != nil {
			return err
		}
		v := *batch[ref]
		have, err := store.KMSUses.Get(tx, v.Key())
		if err == nil {
			v = together(*have, v)
		} else if identity.KindOf(err) != identity.KindNotFound {
			return err
		}
		if err := store.KMSUses.Put(tx, &v); err != nil {
			return err
		}
	}
	return nil
}

// together adds later counts to earlier ones.
func together(early, late identity.KMSUse) identity.KMSUse {
	early.Counts = maps.Clone(early.Counts)
	for action, n := range late.Counts {
		early.Counts[action] += n
	}
	early.LastAt, early.LastIP = late.LastAt, late.LastIP
	return early
}

func (u *uses) putBack(batch map[useRef]*identity.KMSUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for ref, v := range u.waiting {
		if have := batch[ref]; have != nil {
			*v = together(*have, *v)
		}
		batch[ref] = v
	}
	u.waiting = batch
}

// used puts the event of a use on disk before its answer leaves, and counts it.
func (k *KMS) used(ctx context.Context, c *identity.Caller, u use) error {
	if err := k.audit.Record(ctx, u.event(c)); err != nil {
		return err
	}
	k.uses.add(c, u.key, strings.TrimPrefix(u.action, "secrets."), k.now())
	return nil
}

// failed notes a use that did not succeed.
func (k *KMS) failed(ctx context.Context, c *identity.Caller, u use, err error) {
	ev := u.event(c)
	e := identity.AsError(err)
	ev.ErrorCode, ev.ErrorMessage = string(e.Kind), e.Public
	k.audit.Refuse(ctx, ev)
}

func (u *use) event(c *identity.Caller) audit.Event {
	ev := audit.Change(c, source, u.action, nil)
	ev.RequestParameters, ev.ReadOnly = map[string]any{"instanceId": u.key.Instance, "keyId": u.key.ID}, true
	return ev
}

// Use is what one principal did with one key.
type Use struct {
	identity.KMSUse
	// KeyName is "" for a key that is gone.
	KeyName string `json:"key_name"`
}

// Usage tells who did what with a key, or with every key of the instance where id
// is "", up to a bound (kms:usage.read on the key or the instance). Operators
// (daypass:ReadKeyUsage) may leave the instance out, too. ReasonNotFound.
func (k *KMS) Usage(ctx context.Context, c *identity.Caller, at At, id string) ([]Use, error) {
	snap := k.db.Snapshot()
	prefix, err := k.usageOf(snap, c, at, id)
	if err != nil {
		return nil, err
	}
	// What has just been done belongs to it, too.
	if err := k.FlushUses(ctx); err != nil {
		return nil, err
	}
	var out []Use
	err = k.db.View(ctx, func(r store.Reader) error {
		rows, err := store.KMSUses.List(r, store.IndexKMSInstance, prefix, store.After{}, maxUsage)
		out = make([]Use, len(rows))
		for i, row := range rows {
			out[i].KMSUse = *row
			if key, err := store.KMSKeys.Get(snap, row.KeyID); err == nil {
				out[i].KeyName = key.Name
			}
		}
		return err
	})
	return out, err
}

// usageOf judges who asks, and returns what the uses begin with in their index.
func (k *KMS) usageOf(r store.Reader, c *identity.Caller, at At, id string) (prefix string, err error) {
	const action = "usage.read"
	switch {
	case c.Kind == identity.Operator:
		return k.usageForOperator(r, c, at, id)
	case id == "":
		_, err = k.onInstance(r, c, At{Instance: at.Instance}, action)
		return at.Instance + "/", err
	}
	_, key, err := k.target(r, c, at, id, action)
	if err != nil {
		return "", err
	}
	return key.Instance + "/" + key.ID, nil
}

func (k *KMS) usageForOperator(r store.Reader, c *identity.Caller, at At, id string) (prefix string, err error) {
	if err := k.access.Authorize(c, "daypass:ReadKeyUsage", access.Resource{}).Err; err != nil {
		return "", err
	}
	switch {
	case id == "" && at.Instance == "":
		return "", nil
	case id == "":
		return at.Instance + "/", nil
	}
	key, err := find(r, &place{ServiceInstance: &identity.ServiceInstance{ID: at.Instance}}, at, id)
	if at.Instance == "" {
		key, err = store.KMSKeys.Get(r, id)
	}
	if identity.KindOf(err) == identity.KindNotFound || err == nil && key == nil {
		return "", noKey()
	}
	if err != nil {
		return "", err
	}
	return key.Instance + "/" + key.ID, nil
}
