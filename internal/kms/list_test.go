package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// names lists keys and returns their names, with the total behind a bar.
func (o *office) names(c *identity.Caller, at kms.At, q kms.KeyQuery) string {
	o.t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	list := must(o.KMS.Keys(o.t.Context(), c, at, q))(o.t)
	var out []string
	for _, k := range list.Keys {
		out = append(out, k.Name)
	}
	q.CountOnly = true
	if n := must(o.KMS.Keys(o.t.Context(), c, at, q))(o.t); n.Total != list.Total || n.Keys != nil {
		o.t.Errorf("%+v: counted %d, listed of %d", q, n.Total, list.Total)
	}
	return fmt.Sprint(strings.Join(out, " "), " | ", list.Total)
}

// keys are a to f, made an hour apart: b in a ring, c a standard key, d disabled, e
// about to expire, f deleted.
func (o *office) keys() {
	o.t.Helper()
	ctx := o.t.Context()
	ok(o.t, o.KMS.CreateRing(ctx, o.root, here, "east"))
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		at := here
		in := kms.NewKey{Name: name, Aliases: []string{"alias-" + name}, Extractable: name == "c"}
		if name == "b" {
			at.Ring = "east"
		}
		if name == "e" {
			in.ExpiresAt = o.Clock.Now().Add(90 * time.Minute)
		}
		must(o.KMS.Create(ctx, o.root, at, in))(o.t)
		o.Clock.Advance(time.Hour)
	}
	ok(o.t, o.KMS.Disable(ctx, o.root, here, "alias-d"))
	must(o.KMS.Delete(ctx, o.root, here, "alias-f", false))(o.t)
	ok(o.t, o.KMS.Rotate(ctx, o.root, here, "alias-b", kms.Material{}))
	must(o.KMS.Create(ctx, o.root, there, kms.NewKey{Name: "elsewhere"}))(o.t)
}

