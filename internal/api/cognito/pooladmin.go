package cognito

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// UserPools manages user pools and their clients; *directory.Directory is the
// implementation.
type UserPools interface {
	CreateUserPool(ctx context.Context, c *identity.Caller, in directory.UserPoolSettings) (directory.UserPoolDetails, error)
	UserPool(ctx context.Context, c *identity.Caller, id string) (directory.UserPoolDetails, error)
	UpdateUserPool(ctx context.Context, c *identity.Caller, id string, in directory.UserPoolSettings) error
	DeleteUserPool(ctx context.Context, c *identity.Caller, id string) error
	ListUserPools(ctx context.Context, c *identity.Caller, p directory.Page) (directory.Listing[identity.Realm], error)
	TagUserPool(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error
	UntagUserPool(ctx context.Context, c *identity.Caller, arn string, keys []string) error
	UserPoolTags(ctx context.Context, c *identity.Caller, arn string) (map[string]string, error)
	CreatePoolClient(ctx context.Context, c *identity.Caller, poolID string, in identity.PoolClient) (directory.PoolClientDetails, error)
	PoolClient(ctx context.Context, c *identity.Caller, poolID, id string) (directory.PoolClientDetails, error)
	UpdatePoolClient(ctx context.Context, c *identity.Caller, poolID, id string, change func(*identity.PoolClient)) (directory.PoolClientDetails, error)
	DeletePoolClient(ctx context.Context, c *identity.Caller, poolID, id string) error
	ListPoolClients(ctx context.Context, c *identity.Caller, poolID string, p directory.Page) (directory.Listing[identity.PoolClient], error)
}

var _ UserPools = (*directory.Directory)(nil)

var userPoolOperations = map[string]operation{
	"CreateUserPool":         admin(createUserPool),
	"DescribeUserPool":       admin(describeUserPool),
	"UpdateUserPool":         admin(updateUserPool),
	"DeleteUserPool":         admin(deleteUserPool),
	"ListUserPools":          admin(listUserPools),
	"TagResource":            admin(tagUserPool),
	"UntagResource":          admin(untagUserPool),
	"ListTagsForResource":    admin(listUserPoolTags),
	"CreateUserPoolClient":   admin(createUserPoolClient),
	"DescribeUserPoolClient": admin(describeUserPoolClient),
	"UpdateUserPoolClient":   admin(updateUserPoolClient),
	"DeleteUserPoolClient":   admin(deleteUserPoolClient),
	"ListUserPoolClients":    admin(listUserPoolClients),
}

// checked is a request that can judge its own form.
type checked[T any] interface {
	*T
	check() error
}

// admin makes a signed operation of what serves its decoded request.
func admin[T any, P checked[T]](serve func(h *Handler, c *call, in P) (any, error)) operation {
	return operation{signed: true, serve: func(h *Handler, c *call) (any, error) {
		in := P(new(T))
		if err := c.decode(in); err != nil {
			return nil, err
		}
		if err := in.check(); err != nil {
			return nil, err
		}
		return serve(h, c, in)
	}}
}

var userPoolIDRE = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)

// inPool is a request about a user pool.
type inPool struct{ UserPoolId string }

func (m *inPool) check() error {
	switch {
	case m.UserPoolId == "":
		return missing("userPoolId")
	case len(m.UserPoolId) > maxPoolID || !userPoolIDRE.MatchString(m.UserPoolId):
		return badMember("userPoolId", `Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+`)
	}
	return nil
}

// keptMembers are those of CreateUserPool that are shown again and not used.
var keptMembers = []string{
	"AliasAttributes", "SmsVerificationMessage", "EmailVerificationMessage", "EmailVerificationSubject", "VerificationMessageTemplate",
	"SmsAuthenticationMessage", "UserAttributeUpdateSettings", "DeviceConfiguration", "EmailConfiguration", "SmsConfiguration",
	"AdminCreateUserConfig", "Schema", "UsernameConfiguration", "AccountRecoverySetting", "UserPoolTier",
}

type passwordPolicyMember struct {
	MinimumLength                                                      *int
	RequireUppercase, RequireLowercase, RequireNumbers, RequireSymbols bool
	PasswordHistorySize                                                int
	TemporaryPasswordValidityDays                                      *int
}

