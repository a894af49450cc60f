package kms

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// Types of policies of instances, besides those that keys have too.
const (
	policyNetwork  = "allowedNetwork"
	policyIP       = "allowedIP"
	policyMetrics  = "metrics"
	policyCreation = "keyCreateImportAccess"
)

// policyTypes are in the order in which they are shown.
var policyTypes = []string{policyDualAuth, policyNetwork, policyIP, policyMetrics, policyCreation, policyRotation}

// Values of allowedNetwork.
const (
	networkAll     = "public-and-private"
	networkPrivate = "private-only"
)

// What keyCreateImportAccess says, by its names on the wire.
const (
	createRoot, createStandard = "create_root_key", "create_standard_key"
	importRoot, importStandard = "import_root_key", "import_standard_key"
	enforceToken               = "enforce_token"
)

// creationDefaults are what a policy that leaves something out says of it.
var creationDefaults = map[string]bool{createRoot: true, createStandard: true, importRoot: true, importStandard: true, enforceToken: false}

const maxAddresses = 1000

// InstancePolicy is a policy of an instance.
type InstancePolicy struct {
	Type string
	identity.KMSPolicy
}

// InstancePolicyChange is what a call wants a policy of an instance to be. Months,
// Network, Addresses and Creation are of the types that have them; what is not
// given is left as it is.
type InstancePolicyChange struct {
	Type      string
	Enabled   bool
	Months    *int
	Network   string
	Addresses []string
	Creation  map[string]bool
}

// InstancePolicies lists the policies of an instance, those of one type or, with
// "", all (kms:instancepolicies.read). ReasonBadField.
func (k *KMS) InstancePolicies(_ context.Context, c *identity.Caller, at At, kind string) ([]InstancePolicy, error) {
	snap := k.db.Snapshot()
	p, err := k.onInstance(snap, c, At{Instance: at.Instance}, "instancepolicies.read")
	if err != nil {
		return nil, err
	}
	if kind != "" && !slices.Contains(policyTypes, kind) {
		return nil, badPolicyType()
	}
	i, err := instanceOf(snap, p.ID)
	if err != nil {
		return nil, err
	}
	var out []InstancePolicy
	for _, t := range policyTypes {
		if policy, ok := i.Policies[t]; ok && (kind == "" || kind == t) {
			out = append(out, InstancePolicy{t, policy})
		}
	}
	return out, nil
}

func badPolicyType() error {
	return badField("policy_type", "is one of "+strings.Join(policyTypes, ", "))
}

// instanceOf is the row of an instance's policies, an empty one where there is
// none.
func instanceOf(r store.Reader, id string) (*identity.KMSInstance, error) {
	i, err := store.KMSInstances.Get(r, id)
	if identity.KindOf(err) == identity.KindNotFound {
		return &identity.KMSInstance{ID: id}, nil
	}
	return i, err
}

// SetInstancePolicies changes policies of an instance (kms:instancepolicies.write):
// all of them or none. ReasonBadField; ReasonPolicyConflict where the caller could
// not come back from where it calls.
func (k *KMS) SetInstancePolicies(ctx context.Context, c *identity.Caller, at At, changes []InstancePolicyChange) error {
	const action = "instancepolicies.write"
	if len(changes) > len(policyTypes) {
		return badField("policy_type", "is given more often than there are types")
	}
	names := make([]string, 0, len(changes))
	for _, change := range changes {
		names = append(names, clip(change.Type))
	}
	ev := audit.Change(c, source, action, map[string]string{"instanceId": clip(at.Instance), "policies": strings.Join(names, ",")})
	return k.change(ctx, c, ev, func(tx store.Tx) error {
		p, err := k.onInstance(tx, c, At{Instance: at.Instance}, action)
		if err != nil {
			return err
		}
		have, err := instanceOf(tx, p.ID)
		if err != nil {
			return err
		}
		next := identity.KMSInstance{ID: p.ID, Policies: maps.Clone(have.Policies)}
		if next.Policies == nil {
			next.Policies = map[string]identity.KMSPolicy{}
		}
		for i := range changes {
			if err := k.setInstancePolicy(c, &next, &changes[i]); err != nil {
				return err
			}
		}
		if !admits(&next, c.Request.SourceIP) {
			return refuse(identity.KindConflict, ReasonPolicyConflict, "The policies would shut out the address that the call comes from.")
		}
		return store.KMSInstances.Put(tx, &next)
	})
}

