package access

import (
	"daypass/internal/identity"
	"daypass/internal/policy"
)

// Federated is who asks for a role with a foreign proof: a web identity or a
// SAML assertion.
type Federated struct {
	// Provider is the ARN of the provider that vouches for it.
	Provider string
	// Request are the facts of the request.
	Request identity.RequestFacts
	// Claims, when set, is asked for the condition keys (in lower case) of what
	// the proof says, such as "<issuer>:sub".
	Claims func(key string) []string
}

// AuthorizeFederated decides whether a role's trust policy lets a federated
// caller perform an action ("sts:AssumeRoleWithWebIdentity") on it. keys are
// the condition keys of the request; they come before those of the proof.
func (a *Access) AuthorizeFederated(f Federated, role *identity.Role, partition, action string, keys map[string][]string) Decision {
	c := identity.Caller{Kind: identity.Federated, ARN: f.Provider, Request: f.Request, ProviderARN: f.Provider}
	r := &rights{principal: policy.Principal{Kind: identity.Federated, Provider: f.Provider}}
	return a.evaluate(&c, r, a.trustPolicy(role), action, Resource{ARN: role.ARN(partition), Keys: keys, Later: f.Claims}, role.AccountID)
}

// AuthorizeRole decides whether a signed caller may perform an action
// ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity") on a role: its
// own policies and the role's trust policy are both asked.
func (a *Access) AuthorizeRole(c *identity.Caller, role *identity.Role, partition, action string, keys map[string][]string) Decision {
	res := Resource{ARN: role.ARN(partition), AccountID: role.AccountID, Keys: keys}
	if c.Kind == identity.Operator || c.Kind == identity.Anonymous || c.Kind == identity.Federated {
		return denied(c, action, res, policy.Decision{})
	}
	r, err := a.rightsOf(c)
	if err != nil {
		return Decision{Effect: ImplicitDeny, Err: err}
	}
	return a.evaluate(c, r, a.trustPolicy(role), action, res, role.AccountID)
}
