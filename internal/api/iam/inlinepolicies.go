package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// InlinePolicies manages the policies that are part of users, roles and groups.
type InlinePolicies interface {
	PutInlinePolicy(ctx context.Context, c *identity.Caller, o directory.Owner, name, document string) error
	GetInlinePolicy(ctx context.Context, c *identity.Caller, o directory.Owner, name string) (directory.InlinePolicy, error)
	DeleteInlinePolicy(ctx context.Context, c *identity.Caller, o directory.Owner, name string) error
	ListInlinePolicies(ctx context.Context, c *identity.Caller, o directory.Owner, p directory.Page) (directory.Listing[string], error)
}

var inlinePolicyActions = map[string]action{
	"PutUserPolicy":     putInlinePolicy(directory.UserOwner),
	"PutRolePolicy":     putInlinePolicy(directory.RoleOwner),
	"PutGroupPolicy":    putInlinePolicy(directory.GroupOwner),
	"GetUserPolicy":     getInlinePolicy(directory.UserOwner),
	"GetRolePolicy":     getInlinePolicy(directory.RoleOwner),
	"GetGroupPolicy":    getInlinePolicy(directory.GroupOwner),
	"DeleteUserPolicy":  deleteInlinePolicy(directory.UserOwner),
	"DeleteRolePolicy":  deleteInlinePolicy(directory.RoleOwner),
	"DeleteGroupPolicy": deleteInlinePolicy(directory.GroupOwner),
	"ListUserPolicies":  listInlinePolicies(directory.UserOwner),
	"ListRolePolicies":  listInlinePolicies(directory.RoleOwner),
	"ListGroupPolicies": listInlinePolicies(directory.GroupOwner),
}

func putInlinePolicy(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, name, document := in.owner(kind), in.policyName(), in.policyDocument()
		if in.err != nil {
			return nil, in.err
		}
		return nil, h.directory.PutInlinePolicy(c.ctx, c.caller, owner, name, document)
	}
}

func getInlinePolicy(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, name := in.owner(kind), in.policyName()
		if in.err != nil {
			return nil, in.err
		}
		p, err := h.directory.GetInlinePolicy(c.ctx, c.caller, owner, name)
		if err != nil {
			return nil, err
		}
		return func(x *awswire.XML) {
			x.Elem(kind.String()+"Name", p.Owner)
			x.Elem("PolicyName", p.Name)
			x.Elem("PolicyDocument", awswire.PercentEncode(p.Document))
		}, nil
	}
}

func deleteInlinePolicy(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, name := in.owner(kind), in.policyName()
		if in.err != nil {
			return nil, in.err
		}
		return nil, h.directory.DeleteInlinePolicy(c.ctx, c.caller, owner, name)
	}
}

func listInlinePolicies(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, page := in.owner(kind), in.page()
		if in.err != nil {
			return nil, in.err
		}
		list, err := h.directory.ListInlinePolicies(c.ctx, c.caller, owner, page)
		if err != nil {
			return nil, err
		}
		return func(x *awswire.XML) {
			x.List("PolicyNames", list.Items)
			writePaging(x, list.Next)
		}, nil
	}
}
