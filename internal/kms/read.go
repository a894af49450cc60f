package kms

import (
	"context"

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
