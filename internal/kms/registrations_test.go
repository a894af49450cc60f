package kms_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const bucket = "crn:v1:bluemix:public:cloud-object-storage:global:a/123456789012:11111111-1111-4222-8333-444455556666:bucket:"

func TestRegistrations(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	key, standard := o.key(), o.key(func(in *kms.NewKey) { in.Extractable = true })
	storage, other := o.robot("Writer"), o.robot("Writer")
	none := kms.RegistrationChange{}

	_, err := o.KMS.Register(ctx, o.root, here, key.ID, bucket+"b", none, false)
	wantReason(t, "by a person", err, kms.ReasonServiceOnly)
	_, err = o.KMS.Register(ctx, o.robot("Reader"), here, key.ID, bucket+"b", none, false)
	wantDenied(t, "by a reader", err)
	for _, crn := range []string{"", "b", "crn:v1:b", bucket + "*", bucket + strings.Repeat("b", 512), bucket + "\n"} {
		_, err = o.KMS.Register(ctx, storage, here, key.ID, crn, none, false)
		wantReason(t, crn, err, kms.ReasonBadField)
	}
	_, err = o.KMS.Register(ctx, storage, here, standard.ID, bucket+"b", none, false)
	wantReason(t, "with a standard key", err, kms.ReasonRegistersRoot)
	_, err = o.KMS.Register(ctx, storage, here, "absent", bucket+"b", none, false)
	wantReason(t, "with an absent key", err, kms.ReasonNotFound)

	r := must(o.KMS.Register(ctx, storage, here, key.ID, bucket+"b", kms.RegistrationChange{Prevents: new(true)}, false))(t)
	if r.CreatedBy != storage.IAMID() || !r.PreventsDelete || r.VersionID != key.Version.ID || r.KeyID != key.ID {
		t.Errorf("%+v", r)
	}
	_, err = o.KMS.Register(ctx, storage, here, key.ID, bucket+"b", none, false)
	wantReason(t, "twice", err, kms.ReasonExists)
	_, err = o.KMS.Register(ctx, other, here, key.ID, bucket+"b", none, true)
	wantReason(t, "another's", err, kms.ReasonNotOwner)
	_, err = o.KMS.UpdateRegistration(ctx, other, here, key.ID, bucket+"b", none)
	wantReason(t, "change of another's", err, kms.ReasonNotOwner)
	wantReason(t, "deletion of another's", o.KMS.Unregister(ctx, other, here, key.ID, bucket+"b"), kms.ReasonNotOwner)
	wantReason(t, "deletion by a person", o.KMS.Unregister(ctx, o.root, here, key.ID, bucket+"b"), kms.ReasonServiceOnly)
	_, err = o.KMS.UpdateRegistration(ctx, storage, here, key.ID, bucket+"c", none)
	wantReason(t, "change of an absent one", err, kms.ReasonNotFound)
	r = must(o.KMS.UpdateRegistration(ctx, storage, here, key.ID, bucket+"b", kms.RegistrationChange{Description: new("d")}))(t)
	if r.Description != "d" || !r.PreventsDelete || r.UpdatedBy != storage.IAMID() {
		t.Errorf("%+v", r)
	}
	_, err = o.KMS.Delete(ctx, o.root, here, key.ID, true)
	wantReason(t, "deletion of the key", err, kms.ReasonDeletionPrevented)
	ok(t, o.KMS.Unregister(ctx, storage, here, key.ID, bucket+"b"))
	wantReason(t, "twice deleted", o.KMS.Unregister(ctx, storage, here, key.ID, bucket+"b"), kms.ReasonNotFound)
	must(o.KMS.Delete(ctx, o.root, here, key.ID, true))(t)
}

// TestAbandonedRegistration: what a service ID that is gone has registered can be
// taken away by whoever may delete the key.
func TestAbandonedRegistration(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	key, storage := o.key(), o.robot("Writer")
	must(o.KMS.Register(ctx, storage, here, key.ID, bucket+"b", kms.RegistrationChange{Prevents: new(true)}, false))(t)
	ok(t, o.Directory.DeleteServiceID(ctx, o.root, strings.TrimPrefix(storage.PrincipalID, "iam-")))
	wantReason(t, "by another service", o.KMS.Unregister(ctx, o.robot("Writer"), here, key.ID, bucket+"c"), kms.ReasonNotFound)
	wantDenied(t, "by a writer", o.KMS.Unregister(ctx, o.robot("Writer"), here, key.ID, bucket+"b"))
	ok(t, o.KMS.Unregister(ctx, o.root, here, key.ID, bucket+"b"))
	must(o.KMS.Delete(ctx, o.root, here, key.ID, false))(t)
}

// between is an engine that does something once before it changes anything.
type between struct {
	store.Engine
	first func()
}

func (e *between) Update(ctx context.Context, fn func(store.Tx) error) (identity.Position, error) {
	if first := e.first; first != nil {
		e.first = nil
		first()
	}
	return e.Engine.Update(ctx, fn)
}