func TestList(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.keys()
	root, standard := o.root, true
	for name, c := range map[string]struct {
		q    kms.KeyQuery
		at   kms.At
		want string
	}{
		"all":              {kms.KeyQuery{}, here, "a b c d e | 5"},
		"page":             {kms.KeyQuery{Limit: 2, Offset: 1}, here, "b c | 5"},
		"last page":        {kms.KeyQuery{Limit: 3, Offset: 4}, here, "e | 5"},
		"beyond":           {kms.KeyQuery{Limit: 3, Offset: 500}, here, " | 5"},
		"every state":      {kms.KeyQuery{States: []identity.KeyState{0, 1, 2, 3, 5}}, here, "a b c d e f | 6"},
		"deleted":          {kms.KeyQuery{States: []identity.KeyState{5}}, here, "f | 1"},
		"active":           {kms.KeyQuery{States: []identity.KeyState{1}}, here, "a b c | 3"},
		"expired":          {kms.KeyQuery{States: []identity.KeyState{3, 2}, Limit: 1, Offset: 1}, here, "e | 2"},
		"none":             {kms.KeyQuery{States: []identity.KeyState{0}}, here, " | 0"},
		"standard":         {kms.KeyQuery{Extractable: &standard}, here, "c | 1"},
		"ring":             {kms.KeyQuery{}, kms.At{Instance: here.Instance, Ring: "east"}, "b | 1"},
		"default ring":     {kms.KeyQuery{Limit: 2, Offset: 1}, kms.At{Instance: here.Instance, Ring: "default"}, "c d | 4"},
		"absent ring":      {kms.KeyQuery{}, kms.At{Instance: here.Instance, Ring: "west"}, " | 0"},
		"other instance":   {kms.KeyQuery{}, there, "elsewhere | 1"},
		"sorted":           {kms.KeyQuery{Sort: "-creationDate", Limit: 2, Offset: 1}, here, "d c | 5"},
		"sorted by two":    {kms.KeyQuery{Sort: "-state,-creationDate"}, here, "e d c b a | 5"},
		"searched":         {kms.KeyQuery{Search: "not:exact:alias:ALIAS-b,"}, here, "a c d e | 4"},
		"filtered":         {kms.KeyQuery{Filter: `lastRotateDate=none state=1 extractable=false`}, here, "a | 1"},
		"filtered, sorted": {kms.KeyQuery{Filter: "deletionDate=none state=1", Sort: "-lastUpdateDate", Limit: 1}, here, "b | 3"},
	} {
		if got := o.names(root, c.at, c.q); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	for _, q := range []kms.KeyQuery{{Sort: "name"}, {Search: "not:"}, {Filter: "x"}} {
		_, err := o.KMS.Keys(t.Context(), root, here, q)
		wantReason(t, fmt.Sprintf("%+v", q), err, kms.ReasonBadField)
	}
}

// narrow is a service ID with a role on what one of some sets of attributes says.
func (o *office) narrow(role string, to ...map[string]string) *identity.Caller {
	o.t.Helper()
	u := must(o.Directory.CreateServiceID(o.t.Context(), o.root, directory.NewServiceID{Name: "robot"}))(o.t)
	for _, attributes := range to {
		o.grant(u.ID, attributes, role)
	}
	return o.login(o.apiKey(u.ID))
}

// TestListShowsWhatMayBeListed: by rings, never by single keys.
func TestListShowsWhatMayBeListed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.keys()
	ok(t, o.KMS.CreateRing(t.Context(), o.root, here, "west"))
	b := must(o.KMS.Key(t.Context(), o.root, here, "alias-b"))(t)
	east := o.narrow("Reader", map[string]string{"serviceInstance": here.Instance, "keyRing": "east"})
	ofKey := o.narrow("Manager", map[string]string{"serviceInstance": here.Instance, "resourceType": "key", "resource": b.ID})
	if got := o.names(east, here, kms.KeyQuery{}); got != "b | 1" {
		t.Errorf("of one ring: %s", got)
	}
	if got := o.names(east, here, kms.KeyQuery{Sort: "-id", Filter: "state=1"}); got != "b | 1" {
		t.Errorf("of one ring, filtered: %s", got)
	}
	two := o.narrow("Reader", map[string]string{"serviceInstance": here.Instance, "keyRing": "east"}, map[string]string{"keyRing": "default"})
	if got := o.names(two, here, kms.KeyQuery{Limit: 3, Offset: 1}); got != "b c d | 5" {
		t.Errorf("of two rings of three: %s", got)
	}
	must(o.KMS.Key(t.Context(), ofKey, here, b.ID))(t)
	for who, c := range map[string]*identity.Caller{"rights on one key": ofKey, "no rights": o.robot()} {
		_, err := o.KMS.Keys(t.Context(), c, here, kms.KeyQuery{})
		wantDenied(t, who, err)
	}
	for what, at := range map[string]kms.At{
		"another ring": {Instance: here.Instance, Ring: "default"}, "an absent ring": {Instance: here.Instance, Ring: "none"}, "another instance": there,
		"an absent instance": {Instance: "0b8ff2f5-9999-4222-8333-444455556666"},
	} {
		_, err := o.KMS.Keys(t.Context(), east, at, kms.KeyQuery{})
		wantDenied(t, what, err)
	}
	if rings := must(o.KMS.Rings(t.Context(), east, here))(t); len(rings) != 1 || rings[0].ID != "east" {
		t.Errorf("rings: %+v", rings)
	}
}

// user gives the test user an inline policy and logs it in.
func (o *office) user(policy string) *identity.Caller {
	o.t.Helper()
	ok(o.t, o.Directory.PutInlinePolicy(o.t.Context(), o.root, directory.Owner{Kind: directory.UserOwner, Name: stacktest.TestUser}, "rings", policy))
	for _, u := range must(store.Users.List(o.DB.Snapshot(), "", "", store.After{}, 0))(o.t) {
		if u.Name == stacktest.TestUser {
			return o.login(o.apiKey(identity.IAMIDOf(u.ID)))
		}
	}
	o.t.Fatal("there is no test user")
	return nil
}

