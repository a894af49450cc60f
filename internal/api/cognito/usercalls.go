package cognito

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// UserTokens accepts the access tokens of user pools; *access.Access is the
// implementation.
type UserTokens interface {
	UserToken(ctx context.Context, raw identity.Secret) (*identity.Caller, error)
}

// Self is what people do to themselves; *directory.Directory is the
// implementation.
type Self interface {
	OwnUser(ctx context.Context, c *identity.Caller) (directory.OwnUser, error)
	ChangePassword(ctx context.Context, c *identity.Caller, old, password identity.Secret) error
	SignOut(ctx context.Context, c *identity.Caller) error
	EnrolTOTP(ctx context.Context, c *identity.Caller) (identity.Secret, error)
	ConfirmTOTP(ctx context.Context, c *identity.Caller, code, name string) error
	TOTPPreference(ctx context.Context, c *identity.Caller, enabled bool) error
}

var (
	_ UserTokens = (*access.Access)(nil)
	_ Self       = (*directory.Directory)(nil)
)

// userCalls are the operations that carry an access token in place of a
// signature.
var userCalls = map[string]operation{
	"GetUser":              own(getUser),
	"GetUserAuthFactors":   own(getUserAuthFactors),
	"ChangePassword":       own(changePassword),
	"GlobalSignOut":        own(globalSignOut),
	"SetUserMFAPreference": own(setUserMFAPreference),
}

// own is a user call. These have no AccessDeniedException, and nobody to open an
// encoded message.
func own(serve func(*Handler, *call) (any, error)) operation {
	return operation{serve: func(h *Handler, c *call) (any, error) {
		answer, err := serve(h, c)
		if e := identity.AsError(err); e != nil && e.Kind == identity.KindAccessDenied && e.DetailValue("JSONCode") == "" {
			err = &identity.Error{
				Kind: e.Kind, Op: "cognito", Public: identity.WithoutMessage(e.Public), Err: err,
				Detail: []identity.Detail{{Name: "JSONCode", Value: "NotAuthorizedException"}},
			}
		}
		return answer, err
	}}
}

// nothing is the answer {}.
type nothing struct{}

const softwareToken = "SOFTWARE_TOKEN_MFA"

// person decodes a user call and accepts its access token.
func (h *Handler) person(c *call, into any, accessToken func() *string) (*identity.Caller, error) {
	if err := c.decode(into); err != nil {
		return nil, err
	}
	token := accessToken()
	if token == nil || *token == "" {
		return nil, missing("accessToken")
	}
	return h.People.UserToken(c.ctx, identity.Secret(*token))
}

func missing(member string) error {
	return identity.NewError(identity.KindMissingParameter, "cognito",
		"1 validation error detected: Value null at '"+member+"' failed to satisfy constraint: Member must not be null")
}

// accessTokenRequest is the request of operations that take nothing else.
type accessTokenRequest struct{ AccessToken *string }

func (r *accessTokenRequest) token() *string { return r.AccessToken }

type attribute struct{ Name, Value string }

type getUserResponse struct {
	Username            string
	UserAttributes      []attribute
	PreferredMfaSetting string   `json:",omitempty"`
	UserMFASettingList  []string `json:",omitempty"`
}

func getUser(h *Handler, c *call) (any, error) {
	u, err := h.ownUser(c)
	if err != nil {
		return nil, err
	}
	out := getUserResponse{Username: u.Name, UserAttributes: attributesOf(&u.User)}
	if len(u.Devices) > 0 {
		out.PreferredMfaSetting, out.UserMFASettingList = softwareToken, []string{softwareToken}
	}
	return out, nil
}

func (h *Handler) ownUser(c *call) (directory.OwnUser, error) {
	var in accessTokenRequest
	who, err := h.person(c, &in, in.token)
	if err != nil {
		return directory.OwnUser{}, err
	}
	return h.Self.OwnUser(c.ctx, who)
}

