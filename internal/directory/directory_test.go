package directory_test

import (
	"fmt"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// root is the root user of account A by a long-term key that exists.
func root(t testing.TB, s *stacktest.Stack, account, partition string) *identity.Caller {
	t.Helper()
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), account)
	if err != nil {
		t.Fatal(err)
	}
	return &identity.Caller{
		Kind: identity.RootUser, AccountID: account, Partition: partition, PrincipalID: account, Name: "root",
		ARN: identity.RootARN(partition, account), AccessKeyID: made.Key.ID,
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	ctx := t.Context()
	u, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "Alice", Path: "/team/", Tags: map[string]string{"k": "v"}})
	if err != nil || u.ARN("aws") != "arn:aws:iam::123456789012:user/team/Alice" || !strings.HasPrefix(u.ID, "AIDA") || len(u.ID) != 21 {
		t.Fatalf("%v, %+v", err, u)
	}
	for name, c := range map[string]struct {
		in   directory.NewUser
		want identity.Kind
		text string
	}{
		"taken, other case": {directory.NewUser{Name: "aLICE"}, identity.KindAlreadyExists, "User with name aLICE already exists."},
		"bad name":          {directory.NewUser{Name: "a b"}, identity.KindValidation, "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"},
		"long name":         {directory.NewUser{Name: strings.Repeat("a", 65)}, identity.KindValidation, ""},
		"root":              {directory.NewUser{Name: "Root"}, identity.KindValidation, ""},
		"path":              {directory.NewUser{Name: "x", Path: "no"}, identity.KindValidation, "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."},
		"tags by case":      {directory.NewUser{Name: "x", Tags: map[string]string{"a": "1", "A": "2"}}, identity.KindInvalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
	} {
		_, err := s.Directory.CreateUser(ctx, a, c.in)
		if identity.KindOf(err) != c.want || (c.text != "" && identity.AsError(err).Public != c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Directory.GetUser(ctx, b, "Alice"); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("another account sees her: %v", err)
	}
	if got, err := s.Directory.GetUser(ctx, a, ""); err != nil || !got.Root {
		t.Errorf("GetUser without a name: %v, %+v", err, got)
	}
	if err := s.Directory.UpdateUser(ctx, a, "alice", "Bob", "/"); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.UpdateUser(ctx, a, "Bob", stacktest.TestUser, ""); identity.KindOf(err) != identity.KindAlreadyExists {
		t.Errorf("renamed to a taken name: %v", err)
	}
	made, err := s.Issuer.AccessKey(ctx, a, "Bob")
	if err != nil || made.UserName != "Bob" {
		t.Fatalf("%v, %+v", err, made)
	}
	if _, err := s.Issuer.AccessKey(ctx, a, "Bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Issuer.AccessKey(ctx, a, "Bob"); identity.KindOf(err) != identity.KindLimitExceeded {
		t.Errorf("a third key: %v", err)
	}
	if err := s.Directory.DeleteUser(ctx, a, "Bob"); identity.KindOf(err) != identity.KindDeleteConflict {
		t.Errorf("deleted with keys: %v", err)
	}
	keys, name, err := s.Directory.ListAccessKeys(ctx, a, "bob", directory.Page{MaxItems: 1})
	if err != nil || len(keys.Items) != 1 || keys.Next == "" || name != "Bob" {
		t.Fatalf("%v, %+v", err, keys)
	}
	rest, _, err := s.Directory.ListAccessKeys(ctx, a, "bob", directory.Page{MaxItems: 1, Marker: keys.Next})
	if err != nil || len(rest.Items) != 1 || rest.Next != "" || rest.Items[0].ID == keys.Items[0].ID {
		t.Fatalf("second page: %v, %+v", err, rest)
	}
	if err := s.Directory.DeleteAccessKey(ctx, b, "", made.Key.ID); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("another account deleted a key: %v", err)
	}
	for _, k := range []string{keys.Items[0].ID, rest.Items[0].ID} {
		if err := s.Directory.DeleteAccessKey(ctx, a, "Bob", k); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Directory.DeleteUser(ctx, a, "Bob"); err != nil {
		t.Fatal(err)
	}
	again, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "Bob"})
	if err != nil || again.ID == u.ID {
		t.Errorf("a recreated name has the old unique ID: %v, %v", again.ID == u.ID, err)
	}
}

