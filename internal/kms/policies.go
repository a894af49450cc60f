package kms

import (
	"context"
	"fmt"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// PolicyChange is what a call wants a key's policies to be; nil leaves one, or one
// part of it, as it is.
type PolicyChange struct {
	Rotation *RotationChange
	DualAuth *bool
}

// RotationChange is that of a rotation policy. Who says how often alone wants it
// enabled.
type RotationChange struct {
	Enabled *bool
	Months  *int
}

// Policies shows a key with its policies (kms:policies.read). ReasonNotFound.
func (k *KMS) Policies(_ context.Context, c *identity.Caller, at At, id string) (*Key, error) {
	p, key, err := k.target(k.db.Snapshot(), c, at, id, "policies.read")
	if err != nil {
		return nil, err
	}
	return k.shown(&p, key), nil
}

// SetPolicies changes policies of a key (kms:policies.write). ReasonNotFound,
// ReasonDeleted, ReasonBadField; ReasonNotRoot and ReasonPolicyConflict for a
// rotation of what is not generated here; ReasonDualAuth where one alone would end
// the rule that two must agree.
func (k *KMS) SetPolicies(ctx context.Context, c *identity.Caller, at At, id string, change PolicyChange) (*Key, error) {
	return k.onKey(ctx, c, at, id, "policies.write", func(tx store.Tx, _ *place, key *identity.KMSKey) error {
		if key.State == identity.KeyDestroyed {
			return deleted()
		}
		if r := change.Rotation; r != nil {
			if err := k.setRotation(c, key, r); err != nil {
				return err
			}
		}
		if change.DualAuth == nil {
			return nil
		}
		// One who could switch the policy off would need nobody else.
		if dualAuth(key) && !*change.DualAuth {
			if err := k.agreed(tx, c, key); err != nil {
				return err
			}
			key.Doomed = nil
		}
		key.DualAuth = k.policyOf(c, key.DualAuth, *change.DualAuth)
		return nil
	})
}

func (k *KMS) setRotation(c *identity.Caller, key *identity.KMSKey, r *RotationChange) error {
	if key.Extractable {
		return notRoot()
	}
	if key.Imported {
		return refuse(identity.KindValidation, ReasonPolicyConflict, "Only keys that are generated here are rotated by a policy.")
	}
	months := 0
	if key.Rotation != nil {
		months = key.Rotation.Months
	}
	enabled, months, err := r.merged(months)
	if err != nil {
		return err
	}
	key.Rotation = k.policyOf(c, key.Rotation, enabled)
	key.Rotation.Months = months
	return nil
}

// merged is the change on top of the interval that there is, 0 for none.
func (r *RotationChange) merged(months int) (enabled bool, _ int, err error) {
	if r.Months != nil {
		months = *r.Months
	}
	enabled = r.Enabled == nil || *r.Enabled
	if months < 1 || months > maxMonths {
		if r.Months != nil || enabled {
			return false, 0, badField("interval_month", fmt.Sprintf("is from 1 to %d", maxMonths))
		}
	}
	return enabled, months, nil
}

// policyOf is the next version of a policy, of which there may be none yet.
func (k *KMS) policyOf(c *identity.Caller, have *identity.KMSPolicy, enabled bool) *identity.KMSPolicy {
	now := k.now()
	out := identity.KMSPolicy{CreatedBy: c.IAMID(), CreatedAt: now}
	if have != nil {
		out = *have
	}
	out.Enabled, out.UpdatedBy, out.UpdatedAt = enabled, c.IAMID(), now
	return &out
}