// userPoolRequest is CreateUserPool and UpdateUserPool.
type userPoolRequest struct {
	PoolName, MfaConfiguration                 *string
	Policies                                   struct{ PasswordPolicy *passwordPolicyMember }
	UsernameAttributes, AutoVerifiedAttributes []string
	UserPoolTags                               map[string]string
	DeletionProtection                         string
	LambdaConfig                               map[string]json.RawMessage
	UserPoolAddOns                             struct{ AdvancedSecurityMode string }
	UsernameConfiguration                      struct{ CaseSensitive bool }
	kept                                       map[string]json.RawMessage
}

// UnmarshalJSON keeps besides what is not used.
func (m *userPoolRequest) UnmarshalJSON(b []byte) error {
	type plain userPoolRequest
	if err := json.Unmarshal(b, (*plain)(m)); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &m.kept); err != nil {
		return err
	}
	for name, value := range m.kept {
		if !slices.Contains(keptMembers, name) || string(value) == "null" {
			delete(m.kept, name)
		}
	}
	return nil
}

func (m *userPoolRequest) check() error {
	switch {
	case len(m.LambdaConfig) > 0:
		return notServed("lambdaConfig", "no code runs here at log-in")
	case m.UserPoolAddOns.AdvancedSecurityMode != "" && m.UserPoolAddOns.AdvancedSecurityMode != "OFF":
		return notServed("userPoolAddOns", "guesses are limited always")
	case m.UsernameConfiguration.CaseSensitive:
		return notServed("usernameConfiguration", "names ignore case")
	case !slices.Contains([]string{"", "ACTIVE", "INACTIVE"}, m.DeletionProtection):
		return badMember("deletionProtection", "Member must satisfy enum value set: [ACTIVE, INACTIVE]")
	}
	return nil
}

func notServed(member, why string) error {
	return identity.NewError(identity.KindInvalidInput, "cognito.userpool", "The member "+member+" is not served with this value: "+why+".")
}

func (m *userPoolRequest) settings() directory.UserPoolSettings {
	out := directory.UserPoolSettings{
		Name: m.PoolName, MFA: m.MfaConfiguration, UsernameAttributes: m.UsernameAttributes, AutoVerified: m.AutoVerifiedAttributes,
		Tags: m.UserPoolTags, Kept: m.kept,
	}
	if m.DeletionProtection != "" {
		on := m.DeletionProtection == "ACTIVE"
		out.Protected = &on
	}
	p := m.Policies.PasswordPolicy
	if p == nil {
		return out
	}
	out.TemporaryPasswordDays = p.TemporaryPasswordValidityDays
	out.PasswordPolicy = &identity.PasswordPolicy{
		MinimumLength: 8, RequireUppercase: p.RequireUppercase, RequireLowercase: p.RequireLowercase, RequireNumbers: p.RequireNumbers,
		RequireSymbols: p.RequireSymbols, ReusePrevention: p.PasswordHistorySize,
	}
	if p.MinimumLength != nil {
		out.PasswordPolicy.MinimumLength = *p.MinimumLength
	}
	return out
}

