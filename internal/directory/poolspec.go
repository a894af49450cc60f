package directory

import (
	"regexp"
	"slices"
	"strings"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/policy"
)

// UserPoolSpec is the Cognito view of a realm.
type UserPoolSpec struct {
	Name, Region, MFA     string
	PasswordPolicy        *identity.PasswordPolicy
	TemporaryPasswordDays int
	Clients               []PoolClientSpec
	Groups                []PoolGroupSpec
}

// PoolClientSpec is an app client; its Realm is the one it stands in. Of Secrets
// nil leaves alone what there is.
type PoolClientSpec struct {
	identity.PoolClient
	Secrets []identity.Secret
}

// PoolGroupSpec is a group of a user pool; Role is the name of a role of the
// account, or "".
type PoolGroupSpec struct {
	Name, Description, Role string
	Precedence              *int
}

// IdentityPoolSpec is an identity pool. Without ID it is found by account and
// name, or made with a random one.
type IdentityPoolSpec struct {
	ID, AccountID, Name, Region string
	AllowUnauthenticated        bool
	AllowClassicFlow            bool
	UserPools                   []PoolLoginSpec
	OIDCProviders               []string // issuers, or realms of the account
	// Authenticated and Unauthenticated are names of roles of the account.
	Authenticated, Unauthenticated string
	// RoleMappings go by realm, or by issuer; RoleARN of a rule may be a name.
	RoleMappings map[string]identity.PoolRoleMapping
	Tags         map[string]string
}

// PoolLoginSpec is a client of a realm's user pool.
type PoolLoginSpec struct{ Realm, ClientID string }

// APITokenSpec is an API token with its secret.
type APITokenSpec struct {
	AccountID, Realm, Name, Description, Role, AccessKey string
	Disabled                                             bool
	Secret                                               *identity.Secret
}

// StaxAPISpec is a Stax-style API; IdentityPool is the name of one of the
// account.
type StaxAPISpec struct {
	Name, AccountID, Region, Realm, ClientID, IdentityPool string
	Hosts                                                  []string
}

