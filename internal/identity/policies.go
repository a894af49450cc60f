package identity

import (
	"maps"
	"slices"
	"time"
)

// Policies are what grants rights to a user, a role or a group.
type Policies struct {
	// Managed are the ARNs of attached managed policies.
	Managed []string `json:"managed_policies,omitempty"`
	// Inline are the documents of inline policies by name.
	Inline map[string]string `json:"inline_policies,omitempty"`
	// Access are the access policies of IBM's dialect, which count as inline
	// policies. Users alone have some.
	Access []AccessPolicy `json:"access_policies,omitempty"`
	// Boundary is the ARN of the managed policy that bounds the rights, or "".
	// Groups have none.
	Boundary string `json:"permissions_boundary,omitempty"`
}

// Clone is a copy that may be changed.
func (p Policies) Clone() Policies {
	p.Managed, p.Inline, p.Access = slices.Clone(p.Managed), maps.Clone(p.Inline), slices.Clone(p.Access)
	return p
}

// Group is a set of users of an account (IAM); users name the groups that they
// are in.
type Group struct {
	ID        string `json:"id"` // "AGPA…"
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	Path      string `json:"path"`
	Policies
	CreatedAt time.Time `json:"created_at"`
}

// ARN is the group's name.
func (g *Group) ARN(partition string) string {
	return ARN{partition, "iam", "", g.AccountID, "group" + g.Path + g.Name}.String()
}

// ManagedPolicy is a customer-managed policy of an account (IAM).
type ManagedPolicy struct {
	ID          string `json:"id"` // "ANPA…"
	AccountID   string `json:"account_id"`
	Name        string `json:"name"`
	Path        string `json:"path"`
	Description string `json:"description,omitempty"`
	// Versions are at most five, oldest first; Default names the one in force.
	Versions []PolicyVersion `json:"versions"`
	Default  string          `json:"default"`
	// Last is the number of the newest version that ever was: numbers do not
	// come back.
	Last      int               `json:"last"`
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
}

// PolicyVersion is one version of a managed policy.
type PolicyVersion struct {
	ID        string    `json:"id"` // "v1"
	Document  string    `json:"document"`
	CreatedAt time.Time `json:"created_at"`
}

// ARN is the policy's name.
func (p *ManagedPolicy) ARN(partition string) string {
	return ARN{partition, "iam", "", p.AccountID, "policy" + p.Path + p.Name}.String()
}

// InForce is the document of the default version, "" when there is none.
func (p *ManagedPolicy) InForce() string {
	for i := range p.Versions {
		if p.Versions[i].ID == p.Default {
			return p.Versions[i].Document
		}
	}
	return ""
}

// BucketPolicy is the resource policy of a bucket.
type BucketPolicy struct {
	Bucket   string `json:"bucket"`
	Document string `json:"document"`
	// Bindings are the unique IDs behind the ARNs that its Principal names.
	Bindings  map[string]string `json:"bindings,omitempty"`
	UpdatedAt time.Time         `json:"updated_at"`
}

// PasswordPolicy is an account's rule for passwords (IAM
// UpdateAccountPasswordPolicy).
type PasswordPolicy struct {
	MinimumLength    int  `json:"minimum_length"`
	RequireSymbols   bool `json:"require_symbols,omitempty"`
	RequireNumbers   bool `json:"require_numbers,omitempty"`
	RequireUppercase bool `json:"require_uppercase,omitempty"`
	RequireLowercase bool `json:"require_lowercase,omitempty"`
	AllowChange      bool `json:"allow_change,omitempty"` // users may change their own
	MaxAgeDays       int  `json:"max_age_days,omitempty"`
	ReusePrevention  int  `json:"reuse_prevention,omitempty"` // how many old ones may not come back
	HardExpiry       bool `json:"hard_expiry,omitempty"`
}

// MFADevice is a virtual MFA device (TOTP); its seed is kept apart, sealed.
type MFADevice struct {
	// Serial is its ARN, "arn:<partition>:iam::<account>:mfa/<path><name>".
	Serial    string `json:"serial"`
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	Path      string `json:"path"`
	// UserID is the user that it is enabled for; "" before.
	UserID    string            `json:"user_id,omitempty"`
	EnabledAt time.Time         `json:"enabled_at,omitzero"`
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
}
