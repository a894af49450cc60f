package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Attachments manages which managed policies users, roles and groups have, and
// which bound them.
type Attachments interface {
	AttachPolicy(ctx context.Context, c *identity.Caller, o directory.Owner, arn string) error
	DetachPolicy(ctx context.Context, c *identity.Caller, o directory.Owner, arn string) error
	ListAttachedPolicies(ctx context.Context, c *identity.Caller, o directory.Owner, pathPrefix string, p directory.Page) (directory.Listing[directory.AttachedPolicy], error)
	PutBoundary(ctx context.Context, c *identity.Caller, o directory.Owner, arn string) error
	DeleteBoundary(ctx context.Context, c *identity.Caller, o directory.Owner) error
}

var attachmentActions = map[string]action{
	"AttachUserPolicy":              attachPolicy(directory.UserOwner),
	"AttachRolePolicy":              attachPolicy(directory.RoleOwner),
	"AttachGroupPolicy":             attachPolicy(directory.GroupOwner),
	"DetachUserPolicy":              detachPolicy(directory.UserOwner),
	"DetachRolePolicy":              detachPolicy(directory.RoleOwner),
	"DetachGroupPolicy":             detachPolicy(directory.GroupOwner),
	"ListAttachedUserPolicies":      listAttachedPolicies(directory.UserOwner),
	"ListAttachedRolePolicies":      listAttachedPolicies(directory.RoleOwner),
	"ListAttachedGroupPolicies":     listAttachedPolicies(directory.GroupOwner),
	"PutUserPermissionsBoundary":    putBoundary(directory.UserOwner),
	"PutRolePermissionsBoundary":    putBoundary(directory.RoleOwner),
	"DeleteUserPermissionsBoundary": deleteBoundary(directory.UserOwner),
	"DeleteRolePermissionsBoundary": deleteBoundary(directory.RoleOwner),
}

func attachPolicy(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, arn := in.owner(kind), in.policyARN()
		if in.err != nil {
			return nil, in.err
		}
		return nil, h.directory.AttachPolicy(c.ctx, c.caller, owner, arn)
	}
}

func detachPolicy(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, arn := in.owner(kind), in.policyARN()
		if in.err != nil {
			return nil, in.err
		}
		return nil, h.directory.DetachPolicy(c.ctx, c.caller, owner, arn)
	}
}

func listAttachedPolicies(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, prefix, page := in.owner(kind), in.pathPrefix(), in.page()
		if in.err != nil {
			return nil, in.err
		}
		list, err := h.directory.ListAttachedPolicies(c.ctx, c.caller, owner, prefix, page)
		if err != nil {
			return nil, err
		}
		return func(x *awswire.XML) {
			x.Open("AttachedPolicies")
			for _, p := range list.Items {
				x.Open("member")
				x.Elem("PolicyName", p.Name)
				x.Elem("PolicyArn", p.ARN)
				x.Close("member")
			}
			x.Close("AttachedPolicies")
			writePaging(x, list.Next)
		}, nil
	}
}

func putBoundary(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner, arn := in.owner(kind), in.arn("PermissionsBoundary")
		if in.err != nil {
			return nil, in.err
		}
		return nil, h.directory.PutBoundary(c.ctx, c.caller, owner, arn)
	}
}

func deleteBoundary(kind directory.OwnerKind) action {
	return func(h *Handler, c *call) (func(*awswire.XML), error) {
		in := fields{form: c.form}
		owner := in.owner(kind)
		if in.err != nil {
			return nil, in.err
		}
		return nil, h.directory.DeleteBoundary(c.ctx, c.caller, owner)
	}
}
