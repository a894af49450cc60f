package site

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/yamldoc"
)

// Source is where a site file comes from.
type Source struct {
	// Name is how complaints call the file; its directory is where relative
	// names of secret files begin.
	Name string
	// Lookup finds variables of the environment: os.LookupEnv.
	Lookup func(string) (string, bool)
}

// Read turns a site file into the state it asks for. Errors are of
// KindValidation; their Public has one complaint per line, each beginning with
// file and line. Secrets appear in none.
func Read(src Source, data []byte) (directory.SiteSpec, error) {
	doc, err := yamldoc.Parse(src.Name, data)
	if err != nil {
		return directory.SiteSpec{}, err
	}
	if err := doc.Expand(src.Lookup); err != nil {
		return directory.SiteSpec{}, err
	}
	var f file
	if err := doc.Decode(&f); err != nil {
		return directory.SiteSpec{}, err
	}
	b := &builder{doc: doc, dir: filepath.Dir(src.Name), lookup: src.Lookup, seen: map[string]string{}}
	spec := b.build(&f)
	if len(b.wrong) > 0 {
		return directory.SiteSpec{}, identity.NewError(identity.KindValidation, "site", strings.Join(b.wrong, "\n"))
	}
	return spec, nil
}

// builder gathers complaints instead of ending at the first.
type builder struct {
	doc    *yamldoc.Document
	dir    string
	lookup func(string) (string, bool)
	seen   map[string]string // what has been named, and where
	wrong  []string
}

func (b *builder) complain(path, format string, args ...any) {
	b.wrong = append(b.wrong, identity.AsError(b.doc.Errorf(path, format, args...)).Public)
}

func (b *builder) require(path, key, value string) {
	if value == "" {
		b.complain(path+"."+key, "must be given")
	}
}

// once complains when a thing that only one may be is named a second time.
// Names are compared without regard to case where the site does so.
func (b *builder) once(path, what string, parts ...string) {
	if slices.Contains(parts, "") { // another complaint
		return
	}
	key := what + "\x00" + strings.Join(parts, "\x00")
	if first := b.seen[key]; first != "" {
		b.complain(path, "the same %s as %s", what, first)
		return
	}
	b.seen[key] = path
}

func (b *builder) secret(path string, s *Secret) *identity.Secret {
	if s == nil {
		return nil
	}
	value, err := s.resolve(b.dir, b.lookup)
	if err != nil {
		b.complain(path, "%v", err)
	}
	return &value
}

func (b *builder) build(f *file) directory.SiteSpec {
	var spec directory.SiteSpec
	for i := range f.Accounts {
		spec.Accounts = append(spec.Accounts, b.account(fmt.Sprintf("accounts[%d]", i), &f.Accounts[i]))
	}
	for i := range f.Realms {
		spec.Realms = append(spec.Realms, b.realm(fmt.Sprintf("realms[%d]", i), &f.Realms[i]))
	}
	for i := range f.Policies {
		spec.Policies = append(spec.Policies, b.managed(fmt.Sprintf("policies[%d]", i), &f.Policies[i]))
	}
	for i := range f.Groups {
		spec.Groups = append(spec.Groups, b.group(fmt.Sprintf("groups[%d]", i), &f.Groups[i]))
	}
	for i := range f.Users {
		spec.Users = append(spec.Users, b.user(fmt.Sprintf("users[%d]", i), &f.Users[i]))
	}
	for i := range f.Roles {
		spec.Roles = append(spec.Roles, b.role(fmt.Sprintf("roles[%d]", i), &f.Roles[i]))
	}
	for i := range f.Providers {
		spec.Providers = append(spec.Providers, b.provider(fmt.Sprintf("providers[%d]", i), &f.Providers[i]))
	}
	for i := range f.SAML {
		spec.SAMLProviders = append(spec.SAMLProviders, b.samlProvider(fmt.Sprintf("saml_providers[%d]", i), &f.SAML[i]))
	}
	for i := range f.IdentityPools {
		spec.IdentityPools = append(spec.IdentityPools, b.identityPool(fmt.Sprintf("identity_pools[%d]", i), &f.IdentityPools[i]))
	}
	for i := range f.APITokens {
		spec.APITokens = append(spec.APITokens, b.apiToken(fmt.Sprintf("api_tokens[%d]", i), &f.APITokens[i]))
	}
	for i := range f.StaxAPIs {
		spec.StaxAPIs = append(spec.StaxAPIs, b.staxAPI(fmt.Sprintf("stax_apis[%d]", i), &f.StaxAPIs[i]))
	}
	for i := range f.TokenServices {
		spec.TokenServices = append(spec.TokenServices, b.tokenService(fmt.Sprintf("token_services[%d]", i), &f.TokenServices[i]))
	}
	spec.IBM = b.ibm(f.IBM)
	return spec
}

