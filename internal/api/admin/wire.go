package admin

import (
	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The wire form of directory.SiteSpec. It is spelt out because secrets must
// travel here, and identity.Secret refuses to be encoded anywhere by accident.
type (
	wireSpec struct {
		Accounts      []wireAccount      `json:"accounts,omitempty"`
		Realms        []wireRealm        `json:"realms,omitempty"`
		Policies      []wirePolicy       `json:"policies,omitempty"`
		Groups        []wireGroup        `json:"groups,omitempty"`
		Users         []wireUser         `json:"users,omitempty"`
		Roles         []wireRole         `json:"roles,omitempty"`
		Providers     []wireProvider     `json:"providers,omitempty"`
		SAMLProviders []wireSAMLProvider `json:"saml_providers,omitempty"`
		IdentityPools []wireIdentityPool `json:"identity_pools,omitempty"`
		APITokens     []wireAPIToken     `json:"api_tokens,omitempty"`
		StaxAPIs      []wireStaxAPI      `json:"stax_apis,omitempty"`
		// TokenServices hold no secrets.
		TokenServices []directory.TokenServiceSpec `json:"token_services,omitempty"`
		IBM           *wireIBM                     `json:"ibm,omitempty"`
	}
	wireAccount struct {
		ID           string  `json:"id"`
		Partition    string  `json:"partition"`
		Name         string  `json:"name,omitempty"`
		Alias        string  `json:"alias,omitempty"`
		RootEmail    string  `json:"root_email,omitempty"`
		RootPassword *string `json:"root_password,omitempty"`

		OutboundFederation *bool    `json:"outbound_federation,omitempty"`
		AssumeRootIn       []string `json:"assume_root_in,omitempty"`
	}
	wireRealm struct {
		identity.Realm
		Clients      []wireClient      `json:"clients,omitempty"`
		LoginSecrets map[string]string `json:"login_secrets,omitempty"`
		UserPool     *wireUserPool     `json:"user_pool,omitempty"`
	}
	wireClient struct {
		ID             string   `json:"id"`
		Public         bool     `json:"public,omitempty"`
		Grants         []string `json:"grants,omitempty"`
		Audience       []string `json:"audience,omitempty"`
		ServiceAccount string   `json:"service_account,omitempty"`
		Secret         *string  `json:"secret,omitempty"`
	}
	wirePolicy struct {
		AccountID   string            `json:"account_id"`
		Name        string            `json:"name"`
		Path        string            `json:"path,omitempty"`
		Description string            `json:"description,omitempty"`
		Document    string            `json:"document"`
		Tags        map[string]string `json:"tags"`
	}
	// Lists and maps without omitempty travel as null where the site leaves
	// alone what there is.
	wireGroup struct {
		AccountID       string            `json:"account_id"`
		Name            string            `json:"name"`
		Path            string            `json:"path,omitempty"`
		ManagedPolicies []string          `json:"managed_policies"`
		InlinePolicies  map[string]string `json:"inline_policies"`
	}
	wireUser struct {
		AccountID           string              `json:"account_id"`
		Name                string              `json:"name"`
		Path                string              `json:"path,omitempty"`
		Realm               string              `json:"realm,omitempty"`
		Email               string              `json:"email,omitempty"`
		EmailVerified       bool                `json:"email_verified,omitempty"`
		ClientRoles         map[string][]string `json:"client_roles,omitempty"`
		Groups              []string            `json:"groups"`
		PoolGroups          []string            `json:"pool_groups"`
		Attributes          map[string]string   `json:"attributes"`
		ManagedPolicies     []string            `json:"managed_policies"`
		InlinePolicies      map[string]string   `json:"inline_policies"`
		PermissionsBoundary *string             `json:"permissions_boundary"`
		Tags                map[string]string   `json:"tags"`
		Disabled            bool                `json:"disabled,omitempty"`
		MustChangePassword  bool                `json:"must_change_password,omitempty"`
		MFARequired         bool                `json:"mfa_required,omitempty"`
		Password            *string             `json:"password,omitempty"`
	}
	wireRole struct {
		AccountID           string            `json:"account_id"`
		Name                string            `json:"name"`
		Path                string            `json:"path,omitempty"`
		Description         string            `json:"description,omitempty"`
		Trust               string            `json:"trust"`
		MaxSessionDuration  int               `json:"max_session_duration,omitempty"`
		ManagedPolicies     []string          `json:"managed_policies"`
		InlinePolicies      map[string]string `json:"inline_policies"`
		PermissionsBoundary *string           `json:"permissions_boundary"`
		Tags                map[string]string `json:"tags"`
	}
	wireSAMLProvider struct {
		AccountID string `json:"account_id"`
		Name      string `json:"name"`
		Metadata  string `json:"metadata"`
		Audience  string `json:"audience,omitempty"`
		Recipient string `json:"recipient,omitempty"`
	}
	wireProvider struct {
		AccountID   string   `json:"account_id"`
		URL         string   `json:"url,omitempty"`
		OwnRealm    string   `json:"own_realm,omitempty"`
		ClientIDs   []string `json:"client_ids,omitempty"`
		Thumbprints []string `json:"thumbprints,omitempty"`
		CABundle    string   `json:"ca_bundle,omitempty"`

		JWKS            string                 `json:"jwks,omitempty"`
		BearerTokenFile string                 `json:"bearer_token_file,omitempty"`
		RoleMappings    []identity.RoleMapping `json:"role_mappings,omitempty"`
		IssuerAliases   []string               `json:"issuer_aliases,omitempty"`
	}
)

type applyRequest struct {
	Spec   wireSpec `json:"spec"`
	DryRun bool     `json:"dry_run,omitempty"`
}

// ApplyResult is the answer of /v1/apply.
type ApplyResult struct {
	Changes []directory.Change `json:"changes"`
	DryRun  bool               `json:"dry_run"`
}

type rotateRequest struct {
	What string `json:"what"`
	// Now uses the new keys at once, before everyone can know them.
	Now bool `json:"now,omitempty"`
	// Compromised also ends what the old keys made.
	Compromised bool `json:"compromised,omitempty"`
}

type errorAnswer struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Kind      identity.Kind `json:"kind"`
	Message   string        `json:"message"`
	RequestID string        `json:"request_id"`
}

