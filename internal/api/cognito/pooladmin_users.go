package cognito

import (
	"context"
	"slices"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// PoolUsers manages the users of user pools; *directory.Directory is the
// implementation.
type PoolUsers interface {
	CreatePoolUser(ctx context.Context, c *identity.Caller, poolID string, in directory.NewPoolUser) (directory.PoolUser, error)
	PoolUser(ctx context.Context, c *identity.Caller, poolID, name string) (directory.PoolUser, error)
	ListPoolUsers(ctx context.Context, c *identity.Caller, poolID, filter string, p directory.Page) (directory.Listing[directory.PoolUser], error)
	SetPoolUserAttributes(ctx context.Context, c *identity.Caller, poolID, name string, set map[string]string) error
	DeletePoolUserAttributes(ctx context.Context, c *identity.Caller, poolID, name string, names []string) error
	SetPoolUserPassword(ctx context.Context, c *identity.Caller, poolID, name string, password identity.Secret, permanent bool) error
	SetPoolUserMFA(ctx context.Context, c *identity.Caller, poolID, name string, enabled bool) error
	EnablePoolUser(ctx context.Context, c *identity.Caller, poolID, name string, on bool) error
	SignOutPoolUser(ctx context.Context, c *identity.Caller, poolID, name string) error
	DeletePoolUser(ctx context.Context, c *identity.Caller, poolID, name string) error
}

var _ PoolUsers = (*directory.Directory)(nil)

var poolUserOperations = map[string]operation{
	"AdminCreateUser":           admin(adminCreateUser),
	"AdminGetUser":              admin(adminGetUser),
	"ListUsers":                 admin(listUsers),
	"AdminUpdateUserAttributes": admin(adminUpdateUserAttributes),
	"AdminDeleteUserAttributes": admin(adminDeleteUserAttributes),
	"AdminSetUserPassword":      admin(adminSetUserPassword),
	"AdminSetUserMFAPreference": admin(adminSetUserMFAPreference),
	"AdminEnableUser":           admin(adminEnableUser),
	"AdminDisableUser":          admin(adminDisableUser),
	"AdminUserGlobalSignOut":    admin(adminUserGlobalSignOut),
	"AdminDeleteUser":           admin(adminDeleteUser),
}

// ofUser is a request about a user of a pool.
type ofUser struct {
	inPool
	Username string
}

func (m *ofUser) check() error {
	if err := m.inPool.check(); err != nil {
		return err
	}
	switch {
	case m.Username == "":
		return missing("username")
	case len(m.Username) > 128:
		return badMember("username", "Member must have length less than or equal to 128")
	}
	return nil
}

// attributeList are attributes; a name that stands twice counts last.
type attributeList []attribute

func (l attributeList) byName() map[string]string {
	out := map[string]string{}
	for _, a := range l {
		out[a.Name] = a.Value
	}
	return out
}

// shownUser is UserType.
type shownUser struct {
	Username             string
	Attributes           []attribute
	UserCreateDate       epochSeconds
	UserLastModifiedDate epochSeconds
	Enabled              bool
	UserStatus           string
}

func showPoolUser(u *directory.PoolUser) shownUser {
	return shownUser{u.Name, attributesOf(&u.User), epochSeconds(u.CreatedAt), epochSeconds(changedAt(u)), !u.Disabled, u.Status}
}

func changedAt(u *directory.PoolUser) time.Time {
	if u.ModifiedAt.IsZero() {
		return u.CreatedAt
	}
	return u.ModifiedAt
}

type createUserRequest struct {
	ofUser
	UserAttributes    attributeList
	TemporaryPassword identity.Secret
	MessageAction     string
}

func (m *createUserRequest) check() error {
	if !slices.Contains([]string{"", "RESEND", "SUPPRESS"}, m.MessageAction) {
		return badMember("messageAction", "Member must satisfy enum value set: [RESEND, SUPPRESS]")
	}
	return m.ofUser.check()
}

func adminCreateUser(h *Handler, c *call, in *createUserRequest) (any, error) {
	u, err := h.PoolUsers.CreatePoolUser(c.ctx, c.caller, in.UserPoolId, directory.NewPoolUser{
		Name: in.Username, Password: in.TemporaryPassword, Attributes: in.UserAttributes.byName(), Again: in.MessageAction == "RESEND",
	})
	return struct{ User shownUser }{showPoolUser(&u)}, err
}

func adminGetUser(h *Handler, c *call, in *ofUser) (any, error) {
	u, err := h.PoolUsers.PoolUser(c.ctx, c.caller, in.UserPoolId, in.Username)
	out := struct {
		Username             string
		UserAttributes       []attribute
		UserCreateDate       epochSeconds
		UserLastModifiedDate epochSeconds
		Enabled              bool
		UserStatus           string
		PreferredMfaSetting  string   `json:",omitempty"`
		UserMFASettingList   []string `json:",omitempty"`
	}{u.Name, attributesOf(&u.User), epochSeconds(u.CreatedAt), epochSeconds(changedAt(&u)), !u.Disabled, u.Status, "", nil}
	if u.Devices > 0 {
		out.PreferredMfaSetting, out.UserMFASettingList = softwareToken, []string{softwareToken}
	}
	return out, err
}

type listUsersRequest struct {
	inPoolPage
	AttributesToGet []string
	Filter          string
}

func listUsers(h *Handler, c *call, in *listUsersRequest) (any, error) {
	list, err := h.PoolUsers.ListPoolUsers(c.ctx, c.caller, in.UserPoolId, in.Filter, in.page())
	out := struct {
		Users           []shownUser
		PaginationToken string `json:",omitempty"`
	}{showUsers(list.Items, in.AttributesToGet), list.Next}
	return out, err
}

// showUsers shows users with some attributes, or all of them without any named.
func showUsers(users []directory.PoolUser, attributes []string) []shownUser {
	out := []shownUser{}
	for i := range users {
		u := showPoolUser(&users[i])
		if len(attributes) > 0 {
			u.Attributes = slices.DeleteFunc(u.Attributes, func(a attribute) bool { return !slices.Contains(attributes, a.Name) })
		}
		out = append(out, u)
	}
	return out
}

type userAttributesRequest struct {
	ofUser
	UserAttributes     attributeList
	UserAttributeNames []string
}

func adminUpdateUserAttributes(h *Handler, c *call, in *userAttributesRequest) (any, error) {
	if in.UserAttributes == nil {
		return nil, missing("userAttributes")
	}
	return nothing{}, h.PoolUsers.SetPoolUserAttributes(c.ctx, c.caller, in.UserPoolId, in.Username, in.UserAttributes.byName())
}

func adminDeleteUserAttributes(h *Handler, c *call, in *userAttributesRequest) (any, error) {
	if in.UserAttributeNames == nil {
		return nil, missing("userAttributeNames")
	}
	return nothing{}, h.PoolUsers.DeletePoolUserAttributes(c.ctx, c.caller, in.UserPoolId, in.Username, in.UserAttributeNames)
}

type setPasswordRequest struct {
	ofUser
	Password  identity.Secret
	Permanent bool
}

func adminSetUserPassword(h *Handler, c *call, in *setPasswordRequest) (any, error) {
	if in.Password == "" {
		return nil, missing("password")
	}
	return nothing{}, h.PoolUsers.SetPoolUserPassword(c.ctx, c.caller, in.UserPoolId, in.Username, in.Password, in.Permanent)
}

type adminMFARequest struct {
	ofUser
	SMSMfaSettings, SoftwareTokenMfaSettings, EmailMfaSettings, WebAuthnMfaSettings *mfaSettings
}

func adminSetUserMFAPreference(h *Handler, c *call, in *adminMFARequest) (any, error) {
	if in.SMSMfaSettings.set() || in.EmailMfaSettings.set() || in.WebAuthnMfaSettings.set() {
		return nil, identity.NewError(identity.KindValidation, "cognito", "The software token is the only second factor that can be set here.")
	}
	s := in.SoftwareTokenMfaSettings
	if s == nil || s.Enabled == nil {
		return nothing{}, nil
	}
	return nothing{}, h.PoolUsers.SetPoolUserMFA(c.ctx, c.caller, in.UserPoolId, in.Username, *s.Enabled)
}

func adminEnableUser(h *Handler, c *call, in *ofUser) (any, error) {
	return nothing{}, h.PoolUsers.EnablePoolUser(c.ctx, c.caller, in.UserPoolId, in.Username, true)
}

func adminDisableUser(h *Handler, c *call, in *ofUser) (any, error) {
	return nothing{}, h.PoolUsers.EnablePoolUser(c.ctx, c.caller, in.UserPoolId, in.Username, false)
}

func adminUserGlobalSignOut(h *Handler, c *call, in *ofUser) (any, error) {
	return nothing{}, h.PoolUsers.SignOutPoolUser(c.ctx, c.caller, in.UserPoolId, in.Username)
}

func adminDeleteUser(h *Handler, c *call, in *ofUser) (any, error) {
	return nil, h.PoolUsers.DeletePoolUser(c.ctx, c.caller, in.UserPoolId, in.Username)
}
