package directory_test

import (
	"fmt"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestInstances that the API made stay when a site file is applied, and those of
// the site file stay when the API would delete them.
func TestInstances(t *testing.T) {
	t.Parallel()
	s, ctx := stacktest.New(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "aws")
	_, err := s.Directory.CreateInstance(ctx, a, directory.NewInstance{Name: "keys", Service: "kms", Region: "us-south"})
	expect(t, "without a section", err, absent, "")
	spec := ibmSpec()
	spec.Instances = []directory.InstanceSpec{{ID: "00000000-1111-4222-8333-444455556666", Name: "of the site", Service: "kms", Region: "us-south"}}
	apply := func() {
		_, err := s.Directory.Apply(ctx, s.Operator(), directory.SiteSpec{IBM: spec}, false)
		must(t, err)
	}
	apply()
	names := func() string {
		list, err := s.Directory.Instances(ctx, a)
		must(t, err)
		out := ""
		for _, i := range list {
			out += i.Name + ";"
		}
		return out
	}
	made, err := s.Directory.CreateInstance(ctx, a, directory.NewInstance{Name: "keys", Service: "kms", Plan: "lite", Region: "us-south"})
	must(t, err)
	if made.ResourceGroupID != identity.ResourceGroupID(stacktest.AccountA, "Default") || made.CreatedBy != a.IAMID() || made.CreatedAt.IsZero() {
		t.Errorf("%+v", made)
	}
	for name, in := range map[string]directory.NewInstance{
		"no name":          {Service: "kms", Region: "us-south"},
		"no service":       {Name: "x", Region: "us-south"},
		"a bad service":    {Name: "x", Service: "KMS*", Region: "us-south"},
		"a bad plan":       {Name: "x", Service: "kms", Plan: "a\nb", Region: "us-south"},
		"no region":        {Name: "x", Service: "kms"},
		"kms everywhere":   {Name: "x", Service: "kms", Region: identity.GlobalRegion},
		"an unknown group": {Name: "x", Service: "kms", Region: "us-south", ResourceGroupID: "0"},
	} {
		_, err := s.Directory.CreateInstance(ctx, a, in)
		expect(t, name, err, identity.KindValidation, "")
	}
	_, err = s.Directory.CreateInstance(ctx, b, directory.NewInstance{Name: "x", Service: "kms", Region: "us-south"})
	expect(t, "another account", err, absent, "")
	expect(t, "another account's", s.Directory.DeleteInstance(ctx, b, made.ID), absent, "")
	expect(t, "nothing there", s.Directory.DeleteInstance(ctx, a, "x"), absent, "")
	expect(t, "the site file's", s.Directory.DeleteInstance(ctx, a, spec.Instances[0].ID), identity.KindConflict, "")
	apply()
	if got := names(); got != "of the site;keys;" {
		t.Errorf("after another apply: %s", got)
	}
	must(t, s.Directory.DeleteInstance(ctx, a, made.CRN(stacktest.AccountA)))
	if got := names(); got != "of the site;" {
		t.Errorf("after deletion: %s", got)
	}
	_, err = s.DB.Update(ctx, func(tx store.Tx) error {
		have, err := store.IBMSites.Get(tx, identity.IBMSiteName)
		must(t, err)
		site := *have
		for i := range identity.InstancesPerAccount {
			site.Instances = append(site.Instances, identity.ServiceInstance{ID: fmt.Sprint(i), CreatedBy: "x"})
		}
		return store.IBMSites.Put(tx, &site)
	})
	must(t, err)
	_, err = s.Directory.CreateInstance(ctx, a, directory.NewInstance{Name: "x", Service: "kms", Region: "us-south"})
	expect(t, "one too many", err, identity.KindLimitExceeded, "")
}
