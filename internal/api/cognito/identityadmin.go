package cognito

import (
	"context"
	"maps"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// IdentityPools manages identity pools; *directory.Directory is the
// implementation.
type IdentityPools interface {
	CreateIdentityPool(ctx context.Context, c *identity.Caller, in directory.IdentityPoolSettings) (identity.IdentityPool, error)
	UpdateIdentityPool(ctx context.Context, c *identity.Caller, id string, in directory.IdentityPoolSettings) (identity.IdentityPool, error)
	DescribeIdentityPool(ctx context.Context, c *identity.Caller, id string) (identity.IdentityPool, error)
	DeleteIdentityPool(ctx context.Context, c *identity.Caller, id string) error
	ListIdentityPools(ctx context.Context, c *identity.Caller, p directory.Page) (directory.Listing[identity.IdentityPool], error)
	GetIdentityPoolRoles(ctx context.Context, c *identity.Caller, id string) (identity.IdentityPool, error)
	SetIdentityPoolRoles(ctx context.Context, c *identity.Caller, id string, roles map[string]string, mappings map[string]identity.PoolRoleMapping) error
	ListIdentities(ctx context.Context, c *identity.Caller, poolID string, hideDisabled bool, p directory.Page) (directory.Listing[identity.PoolIdentity], error)
	DescribeIdentity(ctx context.Context, c *identity.Caller, id string) (identity.PoolIdentity, error)
	DeleteIdentities(ctx context.Context, c *identity.Caller, ids []string) ([]string, error)
	TagIdentityPool(ctx context.Context, c *identity.Caller, arn string, tags map[string]string) error
	UntagIdentityPool(ctx context.Context, c *identity.Caller, arn string, keys []string) error
	ListIdentityPoolTags(ctx context.Context, c *identity.Caller, arn string) (map[string]string, error)
}

var _ IdentityPools = (*directory.Directory)(nil)

var identityPoolOperations = map[string]operation{
	"CreateIdentityPool":   {signed: true, serve: (*Handler).createIdentityPool},
	"UpdateIdentityPool":   {signed: true, serve: (*Handler).updateIdentityPool},
	"DescribeIdentityPool": {signed: true, serve: (*Handler).describeIdentityPool},
	"DeleteIdentityPool":   {signed: true, serve: (*Handler).deleteIdentityPool},
	"ListIdentityPools":    {signed: true, serve: (*Handler).listIdentityPools},
	"GetIdentityPoolRoles": {signed: true, serve: (*Handler).getIdentityPoolRoles},
	"SetIdentityPoolRoles": {signed: true, serve: (*Handler).setIdentityPoolRoles},
	"ListIdentities":       {signed: true, serve: (*Handler).listIdentities},
	"DescribeIdentity":     {signed: true, serve: (*Handler).describeIdentity},
	"DeleteIdentities":     {signed: true, serve: (*Handler).deleteIdentities},
	"TagResource":          {signed: true, serve: (*Handler).tagIdentityPool},
	"UntagResource":        {signed: true, serve: (*Handler).untagIdentityPool},
	"ListTagsForResource":  {signed: true, serve: (*Handler).listIdentityPoolTags},
}

const (
	maxResults = 60
	maxToken   = 65535
)

// identityProvider is CognitoIdentityProvider.
type identityProvider struct {
	ProviderName         string
	ClientId             string
	ServerSideTokenCheck bool
}

// identityPoolMember is IdentityPool, in and out.
type identityPoolMember struct {
	IdentityPoolId                 string `json:",omitempty"`
	IdentityPoolName               *string
	AllowUnauthenticatedIdentities *bool
	AllowClassicFlow               bool
	CognitoIdentityProviders       []identityProvider `json:",omitempty"`
	OpenIdConnectProviderARNs      []string           `json:",omitempty"`
	IdentityPoolTags               map[string]string
	// What follows is refused: such log-ins are not served.
	SupportedLoginProviders map[string]string `json:",omitempty"`
	DeveloperProviderName   string            `json:",omitempty"`
	SamlProviderARNs        []string          `json:",omitempty"`
}

func (m *identityPoolMember) settings() (directory.IdentityPoolSettings, error) {
	var out directory.IdentityPoolSettings
	switch {
	case m.IdentityPoolName == nil:
		return out, badMember("identityPoolName", "Member must not be null")
	case m.AllowUnauthenticatedIdentities == nil:
		return out, badMember("allowUnauthenticatedIdentities", "Member must not be null")
	case len(m.SupportedLoginProviders) > 0:
		return out, unserved("supportedLoginProviders", "register the issuer as OpenID Connect provider and name its ARN")
	case m.DeveloperProviderName != "":
		return out, unserved("developerProviderName", "register the issuer as OpenID Connect provider and name its ARN")
	case len(m.SamlProviderARNs) > 0:
		return out, unserved("samlProviderARNs", "call AssumeRoleWithSAML")
	}
	out = directory.IdentityPoolSettings{
		Name: *m.IdentityPoolName, AllowUnauthenticated: *m.AllowUnauthenticatedIdentities, AllowClassicFlow: m.AllowClassicFlow,
		OIDCProviders: m.OpenIdConnectProviderARNs, Tags: m.IdentityPoolTags,
	}
	for _, p := range m.CognitoIdentityProviders {
		out.UserPools = append(out.UserPools, identity.PoolLogin{Provider: p.ProviderName, ClientID: p.ClientId, TokenCheck: p.ServerSideTokenCheck})
	}
	return out, nil
}

func unserved(member, instead string) error {
	return identity.NewError(identity.KindInvalidInput, "cognito.identitypool", "The member "+member+" is not served: "+instead+".")
}

func showPool(p *identity.IdentityPool) *identityPoolMember {
	out := &identityPoolMember{
		IdentityPoolId: p.ID, IdentityPoolName: &p.Name, AllowUnauthenticatedIdentities: &p.AllowUnauthenticated,
		AllowClassicFlow: p.AllowClassicFlow, OpenIdConnectProviderARNs: p.OIDCProviders, IdentityPoolTags: p.Tags,
	}
	if out.IdentityPoolTags == nil {
		out.IdentityPoolTags = map[string]string{}
	}
	for _, l := range p.UserPools {
		out.CognitoIdentityProviders = append(out.CognitoIdentityProviders, identityProvider{l.Provider, l.ClientID, l.TokenCheck})
	}
	return out
}

func (h *Handler) createIdentityPool(c *call) (any, error) {
	var in identityPoolMember
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	settings, err := in.settings()
	if err != nil {
		return nil, err
	}
	p, err := h.IdentityPools.CreateIdentityPool(c.ctx, c.caller, settings)
	return showPool(&p), err
}

func (h *Handler) updateIdentityPool(c *call) (any, error) {
	var in identityPoolMember
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityPoolId", in.IdentityPoolId); err != nil {
		return nil, err
	}
	settings, err := in.settings()
	if err != nil {
		return nil, err
	}
	p, err := h.IdentityPools.UpdateIdentityPool(c.ctx, c.caller, in.IdentityPoolId, settings)
	return showPool(&p), err
}

