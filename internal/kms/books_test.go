package kms_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

func TestAliases(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	key, other := o.key(), o.key()
	id, a, err := o.KMS.CreateAlias(ctx, o.root, here, key.ID, "first")
	if err != nil || id != key.ID || a.Name != "first" || a.CreatedBy != o.root.IAMID() || !a.CreatedAt.Equal(o.Clock.Now()) {
		t.Errorf("%s %+v %v", id, a, err)
	}
	for what, c := range map[string]struct {
		id, name string
		want     kms.Reason
	}{
		"of the same key":    {"first", "first", kms.ReasonExists},
		"of another key":     {other.ID, "first", kms.ReasonExists},
		"one character":      {key.ID, "a", kms.ReasonBadField},
		"too long":           {key.ID, strings.Repeat("a", 91), kms.ReasonBadField},
		"a dot":              {key.ID, "a.b", kms.ReasonBadField},
		"a blank":            {key.ID, "a b", kms.ReasonBadField},
		"dash first":         {key.ID, "-ab", kms.ReasonBadField},
		"a UUID":             {key.ID, strings.ToUpper(other.ID), kms.ReasonBadField},
		"a word of the API":  {key.ID, "Registrations", kms.ReasonBadField},
		"of an absent key":   {"absent", "second", kms.ReasonNotFound},
		"by a foreign alias": {"not-here", "second", kms.ReasonNotFound},
	} {
		_, _, err := o.KMS.CreateAlias(ctx, o.root, here, c.id, c.name)
		wantReason(t, what, err, c.want)
	}
	_, _, err = o.KMS.CreateAlias(ctx, o.root, there, "first", "second")
	wantReason(t, "in another instance", err, kms.ReasonNotFound)
	elsewhere := must(o.KMS.Create(ctx, o.root, there, kms.NewKey{Name: "k", Aliases: []string{"first"}}))(t)
	if got := must(o.KMS.Key(ctx, o.root, there, "first"))(t); got.ID != elsewhere.ID {
		t.Errorf("an alias of another instance: %s", got.ID)
	}
	for i := range 4 {
		_, _, err := o.KMS.CreateAlias(ctx, o.root, here, "first", fmt.Sprint("more-", i))
		ok(t, err)
	}
	_, _, err = o.KMS.CreateAlias(ctx, o.root, here, key.ID, "sixth")
	wantReason(t, "the sixth", err, kms.ReasonLimit)
	wantReason(t, "absent alias", o.KMS.DeleteAlias(ctx, o.root, here, key.ID, "sixth"), kms.ReasonNotFound)
	wantReason(t, "alias of another", o.KMS.DeleteAlias(ctx, o.root, here, other.ID, "first"), kms.ReasonNotFound)
	ok(t, o.KMS.DeleteAlias(ctx, o.root, here, "first", "first"))
	_, err = o.KMS.Key(ctx, o.root, here, "first")
	wantReason(t, "by a deleted alias", err, kms.ReasonNotFound)
	_, _, err = o.KMS.CreateAlias(ctx, o.root, here, other.ID, "first")
	ok(t, err)
	must(o.KMS.Delete(ctx, o.root, here, other.ID, false))(t)
	_, _, err = o.KMS.CreateAlias(ctx, o.root, here, other.ID, "second")
	wantReason(t, "of a deleted key", err, kms.ReasonDeleted)
}

