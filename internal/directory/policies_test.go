package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

const (
	readOnly = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
	allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
)

// allowActions is a policy that allows actions on everything.
func allowActions(actions ...string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}}`
}

// padded is a policy of exactly n characters, besides white space.
func padded(t *testing.T, n int) string {
	t.Helper()
	const head, tail = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::`, `"]} }`
	const next = `","arn:aws:s3:::`
	fill := strings.Repeat(strings.Repeat("x", 1000)+next, n/1100)
	return head + fill + strings.Repeat("x", n-len(head)-len(fill)-len(tail)+1) + tail
}

// expect holds an error against a kind ("" for none) and, unless text is "",
// against its sentence.
func expect(t testing.TB, what string, err error, kind identity.Kind, text string) {
	t.Helper()
	if got := identity.KindOf(err); got != kind || text != "" && identity.AsError(err).Public != text {
		t.Errorf("%s: got %v, want %s %q", what, err, kind, text)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// iamUser makes a user of account A with a living key.
func iamUser(t *testing.T, s *stacktest.Stack, a *identity.Caller, name string) *identity.Caller {
	t.Helper()
	u, err := s.Directory.CreateUser(t.Context(), a, directory.NewUser{Name: name})
	must(t, err)
	made, err := s.Issuer.AccessKey(t.Context(), a, name)
	must(t, err)
	return &identity.Caller{
		Kind: identity.IAMUser, AccountID: u.AccountID, Partition: a.Partition, PrincipalID: u.ID, UserID: u.ID, Name: name,
		ARN: u.ARN(a.Partition), OwnerARN: u.ARN(a.Partition), AccessKeyID: made.Key.ID,
	}
}

// group makes a group of account A.
func group(t *testing.T, s *stacktest.Stack, a *identity.Caller, name string) {
	t.Helper()
	_, err := s.Directory.CreateGroup(t.Context(), a, name, "")
	must(t, err)
}

func TestInlinePolicies(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	group(t, s, a, "Devs")
	for _, v := range []struct {
		owner directory.Owner
		word  string
		quota int
	}{
		{directory.Owner{Kind: directory.UserOwner, Name: stacktest.TestUser}, "user", 2048},
		{directory.Owner{Kind: directory.RoleOwner, Name: stacktest.RoleName}, "role", 10240},
		{directory.Owner{Kind: directory.GroupOwner, Name: "devs"}, "group", 5120},
	} {
		put := func(name, document string) error { return s.Directory.PutInlinePolicy(ctx, a, v.owner, name, document) }
		must(t, put("half", padded(t, v.quota/2)))
		must(t, put("half", padded(t, v.quota/2)))
		must(t, put("rest", padded(t, v.quota/2)+strings.Repeat(" ", 4000)))
		expect(t, v.word+", a character too much", put("rest", padded(t, v.quota/2+1)), identity.KindLimitExceeded, "")
		expect(t, v.word+", a third", put("more", allowAll), identity.KindLimitExceeded, "")
		expect(t, v.word+", no JSON", put("rest", "{"), identity.KindMalformedPolicy, "")
		expect(t, v.word+", another partition", put("rest", strings.ReplaceAll(padded(t, 500), "arn:aws:", "arn:other:")), identity.KindMalformedPolicy, "")
		expect(t, v.word+", a principal", put("rest", strings.Replace(allowAll, `"Effect"`, `"Principal":"*","Effect"`, 1)), identity.KindMalformedPolicy, "")
		expect(t, v.word+", a bad name", put("a b", allowAll), identity.KindValidation, "")
		got, err := s.Directory.GetInlinePolicy(ctx, a, v.owner, "half")
		if err != nil || got.Document != padded(t, v.quota/2) || !strings.EqualFold(got.Owner, v.owner.Name) {
			t.Errorf("%s: got %+v, %v", v.word, got, err)
		}
		one, err := s.Directory.ListInlinePolicies(ctx, a, v.owner, directory.Page{MaxItems: 1})
		if err != nil || fmt.Sprint(one.Items) != "[half]" || one.Next == "" {
			t.Fatalf("%s, first page: %v, %v", v.word, one, err)
		}
		two, err := s.Directory.ListInlinePolicies(ctx, a, v.owner, directory.Page{MaxItems: 1, Marker: one.Next})
		if err != nil || fmt.Sprint(two.Items) != "[rest]" || two.Next != "" {
			t.Errorf("%s, second page: %v, %v", v.word, two, err)
		}
		must(t, s.Directory.DeleteInlinePolicy(ctx, a, v.owner, "half"))
		gone := "The " + v.word + " policy with name half cannot be found."
		expect(t, v.word+", deleted twice", s.Directory.DeleteInlinePolicy(ctx, a, v.owner, "half"), identity.KindNotFound, gone)
		_, err = s.Directory.GetInlinePolicy(ctx, a, v.owner, "half")
		expect(t, v.word+", read when deleted", err, identity.KindNotFound, gone)
		nobody := directory.Owner{Kind: v.owner.Kind, Name: "nobody"}
		expect(t, v.word+", of nobody", s.Directory.PutInlinePolicy(ctx, a, nobody, "x", allowAll), identity.KindNotFound,
			"The "+v.word+" with name nobody cannot be found.")
	}
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b, ctx := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context()
	iamUser(t, s, a, "alice")
	alice := directory.Owner{Kind: directory.UserOwner, Name: "ALICE"}
	var arns []string
	for i := range 11 {
		p, err := s.Directory.CreatePolicy(ctx, a, directory.NewPolicy{Name: fmt.Sprintf("p%02d", i), Path: "/team/", Document: allowAll})
		must(t, err)
		arns = append(arns, p.ARN("aws"))
	}
	foreign, err := s.Directory.CreatePolicy(ctx, b, directory.NewPolicy{Name: "theirs", Document: allowAll})
	must(t, err)
	for _, arn := range []string{
		foreign.ARN("demo"), "arn:aws:iam::" + stacktest.AccountB + ":policy/theirs", "arn:demo:iam::aws:policy/ReadOnlyAccess",
		"arn:aws:iam::aws:policy/Nothing", "arn:aws:iam::" + stacktest.AccountA + ":policy/p00", strings.ToUpper(arns[0]),
		"arn:aws:iam::" + stacktest.AccountA + ":user/alice",
	} {
		expect(t, "attach "+arn, s.Directory.AttachPolicy(ctx, a, alice, arn), identity.KindNotFound, "Policy "+arn+" does not exist or is not attachable.")
		expect(t, "bound by "+arn, s.Directory.PutBoundary(ctx, a, alice, arn), identity.KindNotFound, "Scope ARN: "+arn+" does not exist or is not attachable.")
	}
	for _, arn := range arns[:9] {
		must(t, s.Directory.AttachPolicy(ctx, a, alice, arn))
	}
	must(t, s.Directory.AttachPolicy(ctx, a, alice, readOnly))
	must(t, s.Directory.AttachPolicy(ctx, a, alice, readOnly))
	expect(t, "an eleventh", s.Directory.AttachPolicy(ctx, a, alice, arns[10]), identity.KindLimitExceeded, "Cannot exceed quota for PoliciesPerUser: 10")
	var names []string
	page := directory.Page{MaxItems: 4}
	for {
		l, err := s.Directory.ListAttachedPolicies(ctx, a, alice, "/", page)
		must(t, err)
		for _, p := range l.Items {
			names = append(names, p.Name)
		}
		if page.Marker = l.Next; l.Next == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "p00 p01 p02 p03 p04 p05 p06 p07 p08 AmazonS3ReadOnlyAccess" {
		t.Errorf("attached: %s", got)
	}
	if l, err := s.Directory.ListAttachedPolicies(ctx, a, alice, "/team/", directory.Page{}); err != nil || len(l.Items) != 9 {
		t.Errorf("below /team/: %v, %v", l.Items, err)
	}
	must(t, s.Directory.DetachPolicy(ctx, a, alice, readOnly))
	expect(t, "detach twice", s.Directory.DetachPolicy(ctx, a, alice, readOnly), identity.KindNotFound, "Policy "+readOnly+" was not found.")
	must(t, s.Directory.UpdateUser(ctx, a, "alice", "carol", "/new/"))
	if l, err := s.Directory.ListAttachedPolicies(ctx, a, directory.Owner{Name: "carol"}, "/", directory.Page{}); err != nil || len(l.Items) != 9 {
		t.Errorf("after a rename: %v, %v", l.Items, err)
	}
	expect(t, "attach to root", s.Directory.AttachPolicy(ctx, a, directory.Owner{Name: "root"}, readOnly), identity.KindNotFound, "The user with name root cannot be found.")
	expect(t, "a group's boundary", s.Directory.PutBoundary(ctx, a, directory.Owner{Kind: directory.GroupOwner, Name: "none"}, readOnly), identity.KindNotFound, "")
}

func TestManagedPolicies(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b, ctx := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context()
	d := s.Directory
	p, err := d.CreatePolicy(ctx, a, directory.NewPolicy{Name: "Reader", Path: "/team/", Description: "reads", Document: allowActions("s3:Get*"), Tags: map[string]string{"Team": "blue"}})
	must(t, err)
	arn := p.ARN("aws")
	if arn != "arn:aws:iam::123456789012:policy/team/Reader" || !strings.HasPrefix(p.ID, "ANPA") || len(p.ID) != 21 || p.Default != "v1" {
		t.Errorf("got %s, %+v", arn, p)
	}
	for name, v := range map[string]struct {
		in   directory.NewPolicy
		kind identity.Kind
		text string
	}{
		"a taken name":      {directory.NewPolicy{Name: "READER", Document: allowAll}, identity.KindAlreadyExists, "A policy called READER already exists. Duplicate names are not allowed."},
		"a bad name":        {directory.NewPolicy{Name: "a/b", Document: allowAll}, identity.KindValidation, ""},
		"a bad path":        {directory.NewPolicy{Name: "x", Path: "a", Document: allowAll}, identity.KindValidation, ""},
		"a long text":       {directory.NewPolicy{Name: "x", Description: strings.Repeat("x", 1001), Document: allowAll}, identity.KindValidation, ""},
		"no document":       {directory.NewPolicy{Name: "x"}, identity.KindMalformedPolicy, ""},
		"a long document":   {directory.NewPolicy{Name: "x", Document: padded(t, 6145)}, identity.KindLimitExceeded, "Cannot exceed quota for PolicySize: 6144"},
		"another partition": {directory.NewPolicy{Name: "x", Document: strings.ReplaceAll(padded(t, 300), "arn:aws:", "arn:demo:")}, identity.KindMalformedPolicy, ""},
		"an aws: tag":       {directory.NewPolicy{Name: "x", Document: allowAll, Tags: map[string]string{"aws:x": ""}}, identity.KindInvalidInput, ""},
	} {
		_, err := d.CreatePolicy(ctx, a, v.in)
		expect(t, name, err, v.kind, v.text)
	}
	for _, other := range []string{arn, strings.Replace(arn, "aws", "demo", 1)} {
		_, err := d.GetPolicy(ctx, b, other)
		expect(t, "another account reads "+other, err, identity.KindNotFound, "Policy "+other+" was not found.")
		expect(t, "another account deletes "+other, d.DeletePolicy(ctx, b, other), identity.KindNotFound, "")
		expect(t, "another account brings into force "+other, d.SetDefaultPolicyVersion(ctx, b, other, "v1"), identity.KindNotFound, "")
	}
	_, err = d.GetPolicy(ctx, a, "arn:aws:iam::123456789012:user/testuser")
	expect(t, "no policy's ARN", err, identity.KindInvalidInput, "ARN arn:aws:iam::123456789012:user/testuser is not valid.")

	must(t, d.TagPolicy(ctx, a, arn, map[string]string{"TEAM": "red", "Cost": "1"}))
	must(t, d.UntagPolicy(ctx, a, arn, []string{"cost", "none"}))
	if l, err := d.ListPolicyTags(ctx, a, arn, directory.Page{}); err != nil || fmt.Sprint(l.Items) != "[{TEAM red}]" {
		t.Errorf("tags: %v, %v", l.Items, err)
	}
	owner := directory.Owner{Kind: directory.UserOwner, Name: stacktest.TestUser}
	must(t, d.AttachPolicy(ctx, a, owner, arn))
	must(t, d.PutBoundary(ctx, a, owner, arn))
	must(t, d.PutBoundary(ctx, a, directory.Owner{Kind: directory.RoleOwner, Name: stacktest.RoleName}, arn))
	if got, err := d.GetPolicy(ctx, a, arn); err != nil || got.Attachments != 1 || got.Boundaries != 2 {
		t.Errorf("uses: %+v, %v", got, err)
	}
	expect(t, "deleted in use", d.DeletePolicy(ctx, a, arn), identity.KindDeleteConflict, "Cannot delete a policy attached to entities.")
	must(t, d.DetachPolicy(ctx, a, owner, arn))
	must(t, d.DeleteBoundary(ctx, a, owner))
	expect(t, "deleted as a boundary", d.DeletePolicy(ctx, a, arn), identity.KindDeleteConflict, "Cannot delete a policy attached to entities.")
	must(t, d.DeleteBoundary(ctx, a, directory.Owner{Kind: directory.RoleOwner, Name: stacktest.RoleName}))
	must(t, d.DeletePolicy(ctx, a, arn))
	expect(t, "deleted twice", d.DeletePolicy(ctx, a, arn), identity.KindNotFound, "Policy "+arn+" was not found.")
}

func TestPolicyVersions(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := root(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	p, err := d.CreatePolicy(ctx, a, directory.NewPolicy{Name: "versions", Document: allowActions("s3:Get1")})
	must(t, err)
	arn := p.ARN("aws")
	for i := 2; i <= 5; i++ {
		v, err := d.CreatePolicyVersion(ctx, a, arn, allowActions(fmt.Sprint("s3:Get", i)), i == 3)
		if err != nil || v.ID != fmt.Sprint("v", i) || v.Default != (i == 3) {
			t.Fatalf("version %d: %+v, %v", i, v, err)
		}
	}
	_, err = d.CreatePolicyVersion(ctx, a, arn, allowAll, false)
	expect(t, "a sixth version", err, identity.KindLimitExceeded,
		"A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	expect(t, "deleted with versions", d.DeletePolicy(ctx, a, arn), identity.KindDeleteConflict, "")
	expect(t, "the default one deleted", d.DeletePolicyVersion(ctx, a, arn, "v3"), identity.KindDeleteConflict, "Cannot delete the default version of a policy.")
	expect(t, "none deleted", d.DeletePolicyVersion(ctx, a, arn, "v9"), identity.KindNotFound, "Policy "+arn+" version v9 does not exist or is not attachable.")
	expect(t, "none in force", d.SetDefaultPolicyVersion(ctx, a, arn, "v9"), identity.KindNotFound, "")
	must(t, d.DeletePolicyVersion(ctx, a, arn, "v5"))
	v, err := d.CreatePolicyVersion(ctx, a, arn, allowAll, false)
	if err != nil || v.ID != "v6" {
		t.Errorf("a number came back: %+v, %v", v, err)
	}
	_, err = d.CreatePolicyVersion(ctx, a, arn, "{}", false)
	expect(t, "no policy", err, identity.KindMalformedPolicy, "")
	must(t, d.SetDefaultPolicyVersion(ctx, a, arn, "v6"))
	var ids []string
	page := directory.Page{MaxItems: 2}
	for {
		l, err := d.ListPolicyVersions(ctx, a, arn, page)
		must(t, err)
		for _, v := range l.Items {
			ids = append(ids, fmt.Sprint(v.ID, v.Default))
		}
		if page.Marker = l.Next; l.Next == "" {
			break
		}
	}
	if got := strings.Join(ids, " "); got != "v6true v4false v3false v2false v1false" {
		t.Errorf("versions: %s", got)
	}
	if v, err := d.GetPolicyVersion(ctx, a, arn, "v2"); err != nil || v.Document != allowActions("s3:Get2") || v.Default {
		t.Errorf("v2: %+v, %v", v, err)
	}
}

// TestCannedPolicies: everybody may read them, nobody changes them.
func TestCannedPolicies(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := root(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	got, err := d.GetPolicy(ctx, a, readOnly)
	if err != nil || got.ARN("aws") != readOnly || got.Attachments != 1 || !strings.HasPrefix(got.ID, "ANPA") || len(got.ID) != 21 {
		t.Errorf("got %+v, %v", got, err)
	}
	if v, err := d.GetPolicyVersion(ctx, a, readOnly, "v1"); err != nil || !v.Default || !strings.Contains(v.Document, "s3:Get*") {
		t.Errorf("version: %+v, %v", v, err)
	}
	_, err = d.CreatePolicyVersion(ctx, a, readOnly, allowAll, true)
	expect(t, "a version by root", err, identity.KindAccessDenied, "")
	expect(t, "deleted by root", d.DeletePolicy(ctx, a, readOnly), identity.KindAccessDenied, "")
	expect(t, "a default by root", d.SetDefaultPolicyVersion(ctx, a, readOnly, "v1"), identity.KindAccessDenied, "")
	expect(t, "a version deleted by root", d.DeletePolicyVersion(ctx, a, readOnly, "v1"), identity.KindAccessDenied, "")
	expect(t, "tagged by root", d.TagPolicy(ctx, a, readOnly, map[string]string{"a": "b"}), identity.KindAccessDenied, "")
	expect(t, "untagged by root", d.UntagPolicy(ctx, a, readOnly, []string{"a"}), identity.KindAccessDenied, "")
	operator := *s.Operator()
	operator.AccountID, operator.Partition = stacktest.AccountA, "aws"
	expect(t, "deleted by the operator", d.DeletePolicy(ctx, &operator, readOnly), identity.KindInvalidInput, "Policy "+readOnly+" cannot be changed.")
	// Uses are counted in the caller's account only.
	b := root(t, s, stacktest.AccountB, "demo")
	if got, err := d.GetPolicy(ctx, b, strings.Replace(readOnly, "aws", "demo", 1)); err != nil || got.Attachments != 0 {
		t.Errorf("in the other account: %+v, %v", got, err)
	}
}

func TestListPolicies(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, ctx, d := root(t, s, stacktest.AccountA, "aws"), t.Context(), s.Directory
	for _, name := range []string{"b", "a", "c"} {
		_, err := d.CreatePolicy(ctx, a, directory.NewPolicy{Name: name, Path: "/team/" + name + "/", Document: allowAll})
		must(t, err)
	}
	owner := directory.Owner{Kind: directory.RoleOwner, Name: stacktest.RoleName}
	must(t, d.PutBoundary(ctx, a, owner, "arn:aws:iam::123456789012:policy/team/b/b"))
	must(t, d.AttachPolicy(ctx, a, owner, "arn:aws:iam::123456789012:policy/team/c/c"))
	const canned = "AdministratorAccess AmazonS3FullAccess AmazonS3ReadOnlyAccess IAMFullAccess ReadOnlyAccess"
	for _, v := range []struct {
		filter directory.PolicyFilter
		want   string
	}{
		{directory.PolicyFilter{}, canned + " a b c"},
		{directory.PolicyFilter{OnlyCanned: true}, canned},
		{directory.PolicyFilter{NoCanned: true}, "a b c"},
		{directory.PolicyFilter{PathPrefix: "/team/b"}, "b"},
		{directory.PolicyFilter{OnlyAttached: true}, "AmazonS3FullAccess AmazonS3ReadOnlyAccess b c"},
		{directory.PolicyFilter{Use: directory.PolicyUse}, "AmazonS3FullAccess AmazonS3ReadOnlyAccess c"},
		{directory.PolicyFilter{Use: directory.BoundaryUse}, "b"},
		{directory.PolicyFilter{Use: directory.BoundaryUse, OnlyAttached: true, OnlyCanned: true}, ""},
	} {
		for _, size := range []int{1, 2, 100} {
			var names []string
			page := directory.Page{MaxItems: size}
			for {
				l, err := d.ListPolicies(ctx, a, v.filter, page)
				must(t, err)
				if len(l.Items) > size {
					t.Fatalf("a page of %d has %d", size, len(l.Items))
				}
				for _, p := range l.Items {
					names = append(names, p.Name)
				}
				if page.Marker = l.Next; l.Next == "" {
					break
				}
			}
			if got := strings.Join(names, " "); got != v.want {
				t.Errorf("%+v by %d: got %q, want %q", v.filter, size, got, v.want)
			}
		}
	}
}

func TestListEntitiesForPolicy(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b, ctx, d := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo"), t.Context(), s.Directory
	iamUser(t, s, a, "alice")
	iamUser(t, s, a, "bob")
	must(t, d.UpdateUser(ctx, a, "bob", "", "/far/"))
	group(t, s, a, "devs")
	for _, o := range []directory.Owner{
		{Kind: directory.UserOwner, Name: "alice"}, {Kind: directory.UserOwner, Name: "bob"}, {Kind: directory.GroupOwner, Name: "devs"},
	} {
		must(t, d.AttachPolicy(ctx, a, o, readOnly))
	}
	must(t, d.PutBoundary(ctx, a, directory.Owner{Name: "alice"}, readOnly))
	must(t, d.PutBoundary(ctx, a, directory.Owner{Name: stacktest.TestUser}, readOnly))
	for _, v := range []struct {
		filter directory.EntityFilter
		want   string
	}{
		{directory.EntityFilter{}, "Group/devs Role/reader User/alice User/bob User/testuser"},
		{directory.EntityFilter{Use: directory.PolicyUse}, "Group/devs Role/reader User/alice User/bob"},
		{directory.EntityFilter{Use: directory.BoundaryUse}, "User/alice User/testuser"},
		{directory.EntityFilter{Kinds: []directory.OwnerKind{directory.RoleOwner}}, "Role/reader"},
		{directory.EntityFilter{PathPrefix: "/far/"}, "User/bob"},
		{directory.EntityFilter{None: true}, ""},
	} {
		for _, size := range []int{1, 3, 100} {
			var names []string
			page := directory.Page{MaxItems: size}
			for {
				l, err := d.ListEntitiesForPolicy(ctx, a, readOnly, v.filter, page)
				must(t, err)
				for _, e := range l.Items {
					names = append(names, e.Kind.String()+"/"+e.Name)
				}
				if page.Marker = l.Next; l.Next == "" {
					break
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != v.want {
				t.Errorf("%+v by %d: got %q, want %q", v.filter, size, got, v.want)
			}
		}
	}
	if l, err := d.ListEntitiesForPolicy(ctx, b, strings.Replace(readOnly, "aws", "demo", 1), directory.EntityFilter{}, directory.Page{}); err != nil || len(l.Items) != 0 {
		t.Errorf("another account sees %v, %v", l.Items, err)
	}
	_, err := d.ListEntitiesForPolicy(ctx, a, "arn:aws:iam::123456789012:policy/none", directory.EntityFilter{}, directory.Page{})
	expect(t, "of no policy", err, identity.KindNotFound, "")
}
