package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// InlinePolicy is a policy that is part of its owner.
type InlinePolicy struct {
	Owner    string // its name
	Name     string
	Document string // JSON as written
}

// PutInlinePolicy makes or replaces an inline policy (IAM PutUserPolicy,
// PutRolePolicy, PutGroupPolicy). KindMalformedPolicy; KindLimitExceeded when
// all inline policies of the owner together are too long.
func (d *Directory) PutInlinePolicy(ctx context.Context, c *identity.Caller, o Owner, name, document string) error {
	action := "Put" + o.Kind.String() + "Policy"
	ev := audit.Change(c, iamSource, action, map[string]string{
		o.word() + "Name": o.Name, "policyName": name, "policyDocument": audited(document),
	})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		own, err := d.owner(tx, c, "iam:"+action, o, nil)
		if err != nil {
			return err
		}
		if err := checkInline(own.Owner, own.policies, name, document, c.Partition); err != nil {
			return err
		}
		if own.policies.Inline == nil {
			own.policies.Inline = map[string]string{}
		}
		own.policies.Inline[name] = document
		return own.put(tx, own.policies)
	})
}

// maxAudited is the longest document that an event quotes whole; a longer one
// could crowd out the rest.
const maxAudited = 8 << 10

func audited(document string) string {
	if len(document) <= maxAudited {
		return document
	}
	sum := sha256.Sum256([]byte(document))
	return fmt.Sprintf("(%d bytes, SHA-256 %s)", len(document), hex.EncodeToString(sum[:]))
}

// GetInlinePolicy returns an inline policy (IAM GetUserPolicy, GetRolePolicy,
// GetGroupPolicy).
func (d *Directory) GetInlinePolicy(ctx context.Context, c *identity.Caller, o Owner, name string) (InlinePolicy, error) {
	var out InlinePolicy
	err := d.db.View(ctx, func(r store.Reader) error {
		own, err := d.owner(r, c, "iam:Get"+o.Kind.String()+"Policy", o, nil)
		if err != nil {
			return err
		}
		document, ok := documents(&own.policies, c.AccountID, c.Partition)[name]
		if !ok {
			return noInline(o, name)
		}
		out = InlinePolicy{Owner: own.Name, Name: name, Document: document}
		return nil
	})
	return out, err
}

func noInline(o Owner, name string) error {
	return absent("The %s policy with name %s cannot be found.", o.word(), name)
}

// DeleteInlinePolicy removes an inline policy (IAM DeleteUserPolicy,
// DeleteRolePolicy, DeleteGroupPolicy).
func (d *Directory) DeleteInlinePolicy(ctx context.Context, c *identity.Caller, o Owner, name string) error {
	action := "Delete" + o.Kind.String() + "Policy"
	ev := audit.Change(c, iamSource, action, map[string]string{o.word() + "Name": o.Name, "policyName": name})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		own, err := d.owner(tx, c, "iam:"+action, o, nil)
		if err != nil {
			return err
		}
		if _, ok := documents(&own.policies, c.AccountID, c.Partition)[name]; !ok {
			return noInline(o, name)
		}
		delete(own.policies.Inline, name)
		own.policies.Access = slices.DeleteFunc(own.policies.Access, func(p identity.AccessPolicy) bool { return p.InlineName() == name })
		return own.put(tx, own.policies)
	})
}

// ListInlinePolicies lists the names of an owner's inline policies (IAM
// ListUserPolicies, ListRolePolicies, ListGroupPolicies).
func (d *Directory) ListInlinePolicies(ctx context.Context, c *identity.Caller, o Owner, p Page) (Listing[string], error) {
	var out Listing[string]
	err := d.db.View(ctx, func(r store.Reader) error {
		own, err := d.owner(r, c, "iam:List"+o.Kind.String()+"Policies", o, nil)
		if err != nil {
			return err
		}
		names := slices.Collect(maps.Keys(documents(&own.policies, c.AccountID, c.Partition)))
		out, err = pages(d, c, "inline/"+own.id, p, sliceSpan(names, func(s *string) string { return *s }))
		return err
	})
	return out, err
}
