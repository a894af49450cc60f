package policydiff

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	peer "github.com/versity/versitygw/iamapi/policy"
	"github.com/versity/versitygw/iamapi/types"

	"daypass/internal/identity"
	"daypass/internal/policy"
)

// seed of this run, and how many rounds a test makes.
func seed(t *testing.T) uint64 {
	t.Helper()
	if text := os.Getenv("DAYPASS_POLICY_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return uint64(time.Now().UnixNano())
}

func rounds(n int) int {
	if os.Getenv("DAYPASS_SOAK") != "" {
		return 10 * n
	}
	return n
}

// tally counts how often a rule was taken, and how often it alone made the
// difference.
type tally map[rule]*struct{ taken, alone int }

func (c tally) note(rules map[rule]bool, differed bool) {
	for r := range rules {
		if c[r] == nil {
			c[r] = new(struct{ taken, alone int })
		}
		c[r].taken++
		if differed && len(rules) == 1 {
			c[r].alone++
		}
	}
}

func (c tally) String() string {
	var lines []string
	for r, n := range c {
		lines = append(lines, fmt.Sprintf("  %-30s taken %6d, alone %6d", r, n.taken, n.alone))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var effects = map[peer.Decision]policy.Effect{
	peer.DecisionNoMatch: policy.ImplicitDeny, peer.DecisionAllow: policy.Allow, peer.DecisionDeny: policy.ExplicitDeny,
}

// theirs asks the other engine about documents as they are.
func theirs(texts []string, r *request) policy.Effect {
	return askPeer(texts, r.action, r.resource, r.context())
}

func askPeer(texts []string, action, resource string, keys map[string][]string) policy.Effect {
	var entries []types.PolicyEntry
	for _, text := range texts {
		entries = append(entries, types.PolicyEntry{PolicyDocument: text})
	}
	return effects[peer.EvaluateIdentityPolicies(entries, peer.RequestContext{Action: action, Resource: resource, Condition: keys})]
}

// translated asks it about their translation.
func translated(docs []document, r *request) (policy.Effect, string, map[rule]bool) {
	t := newTranslation(r)
	var texts []string
	for _, d := range docs {
		texts = append(texts, t.document(d).text(nil))
	}
	e := askPeer(texts, r.action, t.resourceOfRequest(), t.out)
	return e, fmt.Sprintf("%s\nresource %q, keys %q", strings.Join(texts, "\n"), t.resourceOfRequest(), t.out), t.rules
}

func parse(t *testing.T, kind policy.Kind, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(kind, text, policy.Options{ByName: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// Identity policies: the two engines agree, or a rule says why not.
func TestIdentityPolicies(t *testing.T) {
	s := seed(t)
	g := generator{rand.New(rand.NewPCG(s, 1))}
	counts := tally{}
	agreed, asked := 0, 0
	answers := map[policy.Effect]int{}
	for range rounds(3000) {
		var docs []document
		var texts []string
		set := new(policy.Set)
		for range 1 + g.IntN(4)/3 {
			d := g.document()
			docs = append(docs, d)
			texts = append(texts, d.text(g.Rand))
			set.Identity = append(set.Identity, parse(t, policy.InlinePolicy, texts[len(texts)-1]))
		}
		for range 4 {
			r := g.request()
			ours := policy.Evaluate(r.ours(), set).Effect
			raw := theirs(texts, r)
			want, how, rules := translated(docs, r)
			asked++
			answers[ours]++
			counts.note(rules, raw != ours)
			if raw == ours {
				agreed++
			}
			if want != ours || (raw != ours && len(rules) == 0) {
				t.Fatalf("seed %d: Daypass answers %v, versitygw %v, and %v with the rules %v\n%s\n%+v\ntranslated: %s",
					s, ours, raw, want, rules, strings.Join(texts, "\n"), r, how)
			}
		}
	}
	t.Logf("seed %d: %d requests (%v), %d answered alike without any rule; rules:\n%s", s, asked, answers, agreed, counts)
	for _, r := range allRules {
		if counts[r] == nil {
			t.Errorf("seed %d: the rule %q was never taken", s, r)
		}
	}
}

// combine is AWS's rule for one account: a deny anywhere, then boundary and
// session policies, then identity or resource policy; the latter names the very
// user, so that no boundary limits it.
func combine(identity, boundary, session, resource *policy.Effect, sameAccount bool) policy.Effect {
	for _, e := range []*policy.Effect{identity, boundary, session, resource} {
		if e != nil && *e == policy.ExplicitDeny {
			return policy.ExplicitDeny
		}
	}
	allows := func(e *policy.Effect) bool { return e != nil && *e == policy.Allow }
	byIdentity := allows(identity) && (boundary == nil || allows(boundary)) && (session == nil || allows(session))
	byResource := allows(resource) && (session == nil || allows(session))
	if (sameAccount && (byIdentity || byResource)) || (!sameAccount && byIdentity && byResource) {
		return policy.Allow
	}
	return policy.ImplicitDeny
}

// Layers: each is judged by the other engine, and put together by AWS's rule.
func TestLayers(t *testing.T) {
	s := seed(t)
	g := generator{rand.New(rand.NewPCG(s, 2))}
	answers := map[policy.Effect]int{}
	for range rounds(2500) {
		r := g.request()
		if g.IntN(3) == 0 {
			r.owner = other
		}
		set := new(policy.Set)
		var shown []string
		// layer makes a document for a layer, or none; half of its statements allow all.
		layer := func(kind policy.Kind, always bool) (*policy.Policy, *policy.Effect) {
			if !always && g.IntN(2) == 0 {
				return nil, nil
			}
			d := g.document()
			for i := range d.statements {
				if g.IntN(2) == 0 {
					d.statements[i].allow, d.statements[i].actions, d.statements[i].notAction = true, []string{"*"}, false
					d.statements[i].resources, d.statements[i].notResource = []string{"*"}, false
				}
			}
			want, _, _ := translated([]document{d}, r)
			if kind == policy.ResourcePolicy {
				for i := range d.statements {
					d.statements[i].principal = map[string]any{"AWS": r.userARN()}
				}
			}
			text := d.text(g.Rand)
			shown = append(shown, text)
			return parse(t, kind, text), &want
		}
		one, byIdentity := layer(policy.InlinePolicy, true)
		set.Identity = []*policy.Policy{one}
		var byBoundary, bySession, byResource *policy.Effect
		set.Boundary, byBoundary = layer(policy.BoundaryPolicy, false)
		if one, e := layer(policy.SessionPolicy, false); one != nil {
			set.Session, bySession = []*policy.Policy{one}, e
		}
		set.Resource, byResource = layer(policy.ResourcePolicy, false)
		got := policy.Evaluate(r.ours(), set).Effect
		answers[got]++
		if want := combine(byIdentity, byBoundary, bySession, byResource, r.owner == account); got != want {
			t.Fatalf("seed %d: Daypass answers %v, want %v (boundary %v, session %v, resource %v)\n%s\n%+v",
				s, got, want, byBoundary != nil, bySession != nil, byResource != nil, strings.Join(shown, "\n"), r)
		}
	}
	t.Logf("seed %d: answers %v", s, answers)
}

const webIdentityAction = "sts:AssumeRoleWithWebIdentity"

// Trust policies for web identity.
func TestTrustPolicies(t *testing.T) {
	const host = "idp.example.com/realm"
	s := seed(t)
	g := generator{rand.New(rand.NewPCG(s, 3))}
	provider := func(n int) string {
		return fmt.Sprintf("arn:aws:iam::%s:oidc-provider/%s", account, []string{host, "other.example.com"}[n])
	}
	answers := map[policy.Effect]int{}
	for range rounds(2500) {
		r := g.request()
		r.name, r.tags, r.action = "", nil, webIdentityAction
		r.keys[host+":aud"], r.keys[host+":sub"] = []string{g.pick([]string{"app", "App", "*"})}, []string{g.pick([]string{"ann", "a", "", "repo:x/y"})}
		d := g.document()
		for i := range d.statements {
			st := &d.statements[i]
			st.notAction, st.notResource, st.resources = false, false, nil
			st.actions = g.some([]string{webIdentityAction, "sts:AssumeRole*", "sts:AssumeRole", "sts:*", "sts:TagSession"}, 2)
			st.principal = map[string]any{"Federated": oneOrList(g.Rand, g.some([]string{provider(0), provider(0), provider(1)}, 2), false)}
			if g.IntN(2) == 0 {
				st.conditions = append(st.conditions, condition{
					g.pick([]string{"StringEquals", "StringLike", "StringNotEquals"}), host + ":" + g.pick([]string{"aud", "sub", "none"}),
					g.some([]string{"app", "a*", "ann", "*", "repo:*"}, 2),
				})
				if n := len(st.conditions); n == 3 || (n == 2 && st.conditions[0].operator == st.conditions[1].operator) {
					st.conditions = st.conditions[n-1:]
				}
			}
		}
		text := d.text(g.Rand)
		req := r.ours()
		req.Principal = policy.Principal{Kind: identity.Federated, Provider: provider(0)}
		req.Resource = "arn:aws:iam::" + account + ":role/r"
		got := policy.Evaluate(req, &policy.Set{Resource: parse(t, policy.TrustPolicy, text)}).Effect
		answers[got]++

		tr := newTranslation(r)
		tr.keys = webKeys(r, provider(0))
		tr.rename = func(n int) string { return host + ":c" + strconv.Itoa(n) }
		other := tr.document(d).text(nil)
		claims := map[string][]string{}
		for k, v := range tr.out {
			claims[strings.TrimPrefix(k, host+":")] = v
		}
		match, _ := peer.EvaluateWebIdentityTrust(other, func(arn string) (string, bool) {
			_, url, ok := strings.Cut(arn, ":oidc-provider/")
			return url, ok
		}, peer.WebIdentityContext{ProviderURL: host, Claims: claims})
		want := policy.ImplicitDeny
		switch match {
		case peer.Allowed:
			want = policy.Allow
		case peer.ExplicitlyDenied:
			want = policy.ExplicitDeny
		}
		if got != want {
			t.Fatalf("seed %d: Daypass answers %v, versitygw %v\n%s\n%+v\ntranslated: %s\n%q", s, got, want, text, r, other, claims)
		}
	}
	t.Logf("seed %d: answers %v", s, answers)
}

// webKeys are the keys of a caller without account.
func webKeys(r *request, provider string) map[string][]string {
	all := r.context()
	for _, key := range []string{"aws:userid", "aws:principalarn", "aws:principalaccount", "aws:principaltype"} {
		delete(all, key)
	}
	all["aws:principaltype"] = []string{"FederatedUser"}
	all["aws:federatedprovider"] = []string{provider}
	return all
}
