package iam

import (
	"context"

	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// Users manages users. A user name of "" stands for the caller.
type Users interface {
	CreateUser(ctx context.Context, c *identity.Caller, in directory.NewUser) (identity.User, error)
	GetUser(ctx context.Context, c *identity.Caller, name string) (directory.UserDetails, error)
	ListUsers(ctx context.Context, c *identity.Caller, pathPrefix string, p directory.Page) (directory.Listing[identity.User], error)
	UpdateUser(ctx context.Context, c *identity.Caller, name, newName, newPath string) error
	DeleteUser(ctx context.Context, c *identity.Caller, name string) error
}

var userActions = map[string]action{
	"CreateUser": (*Handler).createUser,
	"DeleteUser": (*Handler).deleteUser,
	"GetUser":    (*Handler).getUser,
	"ListUsers":  (*Handler).listUsers,
	"UpdateUser": (*Handler).updateUser,
}

func (h *Handler) createUser(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	user := directory.NewUser{
		Path:     in.path("Path"),
		Name:     in.newUserName("UserName"),
		Boundary: in.optionalARN("PermissionsBoundary"),
		Tags:     in.tags(),
	}
	if user.Path == "" {
		user.Path = "/"
	}
	if in.err != nil {
		return nil, in.err
	}
	created, err := h.directory.CreateUser(c.ctx, c.caller, user)
	if err != nil {
		return nil, err
	}
	return writeUserElement(c, &directory.UserDetails{User: created}), nil
}

func (h *Handler) getUser(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.optionalUserName()
	if in.err != nil {
		return nil, in.err
	}
	user, err := h.directory.GetUser(c.ctx, c.caller, name)
	if err != nil {
		return nil, err
	}
	return writeUserElement(c, &user), nil
}

func writeUserElement(c *call, u *directory.UserDetails) func(*awswire.XML) {
	return func(x *awswire.XML) {
		x.Open("User")
		writeUser(x, &u.User, c.caller.Partition)
		if !u.PasswordLastUsed.IsZero() {
			x.Time("PasswordLastUsed", u.PasswordLastUsed)
		}
		writeBoundary(x, u.Boundary)
		writeTags(x, u.Tags)
		x.Close("User")
	}
}

// writeBoundary leaves the element out where there is no boundary. The one type
// that there is has this name since the API's beginning.
func writeBoundary(x *awswire.XML, arn string) {
	if arn == "" {
		return
	}
	x.Open("PermissionsBoundary")
	x.Elem("PermissionsBoundaryType", "Policy")
	x.Elem("PermissionsBoundaryArn", arn)
	x.Close("PermissionsBoundary")
}

// writeUser writes what the model requires of a user. Root has no path; typed
// clients want the element all the same.
func writeUser(x *awswire.XML, u *identity.User, partition string) {
	path := u.Path
	if path == "" {
		path = "/"
	}
	x.Elem("Path", path)
	x.Elem("UserName", u.Name)
	x.Elem("UserId", u.ID)
	x.Elem("Arn", u.ARN(partition))
	x.Time("CreateDate", u.CreatedAt)
}

// listUsers leaves tags out, as the API does.
func (h *Handler) listUsers(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	prefix, page := in.pathPrefix(), in.page()
	if in.err != nil {
		return nil, in.err
	}
	list, err := h.directory.ListUsers(c.ctx, c.caller, prefix, page)
	if err != nil {
		return nil, err
	}
	return func(x *awswire.XML) {
		x.Open("Users")
		for i := range list.Items {
			x.Open("member")
			writeUser(x, &list.Items[i], c.caller.Partition)
			x.Close("member")
		}
		x.Close("Users")
		writePaging(x, list.Next)
	}, nil
}

func writePaging(x *awswire.XML, next string) {
	x.Bool("IsTruncated", next != "")
	x.OptElem("Marker", next)
}

func (h *Handler) updateUser(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name, newPath, newName := in.userName(), in.path("NewPath"), in.optionalNewName()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.UpdateUser(c.ctx, c.caller, name, newName, newPath)
}

func (h *Handler) deleteUser(c *call) (func(*awswire.XML), error) {
	in := fields{form: c.form}
	name := in.userName()
	if in.err != nil {
		return nil, in.err
	}
	return nil, h.directory.DeleteUser(c.ctx, c.caller, name)
}
