package identity_test

import (
	"strings"
	"testing"

	"daypass/internal/identity"
)

func TestProfileConditions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operator, value string
		have            []string
		want            bool
	}{
		{"EQUALS", `"a"`, []string{"a"}, true},
		{"EQUALS", `"a"`, []string{"A"}, false},
		{"EQUALS", `"a"`, []string{"a", "b"}, false},
		{"EQUALS", `"a"`, nil, false},
		{"EQUALS", `""`, nil, false},
		{"EQUALS", `3`, []string{"3"}, true},
		{"EQUALS", `true`, []string{"true"}, true},
		{"EQUALS", `["a"]`, []string{"a"}, false},
		{"EQUALS", `a`, []string{"a"}, false},
		{"EQUALS", `"a" "b"`, []string{"a"}, false},
		{"EQUALS", `null`, []string{""}, false},
		{"NOT_EQUALS", `"a"`, []string{"b"}, true},
		{"NOT_EQUALS", `"a"`, []string{"b", "a"}, false},
		{"NOT_EQUALS", `"a"`, nil, false},
		{"EQUALS_IGNORE_CASE", `"kit"`, []string{"KIT"}, true},
		{"EQUALS_IGNORE_CASE", `"kit"`, []string{"\u212aIT"}, false},
		{"NOT_EQUALS_IGNORE_CASE", `"kit"`, []string{"KIT"}, false},
		{"NOT_EQUALS_IGNORE_CASE", `"kit"`, []string{"\u212aIT"}, false},
		{"NOT_EQUALS_IGNORE_CASE", `"kit"`, []string{"cat"}, true},
		{"NOT_EQUALS_IGNORE_CASE", `"kit"`, nil, false},
		{"CONTAINS", `"a"`, []string{"b", "a"}, true},
		{"CONTAINS", `"a"`, []string{"ab"}, false},
		{"CONTAINS", `"a"`, nil, false},
		{"IN", `["a","b"]`, []string{"b"}, true},
		{"IN", `["a","b"]`, []string{"c"}, false},
		{"IN", `["a","b"]`, []string{"a", "b"}, false},
		{"IN", `[]`, []string{"a"}, false},
		{"IN", `"a"`, []string{"a"}, false},
		{"IN", `[["a"]]`, []string{"a"}, false},
		{"equals", `"a"`, []string{"a"}, false},
		{"", `"a"`, []string{"a"}, false},
	} {
		got := (&identity.ProfileCondition{Claim: "c", Operator: c.operator, Value: c.value}).Holds(c.have)
		if got != c.want {
			t.Errorf("%q %s %s: %v, want %v", c.have, c.operator, c.value, got, c.want)
		}
	}
}

// FuzzProfileCondition: whatever the value is, a claim that is not there fulfils
// nothing, and nothing is equal and unequal at once.
func FuzzProfileCondition(f *testing.F) {
	f.Add(`"a"`, "a")
	f.Add(`["a","b"]`, "b")
	f.Add(`3`, "3")
	f.Fuzz(func(t *testing.T, value, claim string) {
		holds := func(operator string, have ...string) bool {
			return (&identity.ProfileCondition{Claim: "c", Operator: operator, Value: value}).Holds(have)
		}
		for _, o := range []string{"EQUALS", "NOT_EQUALS", "EQUALS_IGNORE_CASE", "NOT_EQUALS_IGNORE_CASE", "CONTAINS", "IN"} {
			if holds(o) {
				t.Errorf("%s %s holds without a claim", o, value)
			}
		}
		if holds("EQUALS", claim) && holds("NOT_EQUALS", claim) || holds("EQUALS_IGNORE_CASE", claim) && holds("NOT_EQUALS_IGNORE_CASE", claim) {
			t.Errorf("%q is %s and is not", claim, value)
		}
	})
}

const clusterCRN = "crn:v1:bluemix:public:containers-kubernetes::a/1:k8s.example.com%3A6443::"

