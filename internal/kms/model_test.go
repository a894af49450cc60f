package kms_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// modelKey is what a root key should be.
type modelKey struct {
	id        string
	imported  bool
	state     identity.KeyState
	disabled  bool
	expires   time.Time
	deletedAt time.Time
	purged    bool
	versions  int
	wrapped   []modelBox
}

type modelBox struct {
	ciphertext, plaintext, aad string
	version                    int
}

func (m *modelKey) expired(now time.Time) bool { return !m.expires.IsZero() && !now.Before(m.expires) }

// refusal is why a use would be refused; wrapping is more than expired keys do.
func (m *modelKey) refusal(now time.Time, wrapping bool) kms.Reason {
	switch {
	case m.purged:
		return kms.ReasonNotFound
	case m.state == identity.KeyDestroyed:
		return kms.ReasonDeleted
	case m.state == identity.KeySuspended:
		return kms.ReasonState
	case m.expired(now) && wrapping:
		return kms.ReasonExpired
	}
	return ""
}

// TestModel runs random calls on a few keys and compares with the model after each.
func TestModel(t *testing.T) {
	t.Parallel()
	s, ctx := newOffice(t), t.Context()
	const material = "0123456789abcdef"
	rapid.Check(t, func(rt *rapid.T) {
		var keys []*modelKey
		pick := func() *modelKey {
			if len(keys) == 0 {
				rt.Skip("no key yet")
			}
			return keys[rapid.IntRange(0, len(keys)-1).Draw(rt, "key")]
		}
		agree := func(what string, err error, want kms.Reason) bool {
			if (err == nil) != (want == "") || kms.ReasonOf(err) != want {
				rt.Fatalf("%s: %v (reason %q), want %q", what, err, kms.ReasonOf(err), want)
			}
			return err == nil
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				if len(keys) == 3 {
					rt.Skip("enough keys")
				}
				in, m := kms.NewKey{Name: "k"}, &modelKey{state: identity.KeyActive, versions: 1}
				if m.imported = rapid.Bool().Draw(rt, "imported"); m.imported {
					in.Payload = material
				}
				if rapid.IntRange(0, 3).Draw(rt, "expires") == 0 {
					m.expires = s.Clock.Now().Add(20 * 24 * time.Hour)
					in.ExpiresAt = m.expires
				}
				key, err := s.KMS.Create(ctx, s.root, here, in)
				agree("create", err, "")
				m.id = key.ID
				keys = append(keys, m)
			},
			"wrap": func(rt *rapid.T) {
				m := pick()
				b := modelBox{plaintext: rapid.StringN(1, 20, -1).Draw(rt, "plaintext"), aad: rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "aad"), version: m.versions}
				w, err := s.KMS.Wrap(ctx, s.root, here, m.id, []byte(b.plaintext), []string{b.aad})
				if agree("wrap", err, m.refusal(s.Clock.Now(), true)) {
					b.ciphertext = string(w.Ciphertext)
					m.wrapped = append(m.wrapped, b)
				}
			},
			"unwrap": func(rt *rapid.T) {
				m, other := pick(), pick()
				if len(m.wrapped) == 0 {
					rt.Skip("nothing is wrapped")
				}
				b := m.wrapped[rapid.IntRange(0, len(m.wrapped)-1).Draw(rt, "which")]
				want := other.refusal(s.Clock.Now(), false)
				if want == "" && other != m {
					want = kms.ReasonCiphertext
				}
				u, err := s.KMS.Unwrap(ctx, s.root, here, other.id, []byte(b.ciphertext), []string{b.aad})
				if agree("unwrap", err, want) && (string(u.Plaintext) != b.plaintext || (u.Ciphertext != nil) != (b.version < m.versions)) {
					rt.Fatalf("%+v of %+v", u, b)
				}
				if want == "" {
					_, err := s.KMS.Unwrap(ctx, s.root, here, other.id, []byte(b.ciphertext), []string{b.aad + "x"})
					agree("unwrap with other data", err, kms.ReasonCiphertext)
				}
			},
			"rotate": func(rt *rapid.T) {
				m, in := pick(), kms.Material{}
				if m.imported {
					in.Payload = material
				}
				if agree("rotate", s.KMS.Rotate(ctx, s.root, here, m.id, in), m.refusal(s.Clock.Now(), false)) {
					m.versions++
				}
			},
			"disable": func(rt *rapid.T) {
				m := pick()
				want := m.refusal(s.Clock.Now(), false)
				if want == "" && m.expired(s.Clock.Now()) {
					want = kms.ReasonState
				}
				if agree("disable", s.KMS.Disable(ctx, s.root, here, m.id), want) {
					m.state, m.disabled = identity.KeySuspended, true
				}
			},
			"enable": func(rt *rapid.T) {
				m := pick()
				want := m.refusal(s.Clock.Now(), false)
				switch want {
				case kms.ReasonState:
					want = ""
				case "":
					want = kms.ReasonState
				}
				if agree("enable", s.KMS.Enable(ctx, s.root, here, m.id), want) {
					m.state, m.disabled = identity.KeyActive, false
				}
			},
			"delete": func(rt *rapid.T) {
				m := pick()
				want := m.refusal(s.Clock.Now(), false)
				if want == kms.ReasonState {
					want = ""
				}
				_, err := s.KMS.Delete(ctx, s.root, here, m.id, false)
				if agree("delete", err, want) {
					m.state, m.deletedAt = identity.KeyDestroyed, s.Clock.Now()
				}
			},
			"restore": func(rt *rapid.T) {
				m, now, want := pick(), s.Clock.Now(), kms.Reason("")
				switch {
				case m.purged:
					want = kms.ReasonNotFound
				case m.state != identity.KeyDestroyed:
					want = kms.ReasonState
				case !now.Before(m.deletedAt.Add(30 * 24 * time.Hour)):
					want = kms.ReasonRestoreExpired
				case m.expired(now):
					want = kms.ReasonExpired
				}
				_, err := s.KMS.Restore(ctx, s.root, here, m.id, kms.Material{})
				if agree("restore", err, want) {
					if m.state = identity.KeyActive; m.disabled {
						m.state = identity.KeySuspended
					}
				}
			},
			"purge": func(rt *rapid.T) {
				m, want := pick(), kms.Reason("")
				switch {
				case m.purged:
					want = kms.ReasonNotFound
				case m.state != identity.KeyDestroyed:
					want = kms.ReasonState
				case s.Clock.Now().Before(m.deletedAt.Add(4 * time.Hour)):
					want = kms.ReasonTooEarly
				}
				_, err := s.KMS.Purge(ctx, s.root, here, m.id)
				if agree("purge", err, want) {
					m.purged = true
				}
			},
			"wait": func(rt *rapid.T) {
				s.Clock.Advance(rapid.SampledFrom([]time.Duration{time.Minute, 4 * time.Hour, 10 * 24 * time.Hour, 40 * 24 * time.Hour}).Draw(rt, "time"))
				ok(t, s.KMS.Tick(ctx))
				for _, m := range keys {
					m.purged = m.purged || m.state == identity.KeyDestroyed && !s.Clock.Now().Before(m.deletedAt.Add(90*24*time.Hour))
				}
			},
			"": func(rt *rapid.T) {
				for _, m := range keys {
					key, err := s.KMS.Key(ctx, s.root, here, m.id)
					if m.purged {
						agree("metadata", err, kms.ReasonNotFound)
						continue
					}
					want := m.state
					if want == identity.KeyActive && m.expired(s.Clock.Now()) {
						want = identity.KeyDeactivated
					}
					if err != nil || key.State != want || key.Versions != m.versions {
						rt.Fatalf("%v, %+v, want %+v", err, key, m)
					}
				}
			},
		})
	})
}
