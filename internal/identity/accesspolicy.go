package identity

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Services that access policies of IBM's dialect speak of, as CRNs name them.
const (
	IAMAccess          = "iam-access-management"
	ResourceController = "resource-controller"
	KeyManagement      = "kms"
)

// How many access policies there may be, and how much one may hold.
const (
	AccessPoliciesPerSubject = 100
	AccessPoliciesPerAccount = 4000
	maxPolicyRoles           = 10
	maxPolicyAttributes      = 12
	maxAttributeValue        = 255
)

// AccessPolicy gives roles on resources to the principal that keeps it (IBM
// Cloud IAM, access policy). What it allows is derived from it wherever policies
// are compiled (policy.Granted) and kept nowhere.
type AccessPolicy struct {
	ID          string `json:"id"` // a UUID
	Description string `json:"description,omitempty"`
	// Roles are names: Viewer, Manager.
	Roles []string `json:"roles"`
	// Attributes choose the resources, all of them together.
	Attributes []ResourceAttribute `json:"attributes"`
	CreatedBy  string              `json:"created_by,omitempty"` // IAM ID
	ModifiedBy string              `json:"modified_by,omitempty"`
	CreatedAt  time.Time           `json:"created_at"`
	ModifiedAt time.Time           `json:"modified_at"`
	Tag        EntityTag           `json:"tag"`
}

// ResourceAttribute is one condition on the resources of an access policy.
// Operator is stringEquals, or stringMatch for a Value with wildcards.
type ResourceAttribute struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Operator string `json:"operator"`
}

// Operators of resource attributes.
const (
	StringEquals = "stringEquals"
	StringMatch  = "stringMatch"
)

// InlineName is the name of the policy among the inline policies of whoever
// keeps it.
func (p *AccessPolicy) InlineName() string { return IBMPolicyPrefix + p.ID }

// IsAccessPolicyName tells the names of access policies from those that people
// give to inline policies.
func IsAccessPolicyName(name string) bool {
	return len(name) > len(IBMPolicyPrefix) && name[:len(IBMPolicyPrefix)] == IBMPolicyPrefix && IsUUID(name[len(IBMPolicyPrefix):])
}

// Attribute returns an attribute by its name.
func (p *AccessPolicy) Attribute(name string) (ResourceAttribute, bool) {
	i := slices.IndexFunc(p.Attributes, func(a ResourceAttribute) bool { return a.Name == name })
	if i < 0 {
		return ResourceAttribute{}, false
	}
	return p.Attributes[i], true
}

// Same reports whether two policies give the same, in whatever order.
func (p *AccessPolicy) Same(o *AccessPolicy) bool {
	return sameSet(p.Roles, o.Roles) && sameSet(p.Attributes, o.Attributes)
}

// sameSet compares lists without repetitions.
func sameSet[T comparable](a, b []T) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(v T) bool { return !slices.Contains(b, v) })
}

// Check judges the bounds of a policy and its spelling; what its roles and
// attributes mean is package policy's to judge. KindValidation.
func (p *AccessPolicy) Check() error {
	refused := func(format string, args ...any) error {
		return NewError(KindValidation, "ibm", fmt.Sprintf(format, args...))
	}
	switch {
	case utf8.RuneCountInString(p.Description) > maxIBMDescription || !printable(p.Description):
		return refused("The property description must have at most %d printable characters.", maxIBMDescription)
	case len(p.Roles) == 0 || len(p.Roles) > maxPolicyRoles:
		return refused("A policy has 1 to %d roles.", maxPolicyRoles)
	case len(p.Attributes) == 0 || len(p.Attributes) > maxPolicyAttributes:
		return refused("A policy has 1 to %d resource attributes.", maxPolicyAttributes)
	}
	for i, role := range p.Roles {
		if slices.Contains(p.Roles[:i], role) {
			return refused("The role %s stands twice.", role)
		}
	}
	for i, a := range p.Attributes {
		if slices.ContainsFunc(p.Attributes[:i], func(o ResourceAttribute) bool { return o.Name == a.Name }) {
			return refused("The resource attribute %q stands twice.", a.Name)
		}
		if !a.spelt() {
			return refused("The value of the resource attribute %q has 1 to %d letters, digits and - _ . of ASCII; with the operator stringMatch also * and ?.", a.Name, maxAttributeValue)
		}
	}
	return nil
}

// spelt wants values that mean themselves wherever a document holds them.
func (a *ResourceAttribute) spelt() bool {
	if a.Value == "" || len(a.Value) > maxAttributeValue || a.Operator != StringEquals && a.Operator != StringMatch {
		return false
	}
	for i := range len(a.Value) {
		switch c := a.Value[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		case (c == '*' || c == '?') && a.Operator == StringMatch:
		default:
			return false
		}
	}
	return true
}

// AccessPolicyCRN names an access policy of an account, or with "*" all of them.
func AccessPolicyCRN(account, id string) string {
	return "crn:v1:bluemix:public:" + IAMAccess + "::a/" + account + "::policy:" + id
}
