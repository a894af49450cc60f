package directory

import (
	"fmt"
	"maps"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// OwnerKind is what can have policies.
type OwnerKind uint8

// Kinds of owners of policies.
const (
	UserOwner OwnerKind = iota
	RoleOwner
	GroupOwner
)

// String is the word of IAM's action names.
func (k OwnerKind) String() string { return [...]string{"User", "Role", "Group"}[k] }

// Owner is a user, role or group of the caller's account whose policies a call
// is about.
type Owner struct {
	Kind OwnerKind
	Name string
}

// Quotas of policies (IAM): characters of all inline policies together, white
// space not counted, and attached managed policies.
const maxAttached = 10

var maxInline = [...]int{UserOwner: 2048, RoleOwner: 10240, GroupOwner: 5120}

// owner is the record behind an Owner.
type owner struct {
	Owner
	id, arn  string
	policies identity.Policies // a copy
	tags     map[string]string
	put      func(store.Tx, identity.Policies) error
}

// findOwner returns the record; KindNotFound also for the root user, who has
// no policies.
func findOwner(r store.Reader, account, partition string, o Owner) (*owner, error) {
	key := store.Join(account, store.Fold(o.Name))
	out := &owner{Owner: o}
	var have identity.Policies
	switch o.Kind {
	case UserOwner:
		u, err := store.Users.By(r, "name", key)
		if err != nil || u.Root {
			return nil, noOwner(o, err)
		}
		out.Name, out.id, out.arn, out.tags, have = u.Name, u.ID, u.ARN(partition), u.Tags, u.Policies
		out.put = func(tx store.Tx, p identity.Policies) error {
			v := *u
			v.Policies = p
			return store.Users.Put(tx, &v)
		}
	case RoleOwner:
		role, err := store.Roles.By(r, "name", key)
		if err != nil {
			return nil, noOwner(o, err)
		}
		out.Name, out.id, out.arn, out.tags, have = role.Name, role.ID, role.ARN(partition), role.Tags, role.Policies
		out.put = func(tx store.Tx, p identity.Policies) error {
			v := *role
			v.Policies = p
			return store.Roles.Put(tx, &v)
		}
	default:
		g, err := store.Groups.By(r, "name", key)
		if err != nil {
			return nil, noOwner(o, err)
		}
		out.Name, out.id, out.arn, have = g.Name, g.ID, g.ARN(partition), g.Policies
		out.put = func(tx store.Tx, p identity.Policies) error {
			v := *g
			v.Policies = p
			return store.Groups.Put(tx, &v)
		}
	}
	out.policies = have.Clone()
	return out, nil
}

func noOwner(o Owner, err error) error {
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return absent("The %s with name %s cannot be found.", o.word(), o.Name)
}

// word is what sentences call the owner.
func (o Owner) word() string { return store.Fold(o.Kind.String()) }

func absent(format string, args ...any) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory", Public: fmt.Sprintf(format, args...)}
}

func exceeded(format string, args ...any) error {
	return &identity.Error{Kind: identity.KindLimitExceeded, Op: "directory", Public: fmt.Sprintf(format, args...)}
}

// arnOf is the name that a caller without rights is told: whether there is
// such an owner, and below which path, it does not learn.
func (o Owner) arnOf(c *identity.Caller) string {
	return identity.ARN{Partition: c.Partition, Service: "iam", Account: c.AccountID, Resource: o.word() + "/" + o.Name}.String()
}

// owner finds the owner that a call is about and asks whether the caller may.
// more are condition keys of the request; iam:PermissionsBoundary among them
// stands before the one that the owner has.
func (d *Directory) owner(r store.Reader, c *identity.Caller, action string, o Owner, more access.EntityKeys) (*owner, error) {
	have, err := findOwner(r, c.AccountID, c.Partition, o)
	if len(o.Name) > maxExisting {
		have, err = nil, noOwner(o, nil)
	}
	shown := o.arnOf(c)
	res := access.Resource{ARN: shown, Shown: shown, AccountID: c.AccountID}
	keys := access.EntityKeys{}
	if err == nil {
		res.ARN = have.arn
		keys.Tagged(have.tags).Bounded(have.policies.Boundary)
	}
	for k, v := range more {
		keys[k] = v
	}
	res.Keys = keys
	if denied := d.access.Authorize(c, action, res).Err; denied != nil {
		return nil, denied
	}
	return have, err
}

// checkDetached refuses to remove what policies hang on.
func checkDetached(p *identity.Policies) error {
	switch {
	case len(p.Managed) > 0:
		return conflicting("Cannot delete entity, must detach all policies first.")
	case len(p.Inline)+len(p.Access) > 0:
		return conflicting("Cannot delete entity, must delete policies first.")
	}
	return nil
}

func conflicting(format string, args ...any) error {
	return &identity.Error{Kind: identity.KindDeleteConflict, Op: "directory", Public: fmt.Sprintf(format, args...)}
}

// documents are the inline policies of an owner by name, with those that its
// access policies stand for.
func documents(p *identity.Policies, account, partition string) map[string]string {
	if len(p.Access) == 0 {
		return p.Inline
	}
	out := maps.Clone(p.Inline)
	if out == nil {
		out = map[string]string{}
	}
	for i := range p.Access {
		out[p.Access[i].InlineName()] = policy.Granted(&p.Access[i], account, partition)
	}
	return out
}

// checkInline judges an inline policy that an owner shall have, together with
// those that it has.
func checkInline(o Owner, have identity.Policies, name, document, partition string) error {
	if err := checkName("policyName", name, maxPolicyName); err != nil {
		return err
	}
	if identity.IsAccessPolicyName(name) {
		return invalid("The name %s is of a policy that IBM's dialect makes.", name)
	}
	p, err := policy.Parse(policy.InlinePolicy, document, policy.Options{Partition: partition})
	if err != nil {
		return err
	}
	size := p.Size()
	for other, text := range have.Inline {
		if other != name {
			size += policy.Load(policy.InlinePolicy, text, policy.Options{}).Size()
		}
	}
	if most := maxInline[o.Kind]; size > most {
		return exceeded("Maximum policy size of %d bytes exceeded for %s %s", most, o.word(), o.Name)
	}
	return nil
}
