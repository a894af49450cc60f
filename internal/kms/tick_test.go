package kms_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// TestRotationPolicies rotate what is due, and nothing else.
func TestRotationPolicies(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	monthly := func(n int, enabled bool) func(*kms.NewKey) {
		return func(in *kms.NewKey) {
			in.Policies = &kms.KeyPolicies{RotationMonths: n, RotationEnabled: enabled}
		}
	}
	every := s.key(monthly(1, true))
	slow := s.key(monthly(2, true))
	off := s.key(monthly(1, false))
	soon := s.key(monthly(1, true), func(in *kms.NewKey) { in.ExpiresAt = s.Clock.Now().AddDate(0, 0, 20) })
	disabled := s.key(monthly(1, true))
	deleted := s.key(monthly(1, true))
	ok(t, s.KMS.Disable(ctx, s.root, here, disabled.ID))
	must(s.KMS.Delete(ctx, s.root, here, deleted.ID, false))(t)
	plain := s.key()
	w := must(s.KMS.Wrap(ctx, s.root, here, every.ID, []byte("x"), nil))(t)
	versions := func() (out []int) {
		for _, k := range []*kms.Key{every, slow, off, soon, disabled, deleted, plain} {
			out = append(out, must(s.KMS.Key(ctx, s.root, here, k.ID))(t).Versions)
		}
		return out
	}
	begin := s.Clock.Now()
	for _, v := range []struct {
		at   time.Time
		want string
	}{
		{begin.AddDate(0, 1, 0).Add(-time.Second), "1 1 1 1 1 1 1"},
		{begin.AddDate(0, 1, 0), "2 1 1 1 1 1 1"},
		{begin.AddDate(0, 2, 0), "3 2 1 1 1 1 1"},
	} {
		s.Clock.Advance(v.at.Sub(s.Clock.Now()))
		for range 2 { // the second finds nothing
			ok(t, s.KMS.Tick(ctx))
		}
		if got := spaced(versions()); got != v.want {
			t.Errorf("at %s: versions %s, want %s", v.at, got, v.want)
		}
	}
	u := must(s.KMS.Unwrap(ctx, s.root, here, every.ID, w.Ciphertext, nil))(t)
	if string(u.Plaintext) != "x" || u.Ciphertext == nil {
		t.Errorf("%+v", u)
	}
	if log := s.AuditLines(t); strings.Count(log, `"eventName":"secrets.rotate"`) != 3 || !strings.Contains(log, `"type":"Service"`) {
		t.Error("the log does not tell of three rotations by the service")
	}
}

func spaced(list []int) string {
	out := ""
	for _, n := range list {
		out += " " + string(rune('0'+n))
	}
	return strings.TrimSpace(out)
}

// TestManyRotations: a tick does a bounded part, and the next ones the rest.
func TestManyRotations(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	var ids []string
	for range 130 {
		ids = append(ids, s.key(func(in *kms.NewKey) { in.Policies = &kms.KeyPolicies{RotationMonths: 1, RotationEnabled: true} }).ID)
	}
	s.Clock.Advance(40 * 24 * time.Hour)
	for _, want := range []int{100, 130, 130} {
		ok(t, s.KMS.Tick(ctx))
		n := 0
		for _, id := range ids {
			n += must(s.KMS.Key(ctx, s.root, here, id))(t).Versions - 1
		}
		if n != want {
			t.Errorf("%d keys are rotated, want %d", n, want)
		}
	}
}

// TestDeletedKeysArePurged after 90 days, and those that were restored are not.
func TestDeletedKeysArePurged(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	first, restored, living := s.key(), s.key(), s.key()
	must(s.KMS.Delete(ctx, s.root, here, first.ID, false))(t)
	must(s.KMS.Delete(ctx, s.root, here, restored.ID, false))(t)
	must(s.KMS.Restore(ctx, s.root, here, restored.ID, kms.Material{}))(t)
	s.Clock.Advance(90*24*time.Hour - 1)
	ok(t, s.KMS.Tick(ctx))
	if n := s.rows(first.ID); n != 3 {
		t.Errorf("%d rows before the time", n)
	}
	s.Clock.Advance(1)
	ok(t, s.KMS.Tick(ctx))
	if n := s.rows(first.ID); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	for _, k := range []*kms.Key{restored, living} {
		if got := must(s.KMS.Key(ctx, s.root, here, k.ID))(t); got.State != identity.KeyActive {
			t.Errorf("%+v", got)
		}
	}
}
