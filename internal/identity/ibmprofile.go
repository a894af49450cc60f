package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How many there may be of a thing, and how long what they say may be together.
const (
	ProfilesPerAccount   = 500
	RulesPerProfile      = 20
	LinksPerProfile      = 50
	IdentitiesPerProfile = 100
	conditionsPerRule    = 10
	maxProfile           = 64 << 10 // bytes of JSON
)

// TrustedProfile makes a Local user an identity that others become for a while
// (IBM Cloud IAM, trusted profile). The user's unique ID is its IAM ID,
// "iam-Profile-<UUID>", and its name the same without "iam-"; Name is how people
// call it, and is unique in the account without regard to case.
type TrustedProfile struct {
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Email       string    `json:"email,omitempty"`
	CreatedBy   string    `json:"created_by,omitempty"` // IAM ID
	Tag         EntityTag `json:"tag"`
	History     []Changed `json:"history,omitempty"`
	// Who may become it: whoever has a token that a rule or a link fits, and the
	// users and service IDs that are named.
	Rules         []ProfileRule     `json:"rules,omitempty"`
	Links         []ProfileLink     `json:"links,omitempty"`
	Identities    []ProfileIdentity `json:"identities,omitempty"`
	IdentitiesTag EntityTag         `json:"identities_tag"`
}

// ProfileRule lets whoever has a token with certain claims become the profile.
type ProfileRule struct {
	ID   string `json:"id"` // "ClaimRule-<UUID>"
	Name string `json:"name,omitempty"`
	Type string `json:"type"` // RuleSAML or RuleCompute
	// RealmName is, for RuleCompute, the URL of the provider whose tokens count.
	RealmName string `json:"realm_name,omitempty"`
	// CRType is the type of compute resource, for RuleCompute.
	CRType string `json:"cr_type,omitempty"`
	// Expiration is how long the profile's token may live, in seconds; 0 leaves
	// that to the account.
	Expiration int                `json:"expiration,omitempty"`
	Conditions []ProfileCondition `json:"conditions"`
	Tag        EntityTag          `json:"tag,omitzero"`
	CreatedAt  time.Time          `json:"created_at,omitzero"`
	ModifiedAt time.Time          `json:"modified_at,omitzero"`
}

// Same reports whether two rules say the same.
func (r ProfileRule) Same(s ProfileRule) bool {
	return r.Name == s.Name && r.Type == s.Type && r.RealmName == s.RealmName && r.CRType == s.CRType && r.Expiration == s.Expiration &&
		slices.Equal(r.Conditions, s.Conditions)
}

// Types of rules, and what the IDs of rules and links begin with.
const (
	RulePrefix  = "ClaimRule-"
	LinkPrefix  = "Link-"
	RuleSAML    = "Profile-SAML"
	RuleCompute = "Profile-CR"
)

// crTypes are the types of compute resources.
var crTypes = []string{"VSI", "PVS", "BMS", "IKS_SA", "ROKS_SA", "CE"}

// IsServiceAccount tells the types of service accounts of Kubernetes clusters.
func IsServiceAccount(crType string) bool { return crType == "IKS_SA" || crType == "ROKS_SA" }

// ProfileLink lets one compute resource become the profile. Of IsServiceAccount
// types CRN names the cluster (ClusterIssuer), Namespace and Resource the service
// account.
type ProfileLink struct {
	ID            string    `json:"id"` // "Link-<UUID>"
	Name          string    `json:"name,omitempty"`
	CRType        string    `json:"cr_type"`
	CRN           string    `json:"crn"`
	Namespace     string    `json:"namespace,omitempty"`
	Resource      string    `json:"resource,omitempty"`
	ComponentType string    `json:"component_type,omitempty"` // of CE
	ComponentName string    `json:"component_name,omitempty"`
	Tag           EntityTag `json:"tag,omitzero"`
	CreatedAt     time.Time `json:"created_at,omitzero"`
	ModifiedAt    time.Time `json:"modified_at,omitzero"`
}

// Same reports whether two links are of the same compute resource.
func (l ProfileLink) Same(m ProfileLink) bool {
	return l.CRType == m.CRType && l.CRN == m.CRN && l.Namespace == m.Namespace && l.Resource == m.Resource &&
		l.ComponentType == m.ComponentType && l.ComponentName == m.ComponentName
}

// ProfileIdentity lets a user or a service ID of the account become the profile.
type ProfileIdentity struct {
	Type string `json:"type"` // IdentityUser, IdentityServiceID or IdentityCRN
	// Identifier is the IAM ID of a user, the ID of a service ID ("ServiceId-…")
	// or a CRN.
	Identifier  string   `json:"identifier"`
	Accounts    []string `json:"accounts,omitempty"` // of users: where from
	Description string   `json:"description,omitempty"`
}

