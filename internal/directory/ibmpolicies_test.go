package directory_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// accessTo are roles on a service of account A for somebody.
func accessTo(iamID, roles, service string, more ...string) directory.NewAccessPolicy {
	in := directory.NewAccessPolicy{IAMID: iamID, Roles: strings.Fields(roles)}
	for _, text := range append([]string{"accountId=" + stacktest.AccountA, "serviceName=" + service}, more...) {
		name, value, _ := strings.Cut(text, "=")
		in.Attributes = append(in.Attributes, identity.ResourceAttribute{Name: name, Value: value, Operator: identity.StringEquals})
	}
	return in
}

func giveAccess(t testing.TB, s *stacktest.Stack, c *identity.Caller, in directory.NewAccessPolicy) directory.AccessPolicy {
	t.Helper()
	p, err := s.Directory.CreateAccessPolicy(t.Context(), c, in)
	must(t, err)
	return p
}

// TestAccessPolicyGivesAndTakes follows a policy from its making to its end: what
// it gives counts at once, and not a moment longer.
func TestAccessPolicyGivesAndTakes(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	_, made := robot(t, s, a, "")
	lists := func() error {
		_, err := s.Directory.IBMAPIKeys(ctx, ibmLogin(t, s, made.Text), directory.IBMKeyFilter{Account: true}, directory.Page{})
		return err
	}
	creates := func() error {
		_, err := s.Directory.CreateServiceID(ctx, ibmLogin(t, s, made.Text), directory.NewServiceID{Name: "x"})
		return err
	}
	expect(t, "before", lists(), denied, "")
	p := giveAccess(t, s, a, accessTo(made.UserID, "Viewer", "iam-identity"))
	if p.IAMID() != made.UserID || p.AccountID != stacktest.AccountA || !identity.IsUUID(p.ID) || p.Tag.N != 1 || p.CreatedBy != a.IAMID() || !p.CreatedAt.Equal(s.Clock.Now()) {
		t.Errorf("%+v", p)
	}
	expect(t, "a viewer lists", lists(), anything, "")
	expect(t, "a viewer makes", creates(), denied, "")
	s.Clock.Advance(time.Minute)
	next, err := s.Directory.ReplaceAccessPolicy(ctx, a, p.ID, p.Tag.String(), accessTo(made.UserID, "Editor", "iam-identity"))
	if err != nil || next.Tag.N != 2 || next.Roles[0] != "Editor" || !next.CreatedAt.Equal(p.CreatedAt) || !next.ModifiedAt.Equal(s.Clock.Now()) {
		t.Errorf("%v, %+v", err, next)
	}
	expect(t, "an editor makes", creates(), anything, "")
	got, err := s.Directory.AccessPolicy(ctx, a, p.ID)
	if err != nil || got.Tag != next.Tag {
		t.Errorf("%v, %+v", err, got)
	}
	must(t, s.Directory.DeleteAccessPolicy(ctx, a, p.ID))
	expect(t, "afterwards", lists(), denied, "")
	expect(t, "deleting twice", s.Directory.DeleteAccessPolicy(ctx, a, p.ID), absent, "")
}

// TestAccessPolicyIsRefused tries what must not be kept.
func TestAccessPolicyIsRefused(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	_, made := robot(t, s, a, "")
	_, second := robot(t, s, a, "")
	p := giveAccess(t, s, a, accessTo(made.UserID, "Viewer Reader", "kms"))
	create := func(c *identity.Caller, in directory.NewAccessPolicy) error {
		_, err := s.Directory.CreateAccessPolicy(ctx, c, in)
		return err
	}
	replace := func(id, match string, in directory.NewAccessPolicy) error {
		_, err := s.Directory.ReplaceAccessPolicy(ctx, a, id, match, in)
		return err
	}
	same := accessTo(made.UserID, "Reader Viewer", "kms")
	for _, step := range []struct {
		name string
		err  error
		want identity.Kind
	}{
		{"the same again", create(a, same), identity.KindAlreadyExists},
		{"the same to another", create(a, accessTo(second.UserID, "Viewer Reader", "kms")), anything},
		{"nobody", create(a, accessTo("iam-ServiceId-"+someID, "Viewer", "kms")), absent},
		{"no IAM ID", create(a, accessTo("fred", "Viewer", "kms")), absent},
		{"a group", create(a, accessTo("AccessGroupId-"+someID, "Viewer", "kms")), absent},
		{"a long IAM ID", create(a, accessTo("iam-ServiceId-"+strings.Repeat("x", 5000), "Viewer", "kms")), absent},
		{"root", create(a, accessTo(a.IAMID(), "Viewer", "kms")), absent},
		{"an unknown role", create(a, accessTo(made.UserID, "Owner", "kms")), identity.KindValidation},
		{"an unknown service", create(a, accessTo(made.UserID, "Viewer", "databases")), identity.KindValidation},
		{"another account's resources", create(b, accessTo(made.UserID, "Viewer", "kms")), absent},
		{"without If-Match", replace(p.ID, "", same), identity.KindMissingParameter},
		{"stale", replace(p.ID, "1-0", same), identity.KindConflict},
		{"another subject", replace(p.ID, "*", accessTo(second.UserID, "Viewer", "kms")), identity.KindValidation},
		{"nothing changed", replace(p.ID, "*", same), anything},
		{"absent", replace(someID, "*", same), absent},
		{"no ID", replace("x", "*", same), absent},
	} {
		if got := identity.KindOf(step.err); got != step.want {
			t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
		}
	}
	must(t, s.Directory.LockServiceID(ctx, a, strings.TrimPrefix(made.UserID, "iam-"), true))
	for what, err := range map[string]error{
		"creating": create(a, accessTo(made.UserID, "Writer", "kms")), "replacing": replace(p.ID, "*", accessTo(made.UserID, "Writer", "kms")),
		"deleting": s.Directory.DeleteAccessPolicy(ctx, a, p.ID),
	} {
		expect(t, what+" a locked service ID's", err, identity.KindConflict, "The service ID is locked.")
	}
}

