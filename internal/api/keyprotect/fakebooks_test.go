package keyprotect_test

import (
	"context"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

func (core) CreateAlias(_ context.Context, c *identity.Caller, at kms.At, id, name string) (string, identity.KMSAlias, error) {
	return keyID, identity.KMSAlias{Name: name, CreatedBy: c.IAMID(), CreatedAt: made}, fault(at, id)
}

func (core) DeleteAlias(_ context.Context, _ *identity.Caller, at kms.At, id, _ string) error {
	return fault(at, id)
}

func policy(enabled bool, months int) *identity.KMSPolicy {
	const by = "IBMid-AIDAEXAMPLE"
	return &identity.KMSPolicy{Enabled: enabled, Months: months, CreatedBy: by, CreatedAt: made, UpdatedBy: by, UpdatedAt: made}
}

func (core) Policies(_ context.Context, _ *identity.Caller, at kms.At, id string) (*kms.Key, error) {
	k, err := about(at, id)
	if err == nil {
		k.Rotation, k.DualAuth = policy(true, 3), policy(false, 0)
	}
	return k, err
}

func (core) SetPolicies(_ context.Context, _ *identity.Caller, at kms.At, id string, change kms.PolicyChange) (*kms.Key, error) {
	k, err := about(at, id)
	if err != nil {
		return nil, err
	}
	if r := change.Rotation; r != nil {
		k.Rotation = policy(r.Enabled == nil || *r.Enabled, 6)
		if r.Months != nil {
			k.Rotation.Months = *r.Months
		}
	}
	if change.DualAuth != nil {
		k.DualAuth = policy(*change.DualAuth, 0)
	}
	return k, nil
}

func (core) Registrations(_ context.Context, _ *identity.Caller, at kms.At, q kms.RegistrationQuery) (kms.RegistrationList, error) {
	r := registered(q.Resource)
	r.Description = q.Key
	return kms.RegistrationList{Registrations: []identity.KMSRegistration{r}, Total: 7}, fault(at, q.Key)
}

func registered(resource string) identity.KMSRegistration {
	return identity.KMSRegistration{
		Instance: instance, KeyID: keyID, Resource: resource, VersionID: keyID, CreatedBy: "iam-ServiceId-x", CreatedAt: made,
	}
}

func (core) Register(_ context.Context, _ *identity.Caller, at kms.At, id, resource string, change kms.RegistrationChange, _ bool) (identity.KMSRegistration, error) {
	r := registered(resource)
	if change.Description != nil {
		r.Description = *change.Description
	}
	if change.Prevents != nil {
		r.PreventsDelete = *change.Prevents
	}
	if change.VersionID != nil {
		r.VersionID = *change.VersionID
	}
	return r, fault(at, id)
}

func (c core) UpdateRegistration(ctx context.Context, caller *identity.Caller, at kms.At, id, resource string, change kms.RegistrationChange) (identity.KMSRegistration, error) {
	return c.Register(ctx, caller, at, id, resource, change, true)
}

func (core) Unregister(_ context.Context, _ *identity.Caller, at kms.At, id, _ string) error {
	return fault(at, id)
}

func (core) Rings(_ context.Context, _ *identity.Caller, at kms.At) ([]identity.KMSRing, error) {
	return []identity.KMSRing{{Instance: instance, ID: "default"}, {Instance: instance, ID: "east", CreatedBy: "IBMid-AIDAEXAMPLE", CreatedAt: made}}, fault(at, "")
}

func (core) CreateRing(_ context.Context, _ *identity.Caller, at kms.At, id string) error {
	return fault(at, id)
}

func (core) DeleteRing(_ context.Context, _ *identity.Caller, at kms.At, id string, force bool) error {
	if !force {
		return fault(at, "reason-"+string(kms.ReasonInUse))
	}
	return fault(at, id)
}

func (core) InstancePolicies(_ context.Context, _ *identity.Caller, at kms.At, kind string) ([]kms.InstancePolicy, error) {
	ip := *policy(true, 0)
	ip.Addresses = []string{"192.0.2.0/24"}
	creation := *policy(true, 0)
	creation.Creation = map[string]bool{"create_root_key": true, "enforce_token": false}
	network := *policy(false, 0)
	network.Network = "public-and-private"
	return []kms.InstancePolicy{
		{Type: "allowedNetwork", KMSPolicy: network},
		{Type: "allowedIP", KMSPolicy: ip},
		{Type: "keyCreateImportAccess", KMSPolicy: creation},
		{Type: "rotation", KMSPolicy: *policy(true, 12)},
		{Type: "metrics", KMSPolicy: *policy(false, 0)},
	}, fault(at, kind)
}

func (core) SetInstancePolicies(_ context.Context, _ *identity.Caller, at kms.At, changes []kms.InstancePolicyChange) error {
	return fault(at, changes[0].Type)
}

func (core) AllowsAddresses(_ context.Context, _ *identity.Caller, at kms.At) (bool, error) {
	return true, fault(at, "")
}

func (core) CreateImportToken(_ context.Context, _ *identity.Caller, at kms.At, life time.Duration, retrievals int) (*kms.ImportToken, error) {
	return &kms.ImportToken{ID: versionID, CreatedAt: made, ExpiresAt: made.Add(life), Max: retrievals, Remaining: retrievals}, fault(at, "")
}

func (core) ImportToken(_ context.Context, _ *identity.Caller, at kms.At) (*kms.ImportToken, error) {
	return &kms.ImportToken{
		ID: versionID, CreatedAt: made, ExpiresAt: made.Add(time.Hour), Max: 2, Remaining: 1, PublicKey: []byte("-----BEGIN PUBLIC KEY-----"), Nonce: []byte("nonce"),
	}, fault(at, "")
}

func (core) Usage(_ context.Context, _ *identity.Caller, at kms.At, id string) ([]kms.Use, error) {
	use := func(name string) kms.Use {
		return kms.Use{KeyName: name, KMSUse: identity.KMSUse{
			KeyID: keyID, Principal: "iam-ServiceId-x", Counts: map[string]uint64{"unwrap": 2, "wrap": 1}, FirstAt: made, LastAt: made, LastIP: "192.0.2.1",
		}}
	}
	if id != "" {
		return []kms.Use{use(id)}, fault(at, id)
	}
	return []kms.Use{use("first"), use("second"), use("third")}, fault(at, id)
}
