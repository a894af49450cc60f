package policy

import (
	"slices"
	"strings"

	"daypass/internal/identity"
)

// MaxTrustSize is the most bytes of a trust policy.
const MaxTrustSize = MaxWireSize

// WebIdentityAction is the one action of a trust policy for web identity.
const WebIdentityAction = "sts:AssumeRoleWithWebIdentity"

// Trust is a compiled trust policy for web identity.
type Trust struct{ policy *Policy }

// ParseTrust compiles a trust policy. Served are Allow statements whose
// Principal is Federated (OIDC provider ARNs), whose Action is
// sts:AssumeRoleWithWebIdentity, and whose Condition compares "<provider>:aud"
// and "<provider>:sub" by StringEquals. Anything else, an unknown member
// included, fails with KindMalformedPolicy, so that nothing written is ignored.
func ParseTrust(document string) (*Trust, error) {
	if err := checkReadable(TrustPolicy, document); err != nil {
		return nil, err
	}
	doc, err := readDocument(document)
	if err != nil {
		return nil, err
	}
	for i := range doc.statements {
		if err := doc.statements[i].checkWebIdentity(); err != nil {
			return nil, refused("Statement %d: %s", i+1, publicOf(err))
		}
	}
	p, err := compile(TrustPolicy, document, &Options{}, true)
	if err != nil {
		return nil, err
	}
	return &Trust{policy: p}, nil
}

// AllowsWebIdentity reports whether a token of the provider with this ARN and
// issuer, with this audience and subject, may assume the role.
func (t *Trust) AllowsWebIdentity(providerARN, issuer, audience, subject string) bool {
	host := identity.TrimScheme(issuer)
	keys := make(Keys, 2)
	keys.Set(host+":aud", audience)
	keys.Set(host+":sub", subject)
	return Evaluate(&Request{
		Principal: Principal{Kind: identity.Federated, Provider: providerARN},
		Action:    WebIdentityAction,
		Context:   keys,
	}, &Set{Resource: t.policy}).Allowed()
}

// checkWebIdentity refuses what the language has and ParseTrust does not serve.
func (s *rawStatement) checkWebIdentity() error {
	if s.effect != "Allow" {
		return refused("only the Effect Allow is served.")
	}
	if !slices.Equal(s.actions, []string{WebIdentityAction}) {
		return refused("the Action must be %s.", WebIdentityAction)
	}
	if s.principal == nil || len(s.principal.entries) == 0 {
		return refused("the Principal must be Federated.")
	}
	for _, e := range s.principal.entries {
		a, ok := identity.ParseARN(e.value)
		host, isOIDC := strings.CutPrefix(a.Resource, "oidc-provider/")
		if e.kind != "Federated" || !ok || a.Service != "iam" || !isOIDC || host == "" {
			return refused("the principal %q is not the ARN of an OIDC provider.", e.value)
		}
	}
	provider := ""
	for _, c := range s.conditions {
		colon := strings.LastIndexByte(c.key, ':')
		if c.operator != "StringEquals" || colon < 0 || (c.key[colon+1:] != "aud" && c.key[colon+1:] != "sub") {
			return refused("the condition %s of %q is not served: StringEquals of <provider>:aud and <provider>:sub are.", c.operator, c.key)
		}
		if provider != "" && provider != c.key[:colon] {
			return refused("conditions name more than one provider.")
		}
		provider = c.key[:colon]
	}
	return nil
}
