package policy

import (
	"strings"

	"daypass/internal/identity"
)

// Layer is a place among the policies that a request must pass.
type Layer uint8

// Layers, in the order in which a missing Allow is looked for.
const (
	NoLayer Layer = iota
	BoundaryLayer
	SessionLayer
	IdentityLayer
	ResourceLayer
	TrustLayer // the resource policy of a role
	RootLayer  // no policy: the root user of the account
)

// String names the layer as AWS's sentences about refusals do.
func (l Layer) String() string {
	return [...]string{"", "permissions boundary", "session policy", "identity-based policy", "resource-based policy", "role trust policy", "root user"}[l]
}

// Set are the policies that bear on one request. A nil element of a list
// denies, as a document that could not be read does.
type Set struct {
	// Identity are the policies of the user and its groups, or of the role.
	Identity []*Policy
	// Boundary limits Identity; nil: there is none.
	Boundary *Policy
	// Session are the inline and managed session policies. When there are any,
	// one of them must allow.
	Session []*Policy
	// Resource is the policy of the resource: of a bucket, or of the role that
	// is assumed; nil: there is none.
	Resource *Policy
}

// Decision is the answer. Its zero value refuses.
type Decision struct {
	Effect Effect
	// Statement decided: the first Deny, or the first Allow of the layer that
	// opened the way. It is nil for an implicit deny, for root, and for the
	// explicit deny of an unreadable policy.
	Statement *Statement
	// Policy is the statement's, or the one that could not be read (nil for a
	// nil element of the set).
	Policy *Policy
	// Layer is where the decision fell; of an implicit deny the layer that
	// lacked an Allow.
	Layer Layer
}

// Allowed reports whether the effect is Allow.
func (d Decision) Allowed() bool { return d.Effect == Allow }

// Because ends AWS's sentence "… is not authorized to perform: iam:GetUser on
// resource: …": "because no identity-based policy allows the iam:GetUser
// action", or "with an explicit deny in a session policy". It is empty for
// Allow.
func (d Decision) Because(action string) string {
	switch {
	case d.Effect == Allow:
		return ""
	case d.Effect == ExplicitDeny:
		return "with an explicit deny in " + d.layer()
	case d.Layer == NoLayer:
		return "because no policy allows the " + action + " action"
	}
	return "because no " + d.Layer.String() + " allows the " + action + " action"
}

// layer names the deciding layer with its article.
func (d Decision) layer() string {
	if d.Layer == IdentityLayer {
		return "an " + d.Layer.String()
	}
	return "a " + d.Layer.String()
}

// outcome is what the layers say before the account rule.
type outcome struct {
	boundary, session, identity *Statement
	resource                    *Statement
	grant                       grant
}

// Evaluate decides. An explicit deny in any layer comes first; then, for an
// Allow, the boundary and the session policies must allow if there are any;
// then, of the resource's own account, an identity or the resource policy; of
// another account, both.
//
// A resource policy that names the account only leaves the decision to the
// caller's own policies. One that names exactly a user or a session of its own
// account is not limited by the boundary; session policies limit everything.
// A trust policy must allow, whoever asks. Root needs no policy in its own
// account, and no resource policy keeps it from that bucket's policy. A
// federated user without session policy has only what resource policies grant
// to its own name.
func Evaluate(r *Request, set *Set) Decision {
	if r.Action == "" {
		return Decision{}
	}
	var v view
	v.prepare(r)
	var o outcome
	if d, denied := v.layers(set, &o); denied {
		return d
	}
	return o.decide(r, set)
}

// layers walks all policies; it ends at the first deny.
func (v *view) layers(set *Set, o *outcome) (Decision, bool) {
	if set.Boundary != nil {
		if d, denied := v.walk(set.Boundary, BoundaryLayer, &o.boundary); denied {
			return d, true
		}
	}
	for _, p := range set.Session {
		if d, denied := v.walk(p, SessionLayer, &o.session); denied {
			return d, true
		}
	}
	for _, p := range set.Identity {
		if d, denied := v.walk(p, IdentityLayer, &o.identity); denied {
			return d, true
		}
	}
	if set.Resource == nil || v.req.rootRepairs() {
		return Decision{}, false
	}
	return v.walkResource(set.Resource, o)
}

// walk looks for a matching Deny, and for the first matching Allow unless one
// is already known.
func (v *view) walk(p *Policy, layer Layer, allowed **Statement) (Decision, bool) {
	if p == nil || p.unreadable != nil || p.kind.hasPrincipal() {
		return Decision{Effect: ExplicitDeny, Policy: p, Layer: layer}, true
	}
	for i := range p.statements {
		s := &p.statements[i]
		if s.Effect == Allow && *allowed != nil {
			continue
		}
		if !v.matches(s) {
			continue
		}
		if s.Effect != Allow {
			return Decision{Effect: ExplicitDeny, Statement: s, Policy: p, Layer: layer}, true
		}
		*allowed = s
	}
	return Decision{}, false
}