// denying lets everything be done but in the named rings.
func denying(rings string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"},
		{"Effect":"Deny","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:KeyRing":` + rings + `}}}]}`
}

// TestEveryRingDenied: who is denied each ring there is, one by one, sees nothing.
func TestEveryRingDenied(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	o.keys()
	must(o.KMS.Register(ctx, o.robot("Writer"), here, "alias-b", "crn:v1:bluemix:public:s3:us-south:a/1:x:bucket:b", kms.RegistrationChange{}, false))(t)
	c := o.user(denying(`["east","default"]`))
	for _, q := range []kms.KeyQuery{{Limit: 100}, {Limit: 100, Search: "a"}, {CountOnly: true}} {
		list, err := o.KMS.Keys(ctx, c, here, q)
		wantDenied(t, fmt.Sprintf("keys, %+v", q), err)
		if list.Total != 0 || list.Keys != nil {
			t.Errorf("%+v: %+v", q, list)
		}
	}
	list, err := o.KMS.Registrations(ctx, c, here, kms.RegistrationQuery{Limit: 100})
	wantDenied(t, "registrations", err)
	if list.Registrations != nil {
		t.Errorf("registrations: %+v", list)
	}
}

// TestNoNameOfARing: what is no name of a ring shows none, whatever prefix of an
// index it would be.
func TestNoNameOfARing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.keys()
	c := o.user(denying(`"east"`))
	_, err := o.KMS.Keys(t.Context(), c, kms.At{Instance: here.Instance, Ring: "east"}, kms.KeyQuery{Limit: 100})
	wantDenied(t, "the ring itself", err)
	if got := o.names(c, here, kms.KeyQuery{}); got != "a c d e | 4" {
		t.Errorf("what is not denied: %s", got)
	}
	for _, ring := range []string{"east/living", "east/", "default/living", "e", "/"} {
		for _, q := range []kms.KeyQuery{{}, {Search: "b"}, {Sort: "id"}, {States: []identity.KeyState{1, 2, 3, 5}}} {
			if got := o.names(c, kms.At{Instance: here.Instance, Ring: ring}, q); got != " | 0" {
				t.Errorf("%s, %+v: %s", ring, q, got)
			}
		}
	}
}

// fill puts keys straight into the store.
func (o *office) fill(n int) {
	o.t.Helper()
	for first := 0; first < n; first += 5000 {
		must(o.DB.Update(o.t.Context(), func(tx store.Tx) error {
			for i := first; i < min(n, first+5000); i++ {
				id := fmt.Sprintf("%08x-1111-4222-8333-444455556666", i)
				made := o.Clock.Now().Add(time.Duration(i) * time.Second)
				if err := store.KMSKeys.Put(tx, &identity.KMSKey{
					ID: id, Instance: stacktest.KMSInstance, Ring: "default", Name: fmt.Sprintf("key %d", i), State: identity.KeyActive,
					CreatedAt: made, UpdatedAt: made, Version: identity.KMSVersionID{ID: id, CreatedAt: made}, Versions: 1,
				}); err != nil {
					return err
				}
			}
			return nil
		}))(o.t)
	}
}

// TestListWalksPages: all pages together are all keys, each once and in order.
func TestListWalksPages(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.fill(1003)
	var got []string
	for offset := 0; ; offset += 100 {
		page := must(o.KMS.Keys(t.Context(), o.root, here, kms.KeyQuery{Limit: 100, Offset: offset}))(t)
		for _, k := range page.Keys {
			got = append(got, k.ID)
		}
		if page.Total != 1003 {
			t.Fatalf("total %d", page.Total)
		}
		if len(page.Keys) < 100 {
			break
		}
	}
	if len(got) != 1003 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != 1003 {
		t.Errorf("%d keys, in order %v", len(got), slices.IsSorted(got))
	}
}

// BenchmarkList pages through an instance with 100,000 keys.
func BenchmarkList(b *testing.B) {
	o := newOffice(b)
	o.fill(kms.KeysPerInstance)
	for name, q := range map[string]kms.KeyQuery{
		"first":    {Limit: 200},
		"last":     {Limit: 200, Offset: kms.KeysPerInstance - 200},
		"count":    {CountOnly: true},
		"searched": {Limit: 200, Search: "name:key 99"},
		"filtered": {Limit: 200, Filter: "extractable=false lastRotateDate=none"},
		"sorted":   {Limit: 200, Sort: "-creationDate", Offset: 5000},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := o.KMS.Keys(b.Context(), o.root, here, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
