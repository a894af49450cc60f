package site

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// The YAML form of a trusted profile.
type (
	trustedProfile struct {
		Name            string               `yaml:"name"`
		Description     string               `yaml:"description"`
		Email           string               `yaml:"email"`
		ManagedPolicies []string             `yaml:"managed_policies"`
		InlinePolicies  map[string]yaml.Node `yaml:"inline_policies"`
		Disabled        bool                 `yaml:"disabled"`
		Rules           []profileRule        `yaml:"rules"`
		Links           []profileLink        `yaml:"links"`
		Identities      *profileIdentities   `yaml:"identities"`
	}
	profileRule struct {
		Name       string             `yaml:"name"`
		Type       string             `yaml:"type"`
		RealmName  string             `yaml:"realm_name"`
		CRType     string             `yaml:"cr_type"`
		Expiration int                `yaml:"expiration"`
		Conditions []profileCondition `yaml:"conditions"`
	}
	// profileCondition has its value as it is, not as JSON in a string.
	profileCondition struct {
		Claim    string `yaml:"claim"`
		Operator string `yaml:"operator"`
		Value    any    `yaml:"value"`
	}
	// profileLink names its cluster by issuer, or by crn.
	profileLink struct {
		Name           string `yaml:"name"`
		CRType         string `yaml:"cr_type"`
		CRN            string `yaml:"crn"`
		Issuer         string `yaml:"issuer"`
		Namespace      string `yaml:"namespace"`
		ServiceAccount string `yaml:"service_account"`
	}
	profileIdentities struct {
		Users      []string `yaml:"users"`
		ServiceIDs []string `yaml:"service_ids"`
	}
)

func (b *builder) profiles(account string, list []trustedProfile) []directory.TrustedProfileSpec {
	var out []directory.TrustedProfileSpec
	for i, v := range list {
		at := fmt.Sprintf("ibm.profiles[%d]", i)
		b.require(at, "name", v.Name)
		b.once(at+".name", "trusted profile", v.Name)
		p := directory.TrustedProfileSpec{
			Name: v.Name, Description: v.Description, Email: v.Email, ManagedPolicies: v.ManagedPolicies,
			InlinePolicies: b.policies(at+".inline_policies", v.InlinePolicies), Disabled: v.Disabled,
			Identities: (*directory.ProfileIdentitiesSpec)(v.Identities),
		}
		if v.Rules != nil {
			p.Rules = []identity.ProfileRule{}
		}
		for j, r := range v.Rules {
			p.Rules = append(p.Rules, b.profileRule(fmt.Sprintf("%s.rules[%d]", at, j), r))
		}
		if v.Links != nil {
			p.Links = []identity.ProfileLink{}
		}
		for j, l := range v.Links {
			p.Links = append(p.Links, b.profileLink(fmt.Sprintf("%s.links[%d]", at, j), account, l))
		}
		out = append(out, p)
	}
	return out
}

func (b *builder) profileRule(at string, r profileRule) identity.ProfileRule {
	out := identity.ProfileRule{
		Name: r.Name, Type: orDefault(r.Type, identity.RuleCompute), RealmName: r.RealmName, CRType: r.CRType, Expiration: r.Expiration,
	}
	// Without it nobody would ever get in.
	b.require(at, "realm_name", r.RealmName)
	for i, c := range r.Conditions {
		value, err := json.Marshal(c.Value)
		if err != nil {
			b.complain(fmt.Sprintf("%s.conditions[%d].value", at, i), "must be a text, a number, true, false or a list of these")
		}
		out.Conditions = append(out.Conditions, identity.ProfileCondition{Claim: c.Claim, Operator: c.Operator, Value: string(value)})
	}
	return out
}

func (b *builder) profileLink(at, account string, l profileLink) identity.ProfileLink {
	if (l.CRN == "") == (l.Issuer == "") {
		b.complain(at, "give either issuer or crn")
	}
	if l.Issuer != "" {
		l.CRN = identity.ClusterCRN(account, identity.TrimScheme(l.Issuer))
	}
	return identity.ProfileLink{
		Name: l.Name, CRType: orDefault(l.CRType, defaultCRType), CRN: l.CRN, Namespace: l.Namespace, Resource: l.ServiceAccount,
	}
}

// defaultCRType is that of a cluster's service accounts.
const defaultCRType = "IKS_SA"
