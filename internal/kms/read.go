package kms

import (
	"context"
	"slices"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Key shows a key without its material (kms:secrets.readmetadata), whatever its
// state. ReasonNotFound.
func (k *KMS) Key(_ context.Context, c *identity.Caller, at At, id string) (*Key, error) {
	p, key, err := k.target(k.db.Snapshot(), c, at, id, "secrets.readmetadata")
	if err != nil {
		return nil, err
	}
	return k.shown(&p, key), nil
}

// Payload shows a key (kms:secrets.read), and of a standard one the material. That
// of a root key is never given, nor of a deleted one.
func (k *KMS) Payload(ctx context.Context, c *identity.Caller, at At, id string) (*Key, identity.Secret, error) {
	p, key, err := k.target(k.db.Snapshot(), c, at, id, "secrets.read")
	if err != nil {
		return nil, "", err
	}
	out := k.shown(&p, key)
	if !key.Extractable || key.State == identity.KeyDestroyed {
		return out, "", nil
	}
	var material []byte
	if err := k.db.View(ctx, func(r store.Reader) (err error) {
		_, material, err = k.material(r, key, key.Versions)
		return err
	}); err != nil {
		return nil, "", err
	}
	if err := k.used(ctx, c, use{key, "secrets.read"}); err != nil {
		return nil, "", err
	}
	return out, identity.Secret(material), nil
}

// Versions lists the versions of a key, the newest first, and how many there are
// (kms:secrets.listkeyversions); at most limit.
// Those of a deleted key are listed where all states are asked for. ReasonNotFound, ReasonDeleted.
func (k *KMS) Versions(ctx context.Context, c *identity.Caller, at At, id string, offset, limit int, allStates bool) (page []identity.KMSVersionID, total int, err error) {
	_, key, err := k.target(k.db.Snapshot(), c, at, id, "secrets.listkeyversions")
	if err != nil {
		return nil, 0, err
	}
	if key.State == identity.KeyDestroyed && !allStates {
		return nil, 0, deleted()
	}
	total = key.Versions
	last := max(0, total-max(0, offset)) // numbers begin at 1 and have no gaps
	if limit = min(limit, last); limit <= 0 {
		return nil, total, nil
	}
	err = k.db.View(ctx, func(r store.Reader) error {
		before := store.KMSVersionKey(key.ID, last-limit)
		rows, err := store.KMSVersions.List(r, "", key.ID+"/", store.After{Value: before, Key: before}, limit)
		page = nil
		for _, row := range slices.Backward(rows) {
			page = append(page, identity.KMSVersionID{ID: row.ID, CreatedAt: row.CreatedAt})
		}
		return err
	})
	return page, total, err
}
