package policy

import (
	"slices"
	"strconv"
)

// Explanation tells why a decision fell as it did. All of it can be marshalled
// to JSON; it quotes policies and values of the request, so it is only for
// those who may read both.
type Explanation struct {
	Decision Decision `json:"-"`
	// Effect is "allowed", "explicitDeny" or "implicitDeny"; Layer as in
	// Layer.String.
	Effect string `json:"effect"`
	Layer  string `json:"layer,omitempty"`
	// Deciding is the statement that decided, nil as in Decision.
	Deciding *Finding `json:"deciding,omitempty"`
	// Unreadable names the policy that denies because it could not be read.
	Unreadable string `json:"unreadable,omitempty"`
	// Matched are all statements that match, in the order of evaluation.
	Matched []Finding `json:"matched,omitempty"`
	// Misses are, for an implicit deny, the Allow statements of the lacking
	// layer that match the action but not the rest, nearest first, at most
	// MaxMisses.
	Misses []Finding `json:"misses,omitempty"`
	// Context holds the keys that statements for this action read, and Missing
	// those of them without value.
	Context []ContextValue `json:"context,omitempty"`
	Missing []string       `json:"missing,omitempty"`
}

// MaxMisses bounds what an explanation lists.
const MaxMisses = 5

// Finding is a statement and how it fared.
type Finding struct {
	Policy    string   `json:"policy"`
	Layer     string   `json:"layer"`
	Sid       string   `json:"sid,omitempty"`
	Index     int      `json:"index"`
	Effect    string   `json:"effect"` // "Allow" or "Deny"
	Start     Position `json:"start"`
	End       Position `json:"end"`
	Source    string   `json:"source"`
	Principal bool     `json:"principal_mismatch,omitempty"`
	Resource  bool     `json:"resource_mismatch,omitempty"`
	// Issuer is set when the statement trusts all customers of a shared issuer
	// and is left out of account.
	Issuer     bool              `json:"shared_issuer,omitempty"`
	Conditions []FailedCondition `json:"failed_conditions,omitempty"`

	Statement *Statement `json:"-"`
}

// FailedCondition is a condition that was not met.
type FailedCondition struct {
	Operator string   `json:"operator"`
	Key      string   `json:"key"`
	Wanted   []string `json:"wanted"` // as the policy says, variables not replaced
	Got      []string `json:"got,omitempty"`
	Missing  bool     `json:"missing,omitempty"` // the request has no such key
}

// ContextValue is a key and its values in the request.
type ContextValue struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// matched reports whether nothing was against the statement.
func (f *Finding) matched() bool {
	return !f.Principal && !f.Resource && !f.Issuer && len(f.Conditions) == 0
}

// distance orders misses: the fewer elements are against it, the nearer; a
// condition is nearer than a resource, a resource than a principal.
func (f *Finding) distance() int {
	d := len(f.Conditions)
	if f.Resource {
		d += 100
	}
	if f.Principal || f.Issuer {
		d += 200
	}
	return d
}

// Explain evaluates again and tells why. It costs what an error message may
// cost; Evaluate does not.
func Explain(r *Request, set *Set) Explanation {
	d := Evaluate(r, set)
	e := Explanation{Decision: d, Effect: d.Effect.String(), Layer: d.Layer.String()}
	var v view
	v.prepare(r)
	seen := map[string]bool{}
	e.layer(&v, set.Boundary, BoundaryLayer, seen)
	for _, p := range set.Session {
		e.layer(&v, p, SessionLayer, seen)
	}
	for _, p := range set.Identity {
		e.layer(&v, p, IdentityLayer, seen)
	}
	if !r.rootRepairs() {
		e.layer(&v, set.Resource, resourceLayer(set.Resource), seen)
	}
	if d.Statement != nil {
		f := v.find(d.Statement, d.Layer)
		e.Deciding = &f
	} else if d.Effect == ExplicitDeny {
		e.Unreadable = "unknown"
		if d.Policy != nil {
			e.Unreadable = d.Policy.id
		}
	}
	slices.SortStableFunc(e.Misses, func(a, b Finding) int { return a.distance() - b.distance() })
	e.Misses = e.Misses[:min(len(e.Misses), MaxMisses)]
	return e
}

