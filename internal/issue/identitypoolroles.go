package issue

import (
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
)

// Claims of user pools that name roles.
const (
	claimPreferredRole = "cognito:preferred_role"
	claimRoles         = "cognito:roles"
)

// poolSessionName is the session name of what identity pools give.
const poolSessionName = "CognitoIdentityCredentials"

// poolRole is the role that a pool's configuration chooses: one that the caller
// asks for, if its log-in may have it; what a mapping of the log-in's provider
// says; else the pool's for authenticated or unauthenticated identities.
func (p *poolCall) poolRole(asked string) (string, error) {
	if len(p.logins) == 0 {
		if asked != "" {
			return "", errNoCustomRole
		}
		return p.pool.Roles["unauthenticated"], nil
	}
	for _, l := range p.logins {
		m, ok := p.mapping(l)
		if !ok {
			continue
		}
		found := rolesBy(&m, l)
		if asked != "" {
			if slices.Contains(found.may, asked) {
				return asked, nil
			}
			continue
		}
		if found.role != "" {
			return found.role, nil
		}
		if m.Ambiguous != "AuthenticatedRole" {
			return "", identity.NewError(identity.KindInvalidIdentity, "issue.pool", "The login names no role, or several, and the identity pool denies such.")
		}
	}
	if asked != "" {
		return "", errNoCustomRole
	}
	return p.pool.Roles["authenticated"], nil
}

var errNoCustomRole = identity.NewError(identity.KindInvalidIdentity, "issue.pool", "The login does not allow the role of CustomRoleArn.")

// mapping finds the mapping of a log-in's provider: by the name in Logins, with
// the client behind it or not, or by the provider's ARN.
func (p *poolCall) mapping(l *poolLogin) (identity.PoolRoleMapping, bool) {
	names := []string{l.Name + ":" + l.Audience, l.Name}
	if l.ProviderARN != "" {
		names = append(names, l.ProviderARN, l.Issuer)
	}
	for _, name := range names {
		if m, ok := p.pool.RoleMappings[name]; ok {
			return m, true
		}
	}
	return identity.PoolRoleMapping{}, false
}

// mappedRoles are what a mapping makes of a log-in: the role that it gives, ""
// when that is not one, and those that the caller may ask for.
type mappedRoles struct {
	role string
	may  []string
}

func rolesBy(m *identity.PoolRoleMapping, l *poolLogin) mappedRoles {
	var out mappedRoles
	if m.Type == "Rules" {
		for _, r := range m.Rules {
			if ruleMatches(&r, l.Claims.Value(r.Claim)) {
				out.may = append(out.may, r.RoleARN)
			}
		}
		if len(out.may) > 0 {
			out.role = out.may[0]
		}
		return out
	}
	if m.Type != "Token" || l.ProviderARN != "" { // only user pools of ours name roles
		return out
	}
	out.may = l.Claims.Value(claimRoles)
	if preferred := l.Claims.Value(claimPreferredRole); len(preferred) == 1 {
		out.role = preferred[0]
	} else if len(out.may) == 1 {
		out.role = out.may[0]
	}
	return out
}

// ruleMatches: a claim that is not there matches nothing; of several values one
// is enough, but for NotEqual all count.
func ruleMatches(r *identity.PoolRoleRule, values []string) bool {
	switch r.MatchType {
	case "Equals":
		return slices.Contains(values, r.Value)
	case "NotEqual":
		return len(values) > 0 && !slices.Contains(values, r.Value)
	case "Contains":
		return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, r.Value) })
	case "StartsWith":
		return slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, r.Value) })
	}
	return false
}

// trusted finds the role, in the pool's account, and asks its trust policy. What
// is absent, foreign or does not trust the pool is told alike.
func (i *Issuer) trusted(p *poolCall, arn string, s *identity.PoolSession, f identity.RequestFacts) (*identity.Role, error) {
	unfit := &identity.Error{
		Kind: identity.KindAccessDenied, Op: "issue.pool",
		Public: "Invalid identity pool configuration. Check assigned IAM roles for this pool.",
		Detail: []identity.Detail{{Name: "JSONCode", Value: "InvalidIdentityPoolConfigurationException"}},
	}
	name, ok := identity.ParseARN(arn)
	if !ok || name.Account != p.acc.ID {
		return nil, unfit
	}
	_, role, err := roleOf(i.db.Snapshot(), name)
	if err != nil {
		return nil, absentAs(err, unfit)
	}
	keys := roleKeys(role, poolSessionName, "", &sessionTags{})
	for k, v := range poolKeys(s) {
		keys[k] = v
	}
	by := access.Federated{Provider: identity.CognitoIdentity, Request: f}
	if !i.access.AuthorizeFederated(by, role, p.acc.Partition, webIdentityAction, keys).Allowed() {
		return nil, unfit
	}
	return role, nil
}