// ofPool reads a request that names a pool and nothing else.
func (c *call) ofPool() (string, error) {
	var in struct{ IdentityPoolId string }
	if err := c.decode(&in); err != nil {
		return "", err
	}
	return in.IdentityPoolId, checkID("identityPoolId", in.IdentityPoolId)
}

func (h *Handler) describeIdentityPool(c *call) (any, error) {
	id, err := c.ofPool()
	if err != nil {
		return nil, err
	}
	p, err := h.IdentityPools.DescribeIdentityPool(c.ctx, c.caller, id)
	return showPool(&p), err
}

func (h *Handler) deleteIdentityPool(c *call) (any, error) {
	id, err := c.ofPool()
	if err != nil {
		return nil, err
	}
	return nil, h.IdentityPools.DeleteIdentityPool(c.ctx, c.caller, id)
}

// pageMember are MaxResults and NextToken.
type pageMember struct {
	MaxResults *int
	NextToken  string
}

func (m *pageMember) page() (directory.Page, error) {
	if m.MaxResults == nil {
		return directory.Page{}, badMember("maxResults", "Member must not be null")
	}
	if *m.MaxResults < 1 || *m.MaxResults > maxResults || len(m.NextToken) > maxToken {
		return directory.Page{}, badMember("maxResults", "Member must have value between 1 and 60")
	}
	return directory.Page{Marker: m.NextToken, MaxItems: *m.MaxResults}, nil
}

func (h *Handler) listIdentityPools(c *call) (any, error) {
	var in pageMember
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	list, err := h.IdentityPools.ListIdentityPools(c.ctx, c.caller, page)
	type short struct{ IdentityPoolId, IdentityPoolName string }
	out := struct {
		IdentityPools []short
		NextToken     string `json:",omitempty"`
	}{[]short{}, list.Next}
	for _, p := range list.Items {
		out.IdentityPools = append(out.IdentityPools, short{p.ID, p.Name})
	}
	return out, err
}

// mappingRule is MappingRule.
type mappingRule struct{ Claim, MatchType, Value, RoleARN string }

type rulesConfiguration struct{ Rules []mappingRule }

// roleMapping is RoleMapping.
type roleMapping struct {
	Type                    string
	AmbiguousRoleResolution string              `json:",omitempty"`
	RulesConfiguration      *rulesConfiguration `json:",omitempty"`
}

func (h *Handler) setIdentityPoolRoles(c *call) (any, error) {
	var in struct {
		IdentityPoolId string
		Roles          map[string]string
		RoleMappings   map[string]roleMapping
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityPoolId", in.IdentityPoolId); err != nil {
		return nil, err
	}
	if in.Roles == nil {
		return nil, badMember("roles", "Member must not be null")
	}
	mappings := map[string]identity.PoolRoleMapping{}
	for name, m := range in.RoleMappings {
		to := identity.PoolRoleMapping{Type: m.Type, Ambiguous: m.AmbiguousRoleResolution}
		if m.RulesConfiguration != nil {
			for _, r := range m.RulesConfiguration.Rules {
				to.Rules = append(to.Rules, identity.PoolRoleRule{Claim: r.Claim, MatchType: r.MatchType, Value: r.Value, RoleARN: r.RoleARN})
			}
		}
		mappings[name] = to
	}
	return nil, h.IdentityPools.SetIdentityPoolRoles(c.ctx, c.caller, in.IdentityPoolId, in.Roles, mappings)
}