func (k *KMS) setInstancePolicy(c *identity.Caller, i *identity.KMSInstance, change *InstancePolicyChange) error {
	if !slices.Contains(policyTypes, change.Type) {
		return badPolicyType()
	}
	var have *identity.KMSPolicy
	if old, ok := i.Policies[change.Type]; ok {
		have = &old
	}
	next := k.policyOf(c, have, change.Enabled)
	if err := change.check(); err != nil {
		return err
	}
	switch change.Type {
	case policyRotation:
		r := RotationChange{Enabled: &change.Enabled, Months: change.Months}
		var err error
		if _, next.Months, err = r.merged(next.Months); err != nil {
			return err
		}
	case policyNetwork:
		if change.Network != "" {
			next.Network = change.Network
		}
		if change.Enabled && next.Network == "" {
			return badField("allowed_network", "must be given")
		}
	case policyIP:
		if change.Addresses != nil {
			next.Addresses = change.Addresses
		}
		if change.Enabled && len(next.Addresses) == 0 {
			return badField("allowed_ip", "must be given")
		}
	case policyCreation:
		next.Creation = maps.Clone(creationDefaults)
		if have != nil && change.Creation == nil {
			maps.Copy(next.Creation, have.Creation)
		}
		maps.Copy(next.Creation, change.Creation)
	}
	i.Policies[change.Type] = *next
	return nil
}

// check judges the values of a change, and that they are of its type.
func (p *InstancePolicyChange) check() error {
	switch {
	case p.Months != nil && p.Type != policyRotation, p.Network != "" && p.Type != policyNetwork,
		p.Addresses != nil && p.Type != policyIP, p.Creation != nil && p.Type != policyCreation:
		return badField("attributes", "has what is not of the policy's type")
	case p.Network != "" && p.Network != networkAll && p.Network != networkPrivate:
		return badField("allowed_network", "is "+networkAll+" or "+networkPrivate)
	case len(p.Addresses) > maxAddresses:
		return badField("allowed_ip", fmt.Sprintf("has at most %d addresses", maxAddresses))
	}
	for _, a := range p.Addresses {
		if _, err := parseBlock(a); err != nil {
			return badField("allowed_ip", "is a list of addresses, and of blocks of them as 192.0.2.0/24")
		}
	}
	for name := range p.Creation {
		if _, known := creationDefaults[name]; !known {
			return badField("attributes", "has what is not of the policy's type")
		}
	}
	return nil
}

// v4In6Bits are those before an IPv4 address that is written as an IPv6 one.
const v4In6Bits = 96

// parseBlock reads an address, or a block of them. Those of IPv4 may be written as
// ones of IPv6 (RFC 4291 §2.5.5.2).
func parseBlock(s string) (netip.Prefix, error) {
	none := fmt.Errorf("%q is no address", s)
	if block, err := netip.ParsePrefix(s); err == nil {
		if block.Addr().Is4In6() {
			if block.Bits() < v4In6Bits {
				return netip.Prefix{}, none
			}
			block = netip.PrefixFrom(block.Addr().Unmap(), block.Bits()-v4In6Bits)
		}
		return block.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, none
	}
	a = a.Unmap()
	return a.Prefix(a.BitLen())
}

