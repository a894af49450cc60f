package directory_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
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
