package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// ManagedPolicies manages the managed policies of an account.
type ManagedPolicies interface {
	CreatePolicy(ctx context.Context, c *identity.Caller, in directory.NewPolicy) (directory.PolicyInfo, error)
	GetPolicy(ctx context.Context, c *identity.Caller, arn string) (directory.PolicyInfo, error)
	ListPolicies(ctx context.Context, c *identity.Caller, f directory.PolicyFilter, p directory.Page) (directory.Listing[directory.PolicyInfo], error)
	DeletePolicy(ctx context.Context, c *identity.Caller, arn string) error
	ListEntitiesForPolicy(ctx context.Context, c *identity.Caller, arn string, f directory.EntityFilter, p directory.Page) (directory.Listing[directory.Entity], error)
	TagPolicy(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error
	UntagPolicy(ctx context.Context, c *identity.Caller, arn string, keys []string) error
	ListPolicyTags(ctx context.Context, c *identity.Caller, arn string, p directory.Page) (directory.Listing[directory.Tag], error)
}

var managedPolicyActions = map[string]action{
	"CreatePolicy":          (*Handler).createPolicy,
	"GetPolicy":             (*Handler).getPolicy,
	"ListPolicies":          (*Handler).listPolicies,
	"DeletePolicy":          (*Handler).deletePolicy,
	"ListEntitiesForPolicy": (*Handler).listEntitiesForPolicy,
	"TagPolicy":             serveTag(func(h *Handler) tagCall { return h.directory.TagPolicy }, (*fields).policyARN),
	"UntagPolicy":           serveUntag(func(h *Handler) untagCall { return h.directory.UntagPolicy }, (*fields).policyARN),
	"ListPolicyTags":        serveListTags(func(h *Handler) listTagsCall { return h.directory.ListPolicyTags }, (*fields).policyARN),
}

func (h *Handler) createPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	wanted := directory.NewPolicy{
		Name: in.policyName(), Path: in.path("Path"), Description: in.description(), Document: in.policyDocument(), Tags: in.tags(),
	}
	if in.err != nil {
		return nil, in.err
	}
	p, err := h.directory.CreatePolicy(c.ctx, c.caller, wanted)
	if err != nil {
		return nil, err
	}
	return writePolicyElement(c, &p), nil
}

func (h *Handler) getPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn := in.policyARN()
	if in.err != nil {
		return nil, in.err
	}
	p, err := h.directory.GetPolicy(c.ctx, c.caller, arn)
	if err != nil {
		return nil, err
	}
	return writePolicyElement(c, &p), nil
}

func writePolicyElement(c *call, p *directory.PolicyInfo) func(*awswire.XML) {
	return func(x *awswire.XML) {
		x.Open("Policy")
		writePolicy(x, p, c.caller.Partition)
		x.OptElem("Description", p.Description)
		writeTags(x, p.Tags)
		x.Close("Policy")
	}
}

// writePolicy writes what lists show too.
func writePolicy(x *awswire.XML, p *directory.PolicyInfo, partition string) {
	x.Elem("PolicyName", p.Name)
	x.Elem("PolicyId", p.ID)
	x.Elem("Arn", p.ARN(partition))
	x.Elem("Path", p.Path)
	x.Elem("DefaultVersionId", p.Default)
	x.Int("AttachmentCount", int64(p.Attachments))
	x.Int("PermissionsBoundaryUsageCount", int64(p.Boundaries))
	x.Bool("IsAttachable", true)
	x.Time("CreateDate", p.CreatedAt)
	x.Time("UpdateDate", p.UpdatedAt)
}

var usages = map[string]directory.PolicyUsage{
	"": directory.AnyUse, "PermissionsPolicy": directory.PolicyUse, "PermissionsBoundary": directory.BoundaryUse,
}

// usage reads PolicyUsageFilter.
func (in *fields) usage() directory.PolicyUsage {
	return usages[in.choice("PolicyUsageFilter", "PermissionsPolicy", "PermissionsBoundary")]
}

func (h *Handler) listPolicies(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	scope := in.choice("Scope", "All", "AWS", "Local")
	filter := directory.PolicyFilter{
		PathPrefix: in.pathPrefix(), NoCanned: scope == "Local", OnlyCanned: scope == "AWS",
		OnlyAttached: in.boolean("OnlyAttached"), Use: in.usage(),
	}
	page := in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListPolicies(c.ctx, c.caller, filter, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("Policies")
		for i := range list.Items {
			x.Open("member")
			writePolicy(x, &list.Items[i], c.caller.Partition)
			x.Close("member")
		}
		x.Close("Policies")
		writePaging(x, list.Next)
	}, nil
}

func (h *Handler) deletePolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn := in.policyARN()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeletePolicy(c.ctx, c.caller, arn)
}

// entityKinds are the values of EntityFilter. Policies are no entities that
// have policies: with their values the lists are empty.
var entityKinds = map[string]directory.OwnerKind{
	"User": directory.UserOwner, "Role": directory.RoleOwner, "Group": directory.GroupOwner,
}

func (h *Handler) listEntitiesForPolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	arn, prefix, use, page := in.policyARN(), in.pathPrefix(), in.usage(), in.page()
	filter := directory.EntityFilter{PathPrefix: prefix, Use: use}
	kind := in.choice("EntityFilter", "User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
	if k, ok := entityKinds[kind]; ok {
		filter.Kinds = []directory.OwnerKind{k}
	} else if kind != "" {
		filter.None = true
	}
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListEntitiesForPolicy(c.ctx, c.caller, arn, filter, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		for _, kind := range []directory.OwnerKind{directory.GroupOwner, directory.UserOwner, directory.RoleOwner} {
			word := kind.String()
			x.Open("Policy" + word + "s")
			for _, e := range list.Items {
				if e.Kind == kind {
					x.Open("member")
					x.Elem(word+"Name", e.Name)
					x.Elem(word+"Id", e.ID)
					x.Close("member")
				}
			}
			x.Close("Policy" + word + "s")
		}
		writePaging(x, list.Next)
	}, nil
}
