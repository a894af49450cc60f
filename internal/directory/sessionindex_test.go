package directory_test

import (
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

func TestSessionIndex(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	keys, set := session(t, s)
	if err := s.Index.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	accepted(t, s, keys)
	if err := s.Access.FlushUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := s.Directory.GetSession(t.Context(), s.Operator(), keys.AccessKeyID)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != directory.SessionActive || got.ARN != "arn:aws:sts::123456789012:assumed-role/shasta-admin/session" || got.Login != set.SessionState ||
		!got.LastSeen.Equal(s.Clock.Now()) || !got.ExpiresAt.Equal(keys.Expiration) || got.Provider == "" {
		t.Errorf("%+v", got)
	}
	for name, tc := range map[string]struct {
		f    directory.SessionFilter
		want int
	}{
		"all":              {directory.SessionFilter{}, 1},
		"active":           {directory.SessionFilter{Active: true}, 1},
		"account":          {directory.SessionFilter{AccountID: stacktest.AccountA}, 1},
		"other account":    {directory.SessionFilter{AccountID: stacktest.AccountB}, 0},
		"role":             {directory.SessionFilter{Principal: roleARNA}, 1},
		"assumed role":     {directory.SessionFilter{Principal: got.ARN}, 1},
		"other session":    {directory.SessionFilter{Principal: got.ARN + "x"}, 0},
		"other role":       {directory.SessionFilter{Principal: readerARN}, 0},
		"unique ID":        {directory.SessionFilter{Principal: got.PrincipalID}, 1},
		"active of a role": {directory.SessionFilter{Principal: roleARNA, Active: true}, 1},
	} {
		list, err := s.Directory.ListSessions(t.Context(), s.Operator(), tc.f)
		if err != nil || len(list) != tc.want {
			t.Errorf("%s: %v, %d sessions, want %d", name, err, len(list), tc.want)
		}
	}
	s.Clock.Advance(2 * time.Hour)
	if got, _ := s.Directory.GetSession(t.Context(), s.Operator(), keys.AccessKeyID); got.State != directory.SessionExpired {
		t.Errorf("after its time: %s", got.State)
	}
	if list, _ := s.Directory.ListSessions(t.Context(), s.Operator(), directory.SessionFilter{Active: true}); len(list) != 0 {
		t.Errorf("active after its time: %d", len(list))
	}
	s.Clock.Advance(24 * time.Hour)
	if err := s.Index.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Directory.GetSession(t.Context(), s.Operator(), keys.AccessKeyID); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("after a day more: %v", err)
	}
}

// TestSessionIndexIsBounded: beyond the bound sessions are counted, not kept,
// and what is kept is written in order of arrival, by many transactions.
func TestSessionIndexIsBounded(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	x := directory.NewSessionIndex(s.DB, s.Clock)
	const bound, over = 16384, 10
	record := store.SessionRecord{AccountID: "1", PrincipalID: "p", ExpiresAt: s.Clock.Now().Add(time.Hour)}
	for i := range bound + over {
		r := record
		r.AccessKeyID = "ASIA" + store.EpochKey(uint32(i))
		x.Add(r)
	}
	if got := x.Dropped(); got != over {
		t.Errorf("dropped %d, want %d", got, over)
	}
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := s.DB.View(t.Context(), func(r store.Reader) error {
		list, err := store.SessionRecords.List(r, "", "", store.After{}, 0)
		n = len(list)
		return err
	}); err != nil || n != bound {
		t.Errorf("%v, %d rows, want %d", err, n, bound)
	}
	s.Clock.Advance(26 * time.Hour)
	if err := x.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.DB.View(t.Context(), func(r store.Reader) error {
		list, err := store.SessionRecords.List(r, "", "", store.After{}, 1)
		n = len(list)
		return err
	}); err != nil || n != 0 {
		t.Errorf("%v, %d rows after Prune", err, n)
	}
}