func (e *Explanation) layer(v *view, p *Policy, layer Layer, seen map[string]bool) {
	if p == nil || p.unreadable != nil || v.req.Action == "" {
		return
	}
	for i := range p.statements {
		s := &p.statements[i]
		if !v.matchesAction(s) {
			continue
		}
		e.context(v, s, seen)
		f := v.find(s, layer)
		switch {
		case f.matched():
			e.Matched = append(e.Matched, f)
		case e.Decision.Effect == ImplicitDeny && s.Effect == Allow && e.lacks(layer):
			e.Misses = append(e.Misses, f)
		}
	}
}

// lacks reports whether an Allow in the layer would have helped. Where an
// identity policy could have allowed, so could the resource's, mostly.
func (e *Explanation) lacks(layer Layer) bool {
	return layer == e.Decision.Layer || (e.Decision.Layer == IdentityLayer && layer >= ResourceLayer)
}

// find judges each element of a statement whose action matches.
func (v *view) find(s *Statement, layer Layer) Finding {
	f := Finding{
		Policy: s.policy.id, Layer: layer.String(), Sid: s.Sid, Index: s.Index, Effect: "Deny",
		Start: s.Start(), End: s.End(), Source: s.Source(), Issuer: s.never, Statement: s,
	}
	v.allow = s.Effect == Allow
	if v.allow {
		f.Effect = "Allow"
	}
	if s.policy.kind.hasPrincipal() {
		f.Principal = s.principals.grants(&v.req.Principal, v.allow) == noGrant
	}
	if s.policy.kind != TrustPolicy {
		f.Resource = !v.matchesResource(s)
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.met(v) {
			continue
		}
		failed := FailedCondition{Operator: c.name, Key: c.written}
		for _, o := range c.operands {
			failed.Wanted = append(failed.Wanted, o.written)
		}
		values := v.lookup(c.key)
		failed.Got, failed.Missing = values.List(), values.Len() == 0
		f.Conditions = append(f.Conditions, failed)
	}
	return f
}

// context notes the keys that the statement reads and that were not seen yet.
func (e *Explanation) context(v *view, s *Statement, seen map[string]bool) {
	for _, key := range s.keys() {
		low := lowered(key)
		if seen[low] {
			continue
		}
		seen[low] = true
		if values := v.lookup(low); values.Len() > 0 {
			e.Context = append(e.Context, ContextValue{key, values.List()})
		} else {
			e.Missing = append(e.Missing, key)
		}
	}
}

// Hint is one sentence about what would have to change, "" for Allow.
func (e *Explanation) Hint() string {
	switch {
	case e.Decision.Effect == Allow:
		return ""
	case e.Unreadable != "":
		return "The policy " + e.Unreadable + " can no longer be read and denies everything."
	case e.Decision.Effect == ExplicitDeny:
		return "Statement " + e.Deciding.name() + " denies this."
	case len(e.Misses) == 0:
		return "No statement of " + e.Decision.layer() + " allows this action."
	}
	f := &e.Misses[0]
	switch {
	case f.Issuer:
		return "Statement " + f.name() + " is left out of account: it would trust all customers of a shared issuer."
	case f.Principal:
		return "Statement " + f.name() + " allows the action to another principal."
	case f.Resource:
		return "Statement " + f.name() + " allows the action on another resource."
	case len(f.Conditions) == 0:
		return "Statement " + f.name() + " allows this, and another policy would have to."
	}
	c := f.Conditions[0]
	if c.Missing {
		return "Statement " + f.name() + " wants " + c.Key + " (" + c.Operator + "), which the request does not have."
	}
	return "Statement " + f.name() + " wants another value of " + c.Key + " (" + c.Operator + ")."
}

func (f *Finding) name() string {
	if f.Sid != "" {
		return f.Sid + " of " + f.Policy
	}
	return strconv.Itoa(f.Index+1) + " of " + f.Policy
}