// TestAbandonedBehindAnAlias: an alias that moves to another key meanwhile takes the
// right on that one with it, and not the registration of the first.
func TestAbandonedBehindAnAlias(t *testing.T) {
	t.Parallel()
	e := &between{Engine: store.NewMemory()}
	o, ctx := newOffice(t, stacktest.WithEngine(e)), t.Context()
	one, two, storage := o.key(func(in *kms.NewKey) { in.Aliases = []string{"moves"} }), o.key(), o.robot("Writer")
	must(o.KMS.Register(ctx, storage, here, one.ID, bucket+"b", kms.RegistrationChange{}, false))(t)
	ok(t, o.Directory.DeleteServiceID(ctx, o.root, strings.TrimPrefix(storage.PrincipalID, "iam-")))
	c := o.narrow("Manager", map[string]string{"resourceType": "key", "resource": two.ID})
	e.first = func() {
		ok(t, o.KMS.DeleteAlias(ctx, o.root, here, one.ID, "moves"))
		_, _, err := o.KMS.CreateAlias(ctx, o.root, here, two.ID, "moves")
		ok(t, err)
	}
	wantReason(t, "unregistered", o.KMS.Unregister(ctx, c, here, "moves", bucket+"b"), kms.ReasonNotFound)
	list := must(o.KMS.Registrations(ctx, o.root, here, kms.RegistrationQuery{Key: one.ID, Limit: 1}))(t)
	if len(list.Registrations) != 1 {
		t.Error("the registration of a key without any right on it is gone")
	}
}

func TestListRegistrations(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	ok(t, o.KMS.CreateRing(ctx, o.root, here, "east"))
	one := o.key(func(in *kms.NewKey) { in.Aliases = []string{"one"} })
	two := must(o.KMS.Create(ctx, o.root, kms.At{Instance: here.Instance, Ring: "east"}, kms.NewKey{Name: "k"}))(t)
	storage := o.robot("Writer")
	for i := range 3 {
		for _, k := range []*kms.Key{one, two} {
			must(o.KMS.Register(ctx, storage, here, k.ID, fmt.Sprint(bucket, "b", i), kms.RegistrationChange{Prevents: new(i == 1)}, false))(t)
		}
	}
	list := func(c *identity.Caller, q kms.RegistrationQuery) string {
		t.Helper()
		if q.Limit == 0 {
			q.Limit = 10
		}
		q.Count = true
		got := must(o.KMS.Registrations(ctx, c, here, q))(t)
		names := map[string]string{one.ID: "1", two.ID: "2"}
		var out []string
		for _, r := range got.Registrations {
			out = append(out, names[r.KeyID]+r.Resource[len(bucket):])
		}
		slices.Sort(out)
		return fmt.Sprint(strings.Join(out, " "), " | ", got.Total)
	}
	east := o.narrow("Reader", map[string]string{"serviceInstance": here.Instance, "keyRing": "east"})
	for name, c := range map[string]struct {
		c    *identity.Caller
		q    kms.RegistrationQuery
		want string
	}{
		"all":             {o.root, kms.RegistrationQuery{}, "1b0 1b1 1b2 2b0 2b1 2b2 | 6"},
		"of a key":        {o.root, kms.RegistrationQuery{Key: "one"}, "1b0 1b1 1b2 | 3"},
		"page of a key":   {o.root, kms.RegistrationQuery{Key: "one", Limit: 1, Offset: 1}, "1b1 | 3"},
		"of a ring":       {east, kms.RegistrationQuery{}, "2b0 2b1 2b2 | 3"},
		"by its name":     {o.root, kms.RegistrationQuery{Resource: bucket + "b2"}, "1b2 2b2 | 2"},
		"by a pattern":    {o.root, kms.RegistrationQuery{Resource: bucket + "b*", Key: two.ID}, "2b0 2b1 2b2 | 3"},
		"by stars":        {o.root, kms.RegistrationQuery{Resource: "crn:v1:*:*:*:*:*:*:*:*"}, "1b0 1b1 1b2 2b0 2b1 2b2 | 6"},
		"by another name": {o.root, kms.RegistrationQuery{Resource: bucket + "b"}, " | 0"},
		"prevents":        {o.root, kms.RegistrationQuery{Prevents: new(true)}, "1b1 2b1 | 2"},
	} {
		if got := list(c.c, c.q); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	for _, crn := range []string{"b", "crn:v1:*", strings.Repeat(":", 600)} {
		_, err := o.KMS.Registrations(ctx, o.root, here, kms.RegistrationQuery{Resource: crn, Limit: 1})
		wantReason(t, crn, err, kms.ReasonBadField)
	}
	_, err := o.KMS.Registrations(ctx, east, here, kms.RegistrationQuery{Key: one.ID, Limit: 1})
	wantDenied(t, "of a key in another ring", err)
}
