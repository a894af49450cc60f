package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Groups manages groups and who is in them.
type Groups interface {
	CreateGroup(ctx context.Context, c *identity.Caller, name, path string) (identity.Group, error)
	GetGroup(ctx context.Context, c *identity.Caller, name string, p directory.Page) (identity.Group, directory.Listing[identity.User], error)
	ListGroups(ctx context.Context, c *identity.Caller, pathPrefix string, p directory.Page) (directory.Listing[identity.Group], error)
	UpdateGroup(ctx context.Context, c *identity.Caller, name, newName, newPath string) error
	DeleteGroup(ctx context.Context, c *identity.Caller, name string) error
	AddUserToGroup(ctx context.Context, c *identity.Caller, group, user string) error
	RemoveUserFromGroup(ctx context.Context, c *identity.Caller, group, user string) error
	ListGroupsForUser(ctx context.Context, c *identity.Caller, user string, p directory.Page) (directory.Listing[identity.Group], error)
}

var groupActions = map[string]action{
	"CreateGroup":         (*Handler).createGroup,
	"GetGroup":            (*Handler).getGroup,
	"ListGroups":          (*Handler).listGroups,
	"UpdateGroup":         (*Handler).updateGroup,
	"DeleteGroup":         (*Handler).deleteGroup,
	"AddUserToGroup":      (*Handler).addUserToGroup,
	"RemoveUserFromGroup": (*Handler).removeUserFromGroup,
	"ListGroupsForUser":   (*Handler).listGroupsForUser,
}

func (h *Handler) createGroup(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name, path := in.groupName(), in.path("Path")
	if in.err != nil {
		return nil, in.err
	}
	g, err := h.directory.CreateGroup(c.ctx, c.caller, name, path)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) { writeGroup(x, "Group", &g, c.caller.Partition) }, nil
}

func writeGroup(x *awswire.XML, element string, g *identity.Group, partition string) {
	x.Open(element)
	x.Elem("Path", g.Path)
	x.Elem("GroupName", g.Name)
	x.Elem("GroupId", g.ID)
	x.Elem("Arn", g.ARN(partition))
	x.Time("CreateDate", g.CreatedAt)
	x.Close(element)
}

func (h *Handler) getGroup(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name, page := in.groupName(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	g, users, err := h.directory.GetGroup(c.ctx, c.caller, name, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		writeGroup(x, "Group", &g, c.caller.Partition)
		x.Open("Users")
		for i := range users.Items {
			x.Open("member")
			writeUser(x, &users.Items[i], c.caller.Partition)
			x.Close("member")
		}
		x.Close("Users")
		writePaging(x, users.Next)
	}, nil
}

func (h *Handler) listGroups(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	prefix, page := in.pathPrefix(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListGroups(c.ctx, c.caller, prefix, page)
	if err != nil {
		return nil, err
	}
	return writeGroups(c, &list), nil
}

func writeGroups(c *call, list *directory.Listing[identity.Group]) func(*awswire.XML) {
	return func(x *awswire.XML) {
		x.Open("Groups")
		for i := range list.Items {
			writeGroup(x, "member", &list.Items[i], c.caller.Partition)
		}
		x.Close("Groups")
		writePaging(x, list.Next)
	}
}

func (h *Handler) updateGroup(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name, newPath := in.groupName(), in.path("NewPath")
	newName, _ := in.optional("NewGroupName", 1, maxGroupName)
	in.name("NewGroupName", newName)
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.UpdateGroup(c.ctx, c.caller, name, newName, newPath)
}

func (h *Handler) deleteGroup(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.groupName()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteGroup(c.ctx, c.caller, name)
}

func (h *Handler) addUserToGroup(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	group, user := in.groupName(), in.userName()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.AddUserToGroup(c.ctx, c.caller, group, user)
}

func (h *Handler) removeUserFromGroup(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	group, user := in.groupName(), in.userName()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.RemoveUserFromGroup(c.ctx, c.caller, group, user)
}

func (h *Handler) listGroupsForUser(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user, page := in.userName(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListGroupsForUser(c.ctx, c.caller, user, page)
	if err != nil {
		return nil, err
	}
	return writeGroups(c, &list), nil
}
