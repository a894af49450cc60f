package kms_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
	"daypass/internal/store"
)

var quiet = slog.New(slog.DiscardHandler)

// TestStates goes through what can be done to a key in each of its states.
func TestStates(t *testing.T) {
	t.Parallel()
	s, ctx, c := newOffice(t), t.Context(), (*identity.Caller)(nil)
	c = s.root
	states := map[string]func(id string){
		"active":    func(string) {},
		"suspended": func(id string) { ok(t, s.KMS.Disable(ctx, c, here, id)) },
		"expired":   func(string) { s.Clock.Advance(time.Hour) },
		"expired while suspended": func(id string) {
			ok(t, s.KMS.Disable(ctx, c, here, id))
			s.Clock.Advance(time.Hour)
		},
		"deleted": func(id string) { must(s.KMS.Delete(ctx, c, here, id, false))(t) },
	}
	wrapped := []byte(nil)
	acts := map[string]func(id string) error{
		"wrap":     func(id string) error { _, err := s.KMS.Wrap(ctx, c, here, id, []byte("x"), nil); return err },
		"unwrap":   func(id string) error { _, err := s.KMS.Unwrap(ctx, c, here, id, wrapped, nil); return err },
		"rewrap":   func(id string) error { _, err := s.KMS.Rewrap(ctx, c, here, id, wrapped, nil); return err },
		"rotate":   func(id string) error { return s.KMS.Rotate(ctx, c, here, id, kms.Material{}) },
		"disable":  func(id string) error { return s.KMS.Disable(ctx, c, here, id) },
		"enable":   func(id string) error { return s.KMS.Enable(ctx, c, here, id) },
		"delete":   func(id string) error { _, err := s.KMS.Delete(ctx, c, here, id, false); return err },
		"restore":  func(id string) error { _, err := s.KMS.Restore(ctx, c, here, id, kms.Material{}); return err },
		"purge":    func(id string) error { _, err := s.KMS.Purge(ctx, c, here, id); return err },
		"metadata": func(id string) error { _, err := s.KMS.Key(ctx, c, here, id); return err },
		"patch":    func(id string) error { _, err := s.KMS.Patch(ctx, c, here, id, "default"); return err },
		"sync":     func(id string) error { return s.KMS.Sync(ctx, c, here, id) },
		"doom":     func(id string) error { return s.KMS.SetForDeletion(ctx, c, here, id) },
	}
	const (
		state, expired, deleted = kms.ReasonState, kms.ReasonExpired, kms.ReasonDeleted
		alone                   = kms.ReasonNotDualAuth
	)
	order := []string{"active", "suspended", "expired", "expired while suspended", "deleted"}
	for act, want := range map[string][5]kms.Reason{
		"wrap":     {"", state, expired, state, deleted},
		"unwrap":   {"", state, "", state, deleted},
		"rewrap":   {"", state, "", state, deleted},
		"rotate":   {"", state, "", state, deleted},
		"disable":  {"", state, state, state, deleted},
		"enable":   {state, "", state, "", deleted},
		"delete":   {"", "", "", "", deleted},
		"restore":  {state, state, state, state, ""},
		"purge":    {state, state, state, state, kms.ReasonTooEarly},
		"metadata": {},
		"patch":    {"", "", "", "", deleted},
		"sync":     {},
		"doom":     {alone, alone, alone, alone, deleted},
	} {
		for i, name := range order {
			key := s.key(func(in *kms.NewKey) { in.ExpiresAt = s.Clock.Now().Add(time.Hour) })
			wrapped = must(s.KMS.Wrap(ctx, c, here, key.ID, []byte("x"), nil))(t).Ciphertext
			states[name](key.ID)
			wantReason(t, act+" of a key that is "+name, acts[act](key.ID), want[i])
		}
	}
}

func TestStateIsShown(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key(func(in *kms.NewKey) { in.ExpiresAt = s.Clock.Now().Add(time.Hour) })
	shown := func() *kms.Key { return must(s.KMS.Key(ctx, s.root, here, key.ID))(t) }
	if k := shown(); k.State != identity.KeyActive || k.CRN != "crn:v1:bluemix:public:kms:us-south:a/123456789012:"+here.Instance+":key:"+key.ID {
		t.Errorf("%+v", k)
	}
	ok(t, s.KMS.Disable(ctx, s.root, here, key.ID))
	if k := shown(); k.State != identity.KeySuspended {
		t.Errorf("%+v", k)
	}
	ok(t, s.KMS.Enable(ctx, s.root, here, key.ID))
	s.Clock.Advance(time.Hour)
	if k := shown(); k.State != identity.KeyDeactivated {
		t.Errorf("%+v", k)
	}
	must(s.KMS.Delete(ctx, s.root, here, key.ID, false))(t)
	at := s.Clock.Now()
	if k := shown(); k.State != identity.KeyDestroyed || k.DeletedBy != s.root.IAMID() || k.PurgeAllowed ||
		!k.PurgeAllowedFrom.Equal(at.Add(4*time.Hour)) || !k.PurgeScheduledOn.Equal(at.Add(90*24*time.Hour)) {
		t.Errorf("%+v", k)
	}
}

