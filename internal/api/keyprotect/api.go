package keyprotect

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// KMS keeps keys; *kms.KMS is the implementation.
type KMS interface {
	Create(ctx context.Context, c *identity.Caller, at kms.At, in kms.NewKey) (*kms.Key, error)
	Keys(ctx context.Context, c *identity.Caller, at kms.At, q kms.KeyQuery) (kms.KeyList, error)
	Key(ctx context.Context, c *identity.Caller, at kms.At, id string) (*kms.Key, error)
	Payload(ctx context.Context, c *identity.Caller, at kms.At, id string) (*kms.Key, identity.Secret, error)
	Versions(ctx context.Context, c *identity.Caller, at kms.At, id string, offset, limit int, allStates bool) ([]identity.KMSVersionID, int, error)
	Patch(ctx context.Context, c *identity.Caller, at kms.At, id, ring string) (*kms.Key, error)
	Delete(ctx context.Context, c *identity.Caller, at kms.At, id string, force bool) (*kms.Key, error)
	Restore(ctx context.Context, c *identity.Caller, at kms.At, id string, in kms.Material) (*kms.Key, error)
	Purge(ctx context.Context, c *identity.Caller, at kms.At, id string) (*kms.Key, error)

	Wrap(ctx context.Context, c *identity.Caller, at kms.At, id string, plaintext []byte, aad []string) (kms.Wrapped, error)
	Unwrap(ctx context.Context, c *identity.Caller, at kms.At, id string, ciphertext []byte, aad []string) (kms.Unwrapped, error)
	Rewrap(ctx context.Context, c *identity.Caller, at kms.At, id string, ciphertext []byte, aad []string) (kms.Unwrapped, error)
	Rotate(ctx context.Context, c *identity.Caller, at kms.At, id string, in kms.Material) error
	Disable(ctx context.Context, c *identity.Caller, at kms.At, id string) error
	Enable(ctx context.Context, c *identity.Caller, at kms.At, id string) error
	SetForDeletion(ctx context.Context, c *identity.Caller, at kms.At, id string) error
	UnsetForDeletion(ctx context.Context, c *identity.Caller, at kms.At, id string) error
	Sync(ctx context.Context, c *identity.Caller, at kms.At, id string) error

	CreateAlias(ctx context.Context, c *identity.Caller, at kms.At, id, name string) (string, identity.KMSAlias, error)
	DeleteAlias(ctx context.Context, c *identity.Caller, at kms.At, id, name string) error
	Policies(ctx context.Context, c *identity.Caller, at kms.At, id string) (*kms.Key, error)
	SetPolicies(ctx context.Context, c *identity.Caller, at kms.At, id string, change kms.PolicyChange) (*kms.Key, error)

	Registrations(ctx context.Context, c *identity.Caller, at kms.At, q kms.RegistrationQuery) (kms.RegistrationList, error)
	Register(ctx context.Context, c *identity.Caller, at kms.At, id, resource string, change kms.RegistrationChange, replace bool) (identity.KMSRegistration, error)
	UpdateRegistration(ctx context.Context, c *identity.Caller, at kms.At, id, resource string, change kms.RegistrationChange) (identity.KMSRegistration, error)
	Unregister(ctx context.Context, c *identity.Caller, at kms.At, id, resource string) error

	Rings(ctx context.Context, c *identity.Caller, at kms.At) ([]identity.KMSRing, error)
	CreateRing(ctx context.Context, c *identity.Caller, at kms.At, id string) error
	DeleteRing(ctx context.Context, c *identity.Caller, at kms.At, id string, force bool) error
	InstancePolicies(ctx context.Context, c *identity.Caller, at kms.At, kind string) ([]kms.InstancePolicy, error)
	SetInstancePolicies(ctx context.Context, c *identity.Caller, at kms.At, changes []kms.InstancePolicyChange) error
	AllowsAddresses(ctx context.Context, c *identity.Caller, at kms.At) (bool, error)
	CreateImportToken(ctx context.Context, c *identity.Caller, at kms.At, life time.Duration, retrievals int) (*kms.ImportToken, error)
	ImportToken(ctx context.Context, c *identity.Caller, at kms.At) (*kms.ImportToken, error)
	Usage(ctx context.Context, c *identity.Caller, at kms.At, id string) ([]kms.Use, error)
}
