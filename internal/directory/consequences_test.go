package directory_test

import (
	"strings"
	"testing"
	"time"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// TestAppliedChangesEndSessions: what a changed site ends, and what it spares.
func TestAppliedChangesEndSessions(t *testing.T) {
	t.Parallel()
	const more = `[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + stacktest.AccountA + `:root"},"Action":"sts:AssumeRole"},`
	widen := func(trust string) string {
		return strings.TrimSuffix(strings.Replace(trust, `"Statement":`, `"Statement":`+more, 1), "}") + "]}"
	}
	for name, tc := range map[string]struct {
		change       func(*directory.SiteSpec)
		own, foreign bool // whether the sessions live on
	}{
		"nothing":              {func(*directory.SiteSpec) {}, true, true},
		"trust widened":        {func(s *directory.SiteSpec) { s.Roles[0].Trust = widen(s.Roles[0].Trust) }, true, true},
		"trust narrowed":       {func(s *directory.SiteSpec) { s.Roles[0].Trust = s.Roles[1].Trust }, false, true},
		"a description":        {func(s *directory.SiteSpec) { s.Roles[0].Description = "x" }, true, true},
		"client ID added":      {func(s *directory.SiteSpec) { s.Providers[1].ClientIDs = []string{"more", "app", "app2"} }, true, true},
		"client ID removed":    {func(s *directory.SiteSpec) { s.Providers[1].ClientIDs = []string{"app"} }, true, false},
		"own client ID gone":   {func(s *directory.SiteSpec) { s.Providers[0].ClientIDs = []string{"other"} }, false, true},
		"user without a realm": {func(s *directory.SiteSpec) { s.Users[0].Realm, s.Users[0].Password = "", nil }, false, true},
		"user disabled":        {func(s *directory.SiteSpec) { s.Users[0].Disabled = true }, false, true},
	} {
		s := stacktest.New(t)
		own, _ := session(t, s)
		kid := child(t, s, accepted(t, s, own), stacktest.AccountB, "demo", roleID(t, s, stacktest.AccountA, stacktest.ReadOnlyRole))
		theirs := exchange(t, s, readerARN, newForeign(t, s).token(t, s))
		spec := stacktest.Site()
		tc.change(&spec)
		if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want(t, s, name+": own", own, tc.own)
		want(t, s, name+": what came of it", kid, tc.own)
		want(t, s, name+": foreign", theirs, tc.foreign)
	}
}

func TestKeysEndWhatTheyYielded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*directory.Directory, *testing.T, *identity.Caller, *identity.Caller, string) error{
		"deactivated": func(d *directory.Directory, t *testing.T, a, _ *identity.Caller, id string) error {
			return d.UpdateAccessKey(t.Context(), a, "service", id, false)
		},
		"deleted": func(d *directory.Directory, t *testing.T, a, _ *identity.Caller, id string) error {
			return d.DeleteAccessKey(t.Context(), a, "service", id)
		},
		"deactivated by the operator": func(d *directory.Directory, t *testing.T, _, o *identity.Caller, id string) error {
			return d.DisableAccessKey(t.Context(), o, id)
		},
		"deleted by the operator": func(d *directory.Directory, t *testing.T, _, o *identity.Caller, id string) error {
			return d.DropAccessKey(t.Context(), o, id)
		},
	} {
		s := stacktest.New(t)
		a := root(t, s, stacktest.AccountA, "aws")
		made, err := s.Issuer.AccessKey(t.Context(), a, "service")
		if err != nil {
			t.Fatal(err)
		}
		keys := identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret}
		kid := child(t, s, accepted(t, s, keys), stacktest.AccountA, "aws", roleID(t, s, stacktest.AccountA, stacktest.ReadOnlyRole))
		want(t, s, name+": before", kid, true)
		if err := end(s.Directory, t, a, s.Operator(), made.Key.ID); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want(t, s, name+": the key", keys, false)
		want(t, s, name+": the session", kid, false)
		if name != "deactivated" {
			continue
		}
		if err := s.Directory.UpdateAccessKey(t.Context(), a, "service", made.Key.ID, true); err != nil {
			t.Fatal(err)
		}
		want(t, s, name+" and switched on: the key", keys, true)
		want(t, s, name+" and switched on: the session", kid, false)
	}
}

func TestDisabledAccount(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	own, set := session(t, s)
	kid := child(t, s, accepted(t, s, own), stacktest.AccountB, "demo", roleID(t, s, stacktest.AccountA, stacktest.ReadOnlyRole))
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	keys := identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret}
	for _, disabled := range []bool{true, false} {
		if err := s.Directory.SetAccountDisabled(t.Context(), s.Operator(), stacktest.AccountA, disabled); err != nil {
			t.Fatal(err)
		}
		want(t, s, "session", own, false)
		want(t, s, "what came of it elsewhere", kid, false)
		want(t, s, "long-term key", keys, !disabled)
		if _, err := s.Issuer.Refresh(t.Context(), issue.RefreshGrant{Realm: "shasta", Client: issue.ClientProof{ID: "shasta"}, RefreshToken: set.RefreshToken}); identity.KindOf(err) != identity.KindInvalidGrant {
			t.Errorf("refresh: %v", err)
		}
	}
	if err := s.Directory.SetAccountDisabled(t.Context(), s.Operator(), "none", true); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("no such account: %v", err)
	}
}

