package kms_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/kms"
	"daypass/internal/store"
)

// rows counts what the store holds of a key, in all tables.
func (o *office) rows(id string) int {
	o.t.Helper()
	n := 0
	ok(o.t, o.DB.View(o.t.Context(), func(r store.Reader) error {
		n = 0
		for _, table := range []string{"kms_keys", "kms_slots", "kms_versions", "kms_registrations", "kms_uses"} {
			rows, err := r.Rows(table, "", id, store.After{}, 0)
			if err != nil {
				return err
			}
			n += len(rows)
		}
		return nil
	}))
	return n
}

// register writes a registration of a key.
func (o *office) register(key *kms.Key, prevents bool) *identity.KMSRegistration {
	o.t.Helper()
	r := &identity.KMSRegistration{Instance: key.Instance, KeyID: key.ID, Resource: "crn:x", PreventsDelete: prevents}
	must(o.DB.Update(o.t.Context(), func(tx store.Tx) error { return store.KMSRegistrations.Put(tx, r) }))(o.t)
	return r
}

func TestDeletePurge(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key(func(in *kms.NewKey) { in.Aliases = []string{"first"} })
	w := must(s.KMS.Wrap(ctx, s.root, here, key.ID, []byte("x"), nil))(t)
	ok(t, s.KMS.Rotate(ctx, s.root, here, key.ID, kms.Material{}))
	s.register(key, false)
	ok(t, s.KMS.FlushUses(ctx))
	if n := s.rows(key.ID); n != 6 {
		t.Fatalf("%d rows of the key before, want 6", n)
	}
	must(s.KMS.Delete(ctx, s.root, here, "first", true))(t)
	s.Clock.Advance(4*time.Hour - 1)
	_, err := s.KMS.Purge(ctx, s.root, here, "first")
	wantReason(t, "too early", err, kms.ReasonTooEarly)
	s.Clock.Advance(1)
	gone := must(s.KMS.Purge(ctx, s.root, here, "first"))(t)
	if gone.ID != key.ID || gone.State != identity.KeyDestroyed {
		t.Errorf("%+v", gone)
	}
	ok(t, s.KMS.FlushUses(ctx))
	if n := s.rows(key.ID); n != 0 {
		t.Errorf("%d rows of the key are left", n)
	}
	for _, id := range []string{key.ID, "first"} {
		_, err = s.KMS.Unwrap(ctx, s.root, here, id, w.Ciphertext, nil)
		wantReason(t, "afterwards", err, kms.ReasonNotFound)
	}
	s.key(func(in *kms.NewKey) { in.Aliases = []string{"first"} }) // the alias is free
	if log := s.AuditLines(t); strings.Count(log, `"secrets.purge"`) != 2 || strings.Count(log, "deleted a short time ago") != 1 {
		t.Error("the purge, and the one that was too early, are not in the log once each")
	}
}

