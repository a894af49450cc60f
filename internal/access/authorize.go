package access

import (
	"context"
	"slices"
	"strings"
	"sync"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

func (a *Access) authorize(c *identity.Caller, action string, res Resource) Decision {
	d := a.decide(c, action, res)
	a.refused(c, action, res, d)
	return d
}

// refused records a denial that the caller of access does not record itself.
func (a *Access) refused(c *identity.Caller, action string, res Resource, d Decision) {
	if d.Allowed() || res.Unrecorded || identity.KindOf(d.Err) != identity.KindAccessDenied {
		return
	}
	service, name, _ := strings.Cut(action, ":")
	source := service + ".amazonaws.com"
	if slices.Contains(ibmServices, service) {
		source = service
	}
	a.refuse(context.Background(), c, name, source, d.Err)
}

// decide: operators manage identities and the installation; everyone else has
// what the policies say.
func (a *Access) decide(c *identity.Caller, action string, res Resource) Decision {
	service, _, _ := strings.Cut(action, ":")
	if c.Kind == identity.Operator {
		if slices.Contains(operatorServices, service) {
			return Decision{Effect: Allow, Statement: "operator"}
		}
		return denied(c, action, res, policy.Decision{})
	}
	if c.Kind == identity.Anonymous || service == "daypass" || res.AccountID == "" && res.Bucket == "" || limitedSession(c, service, action) {
		return denied(c, action, res, policy.Decision{})
	}
	r, err := a.rightsOf(c)
	if err != nil {
		if identity.KindOf(err) == identity.KindNotFound {
			return denied(c, action, res, policy.Decision{})
		}
		return Decision{Effect: ImplicitDeny, Err: err}
	}
	owner := res.AccountID
	var resource *policy.Policy
	if res.Bucket != "" && action != "s3:CreateBucket" {
		snap := a.db.Snapshot()
		b, err := store.Buckets.Get(snap, res.Bucket)
		if err != nil || !served(b, action) {
			return Decision{Effect: ImplicitDeny, Err: &identity.Error{
				Kind: identity.KindNoSuchBucket, Op: "access", Detail: []identity.Detail{{Name: "BucketName", Value: res.Bucket}},
			}}
		}
		owner, resource = b.AccountID, a.bucketPolicy(snap, res.Bucket)
		if owner != c.AccountID {
			if d := a.letsIn(snap, c, r, resource, action, res, owner); !d.Allowed() {
				return d
			}
		}
	} else if res.Bucket != "" {
		owner = c.AccountID
	}
	return a.evaluate(c, r, resource, action, res, owner)
}

// operatorServices are those whose actions an operator may perform: on
// identities and on the installation, not on what accounts keep.
var operatorServices = []string{"daypass", "iam", "cognito-idp", "cognito-identity", "execute-api", identity.IAMIdentity}

// ibmServices are those of IBM's dialect.
var ibmServices = []string{identity.IAMIdentity, identity.IAMAccess, identity.ResourceController, identity.KeyManagement}

// AuthorizeOwn decides whether the caller may do something that concerns itself
// alone (its own password, devices, sessions, tokens). A person who logged in
// may, unless a policy denies it in words; everybody else needs a policy. An API
// token may only what apiTokenOwn lists.
func (a *Access) AuthorizeOwn(c *identity.Caller, action string, res Resource) Decision {
	d := a.decide(c, action, res)
	if c.APIToken && !slices.Contains(apiTokenOwn, action) {
		if d.Allowed() {
			d = denied(c, action, res, policy.Decision{})
		}
	} else if d.Effect == ImplicitDeny && c.Interactive && identity.KindOf(d.Err) == identity.KindAccessDenied {
		return Decision{Effect: Allow, Statement: "own"}
	}
	a.refused(c, action, res, d)
	return d
}

// apiTokenOwn are the actions on itself that an API token may perform.
var apiTokenOwn = []string{"cognito-idp:GetUser", "cognito-idp:GlobalSignOut"}

// served reports whether a bucket answers to an action: one that is being
// deleted only to that.
func served(b *identity.Bucket, action string) bool {
	return b.State == identity.BucketOwned || b.State == identity.BucketDeleting && action == "s3:DeleteBucket"
}

// letsIn asks the policy of another account's bucket alone, before the caller's
// own policies are asked: what those read of the bucket's objects, such as their
// tags, is not the caller's to learn until it was let in. Partitions are apart,
// as in AWS: ARNs of the one mean nothing in policies of another.
func (a *Access) letsIn(snap *store.Snapshot, c *identity.Caller, r *rights, resource *policy.Policy, action string, res Resource, owner string) Decision {
	if acc, err := store.Accounts.Get(snap, owner); err != nil || acc.Partition != c.Partition {
		resource = nil // which denies
	}
	guest := rights{principal: r.principal}
	guest.set.Identity = []*policy.Policy{a.compiled.Load().cannedPolicy(policy.CannedARN(c.Partition, "AdministratorAccess"))}
	if c.Kind == identity.Federated {
		guest.set.Session = guest.set.Identity // without one it has no rights elsewhere
	}
	return a.evaluate(c, &guest, resource, action, res, owner)
}

// MayUnder reports whether the caller could perform an action on a bucket of
// its own account if p were the bucket's policy.
func (a *Access) MayUnder(c *identity.Caller, p *policy.Policy, action string, res Resource) bool {
	r, err := a.rightsOf(c)
	res.Brief = true
	return err == nil && a.evaluate(c, r, p, action, res, c.AccountID).Allowed()
}

// question is what the policy engine is asked; a pool keeps it off the heap.
type question struct {
	request policy.Request
	facts   facts
	set     policy.Set
}

var questions = sync.Pool{New: func() any { return new(question) }}

// evaluate asks the policy engine.
func (a *Access) evaluate(c *identity.Caller, r *rights, resource *policy.Policy, action string, res Resource, owner string) Decision {
	q := questions.Get().(*question)
	defer func() { *q = question{}; questions.Put(q) }()
	now := a.clock.Now()
	q.facts = facts{caller: c, keys: res.Keys, later: res.Later, owner: owner, now: now}
	q.request = policy.Request{
		Principal: r.principal, Action: action, Resource: res.ARN, ResourceAccount: owner, Time: now, Context: &q.facts,
	}
	q.set = r.set
	q.set.Resource = resource
	d := policy.Evaluate(&q.request, &q.set)
	if d.Allowed() {
		return Decision{Effect: Allow, Statement: decidedBy(d)}
	}
	out := denied(c, action, res, d)
	if !res.Brief && c.AccountID != "" {
		if message := a.encode(c, a.explain(c, q, &res)); message != "" {
			identity.AsError(out.Err).Public += identity.EncodedMessage + message
		}
	}
	return out
}

// decidedBy names what opened the way.
func decidedBy(d policy.Decision) string {
	switch {
	case d.Layer == policy.RootLayer:
		return "root"
	case d.Policy != nil:
		return d.Policy.ID()
	}
	return ""
}

// limitedSession reports the calls that AWS keeps from two kinds of sessions,
// whatever their policies say. Sessions of GetSessionToken: IAM only when made
// with MFA, STS only AssumeRole (and GetCallerIdentity, which asks nobody).
// Sessions of GetFederationToken: neither IAM nor STS.
func limitedSession(c *identity.Caller, service, action string) bool {
	switch {
	case c.Kind == identity.Federated:
		return service == "iam" || service == "sts"
	case !c.Temporary || c.Kind == identity.RoleSession || c.ProviderARN != "" || c.SessionPolicy != "":
		return false // the last: AssumeRoot's, which its task policy bounds
	case service == "iam":
		return !c.MFA
	}
	return service == "sts" && action != "sts:AssumeRole"
}

// denied is AWS's sentence about a refusal.
func denied(c *identity.Caller, action string, res Resource, d policy.Decision) Decision {
	who := "User: " + c.ARN
	if c.Kind == identity.Anonymous {
		who = "User: anonymous"
	}
	text := who + " is not authorized to perform: " + action
	switch arn := res.shown(); {
	case arn == "":
	case strings.HasPrefix(action, "s3:"): // S3 alone quotes it
		text += ` on resource: "` + arn + `"`
	default:
		text += " on resource: " + arn
	}
	if d.Layer == policy.NoLayer {
		d.Layer = policy.IdentityLayer
	}
	out := Decision{Effect: ImplicitDeny}
	if d.Effect == policy.ExplicitDeny {
		out.Effect = ExplicitDeny
	}
	if d.Policy != nil {
		out.Statement = d.Policy.ID()
	}
	out.Err = &identity.Error{Kind: identity.KindAccessDenied, Op: "access", Public: text + " " + d.Because(action)}
	return out
}
