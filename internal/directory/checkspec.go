package directory

import (
	"fmt"
	"net/mail"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"daypass/internal/authn"
	"daypass/internal/egress"
	"daypass/internal/identity"
	"daypass/internal/policy"
)

const clientSecretLabel = authn.ClientSecretLabel

var grantTypes = []string{"password", "refresh_token", "client_credentials"}

// checkSpec judges what can be judged without the store. Its errors are
// KindValidation.
func (d *Directory) checkSpec(s SiteSpec) error {
	for _, a := range s.Accounts {
		if err := checkAccountSpec(a); err != nil {
			return err
		}
	}
	for _, r := range s.Realms {
		if err := checkRealmSpec(r); err != nil {
			return err
		}
		if err := d.checkLogins(r); err != nil {
			return err
		}
	}
	for _, u := range s.Users {
		probe := identity.User{Name: u.Name, Path: orSlash(u.Path), Tags: u.Tags}
		if err := checkUser(&probe); err != nil {
			return prefixed("user "+u.Name, err)
		}
		if u.Email != "" && !isEmail(u.Email) {
			return invalid("user %s: %q is not an e-mail address", u.Name, u.Email)
		}
		if u.Password != nil && (len(*u.Password) == 0 || len(*u.Password) > authn.MaxPassword) {
			return invalid("user %s: a password has 1 to %d bytes", u.Name, authn.MaxPassword)
		}
	}
	for _, r := range s.Roles {
		if err := checkRoleSpec(r); err != nil {
			return err
		}
	}
	for _, step := range []func() error{
		each(checkIdentityPoolSpec, s.IdentityPools), each(checkAPITokenSpec, s.APITokens), each(checkStaxSpec, s.StaxAPIs),
		each(checkTokenServiceSpec, s.TokenServices),
		func() error { return checkIBMSpec(s.IBM) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, p := range s.SAMLProviders {
		if err := checkSAMLSpec(p); err != nil {
			return err
		}
	}
	for _, p := range s.Providers {
		if err := checkProviderSpec(p); err != nil {
			return err
		}
	}
	return nil
}

func checkAccountSpec(a AccountSpec) error {
	switch {
	case !accountRE.MatchString(a.ID):
		return invalid("account %q: an ID has up to 63 letters, digits and hyphens", a.ID)
	case a.Partition == "" || strings.ContainsAny(a.Partition, ":/ \t\n"):
		return invalid("account %s: %q is not a partition", a.ID, a.Partition)
	case a.Alias != "" && !aliasRE.MatchString(a.Alias):
		return invalid("account %s: an alias has 3 to 63 lower-case letters, digits and single hyphens", a.ID)
	case !isEmail(a.RootEmail):
		return invalid("account %s: the root user needs an e-mail address", a.ID)
	case a.RootPassword != nil && (len(*a.RootPassword) == 0 || len(*a.RootPassword) > authn.MaxPassword):
		return invalid("account %s: the root password has 1 to %d bytes", a.ID, authn.MaxPassword)
	}
	return nil
}

func checkRealmSpec(r RealmSpec) error {
	switch {
	case !realmRE.MatchString(r.Name):
		return invalid("realm %q: a name has up to 64 letters, digits, hyphens and underscores", r.Name)
	case (r.Name == identity.RootRealm) != (r.AccountID == ""):
		return invalid("realm %s: only %s belongs to no account", r.Name, identity.RootRealm)
	case r.Algorithm != "ES256" && r.Algorithm != "RS256":
		return invalid("realm %s: the algorithm is ES256 or RS256", r.Name)
	case r.AccessTokenSeconds < 1 || r.AccessTokenSeconds > 366*86400:
		return invalid("realm %s: access_token_seconds is 1 to %d", r.Name, 366*86400)
	case r.RefreshTokenSeconds < 0 || r.RefreshTokenSeconds > 366*86400:
		return invalid("realm %s: refresh_token_seconds is 0 to %d", r.Name, 366*86400)
	case r.Issuer != "" && !isIssuer(r.Issuer):
		return invalid("realm %s: %q is not an issuer URL", r.Name, r.Issuer)
	}
	if r.UserPool != nil {
		if err := checkUserPoolSpec(r.Name, r.UserPool); err != nil {
			return err
		}
	}
	for _, c := range r.Clients {
		if c.ID == "" || len(c.ID) > 255 {
			return invalid("realm %s: a client ID has 1 to 255 characters", r.Name)
		}
		if c.Public && c.Secret != nil {
			return invalid("client %s/%s: a public client has no secret", r.Name, c.ID)
		}
		for _, g := range c.Grants {
			if !slices.Contains(grantTypes, g) {
				return invalid("client %s/%s: unknown grant %q; served are %s", r.Name, c.ID, g, strings.Join(grantTypes, ", "))
			}
		}
		if slices.Contains(c.Grants, "client_credentials") && (c.Public || c.ServiceAccount == "") {
			return invalid("client %s/%s: client_credentials needs a secret and a service_account", r.Name, c.ID)
		}
	}
	return nil
}

func checkRoleSpec(r RoleSpec) error {
	if err := checkName("roleName", r.Name, maxRoleName); err != nil {
		return prefixed("role "+r.Name, err)
	}
	if err := checkPath(orSlash(r.Path)); err != nil {
		return prefixed("role "+r.Name, err)
	}
	if r.MaxSessionDuration < minRoleTTL || r.MaxSessionDuration > maxRoleTTL {
		return invalid("role %s: max_session_duration is %d to %d seconds", r.Name, minRoleTTL, maxRoleTTL)
	}
	if len(r.Description) > 1000 {
		return invalid("role %s: a description has up to 1000 characters", r.Name)
	}
	if err := checkTags(r.Tags); err != nil {
		return prefixed("role "+r.Name, err)
	}
	return nil
}

func checkProviderSpec(p ProviderSpec) error {
	switch {
	case (p.URL == "") == (p.OwnRealm == ""):
		return invalid("provider: give either url or realm")
	case p.URL != "" && (!isIssuer(p.URL) || len(p.URL) > maxProviderID):
		return invalid("provider %q: not an issuer URL of up to %d characters", p.URL, maxProviderID)
	case len(p.ClientIDs) == 0 || len(p.ClientIDs) > maxClientIDs:
		return invalid("provider %s%s: give 1 to %d client_ids", p.URL, p.OwnRealm, maxClientIDs)
	}
	if err := checkMappings(p); err != nil {
		return err
	}
	if err := checkIssuerAliases(p); err != nil {
		return err
	}
	for _, id := range p.ClientIDs {
		if id == "" || len(id) > maxProviderID {
			return invalid("provider %s%s: a client ID has 1 to %d characters", p.URL, p.OwnRealm, maxProviderID)
		}
	}
	return checkProviderKeys(p)
}

// checkProviderKeys judges where the issuer's keys come from.
func checkProviderKeys(p ProviderSpec) error {
	switch {
	case p.OwnRealm != "" && (p.CABundle != "" || p.JWKS != "" || p.BearerTokenFile != ""):
		return invalid("provider %s: the keys of a realm of this installation are its own", p.OwnRealm)
	case p.JWKS != "" && (p.CABundle != "" || p.BearerTokenFile != ""):
		return invalid("provider %s: with jwks nothing is fetched, so leave ca_bundle and bearer_token_file out", p.URL)
	case p.BearerTokenFile != "" && !filepath.IsAbs(p.BearerTokenFile):
		return invalid("provider %s: bearer_token_file is no absolute path", p.URL)
	case p.JWKS != "":
		if err := egress.CheckKeySet(p.JWKS); err != nil {
			return prefixed("provider "+p.URL, err)
		}
	}
	return nil
}

const (
	maxRoleMappings  = 100
	maxIssuerAliases = 20
)

func checkIssuerAliases(p ProviderSpec) error {
	switch {
	case p.OwnRealm != "" && len(p.IssuerAliases) > 0:
		return invalid("provider %s: a realm of this installation has one issuer, its own", p.OwnRealm)
	case len(p.IssuerAliases) > maxIssuerAliases:
		return invalid("provider %s: up to %d issuer_aliases", p.URL, maxIssuerAliases)
	}
	for i, alias := range p.IssuerAliases {
		if !isIssuer(alias) || len(alias) > maxProviderID || alias == p.URL || slices.Contains(p.IssuerAliases[:i], alias) {
			return invalid("provider %s: issuer_aliases: %q is not another issuer URL of up to %d characters, named once", p.URL, alias, maxProviderID)
		}
	}
	return nil
}

func checkMappings(p ProviderSpec) error {
	if len(p.RoleMappings) > maxRoleMappings {
		return invalid("provider %s%s: up to %d role_mappings", p.URL, p.OwnRealm, maxRoleMappings)
	}
	for _, m := range p.RoleMappings {
		if m.Claim == "" || m.Value == "" || len(m.Value) > policy.MaxPattern {
			return invalid("provider %s%s: a role mapping has a claim, and a value of up to %d characters", p.URL, p.OwnRealm, policy.MaxPattern)
		}
		if err := checkName("roleName", m.Role, maxRoleName); err != nil {
			return prefixed("provider "+p.URL+p.OwnRealm, err)
		}
	}
	return nil
}

func prefixed(what string, err error) error {
	e := *identity.AsError(err)
	e.Public = fmt.Sprintf("%s: %s", what, e.Public)
	return &e
}

func orSlash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 254
}

func isIssuer(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}