func TestProfileCheck(t *testing.T) {
	t.Parallel()
	if crn := identity.ClusterCRN("1", "k8s.example.com:6443"); crn != clusterCRN {
		t.Errorf("CRN %s", crn)
	}
	condition := identity.ProfileCondition{Claim: "sub", Operator: "EQUALS", Value: `"a"`}
	rule := identity.ProfileRule{Type: identity.RuleCompute, CRType: "IKS_SA", RealmName: "https://k8s.example.com", Conditions: []identity.ProfileCondition{condition}}
	link := identity.ProfileLink{CRType: "ROKS_SA", CRN: clusterCRN, Namespace: "n", Resource: "r"}
	user := identity.ProfileIdentity{Type: identity.IdentityUser, Identifier: "IBMid-A"}
	for name, c := range map[string]struct {
		change func(*identity.TrustedProfile)
		want   string // part of the sentence, "" for a good one
	}{
		"good":                {func(*identity.TrustedProfile) {}, ""},
		"no name":             {func(p *identity.TrustedProfile) { p.Name = " " }, "name"},
		"a long name":         {func(p *identity.TrustedProfile) { p.Name = strings.Repeat("n", 256) }, "name"},
		"a bad e-mail":        {func(p *identity.TrustedProfile) { p.Email = "a\nb" }, "email"},
		"another type":        {func(p *identity.TrustedProfile) { p.Rules[0].Type = "Profile-X" }, "type"},
		"SAML with cr_type":   {func(p *identity.TrustedProfile) { p.Rules[0].Type = identity.RuleSAML }, "cr_type"},
		"SAML of no realm":    {func(p *identity.TrustedProfile) { p.Rules[0].Type, p.Rules[0].RealmName = identity.RuleSAML, "" }, "realm_name"},
		"another cr_type":     {func(p *identity.TrustedProfile) { p.Rules[0].CRType = "POD" }, "cr_type"},
		"a short time":        {func(p *identity.TrustedProfile) { p.Rules[0].Expiration = 9 }, "expiration"},
		"a negative time":     {func(p *identity.TrustedProfile) { p.Rules[0].Expiration = -900 }, "expiration"},
		"no condition":        {func(p *identity.TrustedProfile) { p.Rules[0].Conditions = nil }, "conditions"},
		"eleven conditions":   {func(p *identity.TrustedProfile) { p.Rules[0].Conditions = make([]identity.ProfileCondition, 11) }, "conditions"},
		"no claim":            {func(p *identity.TrustedProfile) { p.Rules[0].Conditions[0].Claim = "" }, "conditions.claim"},
		"no operator":         {func(p *identity.TrustedProfile) { p.Rules[0].Conditions[0].Operator = "LIKE" }, "conditions.operator"},
		"no JSON":             {func(p *identity.TrustedProfile) { p.Rules[0].Conditions[0].Value = "a" }, "conditions.value"},
		"no CRN":              {func(p *identity.TrustedProfile) { p.Links[0].CRN = "crn:v1" }, "link.crn"},
		"another account's":   {func(p *identity.TrustedProfile) { p.Links[0].CRN = strings.Replace(clusterCRN, "a/1", "a/2", 1) }, "link.crn"},
		"no service account":  {func(p *identity.TrustedProfile) { p.Links[0].Resource = "" }, "namespace and name"},
		"a machine's account": {func(p *identity.TrustedProfile) { p.Links[0].CRType = "VSI" }, "namespace and name"},
		"a link with a break": {func(p *identity.TrustedProfile) { p.Links[0].Name = "a\nb" }, "link"},
		"another identity":    {func(p *identity.TrustedProfile) { p.Identities[0].Type = "group" }, "type"},
		"an ID of another":    {func(p *identity.TrustedProfile) { p.Identities[0].Type = identity.IdentityServiceID }, "identifier"},
		"no ID":               {func(p *identity.TrustedProfile) { p.Identities[0].Identifier = "IBMid-" }, "identifier"},
		"another account":     {func(p *identity.TrustedProfile) { p.Identities[0].Accounts = []string{"2"} }, "accounts"},
		"too many rules":      {func(p *identity.TrustedProfile) { p.Rules = repeat(rule, 21) }, "at most 20 rules"},
		"too many links":      {func(p *identity.TrustedProfile) { p.Links = repeat(link, 51) }, "at most 50 links"},
		"too many identities": {func(p *identity.TrustedProfile) { p.Identities = repeat(user, 101) }, "at most 100 identities"},
		"too much in all":     {func(p *identity.TrustedProfile) { p.Identities = repeat(long(user), 100) }, "too long"},
		"as much as there may": {func(p *identity.TrustedProfile) {
			p.Rules, p.Links, p.Identities = repeat(rule, 20), repeat(link, 50), repeat(user, 100)
		}, ""},
	} {
		r := rule
		r.Conditions = []identity.ProfileCondition{condition}
		p := &identity.TrustedProfile{Name: "p", Rules: []identity.ProfileRule{r}, Links: []identity.ProfileLink{link}, Identities: []identity.ProfileIdentity{user}}
		c.change(p)
		err := p.Check("1")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(identity.AsError(err).Public, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func repeat[T any](v T, n int) []T {
	var out []T
	for range n {
		out = append(out, v)
	}
	return out
}

func long(i identity.ProfileIdentity) identity.ProfileIdentity {
	i.Description = strings.Repeat("d", 1000)
	return i
}

func TestClusterIssuer(t *testing.T) {
	t.Parallel()
	for crn, want := range map[string]string{
		clusterCRN: "k8s.example.com:6443",
		"crn:v1:bluemix:public:containers-kubernetes:eu-de:a/1:oidc.example.com/id/A::": "oidc.example.com/id/A",
		"crn:v1:bluemix:public:containers-kubernetes::a/2:k8s.example.com::":            "",
		"crn:v1:bluemix:public:containers-kubernetes::a/1:k8s.example.com:6443::":       "",
		"k8s.example.com": "",
	} {
		if got := (&identity.ProfileLink{CRN: crn}).ClusterIssuer("1"); got != want {
			t.Errorf("%s: %q, want %q", crn, got, want)
		}
	}
}