func reveal(s *identity.Secret) *string {
	if s == nil {
		return nil
	}
	text := s.Reveal()
	return &text
}

func secret(s *string) *identity.Secret {
	if s == nil {
		return nil
	}
	v := identity.Secret(*s)
	return &v
}

func encodeSpec(s directory.SiteSpec) wireSpec {
	var w wireSpec
	for _, a := range s.Accounts {
		w.Accounts = append(w.Accounts, wireAccount{a.ID, a.Partition, a.Name, a.Alias, a.RootEmail, reveal(a.RootPassword), a.OutboundFederation, a.AssumeRootIn})
	}
	for _, r := range s.Realms {
		out := wireRealm{Realm: r.Realm, UserPool: encodeUserPool(r.UserPool)}
		for name, s := range r.LoginSecrets {
			if out.LoginSecrets == nil {
				out.LoginSecrets = map[string]string{}
			}
			out.LoginSecrets[name] = s.Reveal()
		}
		for _, c := range r.Clients {
			out.Clients = append(out.Clients, wireClient{c.ID, c.Public, c.Grants, c.Audience, c.ServiceAccount, reveal(c.Secret)})
		}
		w.Realms = append(w.Realms, out)
	}
	for _, p := range s.Policies {
		w.Policies = append(w.Policies, wirePolicy(p))
	}
	for _, g := range s.Groups {
		w.Groups = append(w.Groups, wireGroup(g))
	}
	for _, u := range s.Users {
		w.Users = append(w.Users, wireUser{
			u.AccountID, u.Name, u.Path, u.Realm, u.Email, u.EmailVerified, u.ClientRoles, u.Groups, u.PoolGroups, u.Attributes,
			u.ManagedPolicies, u.InlinePolicies, u.PermissionsBoundary, u.Tags, u.Disabled, u.MustChangePassword, u.MFARequired, reveal(u.Password),
		})
	}
	for _, r := range s.Roles {
		w.Roles = append(w.Roles, wireRole(r))
	}
	for _, p := range s.Providers {
		w.Providers = append(w.Providers, wireProvider(p))
	}
	for _, p := range s.SAMLProviders {
		w.SAMLProviders = append(w.SAMLProviders, wireSAMLProvider(p))
	}
	w.TokenServices = s.TokenServices
	w.encodePools(&s)
	w.IBM = encodeIBM(s.IBM)
	return w
}

func (w *wireSpec) decode() directory.SiteSpec {
	var s directory.SiteSpec
	for _, a := range w.Accounts {
		s.Accounts = append(s.Accounts, directory.AccountSpec{
			ID: a.ID, Partition: a.Partition, Name: a.Name, Alias: a.Alias, RootEmail: a.RootEmail, RootPassword: secret(a.RootPassword),
			OutboundFederation: a.OutboundFederation, AssumeRootIn: a.AssumeRootIn,
		})
	}
	for _, r := range w.Realms {
		out := directory.RealmSpec{Realm: r.Realm, UserPool: r.UserPool.decode()}
		for name, s := range r.LoginSecrets {
			if out.LoginSecrets == nil {
				out.LoginSecrets = map[string]identity.Secret{}
			}
			out.LoginSecrets[name] = identity.Secret(s)
		}
		for _, c := range r.Clients {
			out.Clients = append(out.Clients, directory.ClientSpec{
				ID: c.ID, Public: c.Public, Grants: c.Grants, Audience: c.Audience, ServiceAccount: c.ServiceAccount, Secret: secret(c.Secret),
			})
		}
		s.Realms = append(s.Realms, out)
	}
	for _, p := range w.Policies {
		s.Policies = append(s.Policies, directory.PolicySpec(p))
	}
	for _, g := range w.Groups {
		s.Groups = append(s.Groups, directory.GroupSpec(g))
	}
	for _, u := range w.Users {
		s.Users = append(s.Users, directory.UserSpec{
			AccountID: u.AccountID, Name: u.Name, Path: u.Path, Realm: u.Realm, Email: u.Email, EmailVerified: u.EmailVerified,
			ClientRoles: u.ClientRoles, Groups: u.Groups, PoolGroups: u.PoolGroups, Attributes: u.Attributes,
			ManagedPolicies: u.ManagedPolicies, InlinePolicies: u.InlinePolicies, PermissionsBoundary: u.PermissionsBoundary, Tags: u.Tags, Disabled: u.Disabled,
			MustChangePassword: u.MustChangePassword, MFARequired: u.MFARequired, Password: secret(u.Password),
		})
	}
	for _, r := range w.Roles {
		s.Roles = append(s.Roles, directory.RoleSpec(r))
	}
	for _, p := range w.Providers {
		s.Providers = append(s.Providers, directory.ProviderSpec(p))
	}
	for _, p := range w.SAMLProviders {
		s.SAMLProviders = append(s.SAMLProviders, directory.SAMLProviderSpec(p))
	}
	s.TokenServices = w.TokenServices
	w.decodePools(&s)
	s.IBM = w.IBM.decode()
	return s
}
