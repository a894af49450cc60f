package directory

import (
	"context"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// AttachPolicy attaches a managed policy of the account, or a canned one; again
// is no error (IAM AttachUserPolicy, AttachRolePolicy, AttachGroupPolicy).
// KindNotFound for any other ARN; KindLimitExceeded for the eleventh.
func (d *Directory) AttachPolicy(ctx context.Context, c *identity.Caller, o Owner, arn string) error {
	action := "Attach" + o.Kind.String() + "Policy"
	ev := audit.Change(c, iamSource, action, map[string]string{o.word() + "Name": o.Name, "policyArn": arn})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		own, err := d.owner(tx, c, "iam:"+action, o, access.EntityKeys{"iam:PolicyARN": {arn}})
		if err != nil {
			return err
		}
		if err := checkAttachable(tx, c.AccountID, arn); err != nil {
			return err
		}
		if slices.Contains(own.policies.Managed, arn) {
			return nil
		}
		if len(own.policies.Managed) >= maxAttached {
			return exceeded("Cannot exceed quota for PoliciesPer%s: %d", o.Kind, maxAttached)
		}
		own.policies.Managed = append(own.policies.Managed, arn)
		return own.put(tx, own.policies)
	})
}

// checkAttachable wants a managed policy that the account can use.
func checkAttachable(r store.Reader, account, arn string) error {
	acc, err := store.Accounts.Get(r, account)
	if err != nil {
		return err
	}
	_, err = usablePolicy(r, acc, arn)
	if identity.KindOf(err) == identity.KindNotFound {
		return absent("Policy %s does not exist or is not attachable.", arn)
	}
	return err
}

// DetachPolicy takes an attached managed policy away (IAM DetachUserPolicy,
// DetachRolePolicy, DetachGroupPolicy).
func (d *Directory) DetachPolicy(ctx context.Context, c *identity.Caller, o Owner, arn string) error {
	action := "Detach" + o.Kind.String() + "Policy"
	ev := audit.Change(c, iamSource, action, map[string]string{o.word() + "Name": o.Name, "policyArn": arn})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		own, err := d.owner(tx, c, "iam:"+action, o, access.EntityKeys{"iam:PolicyARN": {arn}})
		if err != nil {
			return err
		}
		i := slices.Index(own.policies.Managed, arn)
		if i < 0 {
			return absent("Policy %s was not found.", arn)
		}
		own.policies.Managed = slices.Delete(own.policies.Managed, i, i+1)
		return own.put(tx, own.policies)
	})
}

// AttachedPolicy is a managed policy as its owners list it.
type AttachedPolicy struct{ Name, ARN string }

// ListAttachedPolicies lists the managed policies of an owner whose path
// begins with pathPrefix (IAM ListAttachedUserPolicies,
// ListAttachedRolePolicies, ListAttachedGroupPolicies).
func (d *Directory) ListAttachedPolicies(ctx context.Context, c *identity.Caller, o Owner, pathPrefix string, p Page) (Listing[AttachedPolicy], error) {
	var out Listing[AttachedPolicy]
	pathPrefix = orSlash(pathPrefix)
	err := d.db.View(ctx, func(r store.Reader) error {
		own, err := d.owner(r, c, "iam:ListAttached"+o.Kind.String()+"Policies", o, nil)
		if err != nil {
			return err
		}
		if err := checkPathPrefix(pathPrefix); err != nil {
			return err
		}
		var list []AttachedPolicy
		for _, arn := range own.policies.Managed {
			a, _ := identity.ParseARN(arn)
			if path, name, ok := a.Name("policy"); ok && strings.HasPrefix(path, pathPrefix) {
				list = append(list, AttachedPolicy{Name: name, ARN: arn})
			}
		}
		out, err = pages(d, c, "attached/"+own.id, p, sliceSpan(list, func(a *AttachedPolicy) string { return a.ARN }))
		return err
	})
	return out, err
}

// PutBoundary bounds the rights of a user or role by a managed policy (IAM
// PutUserPermissionsBoundary, PutRolePermissionsBoundary). KindNotFound when
// the account can use no policy of that ARN.
func (d *Directory) PutBoundary(ctx context.Context, c *identity.Caller, o Owner, arn string) error {
	action := "Put" + o.Kind.String() + "PermissionsBoundary"
	ev := audit.Change(c, iamSource, action, map[string]string{o.word() + "Name": o.Name, "permissionsBoundary": arn})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		own, err := d.owner(tx, c, "iam:"+action, o, access.EntityKeys{}.Bounded(arn))
		if err != nil {
			return err
		}
		if o.Kind == GroupOwner || arn == "" {
			return invalid("A permissions boundary is a policy of a user or a role.")
		}
		acc, err := store.Accounts.Get(tx, c.AccountID)
		if err != nil {
			return err
		}
		if err := checkBoundary(tx, acc, arn); err != nil {
			return err
		}
		own.policies.Boundary = arn
		return own.put(tx, own.policies)
	})
}

// DeleteBoundary takes the bound away, where there is one (IAM
// DeleteUserPermissionsBoundary, DeleteRolePermissionsBoundary).
func (d *Directory) DeleteBoundary(ctx context.Context, c *identity.Caller, o Owner) error {
	action := "Delete" + o.Kind.String() + "PermissionsBoundary"
	ev := audit.Change(c, iamSource, action, map[string]string{o.word() + "Name": o.Name})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		own, err := d.owner(tx, c, "iam:"+action, o, nil)
		if err != nil {
			return err
		}
		own.policies.Boundary = ""
		return own.put(tx, own.policies)
	})
}
