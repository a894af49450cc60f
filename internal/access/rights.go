package access

import (
	"context"
	"strings"
	"sync"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// maxCompiled bounds the principals, and apart from them the roles' trust
// policies and the bucket policies, whose compiled documents stay in memory.
const maxCompiled = 16384

// compiled holds compiled policies. Those of users, roles and buckets are
// compared with their records at each use; when a managed policy or a group
// changes, everything is compiled anew, as needed.
type compiled struct {
	managed    sync.Map // *identity.ManagedPolicy -> *policy.Policy
	groups     sync.Map // *identity.Group -> []*policy.Policy
	principals *cache[string, *principalPolicies]
	resources  *cache[string, *resourcePolicy]
}

func newCompiled() *compiled {
	return &compiled{
		principals: newCache[string, *principalPolicies](maxCompiled),
		resources:  newCache[string, *resourcePolicy](maxCompiled),
	}
}

// principalPolicies are those of one user (with its groups) or role.
type principalPolicies struct {
	record   any // *identity.User or *identity.Role that they were compiled from
	identity []*policy.Policy
	boundary *policy.Policy
}

// resourcePolicy is the policy of a bucket, or the trust policy of a role.
type resourcePolicy struct {
	record any
	policy *policy.Policy
}

// rights are the policies that bear on one caller, and what they can say of it.
type rights struct {
	compiled  *compiled
	principal policy.Principal
	set       policy.Set // without Resource
}

// rightsOf returns what Authenticate made of the caller's policies, or, for a
// caller that comes another way or from before a change, makes it.
func (a *Access) rightsOf(c *identity.Caller) (*rights, error) {
	now := a.compiled.Load()
	if r, ok := c.Rights.(*rights); ok && r.compiled == now {
		return r, nil
	}
	snap := a.db.Snapshot()
	var p principal
	var err error
	if p.account, err = store.Accounts.Get(snap, c.AccountID); err != nil {
		return nil, err
	}
	if c.Kind == identity.RoleSession {
		p.role, err = store.Roles.Get(snap, c.PrincipalID)
	} else {
		p.user, err = store.Lookup(context.Background(), a.db, store.Users, c.PrincipalID)
	}
	if err != nil {
		return nil, err
	}
	return a.makeRights(snap, now, &p, c), nil
}

func (a *Access) makeRights(snap *store.Snapshot, all *compiled, p *principal, c *identity.Caller) *rights {
	r := &rights{compiled: all, principal: policyPrincipal(c)}
	switch {
	case p.role != nil:
		own := all.ofPrincipal(p.role.ID, p.role, func() *principalPolicies {
			return all.compile(snap, p.role.ARN(c.Partition), p.account, &p.role.Policies, nil)
		})
		r.set.Identity, r.set.Boundary = own.identity, own.boundary
	case p.user.Root:
		// In its own account root needs no policy. This is for what it hands out,
		// bounded by the session policy, and for another account's bucket whose
		// policy lets this account in.
		r.set.Identity = []*policy.Policy{all.cannedPolicy(policy.CannedARN(c.Partition, "AdministratorAccess"))}
	default:
		own := all.ofPrincipal(p.user.ID, p.user, func() *principalPolicies {
			return all.compile(snap, p.user.ARN(c.Partition), p.account, &p.user.Policies, p.user.Groups)
		})
		r.set.Identity, r.set.Boundary = own.identity, own.boundary
	}
	if c.SessionPolicy != "" {
		r.set.Session = append(r.set.Session, policy.Load(policy.SessionPolicy, c.SessionPolicy, policy.Options{ID: "session policy"}))
	}
	for _, arn := range c.SessionPolicyARNs {
		r.set.Session = append(r.set.Session, all.managedPolicy(snap, p.account, arn))
	}
	return r
}

func policyPrincipal(c *identity.Caller) policy.Principal {
	p := policy.Principal{
		Kind: c.Kind, ARN: c.ARN, Account: c.AccountID, ID: c.PrincipalID, UserID: c.UserID, OwnerARN: c.OwnerARN,
		Tags: c.Tags, CanonicalID: c.AccountID,
	}
	// A user that only its pool knows may have the name of one of IAM's, and
	// whoever manages the pool chose it.
	if c.Kind == identity.IAMUser && !strings.Contains(c.ARN, ":user"+identity.LocalPath) {
		p.Name = c.Name
	}
	return p
}

func (all *compiled) ofPrincipal(id string, record any, compile func() *principalPolicies) *principalPolicies {
	if have := all.principals.get(id); have != nil && have.record == record {
		return have
	}
	p := compile()
	p.record = record
	all.principals.put(id, p)
	return p
}

// compile compiles the policies of a user or role with this ARN, and of the
// groups it is in.
func (all *compiled) compile(snap *store.Snapshot, arn string, acc *identity.Account, own *identity.Policies, groups []string) *principalPolicies {
	p := &principalPolicies{identity: all.attached(snap, arn, acc, own)}
	for _, id := range groups {
		g, err := store.Groups.Get(snap, id)
		if err != nil {
			p.identity = append(p.identity, nil) // unknown means denied
			continue
		}
		of, ok := all.groups.Load(g)
		if !ok {
			of, _ = all.groups.LoadOrStore(g, all.attached(snap, g.ARN(acc.Partition), acc, &g.Policies))
		}
		p.identity = append(p.identity, of.([]*policy.Policy)...)
	}
	if own.Boundary != "" {
		if p.boundary = all.managedPolicy(snap, acc, own.Boundary); p.boundary == nil {
			p.boundary = policy.Load(policy.BoundaryPolicy, "", policy.Options{ID: own.Boundary}) // denies
		}
	}
	return p
}

// attached compiles inline and managed policies of one owner.
func (all *compiled) attached(snap *store.Snapshot, arn string, acc *identity.Account, own *identity.Policies) []*policy.Policy {
	out := make([]*policy.Policy, 0, len(own.Inline)+len(own.Access)+len(own.Managed))
	inline := func(name, document string) {
		out = append(out, policy.Load(policy.InlinePolicy, document, policy.Options{ID: arn + "/" + name}))
	}
	for name, document := range own.Inline {
		inline(name, document)
	}
	for i := range own.Access {
		inline(own.Access[i].InlineName(), policy.Granted(&own.Access[i], acc.ID, acc.Partition))
	}
	for _, m := range own.Managed {
		out = append(out, all.managedPolicy(snap, acc, m))
	}
	return out
}

// managedPolicy is nil, which denies, for one that does not exist.
func (all *compiled) managedPolicy(snap store.Reader, acc *identity.Account, arn string) *policy.Policy {
	if p := all.cannedPolicy(arn); p != nil {
		return p
	}
	record, err := ManagedPolicy(snap, acc, arn)
	if err != nil {
		return nil
	}
	if p, ok := all.managed.Load(record); ok {
		return p.(*policy.Policy)
	}
	p, _ := all.managed.LoadOrStore(record, policy.Load(policy.ManagedPolicy, record.InForce(), policy.Options{ID: arn}))
	return p.(*policy.Policy)
}

// cannedPolicy is nil for any other ARN.
func (all *compiled) cannedPolicy(arn string) *policy.Policy {
	if p, ok := all.managed.Load(arn); ok {
		return p.(*policy.Policy)
	}
	p, ok := policy.Canned(arn)
	if !ok {
		return nil
	}
	kept, _ := all.managed.LoadOrStore(arn, p)
	return kept.(*policy.Policy)
}

// ManagedPolicy finds a customer-managed policy of an account by its ARN.
// KindNotFound for one of another account too.
func ManagedPolicy(r store.Reader, acc *identity.Account, arn string) (*identity.ManagedPolicy, error) {
	absent := &identity.Error{Kind: identity.KindNotFound, Op: "access.policy"}
	a, ok := identity.ParseARN(arn)
	path, name, isPolicy := a.Name("policy")
	if !ok || !isPolicy || a.Service != "iam" || a.Region != "" || a.Partition != acc.Partition || a.Account != acc.ID {
		return nil, absent
	}
	p, err := store.ManagedPolicies.By(r, "name", store.Join(acc.ID, store.Fold(name)))
	if err == nil && (p.Name != name || p.Path != path) {
		return nil, absent
	}
	return p, err
}

// bucketPolicy is nil for a bucket without one.
func (a *Access) bucketPolicy(snap *store.Snapshot, bucket string) *policy.Policy {
	record, err := store.BucketPolicies.Get(snap, bucket)
	if identity.KindOf(err) == identity.KindNotFound {
		return nil
	}
	if err != nil { // unknown means denied
		return policy.Load(policy.ResourcePolicy, "", policy.Options{ID: bucket})
	}
	return a.compiled.Load().resource("b/"+bucket, record, func() *policy.Policy {
		return policy.Load(policy.ResourcePolicy, record.Document, policy.Options{ID: bucket, Bindings: record.Bindings})
	})
}

func (a *Access) trustPolicy(role *identity.Role) *policy.Policy {
	return a.compiled.Load().resource("r/"+role.ID, role, func() *policy.Policy {
		return policy.Load(policy.TrustPolicy, role.Trust, policy.Options{ID: role.Name, Bindings: role.TrustBindings})
	})
}

func (all *compiled) resource(key string, record any, load func() *policy.Policy) *policy.Policy {
	if have := all.resources.get(key); have != nil && have.record == record {
		return have.policy
	}
	p := load()
	all.resources.put(key, &resourcePolicy{record, p})
	return p
}

// PoliciesOf compiles what bears on a user, role or group with this ARN, for
// simulations: own and, of a user, its groups' policies.
func (a *Access) PoliciesOf(acc *identity.Account, arn string, own *identity.Policies, groups []string) policy.Set {
	all := a.compiled.Load()
	p := all.compile(a.db.Snapshot(), arn, acc, own, groups)
	return policy.Set{Identity: p.identity, Boundary: p.boundary}
}
