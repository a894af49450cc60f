package kms_test

import (
	"context"
	"reflect"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// noCaller are the exported methods that take no Caller, each with its reason.
var noCaller = map[string]string{
	"Tick":      "housekeeping of the server: what policies and time demand",
	"FlushUses": "housekeeping of the server: writes counts",
}

// TestEveryMethodAsks calls each exported method with a caller without rights, on
// a key that is there, on one that is not, and in an instance that is not, and
// demands a denial.
func TestEveryMethodAsks(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	caller := s.robot()
	key := s.key()
	callerType := reflect.TypeFor[*identity.Caller]()
	v := reflect.ValueOf(s.KMS)
	asked := 0
	for i := range v.NumMethod() {
		name, m := v.Type().Method(i).Name, v.Method(i)
		if noCaller[name] != "" {
			continue
		}
		for _, at := range []kms.At{here, {Instance: "absent"}, {Instance: here.Instance, Ring: "absent"}} {
			for _, id := range []string{key.ID, "absent"} {
				args, takesCaller := make([]reflect.Value, m.Type().NumIn()), false
				for j := range args {
					in := m.Type().In(j)
					switch {
					case in == callerType:
						args[j], takesCaller = reflect.ValueOf(caller), true
					case in == reflect.TypeFor[context.Context]():
						args[j] = reflect.ValueOf(t.Context())
					case in == reflect.TypeFor[kms.At]():
						args[j] = reflect.ValueOf(at)
					case in.Kind() == reflect.String:
						args[j] = reflect.ValueOf(id).Convert(in)
					default:
						args[j] = reflect.Zero(in)
					}
				}
				if !takesCaller {
					t.Fatalf("%s takes no Caller and is not in the list of those that need none", name)
				}
				out := m.Call(args)
				err, _ := out[len(out)-1].Interface().(error)
				wantDenied(t, name, err)
				asked++
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d calls were made", asked)
	}
}

// TestRoles: what each role of IBM's may, by calls.
func TestRoles(t *testing.T) {
	t.Parallel()
	s, ctx := newImportOffice(t), t.Context()
	calls := map[string]func(c *identity.Caller, id string) error{
		"metadata": func(c *identity.Caller, id string) error { _, err := s.KMS.Key(ctx, c, here, id); return err },
		"wrap": func(c *identity.Caller, id string) error {
			_, err := s.KMS.Wrap(ctx, c, here, id, nil, nil)
			return err
		},
		"payload": func(c *identity.Caller, id string) error { _, _, err := s.KMS.Payload(ctx, c, here, id); return err },
		"create": func(c *identity.Caller, _ string) error {
			_, err := s.KMS.Create(ctx, c, here, kms.NewKey{Name: "k"})
			return err
		},
		"rotate": func(c *identity.Caller, id string) error { return s.KMS.Rotate(ctx, c, here, id, kms.Material{}) },
		"token": func(c *identity.Caller, _ string) error {
			_, err := s.KMS.CreateImportToken(ctx, c, here, 0, 0)
			return err
		},
		"disable": func(c *identity.Caller, id string) error { return s.KMS.Disable(ctx, c, here, id) },
		"usage":   func(c *identity.Caller, id string) error { _, err := s.KMS.Usage(ctx, c, here, id); return err },
		"delete":  func(c *identity.Caller, id string) error { _, err := s.KMS.Delete(ctx, c, here, id, false); return err },
		"purge":   func(c *identity.Caller, id string) error { _, err := s.KMS.Purge(ctx, c, here, id); return err },
	}
	order := []string{"metadata", "wrap", "payload", "create", "rotate", "token", "disable", "usage", "delete", "purge"}
	for role, want := range map[string]string{
		"Reader": "yynnnnnnnn", "ReaderPlus": "yyynnnnnnn", "Writer": "yyyyyynnnn", "Manager": "yyyyyyyyyn", "KeyPurge": "nnnnnnnnny",
	} {
		c := s.robot(role)
		for i, name := range order {
			err := calls[name](c, s.key().ID)
			if may := identity.KindOf(err) != identity.KindAccessDenied; may != (want[i] == 'y') {
				t.Errorf("%s, %s: %v", role, name, err)
			}
		}
	}
}

// TestNarrowRights: rights on one key or one ring end there.
func TestNarrowRights(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	must(s.DB.Update(ctx, func(tx store.Tx) error {
		return store.KMSRings.Put(tx, &identity.KMSRing{Instance: here.Instance, ID: "red"})
	}))(t)
	red := kms.At{Instance: here.Instance, Ring: "red"}
	key, other := s.key(), s.key()
	inRing := must(s.KMS.Create(ctx, s.root, red, kms.NewKey{Name: "k"}))(t)
	wrap := func(c *identity.Caller, at kms.At, id string) error {
		_, err := s.KMS.Wrap(ctx, c, at, id, nil, nil)
		return err
	}
	byKey := s.robot()
	s.grant(byKey.IAMID(), map[string]string{"resourceType": "key", "resource": key.ID}, "Manager")
	byKey = s.login(s.apiKey(byKey.IAMID()))
	ok(t, wrap(byKey, here, key.ID))
	wantDenied(t, "another key", wrap(byKey, here, other.ID))
	wantDenied(t, "an absent key", wrap(byKey, here, stacktest.OtherKMSInstance))
	byRing := s.robot()
	s.grant(byRing.IAMID(), map[string]string{"keyRing": "red"}, "Manager")
	byRing = s.login(s.apiKey(byRing.IAMID()))
	ok(t, wrap(byRing, here, inRing.ID))
	ok(t, wrap(byRing, red, inRing.ID))
	wantDenied(t, "a key of another ring", wrap(byRing, here, key.ID))
	wantReason(t, "a key of another ring, in its own", wrap(byRing, red, key.ID), kms.ReasonNotFound)
	wantReason(t, "an absent key, in its own ring", wrap(byRing, red, "absent"), kms.ReasonNotFound)
	_, err := s.KMS.Patch(ctx, byRing, here, inRing.ID, "default")
	wantDenied(t, "a move to another ring", err)
	_, err = s.KMS.Patch(ctx, s.root, here, inRing.ID, "blue")
	wantReason(t, "a move to no ring", err, kms.ReasonNotFound)
	if moved := must(s.KMS.Patch(ctx, s.root, here, key.ID, "red"))(t); moved.Ring != "red" {
		t.Errorf("%+v", moved)
	}
	ok(t, wrap(byRing, here, key.ID))
}

// TestAbsentLooksForeign: by ID or alias, what is not there and what is elsewhere is
// refused in the same words, to who has rights and to who has none.
func TestAbsentLooksForeign(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	foreign := must(s.KMS.Create(ctx, s.root, there, kms.NewKey{Name: "k", Aliases: []string{"theirs"}}))(t)
	words := func(c *identity.Caller, at kms.At, id string) string {
		_, err := s.KMS.Wrap(ctx, c, at, id, nil, nil)
		text, _, _ := cutMessage(identity.AsError(err).Public)
		return replaced(text, id)
	}
	nobody := s.robot()
	mine := s.key(func(in *kms.NewKey) { in.Aliases = []string{"mine"} })
	for _, c := range []*identity.Caller{s.root, nobody} {
		want := words(c, here, "absent")
		for _, id := range []string{foreign.ID, "theirs", "0b8ff2f5-9999-4222-8333-444455556666"} {
			if got := words(c, here, id); got != want {
				t.Errorf("%s: %q, want %q", id, got, want)
			}
		}
	}
	for _, id := range []string{mine.ID, "mine"} { // who has no rights learns nothing of what is there
		if got, want := words(nobody, here, id), words(nobody, here, "absent"); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	if got, want := words(nobody, here, "absent"), words(nobody, kms.At{Instance: stacktest.AccountB}, "absent"); replaced(got, here.Instance) != replaced(want, stacktest.AccountB) {
		t.Errorf("%q, want %q", got, want)
	}
}