// showUserPool is UserPoolType.
func showUserPool(c *identity.Caller, p *directory.UserPoolDetails) any {
	out := map[string]any{}
	for name, value := range p.Pool.Kept {
		if name == "Schema" {
			name = "SchemaAttributes"
		}
		out[name] = value
	}
	protection := "INACTIVE"
	if p.Pool.Protected {
		protection = "ACTIVE"
	}
	days := p.Pool.TemporaryPasswordDays
	if days == 0 {
		days = 7
	}
	out["Id"], out["Name"], out["MfaConfiguration"] = p.PoolID(), p.Pool.Name, p.Pool.MFA
	out["Arn"] = identity.UserPoolARN(c.Partition, p.Pool.Region, p.AccountID, p.PoolID())
	out["CreationDate"], out["LastModifiedDate"] = epochSeconds(p.Pool.CreatedAt), epochSeconds(p.Pool.ModifiedAt)
	out["EstimatedNumberOfUsers"], out["DeletionProtection"] = p.Users, protection
	out["LambdaConfig"] = nothing{}
	out["Policies"] = map[string]any{"PasswordPolicy": passwordPolicyMember{
		MinimumLength: &p.Rule.MinimumLength, RequireUppercase: p.Rule.RequireUppercase, RequireLowercase: p.Rule.RequireLowercase,
		RequireNumbers: p.Rule.RequireNumbers, RequireSymbols: p.Rule.RequireSymbols, PasswordHistorySize: p.Rule.ReusePrevention,
		TemporaryPasswordValidityDays: &days,
	}}
	out["UserPoolTags"] = orEmpty(p.Pool.Tags)
	if p.Pool.UsernameAttributes != nil {
		out["UsernameAttributes"] = p.Pool.UsernameAttributes
	}
	if p.Pool.AutoVerifiedAttributes != nil {
		out["AutoVerifiedAttributes"] = p.Pool.AutoVerifiedAttributes
	}
	return map[string]any{"UserPool": out}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func createUserPool(h *Handler, c *call, in *userPoolRequest) (any, error) {
	if in.PoolName == nil {
		return nil, missing("poolName")
	}
	p, err := h.UserPools.CreateUserPool(c.ctx, c.caller, in.settings())
	if err != nil {
		return nil, err
	}
	return showUserPool(c.caller, &p), nil
}

func describeUserPool(h *Handler, c *call, in *inPool) (any, error) {
	p, err := h.UserPools.UserPool(c.ctx, c.caller, in.UserPoolId)
	if err != nil {
		return nil, err
	}
	return showUserPool(c.caller, &p), nil
}

// updateUserPoolRequest is UpdateUserPool.
type updateUserPoolRequest struct {
	pool     inPool
	settings userPoolRequest
}

func (m *updateUserPoolRequest) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &m.pool); err != nil {
		return err
	}
	return json.Unmarshal(b, &m.settings)
}

func (m *updateUserPoolRequest) check() error {
	if err := m.pool.check(); err != nil {
		return err
	}
	return m.settings.check()
}

func updateUserPool(h *Handler, c *call, in *updateUserPoolRequest) (any, error) {
	return nothing{}, h.UserPools.UpdateUserPool(c.ctx, c.caller, in.pool.UserPoolId, in.settings.settings())
}

func deleteUserPool(h *Handler, c *call, in *inPool) (any, error) {
	return nil, h.UserPools.DeleteUserPool(c.ctx, c.caller, in.UserPoolId)
}

func (m *pageMember) check() error {
	_, err := m.page()
	return err
}

func listUserPools(h *Handler, c *call, in *pageMember) (any, error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	list, err := h.UserPools.ListUserPools(c.ctx, c.caller, page)
	type short struct {
		Id, Name                       string
		LambdaConfig                   nothing
		LastModifiedDate, CreationDate epochSeconds
	}
	out := struct {
		UserPools []short
		NextToken string `json:",omitempty"`
	}{UserPools: []short{}, NextToken: list.Next}
	for _, r := range list.Items {
		out.UserPools = append(out.UserPools, short{r.PoolID(), r.Pool.Name, nothing{}, epochSeconds(r.Pool.ModifiedAt), epochSeconds(r.Pool.CreatedAt)})
	}
	return out, err
}

// tagRequest is TagResource, UntagResource and ListTagsForResource.
type tagRequest struct {
	ResourceArn string
	Tags        map[string]string
	TagKeys     []string
}

func (m *tagRequest) check() error {
	switch {
	case m.ResourceArn == "":
		return missing("resourceArn")
	case len(m.ResourceArn) < minARN || len(m.ResourceArn) > maxARN:
		return badMember("resourceArn", "Member must have length between 20 and 2048")
	}
	return nil
}

func tagUserPool(h *Handler, c *call, in *tagRequest) (any, error) {
	if in.Tags == nil {
		return nil, missing("tags")
	}
	return nothing{}, h.UserPools.TagUserPool(c.ctx, c.caller, in.ResourceArn, in.Tags)
}

func untagUserPool(h *Handler, c *call, in *tagRequest) (any, error) {
	if in.TagKeys == nil {
		return nil, missing("tagKeys")
	}
	return nothing{}, h.UserPools.UntagUserPool(c.ctx, c.caller, in.ResourceArn, in.TagKeys)
}

func listUserPoolTags(h *Handler, c *call, in *tagRequest) (any, error) {
	tags, err := h.UserPools.UserPoolTags(c.ctx, c.caller, in.ResourceArn)
	return struct{ Tags map[string]string }{orEmpty(tags)}, err
}
