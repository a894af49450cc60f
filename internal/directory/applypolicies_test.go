package directory_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const policyARN = "arn:aws:iam::" + stacktest.AccountA + ":policy/"

// trusting is a trust policy in these users and roles of account A.
func trusting(names ...string) string {
	for i := range names {
		names[i] = `"arn:aws:iam::` + stacktest.AccountA + `:` + names[i] + `"`
	}
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":[` + strings.Join(names, ",") + `]},"Action":"sts:AssumeRole"}}`
}

// policySite is a site in which things are named before they stand there.
func policySite() directory.SiteSpec {
	boundary := policyARN + "team/bound"
	return directory.SiteSpec{
		Policies: []directory.PolicySpec{
			{AccountID: stacktest.AccountA, Name: "bound", Path: "/team/", Description: "bounds", Document: allowActions("s3:*"), Tags: map[string]string{"a": "b"}},
			{AccountID: stacktest.AccountA, Name: "reads", Document: allowActions("s3:Get*")},
		},
		Groups: []directory.GroupSpec{{
			AccountID: stacktest.AccountA, Name: "devs", Path: "/", ManagedPolicies: []string{policyARN + "reads"},
			InlinePolicies: map[string]string{"lists": allowActions("s3:List*")},
		}},
		Users: []directory.UserSpec{{
			AccountID: stacktest.AccountA, Name: "dev", Groups: []string{"Devs"}, PermissionsBoundary: &boundary, ManagedPolicies: []string{readOnly},
			InlinePolicies: map[string]string{"own": allowActions("s3:PutObject")},
		}},
		Roles: []directory.RoleSpec{
			{AccountID: stacktest.AccountA, Name: "first", Trust: trusting("role/second", "user/dev"), MaxSessionDuration: 3600, PermissionsBoundary: &boundary},
			{
				AccountID: stacktest.AccountA, Name: "second", Trust: trusting("role/first", "role/second"), MaxSessionDuration: 3600,
				InlinePolicies: map[string]string{"own": allowActions("s3:GetObject")},
			},
		},
	}
}

func apply(t *testing.T, s *stacktest.Stack, spec directory.SiteSpec) []directory.Change {
	t.Helper()
	changes, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false)
	must(t, err)
	return changes
}

func userNamed(t testing.TB, s *stacktest.Stack, name string) *identity.User {
	t.Helper()
	u, err := store.Users.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, name))
	must(t, err)
	return u
}

func TestApplyPolicies(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	if ch, err := s.Directory.Apply(t.Context(), s.Operator(), policySite(), true); err != nil || len(ch) != 6 {
		t.Fatalf("dry run: %v, %v", ch, err)
	}
	var made []string
	for _, c := range apply(t, s, policySite()) {
		made = append(made, c.Kind+" "+c.Name+" "+c.To)
	}
	want := []string{"policy bound created", "policy reads created", "group devs created", "user dev created", "role first created", "role second created"}
	if !slices.Equal(made, want) {
		t.Errorf("got %q, want %q", made, want)
	}
	if ch := apply(t, s, policySite()); len(ch) != 0 {
		t.Errorf("applied twice: %v", ch)
	}
	u := userNamed(t, s, "dev")
	if len(u.Groups) != 1 || u.Boundary != policyARN+"team/bound" || !slices.Equal(u.Managed, []string{readOnly}) || u.Inline["own"] == "" {
		t.Errorf("dev is %+v", u)
	}
	second, err := store.Roles.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, "second"))
	must(t, err)
	first, err := store.Roles.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, "first"))
	must(t, err)
	if got := first.TrustBindings; !maps.Equal(got, map[string]string{
		"arn:aws:iam::123456789012:role/second": second.ID, "arn:aws:iam::123456789012:user/dev": u.ID,
	}) {
		t.Errorf("first trusts %v", got)
	}
	if second.TrustBindings["arn:aws:iam::123456789012:role/second"] != second.ID {
		t.Errorf("second trusts %v", second.TrustBindings)
	}

	// A role that moves can be named where it goes.
	moved := policySite()
	moved.Roles[0].Trust, moved.Roles[1].Path = trusting("role/far/second"), "/far/"
	moved.Roles[1].Trust = trusting("role/far/second")
	var fields []string
	for _, c := range apply(t, s, moved) {
		fields = append(fields, c.Name+"."+c.Field)
	}
	if got := strings.Join(fields, " "); got != "first.trust first.trust_bindings second.path second.trust second.trust_bindings" {
		t.Errorf("moved: %s", got)
	}
}

