package cognito

import (
	"context"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// PoolGroups manages the groups of user pools; *directory.Directory is the
// implementation.
type PoolGroups interface {
	CreatePoolGroup(ctx context.Context, c *identity.Caller, poolID, name string, in directory.PoolGroupChange) (identity.PoolGroup, error)
	PoolGroup(ctx context.Context, c *identity.Caller, poolID, name string) (identity.PoolGroup, error)
	UpdatePoolGroup(ctx context.Context, c *identity.Caller, poolID, name string, in directory.PoolGroupChange) (identity.PoolGroup, error)
	DeletePoolGroup(ctx context.Context, c *identity.Caller, poolID, name string) error
	ListPoolGroups(ctx context.Context, c *identity.Caller, poolID string, p directory.Page) (directory.Listing[identity.PoolGroup], error)
	AddPoolGroupMember(ctx context.Context, c *identity.Caller, poolID, name, group string) error
	RemovePoolGroupMember(ctx context.Context, c *identity.Caller, poolID, name, group string) error
	GroupsOfPoolUser(ctx context.Context, c *identity.Caller, poolID, name string, p directory.Page) (directory.Listing[identity.PoolGroup], error)
	ListPoolGroupMembers(ctx context.Context, c *identity.Caller, poolID, group string, p directory.Page) (directory.Listing[directory.PoolUser], error)
}

var _ PoolGroups = (*directory.Directory)(nil)

var poolGroupOperations = map[string]operation{
	"CreateGroup":              admin(createGroup),
	"GetGroup":                 admin(getGroup),
	"UpdateGroup":              admin(updateGroup),
	"DeleteGroup":              admin(deleteGroup),
	"ListGroups":               admin(listGroups),
	"AdminAddUserToGroup":      admin(adminAddUserToGroup),
	"AdminRemoveUserFromGroup": admin(adminRemoveUserFromGroup),
	"AdminListGroupsForUser":   admin(adminListGroupsForUser),
	"ListUsersInGroup":         admin(listUsersInGroup),
}

func checkGroup(name string) error {
	switch {
	case name == "":
		return missing("groupName")
	case len(name) > 128:
		return badMember("groupName", "Member must have length less than or equal to 128")
	}
	return nil
}

// groupRequest is a request about a group, with what it gets.
type groupRequest struct {
	inPool
	GroupName            string
	Description, RoleArn *string
	Precedence           *int
}

func (m *groupRequest) check() error {
	if err := m.inPool.check(); err != nil {
		return err
	}
	return checkGroup(m.GroupName)
}

func (m *groupRequest) change() directory.PoolGroupChange {
	return directory.PoolGroupChange{Description: m.Description, RoleARN: m.RoleArn, Precedence: m.Precedence}
}

// shownGroup is GroupType.
type shownGroup struct {
	GroupName, UserPoolId          string
	Description                    string `json:",omitempty"`
	RoleArn                        string `json:",omitempty"`
	Precedence                     *int   `json:",omitempty"`
	LastModifiedDate, CreationDate epochSeconds
}

func showGroup(poolID string, g *identity.PoolGroup) shownGroup {
	return shownGroup{g.Name, poolID, g.Description, g.RoleARN, g.Precedence, epochSeconds(g.ModifiedAt), epochSeconds(g.CreatedAt)}
}

type groupAnswer struct{ Group shownGroup }

func createGroup(h *Handler, c *call, in *groupRequest) (any, error) {
	g, err := h.PoolGroups.CreatePoolGroup(c.ctx, c.caller, in.UserPoolId, in.GroupName, in.change())
	return groupAnswer{showGroup(in.UserPoolId, &g)}, err
}

func getGroup(h *Handler, c *call, in *groupRequest) (any, error) {
	g, err := h.PoolGroups.PoolGroup(c.ctx, c.caller, in.UserPoolId, in.GroupName)
	return groupAnswer{showGroup(in.UserPoolId, &g)}, err
}

func updateGroup(h *Handler, c *call, in *groupRequest) (any, error) {
	g, err := h.PoolGroups.UpdatePoolGroup(c.ctx, c.caller, in.UserPoolId, in.GroupName, in.change())
	return groupAnswer{showGroup(in.UserPoolId, &g)}, err
}

func deleteGroup(h *Handler, c *call, in *groupRequest) (any, error) {
	return nil, h.PoolGroups.DeletePoolGroup(c.ctx, c.caller, in.UserPoolId, in.GroupName)
}

// groupsAnswer is a page of groups.
type groupsAnswer struct {
	Groups    []shownGroup
	NextToken string `json:",omitempty"`
}

func showGroups(poolID string, list directory.Listing[identity.PoolGroup]) groupsAnswer {
	out := groupsAnswer{Groups: []shownGroup{}, NextToken: list.Next}
	for i := range list.Items {
		out.Groups = append(out.Groups, showGroup(poolID, &list.Items[i]))
	}
	return out
}

func listGroups(h *Handler, c *call, in *inPoolPage) (any, error) {
	list, err := h.PoolGroups.ListPoolGroups(c.ctx, c.caller, in.UserPoolId, in.page())
	return showGroups(in.UserPoolId, list), err
}

type memberRequest struct {
	ofUser
	GroupName string
}

func (m *memberRequest) check() error {
	if err := m.ofUser.check(); err != nil {
		return err
	}
	return checkGroup(m.GroupName)
}

func adminAddUserToGroup(h *Handler, c *call, in *memberRequest) (any, error) {
	return nil, h.PoolGroups.AddPoolGroupMember(c.ctx, c.caller, in.UserPoolId, in.Username, in.GroupName)
}

func adminRemoveUserFromGroup(h *Handler, c *call, in *memberRequest) (any, error) {
	return nil, h.PoolGroups.RemovePoolGroupMember(c.ctx, c.caller, in.UserPoolId, in.Username, in.GroupName)
}

type userPageRequest struct {
	inPoolPage
	Username string
}

func (m *userPageRequest) check() error {
	user := ofUser{m.inPool, m.Username}
	if err := user.check(); err != nil {
		return err
	}
	return m.inPoolPage.check()
}

func adminListGroupsForUser(h *Handler, c *call, in *userPageRequest) (any, error) {
	list, err := h.PoolGroups.GroupsOfPoolUser(c.ctx, c.caller, in.UserPoolId, in.Username, in.page())
	return showGroups(in.UserPoolId, list), err
}

type groupPageRequest struct {
	inPoolPage
	GroupName string
}

func (m *groupPageRequest) check() error {
	if err := m.inPoolPage.check(); err != nil {
		return err
	}
	return checkGroup(m.GroupName)
}

func listUsersInGroup(h *Handler, c *call, in *groupPageRequest) (any, error) {
	list, err := h.PoolGroups.ListPoolGroupMembers(c.ctx, c.caller, in.UserPoolId, in.GroupName, in.page())
	out := struct {
		Users     []shownUser
		NextToken string `json:",omitempty"`
	}{showUsers(list.Items, nil), list.Next}
	return out, err
}
