package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func newProfile(t testing.TB, s *stacktest.Stack, c *identity.Caller, name string) identity.User {
	t.Helper()
	u, err := s.Directory.CreateTrustedProfile(t.Context(), c, directory.NewTrustedProfile{Name: name, Description: name + "'s"})
	must(t, err)
	return u
}

func ptr[T any](v T) *T { return &v }

func TestTrustedProfiles(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	u := newProfile(t, s, a, "deployer")
	if p := u.Profile; u.ID != "iam-"+u.Name || !strings.HasPrefix(u.Name, "Profile-") || !u.Local || p.Tag.N != 1 || p.IdentitiesTag.N != 1 ||
		len(p.History) != 1 || p.CreatedBy != "IBMid-"+stacktest.AccountA {
		t.Errorf("%+v, %+v", u, p)
	}
	for _, name := range []string{"deployer", "Deployer"} {
		_, err := s.Directory.CreateTrustedProfile(ctx, a, directory.NewTrustedProfile{Name: name})
		wantKind(t, "the name "+name+" again", err, identity.KindAlreadyExists)
	}
	second := newProfile(t, s, a, "builder")
	_, err := s.Directory.UpdateTrustedProfile(ctx, a, second.Name, "*", directory.TrustedProfileChange{Name: ptr("DEPLOYER")})
	wantKind(t, "another's name", err, identity.KindAlreadyExists)
	changed, err := s.Directory.UpdateTrustedProfile(ctx, a, second.Name, second.Profile.Tag.String(), directory.TrustedProfileChange{Name: ptr("Builder"), Email: ptr("b@example.com")})
	must(t, err)
	if p := changed.Profile; p.Name != "Builder" || p.Email != "b@example.com" || p.Description != "builder's" || p.Tag.N != 2 || len(p.History) != 2 {
		t.Errorf("changed: %+v", p)
	}
	_, err = s.Directory.UpdateTrustedProfile(ctx, a, second.Name, second.Profile.Tag.String(), directory.TrustedProfileChange{Name: ptr("x")})
	wantKind(t, "a stale tag", err, identity.KindConflict)
	_, err = s.Directory.UpdateTrustedProfile(ctx, a, second.Name, "", directory.TrustedProfileChange{})
	wantKind(t, "no tag", err, identity.KindMissingParameter)
	_, err = s.Directory.CreateTrustedProfile(ctx, a, directory.NewTrustedProfile{})
	wantKind(t, "no name", err, identity.KindValidation)
	_, err = s.Directory.CreateTrustedProfile(ctx, a, directory.NewTrustedProfile{AccountID: stacktest.AccountB, Name: "x"})
	wantKind(t, "in another account", err, identity.KindAccessDenied)

	list := func(f directory.TrustedProfileFilter) string {
		var names []string
		for p := (directory.Page{MaxItems: 1}); ; {
			got, err := s.Directory.TrustedProfiles(ctx, a, f, p)
			must(t, err)
			for _, u := range got.Items {
				names = append(names, u.Profile.Name)
			}
			if p.Marker = got.Next; p.Marker == "" {
				break
			}
		}
		if f.Sort.By == "" {
			slices.Sort(names)
		}
		return strings.Join(names, " ")
	}
	for f, want := range map[directory.TrustedProfileFilter]string{
		{}: "Builder deployer", {Name: "deployer"}: "deployer", {Name: "x"}: "",
		{Sort: directory.IBMSort{By: "name", Descending: true}}: "deployer Builder",
	} {
		if got := list(f); got != want {
			t.Errorf("%+v: %s, want %s", f, got, want)
		}
	}
	must(t, s.Directory.DeleteTrustedProfile(ctx, a, u.Name))
	_, err = s.Directory.TrustedProfile(ctx, a, u.Name)
	wantKind(t, "a deleted one", err, identity.KindNotFound)
	newProfile(t, s, a, "deployer") // the name is free again
	service, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: "robot"})
	must(t, err)
	for what, id := range map[string]string{"a service ID": service.Name, "an IAM ID": second.ID, "nothing": "", "much": "Profile-" + strings.Repeat("x", 200)} {
		_, err = s.Directory.TrustedProfile(ctx, a, id)
		wantKind(t, what, err, identity.KindNotFound)
	}
	_, err = s.Directory.ServiceID(ctx, a, second.Name)
	wantKind(t, "a profile as a service ID", err, identity.KindNotFound)
}