func (v *view) walkResource(p *Policy, o *outcome) (Decision, bool) {
	layer := resourceLayer(p)
	if p.unreadable != nil || !p.kind.hasPrincipal() {
		return Decision{Effect: ExplicitDeny, Policy: p, Layer: layer}, true
	}
	for i := range p.statements {
		s := &p.statements[i]
		g := s.principals.grants(&v.req.Principal, s.Effect == Allow)
		if g == noGrant || (s.Effect == Allow && g <= o.grant) || !v.matches(s) {
			continue
		}
		if s.Effect != Allow {
			return Decision{Effect: ExplicitDeny, Statement: s, Policy: p, Layer: layer}, true
		}
		o.grant, o.resource = g, s
	}
	return Decision{}, false
}

func resourceLayer(p *Policy) Layer {
	if p != nil && p.kind == TrustPolicy {
		return TrustLayer
	}
	return ResourceLayer
}

// rootRepairs reports a call by which root mends the policy of a bucket of its
// own account, which that policy cannot deny.
func (r *Request) rootRepairs() bool {
	if r.Principal.Kind != identity.RootUser || r.Principal.Account == "" || r.Principal.Account != r.ResourceAccount {
		return false
	}
	for _, action := range [...]string{"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"} {
		if strings.EqualFold(r.Action, action) {
			return true
		}
	}
	return false
}

// decide applies boundary, session policies and the account rule to what the
// layers allow.
func (o *outcome) decide(r *Request, set *Set) Decision {
	p := &r.Principal
	same := p.Account != "" && p.Account == r.ResourceAccount
	root := same && p.Kind == identity.RootUser
	byIdentity := o.identity != nil
	if p.Kind == identity.Federated && p.Account != "" && len(set.Session) == 0 {
		byIdentity = false
		if o.grant != direct {
			o.grant = noGrant
		}
	}
	exempt := root || (same && o.grant == direct)
	if set.Boundary != nil && o.boundary == nil && !exempt {
		return Decision{Layer: BoundaryLayer}
	}
	if len(set.Session) > 0 && o.session == nil {
		return Decision{Layer: SessionLayer}
	}
	layer := resourceLayer(set.Resource)
	byResource := o.grant >= limited
	switch {
	case p.Account == "":
		return o.byResource(byResource, layer)
	case layer == TrustLayer && same:
		if o.grant == delegated && !byIdentity && !root {
			return Decision{Layer: IdentityLayer}
		}
		return o.byResource(o.grant != noGrant, layer)
	case same && root:
		return Decision{Effect: Allow, Layer: RootLayer}
	case same && byIdentity:
		return Decision{Effect: Allow, Statement: o.identity, Policy: o.identity.policy, Layer: IdentityLayer}
	case same:
		if !byResource {
			return Decision{Layer: IdentityLayer}
		}
		return o.byResource(true, layer)
	case !byIdentity:
		return Decision{Layer: IdentityLayer}
	}
	return o.byResource(o.grant != noGrant, layer)
}

func (o *outcome) byResource(allowed bool, layer Layer) Decision {
	if !allowed {
		return Decision{Layer: layer}
	}
	return Decision{Effect: Allow, Statement: o.resource, Policy: o.resource.policy, Layer: layer}
}

// matches reports whether all but the principal of a statement fit.
func (v *view) matches(s *Statement) bool {
	if s.never || !v.matchesAction(s) {
		return false
	}
	v.allow = s.Effect == Allow
	if s.policy.kind != TrustPolicy && !v.matchesResource(s) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].met(v) {
			return false
		}
	}
	return true
}

func (v *view) matchesAction(s *Statement) bool {
	for i := range s.actions {
		if s.actions[i].matches(nil, v.req.Action) {
			return !s.notAction
		}
	}
	return s.notAction
}

// matchesResource resolves doubt so that less is permitted: an Allow matches
// strictly and excludes loosely, a Deny the other way round. A value that is
// missing matches nothing; an Allow does not match at all when it would have to
// exclude by such a value, or to name a resource by an unsafe one.
func (v *view) matchesResource(s *Statement) bool {
	strict := v.allow != s.notResource
	for i := range s.resources {
		p := &s.resources[i]
		if len(p.whole.vars) == 0 {
			if p.matches(&v.subject, nil, strict) {
				return !s.notResource
			}
			continue
		}
		match, usable := v.matchesVariable(p, strict)
		if !usable && v.allow && s.notResource {
			return false
		}
		if match {
			return !s.notResource
		}
	}
	return s.notResource
}

// matchesVariable matches a resource with variables; usable is false when one
// of the values may not be used.
func (v *view) matchesVariable(p *arnPattern, strict bool) (match, usable bool) {
	var buffer [valuesOnStack]string
	values, state := v.substitute(p.whole.vars, buffer[:0])
	if state == valueMissing || (state == valueUnsafe && v.allow) {
		return false, false
	}
	return p.matches(&v.subject, values, strict), true
}