// TestAccessPolicyRights lets callers try what they may not, and those who may do
// less than everything.
func TestAccessPolicyRights(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	_, victim := robot(t, s, a, "")
	_, bounded := robot(t, s, a, "")
	p := giveAccess(t, s, a, accessTo(victim.UserID, "Viewer", "kms"))
	const all = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	only := func(condition string) string {
		return `{"Effect":"Allow","Action":"iam-access-management:*","Resource":"` + crn + `serviceid:` + strings.TrimPrefix(victim.UserID, "iam-") + `"` + condition + `}`
	}
	nobody, own := robot(t, s, a, "")
	keeper, _ := robot(t, s, a, only(""))
	within, _ := robot(t, s, a, only(`,"Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}`))
	_, viewing := robot(t, s, a, "")
	giveAccess(t, s, a, accessTo(viewing.UserID, "Viewer", "iam-access-management"))
	_, administers := robot(t, s, a, "")
	giveAccess(t, s, a, accessTo(administers.UserID, "Administrator", "iam-access-management"))
	viewer, administrator := ibmLogin(t, s, viewing.Text), ibmLogin(t, s, administers.Text)
	deniedInIAM, _ := robot(t, s, a, all+`,{"Effect":"Deny","Action":["iam:Put*","iam:Delete*"],"Resource":"*"}`)
	person := *userCaller(t, s, stacktest.TestUser)
	mine := giveAccess(t, s, a, accessTo("IBMid-"+person.PrincipalID, "Viewer", "kms"))
	create := func(c *identity.Caller, in directory.NewAccessPolicy) error {
		_, err := s.Directory.CreateAccessPolicy(ctx, c, in)
		return err
	}
	get := func(c *identity.Caller, id string) error {
		_, err := s.Directory.AccessPolicy(ctx, c, id)
		return err
	}
	list := func(c *identity.Caller, iamID string) error {
		_, err := s.Directory.AccessPolicies(ctx, c, directory.AccessPolicyFilter{IAMID: iamID}, directory.Page{})
		return err
	}
	more := accessTo(victim.UserID, "Manager", "kms")
	for _, step := range []struct {
		name string
		err  error
		want identity.Kind
	}{
		{"nobody gives itself", create(nobody, accessTo(own.UserID, "Viewer", "kms")), denied},
		{"nobody gives", create(nobody, more), denied},
		{"nobody gives to nobody", create(nobody, accessTo("iam-ServiceId-"+someID, "Viewer", "kms")), denied},
		{"nobody reads", get(nobody, p.ID), denied},
		{"nobody reads what is not", get(nobody, someID), denied},
		{"nobody lists", list(nobody, ""), denied},
		{"nobody lists its own", list(nobody, own.UserID), denied},
		{"nobody takes", s.Directory.DeleteAccessPolicy(ctx, nobody, p.ID), denied},
		{"a person reads its own", get(&person, mine.ID), anything},
		{"a person lists its own", list(&person, "IBMid-"+person.PrincipalID), anything},
		{"a person lists all", list(&person, ""), denied},
		{"a person takes its own", s.Directory.DeleteAccessPolicy(ctx, &person, mine.ID), denied},
		{"a person gives itself", create(&person, accessTo("IBMid-"+person.PrincipalID, "Manager", "kms")), denied},
		{"the keeper gives to whom it may", create(keeper, more), anything},
		{"the keeper gives to another", create(keeper, accessTo(bounded.UserID, "Viewer", "kms")), denied},
		{"the keeper reads another's", get(keeper, mine.ID), denied},
		{"the keeper lists all", list(keeper, ""), denied},
		{"the keeper lists whom it may", list(keeper, victim.UserID), anything},
		{"without the boundary that the policy wants", create(within, accessTo(victim.UserID, "Reader", "kms")), denied},
		{"a viewer lists", list(viewer, ""), anything},
		{"a viewer gives", create(viewer, more), denied},
		{"an administrator gives", create(administrator, accessTo(bounded.UserID, "Viewer", "kms")), anything},
		{"an administrator gives root", create(administrator, accessTo(a.IAMID(), "Viewer", "kms")), absent},
		{"who is denied it in IAM gives", create(deniedInIAM, accessTo(victim.UserID, "Writer", "kms")), denied},
		{"who is denied it in IAM takes", s.Directory.DeleteAccessPolicy(ctx, deniedInIAM, p.ID), denied},
		{"who is denied it in IAM reads", get(deniedInIAM, p.ID), anything},
		{"another account reads", get(b, p.ID), absent},
		{"another account takes", s.Directory.DeleteAccessPolicy(ctx, b, p.ID), absent},
		{"another account gives", create(b, more), absent},
		{"another account lists", list(b, victim.UserID), absent},
	} {
		if got := identity.KindOf(step.err); got != step.want {
			t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
		}
	}
	if l, err := s.Directory.AccessPolicies(ctx, b, directory.AccessPolicyFilter{}, directory.Page{}); err != nil || len(l.Items) != 0 {
		t.Errorf("%v, another account lists %+v", err, l.Items)
	}
	if err := get(nobody, p.ID); err == nil || strings.Contains(err.Error(), victim.UserID) {
		t.Errorf("a refusal tells whose policy it is: %v", err)
	}
}

