package site

import (
	"fmt"
	"maps"
	"slices"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The YAML form of user pools, identity pools and what stands on them.
type (
	userPool struct {
		Name                  string          `yaml:"name"`
		Region                string          `yaml:"region"`
		MFA                   string          `yaml:"mfa"`
		TemporaryPasswordDays int             `yaml:"temporary_password_days"`
		PasswordPolicy        *passwordPolicy `yaml:"password_policy"`
		Clients               []poolClient    `yaml:"clients"`
		Groups                []poolGroup     `yaml:"groups"`
	}
	passwordPolicy struct {
		MinimumLength    int  `yaml:"minimum_length"`
		RequireSymbols   bool `yaml:"require_symbols"`
		RequireNumbers   bool `yaml:"require_numbers"`
		RequireUppercase bool `yaml:"require_uppercase"`
		RequireLowercase bool `yaml:"require_lowercase"`
		ReusePrevention  int  `yaml:"reuse_prevention"`
	}
	poolClient struct {
		ID                  string   `yaml:"id"`
		Name                string   `yaml:"name"`
		Secrets             []Secret `yaml:"secrets"`
		AuthFlows           []string `yaml:"auth_flows"`
		TellUnknownUsers    bool     `yaml:"tell_unknown_users"`
		NoRevocation        bool     `yaml:"no_revocation"`
		RotateRefresh       bool     `yaml:"rotate_refresh"`
		RetryGraceSeconds   int      `yaml:"retry_grace_seconds"`
		AccessTokenSeconds  int      `yaml:"access_token_seconds"`
		IDTokenSeconds      int      `yaml:"id_token_seconds"`
		RefreshTokenSeconds int      `yaml:"refresh_token_seconds"`
		AuthSessionSeconds  int      `yaml:"auth_session_seconds"`
	}
	poolGroup struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
		Role        string `yaml:"role"`
		Precedence  *int   `yaml:"precedence"`
	}
	identityPool struct {
		ID                   string                     `yaml:"id"`
		Account              string                     `yaml:"account"`
		Name                 string                     `yaml:"name"`
		Region               string                     `yaml:"region"`
		AllowUnauthenticated bool                       `yaml:"allow_unauthenticated"`
		AllowClassicFlow     bool                       `yaml:"allow_classic_flow"`
		UserPools            []poolLogin                `yaml:"user_pools"`
		OIDCProviders        []string                   `yaml:"oidc_providers"`
		Roles                poolRoles                  `yaml:"roles"`
		RoleMappings         map[string]poolRoleMapping `yaml:"role_mappings"`
		Tags                 map[string]string          `yaml:"tags"`
	}
	poolLogin struct {
		Realm  string `yaml:"realm"`
		Client string `yaml:"client"`
	}
	poolRoles struct {
		Authenticated   string `yaml:"authenticated"`
		Unauthenticated string `yaml:"unauthenticated"`
	}
	poolRoleMapping struct {
		Type      string     `yaml:"type"`
		Ambiguous string     `yaml:"ambiguous"`
		Rules     []roleRule `yaml:"rules"`
	}
	roleRule struct {
		Claim string `yaml:"claim"`
		Match string `yaml:"match"`
		Value string `yaml:"value"`
		Role  string `yaml:"role"`
	}
	apiToken struct {
		Account     string  `yaml:"account"`
		Realm       string  `yaml:"realm"`
		Name        string  `yaml:"name"`
		Description string  `yaml:"description"`
		Role        string  `yaml:"role"`
		AccessKey   string  `yaml:"access_key"`
		Secret      *Secret `yaml:"secret"`
		Disabled    bool    `yaml:"disabled"`
	}
	staxAPI struct {
		Name         string   `yaml:"name"`
		Account      string   `yaml:"account"`
		Hosts        []string `yaml:"hosts"`
		Region       string   `yaml:"region"`
		Realm        string   `yaml:"realm"`
		Client       string   `yaml:"client"`
		IdentityPool string   `yaml:"identity_pool"`
	}
)

// Defaults of user pools, as in AWS but for the ID token, whose life bounds how
// late a stolen one is of use; seconds.
const (
	defaultRegion             = "us-east-1"
	defaultPoolTokenSeconds   = 3600
	defaultPoolRefreshSeconds = 30 * 86400
	defaultAuthSessionSeconds = 180
)

