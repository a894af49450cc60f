package directory

import "daypass/internal/identity"

// SiteSpec is the wanted state of a site, as package site reads it from a
// file. What it names is created or brought into line; what it does not name
// is left alone.
type SiteSpec struct {
	Accounts      []AccountSpec
	Realms        []RealmSpec
	Policies      []PolicySpec
	Groups        []GroupSpec
	Users         []UserSpec
	Roles         []RoleSpec
	Providers     []ProviderSpec
	SAMLProviders []SAMLProviderSpec
	IdentityPools []IdentityPoolSpec
	APITokens     []APITokenSpec
	StaxAPIs      []StaxAPISpec
	TokenServices []TokenServiceSpec
	// IBM is nil to leave alone what there is.
	IBM *IBMSpec
}

// AccountSpec is an account with its root user.
type AccountSpec struct {
	ID, Partition, Name, Alias string
	RootEmail                  string
	// RootPassword is nil to leave the password alone.
	RootPassword *identity.Secret
	// OutboundFederation is nil to leave it as the IAM API has it.
	OutboundFederation *bool
	// AssumeRootIn are the accounts whose root it may assume for a task.
	AssumeRootIn []string
}

// RealmSpec is a realm with its clients.
type RealmSpec struct {
	identity.Realm
	Clients []ClientSpec
	// UserPool is nil to leave alone what there is.
	UserPool *UserPoolSpec
	// LoginSecrets are client secrets at foreign issuers, by the log-in's name;
	// those that are not there are left alone.
	LoginSecrets map[string]identity.Secret
}

// ClientSpec is an OAuth client of the realm it stands in.
type ClientSpec struct {
	ID       string
	Public   bool
	Grants   []string
	Audience []string
	// ServiceAccount is the name of the user of the realm that
	// client_credentials yields.
	ServiceAccount string
	Secret         *identity.Secret
}

// PolicySpec is a managed policy. Another document becomes a new version, which
// is in force at once.
type PolicySpec struct {
	AccountID, Name, Path, Description string
	Document                           string // JSON
	Tags                               map[string]string
}

// GroupSpec is a group; users name the groups that they are in. Of
// ManagedPolicies (ARNs) and InlinePolicies (documents by name), here and
// below, nil leaves alone what there is, and what is empty means none, but for
// inline policies that the policy API of IBM's dialect made; likewise of Groups,
// PoolGroups, Attributes, Tags and PermissionsBoundary.
type GroupSpec struct {
	AccountID, Name, Path string
	ManagedPolicies       []string
	InlinePolicies        map[string]string
}

// UserSpec is a user of an account, in a realm or not.
type UserSpec struct {
	AccountID, Name, Path, Realm, Email string
	EmailVerified                       bool
	ClientRoles                         map[string][]string
	Groups                              []string // names
	PoolGroups                          []string // names, of the realm's user pool
	Attributes                          map[string]string
	ManagedPolicies                     []string
	InlinePolicies                      map[string]string
	PermissionsBoundary                 *string // ARN of a managed policy
	Tags                                map[string]string
	Disabled                            bool
	MustChangePassword                  bool
	MFARequired                         bool
	Password                            *identity.Secret
}

// RoleSpec is a role. Trust is the trust policy as JSON.
type RoleSpec struct {
	AccountID, Name, Path, Description, Trust string
	MaxSessionDuration                        int
	ManagedPolicies                           []string
	InlinePolicies                            map[string]string
	PermissionsBoundary                       *string
	Tags                                      map[string]string
}

// ProviderSpec is an OIDC provider of an account: a foreign issuer by URL, or
// a realm of this installation by name.
type ProviderSpec struct {
	AccountID, URL, OwnRealm string
	ClientIDs, Thumbprints   []string
	CABundle                 string
	// JWKS are the issuer's keys, where they are not fetched. BearerTokenFile is
	// an absolute path on the server. See identity.Provider.
	JWKS, BearerTokenFile string
	RoleMappings          []identity.RoleMapping
	IssuerAliases         []string
}

// Change is one line of an apply's diff. Values of secrets never appear: From
// and To then say "(secret)".
type Change struct {
	Kind  string `json:"kind"` // account, realm, client, policy, group, user, role, provider, …
	Name  string `json:"name"`
	Field string `json:"field"` // "" for a creation as a whole
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}