func TestProfileTrust(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	id := newProfile(t, s, a, "deployer").Name
	rule := identity.ProfileRule{
		Type: identity.RuleCompute, CRType: "VSI", RealmName: stacktest.ForeignIssuer,
		Conditions: []identity.ProfileCondition{{Claim: "sub", Operator: "EQUALS", Value: `"alice"`}},
	}
	made, err := s.Directory.CreateProfileRule(ctx, a, id, rule)
	must(t, err)
	rule.Name = "second"
	second, err := s.Directory.CreateProfileRule(ctx, a, id, rule)
	must(t, err)
	rule.Name = "changed"
	changed, err := s.Directory.UpdateProfileRule(ctx, a, id, made.ID, made.Tag.String(), rule)
	must(t, err)
	if changed.ID != made.ID || changed.Name != "changed" || changed.Tag.N != 2 || !changed.CreatedAt.Equal(made.CreatedAt) {
		t.Errorf("%+v", changed)
	}
	_, err = s.Directory.UpdateProfileRule(ctx, a, id, made.ID, made.Tag.String(), rule)
	wantKind(t, "a stale tag", err, identity.KindConflict)
	_, err = s.Directory.UpdateProfileRule(ctx, a, id, "ClaimRule-x", "*", rule)
	wantKind(t, "an absent rule", err, identity.KindNotFound)
	_, err = s.Directory.UpdateProfileRule(ctx, a, id, made.ID, "*", identity.ProfileRule{})
	wantKind(t, "a bad rule", err, identity.KindValidation)
	must(t, s.Directory.DeleteProfileRule(ctx, a, id, second.ID))
	wantKind(t, "a rule that is gone", s.Directory.DeleteProfileRule(ctx, a, id, second.ID), identity.KindNotFound)

	link := identity.ProfileLink{CRType: "IKS_SA", CRN: identity.ClusterCRN(stacktest.AccountA, "k8s.example.com"), Namespace: "ci", Resource: "runner"}
	linked, err := s.Directory.CreateProfileLink(ctx, a, id, link)
	must(t, err)
	_, err = s.Directory.CreateProfileLink(ctx, a, id, link)
	wantKind(t, "the link again", err, identity.KindAlreadyExists)
	link.CRN = identity.ClusterCRN(stacktest.AccountB, "k8s.example.com")
	_, err = s.Directory.CreateProfileLink(ctx, a, id, link)
	wantKind(t, "another account's", err, identity.KindValidation)

	u, err := s.Directory.TrustedProfile(ctx, a, id)
	must(t, err)
	if p := u.Profile; len(p.Rules) != 1 || len(p.Links) != 1 || p.Rule(made.ID) == nil || p.Link(linked.ID) == nil || p.Tag.N != 1 || len(p.History) != 6 {
		t.Errorf("%+v", p)
	}
	must(t, s.Directory.DeleteProfileLink(ctx, a, id, linked.ID))
	wantKind(t, "a link that is gone", s.Directory.DeleteProfileLink(ctx, a, id, linked.ID), identity.KindNotFound)
}

func TestProfileIdentities(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	u := newProfile(t, s, a, "deployer")
	id := u.Name
	other := newProfile(t, s, a, "other")
	person, err := store.Users.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, stacktest.TestUser))
	must(t, err)
	service, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: "robot"})
	must(t, err)
	user := identity.ProfileIdentity{Type: "user", Identifier: "IBMid-" + person.ID, Accounts: []string{stacktest.AccountA}}
	robot := identity.ProfileIdentity{Type: "serviceid", Identifier: service.ID, Description: "builds"}
	set := func(tag string, list ...identity.ProfileIdentity) (identity.User, error) {
		return s.Directory.SetProfileIdentities(ctx, a, id, tag, list)
	}
	got, err := set(u.Profile.IdentitiesTag.String(), user, robot)
	must(t, err)
	if p := got.Profile; len(p.Identities) != 2 || p.Identities[1].Identifier != service.Name || p.Identity("serviceid", service.ID) == nil ||
		!p.Admits(service.ID) || !p.Admits("IBMid-"+person.ID) || p.Admits("IBMid-") || p.IdentitiesTag.N != 2 || p.Tag.N != 1 {
		t.Errorf("%+v", p)
	}
	_, err = set(u.Profile.IdentitiesTag.String())
	wantKind(t, "a stale tag", err, identity.KindConflict)
	_, err = set("")
	wantKind(t, "no tag", err, identity.KindMissingParameter)
	for name, v := range map[string]identity.ProfileIdentity{
		"an absent user": {Type: "user", Identifier: "IBMid-AIDANOBODY"}, "root": {Type: "user", Identifier: "IBMid-" + stacktest.AccountA},
		"a profile":              {Type: "serviceid", Identifier: other.Name},
		"a profile as a user":    {Type: "user", Identifier: "IBMid-" + other.ID},
		"a service ID as a user": {Type: "user", Identifier: "IBMid-" + service.ID},
		"another account's":      {Type: "user", Identifier: user.Identifier, Accounts: []string{stacktest.AccountB}},
		"no type":                {Identifier: user.Identifier},
	} {
		_, err := s.Directory.AddProfileIdentity(ctx, a, id, v)
		wantKind(t, name, err, identity.KindValidation)
	}
	robot.Description = "more builds"
	again, err := s.Directory.AddProfileIdentity(ctx, a, id, robot)
	must(t, err)
	crn := identity.ProfileIdentity{Type: "crn", Identifier: identity.ClusterCRN(stacktest.AccountA, "x")}
	_, err = s.Directory.AddProfileIdentity(ctx, a, id, crn)
	must(t, err)
	if v, err := s.Directory.TrustedProfile(ctx, a, id); err != nil || len(v.Profile.Identities) != 3 || again.Description != "more builds" || v.Profile.Admits("crn-"+crn.Identifier) {
		t.Errorf("%v, %+v", err, v.Profile)
	}
	must(t, s.Directory.DeleteProfileIdentity(ctx, a, id, "serviceid", service.Name))
	wantKind(t, "one that is gone", s.Directory.DeleteProfileIdentity(ctx, a, id, "serviceid", service.Name), identity.KindNotFound)
}