// TestStandardKeys: they are kept and given, and do nothing else.
func TestStandardKeys(t *testing.T) {
	t.Parallel()
	s, ctx, c := newOffice(t), t.Context(), (*identity.Caller)(nil)
	c = s.root
	secret := identity.Secret(bytes.Repeat([]byte{0, 255}, kms.MaxPlaintext/2))
	key := s.key(func(in *kms.NewKey) { in.Extractable, in.Payload = true, secret })
	got, payload, err := s.KMS.Payload(ctx, c, here, key.ID)
	ok(t, err)
	if payload != secret || !got.Imported {
		t.Errorf("%d bytes came back", len(payload))
	}
	if _, payload, err := s.KMS.Payload(ctx, c, here, s.key(func(in *kms.NewKey) { in.Extractable = true }).ID); err != nil || len(payload) != 32 {
		t.Errorf("%v, %d bytes were generated", err, len(payload))
	}
	if _, payload, err := s.KMS.Payload(ctx, c, here, s.key().ID); err != nil || payload != "" {
		t.Errorf("%v, a root key gave %d bytes", err, len(payload))
	}
	_, err = s.KMS.Wrap(ctx, c, here, key.ID, nil, nil)
	wantReason(t, "wrap", err, kms.ReasonNotRoot)
	wantReason(t, "rotate", s.KMS.Rotate(ctx, c, here, key.ID, kms.Material{Payload: "x"}), kms.ReasonNotRoot)
	wantReason(t, "disable", s.KMS.Disable(ctx, c, here, key.ID), kms.ReasonNotRoot)
	wantReason(t, "sync", s.KMS.Sync(ctx, c, here, key.ID), kms.ReasonNotRoot)
	must(s.KMS.Delete(ctx, c, here, key.ID, false))(t)
	if _, payload, err := s.KMS.Payload(ctx, c, here, key.ID); err != nil || payload != "" {
		t.Errorf("%v, a deleted key gave %d bytes", err, len(payload))
	}
	_, err = s.KMS.Create(ctx, c, here, kms.NewKey{Name: "k", Extractable: true, Material: kms.Material{Payload: secret + "x"}})
	wantReason(t, "too long", err, kms.ReasonBadField)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	s, ctx, c := newOffice(t), t.Context(), (*identity.Caller)(nil)
	c = s.root
	key := s.key()
	aad := []string{"a"}
	var old [][]byte
	for range 4 {
		old = append(old, must(s.KMS.Wrap(ctx, c, here, key.ID, []byte("x"), aad))(t).Ciphertext)
		s.Clock.Advance(time.Second)
		ok(t, s.KMS.Rotate(ctx, c, here, key.ID, kms.Material{}))
	}
	now := must(s.KMS.Key(ctx, c, here, key.ID))(t)
	all, total, err := s.KMS.Versions(ctx, c, here, key.ID, 0, 10, false)
	ok(t, err)
	if now.Versions != 5 || !now.RotatedAt.Equal(s.Clock.Now()) || total != 5 || len(all) != 5 || all[0] != now.Version || all[4] != key.Version {
		t.Errorf("%+v, %v", now, all)
	}
	for _, v := range [][3]int{{0, 2, 0}, {1, 3, 1}, {3, 9, 3}, {5, 1, 5}, {9, 0, 5}, {0, 0, 0}} {
		page, _, err := s.KMS.Versions(ctx, c, here, key.ID, v[0], v[1], false)
		ok(t, err)
		if want := all[v[2]:min(5, v[2]+v[1])]; !slices.Equal(page, want) {
			t.Errorf("page %v: %v, want %v", v, page, want)
		}
	}
	for i, w := range old {
		u := must(s.KMS.Unwrap(ctx, c, here, key.ID, w, aad))(t)
		if string(u.Plaintext) != "x" || u.Version != all[4-i] || u.Newest != now.Version || u.Ciphertext == nil {
			t.Errorf("%d: %+v", i, u)
		}
		again := must(s.KMS.Unwrap(ctx, c, here, key.ID, u.Ciphertext, aad))(t)
		if string(again.Plaintext) != "x" || again.Version != now.Version || again.Ciphertext != nil {
			t.Errorf("%d: %+v", i, again)
		}
		r := must(s.KMS.Rewrap(ctx, c, here, key.ID, w, aad))(t)
		if r.Plaintext != nil || r.Version != all[4-i] || r.Newest != now.Version {
			t.Errorf("%d: %+v", i, r)
		}
		if u := must(s.KMS.Unwrap(ctx, c, here, key.ID, r.Ciphertext, aad))(t); string(u.Plaintext) != "x" || u.Ciphertext != nil {
			t.Errorf("%d: %+v", i, u)
		}
	}
	wantReason(t, "with material", s.KMS.Rotate(ctx, c, here, key.ID, kms.Material{Payload: "0123456789abcdef"}), kms.ReasonNotImported)
}