// TestAWSRevokeOlderSessions: the inline policy that AWS's console writes ends
// the older sessions of a role, to the millisecond.
func TestAWSRevokeOlderSessions(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	s.Clock.Advance(400 * time.Millisecond)
	old, _ := session(t, s)
	s.Clock.Advance(100 * time.Millisecond)
	at := s.Clock.Now()
	s.Clock.Advance(100 * time.Millisecond)
	fresh, _ := session(t, s)
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"],"Condition":{"DateLessThan":{"aws:TokenIssueTime":"` +
		at.UTC().Format("2006-01-02T15:04:05.000Z") + `"}}}]}`
	if _, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		r, err := store.Roles.Get(tx, roleID(t, s, stacktest.AccountA, stacktest.RoleName))
		if err != nil {
			return err
		}
		v := *r
		v.Inline = map[string]string{"AWSRevokeOlderSessions": policy}
		return store.Roles.Put(tx, &v)
	}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		keys identity.SessionKeys
		want access.Effect
	}{"older": {old, access.ExplicitDeny}, "of the same second, later": {fresh, access.Allow}} {
		got := s.Access.Authorize(accepted(t, s, tc.keys), "s3:ListAllMyBuckets", access.Resource{ARN: "*", AccountID: stacktest.AccountA})
		if got.Effect != tc.want {
			t.Errorf("%s: %s (%v), want %s", name, got.Effect, got.Err, tc.want)
		}
	}
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	const account = stacktest.AccountA
	forever, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), account)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.SetAccessKeyMaxAge(t.Context(), s.Operator(), account, 10); err != nil {
		t.Fatal(err)
	}
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), account)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(m issue.CreatedAccessKey) identity.SessionKeys {
		return identity.SessionKeys{AccessKeyID: m.Key.ID, SecretAccessKey: m.Secret}
	}
	s.Clock.Advance(10*24*time.Hour - time.Second)
	want(t, s, "before its end", keys(made), true)
	c := accepted(t, s, keys(made))
	if err := s.Access.FlushUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Second)
	want(t, s, "at its end", keys(made), false)
	want(t, s, "one without an end", keys(forever), true)
	if err := s.Access.StillLive(s.DB.Snapshot(), c); identity.KindOf(err) != identity.KindUnknownAccessKey {
		t.Errorf("in a transaction: %v", err)
	}
	list, err := s.Directory.StaleAccessKeys(t.Context(), s.Operator(), directory.KeyFilter{AccountID: account, OlderThan: 24 * time.Hour})
	if err != nil || len(list) != 2 {
		t.Fatalf("stale: %v, %+v", err, list)
	}
	for _, k := range list {
		wantState := map[string]string{made.Key.ID: "expired", forever.Key.ID: "active"}[k.ID]
		if k.State != wantState || k.UserARN != rootARNA || k.LastUsed.IsZero() != (k.ID == forever.Key.ID) {
			t.Errorf("%s: %s of %s, last used %s; want %s", k.ID, k.State, k.UserARN, k.LastUsed, wantState)
		}
	}
	unused, err := s.Directory.StaleAccessKeys(t.Context(), s.Operator(), directory.KeyFilter{AccountID: account, UnusedFor: 24 * time.Hour})
	if err != nil || len(unused) != 1 || unused[0].ID != forever.Key.ID {
		t.Errorf("unused: %v, %+v", err, unused)
	}
	for _, days := range []int{-1, 100000} {
		if err := s.Directory.SetAccessKeyMaxAge(t.Context(), s.Operator(), account, days); identity.KindOf(err) != identity.KindValidation {
			t.Errorf("%d days: %v", days, err)
		}
	}
	// A site applied again leaves the setting alone.
	if ch, err := s.Directory.Apply(t.Context(), s.Operator(), stacktest.Site(), true); err != nil || len(ch) != 0 {
		t.Errorf("apply: %v, %v", err, ch)
	}
}

// TestSleepingKeys: keys made through a foreign provider rest when their maker
// has not logged in there for so many days, and wake with a log-in.
func TestSleepingKeys(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.Roles[1].ManagedPolicies = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
	}))
	f := newForeign(t, s)
	login := func() identity.SessionKeys {
		k := exchange(t, s, readerARN, f.token(t, s))
		if err := s.Index.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		return k
	}
	maker := accepted(t, s, login())
	made, err := s.Issuer.AccessKey(t.Context(), maker, "service")
	if err != nil {
		t.Fatal(err)
	}
	if made.Key.MadeByProvider != foreignARN {
		t.Fatalf("made by %q", made.Key.MadeByProvider)
	}
	keys := identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret}
	s.Clock.Advance(100 * day)
	want(t, s, "without the rule", keys, true)
	if err := s.Directory.SetKeysSleep(t.Context(), s.Operator(), foreignARN, 30); err != nil {
		t.Fatal(err)
	}
	want(t, s, "100 days after the log-in", keys, false)
	login()
	want(t, s, "after a new log-in", keys, true)
	s.Clock.Advance(30*day - time.Minute)
	want(t, s, "just before 30 days", keys, true)
	c := accepted(t, s, keys)
	s.Clock.Advance(2 * time.Minute)
	want(t, s, "after 30 days", keys, false)
	if err := s.Access.StillLive(s.DB.Snapshot(), c); identity.KindOf(err) != identity.KindUnknownAccessKey {
		t.Errorf("in a transaction: %v", err)
	}
	list, err := s.Directory.StaleAccessKeys(t.Context(), s.Operator(), directory.KeyFilter{})
	if err != nil || len(list) != 1 || list[0].State != "asleep" || list[0].SleepsAt.IsZero() {
		t.Errorf("listed: %v, %+v", err, list)
	}
	if err := s.Directory.SetKeysSleep(t.Context(), s.Operator(), "arn:aws:iam::"+stacktest.AccountA+":oidc-provider/nobody", 1); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("no such provider: %v", err)
	}
	if err := s.Directory.SetKeysSleep(t.Context(), s.Operator(), foreignARN, 0); err != nil {
		t.Fatal(err)
	}
	want(t, s, "the rule switched off", keys, true)
}