// defaultAuthFlows are what a client may do that says nothing.
var defaultAuthFlows = []string{"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}

func (b *builder) userPool(path, realm string, p *userPool) *directory.UserPoolSpec {
	if p == nil {
		return nil
	}
	out := &directory.UserPoolSpec{
		Name: orDefault(p.Name, realm), Region: orDefault(p.Region, defaultRegion), MFA: orDefault(p.MFA, identity.MFAOptional),
		TemporaryPasswordDays: p.TemporaryPasswordDays,
	}
	if w := p.PasswordPolicy; w != nil {
		out.PasswordPolicy = &identity.PasswordPolicy{
			MinimumLength: positive(w.MinimumLength, 8), RequireSymbols: w.RequireSymbols, RequireNumbers: w.RequireNumbers,
			RequireUppercase: w.RequireUppercase, RequireLowercase: w.RequireLowercase, ReusePrevention: w.ReusePrevention,
		}
	}
	for i := range p.Clients {
		out.Clients = append(out.Clients, b.poolClient(fmt.Sprintf("%s.clients[%d]", path, i), &p.Clients[i]))
	}
	for i, g := range p.Groups {
		at := fmt.Sprintf("%s.groups[%d]", path, i)
		b.require(at, "name", g.Name)
		b.once(at+".name", "pool group", realm, g.Name)
		out.Groups = append(out.Groups, directory.PoolGroupSpec(g))
	}
	return out
}

func (b *builder) poolClient(path string, c *poolClient) directory.PoolClientSpec {
	b.require(path, "id", c.ID)
	b.once(path+".id", "pool client", c.ID)
	out := directory.PoolClientSpec{PoolClient: identity.PoolClient{
		ID: c.ID, Name: orDefault(c.Name, c.ID), HasSecret: len(c.Secrets) > 0, AuthFlows: c.AuthFlows,
		TellUnknownUsers: c.TellUnknownUsers, NoRevocation: c.NoRevocation, RotateRefresh: c.RotateRefresh, RetryGraceSeconds: c.RetryGraceSeconds,
		AccessTokenSeconds: positive(c.AccessTokenSeconds, defaultPoolTokenSeconds), IDTokenSeconds: positive(c.IDTokenSeconds, defaultPoolTokenSeconds),
		RefreshTokenSeconds: positive(c.RefreshTokenSeconds, defaultPoolRefreshSeconds), AuthSessionSeconds: positive(c.AuthSessionSeconds, defaultAuthSessionSeconds),
	}}
	if out.AuthFlows == nil {
		out.AuthFlows = defaultAuthFlows
	}
	for i := range c.Secrets {
		out.Secrets = append(out.Secrets, *b.secret(fmt.Sprintf("%s.secrets[%d]", path, i), &c.Secrets[i]))
	}
	return out
}

func (b *builder) identityPool(path string, p *identityPool) directory.IdentityPoolSpec {
	b.require(path, "account", p.Account)
	b.require(path, "name", p.Name)
	b.once(path+".name", "identity pool", p.Account, p.Name)
	out := directory.IdentityPoolSpec{
		ID: p.ID, AccountID: p.Account, Name: p.Name, Region: orDefault(p.Region, defaultRegion), AllowUnauthenticated: p.AllowUnauthenticated,
		AllowClassicFlow: p.AllowClassicFlow, OIDCProviders: p.OIDCProviders, Authenticated: p.Roles.Authenticated,
		Unauthenticated: p.Roles.Unauthenticated, Tags: p.Tags,
	}
	for i, l := range p.UserPools {
		at := fmt.Sprintf("%s.user_pools[%d]", path, i)
		b.require(at, "realm", l.Realm)
		b.require(at, "client", l.Client)
		out.UserPools = append(out.UserPools, directory.PoolLoginSpec{Realm: l.Realm, ClientID: l.Client})
	}
	for _, provider := range slices.Sorted(maps.Keys(p.RoleMappings)) {
		m := p.RoleMappings[provider]
		mapping := identity.PoolRoleMapping{Type: orDefault(m.Type, "Token"), Ambiguous: orDefault(m.Ambiguous, "Deny")}
		for i, r := range m.Rules {
			at := fmt.Sprintf("%s.role_mappings.%s.rules[%d]", path, provider, i)
			b.require(at, "claim", r.Claim)
			b.require(at, "value", r.Value)
			b.require(at, "role", r.Role)
			mapping.Rules = append(mapping.Rules, identity.PoolRoleRule{Claim: r.Claim, MatchType: orDefault(r.Match, "Equals"), Value: r.Value, RoleARN: r.Role})
		}
		if out.RoleMappings == nil {
			out.RoleMappings = map[string]identity.PoolRoleMapping{}
		}
		out.RoleMappings[provider] = mapping
	}
	return out
}

func (b *builder) apiToken(path string, t *apiToken) directory.APITokenSpec {
	b.require(path, "account", t.Account)
	b.require(path, "realm", t.Realm)
	b.require(path, "name", t.Name)
	b.require(path, "access_key", t.AccessKey)
	b.once(path+".access_key", "access key", t.AccessKey)
	return directory.APITokenSpec{
		AccountID: t.Account, Realm: t.Realm, Name: t.Name, Description: t.Description, Role: t.Role, AccessKey: t.AccessKey,
		Disabled: t.Disabled, Secret: b.secret(path+".secret", t.Secret),
	}
}

func (b *builder) staxAPI(path string, s *staxAPI) directory.StaxAPISpec {
	b.require(path, "account", s.Account)
	b.require(path, "realm", s.Realm)
	b.require(path, "client", s.Client)
	b.require(path, "identity_pool", s.IdentityPool)
	b.once(path+".name", "Stax API", orDefault(s.Name, s.Account))
	for i, h := range s.Hosts {
		b.once(fmt.Sprintf("%s.hosts[%d]", path, i), "host", h)
	}
	return directory.StaxAPISpec{
		Name: orDefault(s.Name, s.Account), AccountID: s.Account, Region: orDefault(s.Region, defaultRegion), Realm: s.Realm,
		ClientID: s.Client, IdentityPool: s.IdentityPool, Hosts: s.Hosts,
	}
}