func (b *builder) account(path string, a *account) directory.AccountSpec {
	b.require(path, "id", a.ID)
	b.once(path+".id", "account", a.ID)
	b.once(path+".alias", "alias", a.Alias)
	out := directory.AccountSpec{ID: a.ID, Partition: orDefault(a.Partition, defaultPartition), Name: a.Name, Alias: a.Alias, OutboundFederation: a.OutboundFederation, AssumeRootIn: a.AssumeRootIn}
	if a.Root != nil {
		b.require(path+".root", "email", a.Root.Email)
		b.once(path+".root.email", "e-mail address", strings.ToLower(a.Root.Email))
		out.RootEmail = a.Root.Email
		out.RootPassword = b.secret(path+".root.password", a.Root.Password)
	}
	return out
}

func (b *builder) realm(path string, r *realm) directory.RealmSpec {
	b.require(path, "name", r.Name)
	b.once(path+".name", "realm", r.Name)
	if r.Name == identity.RootRealm && r.Account != "" {
		b.complain(path+".account", "the realm %s belongs to no account", identity.RootRealm)
	}
	if r.Name != identity.RootRealm && r.Name != "" {
		b.require(path, "account", r.Account)
	}
	out := directory.RealmSpec{Realm: identity.Realm{
		Name: r.Name, AccountID: r.Account, Issuer: r.Issuer,
		Algorithm:           orDefault(r.Algorithm, defaultAlgorithm),
		AccessTokenSeconds:  positive(r.AccessTokenSeconds, defaultAccessTokenSeconds),
		RefreshTokenSeconds: orSeconds(r.RefreshTokenSeconds, defaultRefreshTokenSeconds),
		Scope:               r.Scope,
		SupportContact:      r.SupportContact,
		RootLoginDisabled:   r.RootLoginDisabled,
	}}
	if r.AccessTokenSeconds < 0 || out.RefreshTokenSeconds < 0 {
		b.complain(path, "a lifetime cannot be negative")
	}
	out.UserPool = b.userPool(path+".user_pool", r.Name, r.UserPool)
	for i, c := range r.Clients {
		at := fmt.Sprintf("%s.clients[%d]", path, i)
		b.require(at, "id", c.ID)
		b.once(at+".id", "client", r.Name, c.ID)
		if c.Public && c.Secret != nil {
			b.complain(at+".secret", "a public client has no secret")
		}
		out.Clients = append(out.Clients, directory.ClientSpec{
			ID: c.ID, Public: c.Public, Grants: c.Grants, Audience: c.Audience,
			ServiceAccount: c.ServiceAccount, Secret: b.secret(at+".secret", c.Secret),
		})
	}
	b.logins(path, r, &out)
	return out
}

func (b *builder) managed(path string, p *managed) directory.PolicySpec {
	b.require(path, "account", p.Account)
	b.require(path, "name", p.Name)
	b.once(path+".name", "policy", p.Account, strings.ToLower(p.Name))
	return directory.PolicySpec{
		AccountID: p.Account, Name: p.Name, Path: orDefault(p.Path, "/"), Description: p.Description,
		Document: b.policy(path+".document", &p.Document), Tags: p.Tags,
	}
}

func (b *builder) group(path string, g *group) directory.GroupSpec {
	b.require(path, "account", g.Account)
	b.require(path, "name", g.Name)
	b.once(path+".name", "group", g.Account, strings.ToLower(g.Name))
	return directory.GroupSpec{
		AccountID: g.Account, Name: g.Name, Path: orDefault(g.Path, "/"),
		ManagedPolicies: g.ManagedPolicies, InlinePolicies: b.policies(path+".inline_policies", g.InlinePolicies),
	}
}