func TestRings(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	for _, id := range []string{"", "a", "a_b", "a/b", strings.Repeat("a", 101)} {
		wantReason(t, id, o.KMS.CreateRing(ctx, o.root, here, id), kms.ReasonBadField)
	}
	wantReason(t, "default", o.KMS.CreateRing(ctx, o.root, here, "default"), kms.ReasonExists)
	ok(t, o.KMS.CreateRing(ctx, o.root, here, "east"))
	wantReason(t, "twice", o.KMS.CreateRing(ctx, o.root, here, "east"), kms.ReasonExists)
	if rings := must(o.KMS.Rings(ctx, o.root, there))(t); len(rings) != 1 || rings[0].ID != "default" {
		t.Errorf("of another instance: %+v", rings)
	}
	wantReason(t, "delete default", o.KMS.DeleteRing(ctx, o.root, here, "default", true), kms.ReasonInUse)
	wantReason(t, "delete an absent one", o.KMS.DeleteRing(ctx, o.root, here, "west", true), kms.ReasonNotFound)
	wantReason(t, "delete of another instance", o.KMS.DeleteRing(ctx, o.root, there, "east", true), kms.ReasonNotFound)

	key := must(o.KMS.Create(ctx, o.root, kms.At{Instance: here.Instance, Ring: "east"}, kms.NewKey{Name: "k"}))(t)
	wantReason(t, "delete one with a key", o.KMS.DeleteRing(ctx, o.root, here, "east", true), kms.ReasonInUse)
	must(o.KMS.Delete(ctx, o.root, here, key.ID, false))(t)
	wantReason(t, "delete one with a deleted key", o.KMS.DeleteRing(ctx, o.root, here, "east", false), kms.ReasonInUse)
	ok(t, o.KMS.DeleteRing(ctx, o.root, here, "east", true))
	if k := must(o.KMS.Key(ctx, o.root, here, key.ID))(t); k.Ring != "default" {
		t.Errorf("the deleted key is in the ring %s", k.Ring)
	}
	for i := range 50 {
		ok(t, o.KMS.CreateRing(ctx, o.root, here, fmt.Sprint("ring-", i)))
	}
	wantReason(t, "the 51st", o.KMS.CreateRing(ctx, o.root, here, "ring-50"), kms.ReasonLimit)
}

// TestDeletedKeysStayInTheirRing unless the caller may move keys, out of it and in.
func TestDeletedKeysStayInTheirRing(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	ok(t, o.KMS.CreateRing(ctx, o.root, here, "east"))
	key := must(o.KMS.Create(ctx, o.root, kms.At{Instance: here.Instance, Ring: "east"}, kms.NewKey{Name: "k"}))(t)
	must(o.KMS.Delete(ctx, o.root, here, key.ID, false))(t)
	wantDenied(t, "by a Manager of the ring", o.KMS.DeleteRing(ctx, o.narrow("Manager", map[string]string{"keyRing": "east"}), here, "east", true))
	if k := must(o.KMS.Key(ctx, o.root, here, key.ID))(t); k.Ring != "east" {
		t.Errorf("the deleted key is in the ring %s", k.Ring)
	}
	ok(t, o.KMS.DeleteRing(ctx, o.narrow("Manager", map[string]string{"keyRing": "east"}, map[string]string{"keyRing": "default"}), here, "east", true))
}

