package access

import (
	"context"
	"fmt"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// decide knows three rules: operators manage identities and the
// installation, root may do everything with its own account's things, and
// everyone else what a managed policy allows there.
func (a *Access) authorize(c *identity.Caller, action string, res Resource) Decision {
	d := a.decide(c, action, res)
	if !d.Allowed() && identity.KindOf(d.Err) == identity.KindAccessDenied {
		service, name, _ := strings.Cut(action, ":")
		a.refuse(context.Background(), c, name, service+".amazonaws.com", d.Err)
	}
	return d
}

func (a *Access) decide(c *identity.Caller, action string, res Resource) Decision {
	service, _, _ := strings.Cut(action, ":")
	if c.Kind == identity.Operator {
		if service == "daypass" || service == "iam" {
			return Decision{Effect: Allow, Statement: "operator"}
		}
		return denied(c, action, res)
	}
	if c.Kind == identity.Anonymous || service == "daypass" {
		return denied(c, action, res)
	}
	owner := res.AccountID
	if res.Bucket != "" && action != "s3:CreateBucket" {
		b, err := store.Buckets.Get(a.db.Snapshot(), res.Bucket)
		if err != nil || b.State != identity.BucketOwned {
			return Decision{Effect: ImplicitDeny, Err: &identity.Error{
				Kind: identity.KindNoSuchBucket, Op: "access", Detail: []identity.Detail{{Name: "BucketName", Value: res.Bucket}},
			}}
		}
		owner = b.AccountID
	} else if res.Bucket != "" {
		owner = c.AccountID
	}
	if owner == "" || owner != c.AccountID {
		return denied(c, action, res)
	}
	if c.Kind == identity.RootUser {
		return Decision{Effect: Allow, Statement: "root"}
	}
	if arn, ok := policy.CannedAllows(c.ManagedPolicies, action); ok {
		return Decision{Effect: Allow, Statement: arn}
	}
	return denied(c, action, res)
}

func denied(c *identity.Caller, action string, res Resource) Decision {
	who := "User: " + c.ARN
	if c.Kind == identity.Anonymous {
		who = "User: anonymous"
	}
	text := fmt.Sprintf("%s is not authorized to perform: %s", who, action)
	if res.ARN != "" {
		text += fmt.Sprintf(" on resource: %s", res.ARN)
	}
	text += fmt.Sprintf(" because no identity-based policy allows the %s action", action)
	return Decision{Effect: ImplicitDeny, Err: &identity.Error{Kind: identity.KindAccessDenied, Op: "access", Public: text}}
}