func (b *builder) user(path string, u *user) directory.UserSpec {
	b.require(path, "account", u.Account)
	b.require(path, "name", u.Name)
	b.once(path+".name", "user", u.Account, strings.ToLower(u.Name))
	if u.Password != nil && u.Realm == "" {
		b.complain(path+".password", "a user without a realm has nowhere to log in")
	}
	return directory.UserSpec{
		AccountID: u.Account, Name: u.Name, Path: orDefault(u.Path, "/"), Realm: u.Realm,
		Email: u.Email, EmailVerified: u.EmailVerified, ClientRoles: u.ClientRoles,
		Groups: u.Groups, PoolGroups: u.PoolGroups, Attributes: u.Attributes, ManagedPolicies: u.ManagedPolicies, InlinePolicies: b.policies(path+".inline_policies", u.InlinePolicies),
		PermissionsBoundary: u.PermissionsBoundary, Tags: u.Tags, Disabled: u.Disabled,
		MustChangePassword: u.MustChangePassword, MFARequired: u.MFARequired,
		Password: b.secret(path+".password", u.Password),
	}
}

func (b *builder) role(path string, r *role) directory.RoleSpec {
	b.require(path, "account", r.Account)
	b.require(path, "name", r.Name)
	b.once(path+".name", "role", r.Account, strings.ToLower(r.Name))
	return directory.RoleSpec{
		AccountID: r.Account, Name: r.Name, Path: orDefault(r.Path, "/"), Description: r.Description,
		Trust:              b.policy(path+".trust", &r.Trust),
		MaxSessionDuration: positive(r.MaxSessionDuration, defaultSessionSeconds),
		ManagedPolicies:    r.ManagedPolicies, InlinePolicies: b.policies(path+".inline_policies", r.InlinePolicies),
		PermissionsBoundary: r.PermissionsBoundary, Tags: r.Tags,
	}
}

func (b *builder) provider(path string, p *provider) directory.ProviderSpec {
	b.require(path, "account", p.Account)
	if (p.URL == "") == (p.Realm == "") {
		b.complain(path, "give either url (a foreign issuer) or realm (one of this installation)")
	}
	if u, err := url.Parse(p.URL); p.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		b.complain(path+".url", "not a URL")
	}
	out := directory.ProviderSpec{
		AccountID: p.Account, URL: p.URL, OwnRealm: p.Realm, ClientIDs: p.ClientIDs, Thumbprints: p.Thumbprints,
		IssuerAliases: p.IssuerAliases,
	}
	for i, alias := range p.IssuerAliases {
		b.once(fmt.Sprintf("%s.issuer_aliases[%d]", path, i), "issuer alias", p.Account, alias)
	}
	for i, m := range p.RoleMappings {
		at := fmt.Sprintf("%s.role_mappings[%d]", path, i)
		b.require(at, "claim", m.Claim)
		b.require(at, "value", m.Value)
		b.require(at, "role", m.Role)
		out.RoleMappings = append(out.RoleMappings, identity.RoleMapping(m))
	}
	if bundle := b.secret(path+".ca_bundle", p.CABundle); bundle != nil {
		out.CABundle = bundle.Reveal()
	}
	if keys := b.secret(path+".jwks", p.JWKS); keys != nil {
		out.JWKS = keys.Reveal()
	}
	if out.BearerTokenFile = p.BearerTokenFile; p.BearerTokenFile != "" && !filepath.IsAbs(p.BearerTokenFile) {
		out.BearerTokenFile = b.absolute(path+".bearer_token_file", p.BearerTokenFile)
	}
	return out
}

func (b *builder) samlProvider(path string, p *samlProvider) directory.SAMLProviderSpec {
	b.require(path, "account", p.Account)
	b.require(path, "name", p.Name)
	b.once(path+".name", "SAML provider", p.Account, p.Name)
	out := directory.SAMLProviderSpec{AccountID: p.Account, Name: p.Name, Audience: p.Audience, Recipient: p.Recipient}
	if metadata := b.secret(path+".metadata", p.Metadata); metadata != nil {
		out.Metadata = metadata.Reveal()
	} else {
		b.complain(path, "metadata is missing: the provider's EntityDescriptor (XML), or {file: NAME}")
	}
	return out
}

// absolute makes a name relative to the site file one that the server finds too.
func (b *builder) absolute(path, name string) string {
	abs, err := filepath.Abs(filepath.Join(b.dir, name))
	if err != nil {
		b.complain(path, "%v", err)
	}
	return abs
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// orSeconds is the lifetime given, 0 included, or the default where none is.
func orSeconds(n *int, d int) int {
	if n == nil {
		return d
	}
	return *n
}

func positive(n, d int) int {
	if n <= 0 {
		return d
	}
	return n
}
