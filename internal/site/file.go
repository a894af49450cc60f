package site

import (
	"go.yaml.in/yaml/v3"
)

// The YAML form of a site. Names are those of package identity's records.
type (
	file struct {
		Accounts  []account      `yaml:"accounts"`
		Realms    []realm        `yaml:"realms"`
		Policies  []managed      `yaml:"policies"`
		Groups    []group        `yaml:"groups"`
		Users     []user         `yaml:"users"`
		Roles     []role         `yaml:"roles"`
		Providers []provider     `yaml:"providers"`
		SAML      []samlProvider `yaml:"saml_providers"`

		IdentityPools []identityPool `yaml:"identity_pools"`
		APITokens     []apiToken     `yaml:"api_tokens"`
		StaxAPIs      []staxAPI      `yaml:"stax_apis"`
		TokenServices []tokenService `yaml:"token_services"`

		IBM *ibm `yaml:"ibm"`
	}
	account struct {
		ID        string `yaml:"id"`
		Partition string `yaml:"partition"`
		Name      string `yaml:"name"`
		Alias     string `yaml:"alias"`
		Root      *root  `yaml:"root"`

		OutboundFederation *bool    `yaml:"outbound_federation"`
		AssumeRootIn       []string `yaml:"assume_root_in"`
	}
	root struct {
		Email    string  `yaml:"email"`
		Password *Secret `yaml:"password"`
	}
	realm struct {
		Name                string   `yaml:"name"`
		Account             string   `yaml:"account"`
		Issuer              string   `yaml:"issuer"`
		Algorithm           string   `yaml:"algorithm"`
		AccessTokenSeconds  int      `yaml:"access_token_seconds"`
		RefreshTokenSeconds *int     `yaml:"refresh_token_seconds"`
		Scope               string   `yaml:"scope"`
		SupportContact      string   `yaml:"support_contact"`
		RootLoginDisabled   bool     `yaml:"root_login_disabled"`
		Clients             []client `yaml:"clients"`
		Logins              []login  `yaml:"logins"`

		UserPool *userPool `yaml:"user_pool"`
	}
	client struct {
		ID             string   `yaml:"id"`
		Public         bool     `yaml:"public"`
		Grants         []string `yaml:"grants"`
		Audience       []string `yaml:"audience"`
		ServiceAccount string   `yaml:"service_account"`
		Secret         *Secret  `yaml:"secret"`
	}
	managed struct {
		Account     string            `yaml:"account"`
		Name        string            `yaml:"name"`
		Path        string            `yaml:"path"`
		Description string            `yaml:"description"`
		Document    yaml.Node         `yaml:"document"`
		Tags        map[string]string `yaml:"tags"`
	}
	group struct {
		Account         string               `yaml:"account"`
		Name            string               `yaml:"name"`
		Path            string               `yaml:"path"`
		ManagedPolicies []string             `yaml:"managed_policies"`
		InlinePolicies  map[string]yaml.Node `yaml:"inline_policies"`
	}
	user struct {
		Account             string               `yaml:"account"`
		Name                string               `yaml:"name"`
		Path                string               `yaml:"path"`
		Realm               string               `yaml:"realm"`
		Email               string               `yaml:"email"`
		EmailVerified       bool                 `yaml:"email_verified"`
		ClientRoles         map[string][]string  `yaml:"client_roles"`
		Groups              []string             `yaml:"groups"`
		PoolGroups          []string             `yaml:"pool_groups"`
		Attributes          map[string]string    `yaml:"attributes"`
		ManagedPolicies     []string             `yaml:"managed_policies"`
		InlinePolicies      map[string]yaml.Node `yaml:"inline_policies"`
		PermissionsBoundary *string              `yaml:"permissions_boundary"`
		Tags                map[string]string    `yaml:"tags"`
		Disabled            bool                 `yaml:"disabled"`
		MustChangePassword  bool                 `yaml:"must_change_password"`
		MFARequired         bool                 `yaml:"mfa_required"`
		Password            *Secret              `yaml:"password"`
	}
	role struct {
		Account             string               `yaml:"account"`
		Name                string               `yaml:"name"`
		Path                string               `yaml:"path"`
		Description         string               `yaml:"description"`
		Trust               yaml.Node            `yaml:"trust"`
		MaxSessionDuration  int                  `yaml:"max_session_duration"`
		ManagedPolicies     []string             `yaml:"managed_policies"`
		InlinePolicies      map[string]yaml.Node `yaml:"inline_policies"`
		PermissionsBoundary *string              `yaml:"permissions_boundary"`
		Tags                map[string]string    `yaml:"tags"`
	}
	provider struct {
		Account     string   `yaml:"account"`
		URL         string   `yaml:"url"`
		Realm       string   `yaml:"realm"`
		ClientIDs   []string `yaml:"client_ids"`
		Thumbprints []string `yaml:"thumbprints"`
		CABundle    *Secret  `yaml:"ca_bundle"`
		JWKS        *Secret  `yaml:"jwks"`

		BearerTokenFile string `yaml:"bearer_token_file"`

		RoleMappings  []roleMapping `yaml:"role_mappings"`
		IssuerAliases []string      `yaml:"issuer_aliases"`
	}
	samlProvider struct {
		Account   string  `yaml:"account"`
		Name      string  `yaml:"name"`
		Metadata  *Secret `yaml:"metadata"`
		Audience  string  `yaml:"audience"`
		Recipient string  `yaml:"recipient"`
	}
	roleMapping struct {
		Claim string `yaml:"claim"`
		Value string `yaml:"value"`
		Role  string `yaml:"role"`
	}
)

// Defaults of what a site file may leave out; seconds.
const (
	defaultPartition           = "aws"
	defaultAlgorithm           = "ES256"
	defaultAccessTokenSeconds  = 300
	defaultRefreshTokenSeconds = 1800
	defaultSessionSeconds      = 3600
)
