package policy

import "strings"

// Versions of the language. Without a Version a document is of 2008, which has
// no variables.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Effect is what a decision comes to. Its zero value refuses.
type Effect uint8

// Effects.
const (
	ImplicitDeny Effect = iota
	ExplicitDeny
	Allow
)

// String is the word of SimulatePrincipalPolicy.
func (e Effect) String() string {
	return [...]string{"implicitDeny", "explicitDeny", "allowed"}[e]
}

// Options are what a document does not say itself.
type Options struct {
	// ID names the policy in decisions and explanations: an ARN, or
	// "<owner>/<name>" of an inline policy.
	ID string
	// Bindings maps the ARNs of users, roles and sessions that Principal names
	// to their unique IDs (of a session "AROA…:name"), as they were when the
	// document was written. A name that is not in it matches nobody, so that a
	// recreated user or role inherits nothing.
	Bindings map[string]string
	// ByName compares those ARNs themselves instead: for documents judged away
	// from any directory.
	ByName bool
	// Within and Partition count when writing only. Within is, for a resource
	// policy, the ARN of the resource it hangs on; when set every Resource must
	// be "*", name it, or name what is below it.
	Within string
	// Partition, when set, is the only one that a Resource may name.
	Partition string
	// Service, when set, is the only one whose actions may be named, as in the
	// policy of a bucket. It counts when writing only.
	Service string
}

// Policy is a compiled document. It is immutable and safe for concurrent use.
type Policy struct {
	id         string
	kind       Kind
	text       string
	statements []Statement
	unreadable error
}

// Statement is one compiled statement of a policy.
type Statement struct {
	// Sid is as written, "" when absent; Index counts from 0.
	Sid    string
	Index  int
	Effect Effect // Allow or ExplicitDeny

	policy      *Policy
	start, end  int
	principals  *principalSet
	actions     []pattern
	notAction   bool
	resources   []arnPattern
	notResource bool
	conditions  []condition
	never       bool // matches nothing: it would trust all customers of a shared issuer
	from, to    Position
}

// Parse compiles a document that is about to be stored or used for one call.
// It fails with KindMalformedPolicy for anything that it does not understand
// whole; with KindLimitExceeded (IAM kinds) or KindValidation (session) for
// one that is too long.
func Parse(kind Kind, document string, o Options) (*Policy, error) {
	if err := checkText(kind, document); err != nil {
		return nil, err
	}
	return compile(kind, document, &o, true)
}

// Load compiles a document that was stored. It does not fail: a document that
// no longer compiles yields a policy that denies everything, and a condition
// operator that is not known any more meets no Allow and every Deny.
func Load(kind Kind, document string, o Options) *Policy {
	o.Within, o.Partition, o.Service = "", "", ""
	err := checkReadable(kind, document)
	if err == nil {
		var p *Policy
		if p, err = compile(kind, document, &o, false); err == nil {
			return p
		}
	}
	return &Policy{id: o.ID, kind: kind, text: document, unreadable: err}
}

// ID is the name that Options gave.
func (p *Policy) ID() string { return p.id }

// Kind says where the policy stands.
func (p *Policy) Kind() Kind { return p.kind }

// Text is the document as written.
func (p *Policy) Text() string { return p.text }

// Size is the number of characters that count against quotas; IAM's sums over
// the inline policies of one principal are sums of it.
func (p *Policy) Size() int { return sizeOf(p.kind, p.text) }

// Unreadable is why Load could not compile the document, or nil.
func (p *Policy) Unreadable() error { return p.unreadable }

// Statements are the statements in their order.
func (p *Policy) Statements() []Statement { return p.statements }

// Principals lists the ARNs of users, roles and sessions in Principal and
// NotPrincipal, which want a binding.
func (p *Policy) Principals() []string {
	var out []string
	for i := range p.statements {
		if set := p.statements[i].principals; set != nil {
			out = append(out, set.names...)
		}
	}
	return unique(out)
}

// ContextKeys lists the condition keys that the policy reads, in conditions
// and variables, as written and each once.
func (p *Policy) ContextKeys() []string {
	var out []string
	for i := range p.statements {
		out = append(out, p.statements[i].keys()...)
	}
	return unique(out)
}

func unique(keys []string) []string {
	seen := map[string]bool{}
	out := keys[:0]
	for _, k := range keys {
		if !seen[lowered(k)] {
			seen[lowered(k)] = true
			out = append(out, k)
		}
	}
	return out
}

// Policy is the document that the statement is part of.
func (s *Statement) Policy() *Policy { return s.policy }

// Source is the statement as written.
func (s *Statement) Source() string { return s.policy.text[s.start:s.end] }

// Start is where the statement's brace opens.
func (s *Statement) Start() Position { return s.from }

// End is behind the statement's closing brace.
func (s *Statement) End() Position { return s.to }

// keys are the condition keys that the statement reads.
func (s *Statement) keys() []string {
	var out []string
	add := func(vars []variable) {
		for _, v := range vars {
			out = append(out, v.written)
		}
	}
	for i := range s.resources {
		add(s.resources[i].whole.vars)
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.written != "" {
			out = append(out, c.written)
		}
		for j := range c.operands {
			add(c.operands[j].vars(c.op.compare))
		}
	}
	return out
}

