package keyprotect

import (
	"context"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// KMS keeps keys; *kms.KMS is the implementation.
type KMS interface {
	Create(ctx context.Context, c *identity.Caller, at kms.At, in kms.NewKey) (*kms.Key, error)
	Keys(ctx context.Context, c *identity.Caller, at kms.At, q kms.KeyQuery) (kms.KeyList, error)
	Key(ctx context.Context, c *identity.Caller, at kms.At, id string) (*kms.Key, error)
	Payload(ctx context.Context, c *identity.Caller, at kms.At, id string) (*kms.Key, identity.Secret, error)

	Wrap(ctx context.Context, c *identity.Caller, at kms.At, id string, plaintext []byte, aad []string) (kms.Wrapped, error)
	Unwrap(ctx context.Context, c *identity.Caller, at kms.At, id string, ciphertext []byte, aad []string) (kms.Unwrapped, error)
	Rewrap(ctx context.Context, c *identity.Caller, at kms.At, id string, ciphertext []byte, aad []string) (kms.Unwrapped, error)
}