func TestRegistrationsKeepKeys(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	for _, v := range []struct {
		prevents, force bool
		want            kms.Reason
	}{
		{false, false, kms.ReasonProtected},
		{false, true, ""},
		{true, false, kms.ReasonDeletionPrevented},
		{true, true, kms.ReasonDeletionPrevented},
	} {
		key := s.key()
		s.register(key, v.prevents)
		_, err := s.KMS.Delete(ctx, s.root, here, key.ID, v.force)
		wantReason(t, "delete", err, v.want)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	s, ctx, none := newOffice(t), t.Context(), kms.Material{}
	made := kms.Material{Payload: "0123456789abcdef"}
	for _, v := range []struct {
		name   string
		change func(*kms.NewKey)
		after  time.Duration
		in     kms.Material
		want   kms.Reason
	}{
		{"at once", func(*kms.NewKey) {}, 0, none, ""},
		{"on the last day", func(*kms.NewKey) {}, 30*24*time.Hour - 1, none, ""},
		{"after it", func(*kms.NewKey) {}, 30 * 24 * time.Hour, none, kms.ReasonRestoreExpired},
		{"an expired one", func(in *kms.NewKey) { in.ExpiresAt = s.Clock.Now().Add(time.Hour) }, time.Hour, none, kms.ReasonExpired},
		{"with material, generated", func(*kms.NewKey) {}, 0, made, kms.ReasonNotImported},
		{"imported", func(in *kms.NewKey) { in.Material = made }, 0, none, ""},
		{"imported, with its material", func(in *kms.NewKey) { in.Material = made }, 0, made, ""},
		{"imported, with other material", func(in *kms.NewKey) { in.Material = made }, 0, kms.Material{Payload: "0123456789abcdeF"}, kms.ReasonBadField},
	} {
		key := s.key(v.change)
		w := must(s.KMS.Wrap(ctx, s.root, here, key.ID, []byte("x"), nil))(t)
		must(s.KMS.Delete(ctx, s.root, here, key.ID, false))(t)
		s.Clock.Advance(v.after)
		_, err := s.KMS.Restore(ctx, s.root, here, key.ID, v.in)
		wantReason(t, v.name, err, v.want)
		if _, err := s.KMS.Unwrap(ctx, s.root, here, key.ID, w.Ciphertext, nil); (err == nil) != (v.want == "") {
			t.Errorf("%s: unwrap afterwards: %v", v.name, err)
		}
	}
}

// TestRestoredAsItWas: who may delete and restore a key cannot enable it by that.
func TestRestoredAsItWas(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	key := s.key()
	again := func(what string, want identity.KeyState) {
		must(s.KMS.Delete(ctx, s.root, here, key.ID, false))(t)
		if k := must(s.KMS.Restore(ctx, s.root, here, key.ID, kms.Material{}))(t); k.State != want {
			t.Errorf("%s, a key came back in state %d, want %d", what, k.State, want)
		}
	}
	again("active", identity.KeyActive)
	ok(t, s.KMS.Disable(ctx, s.root, here, key.ID))
	again("disabled", identity.KeySuspended)
	ok(t, s.KMS.Enable(ctx, s.root, here, key.ID))
	again("enabled again", identity.KeyActive)
}

// TestTwoMustAgree to a deletion, and they must be two.
func TestTwoMustAgree(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	service := func() (string, *identity.Caller) {
		u := must(s.Directory.CreateServiceID(ctx, s.root, directory.NewServiceID{Name: "robot"}))(t)
		s.grant(u.ID, nil, "Manager")
		return u.ID, s.login(s.apiKey(u.ID))
	}
	id, one := service()
	again := s.login(s.apiKey(id)) // by another API key
	_, two := service()
	profile := must(s.Directory.CreateTrustedProfile(ctx, s.root, directory.NewTrustedProfile{Name: "deployer"}))(t)
	s.grant(profile.ID, nil, "Manager")
	must(s.Directory.AddProfileIdentity(ctx, s.root, profile.Name, identity.ProfileIdentity{Type: "serviceid", Identifier: one.IAMID()}))(t)
	tokens := must(s.Issuer.IBMAPIKey(ctx, s.apiKey(id), "", issue.IBMClient{}))(t)
	became := must(s.Issuer.IBMAssume(ctx, issue.IBMAssumeGrant{Access: tokens.Access, Profile: issue.IBMProfileName{ID: profile.Name}}))(t)
	behind := must(s.Access.IBMToken(ctx, became.Access))(t)
	for _, c := range []*identity.Caller{one, again, two, behind} {
		c.ExpiresAt = s.Clock.Now().AddDate(1, 0, 0) // longer than the case of a week
	}

	for _, v := range []struct {
		name          string
		first, second *identity.Caller
		between       func(key string)
		want          kms.Reason
	}{
		{"two", one, two, nil, ""},
		{"nobody first", nil, two, nil, kms.ReasonDualAuth},
		{"one alone", one, one, nil, kms.ReasonDualAuth},
		{"one with two API keys", one, again, nil, kms.ReasonDualAuth},
		{"one behind a profile", one, behind, nil, kms.ReasonDualAuth},
		{"one in front of it", behind, one, nil, kms.ReasonDualAuth},
		{"another behind a profile", behind, two, nil, ""},
		{"root and a service ID whose API key it made", s.root, one, nil, kms.ReasonDualAuth},
		{"after a week", one, two, func(string) { s.Clock.Advance(7 * 24 * time.Hour) }, kms.ReasonDualAuth},
		{"taken back", one, two, func(key string) { ok(t, s.KMS.UnsetForDeletion(ctx, s.root, here, key)) }, kms.ReasonDualAuth},
		{"restored meanwhile", one, two, func(key string) {
			must(s.KMS.Delete(ctx, two, here, key, false))(t)
			must(s.KMS.Restore(ctx, two, here, key, kms.Material{}))(t)
		}, kms.ReasonDualAuth},
		{"revoked meanwhile", one, two, func(string) {
			must(s.DB.Update(ctx, func(tx store.Tx) error {
				return s.Access.Revoke(tx, identity.Revocation{Kind: identity.LineagePrincipal, ID: one.PrincipalID})
			}))(t)
		}, kms.ReasonDualAuth},
	} {
		key := s.key(func(in *kms.NewKey) { in.Policies = &kms.KeyPolicies{DualAuth: true} })
		if v.first != nil {
			ok(t, s.KMS.SetForDeletion(ctx, v.first, here, key.ID))
		}
		if v.between != nil {
			v.between(key.ID)
		}
		_, err := s.KMS.Delete(ctx, v.second, here, key.ID, true)
		wantReason(t, v.name, err, v.want)
	}
}