// Types of identities. A CRN is kept and shown; nothing here proves to be one.
const (
	IdentityUser      = "user"
	IdentityServiceID = "serviceid"
	IdentityCRN       = "crn"
)

// IAMID is how tokens name the identity.
func (i *ProfileIdentity) IAMID() string {
	switch i.Type {
	case IdentityServiceID:
		return iamPrefix + i.Identifier
	case IdentityCRN:
		return "crn-" + i.Identifier
	}
	return i.Identifier
}

// Normal is the identity with its identifier in the one form it is kept in.
func (i ProfileIdentity) Normal() ProfileIdentity {
	if i.Type == IdentityServiceID {
		i.Identifier = strings.TrimPrefix(i.Identifier, iamPrefix)
	}
	return i
}

// Is reports whether it is the identity of a type that clients call by an
// identifier; service IDs also by their IAM ID.
func (i *ProfileIdentity) Is(kind, identifier string) bool {
	return i.Type == kind && (i.Identifier == identifier || kind == IdentityServiceID && i.IAMID() == identifier)
}

// Admits reports whether a user or a service ID is named by its IAM ID.
func (p *TrustedProfile) Admits(iamID string) bool {
	return slices.ContainsFunc(p.Identities, func(i ProfileIdentity) bool { return i.Type != IdentityCRN && i.IAMID() == iamID })
}

// Rule returns the rule with an ID; nil without one.
func (p *TrustedProfile) Rule(id string) *ProfileRule {
	return found(p.Rules, func(r *ProfileRule) bool { return r.ID == id })
}

// Link returns the link with an ID; nil without one.
func (p *TrustedProfile) Link(id string) *ProfileLink {
	return found(p.Links, func(l *ProfileLink) bool { return l.ID == id })
}

// Identity returns the identity that clients call so; nil without one.
func (p *TrustedProfile) Identity(kind, identifier string) *ProfileIdentity {
	return found(p.Identities, func(i *ProfileIdentity) bool { return i.Is(kind, identifier) })
}

// TrustsLess reports whether any by whom the profile could be become before may
// not any more, or not in the same way.
func (p *TrustedProfile) TrustsLess(before *TrustedProfile) bool {
	return slices.ContainsFunc(before.Rules, func(r ProfileRule) bool {
		now := p.Rule(r.ID)
		if now == nil {
			return true
		}
		r.Name = now.Name
		return !now.Same(r)
	}) || slices.ContainsFunc(before.Links, func(l ProfileLink) bool {
		return !slices.ContainsFunc(p.Links, l.Same)
	}) || slices.ContainsFunc(before.Identities, func(i ProfileIdentity) bool {
		return p.Identity(i.Type, i.Identifier) == nil
	})
}

// Names reports whether one of the rule's conditions can only be met by tokens
// that have a given text in one of some claims. In rules for service accounts
// their namespace counts as one.
func (r *ProfileRule) Names(claims []string) bool {
	return slices.ContainsFunc(r.Conditions, func(c ProfileCondition) bool {
		switch c.Operator {
		case "EQUALS", "EQUALS_IGNORE_CASE", "IN":
			return slices.Contains(claims, c.Claim) || IsServiceAccount(r.CRType) && c.Claim == "namespace"
		}
		return false
	})
}