// TestApplyKeepsWhatItDoesNotName: what was made over the API stays unless the
// site speaks of it, and nothing remains of what it empties.
func TestApplyKeepsWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := root(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	apply(t, s, policySite())
	silent := func() directory.SiteSpec {
		spec := policySite()
		spec.Groups[0].ManagedPolicies, spec.Groups[0].InlinePolicies = nil, nil
		u := &spec.Users[0]
		u.Groups, u.ManagedPolicies, u.InlinePolicies, u.PermissionsBoundary = nil, nil, nil, nil
		for i := range spec.Roles {
			r := &spec.Roles[i]
			r.ManagedPolicies, r.InlinePolicies, r.PermissionsBoundary = nil, nil, nil
		}
		return spec
	}
	group(t, s, a, "ops")
	must(t, d.AddUserToGroup(ctx, a, "ops", "dev"))
	must(t, d.TagUser(ctx, a, "dev", map[string]string{"Team": "blue"}))
	for _, o := range []directory.Owner{
		{Kind: directory.UserOwner, Name: "dev"}, {Kind: directory.RoleOwner, Name: "first"}, {Kind: directory.GroupOwner, Name: "devs"},
	} {
		must(t, d.AttachPolicy(ctx, a, o, "arn:aws:iam::aws:policy/ReadOnlyAccess"))
		must(t, d.PutInlinePolicy(ctx, a, o, "api", allowAll))
		if o.Kind != directory.GroupOwner {
			must(t, d.PutBoundary(ctx, a, o, readOnly))
		}
	}
	before := userNamed(t, s, "dev")
	if ch := apply(t, s, silent()); len(ch) != 0 {
		t.Errorf("a site that says nothing of policies changes %v", ch)
	}
	if after := userNamed(t, s, "dev"); len(after.Groups) != 2 || len(after.Managed) != 2 || len(after.Inline) != 2 || after.Boundary != readOnly || after.Tags["Team"] != "blue" {
		t.Errorf("dev was %+v, is %+v", before, after)
	}
	empty := silent()
	empty.Groups[0].ManagedPolicies, empty.Groups[0].InlinePolicies = []string{}, map[string]string{}
	u := &empty.Users[0]
	u.Groups, u.ManagedPolicies, u.InlinePolicies, u.PermissionsBoundary, u.Tags = []string{}, []string{}, map[string]string{}, new(string), map[string]string{}
	apply(t, s, empty)
	if after := userNamed(t, s, "dev"); len(after.Groups)+len(after.Managed)+len(after.Inline)+len(after.Boundary)+len(after.Tags) != 0 {
		t.Errorf("dev is %+v", after)
	}
	if l, err := d.ListInlinePolicies(ctx, a, directory.Owner{Kind: directory.GroupOwner, Name: "devs"}, directory.Page{}); err != nil || len(l.Items) != 0 {
		t.Errorf("devs has %v, %v", l.Items, err)
	}
	if ch := apply(t, s, empty); len(ch) != 0 {
		t.Errorf("emptied twice: %v", ch)
	}
}

// TestApplyPolicyVersions: another document is another version in force, and
// the oldest make room.
// TestApplyNamesGroups: the difference shows groups as the file names them.
func TestApplyNamesGroups(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	apply(t, s, policySite())
	for _, step := range []struct {
		groups   []string
		from, to string
	}{
		{[]string{}, `["devs"]`, ""},
		{[]string{"devs"}, "", `["devs"]`},
	} {
		ch := apply(t, s, directory.SiteSpec{Users: []directory.UserSpec{{AccountID: stacktest.AccountA, Name: "dev", Groups: step.groups}}})
		if len(ch) != 1 || ch[0].Field != "groups" || ch[0].From != step.from || ch[0].To != step.to {
			t.Errorf("groups %v: got %+v, want %q -> %q", step.groups, ch, step.from, step.to)
		}
	}
}

func TestApplyPolicyVersions(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	spec := policySite()
	apply(t, s, spec)
	for i := 2; i <= 7; i++ {
		spec.Policies[1].Document = allowActions(fmt.Sprint("s3:Get", i))
		ch := apply(t, s, spec)
		if len(ch) != 1 || ch[0].Kind != "policy" || ch[0].Field != "document" {
			t.Fatalf("changes: %v", ch)
		}
	}
	l, err := s.Directory.ListPolicyVersions(ctx, a, policyARN+"reads", directory.Page{})
	must(t, err)
	var ids []string
	for _, v := range l.Items {
		ids = append(ids, fmt.Sprint(v.ID, v.Default))
	}
	if got := strings.Join(ids, " "); got != "v7true v6false v5false v4false v3false" {
		t.Errorf("versions: %s", got)
	}
	must(t, s.Directory.SetDefaultPolicyVersion(ctx, a, policyARN+"reads", "v3"))
	if ch := apply(t, s, spec); len(ch) != 1 {
		t.Errorf("the site does not win back: %v", ch)
	}
	if l, err := s.Directory.ListPolicyVersions(ctx, a, policyARN+"reads", directory.Page{}); err != nil || l.Items[0].ID != "v8" || !l.Items[0].Default || len(l.Items) != 5 {
		t.Errorf("versions: %v, %v", l.Items, err)
	}
	spec.Policies[1].Tags = map[string]string{"x": "y"}
	if ch := apply(t, s, spec); len(ch) != 1 || ch[0].Field != "tags" {
		t.Errorf("tags: %v", ch)
	}
}