// TestSettings are the waiting times, which are off unless they are set.
func TestSettings(t *testing.T) {
	t.Parallel()
	s, ctx, c := newOffice(t), t.Context(), (*identity.Caller)(nil)
	c = s.root
	s.settings(func(o *kms.Options) {
		o.RotateEvery, o.EnableAfter, o.PurgeAfter = time.Hour, 30*time.Second, time.Minute
	})
	key := s.key()
	rotate := func() error { return s.KMS.Rotate(ctx, c, here, key.ID, kms.Material{}) }
	wantReason(t, "the first rotation", rotate(), "")
	wantReason(t, "the second", rotate(), kms.ReasonRotationTooEarly)
	s.Clock.Advance(time.Hour)
	wantReason(t, "after an hour", rotate(), "")
	ok(t, s.KMS.Disable(ctx, c, here, key.ID))
	wantReason(t, "enable", s.KMS.Enable(ctx, c, here, key.ID), kms.ReasonTooEarly)
	s.Clock.Advance(30 * time.Second)
	wantReason(t, "enable later", s.KMS.Enable(ctx, c, here, key.ID), "")
	must(s.KMS.Delete(ctx, c, here, key.ID, false))(t)
	_, err := s.KMS.Restore(ctx, c, here, key.ID, kms.Material{})
	wantReason(t, "restore", err, kms.ReasonTooEarly)
	_, err = s.KMS.Purge(ctx, c, here, key.ID)
	wantReason(t, "purge", err, kms.ReasonTooEarly)
	s.Clock.Advance(time.Minute)
	_, err = s.KMS.Purge(ctx, c, here, key.ID)
	wantReason(t, "purge later", err, "")
}

// TestCreateIsRefused tries what people may not write into a key.
func TestCreateIsRefused(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	s.key(func(in *kms.NewKey) { in.Aliases = []string{"taken"} })
	long := string(bytes.Repeat([]byte("x"), 300))
	for name, v := range map[string]struct {
		at     kms.At
		change func(*kms.NewKey)
		want   kms.Reason
	}{
		"no name":              {here, func(in *kms.NewKey) { in.Name = "" }, kms.ReasonBadField},
		"a long name":          {here, func(in *kms.NewKey) { in.Name = long }, kms.ReasonBadField},
		"a line feed":          {here, func(in *kms.NewKey) { in.Name = "a\nb" }, kms.ReasonBadField},
		"a long description":   {here, func(in *kms.NewKey) { in.Description = long }, kms.ReasonBadField},
		"many tags":            {here, func(in *kms.NewKey) { in.Tags = make([]string, 31) }, kms.ReasonBadField},
		"a long tag":           {here, func(in *kms.NewKey) { in.Tags = []string{long} }, kms.ReasonBadField},
		"an alias too many":    {here, func(in *kms.NewKey) { in.Aliases = make([]string, 6) }, kms.ReasonLimit},
		"a short alias":        {here, func(in *kms.NewKey) { in.Aliases = []string{"a"} }, kms.ReasonBadField},
		"a UUID as alias":      {here, func(in *kms.NewKey) { in.Aliases = []string{here.Instance} }, kms.ReasonBadField},
		"an alias twice":       {here, func(in *kms.NewKey) { in.Aliases = []string{"aa", "aa"} }, kms.ReasonExists},
		"an alias taken":       {here, func(in *kms.NewKey) { in.Aliases = []string{"taken"} }, kms.ReasonExists},
		"that alias elsewhere": {there, func(in *kms.NewKey) { in.Aliases = []string{"taken"} }, ""},
		"the past":             {here, func(in *kms.NewKey) { in.ExpiresAt = s.Clock.Now() }, kms.ReasonBadField},
		"no such ring":         {kms.At{Instance: here.Instance, Ring: "x"}, func(*kms.NewKey) {}, kms.ReasonNotFound},
		"a short root key":     {here, func(in *kms.NewKey) { in.Payload = "0123456789abcde" }, kms.ReasonBadField},
		"thirteen months":      {here, func(in *kms.NewKey) { in.Policies = &kms.KeyPolicies{RotationMonths: 13} }, kms.ReasonBadField},
		"rotation of what is imported": {here, func(in *kms.NewKey) {
			in.Payload, in.Policies = "0123456789abcdef", &kms.KeyPolicies{RotationMonths: 1}
		}, kms.ReasonPolicyConflict},
	} {
		in := kms.NewKey{Name: "k"}
		v.change(&in)
		_, err := s.KMS.Create(ctx, s.root, v.at, in)
		wantReason(t, name, err, v.want)
	}
}