// TestProfileRights: what concerns who may become a profile needs a right of its
// own, and another account's profiles are not there.
func TestProfileRights(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	p := newProfile(t, s, a, "deployer")
	id := p.Name
	anybody := identity.ProfileIdentity{Type: "crn", Identifier: identity.ClusterCRN(stacktest.AccountA, "x")}
	calls := map[string]func(c *identity.Caller) error{
		"get": func(c *identity.Caller) error { _, err := s.Directory.TrustedProfile(ctx, c, id); return err },
		"list": func(c *identity.Caller) error {
			_, err := s.Directory.TrustedProfiles(ctx, c, directory.TrustedProfileFilter{}, directory.Page{})
			return err
		},
		"update": func(c *identity.Caller) error {
			_, err := s.Directory.UpdateTrustedProfile(ctx, c, id, "*", directory.TrustedProfileChange{})
			return err
		},
		"trust": func(c *identity.Caller) error {
			_, err := s.Directory.AddProfileIdentity(ctx, c, id, anybody)
			return err
		},
		"create": func(c *identity.Caller) error {
			_, err := s.Directory.CreateTrustedProfile(ctx, c, directory.NewTrustedProfile{Name: fmt.Sprintf("made-by-%p", c)})
			return err
		},
	}
	none, _ := robot(t, s, a, "")
	for right := range calls {
		c, _ := robot(t, s, a, allow("profile."+right, crn+"profile:*"))
		for op, call := range calls {
			want := identity.KindAccessDenied
			if op == right {
				want = ""
			}
			wantKind(t, op+" by who may "+right, call(c), want)
		}
	}
	for op, call := range calls {
		wantKind(t, op+" by who may nothing", call(none), identity.KindAccessDenied)
		want := identity.KindNotFound
		if op == "list" || op == "create" {
			want = ""
		}
		wantKind(t, op+" by another account", call(b), want)
	}
	// A profile has the rights of its policies, and no keys.
	_, err := s.DB.Update(ctx, func(tx store.Tx) error {
		u, err := store.Users.Get(tx, p.ID)
		if err != nil {
			return err
		}
		v, w := *u, *u.Profile
		v.Profile, v.Policies = &w, identity.Policies{Inline: map[string]string{"p": `{"Version":"2012-10-17","Statement":[` + allow("*", "*") + `]}`}}
		return store.Users.Put(tx, &v)
	})
	must(t, err)
	_, key := robot(t, s, a, "")
	_, err = s.Directory.AddProfileIdentity(ctx, a, id, identity.ProfileIdentity{Type: "serviceid", Identifier: key.UserID})
	must(t, err)
	login, err := s.Issuer.IBMAPIKey(ctx, key.Text, "", issue.IBMClient{})
	must(t, err)
	tokens, err := s.Issuer.IBMAssume(ctx, issue.IBMAssumeGrant{Access: login.Access, Profile: issue.IBMProfileName{ID: id}})
	must(t, err)
	c, err := s.Access.IBMToken(ctx, tokens.Access)
	must(t, err)
	wantKind(t, "list by the profile", calls["list"](c), "")
	for _, iamID := range []string{"", p.ID} {
		_, err = s.Issuer.NewIBMAPIKey(ctx, c, issue.NewIBMKey{IAMID: iamID, Name: "k"})
		wantKind(t, "an API key of the profile", err, identity.KindNotFound)
	}
}
