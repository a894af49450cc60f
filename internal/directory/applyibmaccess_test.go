package directory_test

import (
	"slices"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

// siteAccess is accessTo for the section of a site file.
func siteAccess(s directory.AccessSpec, roles, service string, more ...string) directory.AccessSpec {
	in := accessTo("", roles, service, more...)
	s.Roles, s.Attributes = in.Roles, in.Attributes
	return s
}

// changedAccess are the lines of the changes that are about access policies.
func changedAccess(changes []directory.Change) []string {
	var out []string
	for _, c := range changes {
		if c.Kind == "access policy" {
			out = append(out, strings.TrimSpace(c.Name+" "+c.Field))
		}
	}
	return out
}

func TestApplyAccess(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	apply := func(dryRun bool, access []directory.AccessSpec) []string {
		t.Helper()
		spec := ibmSpec()
		spec.Profiles = []directory.TrustedProfileSpec{{Name: "deployer"}}
		spec.Access = access
		changes, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: spec}, dryRun)
		must(t, err)
		return changedAccess(changes)
	}
	all := func() []directory.AccessPolicy {
		t.Helper()
		list, err := s.Directory.AccessPolicies(ctx, a, directory.AccessPolicyFilter{}, directory.Page{})
		must(t, err)
		return list.Items
	}
	want := func(what string, got []string, lines ...string) {
		t.Helper()
		if slices.Sort(got); !slices.Equal(got, lines) {
			t.Errorf("%s: %q, want %q", what, got, lines)
		}
	}
	lists := func() error {
		_, err := s.Directory.ServiceIDs(ctx, ibmLogin(t, s, keyText), directory.ServiceIDFilter{}, directory.Page{})
		return err
	}
	given := []directory.AccessSpec{
		siteAccess(directory.AccessSpec{ServiceID: "ci", Description: "the builds"}, "Viewer", "iam-identity"),
		siteAccess(directory.AccessSpec{ServiceID: "ci"}, "Writer Reader", "kms", "keyRing=ci"),
		siteAccess(directory.AccessSpec{User: strings.ToUpper(stacktest.TestUser)}, "Manager", "kms"),
		siteAccess(directory.AccessSpec{Profile: "Deployer"}, "Reader", "cloud-object-storage", "resourceType=bucket", "resource=logs"),
	}
	const ci, wraps, person, profile = "ci: Viewer on iam-identity", "ci: Writer, Reader on kms, keyRing ci",
		stacktest.TestUser + ": Manager on kms", "deployer: Reader on cloud-object-storage, resourceType bucket, resource logs"
	want("a dry run", apply(true, given), ci, wraps, profile, person)
	if list := all(); len(list) != 0 {
		t.Errorf("a dry run gave %+v", list)
	}
	want("the first time", apply(false, given), ci, wraps, profile, person)
	expect(t, "what was given counts", lists(), anything, "")
	first := all()
	want("again", apply(false, given))
	slices.Reverse(given)
	slices.Reverse(given[2].Roles) // of ci's
	want("in another order", apply(false, given))
	if again := all(); len(again) != 4 || !slices.EqualFunc(again, first, func(p, q directory.AccessPolicy) bool {
		return p.ID == q.ID && p.Tag == q.Tag && p.CreatedBy == "operator" && p.CreatedAt.Equal(q.CreatedAt)
	}) {
		t.Errorf("%+v, at first %+v", again, first)
	}

	// What others gave is left alone, and not given twice.
	others := giveAccess(t, s, a, accessTo(userNamed(t, s, stacktest.TestUser).IAMID(), "Operator", "iam-identity"))
	given[3].Description = "the machines"
	want("another description", apply(false, append(given, siteAccess(directory.AccessSpec{User: "service"}, "Reader", "kms"))),
		"ci: Viewer on iam-identity description", "service: Reader on kms")
	want("a section without them", apply(false, nil))
	want("one less", apply(false, given), "service: Reader on kms policy")
	want("one who has none left", apply(false, given[:3]), "ci: Viewer on iam-identity policy")
	expect(t, "what was taken away counts no more", lists(), denied, "")
	want("none at all", apply(false, []directory.AccessSpec{}), "ci: Writer, Reader on kms, keyRing ci policy", profile+" policy", person+" policy")
	if list := all(); len(list) != 1 || list[0].ID != others.ID {
		t.Errorf("what is left: %+v", list)
	}
}

func TestApplyAccessIsRefused(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for name, v := range map[string]struct {
		spec directory.AccessSpec
		want string
	}{
		"nobody":             {siteAccess(directory.AccessSpec{}, "Reader", "kms"), "give one of user, service_id and profile"},
		"two":                {siteAccess(directory.AccessSpec{User: "a", ServiceID: "ci"}, "Reader", "kms"), "give one of user, service_id and profile"},
		"no such service ID": {siteAccess(directory.AccessSpec{ServiceID: "x"}, "Reader", "kms"), `the section has no service ID "x"`},
		"no such profile":    {siteAccess(directory.AccessSpec{Profile: "x"}, "Reader", "kms"), `the section has no trusted profile "x"`},
		"no such user":       {siteAccess(directory.AccessSpec{User: "nobody"}, "Reader", "kms"), `has no user "nobody"`},
		"root":               {siteAccess(directory.AccessSpec{User: "root"}, "Reader", "kms"), `has no user "root"`},
		"no such role":       {siteAccess(directory.AccessSpec{ServiceID: "ci"}, "Emperor", "kms"), "The role Emperor is not one of the service."},
		"no such service":    {siteAccess(directory.AccessSpec{ServiceID: "ci"}, "Reader", "cars"), "ibm: ci: Reader on cars"},
		"an attribute":       {siteAccess(directory.AccessSpec{ServiceID: "ci"}, "Reader", "kms", "colour=red"), `"colour"`},
		"no role":            {siteAccess(directory.AccessSpec{ServiceID: "ci"}, "", "kms"), "1 to 10 roles"},
	} {
		spec := ibmSpec()
		spec.Access = []directory.AccessSpec{v.spec}
		_, err := s.Directory.Apply(t.Context(), s.Operator(), directory.SiteSpec{IBM: spec}, false)
		if e := identity.AsError(err); err == nil || e.Kind != identity.KindValidation || !strings.Contains(e.Public, v.want) {
			t.Errorf("%s: got %v, want %q", name, err, v.want)
		}
	}
	spec := ibmSpec()
	one := siteAccess(directory.AccessSpec{ServiceID: "ci"}, "Reader", "kms")
	spec.Access = []directory.AccessSpec{one, one}
	_, err := s.Directory.Apply(t.Context(), s.Operator(), directory.SiteSpec{IBM: spec}, false)
	expect(t, "twice", err, identity.KindValidation, "ibm: ci: Reader on kms stands twice")
}
