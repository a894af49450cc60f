package kms_test

import (
	"fmt"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// from is a caller at another address.
func from(c *identity.Caller, address string) *identity.Caller {
	out := *c
	out.Request.SourceIP = address
	return &out
}

func (o *office) setInstance(c *identity.Caller, changes ...kms.InstancePolicyChange) error {
	o.t.Helper()
	return o.KMS.SetInstancePolicies(o.t.Context(), c, here, changes)
}

func TestInstancePolicies(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	me := from(o.root, "192.0.2.7")
	for what, c := range map[string]kms.InstancePolicyChange{
		"unknown type":          {Type: "other", Enabled: true},
		"no interval":           {Type: "rotation", Enabled: true},
		"interval of 13":        {Type: "rotation", Enabled: true, Months: new(13)},
		"no network":            {Type: "allowedNetwork", Enabled: true},
		"other network":         {Type: "allowedNetwork", Enabled: true, Network: "private"},
		"no addresses":          {Type: "allowedIP", Enabled: true},
		"bad address":           {Type: "allowedIP", Addresses: []string{"192.0.2.0/33"}},
		"block of all IPv4":     {Type: "allowedIP", Addresses: []string{"::ffff:0:0/95"}},
		"address with a zone":   {Type: "allowedIP", Addresses: []string{"fe80::1%eth0"}},
		"too many addresses":    {Type: "allowedIP", Addresses: strings.Split(strings.Repeat("192.0.2.1 ", 1001), " ")},
		"attribute of another":  {Type: "metrics", Enabled: true, Network: "private-only"},
		"months of another":     {Type: "dualAuthDelete", Enabled: true, Months: new(1)},
		"unknown attribute":     {Type: "keyCreateImportAccess", Enabled: true, Creation: map[string]bool{"create_key": true}},
		"creation of addresses": {Type: "allowedIP", Addresses: []string{"192.0.2.0/24"}, Creation: map[string]bool{}},
	} {
		wantReason(t, what, o.setInstance(me, kms.InstancePolicyChange{Type: "metrics", Enabled: true}, c), kms.ReasonBadField)
	}
	if list := must(o.KMS.InstancePolicies(ctx, me, here, ""))(t); len(list) != 0 {
		t.Errorf("half of a refused change is there: %+v", list)
	}
	ok(t, o.setInstance(me,
		kms.InstancePolicyChange{Type: "rotation", Enabled: true, Months: new(6)},
		kms.InstancePolicyChange{Type: "keyCreateImportAccess", Enabled: true, Creation: map[string]bool{"create_standard_key": false}},
		kms.InstancePolicyChange{Type: "metrics", Enabled: true},
	))
	ok(t, o.setInstance(me, kms.InstancePolicyChange{Type: "rotation", Enabled: false}))
	ok(t, o.setInstance(me, kms.InstancePolicyChange{Type: "rotation", Enabled: true}))
	list := must(o.KMS.InstancePolicies(ctx, me, here, ""))(t)
	got := ""
	for _, p := range list {
		got += fmt.Sprint(p.Type, " ", p.Enabled, " ", p.Months, " ", p.Creation["create_root_key"], p.Creation["create_standard_key"], "; ")
	}
	if want := "metrics true 0 false false; keyCreateImportAccess true 0 true false; rotation true 6 false false; "; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if one := must(o.KMS.InstancePolicies(ctx, me, here, "rotation"))(t); len(one) != 1 || one[0].Months != 6 {
		t.Errorf("%+v", one)
	}
	_, err := o.KMS.InstancePolicies(ctx, me, here, "other")
	wantReason(t, "unknown type", err, kms.ReasonBadField)
	if list := must(o.KMS.InstancePolicies(ctx, me, there, ""))(t); len(list) != 0 {
		t.Errorf("of another instance: %+v", list)
	}
}

// TestAllowedAddresses: every call to the instance, whatever it is, is judged by
// where it comes from, and nobody can shut itself out.
func TestAllowedAddresses(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	key := o.key()
	inside, outside := from(o.root, "192.0.2.7"), from(o.root, "198.51.100.7")
	policy := kms.InstancePolicyChange{Type: "allowedIP", Enabled: true, Addresses: []string{"2001:db8::/32", "192.0.2.0/24", "203.0.113.5"}}
	wantReason(t, "from outside", o.setInstance(outside, policy), kms.ReasonPolicyConflict)
	wantReason(t, "from nowhere", o.setInstance(o.root, policy), kms.ReasonPolicyConflict)
	ok(t, o.setInstance(inside, policy))
	for address, want := range map[string]kms.Reason{
		"192.0.2.255": "", "::ffff:192.0.2.1": "", "2001:db8::1": "", "203.0.113.5": "",
		"203.0.113.6": kms.ReasonNotAllowedFrom, "198.51.100.7": kms.ReasonNotAllowedFrom, "2001:db9::1": kms.ReasonNotAllowedFrom,
		"": kms.ReasonNotAllowedFrom, "localhost": kms.ReasonNotAllowedFrom, "127.0.0.1": kms.ReasonNotAllowedFrom,
	} {
		_, err := o.KMS.Wrap(ctx, from(o.root, address), here, key.ID, nil, nil)
		wantReason(t, "wrap from "+address, err, want)
	}
	for what, call := range map[string]func() error{
		"key":      func() error { _, err := o.KMS.Key(ctx, outside, here, key.ID); return err },
		"absent":   func() error { _, err := o.KMS.Key(ctx, outside, here, "absent"); return err },
		"keys":     func() error { _, err := o.KMS.Keys(ctx, outside, here, kms.KeyQuery{}); return err },
		"create":   func() error { _, err := o.KMS.Create(ctx, outside, here, kms.NewKey{Name: "k"}); return err },
		"rings":    func() error { _, err := o.KMS.Rings(ctx, outside, here); return err },
		"policies": func() error { _, err := o.KMS.InstancePolicies(ctx, outside, here, ""); return err },
		"off":      func() error { return o.setInstance(outside, kms.InstancePolicyChange{Type: "allowedIP"}) },
		"delete":   func() error { _, err := o.KMS.Delete(ctx, outside, here, key.ID, true); return err },
		"import":   func() error { _, err := o.KMS.ImportToken(ctx, outside, here); return err },
	} {
		wantReason(t, what, call(), kms.ReasonNotAllowedFrom)
	}
	if _, err := o.KMS.Keys(ctx, outside, there, kms.KeyQuery{}); err != nil {
		t.Errorf("another instance: %v", err)
	}
	if on := must(o.KMS.AllowsAddresses(ctx, inside, here))(t); !on {
		t.Error("the policy is not enabled")
	}
	wantDenied(t, "opened by the account", o.KMS.OpenInstance(ctx, inside, here.Instance))
	wantReason(t, "an instance without policies", o.KMS.OpenInstance(ctx, o.Operator(), there.Instance), kms.ReasonNotFound)
	ok(t, o.KMS.OpenInstance(ctx, o.Operator(), here.Instance))
	must(o.KMS.Key(ctx, outside, here, key.ID))(t)
	if list := must(o.KMS.InstancePolicies(ctx, outside, here, "allowedIP"))(t); len(list) != 1 || list[0].Enabled || len(list[0].Addresses) != 3 {
		t.Errorf("%+v", list)
	}
}

// TestMappedAddresses: addresses of IPv4 that are written as ones of IPv6 let those
// in, and no others.
func TestMappedAddresses(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	policy := kms.InstancePolicyChange{Type: "allowedIP", Enabled: true, Addresses: []string{"::ffff:192.0.2.1", "::ffff:198.51.100.0/120"}}
	for _, outside := range []string{"::1", "192.0.2.2", "198.51.101.1"} {
		wantReason(t, outside, o.setInstance(from(o.root, outside), policy), kms.ReasonPolicyConflict)
	}
	for _, inside := range []string{"192.0.2.1", "198.51.100.255"} {
		wantReason(t, inside, o.setInstance(from(o.root, inside), policy), "")
	}
	many := strings.Split(strings.Repeat("metrics ", 7), " ")[:7]
	var changes []kms.InstancePolicyChange
	for _, kind := range many {
		changes = append(changes, kms.InstancePolicyChange{Type: kind})
	}
	wantReason(t, "more changes than types", o.setInstance(from(o.root, "192.0.2.1"), changes...), kms.ReasonBadField)
}

func TestPrivateNetwork(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	private := kms.InstancePolicyChange{Type: "allowedNetwork", Enabled: true, Network: "private-only"}
	wantReason(t, "from a public address", o.setInstance(from(o.root, "192.0.2.7"), private), kms.ReasonPolicyConflict)
	ok(t, o.setInstance(from(o.root, "10.1.2.3"), private))
	for address, want := range map[string]kms.Reason{
		"192.168.1.1": "", "fd00::1": "", "127.0.0.1": "", "192.0.2.7": kms.ReasonNotAllowedFrom, "2001:db8::1": kms.ReasonNotAllowedFrom, "": kms.ReasonNotAllowedFrom,
	} {
		_, err := o.KMS.Rings(ctx, from(o.root, address), here)
		wantReason(t, address, err, want)
	}
	ok(t, o.setInstance(from(o.root, "10.1.2.3"), kms.InstancePolicyChange{Type: "allowedNetwork", Enabled: true, Network: "public-and-private"}))
	must(o.KMS.Rings(ctx, from(o.root, "192.0.2.7"), here))(t)
}

func TestCreationIsBounded(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	material := kms.Material{Payload: identity.Secret(strings.Repeat("m", 32))}
	makes := map[string]kms.NewKey{
		"create_root_key": {Name: "k"}, "create_standard_key": {Name: "k", Extractable: true},
		"import_root_key": {Name: "k", Material: material}, "import_standard_key": {Name: "k", Extractable: true, Material: material},
	}
	imported := must(o.KMS.Create(ctx, o.root, here, makes["import_root_key"]))(t)
	for denied := range makes {
		ok(t, o.setInstance(o.root, kms.InstancePolicyChange{Type: "keyCreateImportAccess", Enabled: true, Creation: map[string]bool{denied: false}}))
		for name, in := range makes {
			want := kms.Reason("")
			if name == denied {
				want = kms.ReasonCreationNotAllowed
			}
			_, err := o.KMS.Create(ctx, o.root, here, in)
			wantReason(t, denied+": "+name, err, want)
		}
	}
	ok(t, o.setInstance(o.root, kms.InstancePolicyChange{Type: "keyCreateImportAccess", Enabled: true, Creation: map[string]bool{"enforce_token": true}}))
	for name, in := range makes {
		want := kms.Reason("")
		if in.Payload != "" {
			want = kms.ReasonCreationNotAllowed
		}
		_, err := o.KMS.Create(ctx, o.root, here, in)
		wantReason(t, "enforced token: "+name, err, want)
	}
	wantReason(t, "rotated in the clear", o.KMS.Rotate(ctx, o.root, here, imported.ID, material), kms.ReasonCreationNotAllowed)
	ok(t, o.setInstance(o.root, kms.InstancePolicyChange{Type: "keyCreateImportAccess"}))
	ok(t, o.KMS.Rotate(ctx, o.root, here, imported.ID, material))
}