// admits reports whether calls may come from an address, by the policies
// allowedIP and allowedNetwork. What is no address is admitted where neither is
// enabled.
func admits(i *identity.KMSInstance, source string) bool {
	ip, network := i.Policies[policyIP], i.Policies[policyNetwork]
	private := network.Enabled && network.Network == networkPrivate
	if !ip.Enabled && !private {
		return true
	}
	a, err := netip.ParseAddr(source)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	if private && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
		return false
	}
	return !ip.Enabled || slices.ContainsFunc(ip.Addresses, func(s string) bool {
		block, err := parseBlock(s)
		return err == nil && block.Contains(a)
	})
}

// comesFrom refuses calls from where the instance's policies let none come, before
// anything else is judged or told.
func comesFrom(r store.Reader, c *identity.Caller, instance string) error {
	i, err := store.KMSInstances.Get(r, instance)
	if err != nil {
		return gone(err)
	}
	if !admits(i, c.Request.SourceIP) {
		return refuse(identity.KindAccessDenied, ReasonNotAllowedFrom, "The instance does not take calls from this address.")
	}
	return nil
}

// AllowsAddresses reports whether the policy allowedIP of an instance is enabled
// (kms:instancepolicies.read; GET instance/allowed_ip_port).
func (k *KMS) AllowsAddresses(ctx context.Context, c *identity.Caller, at At) (bool, error) {
	list, err := k.InstancePolicies(ctx, c, at, policyIP)
	return len(list) == 1 && list[0].Enabled, err
}

// OpenInstance disables the policies of an instance that say where calls may come
// from (daypass:OpenInstance, which operators have): the way back in for an account
// that has shut itself out. ReasonNotFound.
func (k *KMS) OpenInstance(ctx context.Context, c *identity.Caller, instance string) error {
	ev := audit.Change(c, source, "OpenInstance", map[string]string{"instanceId": clip(instance)})
	return k.change(ctx, c, ev, func(tx store.Tx) error {
		if err := k.access.Authorize(c, "daypass:OpenInstance", access.Resource{}).Err; err != nil {
			return err
		}
		have, err := store.KMSInstances.Get(tx, clip(instance))
		if identity.KindOf(err) == identity.KindNotFound {
			return refuse(identity.KindNotFound, ReasonNotFound, "The instance has no policies.")
		}
		if err != nil {
			return err
		}
		next := identity.KMSInstance{ID: have.ID, Policies: maps.Clone(have.Policies)}
		for _, kind := range []string{policyIP, policyNetwork} {
			if p, ok := next.Policies[kind]; ok {
				next.Policies[kind] = *k.policyOf(c, &p, false)
			}
		}
		return store.KMSInstances.Put(tx, &next)
	})
}

// mayMake refuses keys that the policy keyCreateImportAccess of their instance does
// not let be made, of this kind or from this material. ReasonCreationNotAllowed.
func mayMake(r store.Reader, key *identity.KMSKey, in *Material) error {
	i, err := instanceOf(r, key.Instance)
	if err != nil {
		return err
	}
	name := map[[2]bool]string{{}: createRoot, {true}: createStandard, {false, true}: importRoot, {true, true}: importStandard}[[2]bool{key.Extractable, key.Imported}]
	if p := i.Policies[policyCreation]; p.Enabled && !p.Creation[name] {
		return creationNotAllowed()
	}
	return mayBring(r, key.Instance, in)
}

// mayBring refuses material in the clear where the policy wants an import token.
// ReasonCreationNotAllowed.
func mayBring(r store.Reader, instance string, in *Material) error {
	i, err := instanceOf(r, instance)
	if err != nil {
		return err
	}
	if p := i.Policies[policyCreation]; p.Enabled && p.Creation[enforceToken] && in.Payload != "" && len(in.EncryptedNonce) == 0 {
		return creationNotAllowed()
	}
	return nil
}

func creationNotAllowed() error {
	return refuse(identity.KindConflict, ReasonCreationNotAllowed, "The policy keyCreateImportAccess of the instance does not allow this.")
}