// TestNewKeysInherit what is enabled for the instance, unless they are made with
// policies of their own.
func TestNewKeysInherit(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	set := func(rotation, dual bool) {
		must(s.DB.Update(t.Context(), func(tx store.Tx) error {
			return store.KMSInstances.Put(tx, &identity.KMSInstance{ID: here.Instance, Policies: map[string]identity.KMSPolicy{
				"rotation": {Enabled: rotation, Months: 3}, "dualAuthDelete": {Enabled: dual},
			}})
		}))(t)
	}
	imported := func(in *kms.NewKey) { in.Payload = "0123456789abcdef" }
	own := func(p kms.KeyPolicies) func(*kms.NewKey) { return func(in *kms.NewKey) { in.Policies = &p } }
	for _, v := range []struct {
		name           string
		rotation, dual bool
		change         func(*kms.NewKey)
		months         int
		both           bool
	}{
		{"nothing enabled", false, false, func(*kms.NewKey) {}, 0, false},
		{"all enabled", true, true, func(*kms.NewKey) {}, 3, true},
		{"imported", true, true, imported, 0, true},
		{"no policies of its own", true, true, own(kms.KeyPolicies{}), 0, false},
		{"its own", false, false, own(kms.KeyPolicies{RotationMonths: 5, RotationEnabled: true, DualAuth: true}), 5, true},
	} {
		set(v.rotation, v.dual)
		key := s.key(v.change)
		months := 0
		if key.Rotation != nil && key.Rotation.Enabled {
			months = key.Rotation.Months
		}
		if months != v.months || (key.DualAuth != nil && key.DualAuth.Enabled) != v.both {
			t.Errorf("%s: %d months, dual authorisation %v", v.name, months, key.DualAuth)
		}
	}
}

// TestPoliciesOfItsOwn: they may be fewer than the instance demands, so they take the
// right to set policies.
func TestPoliciesOfItsOwn(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	for role, may := range map[string]bool{"Writer": false, "Manager": true} {
		c := s.robot(role)
		must(s.KMS.Create(ctx, c, here, kms.NewKey{Name: "k"}))(t)
		_, err := s.KMS.Create(ctx, c, here, kms.NewKey{Name: "k", Policies: &kms.KeyPolicies{}})
		if denied := identity.KindOf(err) == identity.KindAccessDenied; denied == may || may && err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// TestVersionsAreBounded for who rotates by hand.
func TestVersionsAreBounded(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key()
	must(s.DB.Update(ctx, func(tx store.Tx) error {
		k := *must(store.KMSKeys.Get(tx, key.ID))(t)
		k.Versions = 10_000
		return store.KMSKeys.Put(tx, &k)
	}))(t)
	wantReason(t, "one more", s.KMS.Rotate(ctx, s.root, here, key.ID, kms.Material{}), kms.ReasonLimit)
}

// TestRefusedChangesAreNoted: a change that the rules refuse is in the log, as one
// that is denied is.
func TestRefusedChangesAreNoted(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key(func(in *kms.NewKey) { in.Policies = &kms.KeyPolicies{DualAuth: true} })
	_, err := s.KMS.Delete(ctx, s.root, here, key.ID, false)
	wantReason(t, "alone", err, kms.ReasonDualAuth)
	wantReason(t, "enabled", s.KMS.Enable(ctx, s.root, here, key.ID), kms.ReasonState)
	_, err = s.KMS.Restore(ctx, s.root, here, key.ID, kms.Material{})
	wantReason(t, "restored", err, kms.ReasonState)
	wantReason(t, "rotated", s.KMS.Rotate(ctx, s.root, here, key.ID, kms.Material{Payload: "0123456789abcdef"}), kms.ReasonNotImported)
	_, err = s.KMS.Create(ctx, s.root, here, kms.NewKey{Name: "k", Material: kms.Material{Payload: "short"}})
	wantReason(t, "made", err, kms.ReasonBadField)
	log := s.AuditLines(t)
	for _, name := range []string{"secrets.delete", "secrets.enable", "secrets.restore", "secrets.rotate", "secrets.create"} {
		found := false
		for line := range strings.Lines(log) {
			found = found || strings.Contains(line, `"`+name+`"`) && strings.Contains(line, `"errorCode"`)
		}
		if !found {
			t.Errorf("%s is not in the log as refused", name)
		}
	}
}
