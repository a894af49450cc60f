package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const maxPoolMappings = 10

// SetIdentityPoolRoles replaces the roles that a pool gives: by "authenticated"
// and "unauthenticated", and the mappings that choose others (Cognito
// SetIdentityPoolRoles). The caller needs iam:PassRole on every role but
// those that stay where they were. KindNotFound, KindValidation.
func (d *Directory) SetIdentityPoolRoles(ctx context.Context, c *identity.Caller, id string, roles map[string]string, mappings map[string]identity.PoolRoleMapping) error {
	_, err := d.changePool(ctx, c, "SetIdentityPoolRoles", id, maps.Clone(nonNil(roles)), nil, func(tx store.Tx, p *identity.IdentityPool) error {
		had := rolesGiven(p)
		p.Roles, p.RoleMappings = roles, mappings
		if err := d.checkMappings(p); err != nil {
			return err
		}
		for place, arn := range rolesGiven(p) {
			if had[place] == arn {
				continue
			}
			if err := d.permitPassing(tx, c, p.AccountID, arn); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// rolesGiven are the roles that a pool's configuration names, by all that says
// who gets them: the same role for others is given anew.
func rolesGiven(p *identity.IdentityPool) map[string]string {
	out := map[string]string{}
	all := ""
	for _, name := range slices.Sorted(maps.Keys(p.RoleMappings)) {
		m := p.RoleMappings[name]
		place := fmt.Sprintf("%q %+q", name, m)
		all += place
		for n, r := range m.Rules {
			out[strconv.Itoa(n)+" "+place] = r.RoleARN
		}
	}
	for kind, arn := range p.Roles {
		if kind == "authenticated" { // for whom no mapping has a role
			kind += all
		}
		out[kind] = arn
	}
	return out
}

// permitPassing asks whether the caller may hand a role to an identity pool; it
// must be one of the pool's account.
func (d *Directory) permitPassing(r store.Reader, c *identity.Caller, account, arn string) error {
	a, ok := identity.ParseARN(arn)
	path, name, isRole := a.Name("role")
	if !ok || !isRole || a.Service != "iam" || a.Region != "" || a.Account != account || len(arn) > 2048 {
		return invalid("%s is not the ARN of a role of the identity pool's account.", arn)
	}
	keys := access.EntityKeys{"iam:PassedToService": {identity.CognitoIdentity}}
	role, err := store.Roles.By(r, "name", store.Join(account, store.Fold(name)))
	if err == nil {
		keys.Tagged(role.Tags)
	}
	if denied := d.permitKeyed(c, "iam:PassRole", arn, account, keys); denied != nil {
		return denied
	}
	if orAbsent(err) != nil {
		return err
	}
	if err != nil || role.Name != name || role.Path != path {
		return invalid("There is no role %s.", arn)
	}
	return nil
}

// checkMappings judges the form of roles and mappings, and that a mapping by
// token is one of a user pool, whose tokens name roles.
func (d *Directory) checkMappings(p *identity.IdentityPool) error {
	for name := range p.Roles {
		if name != "authenticated" && name != "unauthenticated" {
			return invalid("Roles are authenticated and unauthenticated.")
		}
	}
	if len(p.RoleMappings) > maxPoolMappings {
		return invalid("An identity pool has at most %d role mappings.", maxPoolMappings)
	}
	for name, m := range p.RoleMappings {
		if err := CheckPoolRoleMapping(m); err != nil {
			return err
		}
		switch d.mappedProvider(p, name) {
		case "":
			return invalid("The role mapping of %s is of no provider of the identity pool.", name)
		case "OIDC":
			if m.Type == "Token" {
				return invalid("Role mappings of the type Token are for user pools.")
			}
		}
	}
	return nil
}

// mappedProvider says of what kind the provider is that a role mapping names: by
// its name in Logins, for user pools with ":" and the client behind it too, for
// OIDC providers by ARN too.
func (d *Directory) mappedProvider(p *identity.IdentityPool, name string) string {
	for _, l := range p.UserPools {
		if name == l.Provider || name == l.Provider+":"+l.ClientID {
			return "user pool"
		}
	}
	for _, arn := range p.OIDCProviders {
		a, _ := identity.ParseARN(arn)
		if name == arn || "oidc-provider/"+identity.TrimScheme(name) == a.Resource {
			return "OIDC"
		}
	}
	return ""
}
