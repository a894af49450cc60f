package admin

import (
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The wire form of user pools, identity pools, API tokens and their API.
type (
	wireUserPool struct {
		Name                  string                   `json:"name"`
		Region                string                   `json:"region"`
		MFA                   string                   `json:"mfa"`
		PasswordPolicy        *identity.PasswordPolicy `json:"password_policy,omitempty"`
		TemporaryPasswordDays int                      `json:"temporary_password_days,omitempty"`
		Clients               []wirePoolClient         `json:"clients,omitempty"`
		Groups                []wirePoolGroup          `json:"groups,omitempty"`
	}
	wirePoolClient struct {
		identity.PoolClient
		Secrets []string `json:"secrets"`
	}
	wirePoolGroup struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		Role        string `json:"role,omitempty"`
		Precedence  *int   `json:"precedence,omitempty"`
	}
	wireIdentityPool struct {
		ID                   string                              `json:"id,omitempty"`
		AccountID            string                              `json:"account_id"`
		Name                 string                              `json:"name"`
		Region               string                              `json:"region"`
		AllowUnauthenticated bool                                `json:"allow_unauthenticated,omitempty"`
		AllowClassicFlow     bool                                `json:"allow_classic_flow,omitempty"`
		UserPools            []directory.PoolLoginSpec           `json:"user_pools,omitempty"`
		OIDCProviders        []string                            `json:"oidc_providers,omitempty"`
		Authenticated        string                              `json:"authenticated,omitempty"`
		Unauthenticated      string                              `json:"unauthenticated,omitempty"`
		RoleMappings         map[string]identity.PoolRoleMapping `json:"role_mappings,omitempty"`
		Tags                 map[string]string                   `json:"tags"`
	}
	wireAPIToken struct {
		AccountID   string  `json:"account_id"`
		Realm       string  `json:"realm"`
		Name        string  `json:"name"`
		Description string  `json:"description,omitempty"`
		Role        string  `json:"role"`
		AccessKey   string  `json:"access_key"`
		Disabled    bool    `json:"disabled,omitempty"`
		Secret      *string `json:"secret,omitempty"`
	}
	wireStaxAPI struct {
		Name         string   `json:"name"`
		AccountID    string   `json:"account_id"`
		Region       string   `json:"region"`
		Realm        string   `json:"realm"`
		ClientID     string   `json:"client_id"`
		IdentityPool string   `json:"identity_pool"`
		Hosts        []string `json:"hosts,omitempty"`
	}
)

func encodeUserPool(p *directory.UserPoolSpec) *wireUserPool {
	if p == nil {
		return nil
	}
	w := &wireUserPool{p.Name, p.Region, p.MFA, p.PasswordPolicy, p.TemporaryPasswordDays, nil, nil}
	for _, c := range p.Clients {
		out := wirePoolClient{PoolClient: c.PoolClient}
		if c.Secrets != nil {
			out.Secrets = []string{}
		}
		for _, s := range c.Secrets {
			out.Secrets = append(out.Secrets, s.Reveal())
		}
		w.Clients = append(w.Clients, out)
	}
	for _, g := range p.Groups {
		w.Groups = append(w.Groups, wirePoolGroup(g))
	}
	return w
}

func (w *wireUserPool) decode() *directory.UserPoolSpec {
	if w == nil {
		return nil
	}
	p := &directory.UserPoolSpec{
		Name: w.Name, Region: w.Region, MFA: w.MFA, PasswordPolicy: w.PasswordPolicy, TemporaryPasswordDays: w.TemporaryPasswordDays,
	}
	for _, c := range w.Clients {
		out := directory.PoolClientSpec{PoolClient: c.PoolClient}
		if c.Secrets != nil {
			out.Secrets = []identity.Secret{}
		}
		for _, s := range c.Secrets {
			out.Secrets = append(out.Secrets, identity.Secret(s))
		}
		p.Clients = append(p.Clients, out)
	}
	for _, g := range w.Groups {
		p.Groups = append(p.Groups, directory.PoolGroupSpec(g))
	}
	return p
}

func (w *wireSpec) encodePools(s *directory.SiteSpec) {
	for _, p := range s.IdentityPools {
		w.IdentityPools = append(w.IdentityPools, wireIdentityPool(p))
	}
	for _, t := range s.APITokens {
		w.APITokens = append(w.APITokens, wireAPIToken{
			t.AccountID, t.Realm, t.Name, t.Description, t.Role, t.AccessKey, t.Disabled, reveal(t.Secret),
		})
	}
	for _, a := range s.StaxAPIs {
		w.StaxAPIs = append(w.StaxAPIs, wireStaxAPI(a))
	}
}

func (w *wireSpec) decodePools(s *directory.SiteSpec) {
	for _, p := range w.IdentityPools {
		s.IdentityPools = append(s.IdentityPools, directory.IdentityPoolSpec(p))
	}
	for _, t := range w.APITokens {
		s.APITokens = append(s.APITokens, directory.APITokenSpec{
			AccountID: t.AccountID, Realm: t.Realm, Name: t.Name, Description: t.Description, Role: t.Role, AccessKey: t.AccessKey,
			Disabled: t.Disabled, Secret: secret(t.Secret),
		})
	}
	for _, a := range w.StaxAPIs {
		s.StaxAPIs = append(s.StaxAPIs, directory.StaxAPISpec(a))
	}
}
