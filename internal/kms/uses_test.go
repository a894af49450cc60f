package kms_test

import (
	"testing"

	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	c := s.root
	key := func(name, alias string) string {
		return must(s.KMS.Create(t.Context(), c, here, kms.NewKey{Name: name, Aliases: []string{alias}}))(t).ID
	}
	one, two := key("first", "one"), key("second", "two")
	for range 3 {
		w := must(s.KMS.Wrap(t.Context(), c, here, one, []byte("secret"), nil))(t)
		must(s.KMS.Unwrap(t.Context(), c, here, "one", w.Ciphertext, nil))(t)
	}
	must(s.KMS.Wrap(t.Context(), c, here, two, nil, nil))(t)
	operator := s.Operator()
	for _, tc := range []struct {
		name   string
		caller *identity.Caller
		at     kms.At
		id     string
		want   map[string]uint64 // wraps by name of the key
	}{
		{"of a key", c, here, one, map[string]uint64{"first": 3}},
		{"of a key by its alias", c, here, "two", map[string]uint64{"second": 1}},
		{"of the instance", c, here, "", map[string]uint64{"first": 3, "second": 1}},
		{"of all, for an operator", operator, kms.At{}, "", map[string]uint64{"first": 3, "second": 1}},
		{"of the instance, for an operator", operator, here, "", map[string]uint64{"first": 3, "second": 1}},
		{"of another instance", operator, kms.At{Instance: "00000000-1111-4222-8333-444455556666"}, "", map[string]uint64{}},
		{"of a key, for an operator", operator, kms.At{}, one, map[string]uint64{"first": 3}},
		{"of a key by its alias, for an operator", operator, here, "one", map[string]uint64{"first": 3}},
	} {
		list := must(s.KMS.Usage(t.Context(), tc.caller, tc.at, tc.id))(t)
		if len(list) != len(tc.want) {
			t.Errorf("%s: %d uses, want %d", tc.name, len(list), len(tc.want))
		}
		for _, u := range list {
			if u.Counts["wrap"] != tc.want[u.KeyName] || u.Principal == "" || u.LastAt.IsZero() || u.Instance != stacktest.KMSInstance {
				t.Errorf("%s: %+v", tc.name, u)
			}
			if u.KeyName == "first" && u.Counts["unwrap"] != 3 {
				t.Errorf("%s: %d unwraps of the first", tc.name, u.Counts["unwrap"])
			}
		}
	}
	_, err := s.KMS.Usage(t.Context(), operator, kms.At{}, "one")
	wantReason(t, "an alias without an instance", err, kms.ReasonNotFound)
	_, err = s.KMS.Usage(t.Context(), c, here, "none")
	wantReason(t, "no such key", err, kms.ReasonNotFound)
	stranger := &identity.Caller{Kind: identity.RootUser, AccountID: stacktest.AccountB, Partition: "aws", PrincipalID: stacktest.AccountB, ARN: identity.RootARN("aws", stacktest.AccountB)}
	for _, id := range []string{"", one} {
		if list, err := s.KMS.Usage(t.Context(), stranger, here, id); identity.KindOf(err) != identity.KindAccessDenied {
			t.Errorf("another account's root: %d uses, %v", len(list), err)
		}
	}
}

// TestUsageOfARing: rights in one ring show nothing of the whole instance, though the
// call names that ring.
func TestUsageOfARing(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	ok(t, s.KMS.CreateRing(ctx, s.root, here, "east"))
	must(s.KMS.Wrap(ctx, s.root, here, s.key().ID, nil, nil))(t)
	c := s.narrow("Manager", map[string]string{"keyRing": "east"})
	for _, at := range []kms.At{here, {Instance: here.Instance, Ring: "east"}} {
		list, err := s.KMS.Usage(ctx, c, at, "")
		wantDenied(t, "ring "+at.Ring, err)
		if list != nil {
			t.Errorf("%+v", list)
		}
	}
}