// attributesOf are a user's attributes, "sub" first.
func attributesOf(u *identity.User) []attribute {
	out := []attribute{{"sub", u.Subject}}
	if u.Email != "" {
		out = append(out, attribute{"email", u.Email}, attribute{"email_verified", strconv.FormatBool(u.EmailVerified)})
	}
	for _, name := range slices.Sorted(maps.Keys(u.Attributes)) {
		out = append(out, attribute{name, u.Attributes[name]})
	}
	return out
}

func getUserAuthFactors(h *Handler, c *call) (any, error) {
	u, err := h.ownUser(c)
	if err != nil {
		return nil, err
	}
	out := struct {
		Username                  string
		PreferredMfaSetting       string   `json:",omitempty"`
		UserMFASettingList        []string `json:",omitempty"`
		ConfiguredUserAuthFactors []string
	}{Username: u.Name, ConfiguredUserAuthFactors: []string{}}
	if len(u.Devices) > 0 {
		out.PreferredMfaSetting, out.UserMFASettingList = softwareToken, []string{softwareToken}
	}
	if u.HasPassword {
		out.ConfiguredUserAuthFactors = append(out.ConfiguredUserAuthFactors, "PASSWORD")
	}
	return out, nil
}

type changePasswordRequest struct {
	accessTokenRequest
	PreviousPassword, ProposedPassword *string
}

func changePassword(h *Handler, c *call) (any, error) {
	var in changePasswordRequest
	who, err := h.person(c, &in, in.token)
	if err != nil {
		return nil, err
	}
	if in.ProposedPassword == nil {
		return nil, missing("proposedPassword")
	}
	old := ""
	if in.PreviousPassword != nil {
		old = *in.PreviousPassword
	}
	err = h.Self.ChangePassword(c.ctx, who, identity.Secret(old), identity.Secret(*in.ProposedPassword))
	if identity.KindOf(err) == identity.KindInvalidInput { // the old one was wrong: Cognito's words for it
		err = &identity.Error{Kind: identity.KindInvalidCredentials, Op: "cognito", Err: err}
	}
	return nothing{}, err
}

func globalSignOut(h *Handler, c *call) (any, error) {
	var in accessTokenRequest
	who, err := h.person(c, &in, in.token)
	if err != nil {
		return nil, err
	}
	return nothing{}, h.Self.SignOut(c.ctx, who)
}

type mfaSettings struct{ Enabled, PreferredMfa *bool }

// set says whether the settings want anything switched on.
func (s *mfaSettings) set() bool {
	return s != nil && (s.Enabled != nil && *s.Enabled || s.PreferredMfa != nil && *s.PreferredMfa)
}

type setUserMFAPreferenceRequest struct {
	accessTokenRequest
	SMSMfaSettings, SoftwareTokenMfaSettings, EmailMfaSettings, WebAuthnMfaSettings *mfaSettings
}

func setUserMFAPreference(h *Handler, c *call) (any, error) {
	var in setUserMFAPreferenceRequest
	who, err := h.person(c, &in, in.token)
	if err != nil {
		return nil, err
	}
	if in.SMSMfaSettings.set() || in.EmailMfaSettings.set() || in.WebAuthnMfaSettings.set() {
		return nil, identity.NewError(identity.KindValidation, "cognito", "The software token is the only second factor that can be set here.")
	}
	s := in.SoftwareTokenMfaSettings
	switch {
	case s == nil || s.Enabled == nil && s.PreferredMfa == nil:
		return nothing{}, nil
	case s.Enabled != nil && !*s.Enabled && s.PreferredMfa != nil && *s.PreferredMfa:
		return nil, identity.NewError(identity.KindValidation, "cognito", "A factor that is not enabled cannot be preferred.")
	case s.Enabled == nil && !*s.PreferredMfa: // with one factor there is nothing to prefer
		return nothing{}, nil
	}
	return nothing{}, h.Self.TOTPPreference(c.ctx, who, s.Enabled == nil || *s.Enabled)
}
