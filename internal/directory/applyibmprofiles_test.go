package directory_test

import (
	"slices"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

// profileSpec is ibmSpec with a trusted profile.
func profileSpec() *directory.IBMSpec {
	spec := ibmSpec()
	spec.Algorithm = "RS256"
	spec.Profiles = []directory.TrustedProfileSpec{{
		Name: "deployer", Description: "deploys", ManagedPolicies: []string{"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"},
		Rules: []identity.ProfileRule{{
			Type: identity.RuleCompute, CRType: "VSI", RealmName: stacktest.ForeignIssuer,
			Conditions: []identity.ProfileCondition{{Claim: "sub", Operator: "EQUALS", Value: `"alice"`}},
		}},
		Links:      []identity.ProfileLink{{CRType: "IKS_SA", CRN: identity.ClusterCRN(stacktest.AccountA, "k8s.example.com"), Namespace: "ci", Resource: "runner"}},
		Identities: &directory.ProfileIdentitiesSpec{Users: []string{stacktest.TestUser}, ServiceIDs: []string{"ci"}},
	}}
	return spec
}

func TestApplyProfiles(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	apply := func(change func(*directory.TrustedProfileSpec)) int {
		t.Helper()
		spec := profileSpec()
		change(&spec.Profiles[0])
		changes, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: spec}, false)
		must(t, err)
		return len(changes)
	}
	only := func() identity.User {
		t.Helper()
		list, err := s.Directory.TrustedProfiles(ctx, a, directory.TrustedProfileFilter{}, directory.Page{})
		must(t, err)
		if len(list.Items) != 1 {
			t.Fatalf("%d profiles", len(list.Items))
		}
		return list.Items[0]
	}
	nothing := func(*directory.TrustedProfileSpec) {}
	apply(nothing)
	made := only()
	if p := made.Profile; len(p.Rules) != 1 || len(p.Links) != 1 || len(p.Identities) != 2 || len(made.Managed) != 1 || p.CreatedBy != "operator" ||
		!strings.HasPrefix(p.Rules[0].ID, identity.RulePrefix) || !strings.HasPrefix(p.Links[0].ID, identity.LinkPrefix) || p.Rules[0].Tag.N != 1 {
		t.Errorf("%+v", p)
	}
	if n := apply(nothing); n != 0 {
		t.Errorf("a second time: %d changes", n)
	}
	// What a call changed comes back, and what the file does not name stays.
	_, err := s.Directory.CreateProfileRule(ctx, a, made.Name, identity.ProfileRule{
		Type: identity.RuleSAML, RealmName: "x", Conditions: []identity.ProfileCondition{{Claim: "c", Operator: "CONTAINS", Value: `"v"`}},
	})
	must(t, err)
	if n := apply(func(p *directory.TrustedProfileSpec) {
		p.Rules, p.Links, p.Identities, p.ManagedPolicies = nil, nil, nil, nil
	}); n != 0 || len(only().Profile.Rules) != 2 {
		t.Errorf("a file that says nothing: %d changes", n)
	}
	if n := apply(nothing); n == 0 || len(only().Profile.Rules) != 1 || only().Profile.Rules[0].ID != made.Profile.Rules[0].ID {
		t.Errorf("a rule that the file does not have: %d changes, %+v", n, only().Profile.Rules)
	}
	apply(func(p *directory.TrustedProfileSpec) {
		p.Rules[0].Expiration, p.Links, p.Identities.Users = 900, []identity.ProfileLink{}, nil
		p.Email = "team@example.com"
	})
	if p := only().Profile; len(p.Rules) != 1 || p.Rules[0].Expiration != 900 || p.Rules[0].ID == made.Profile.Rules[0].ID || len(p.Links) != 0 ||
		len(p.Identities) != 1 || p.Email != "team@example.com" || p.Tag.N < 3 {
		t.Errorf("changed: %+v", p)
	}
	// Its policies count, and switching it off ends what was obtained.
	login, err := s.Issuer.IBMAPIKey(ctx, keyText, "", issue.IBMClient{})
	must(t, err)
	tokens, err := s.Issuer.IBMAssume(ctx, issue.IBMAssumeGrant{Access: login.Access, Profile: issue.IBMProfileName{Name: "deployer"}})
	must(t, err)
	if _, err := s.Access.IBMToken(ctx, tokens.Access); err != nil {
		t.Error(err)
	}
	apply(func(p *directory.TrustedProfileSpec) { p.Disabled = true })
	apply(nothing)
	_, err = s.Access.IBMToken(ctx, tokens.Access)
	wantKind(t, "after it was off and on again", err, identity.KindInvalidBearer)
}

func TestApplyProfileComplaints(t *testing.T) {
	t.Parallel()
	s := withIBM(t)
	newProfile(t, s, root(t, s, stacktest.AccountA, "aws"), "theirs")
	for want, change := range map[string]func(*directory.IBMSpec){
		"that no site file made":     func(i *directory.IBMSpec) { i.Profiles[0].Name = "Theirs" },
		"stands twice":               func(i *directory.IBMSpec) { i.Profiles = append(i.Profiles, i.Profiles[0]) },
		"property name must have":    func(i *directory.IBMSpec) { i.Profiles[0].Name = "" },
		"conditions.operator":        func(i *directory.IBMSpec) { i.Profiles[0].Rules[0].Conditions[0].Operator = "LIKE" },
		"link.crn":                   func(i *directory.IBMSpec) { i.Profiles[0].Links[0].CRN = "x" },
		"a link stands twice":        func(i *directory.IBMSpec) { i.Profiles[0].Links = slices.Repeat(i.Profiles[0].Links, 2) },
		"has no user":                func(i *directory.IBMSpec) { i.Profiles[0].Identities.Users = []string{"nobody"} },
		"the section has no service": func(i *directory.IBMSpec) { i.Profiles[0].Identities.ServiceIDs = []string{"nobody"} },
		"has no managed policy":      func(i *directory.IBMSpec) { i.Profiles[0].ManagedPolicies = []string{"arn:aws:iam::aws:policy/None"} },
	} {
		spec := profileSpec()
		change(spec)
		_, err := s.Directory.Apply(t.Context(), s.Operator(), directory.SiteSpec{IBM: spec}, false)
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