// TestAccessPolicyWithinTheBoundary: a permissions boundary bounds what roles
// give, too.
func TestAccessPolicyWithinTheBoundary(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	u := *userNamed(t, s, stacktest.TestUser)
	u.Policies = identity.Policies{Boundary: "arn:aws:iam::aws:policy/ReadOnlyAccess"}
	_, err := s.DB.Update(ctx, func(tx store.Tx) error { return store.Users.Put(tx, &u) })
	must(t, err)
	giveAccess(t, s, a, accessTo(u.IAMID(), "Manager", "cloud-object-storage"))
	c := userCaller(t, s, stacktest.TestUser)
	res := access.Resource{ARN: "arn:aws:s3:::b", AccountID: stacktest.AccountA}
	if d := s.Access.Authorize(c, "s3:ListBucket", res); !d.Allowed() {
		t.Errorf("within the boundary: %v", d.Err)
	}
	if d := s.Access.Authorize(c, "s3:DeleteBucket", res); d.Allowed() {
		t.Error("beyond the boundary")
	}
}

// TestAccessPolicyLists walks lists page by page, in every order.
func TestAccessPolicyLists(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	_, one := robot(t, s, a, "")
	_, two := robot(t, s, a, "")
	var byTime []string
	names := map[string]string{}
	for i, iamID := range []string{one.UserID, two.UserID, one.UserID, two.UserID, one.UserID} {
		s.Clock.Advance(time.Second)
		p := giveAccess(t, s, a, accessTo(iamID, "Reader", "kms", "keyRing="+string(rune('a'+i))))
		byTime, names[p.ID] = append(byTime, p.ID), string(rune('a'+i))
	}
	ids := slices.Sorted(slices.Values(byTime))
	walk := func(f directory.AccessPolicyFilter, size int) string {
		t.Helper()
		out := ""
		for p := (directory.Page{MaxItems: size}); ; {
			page, err := s.Directory.AccessPolicies(ctx, a, f, p)
			must(t, err)
			if len(page.Items) > size {
				t.Fatalf("a page of %d", len(page.Items))
			}
			for _, item := range page.Items {
				out += names[item.ID]
			}
			if p.Marker = page.Next; p.Marker == "" {
				return out
			}
		}
	}
	byID := ""
	for _, id := range ids {
		byID += names[id]
	}
	for size := 1; size < 7; size++ {
		for _, c := range []struct {
			f    directory.AccessPolicyFilter
			want string
		}{
			{directory.AccessPolicyFilter{}, byID},
			{directory.AccessPolicyFilter{Sort: directory.IBMSort{By: "id"}}, byID},
			{directory.AccessPolicyFilter{Sort: directory.IBMSort{By: "created_at"}}, "abcde"},
			{directory.AccessPolicyFilter{Sort: directory.IBMSort{By: "last_modified_at", Descending: true}}, "edcba"},
			{directory.AccessPolicyFilter{IAMID: one.UserID, Sort: directory.IBMSort{By: "created_at"}}, "ace"},
			{directory.AccessPolicyFilter{IAMID: two.UserID, Sort: directory.IBMSort{By: "created_at", Descending: true}}, "db"},
		} {
			if got := walk(c.f, size); got != c.want {
				t.Errorf("%+v by %d: %q, want %q", c.f, size, got, c.want)
			}
		}
	}
	_, err := s.Directory.AccessPolicies(ctx, a, directory.AccessPolicyFilter{Sort: directory.IBMSort{By: "roles"}}, directory.Page{})
	expect(t, "another order", err, identity.KindValidation, "")
}

