package directory

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// Bounds of one simulation.
const (
	maxSimulated = 5000 // actions times resources
	maxInputs    = 50   // documents
	maxContext   = 1000 // values of condition keys
	maxAction    = 128  // bytes of an action
	maxResource  = 2048 // bytes of a resource
	// maxJudged is how many statements one page judges, beyond its first item:
	// each may be told of in the answer.
	maxJudged = 50000
)

// Simulation asks what policies would decide (IAM SimulatePrincipalPolicy and
// SimulateCustomPolicy). Nothing is done and nobody is refused by it.
type Simulation struct {
	// Source is the ARN of a user, group or role whose policies are judged,
	// together with Policies; "" judges Policies alone.
	Source   string
	Policies []string // documents
	// Boundaries are documents, at most one, in place of Source's own boundary.
	Boundaries []string
	Actions    []string
	Resources  []string // ARNs; none stands for "*"
	// ResourcePolicy is the document of every resource; ResourceOwner the
	// account, or the ARN of its root, that owns them: the caller's own when "".
	ResourcePolicy, ResourceOwner string
	// CallerARN is the user that ResourcePolicy is asked about, Source when "".
	CallerARN string
	Context   map[string][]string
	Page      Page
}

// Simulated is the outcome for one action on one resource.
type Simulated struct {
	Action, Resource string
	Decision         string // allowed, explicitDeny, implicitDeny
	Matched          []MatchedStatement
	// Missing are the condition keys that statements read and Context lacks.
	Missing []string
	// Bounded says whether there is a boundary, Within whether it allows.
	Bounded, Within bool
}

// MatchedStatement is where a matching statement stands.
type MatchedStatement struct {
	PolicyID, PolicyType                       string
	StartLine, StartColumn, EndLine, EndColumn int
}

// Simulate judges every action on every resource. A page may end early, where
// there is much to judge. KindNotFound for a source that does not exist,
// KindInvalidInput for documents that cannot be read.
func (d *Directory) Simulate(ctx context.Context, c *identity.Caller, in Simulation) (Listing[Simulated], error) {
	var out Listing[Simulated]
	action := "iam:SimulateCustomPolicy"
	if in.Source != "" {
		action = "iam:SimulatePrincipalPolicy"
	}
	if err := d.permit(c, action, in.Source, c.AccountID); err != nil {
		return out, err
	}
	if len(in.Resources) == 0 {
		in.Resources = []string{"*"}
	}
	if err := in.check(); err != nil {
		return out, err
	}
	after, err := d.openMarker(c, "simulation", in.Page.Marker)
	if err != nil {
		return out, err
	}
	first, _ := strconv.Atoi(after.Key)
	set, who, err := d.simulated(ctx, c, &in)
	if err != nil {
		return out, err
	}
	owner := c.AccountID
	if in.ResourceOwner != "" {
		if owner = in.ResourceOwner; strings.HasPrefix(owner, "arn:") {
			arn, _ := identity.ParseARN(owner)
			owner = arn.Account
		}
	}
	facts := policy.Keys{}
	for key, values := range in.Context {
		facts.Set(key, values...)
	}
	limit := min(in.Page.limit(), max(1, maxJudged/max(1, statements(&set))))
	for i := first; i < len(in.Actions)*len(in.Resources); i++ {
		if len(out.Items) == limit {
			out.Next, err = d.sealMarker(c, "simulation", store.After{Key: strconv.Itoa(i)})
			return out, err
		}
		r := policy.Request{
			Principal: who, Action: in.Actions[i/len(in.Resources)], Resource: in.Resources[i%len(in.Resources)],
			ResourceAccount: owner, Time: d.clock.Now(), Context: facts,
		}
		out.Items = append(out.Items, judge(&r, &set))
	}
	return out, nil
}

func (in *Simulation) check() error {
	if n := len(in.Actions) * len(in.Resources); n > maxSimulated {
		return invalid("A simulation judges at most %d pairs of an action and a resource, not %d.", maxSimulated, n)
	}
	for list, most := range map[*[]string]int{&in.Actions: maxAction, &in.Resources: maxResource} {
		for _, text := range *list {
			if len(text) > most {
				return invalid("%s is longer than %d bytes.", clip(text), most)
			}
		}
	}
	values := 0
	for _, v := range in.Context {
		values += len(v)
	}
	if values > maxContext {
		return invalid("A simulation takes at most %d values of condition keys, not %d.", maxContext, values)
	}
	return nil
}

// statements counts what is judged for one pair.
func statements(set *policy.Set) int {
	n := 0
	for _, p := range append([]*policy.Policy{set.Boundary, set.Resource}, set.Identity...) {
		if p != nil {
			n += len(p.Statements())
		}
	}
	return n
}

func judge(r *policy.Request, set *policy.Set) Simulated {
	e := policy.Explain(r, set)
	s := Simulated{Action: r.Action, Resource: r.Resource, Decision: e.Effect, Missing: e.Missing, Bounded: set.Boundary != nil}
	for i := range e.Matched {
		f := &e.Matched[i]
		p := f.Statement.Policy()
		s.Matched = append(s.Matched, MatchedStatement{
			PolicyID: p.ID(), PolicyType: p.Kind().String(),
			StartLine: f.Start.Line, StartColumn: f.Start.Column, EndLine: f.End.Line, EndColumn: f.End.Column,
		})
	}
	if s.Bounded {
		s.Within = policy.Evaluate(r, &policy.Set{Identity: []*policy.Policy{set.Boundary}}).Allowed()
	}
	return s
}

