package directory_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	crn    = "crn:v1:bluemix:public:iam-identity::a/" + stacktest.AccountA + "::"
	someID = "00000000-1111-4222-8333-444455556666"
)

// withIBM gives the dialect of IBM signing keys.
func withIBM(t testing.TB) *stacktest.Stack {
	t.Helper()
	return stacktest.New(t, stacktest.WithIBM())
}

// ibmLogin is the caller that an API key logs in as.
func ibmLogin(t testing.TB, s *stacktest.Stack, key identity.Secret) *identity.Caller {
	t.Helper()
	tokens, err := s.Issuer.IBMAPIKey(t.Context(), key, "", issue.IBMClient{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Access.IBMToken(t.Context(), tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAPIKey(t testing.TB, s *stacktest.Stack, c *identity.Caller, in issue.NewIBMKey) issue.CreatedIBMKey {
	t.Helper()
	in.Name = cmp.Or(in.Name, "a key")
	made, err := s.Issuer.NewIBMAPIKey(t.Context(), c, in)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// robot makes a service ID with what it may, as statements of a policy, and a
// caller that logged in by an API key of it.
func robot(t testing.TB, s *stacktest.Stack, a *identity.Caller, statements string) (*identity.Caller, issue.CreatedIBMKey) {
	t.Helper()
	u, err := s.Directory.CreateServiceID(t.Context(), a, directory.NewServiceID{Name: "robot"})
	must(t, err)
	if statements != "" {
		_, err := s.DB.Update(t.Context(), func(tx store.Tx) error {
			v := u
			v.Policies = identity.Policies{Inline: map[string]string{"p": `{"Version":"2012-10-17","Statement":[` + statements + `]}`}}
			return store.Users.Put(tx, &v)
		})
		must(t, err)
	}
	made := newAPIKey(t, s, a, issue.NewIBMKey{IAMID: u.ID})
	return ibmLogin(t, s, made.Text), made
}

func allow(actions, resource string) string {
	return `{"Effect":"Allow","Action":"iam-identity:` + actions + `","Resource":"` + resource + `"}`
}

func TestAPIKeyIsShownOnceAndKeptByHash(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	end := s.Clock.Now().Add(time.Hour)
	made := newAPIKey(t, s, a, issue.NewIBMKey{Name: "ci", Description: "for builds", WhenLeaked: "delete", ExpiresAt: end, SupportSessions: true})
	if len(made.Text) != 44 || !strings.HasPrefix(made.ID, "ApiKey-") || !strings.HasPrefix(made.Tag.String(), "1-") || made.IAMID() != "IBMid-"+stacktest.AccountA ||
		made.CreatedBy != made.IAMID() || !made.ExpiresAt.Equal(end) || len(made.History) != 1 {
		t.Fatalf("%+v", made.APIKey)
	}
	got, err := s.Directory.IBMAPIKey(ctx, a, made.ID)
	if err != nil || got.Name != "ci" || got.WhenLeaked != "delete" || !got.SupportSessions {
		t.Errorf("%v, %+v", err, got)
	}
	if got, err := s.Directory.IBMAPIKeyDetails(ctx, a, made.Text); err != nil || got.ID != made.ID {
		t.Errorf("%v, %+v", err, got)
	}
	for name, text := range map[string]identity.Secret{"empty": "", "short": made.Text[1:], "other": identity.Secret(strings.Repeat("A", 44)), "not one": identity.Secret(strings.Repeat("é", 22))} {
		_, err := s.Directory.IBMAPIKeyDetails(ctx, a, text)
		expect(t, name, err, absent, "")
	}
	must(t, s.DB.View(ctx, func(r store.Reader) error {
		hashes, err := store.APIKeyHashes.List(r, "", "", store.After{}, 0)
		if len(hashes) != 1 || strings.Contains(hashes[0].Hash, made.Text.Reveal()) {
			t.Errorf("%v, kept as %+v", err, hashes)
		}
		return err
	}))
	if strings.Contains(s.AuditLines(t), made.Text.Reveal()) {
		t.Error("the log holds the key")
	}
}

func TestAPIKeyIsChanged(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	made := newAPIKey(t, s, a, issue.NewIBMKey{})
	name, other, bad := "new", "newer", "never"
	s.Clock.Advance(time.Minute)
	u, err := s.Directory.UpdateIBMAPIKey(ctx, a, made.ID, made.Tag.String(), directory.IBMKeyChange{Name: &name, Description: &name})
	if err != nil || u.Name != name || u.Tag.N != 2 || !u.ModifiedAt.Equal(s.Clock.Now()) || len(u.History) != 2 ||
		strings.Join(u.History[1].Params, " ") != "name description" || u.History[1].IAMID != "IBMid-"+stacktest.AccountA {
		t.Fatalf("%v, %+v", err, u)
	}
	past := s.Clock.Now()
	for _, c := range []struct {
		what, id, match string
		change          directory.IBMKeyChange
		want            identity.Kind
	}{
		{"stale", made.ID, made.Tag.String(), directory.IBMKeyChange{Name: &other}, identity.KindConflict},
		{"without If-Match", made.ID, "", directory.IBMKeyChange{Name: &other}, identity.KindMissingParameter},
		{"absent", "ApiKey-" + someID, "*", directory.IBMKeyChange{Name: &other}, absent},
		{"long ID", strings.Repeat("x", 5000), "*", directory.IBMKeyChange{Name: &other}, absent},
		{"leak action", made.ID, "*", directory.IBMKeyChange{WhenLeaked: &bad}, identity.KindValidation},
		{"past end", made.ID, "*", directory.IBMKeyChange{ExpiresAt: &past}, identity.KindValidation},
		{"any version", made.ID, "*", directory.IBMKeyChange{Name: &other}, anything},
	} {
		_, err := s.Directory.UpdateIBMAPIKey(ctx, a, c.id, c.match, c.change)
		expect(t, c.what, err, c.want, "")
	}
	must(t, s.Directory.LockIBMAPIKey(ctx, a, made.ID, true))
	must(t, s.Directory.LockIBMAPIKey(ctx, a, made.ID, true))
	_, err = s.Directory.UpdateIBMAPIKey(ctx, a, made.ID, "*", directory.IBMKeyChange{Name: &name})
	expect(t, "changing a locked key", err, identity.KindConflict, "The API key is locked.")
	expect(t, "deleting a locked key", s.Directory.DeleteIBMAPIKey(ctx, a, made.ID), identity.KindConflict, "The API key is locked.")
	must(t, s.Directory.DisableIBMAPIKey(ctx, a, made.ID, true))
	expect(t, "enabling a locked key", s.Directory.DisableIBMAPIKey(ctx, a, made.ID, false), identity.KindConflict, "The API key is locked.")
	must(t, s.Directory.LockIBMAPIKey(ctx, a, made.ID, false))
	must(t, s.Directory.DeleteIBMAPIKey(ctx, a, made.ID))
	expect(t, "deleting twice", s.Directory.DeleteIBMAPIKey(ctx, a, made.ID), absent, "")
	_, err = s.Directory.IBMAPIKeyDetails(ctx, a, made.Text)
	expect(t, "details of a deleted key", err, absent, "")
	for i := range 30 {
		if i == 0 {
			made = newAPIKey(t, s, a, issue.NewIBMKey{})
		}
		must(t, s.Directory.LockIBMAPIKey(ctx, a, made.ID, i%2 == 0))
	}
	if got, err := s.Directory.IBMAPIKey(ctx, a, made.ID); err != nil || len(got.History) != 20 || got.Tag.N != 31 {
		t.Errorf("%v: %d entries of history, version %d", err, len(got.History), got.Tag.N)
	}
}

// TestAPIKeyEnds follows what an API key yielded: it ends with the key.
func TestAPIKeyEnds(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	for name, end := range map[string]func(issue.CreatedIBMKey) error{
		"disabled": func(k issue.CreatedIBMKey) error { return s.Directory.DisableIBMAPIKey(ctx, a, k.ID, true) },
		"deleted":  func(k issue.CreatedIBMKey) error { return s.Directory.DeleteIBMAPIKey(ctx, a, k.ID) },
		"leaked": func(k issue.CreatedIBMKey) error {
			_, err := s.Directory.ReportLeaked(ctx, a, k.Text)
			return err
		},
		"leaked, to be deleted": func(k issue.CreatedIBMKey) error {
			what := "delete"
			if _, err := s.Directory.UpdateIBMAPIKey(ctx, a, k.ID, "*", directory.IBMKeyChange{WhenLeaked: &what}); err != nil {
				return err
			}
			_, err := s.Directory.ReportLeaked(ctx, a, k.Text)
			return err
		},
		"of a deleted service ID": func(k issue.CreatedIBMKey) error {
			return s.Directory.DeleteServiceID(ctx, a, strings.TrimPrefix(k.UserID, "iam-"))
		},
	} {
		_, made := robot(t, s, a, "")
		tokens, err := s.Issuer.IBMAPIKey(ctx, made.Text, "", issue.IBMClient{})
		must(t, err)
		if _, err := s.Access.IBMToken(ctx, tokens.Access); err != nil {
			t.Fatalf("%s, before: %v", name, err)
		}
		must(t, end(made))
		if _, err := s.Access.IBMToken(ctx, tokens.Access); identity.KindOf(err) != identity.KindInvalidBearer {
			t.Errorf("the token of a key that is %s: %v", name, err)
		}
		if _, err := s.Issuer.IBMAPIKey(ctx, made.Text, "", issue.IBMClient{}); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("a log-in by a key that is %s: %v", name, err)
		}
	}
}

// TestAPIKeyRights lets callers try what their policies keep them from.
func TestAPIKeyRights(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	roots := newAPIKey(t, s, a, issue.NewIBMKey{Name: "root's"})
	_, victim := robot(t, s, a, "")
	plain, own := robot(t, s, a, "")
	creator, _ := robot(t, s, a, allow("apikey.create", crn+"serviceid:"+strings.TrimPrefix(victim.UserID, "iam-")))
	keeper, _ := robot(t, s, a, allow("apikey.*", crn+"*"))
	of, _ := robot(t, s, a, `{"Effect":"Allow","Action":"iam-identity:apikey.get","Resource":"*","Condition":{"StringEquals":{"iam-identity:OwnerId":"`+victim.UserID+`"}}}`)
	person := *userCaller(t, s, stacktest.TestUser)
	create := func(c *identity.Caller, iamID, account string) error {
		_, err := s.Issuer.NewIBMAPIKey(ctx, c, issue.NewIBMKey{IAMID: iamID, AccountID: account, Name: "k"})
		return err
	}
	get := func(c *identity.Caller, id string) error {
		_, err := s.Directory.IBMAPIKey(ctx, c, id)
		return err
	}
	details := func(c *identity.Caller, text identity.Secret) error {
		_, err := s.Directory.IBMAPIKeyDetails(ctx, c, text)
		return err
	}
	list := func(c *identity.Caller, f directory.IBMKeyFilter) error {
		_, err := s.Directory.IBMAPIKeys(ctx, c, f, directory.Page{})
		return err
	}
	rootID, personID := "IBMid-"+stacktest.AccountA, "IBMid-"+person.PrincipalID
	for _, step := range []struct {
		name string
		err  error
		want identity.Kind
	}{
		{"a person makes a key of its own", create(&person, "", ""), anything},
		{"a person makes a key of its own by name", create(&person, personID, stacktest.AccountA), anything},
		{"a person makes one of a service ID", create(&person, victim.UserID, ""), denied},
		{"a person makes one of root", create(&person, rootID, ""), denied},
		{"a person makes one of nobody", create(&person, "IBMid-AIDANOBODY", ""), denied},
		{"a person lists its own", list(&person, directory.IBMKeyFilter{}), anything},
		{"a person lists the account's", list(&person, directory.IBMKeyFilter{Account: true}), denied},
		{"a person reads a service ID's", get(&person, victim.ID), denied},
		{"a person reads one that is not", get(&person, "ApiKey-"+someID), denied},
		{"who has the text only", details(plain, victim.Text), denied},
		{"who has no text", details(plain, "x"), denied},
		{"a key makes itself a sister", create(plain, "", ""), denied},
		{"a key reads itself", get(plain, own.ID), denied},
		{"the creator makes one", create(creator, victim.UserID, ""), anything},
		{"the creator makes one of its own", create(creator, "", ""), denied},
		{"the creator makes one in another account", create(creator, victim.UserID, stacktest.AccountB), denied},
		{"the keeper makes one of root", create(keeper, rootID, ""), absent},
		{"the keeper makes one of nobody", create(keeper, "IBMid-AIDANOBODY", ""), absent},
		{"the keeper makes one of no IAM ID", create(keeper, "fred", ""), absent},
		{"the keeper reads root's", get(keeper, roots.ID), absent},
		{"the keeper deletes root's", s.Directory.DeleteIBMAPIKey(ctx, keeper, roots.ID), absent},
		{"the keeper reads what is not", get(keeper, "ApiKey-"+someID), absent},
		{"the keeper reads", get(keeper, victim.ID), anything},
		{"the keeper lists root's", list(keeper, directory.IBMKeyFilter{IAMID: rootID}), anything},
		{"by the owner's name", get(of, victim.ID), anything},
		{"by another owner's name", get(of, own.ID), denied},
		{"another account reads", get(b, victim.ID), absent},
		{"another account deletes", s.Directory.DeleteIBMAPIKey(ctx, b, victim.ID), absent},
		{"another account makes one", create(b, victim.UserID, ""), absent},
		{"another account makes one there", create(b, victim.UserID, stacktest.AccountA), denied},
		{"another account has the text", details(b, victim.Text), absent},
		{"another account reports it", func() error { _, err := s.Directory.ReportLeaked(ctx, b, victim.Text); return err }(), absent},
	} {
		if got := identity.KindOf(step.err); got != step.want {
			t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
		}
	}
	if all, err := s.Directory.IBMAPIKeys(ctx, keeper, directory.IBMKeyFilter{Account: true}, directory.Page{}); err != nil || strings.Contains(keyNames(all), "root's") {
		t.Errorf("%v, root's keys are listed: %s", err, keyNames(all))
	}
	if theirs, err := s.Directory.IBMAPIKeys(ctx, keeper, directory.IBMKeyFilter{IAMID: rootID}, directory.Page{}); err != nil || len(theirs.Items) != 0 {
		t.Errorf("%v, root's keys are listed: %s", err, keyNames(theirs))
	}
}

// TestDeadCallerMakesNoKey: whoever was ended elsewhere leaves no API key behind.
func TestDeadCallerMakesNoKey(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	c, key := robot(t, s, a, allow("*", "*"))
	if k := newAPIKey(t, s, c, issue.NewIBMKey{}); k.MadeBy.Get(identity.LineageProof) != key.ID {
		t.Errorf("made by %+v", k.MadeBy)
	}
	must(t, s.Directory.DisableIBMAPIKey(ctx, a, key.ID, true))
	_, err := s.Issuer.NewIBMAPIKey(ctx, c, issue.NewIBMKey{Name: "child"})
	expect(t, "a key", err, identity.KindExpiredToken, "")
	_, err = s.Directory.CreateServiceID(ctx, c, directory.NewServiceID{Name: "child"})
	expect(t, "a service ID", err, identity.KindExpiredToken, "")
}

// TestUserTakesAPIKeysAlong: a user's API keys go with it.
func TestUserTakesAPIKeysAlong(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a := root(t, s, stacktest.AccountA, "aws")
	_, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "fred"})
	must(t, err)
	c := userCaller(t, s, "fred")
	made := newAPIKey(t, s, c, issue.NewIBMKey{})
	must(t, s.Directory.DeleteUser(ctx, a, "fred"))
	if _, err := s.Issuer.IBMAPIKey(ctx, made.Text, "", issue.IBMClient{}); identity.KindOf(err) != identity.KindInvalidCredentials {
		t.Errorf("a log-in: %v", err)
	}
	must(t, s.DB.View(ctx, func(r store.Reader) error {
		keys, err := store.APIKeys.List(r, "", "", store.After{}, 0)
		hashes, err2 := store.APIKeyHashes.List(r, "", "", store.After{}, 0)
		if len(keys)+len(hashes) > 0 || err2 != nil {
			t.Errorf("%v: %d keys and %d hashes are left", err2, len(keys), len(hashes))
		}
		return err
	}))
}

// userCaller is a user of account A who logged in as a person.
func userCaller(t testing.TB, s *stacktest.Stack, name string) *identity.Caller {
	t.Helper()
	u := userNamed(t, s, name)
	now := s.Clock.Now()
	return &identity.Caller{
		Kind: identity.IAMUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: u.ID, Name: name, ARN: u.ARN("aws"), Interactive: true,
		IssuedAt: now, ExpiresAt: now.Add(time.Hour), Position: s.DB.Snapshot().Position(),
		Lineage: identity.Lineage{{Kind: identity.LineagePrincipal, ID: u.ID, IssuedMS: now.UnixMilli()}},
	}
}

// TestRevokeSessionsReachesAPIKeys: sessions end by the ID of the API key that
// they are by, and by their owner; --with-keys disables the keys.
func TestRevokeSessionsReachesAPIKeys(t *testing.T) {
	t.Parallel()
	s, ctx := withIBM(t), t.Context()
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	c, key := robot(t, s, a, allow("*", "*"))
	child := newAPIKey(t, s, c, issue.NewIBMKey{IAMID: "IBMid-" + userNamed(t, s, "service").ID})
	revoke := func(c *identity.Caller, in directory.RevokeSpec) ([]string, error) {
		out, err := s.Directory.RevokeSessions(ctx, c, in)
		return out.Keys, err
	}
	byProof := directory.RevokeSpec{Scope: directory.ScopeProof, ID: key.ID}
	_, err := revoke(b, byProof)
	expect(t, "another account", err, absent, "")
	tokens, err := s.Issuer.IBMAPIKey(ctx, key.Text, "", issue.IBMClient{})
	must(t, err)
	_, err = revoke(a, byProof)
	must(t, err)
	if _, err := s.Access.IBMToken(ctx, tokens.Access); identity.KindOf(err) != identity.KindInvalidBearer {
		t.Errorf("the token lives: %v", err)
	}
	ibmLogin(t, s, key.Text) // the key itself is as it was

	byProof.WithKeys, byProof.DryRun = true, true
	keys, err := revoke(a, byProof)
	if err != nil || strings.Join(keys, " ") != child.ID {
		t.Errorf("a dry run would disable %v, %v", keys, err)
	}
	ibmLogin(t, s, child.Text)
	byOwner := directory.RevokeSpec{Scope: directory.ScopePrincipal, ID: key.UserID, WithKeys: true}
	keys, err = revoke(s.Operator(), byOwner)
	slices.Sort(keys)
	want := []string{key.ID, child.ID}
	slices.Sort(want)
	if err != nil || !slices.Equal(keys, want) {
		t.Errorf("disabled %v, %v; want %v", keys, err, want)
	}
	for _, k := range []issue.CreatedIBMKey{key, child} {
		if _, err := s.Issuer.IBMAPIKey(ctx, k.Text, "", issue.IBMClient{}); identity.KindOf(err) != identity.KindInvalidCredentials {
			t.Errorf("a disabled key logs in: %v", err)
		}
	}
	third := newAPIKey(t, s, a, issue.NewIBMKey{IAMID: key.UserID, Locked: true})
	keys, err = revoke(s.Operator(), directory.RevokeSpec{Scope: directory.ScopeAccount, ID: stacktest.AccountA, WithKeys: true})
	if err != nil || !slices.Contains(keys, third.ID) {
		t.Errorf("of the account: %v, %v", keys, err)
	}
}