var (
	regionRE       = regexp.MustCompile(`^[a-z]{2,}(-[a-z0-9]+)+$`)
	poolClientRE   = regexp.MustCompile(`^[A-Za-z0-9_+]{1,128}$`)
	poolSecretRE   = regexp.MustCompile(`^[A-Za-z0-9_+]{24,64}$`)
	identityPoolRE = regexp.MustCompile(`^([\w-]+):[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	poolNameRE     = regexp.MustCompile(`^[\w\s+=,.@-]{1,128}$`)
)

// AuthFlows are the flows that a client of a user pool may be allowed
// (ExplicitAuthFlows). The last three are names of older clients.
func AuthFlows() []string {
	return []string{
		"ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH",
		"ALLOW_CUSTOM_AUTH", "ALLOW_USER_AUTH", "ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH",
	}
}

func checkUserPoolSpec(realm string, p *UserPoolSpec) error {
	switch {
	case !poolNameRE.MatchString(p.Name):
		return invalid("realm %s: the name of a user pool has 1 to 128 letters, digits, blanks and _+=,.@-", realm)
	case !regionRE.MatchString(p.Region) || len(p.Region) > 32:
		return invalid("realm %s: %q is not a region", realm, p.Region)
	case !slices.Contains([]string{identity.MFAOff, identity.MFAOptional, identity.MFAOn}, p.MFA):
		return invalid("realm %s: mfa is OFF, OPTIONAL or ON", realm)
	case p.TemporaryPasswordDays < 0 || p.TemporaryPasswordDays > 365:
		return invalid("realm %s: temporary_password_days is 0 to 365", realm)
	}
	for _, c := range p.Clients {
		if err := checkPoolClient(&c.PoolClient); err != nil {
			return prefixed("realm "+realm, err)
		}
		if len(c.Secrets) > 2 || slices.ContainsFunc(c.Secrets, func(s identity.Secret) bool { return !poolSecretRE.MatchString(s.Reveal()) }) {
			return invalid("client %s: at most two secrets, each of 24 to 64 letters, digits, _ and +", c.ID)
		}
	}
	for _, g := range p.Groups {
		if g.Name == "" || len(g.Name) > 128 || strings.ContainsAny(g.Name, "/ \t\n\x00") || len(g.Description) > 2048 || g.Precedence != nil && *g.Precedence < 0 {
			return invalid("realm %s: pool group %q: a name has 1 to 128 characters without blanks and slashes, a precedence is not negative", realm, g.Name)
		}
	}
	return nil
}

// checkPoolClient judges an app client, however it comes to be.
func checkPoolClient(c *identity.PoolClient) error {
	const hour, day = 3600, 86400
	if !poolClientRE.MatchString(c.ID) {
		return invalid("client %q: an ID has 1 to 128 letters, digits, _ and +", c.ID)
	}
	for _, f := range c.AuthFlows {
		if !slices.Contains(AuthFlows(), f) {
			return invalid("client %s: unknown flow %q; known are %s", c.ID, f, strings.Join(AuthFlows(), ", "))
		}
	}
	for _, l := range []struct {
		what         string
		n, low, high int
	}{
		{"the life of access tokens", c.AccessTokenSeconds, 1, day},
		{"the life of ID tokens", c.IDTokenSeconds, 1, day},
		{"the life of refresh tokens", c.RefreshTokenSeconds, hour, 3650 * day},
		{"the life of a log-in's challenge", c.AuthSessionSeconds, 180, 900},
		{"the grace of used refresh tokens", c.RetryGraceSeconds, 0, 60},
	} {
		if l.n < l.low || l.n > l.high {
			return invalid("client %s: %s is %d to %d seconds", c.ID, l.what, l.low, l.high)
		}
	}
	return nil
}

func checkIdentityPoolSpec(p IdentityPoolSpec) error {
	m := identityPoolRE.FindStringSubmatch(p.ID)
	switch {
	case !poolNameRE.MatchString(p.Name):
		return invalid("identity pool %q: a name has 1 to 128 letters, digits, blanks and _+=,.@-", p.Name)
	case !regionRE.MatchString(p.Region) || len(p.Region) > maxPoolRegion:
		return invalid("identity pool %s: %q is not a region of up to 18 characters", p.Name, p.Region)
	case p.ID != "" && (m == nil || m[1] != p.Region):
		return invalid("identity pool %s: an ID is the region, a colon and a UUID in lower case", p.Name)
	}
	for provider, mapping := range p.RoleMappings {
		if err := CheckPoolRoleMapping(mapping); err != nil {
			return prefixed("identity pool "+p.Name+": "+provider, err)
		}
	}
	return checkTags(p.Tags)
}

// CheckPoolRoleMapping judges the form of a role mapping.
func CheckPoolRoleMapping(m identity.PoolRoleMapping) error {
	switch {
	case m.Type != "Token" && m.Type != "Rules":
		return invalid("the type of a role mapping is Token or Rules")
	case (m.Type == "Rules") != (len(m.Rules) > 0) || len(m.Rules) > 400:
		return invalid("a role mapping of type Rules has 1 to 400 rules, one of type Token none")
	case m.Ambiguous != "AuthenticatedRole" && m.Ambiguous != "Deny":
		return invalid("a role mapping says AuthenticatedRole or Deny for what is ambiguous")
	}
	for _, r := range m.Rules {
		if !slices.Contains([]string{"Equals", "Contains", "StartsWith", "NotEqual"}, r.MatchType) {
			return invalid("a rule matches by Equals, Contains, StartsWith or NotEqual")
		}
		if r.Claim == "" || len(r.Claim) > 64 || r.Value == "" || len(r.Value) > min(128, policy.MaxPattern) || r.RoleARN == "" {
			return invalid("a rule has a claim of up to 64 characters, a value of up to 128, and a role")
		}
	}
	return nil
}

func checkAPITokenSpec(t APITokenSpec) error {
	switch {
	case !identity.IsAPIAccessKey(t.AccessKey):
		return invalid("API token %s: an access key is a UUID of version 4, in lower case", t.Name)
	case t.Secret != nil && !isAPISecret(t.Secret.Reveal()):
		return invalid("API token %s: a secret has exactly %d letters and digits", t.Name, authn.APISecretLength)
	}
	token := identity.APIToken{Name: t.Name, Description: t.Description, Role: t.Role}
	if err := token.Check(); err != nil {
		return prefixed("API token "+t.Name, err)
	}
	return nil
}

func isAPISecret(s string) bool {
	return len(s) == authn.APISecretLength && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func checkStaxSpec(s StaxAPISpec) error {
	switch {
	case s.Name == "" || len(s.Name) > 64:
		return invalid("Stax API %q: a name has 1 to 64 characters", s.Name)
	case !regionRE.MatchString(s.Region):
		return invalid("Stax API %s: %q is not a region", s.Name, s.Region)
	case slices.ContainsFunc(s.Hosts, func(h string) bool { return h == "" || h != strings.ToLower(h) || strings.ContainsAny(h, ":/ ") }):
		return invalid("Stax API %s: hosts are names in lower case, without port", s.Name)
	}
	return nil
}
