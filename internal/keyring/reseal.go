package keyring

import (
	"bytes"
	"context"
	"strconv"
	"sync"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Column is a sealed column that is re-encrypted after the at-rest keys
// rotated.
type Column struct {
	name string
	// batch handles the rows behind a key and returns the last key seen, ""
	// at the end.
	batch func(ctx context.Context, k *Keyring, after string) (next string, done int, err error)
}

// SealedColumn describes a column whose values Seal made with the table's
// name, the column's name and the row's key.
func SealedColumn[T any](t *store.Table[T], column string, key func(*T) string, field func(*T) *[]byte) Column {
	return Column{name: t.Name() + "." + column, batch: func(ctx context.Context, k *Keyring, after string) (string, int, error) {
		var page []*T
		err := k.db.View(ctx, func(r store.Reader) (err error) {
			page, err = t.List(r, "", "", store.After{Value: after, Key: after}, resealBatch)
			return err
		})
		if err != nil {
			return "", 0, err
		}
		done := 0
		for _, row := range page {
			changed, err := resealRow(ctx, k, t, column, key(row), field)
			if err != nil {
				return "", done, err
			}
			if changed {
				done++
			}
		}
		if len(page) < resealBatch {
			return "", done, nil
		}
		return key(page[len(page)-1]), done, nil
	}}
}

// resealBatch is how many rows one Tick looks at.
const resealBatch = 200

func resealRow[T any](ctx context.Context, k *Keyring, t *store.Table[T], column, key string, field func(*T) *[]byte) (changed bool, err error) {
	var old []byte
	err = k.db.View(ctx, func(r store.Reader) error {
		row, err := t.Get(r, key)
		if err == nil {
			old = *field(row)
		}
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound {
		return false, nil
	}
	if err != nil || !k.Stale(old) {
		return false, err
	}
	plain, err := k.Unseal(t.Name(), column, key, old)
	if err != nil { // one damaged row must not keep the others from a new key
		k.opt.Log.Error("sealed value not re-encrypted", "table", t.Name(), "column", column, "error", err)
		return false, nil
	}
	fresh, err := k.Seal(t.Name(), column, key, plain)
	if err != nil {
		return false, err
	}
	_, err = k.db.Update(ctx, func(tx store.Tx) error {
		row, err := t.Get(tx, key)
		if identity.KindOf(err) == identity.KindNotFound {
			changed = false
			return nil
		}
		if err != nil {
			return err
		}
		c := *row
		if changed = bytes.Equal(*field(&c), old); !changed {
			return nil
		}
		*field(&c) = fresh
		return t.Put(tx, &c)
	})
	return changed, err
}

// storeColumns are the sealed columns of the tables of package store.
func storeColumns() []Column {
	return []Column{
		SealedColumn(store.KeySecrets, "secret", func(r *store.KeySecret) string { return r.KeyID }, func(r *store.KeySecret) *[]byte { return &r.Sealed }),
		SealedColumn(store.PoolClientSecrets, "secrets", func(r *store.PoolClientSecret) string { return r.ClientID }, func(r *store.PoolClientSecret) *[]byte { return &r.Sealed }),
		SealedColumn(store.Passwords, "srp", func(r *store.Password) string { return r.UserID }, func(r *store.Password) *[]byte { return &r.SRP }),
		SealedColumn(store.LoginSecrets, "secret", func(r *store.LoginSecret) string { return r.Login }, func(r *store.LoginSecret) *[]byte { return &r.Sealed }),
		SealedColumn(store.KMSSlots, "slot", func(r *store.KMSSlot) string { return r.KeyID }, func(r *store.KMSSlot) *[]byte { return &r.Sealed }),
		SealedColumn(store.KMSImportTokens, "key", func(r *store.KMSImportToken) string { return r.Instance }, func(r *store.KMSImportToken) *[]byte { return &r.Sealed }),
		SealedColumn(store.MFASeeds, "seed", func(r *store.MFASeed) string { return r.Serial }, func(r *store.MFASeed) *[]byte { return &r.Sealed }),
		SealedColumn(store.RefreshTokens, "successor", func(r *store.RefreshToken) string { return r.Hash }, func(r *store.RefreshToken) *[]byte { return &r.Successor }),
	}
}

// metaResealed holds the at-rest version that everything was last re-encrypted
// to.
const metaResealed = "at-rest-resealed"

// resealing is how far this node has come.
type resealing struct {
	mu     sync.Mutex
	target uint32
	column int
	after  string
}

// tickReseal re-encrypts one batch. Rows that are written meanwhile under the
// old key by a node that lags stay readable: old versions are kept.
func (k *Keyring) tickReseal(ctx context.Context, rep *Report) error {
	k.reseal.mu.Lock()
	defer k.reseal.mu.Unlock()
	vs := k.state.Load().sets[setAtRest]
	active := vs.active(k.clock.Now())
	if active.n == vs[len(vs)-1].n || k.resealedTo() >= active.n {
		return nil
	}
	p := &k.reseal
	if p.target != active.n {
		p.target, p.column, p.after = active.n, 0, ""
	}
	columns := append(storeColumns(), k.opt.Columns...)
	if p.column < len(columns) {
		c := columns[p.column]
		next, done, err := c.batch(ctx, k, p.after)
		if done > 0 {
			rep.add("%d values of %s are sealed under key set version %d", done, c.name, active.n)
		}
		if err != nil {
			return err
		}
		if p.after = next; next == "" {
			p.column++
		}
		return nil
	}
	_, err := k.db.Update(ctx, func(tx store.Tx) error {
		return store.Metas.Put(tx, &store.Meta{Name: metaResealed, Value: strconv.FormatUint(uint64(active.n), 10)})
	})
	return err
}

func (k *Keyring) resealedTo() uint32 {
	m, err := store.Metas.Get(k.db.Snapshot(), metaResealed)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(m.Value, 10, 32)
	return uint32(n)
}