// simulated collects the policies, and whom they speak of.
func (d *Directory) simulated(ctx context.Context, c *identity.Caller, in *Simulation) (policy.Set, policy.Principal, error) {
	var set policy.Set
	who := policy.Principal{Kind: identity.IAMUser, Account: c.AccountID, ARN: in.CallerARN}
	if in.Source != "" {
		var err error
		if set, who, err = d.policiesOf(ctx, c, in.Source); err != nil {
			return set, who, err
		}
	}
	// Where all policies are made up, so is the name: nothing is told of a user
	// who has it.
	if in.CallerARN != "" && in.CallerARN != in.Source && in.Source != "" {
		err := d.permit(c, "iam:SimulatePrincipalPolicy", in.CallerARN, c.AccountID)
		if err == nil {
			_, who, err = d.policiesOf(ctx, c, in.CallerARN)
		}
		if err != nil {
			return set, who, err
		}
	}
	if len(in.Policies) > maxInputs || len(in.Boundaries) > 1 {
		return set, who, invalid("A simulation takes at most %d policies and one boundary.", maxInputs)
	}
	for i, text := range in.Policies {
		p, err := input(policy.ManagedPolicy, text, "PolicyInputList."+strconv.Itoa(i+1))
		if err != nil {
			return set, who, err
		}
		set.Identity = append(set.Identity, p)
	}
	var err error
	for _, text := range in.Boundaries {
		if set.Boundary, err = input(policy.BoundaryPolicy, text, "PermissionsBoundaryPolicyInputList.1"); err != nil {
			return set, who, err
		}
	}
	if in.ResourcePolicy != "" {
		set.Resource, err = input(policy.ResourcePolicy, in.ResourcePolicy, "ResourcePolicy")
	}
	return set, who, err
}

func input(kind policy.Kind, text, id string) (*policy.Policy, error) {
	p, err := policy.Parse(kind, text, policy.Options{ID: id, ByName: true})
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindInvalidInput, Op: "directory.simulate", Public: id + ": " + identity.AsError(err).Public}
	}
	return p, nil
}

// policiesOf returns the policies of a user with its groups, of a role or of a
// group of the caller's account. KindNotFound for any other ARN.
func (d *Directory) policiesOf(_ context.Context, c *identity.Caller, text string) (policy.Set, policy.Principal, error) {
	absent := &identity.Error{Kind: identity.KindNotFound, Op: "directory.simulate", Public: "The entity with ARN " + clip(text) + " cannot be found."}
	arn, ok := identity.ParseARN(text)
	who := policy.Principal{ARN: text, Account: c.AccountID}
	snap := d.db.Snapshot()
	acc, err := store.Accounts.Get(snap, c.AccountID)
	if err != nil || !ok || arn.Service != "iam" || arn.Account != acc.ID || arn.Partition != acc.Partition {
		return policy.Set{}, who, errors.Join(orAbsent(err), absent)
	}
	for kind, find := range map[string]func(path, name string) (*identity.Policies, []string, error){
		"user": func(path, name string) (*identity.Policies, []string, error) {
			u, err := store.LookupBy(context.Background(), d.db, store.Users, "name", store.Join(acc.ID, store.Fold(name)))
			if err != nil || u.Root || u.Name != name || u.Path != path {
				return nil, nil, err
			}
			who.Kind, who.ID, who.UserID, who.Name, who.Tags = identity.IAMUser, u.ID, u.ID, u.Name, u.Tags
			return &u.Policies, u.Groups, nil
		},
		"role": func(path, name string) (*identity.Policies, []string, error) {
			r, err := store.Roles.By(snap, "name", store.Join(acc.ID, store.Fold(name)))
			if err != nil || r.Name != name || r.Path != path {
				return nil, nil, err
			}
			who.Kind, who.ID, who.OwnerARN, who.Tags = identity.RoleSession, r.ID, text, r.Tags
			return &r.Policies, nil, nil
		},
		"group": func(path, name string) (*identity.Policies, []string, error) {
			g, err := store.Groups.By(snap, "name", store.Join(acc.ID, store.Fold(name)))
			if err != nil || g.Name != name || g.Path != path {
				return nil, nil, err
			}
			who.Kind = identity.IAMUser
			return &g.Policies, nil, nil
		},
	} {
		path, name, isKind := arn.Name(kind)
		if !isKind {
			continue
		}
		own, groups, err := find(path, name)
		if own == nil {
			if err = orAbsent(err); err != nil {
				return policy.Set{}, who, err
			}
			return policy.Set{}, who, absent
		}
		return d.access.PoliciesOf(acc, text, own, groups), who, nil
	}
	return policy.Set{}, who, absent
}

// ContextKeys lists the condition keys that policies read: those of a source
// as in Simulation, or of documents alone (IAM GetContextKeysForPrincipalPolicy
// and GetContextKeysForCustomPolicy).
func (d *Directory) ContextKeys(ctx context.Context, c *identity.Caller, source string, documents []string) ([]string, error) {
	action := "iam:GetContextKeysForCustomPolicy"
	if source != "" {
		action = "iam:GetContextKeysForPrincipalPolicy"
	}
	if err := d.permit(c, action, source, c.AccountID); err != nil {
		return nil, err
	}
	in := Simulation{Source: source, Policies: documents}
	set, _, err := d.simulated(ctx, c, &in)
	if err != nil {
		return nil, err
	}
	var keys []string
	seen := map[string]bool{}
	for _, p := range set.Identity {
		if p == nil {
			continue
		}
		for _, k := range p.ContextKeys() {
			if !seen[store.Fold(k)] {
				seen[store.Fold(k)] = true
				keys = append(keys, k)
			}
		}
	}
	return keys, nil
}

// clip bounds a name that a stranger chose.
func clip(s string) string {
	if len(s) > 256 {
		s = strings.ToValidUTF8(s[:256], "") + "…"
	}
	return s
}