func found[T any](list []T, is func(*T) bool) *T {
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

// ClusterIssuer is the issuer, without its scheme, of the cluster that a link's
// CRN names: it stands in the CRN's eighth segment, "%3A" for its colons. "" for
// CRNs that are not of the account.
func (l *ProfileLink) ClusterIssuer(account string) string {
	if parts := strings.Split(l.CRN, ":"); isCRN(l.CRN) && parts[6] == "a/"+account {
		return strings.ReplaceAll(parts[7], "%3A", ":")
	}
	return ""
}

// ClusterCRN names the compute resources whose tokens an issuer signs, which is
// given without its scheme.
func ClusterCRN(account, issuer string) string {
	return "crn:v1:bluemix:public:containers-kubernetes::a/" + account + ":" + strings.ReplaceAll(issuer, ":", "%3A") + "::"
}

// CRNResource is what a CRN's tenth segment says; "" for what is no CRN.
func CRNResource(crn string) string {
	if !isCRN(crn) {
		return ""
	}
	return crn[strings.LastIndexByte(crn, ':')+1:]
}

// isCRN tells CRNs by their form: ten segments, of which the first is "crn".
func isCRN(s string) bool {
	return strings.HasPrefix(s, "crn:") && strings.Count(s, ":") == 9 && len(s) <= maxCRN && printable(s)
}

// Check judges what people write into a profile. KindValidation, KindLimitExceeded.
func (p *TrustedProfile) Check(account string) error {
	if err := checkLabel(p.Name, p.Description); err != nil {
		return err
	}
	if len(p.Email) > maxIBMName || !printable(p.Email) {
		return NewError(KindValidation, "ibm", "The property email is not valid.")
	}
	for i := range p.Rules {
		if err := p.Rules[i].check(); err != nil {
			return err
		}
	}
	for i := range p.Links {
		if err := p.Links[i].check(account); err != nil {
			return err
		}
	}
	for i := range p.Identities {
		if err := p.Identities[i].check(account); err != nil {
			return err
		}
	}
	return p.bounded()
}

func (p *TrustedProfile) bounded() error {
	for _, v := range []struct {
		what       string
		have, most int
	}{{"rules", len(p.Rules), RulesPerProfile}, {"links", len(p.Links), LinksPerProfile}, {"identities", len(p.Identities), IdentitiesPerProfile}} {
		if v.have > v.most {
			return NewError(KindLimitExceeded, "ibm", fmt.Sprintf("A trusted profile can have at most %d %s.", v.most, v.what))
		}
	}
	small := *p
	small.History = nil
	if b, err := json.Marshal(small); err != nil || len(b) > maxProfile {
		return NewError(KindLimitExceeded, "ibm", "The rules, links and identities of the trusted profile are too long together.")
	}
	return nil
}

func unfit(property, why string) error {
	return NewError(KindValidation, "ibm", "The property "+property+" "+why+".")
}

// Bounds of the lifetime that a rule may give, in seconds.
const (
	minExpiration = 10
	maxExpiration = 86400
)

func (r *ProfileRule) check() error {
	switch {
	case len(r.Name) > maxIBMName || !printable(r.Name):
		return unfit("name", "is not valid")
	case r.Type != RuleSAML && r.Type != RuleCompute:
		return unfit("type", "is "+RuleSAML+" or "+RuleCompute)
	case r.Type == RuleSAML && r.RealmName == "":
		return unfit("realm_name", "must be given for "+RuleSAML)
	case len(r.RealmName) > maxCRN || !printable(r.RealmName):
		return unfit("realm_name", "is not valid")
	case r.Type == RuleSAML && r.CRType != "":
		return unfit("cr_type", "is not one of "+RuleSAML)
	case r.Type == RuleCompute && !slices.Contains(crTypes, r.CRType):
		return unfit("cr_type", "is one of "+strings.Join(crTypes, ", "))
	case r.Expiration != 0 && (r.Expiration < minExpiration || r.Expiration > maxExpiration):
		return unfit("expiration", fmt.Sprintf("is from %d to %d", minExpiration, maxExpiration))
	case len(r.Conditions) == 0 || len(r.Conditions) > conditionsPerRule:
		return unfit("conditions", fmt.Sprintf("has from 1 to %d of them", conditionsPerRule))
	}
	for i := range r.Conditions {
		if err := r.Conditions[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// maxResource is how long the name of a thing of Kubernetes may be.
const maxResource = 253

func (l *ProfileLink) check(account string) error {
	names := []string{l.Name, l.Namespace, l.Resource, l.ComponentType, l.ComponentName}
	parts := strings.Split(l.CRN, ":")
	switch {
	case !slices.Contains(crTypes, l.CRType):
		return unfit("cr_type", "is one of "+strings.Join(crTypes, ", "))
	case slices.ContainsFunc(names, func(s string) bool { return len(s) > maxResource || !printable(s) }):
		return unfit("link", "is not valid")
	case !isCRN(l.CRN) || parts[6] != "a/"+account:
		return unfit("link.crn", "is a CRN of ten segments, of the profile's account")
	case IsServiceAccount(l.CRType) != (l.Namespace != "" && l.Resource != "") || (l.Namespace == "") != (l.Resource == ""):
		return unfit("link", "has namespace and name for IKS_SA and ROKS_SA, and for no other cr_type")
	}
	return nil
}

func (i *ProfileIdentity) check(account string) error {
	id, isUser := strings.CutPrefix(i.Identifier, IBMUserPrefix)
	fits := map[string]bool{
		IdentityUser:      isUser && id != "",
		IdentityServiceID: strings.HasPrefix(i.Identifier, ServiceIDPrefix),
		IdentityCRN:       isCRN(i.Identifier),
	}
	switch fit, known := fits[i.Type]; {
	case !known:
		return unfit("type", "is user, serviceid or crn")
	case !fit || len(i.Identifier) > maxCRN || !printable(i.Identifier):
		return unfit("identifier", "is not one of its type")
	case len(i.Accounts) > 1 || len(i.Accounts) == 1 && (i.Type != IdentityUser || i.Accounts[0] != account):
		return unfit("accounts", "can be the profile's own account alone, for users")
	}
	return checkLabel("x", i.Description)
}
