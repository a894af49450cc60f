package site

import (
	"fmt"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// login is a foreign OIDC issuer by which users of a realm log in at the console.
type login struct {
	Name         string   `yaml:"name"`
	Issuer       string   `yaml:"issuer"`
	ClientID     string   `yaml:"client_id"`
	ClientSecret *Secret  `yaml:"client_secret"`
	Scopes       []string `yaml:"scopes"`
	// MFA is "trust" where the issuer's word counts for a second factor.
	MFA      string  `yaml:"mfa"`
	CABundle *Secret `yaml:"ca_bundle"`
}

func (b *builder) logins(path string, r *realm, out *directory.RealmSpec) {
	for i, l := range r.Logins {
		at := fmt.Sprintf("%s.logins[%d]", path, i)
		b.require(at, "name", l.Name)
		b.require(at, "issuer", l.Issuer)
		b.require(at, "client_id", l.ClientID)
		b.once(at+".name", "login", r.Name, l.Name)
		if l.MFA != "" && l.MFA != "trust" {
			b.complain(at+".mfa", "either trust, or nothing")
		}
		made := identity.ForeignLogin{Name: l.Name, Issuer: l.Issuer, ClientID: l.ClientID, Scopes: l.Scopes, TrustMFA: l.MFA == "trust"}
		if bundle := b.secret(at+".ca_bundle", l.CABundle); bundle != nil {
			made.CABundle = bundle.Reveal()
		}
		if secret := b.secret(at+".client_secret", l.ClientSecret); secret != nil {
			if out.LoginSecrets == nil {
				out.LoginSecrets = map[string]identity.Secret{}
			}
			out.LoginSecrets[l.Name] = *secret
		}
		out.Logins = append(out.Logins, made)
	}
}
