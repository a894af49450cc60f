package access_test

import (
	"testing"
	"time"

	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestRoleLastUsed: a role's use is noted at most once a minute per session,
// and with the session's latest region.
func TestRoleLastUsed(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	keys, _ := roleKeys(t, s)
	began := s.Clock.Now()
	var id string
	for _, step := range []struct{ wait, want time.Duration }{
		{0, 0}, {59 * time.Second, 0}, {time.Second, time.Minute}, {30 * time.Minute, 31 * time.Minute},
	} {
		s.Clock.Advance(step.wait)
		c, err := authenticate(s, request(t, s, keys))
		if err != nil {
			t.Fatal(err)
		}
		id = c.PrincipalID
		if err := s.Access.FlushUses(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = s.DB.View(t.Context(), func(r store.Reader) error {
			use, err := store.Uses.Get(r, id)
			if err == nil && (use.At.Sub(began) != step.want || use.Region != "us-east-1") {
				t.Errorf("after %s: %+v, want %s after the start", step.wait, use, step.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A role that is gone meanwhile leaves no note.
	s.Clock.Advance(10 * time.Minute)
	if _, err := authenticate(s, request(t, s, keys)); err != nil {
		t.Fatal(err)
	}
	_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		if err := store.Uses.Delete(tx, id); err != nil {
			return err
		}
		return store.Roles.Delete(tx, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Access.FlushUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = s.DB.View(t.Context(), func(r store.Reader) error {
		_, err := store.Uses.Get(r, id)
		return err
	})
	if err == nil {
		t.Error("a deleted role was used")
	}
}