func compile(kind Kind, text string, o *Options, writing bool) (*Policy, error) {
	doc, err := readDocument(text)
	if err != nil {
		return nil, err
	}
	p := &Policy{id: o.ID, kind: kind, text: text, statements: make([]Statement, len(doc.statements))}
	var vars patternMode
	if doc.version == version2012 {
		vars = variables
	}
	sids := map[string]bool{}
	at := cursor{text: text, at: Position{1, 1}}
	for i := range doc.statements {
		raw := &doc.statements[i]
		if raw.sid != "" && sids[raw.sid] {
			return nil, refused("Statement IDs (SID) in a single policy must be unique.")
		}
		sids[raw.sid] = true
		s := &p.statements[i]
		*s = Statement{
			Sid: raw.sid, Index: i, policy: p,
			start: raw.start, end: raw.end, from: at.forward(raw.start), to: at.forward(raw.end),
		}
		if err := s.compile(kind, raw, vars, o, writing); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (s *Statement) compile(kind Kind, raw *rawStatement, vars patternMode, o *Options, writing bool) error {
	if err := checkSid(kind, raw.sid); err != nil {
		return err
	}
	switch raw.effect {
	case "Allow":
		s.Effect = Allow
	case "Deny":
		s.Effect = ExplicitDeny
	default:
		return refused("Syntax errors in policy: the Effect must be Allow or Deny, not %q.", raw.effect)
	}
	if err := s.compilePrincipals(kind, raw, o); err != nil {
		return err
	}
	if err := s.compileActions(kind, raw, o); err != nil {
		return err
	}
	if err := s.compileResources(kind, raw, vars, o); err != nil {
		return err
	}
	var err error
	if s.conditions, err = compileConditions(raw.conditions, vars, writing); err != nil {
		return err
	}
	if writing {
		if err := s.checkLookAlikes(raw); err != nil {
			return err
		}
	}
	if kind == TrustPolicy && s.Effect == Allow {
		return s.checkSharedIssuers(writing)
	}
	return nil
}

func (s *Statement) compilePrincipals(kind Kind, raw *rawStatement, o *Options) error {
	if !kind.hasPrincipal() {
		if raw.hasPrincipal {
			return refused("Policy document should not specify a principal.")
		}
		return nil
	}
	var err error
	switch {
	case raw.principal != nil && raw.notPrincipal != nil:
		return refused("A statement has either Principal or NotPrincipal, not both.")
	case raw.notPrincipal != nil:
		if kind == TrustPolicy {
			return refused("AssumeRole policy must not contain NotPrincipal field.")
		}
		if s.Effect == Allow {
			return refused("NotPrincipal can only be used in a statement with the Effect Deny.")
		}
		s.principals, err = compilePrincipal(raw.notPrincipal, true, o)
	case raw.principal != nil:
		s.principals, err = compilePrincipal(raw.principal, false, o)
	default:
		return refused("Missing required field Principal")
	}
	return err
}

func (s *Statement) compileActions(kind Kind, raw *rawStatement, o *Options) error {
	list := raw.actions
	if raw.notActions != nil {
		if raw.actions != nil {
			return refused("A statement has either Action or NotAction, not both.")
		}
		list, s.notAction = raw.notActions, true
	}
	if len(list) == 0 {
		return refused("Policy statement must contain actions.")
	}
	if kind == TrustPolicy && s.notAction {
		return refused("AssumeRole policy may only specify STS AssumeRole actions.")
	}
	for _, text := range list {
		if err := checkAction(text); err != nil {
			return err
		}
		if vendor, _, _ := strings.Cut(text, ":"); o.Service != "" && vendor != "*" && !strings.EqualFold(vendor, o.Service) {
			return refused("Policy has invalid action")
		}
		p, err := compilePattern(text, wildcards|foldCase)
		if err != nil {
			return err
		}
		if kind == TrustPolicy && !isTrustAction(text, &p) {
			return refused("AssumeRole policy may only specify STS AssumeRole actions.")
		}
		s.actions = append(s.actions, p)
	}
	return nil
}

// trustActions are what a role's trust policy speaks of.
var trustActions = []string{
	"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity", "sts:SetContext",
}

func isTrustAction(text string, p *pattern) bool {
	if len(text) < 4 || !strings.EqualFold(text[:4], "sts:") {
		return false
	}
	for _, action := range trustActions {
		if p.matches(nil, action) {
			return true
		}
	}
	return false
}

func (s *Statement) compileResources(kind Kind, raw *rawStatement, vars patternMode, o *Options) error {
	list := raw.resources
	if raw.notResources != nil {
		if raw.resources != nil {
			return refused("A statement has either Resource or NotResource, not both.")
		}
		list, s.notResource = raw.notResources, true
	}
	if kind == TrustPolicy {
		if list != nil {
			return refused("Has prohibited field Resource")
		}
		return nil
	}
	if len(list) == 0 {
		return refused("Policy statement must contain resources.")
	}
	for _, text := range list {
		p, err := compileARN(text, vars)
		if err != nil {
			return refused("Resource %s", publicOf(err))
		}
		if o.Partition != "" && p.partition != "" && p.partition != o.Partition {
			return refused("Partition %q is not valid for resource %q.", p.partition, text)
		}
		if o.Within != "" && !isWithin(text, o.Within) {
			return refused("Policy has invalid resource")
		}
		s.resources = append(s.resources, p)
	}
	return nil
}