// TestAccessPolicyInIAM: IAM shows what IBM's dialect gave to its users as inline
// policies, can take it away, and cannot write it.
func TestAccessPolicyInIAM(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	owner := directory.Owner{Kind: directory.UserOwner, Name: stacktest.TestUser}
	u := userNamed(t, s, stacktest.TestUser)
	p := giveAccess(t, s, a, accessTo(u.IAMID(), "Viewer", "kms"))
	l, err := s.Directory.ListInlinePolicies(ctx, a, owner, directory.Page{})
	if err != nil || !slices.Contains(l.Items, p.InlineName()) {
		t.Errorf("%v, listed %v", err, l.Items)
	}
	got, err := s.Directory.GetInlinePolicy(ctx, a, owner, p.InlineName())
	if err != nil || !strings.Contains(got.Document, "resource-controller:instance.get") {
		t.Errorf("%v, %+v", err, got)
	}
	put := func(name string) error { return s.Directory.PutInlinePolicy(ctx, a, owner, name, got.Document) }
	expect(t, "writing it", put(p.InlineName()), identity.KindValidation, "")
	expect(t, "writing another of such a name", put("ibm-"+someID), identity.KindValidation, "")
	expect(t, "writing one of a name like it", put("ibm-mine"), anything, "")
	details, err := s.Directory.AuthorizationDetails(ctx, a, directory.DetailsFilter{Users: true}, directory.Page{})
	must(t, err)
	i := slices.IndexFunc(details.Items, func(d directory.Details) bool { return d.User.Name == stacktest.TestUser })
	if i < 0 || details.Items[i].User.Inline[p.InlineName()] != got.Document {
		t.Errorf("details: %+v", details.Items)
	}
	must(t, s.Directory.DeleteInlinePolicy(ctx, a, owner, p.InlineName()))
	_, err = s.Directory.AccessPolicy(ctx, a, p.ID)
	expect(t, "reading what IAM took", err, absent, "")
	if now := userNamed(t, s, stacktest.TestUser); now.Inline["ibm-mine"] == "" || len(now.Access) != 0 {
		t.Errorf("what is left: %+v", now.Policies)
	}
}

// TestInstancesThatOneMaySee: a role on one instance shows that one.
func TestInstancesThatOneMaySee(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	_, err := s.DB.Update(ctx, func(tx store.Tx) error {
		site, err := store.IBMSites.Get(tx, identity.IBMSiteName)
		if err != nil {
			return err
		}
		v := *site
		v.ResourceGroups = []identity.ResourceGroup{{ID: "g1", Name: "Default", Default: true}, {ID: "g2", Name: "other"}}
		v.Instances = []identity.ServiceInstance{
			{ID: someID, Name: "one", Service: "kms", Region: "us-south", ResourceGroupID: "g1"},
			{ID: strings.Replace(someID, "0", "9", 1), Name: "two", Service: "kms", Region: "us-south", ResourceGroupID: "g2"},
		}
		return store.IBMSites.Put(tx, &v)
	})
	must(t, err)
	seen := func(in *directory.NewAccessPolicy) (string, error) {
		_, made := robot(t, s, a, "")
		if in != nil {
			in.IAMID = made.UserID
			giveAccess(t, s, a, *in)
		}
		c := ibmLogin(t, s, made.Text)
		list, err := s.Directory.Instances(ctx, c)
		groups, _ := s.Directory.ResourceGroups(ctx, c)
		out := ""
		for _, i := range list {
			out += i.Name + " "
		}
		for _, g := range groups {
			out += g.Name + " "
		}
		return strings.TrimSpace(out), err
	}
	of := func(in directory.NewAccessPolicy) *directory.NewAccessPolicy { return &in }
	for want, in := range map[string]*directory.NewAccessPolicy{
		"one":                   of(accessTo("", "Viewer", "kms", "serviceInstance="+someID)),
		"two":                   of(accessTo("", "Operator", "kms", "resourceGroupId=g2")),
		"one two":               of(accessTo("", "Administrator", "kms")),
		"one two Default other": of(accessTo("", "Viewer", "resource-controller")),
	} {
		if got, err := seen(in); err != nil || got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	_, err = seen(nil)
	expect(t, "without a role", err, denied, "")
	_, err = seen(of(accessTo("", "Manager", "kms")))
	expect(t, "with a role of the service alone", err, denied, "")
}
