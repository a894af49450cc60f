package directory_test

import (
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
)

func TestServiceIDs(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	u, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: "ci", Description: "d", InstanceCRNs: []string{"crn:v1:x"}, Locked: true})
	if err != nil || u.ID != "iam-"+u.Name || !strings.HasPrefix(u.Name, "ServiceId-") || u.IAMID() != u.ID || u.ServiceID.Tag.N != 1 || u.ServiceID.CreatedBy != "IBMid-"+stacktest.AccountA {
		t.Fatalf("%v, %+v", err, u)
	}
	twin, err := s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: "ci"})
	must(t, err)
	name := "renamed"
	change := directory.ServiceIDChange{Name: &name}
	_, err = s.Directory.UpdateServiceID(ctx, a, u.Name, "*", change)
	expect(t, "changing a locked one", err, identity.KindConflict, "The service ID is locked.")
	expect(t, "deleting a locked one", s.Directory.DeleteServiceID(ctx, a, u.Name), identity.KindConflict, "The service ID is locked.")
	must(t, s.Directory.LockServiceID(ctx, a, u.Name, false))
	_, err = s.Directory.UpdateServiceID(ctx, a, u.Name, u.ServiceID.Tag.String(), change)
	expect(t, "a stale tag", err, identity.KindConflict, "")
	got, err := s.Directory.ServiceID(ctx, a, u.Name)
	must(t, err)
	got, err = s.Directory.UpdateServiceID(ctx, a, u.Name, got.ServiceID.Tag.String(), change)
	if err != nil || got.ServiceID.Name != name || got.ServiceID.Tag.N != 3 || len(got.ServiceID.History) != 3 {
		t.Errorf("%v, %+v", err, got.ServiceID)
	}
	for what, id := range map[string]string{"IAM ID": u.ID, "user": stacktest.TestUser, "nobody": "ServiceId-" + someID, "long": "ServiceId-" + strings.Repeat("x", 999)} {
		_, err := s.Directory.ServiceID(ctx, a, id)
		expect(t, what, err, absent, "")
	}
	_, err = s.Directory.ServiceID(ctx, b, u.Name)
	expect(t, "another account", err, absent, "")
	_, err = s.Directory.CreateServiceID(ctx, b, directory.NewServiceID{AccountID: stacktest.AccountA, Name: "x"})
	expect(t, "in another account", err, denied, "")
	_, err = s.Directory.CreateServiceID(ctx, a, directory.NewServiceID{Name: ""})
	expect(t, "without a name", err, identity.KindValidation, "")
	list, err := s.Directory.ServiceIDs(ctx, a, directory.ServiceIDFilter{Name: "ci"}, directory.Page{})
	if err != nil || len(list.Items) != 1 || list.Items[0].ID != twin.ID {
		t.Errorf("%v, %+v", err, list)
	}
	list, err = s.Directory.ServiceIDs(ctx, a, directory.ServiceIDFilter{Sort: directory.IBMSort{By: "name", Descending: true}}, directory.Page{MaxItems: 1})
	if err != nil || len(list.Items) != 1 || list.Items[0].ID != u.ID || list.Next == "" {
		t.Errorf("%v, %+v", err, list)
	}
	if list, err := s.Directory.ServiceIDs(ctx, b, directory.ServiceIDFilter{}, directory.Page{}); err != nil || len(list.Items) != 0 {
		t.Errorf("another account's listing: %v, %+v", err, list)
	}
	// IAM knows none of them.
	if _, err := s.Directory.GetUser(ctx, a, u.Name); identity.KindOf(err) != absent {
		t.Errorf("IAM knows a service ID: %v", err)
	}
	must(t, s.Directory.DeleteServiceID(ctx, a, u.Name))
	expect(t, "deleting twice", s.Directory.DeleteServiceID(ctx, a, u.Name), absent, "")
}