func TestApplyPolicyRefusals(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	b := root(t, s, stacktest.AccountB, "demo")
	theirs, err := s.Directory.CreatePolicy(t.Context(), b, directory.NewPolicy{Name: "theirs", Document: allowAll})
	must(t, err)
	apply(t, s, policySite())
	text := func(s string) *string { return &s }
	eleven := make([]string, 11)
	for i := range eleven {
		eleven[i] = fmt.Sprint(policyARN, "p", i)
	}
	for name, v := range map[string]struct {
		change func(*directory.SiteSpec)
		text   string
	}{
		"another account's policy": {
			func(sp *directory.SiteSpec) { sp.Users[0].ManagedPolicies = []string{theirs.ARN("demo")} },
			`user dev: the account 123456789012 has no managed policy "` + theirs.ARN("demo") + `"`,
		},
		"another partition's policy": {
			func(sp *directory.SiteSpec) {
				sp.Groups[0].ManagedPolicies = []string{"arn:demo:iam::aws:policy/ReadOnlyAccess"}
			},
			`group devs: the account 123456789012 has no managed policy "arn:demo:iam::aws:policy/ReadOnlyAccess"`,
		},
		"a boundary that is none": {
			func(sp *directory.SiteSpec) { sp.Roles[0].PermissionsBoundary = text(policyARN + "none") },
			`role first: the account 123456789012 has no managed policy "` + policyARN + `none"`,
		},
		"a policy twice":      {func(sp *directory.SiteSpec) { sp.Users[0].ManagedPolicies = []string{readOnly, readOnly} }, `user dev: the managed policy "` + readOnly + `" is named twice`},
		"eleven policies":     {func(sp *directory.SiteSpec) { sp.Users[0].ManagedPolicies = eleven }, "user dev: at most 10 managed policies"},
		"no such group":       {func(sp *directory.SiteSpec) { sp.Users[0].Groups = []string{"none"} }, `user dev: the account 123456789012 has no group "none"`},
		"a group twice":       {func(sp *directory.SiteSpec) { sp.Users[0].Groups = []string{"devs", "DEVS"} }, `user dev: the group "DEVS" is named twice`},
		"a policy that moves": {func(sp *directory.SiteSpec) { sp.Policies[0].Path = "/" }, "policy bound: a managed policy keeps its name and path, here /team/bound"},
		"a group's bad name":  {func(sp *directory.SiteSpec) { sp.Groups[0].Name = "a b" }, ""},
		"a group of nowhere":  {func(sp *directory.SiteSpec) { sp.Groups[0].AccountID = "none" }, `group devs: there is no account "none"`},
		"a policy of nowhere": {func(sp *directory.SiteSpec) { sp.Policies[0].AccountID = "none" }, `policy bound: there is no account "none"`},
		"a bad document":      {func(sp *directory.SiteSpec) { sp.Policies[0].Document = "{}" }, "policy bound: Syntax errors in policy: a policy needs at least one Statement."},
		"a bad inline policy": {func(sp *directory.SiteSpec) { sp.Users[0].InlinePolicies = map[string]string{"x": "{}"} }, "user dev, inline policy x: Syntax errors in policy: a policy needs at least one Statement."},
		"a long inline policy": {func(sp *directory.SiteSpec) {
			sp.Users[0].InlinePolicies = map[string]string{"x": padded(t, 1500), "y": padded(t, 1500)}
		}, ""},
	} {
		spec := policySite()
		v.change(&spec)
		ch, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false)
		kind := identity.KindOf(err)
		if kind != identity.KindValidation && kind != identity.KindMalformedPolicy && kind != identity.KindLimitExceeded || v.text != "" && identity.AsError(err).Public != v.text {
			t.Errorf("%s: %v, %v", name, ch, err)
		}
	}
	if ch := apply(t, s, policySite()); len(ch) != 0 {
		t.Errorf("a refused apply left something behind: %v", ch)
	}
}