// TestLongRingNames: rights on a ring are asked for its whole name.
func TestLongRingNames(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	short := strings.Repeat("r", 90)
	long := short + "-secret"
	ok(t, o.KMS.CreateRing(ctx, o.root, here, short))
	ok(t, o.KMS.CreateRing(ctx, o.root, here, long))
	c := o.narrow("Manager", map[string]string{"keyRing": short})
	key := must(o.KMS.Create(ctx, c, kms.At{Instance: here.Instance, Ring: short}, kms.NewKey{Name: "k"}))(t)
	_, err := o.KMS.Patch(ctx, c, here, key.ID, long)
	wantDenied(t, "a move to the longer one", err)
	wantDenied(t, "deleting the longer one", o.KMS.DeleteRing(ctx, c, here, long, true))
	wantDenied(t, "making another longer one", o.KMS.CreateRing(ctx, c, here, short+"-other"))
	tooLong := strings.Repeat("r", 101)
	_, err = o.KMS.Patch(ctx, o.root, here, key.ID, tooLong)
	wantReason(t, "a move to one that is too long", err, kms.ReasonNotFound)
	wantReason(t, "deleting one that is too long", o.KMS.DeleteRing(ctx, o.root, here, tooLong, true), kms.ReasonNotFound)
	if moved := must(o.KMS.Patch(ctx, o.root, here, key.ID, long))(t); moved.Ring != long {
		t.Errorf("%+v", moved)
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	key := o.key()
	if k := must(o.KMS.Policies(ctx, o.root, here, key.ID))(t); k.Rotation != nil || k.DualAuth != nil {
		t.Errorf("%+v", k)
	}
	set := func(id string, enabled *bool, months *int) (*kms.Key, error) {
		return o.KMS.SetPolicies(ctx, o.root, here, id, kms.PolicyChange{Rotation: &kms.RotationChange{Enabled: enabled, Months: months}})
	}
	_, err := set(key.ID, new(true), nil)
	wantReason(t, "enabled without an interval", err, kms.ReasonBadField)
	for _, months := range []int{0, 13, -1} {
		_, err := set(key.ID, new(true), &months)
		wantReason(t, fmt.Sprint(months), err, kms.ReasonBadField)
	}
	for i, c := range []struct {
		enabled *bool
		months  *int
		want    string
	}{{nil, new(3), "true 3"}, {new(false), nil, "false 3"}, {new(true), nil, "true 3"}, {new(false), new(12), "false 12"}, {nil, new(1), "true 1"}} {
		k := must(set(key.ID, c.enabled, c.months))(t)
		if got := fmt.Sprint(k.Rotation.Enabled, k.Rotation.Months); got != c.want || k.DualAuth != nil {
			t.Errorf("step %d: %s, want %s", i, got, c.want)
		}
		o.Clock.Advance(time.Second)
	}
	k := must(o.KMS.Policies(ctx, o.root, here, key.ID))(t)
	if k.Rotation.CreatedAt.Equal(k.Rotation.UpdatedAt) || k.Rotation.CreatedBy != o.root.IAMID() {
		t.Errorf("%+v", k.Rotation)
	}
	standard := o.key(func(in *kms.NewKey) { in.Extractable = true })
	_, err = set(standard.ID, nil, new(1))
	wantReason(t, "of a standard key", err, kms.ReasonNotRoot)
	imported := o.key(func(in *kms.NewKey) { in.Payload = identity.Secret(strings.Repeat("m", 32)) })
	_, err = set(imported.ID, nil, new(1))
	wantReason(t, "of an imported key", err, kms.ReasonPolicyConflict)
	must(o.KMS.Delete(ctx, o.root, here, imported.ID, false))(t)
	_, err = set(imported.ID, nil, new(1))
	wantReason(t, "of a deleted key", err, kms.ReasonDeleted)
}

// TestDualAuthIsNotSwitchedOffAlone: who could switch it off could delete alone.
func TestDualAuthIsNotSwitchedOffAlone(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	key := o.key()
	one, two := o.robot("Manager"), o.robot("Manager")
	on, off := kms.PolicyChange{DualAuth: new(true)}, kms.PolicyChange{DualAuth: new(false)}
	must(o.KMS.SetPolicies(ctx, one, here, key.ID, on))(t)
	_, err := o.KMS.SetPolicies(ctx, one, here, key.ID, off)
	wantReason(t, "alone", err, kms.ReasonDualAuth)
	ok(t, o.KMS.SetForDeletion(ctx, one, here, key.ID))
	_, err = o.KMS.SetPolicies(ctx, one, here, key.ID, off)
	wantReason(t, "alone, having asked for deletion", err, kms.ReasonDualAuth)
	k := must(o.KMS.SetPolicies(ctx, two, here, key.ID, off))(t)
	if k.DualAuth.Enabled || k.Doomed != nil {
		t.Errorf("%+v %+v", k.DualAuth, k.Doomed)
	}
	must(o.KMS.Delete(ctx, two, here, key.ID, false))(t)
}