// TestDenialsTellNothing: without rights, a user that exists and one that does
// not are refused in the same words.
func TestDenialsTellNothing(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, none := root(t, s, stacktest.AccountA, "aws"), nobody(t, s)
	ctx := t.Context()
	if _, err := s.Directory.CreateUser(ctx, a, directory.NewUser{Name: "Alice", Path: "/team/"}); err != nil {
		t.Fatal(err)
	}
	key, err := s.Issuer.AccessKey(ctx, a, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(user, key string) error{
		"GetUser":         func(u, _ string) error { _, err := s.Directory.GetUser(ctx, none, u); return err },
		"DeleteUser":      func(u, _ string) error { return s.Directory.DeleteUser(ctx, none, u) },
		"CreateAccessKey": func(u, _ string) error { _, err := s.Issuer.AccessKey(ctx, none, u); return err },
		"ListAccessKeys": func(u, _ string) error {
			_, _, err := s.Directory.ListAccessKeys(ctx, none, u, directory.Page{})
			return err
		},
		"LastUsed": func(_, k string) error { _, _, err := s.Directory.AccessKeyLastUsed(ctx, none, k); return err },
	} {
		there, absent := identity.AsError(call("alice", key.Key.ID)), identity.AsError(call("alicf", "AKIAXXXXXXXXXXXXXXXX"))
		if there.Kind != identity.KindAccessDenied || max(len(there.Public), len(absent.Public))-min(len(there.Public), len(absent.Public)) > 342 || // one step of the padding
			identity.WithoutMessage(there.Public) != strings.ReplaceAll(identity.WithoutMessage(absent.Public), "alicf", "alice") {
			t.Errorf("%s:\n%s\n%s", name, there.Public, absent.Public)
		}
	}
}

func TestListUsersPages(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a := root(t, s, stacktest.AccountA, "aws")
	for i := range 7 {
		if _, err := s.Directory.CreateUser(t.Context(), a, directory.NewUser{Name: fmt.Sprintf("u%d", i), Path: "/p/"}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	page := directory.Page{MaxItems: 3}
	for {
		l, err := s.Directory.ListUsers(t.Context(), a, "/p/", page)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range l.Items {
			names = append(names, u.Name)
		}
		if l.Next == "" {
			break
		}
		page.Marker = l.Next
	}
	if got := strings.Join(names, " "); got != "u0 u1 u2 u3 u4 u5 u6" {
		t.Errorf("got %s", got)
	}
	b := root(t, s, stacktest.AccountB, "demo")
	if _, err := s.Directory.ListUsers(t.Context(), b, "/p/", directory.Page{Marker: page.Marker}); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("another account's marker: %v", err)
	}
	all, err := s.Directory.ListUsers(t.Context(), a, "", directory.Page{MaxItems: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all.Items {
		if u.Root {
			t.Error("root is listed")
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	a, b := root(t, s, stacktest.AccountA, "aws"), root(t, s, stacktest.AccountB, "demo")
	ctx := t.Context()
	for _, name := range []string{"ab", "UPPER", "a..b", "192.168.1.1", "-a-", "xn--a", strings.Repeat("a", 64), "auth", "a_b", "x-s3alias"} {
		if err := s.Directory.ReserveBucket(ctx, a, name, "r", "u"); identity.KindOf(err) != identity.KindInvalidBucketName {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Directory.ReserveBucket(ctx, a, "tutorial", "r", "u"); err != nil {
		t.Fatal(err)
	}
	if list, _ := s.Directory.ListBuckets(ctx, a); len(list) != 0 {
		t.Errorf("a reserved bucket is listed: %v", list)
	}
	if un, err := s.Directory.UnsettledBuckets(ctx, s.Operator()); err != nil || len(un) != 1 {
		t.Errorf("unsettled: %v, %v", un, err)
	}
	if err := s.Directory.ConfirmBucket(ctx, b, "tutorial"); identity.KindOf(err) != identity.KindNoSuchBucket {
		t.Errorf("another account confirmed: %v", err)
	}
	if err := s.Directory.ConfirmBucket(ctx, a, "tutorial"); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.ReserveBucket(ctx, a, "tutorial", "r", "u"); identity.KindOf(err) != identity.KindBucketOwnedByYou {
		t.Errorf("own name again: %v", err)
	}
	if err := s.Directory.ReserveBucket(ctx, b, "tutorial", "r", "u"); identity.KindOf(err) != identity.KindBucketExists {
		t.Errorf("another's name: %v", err)
	}
	if la, _ := s.Directory.ListBuckets(ctx, a); len(la) != 1 {
		t.Errorf("A lists %v", la)
	}
	if lb, _ := s.Directory.ListBuckets(ctx, b); len(lb) != 0 {
		t.Errorf("B lists %v", lb)
	}
	if err := s.Directory.BeginDeleteBucket(ctx, b, "tutorial"); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("B deletes: %v", err)
	}
	if err := s.Directory.BeginDeleteBucket(ctx, a, "tutorial"); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.SettleBucket(ctx, s.Operator(), "tutorial", true); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.SettleBucket(ctx, s.Operator(), "tutorial", false); identity.KindOf(err) != identity.KindConflict {
		t.Errorf("a settled bucket was settled by an answer from before: %v", err)
	}
	if list, _ := s.Directory.ListBuckets(ctx, a); len(list) != 1 {
		t.Errorf("a bucket that the upstream still has is gone: %v", list)
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	spec := stacktest.Site()
	spec.Roles[0].MaxSessionDuration = 3600
	spec.Users = append(spec.Users, directory.UserSpec{AccountID: "000000000000", Name: "x"})
	if _, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false); identity.KindOf(err) != identity.KindValidation {
		t.Fatalf("a user of no account: %v", err)
	}
	r, err := store.Roles.By(s.DB.Snapshot(), "name", store.Join(stacktest.AccountA, stacktest.RoleName))
	if err != nil || r.MaxSessionDuration != 7200 {
		t.Errorf("half of it was applied: %+v, %v", r, err)
	}
	spec = stacktest.Site()
	spec.Roles[0].MaxSessionDuration = 3600
	ch, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false)
	if err != nil || len(ch) != 1 || ch[0] != (directory.Change{Kind: "role", Name: stacktest.RoleName, Field: "max_session_duration", From: "7200", To: "3600"}) {
		t.Errorf("%v, %v", ch, err)
	}
}

func TestApplyRefusals(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	for name, change := range map[string]func(*directory.SiteSpec){
		"realm of no account": func(sp *directory.SiteSpec) {
			sp.Realms = append(sp.Realms, directory.RealmSpec{Realm: identity.Realm{Name: "x", AccountID: "nope", Algorithm: "ES256", AccessTokenSeconds: 1}})
		},
		"an e-mail that is taken": func(sp *directory.SiteSpec) {
			sp.Accounts = append(sp.Accounts, directory.AccountSpec{ID: "999999999999", Partition: "aws", RootEmail: stacktest.RootEmailA})
		},
		"a bad trust policy": func(sp *directory.SiteSpec) { sp.Roles[0].Trust = `{"Statement":[]}` },
		"an unknown managed policy": func(sp *directory.SiteSpec) {
			sp.Roles[0].ManagedPolicies = []string{"arn:aws:iam::aws:policy/Nothing"}
		},
		"a JWKS of a realm":         func(sp *directory.SiteSpec) { sp.Providers[0].JWKS = `{"keys":[]}` },
		"a JWKS without keys":       func(sp *directory.SiteSpec) { sp.Providers[1].JWKS = `{"keys":[]}` },
		"a relative bearer token":   func(sp *directory.SiteSpec) { sp.Providers[1].BearerTokenFile = "token" },
		"a JWKS and a bearer token": func(sp *directory.SiteSpec) { sp.Providers[1].JWKS, sp.Providers[1].BearerTokenFile = "{}", "/token" },
		"a public client with a secret": func(sp *directory.SiteSpec) {
			pw := identity.Secret("x")
			sp.Realms[0].Clients[0].Secret = &pw
		},
	} {
		spec := stacktest.Site()
		change(&spec)
		ch, err := s.Directory.Apply(t.Context(), s.Operator(), spec, false)
		if k := identity.KindOf(err); (k != identity.KindValidation && k != identity.KindMalformedPolicy) || identity.AsError(err).Public == "" {
			t.Errorf("%s: %v, %v", name, ch, err)
		}
	}
	if ch, err := s.Directory.Apply(t.Context(), s.Operator(), stacktest.Site(), false); err != nil || len(ch) != 0 {
		t.Errorf("a refused apply left something behind: %v, %v", ch, err)
	}
}
