package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Roles manages roles.
type Roles interface {
	CreateRole(ctx context.Context, c *identity.Caller, in directory.NewRole) (identity.Role, error)
	GetRole(ctx context.Context, c *identity.Caller, name string) (directory.RoleDetails, error)
	ListRoles(ctx context.Context, c *identity.Caller, pathPrefix string, p directory.Page) (directory.Listing[identity.Role], error)
	UpdateRole(ctx context.Context, c *identity.Caller, name string, change directory.RoleChange) error
	UpdateRoleDescription(ctx context.Context, c *identity.Caller, name, description string) (identity.Role, error)
	UpdateAssumeRolePolicy(ctx context.Context, c *identity.Caller, name, document string) error
	DeleteRole(ctx context.Context, c *identity.Caller, name string) error
	// InstanceProfilesForRole fails unless there is such a role; no instance
	// profile holds it.
	InstanceProfilesForRole(ctx context.Context, c *identity.Caller, name string) error
}

var roleActions = map[string]action{
	"CreateRole":                  (*Handler).createRole,
	"DeleteRole":                  (*Handler).deleteRole,
	"GetRole":                     (*Handler).getRole,
	"ListInstanceProfilesForRole": (*Handler).listInstanceProfilesForRole,
	"ListRoles":                   (*Handler).listRoles,
	"UpdateAssumeRolePolicy":      (*Handler).updateAssumeRolePolicy,
	"UpdateRole":                  (*Handler).updateRole,
	"UpdateRoleDescription":       (*Handler).updateRoleDescription,
}

// Bounds of MaxSessionDuration, seconds.
const (
	minMaxSession = 3600
	maxMaxSession = 43200
)

func (h *Handler) createRole(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	role := directory.NewRole{
		Path: in.path("Path"), Name: in.roleName(), Trust: in.document("AssumeRolePolicyDocument"),
		MaxSessionDuration: in.integer("MaxSessionDuration", minMaxSession, maxMaxSession),
		Boundary:           in.optionalARN("PermissionsBoundary"), Tags: in.tags(),
	}
	role.Description, _ = in.optional("Description", 0, maxDescription)
	if in.err != nil {
		return nil, in.err
	}
	created, err := h.directory.CreateRole(c.ctx, c.caller, role)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("Role")
		writeRole(x, &created, c.caller.Partition)
		writeBoundary(x, created.Boundary)
		writeTags(x, created.Tags)
		x.Close("Role")
	}, nil
}

func (h *Handler) getRole(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.roleName()
	if in.err != nil {
		return nil, in.err
	}
	role, err := h.directory.GetRole(c.ctx, c.caller, name)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("Role")
		writeRole(x, &role.Role, c.caller.Partition)
		writeBoundary(x, role.Boundary)
		writeTags(x, role.Tags)
		writeRoleLastUsed(x, role.LastUsed)
		x.Close("Role")
	}, nil
}

func writeRoleLastUsed(x *awswire.XML, use identity.Use) {
	x.Open("RoleLastUsed")
	if !use.At.IsZero() {
		x.Time("LastUsedDate", use.At)
		x.OptElem("Region", use.Region)
	}
	x.Close("RoleLastUsed")
}

// writeRole writes what every answer shows of a role.
func writeRole(x *awswire.XML, r *identity.Role, partition string) {
	x.Elem("Path", r.Path)
	x.Elem("RoleName", r.Name)
	x.Elem("RoleId", r.ID)
	x.Elem("Arn", r.ARN(partition))
	x.Time("CreateDate", r.CreatedAt)
	x.Elem("AssumeRolePolicyDocument", awswire.PercentEncode(r.Trust))
	x.OptElem("Description", r.Description)
	x.Int("MaxSessionDuration", int64(r.MaxSessionDuration))
}

// listRoles leaves boundary, tags and last use out, as the API does.
func (h *Handler) listRoles(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	prefix, page := in.pathPrefix(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListRoles(c.ctx, c.caller, prefix, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("Roles")
		for i := range list.Items {
			x.Open("member")
			writeRole(x, &list.Items[i], c.caller.Partition)
			x.Close("member")
		}
		x.Close("Roles")
		writePaging(x, list.Next)
	}, nil
}

func (h *Handler) updateRole(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.roleName()
	change := directory.RoleChange{MaxSessionDuration: in.integer("MaxSessionDuration", minMaxSession, maxMaxSession)}
	if text, sent := in.optional("Description", 0, maxDescription); sent {
		change.Description = &text
	}
	if in.err != nil {
		return nil, in.err
	}
	// The result is an element without content, and not left out.
	return func(*awswire.XML) {}, h.directory.UpdateRole(c.ctx, c.caller, name, change)
}

func (h *Handler) updateRoleDescription(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.roleName()
	text, sent := in.optional("Description", 0, maxDescription)
	if _, there := c.form.Lookup("Description"); !sent && !there {
		in.fail(awswire.MissingParameter("Description"))
	}
	if in.err != nil {
		return nil, in.err
	}
	role, err := h.directory.UpdateRoleDescription(c.ctx, c.caller, name, text)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("Role")
		writeRole(x, &role, c.caller.Partition)
		x.Close("Role")
	}, nil
}

func (h *Handler) updateAssumeRolePolicy(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name, document := in.roleName(), in.document("PolicyDocument")
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.UpdateAssumeRolePolicy(c.ctx, c.caller, name, document)
}

func (h *Handler) deleteRole(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.roleName()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteRole(c.ctx, c.caller, name)
}

func (h *Handler) listInstanceProfilesForRole(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.roleName()
	in.page()
	if in.err != nil {
		return nil, in.err
	}
	if err := h.directory.InstanceProfilesForRole(c.ctx, c.caller, name); err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.List("InstanceProfiles", nil)
		writePaging(x, "")
	}, nil
}