func (h *Handler) getIdentityPoolRoles(c *call) (any, error) {
	id, err := c.ofPool()
	if err != nil {
		return nil, err
	}
	p, err := h.IdentityPools.GetIdentityPoolRoles(c.ctx, c.caller, id)
	out := struct {
		IdentityPoolId string
		Roles          map[string]string      `json:",omitempty"`
		RoleMappings   map[string]roleMapping `json:",omitempty"`
	}{id, p.Roles, map[string]roleMapping{}}
	for name, m := range p.RoleMappings {
		to := roleMapping{Type: m.Type, AmbiguousRoleResolution: m.Ambiguous}
		if len(m.Rules) > 0 {
			to.RulesConfiguration = &rulesConfiguration{}
		}
		for _, r := range m.Rules {
			to.RulesConfiguration.Rules = append(to.RulesConfiguration.Rules, mappingRule{r.Claim, r.MatchType, r.Value, r.RoleARN})
		}
		out.RoleMappings[name] = to
	}
	return out, err
}

// identityDescription is IdentityDescription.
type identityDescription struct {
	IdentityId       string
	Logins           []string `json:",omitempty"`
	CreationDate     epochSeconds
	LastModifiedDate epochSeconds
}

func showIdentity(i *identity.PoolIdentity) identityDescription {
	out := identityDescription{IdentityId: i.ID, CreationDate: epochSeconds(i.CreatedAt), LastModifiedDate: epochSeconds(i.ModifiedAt)}
	for _, l := range i.Logins {
		out.Logins = append(out.Logins, l.Provider)
	}
	return out
}

func (h *Handler) listIdentities(c *call) (any, error) {
	var in struct {
		pageMember
		IdentityPoolId string
		HideDisabled   bool
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityPoolId", in.IdentityPoolId); err != nil {
		return nil, err
	}
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	list, err := h.IdentityPools.ListIdentities(c.ctx, c.caller, in.IdentityPoolId, in.HideDisabled, page)
	out := struct {
		IdentityPoolId string
		Identities     []identityDescription
		NextToken      string `json:",omitempty"`
	}{in.IdentityPoolId, []identityDescription{}, list.Next}
	for i := range list.Items {
		out.Identities = append(out.Identities, showIdentity(&list.Items[i]))
	}
	return out, err
}

func (h *Handler) describeIdentity(c *call) (any, error) {
	var in struct{ IdentityId string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkID("identityId", in.IdentityId); err != nil {
		return nil, err
	}
	i, err := h.IdentityPools.DescribeIdentity(c.ctx, c.caller, in.IdentityId)
	return showIdentity(&i), err
}

func (h *Handler) deleteIdentities(c *call) (any, error) {
	var in struct{ IdentityIdsToDelete []string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	for _, id := range in.IdentityIdsToDelete {
		if err := checkID("identityIdsToDelete", id); err != nil {
			return nil, err
		}
	}
	left, err := h.IdentityPools.DeleteIdentities(c.ctx, c.caller, in.IdentityIdsToDelete)
	type unprocessed struct{ IdentityId, ErrorCode string }
	out := struct{ UnprocessedIdentityIds []unprocessed }{[]unprocessed{}}
	for _, id := range left {
		out.UnprocessedIdentityIds = append(out.UnprocessedIdentityIds, unprocessed{id, "AccessDenied"})
	}
	return out, err
}

func (h *Handler) tagIdentityPool(c *call) (any, error) {
	var in struct {
		ResourceArn string
		Tags        map[string]string
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkARN("resourceArn", in.ResourceArn); err != nil {
		return nil, err
	}
	return struct{}{}, h.IdentityPools.TagIdentityPool(c.ctx, c.caller, in.ResourceArn, in.Tags)
}

func (h *Handler) untagIdentityPool(c *call) (any, error) {
	var in struct {
		ResourceArn string
		TagKeys     []string
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkARN("resourceArn", in.ResourceArn); err != nil {
		return nil, err
	}
	return struct{}{}, h.IdentityPools.UntagIdentityPool(c.ctx, c.caller, in.ResourceArn, in.TagKeys)
}

func (h *Handler) listIdentityPoolTags(c *call) (any, error) {
	var in struct{ ResourceArn string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkARN("resourceArn", in.ResourceArn); err != nil {
		return nil, err
	}
	tags, err := h.IdentityPools.ListIdentityPoolTags(c.ctx, c.caller, in.ResourceArn)
	return struct{ Tags map[string]string }{maps.Collect(maps.All(tags))}, err
}
