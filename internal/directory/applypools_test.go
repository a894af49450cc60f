package directory_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

// poolSite is the site of a stack with pools.
func poolSite(t *testing.T) (*stacktest.Stack, directory.SiteSpec) {
	t.Helper()
	var spec directory.SiteSpec
	s := stacktest.New(t, stacktest.WithPools(), stacktest.WithSite(func(final *directory.SiteSpec) { spec = *final }))
	return s, spec
}

func TestApplyPools(t *testing.T) {
	t.Parallel()
	s, spec := poolSite(t)
	ctx, snap := t.Context(), s.DB.Snapshot()
	realm, err := store.Realms.Get(snap, "shasta")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^ap-southeast-2_[0-9A-Za-z]{9}$`).MatchString(realm.PoolID()) {
		t.Errorf("the user pool's ID is %q", realm.PoolID())
	}
	pool, err := store.IdentityPools.Get(snap, stacktest.IdentityPoolID)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := pool.RoleMappings[realm.PoolProvider()+":"+stacktest.PoolClient]; !ok || pool.Roles["authenticated"] != "arn:aws:iam::"+stacktest.AccountA+":role/api_readonly" {
		t.Errorf("the identity pool: %+v", pool)
	}
	changes, err := s.Directory.Apply(ctx, s.Operator(), spec, false)
	if err != nil || len(changes) != 0 {
		t.Errorf("the same site again: %v, %v", changes, err)
	}

	// A view may come to a realm whose users have passwords, and be left out.
	for i := range spec.Realms {
		spec.Realms[i].UserPool = nil
	}
	if changes, err := s.Directory.Apply(ctx, s.Operator(), spec, false); err != nil || len(changes) != 0 {
		t.Errorf("a site that says nothing of the user pool: %v, %v", changes, err)
	}
	other := identity.Secret(strings.Repeat("z", 32))
	spec.APITokens[0].Secret, spec.APITokens[0].Role = &other, "api_readonly"
	changes, err = s.Directory.Apply(ctx, s.Operator(), spec, false)
	if err != nil || len(changes) != 2 {
		t.Errorf("another secret and role: %v, %v", changes, err)
	}
	for _, c := range changes {
		if strings.Contains(c.From+c.To, other.Reveal()) {
			t.Errorf("a change shows the secret: %+v", c)
		}
	}
}

// TestApplyPoolsEnds is about what a site takes away. Both parts share a stack.
func TestApplyPoolsEnds(t *testing.T) {
	t.Parallel()
	s, spec := poolSite(t)
	t.Run("deleted token", func(t *testing.T) { deletedToken(t, s, spec) })
	t.Run("users", func(t *testing.T) { usersLose(t, s, spec) })
}

// usersLose follows what users obtained before a site took something from them.
func usersLose(t *testing.T, s *stacktest.Stack, spec directory.SiteSpec) {
	ctx := t.Context()
	apply := func(wantChanges int) {
		t.Helper()
		changes, err := s.Directory.Apply(ctx, s.Operator(), spec, false)
		if err != nil || wantChanges >= 0 && len(changes) != wantChanges {
			t.Fatalf("%v, %+v, want %d changes", err, changes, wantChanges)
		}
	}
	user := func(name string) *identity.User {
		t.Helper()
		u, err := store.Users.By(s.DB.Snapshot(), "login", store.Join("shasta", name))
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	// ended says whether what a user had before fn is good afterwards.
	ended := func(name string, fn func()) bool {
		t.Helper()
		u, at := user(name), s.DB.Snapshot().Position()
		fn()
		l := identity.Lineage{{Kind: identity.LineagePrincipal, ID: u.ID}}
		return s.Access.LineageLive(s.DB.Snapshot(), stacktest.AccountA, l, at, s.Clock.Now()) != nil
	}
	pool := spec.Realms[1].UserPool
	pool.Groups = []directory.PoolGroupSpec{{Name: "admins", Role: "api_admin"}, {Name: "staff"}}
	spec.Users[0].PoolGroups = []string{"admins", "staff"}
	for _, c := range []struct {
		name string
		fn   func()
		want bool
	}{
		{"joins groups", func() {}, false},
		{"nothing changes", func() {}, false},
		{"another description", func() { pool.Groups[0].Description = "they may" }, false},
		{"another role of its group", func() { pool.Groups[0].Role = "api_readonly" }, true},
		{"leaves a group", func() { spec.Users[0].PoolGroups = []string{"admins"} }, true},
	} {
		if got := ended(stacktest.TestUser, func() { c.fn(); apply(-1) }); got != c.want {
			t.Errorf("%s: ended %t, want %t", c.name, got, c.want)
		}
	}
	apply(0)

	// Revocations outlive what a client gave before its tokens' life was cut.
	long := pool.Clients[0].RefreshTokenSeconds
	pool.Clients[0].RefreshTokenSeconds, pool.Clients[1].RefreshTokenSeconds = 3600, 3600
	apply(2)
	spec.Users[0].Disabled = true
	apply(1)
	rows, err := store.Revocations.List(s.DB.Snapshot(), "target", store.Join(string(identity.LineagePrincipal), user(stacktest.TestUser).ID), store.After{}, 0)
	if err != nil || len(rows) != 1 || rows[0].ExpiresAt.Before(s.Clock.Now().Add(time.Duration(long)*time.Second)) {
		t.Errorf("%v, %+v: shorter than refresh tokens of %d s", err, rows, long)
	}
}

// deletedToken brings an API token back that was deleted, as the demo site does
// at every start, and leaves it where it is to be off.
func deletedToken(t *testing.T, s *stacktest.Stack, spec directory.SiteSpec) {
	ctx, a := t.Context(), root(t, s, stacktest.AccountA, "aws")
	remove := func() {
		t.Helper()
		if _, err := s.Directory.DeleteAPIToken(ctx, a, "localhost", stacktest.APIAccessKey); err != nil {
			t.Fatal(err)
		}
	}
	token := func() identity.User {
		t.Helper()
		u, err := s.Directory.APIToken(ctx, a, "localhost", stacktest.APIAccessKey)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	remove()
	spec.APITokens[0].Disabled = true
	if changes, err := s.Directory.Apply(ctx, s.Operator(), spec, false); err != nil || len(changes) != 0 || !token().Token.Deleted {
		t.Errorf("one that is to be off: %v, %v", changes, err)
	}
	spec.APITokens[0].Disabled = false
	secret := spec.APITokens[0].Secret
	spec.APITokens[0].Secret = nil
	_, err := s.Directory.Apply(ctx, s.Operator(), spec, false)
	expect(t, "without a secret", err, identity.KindValidation, "API token robot: a new API token needs a secret")
	spec.APITokens[0].Secret = secret
	if _, err := s.Directory.Apply(ctx, s.Operator(), spec, false); err != nil || token().Token.Deleted || token().Disabled {
		t.Errorf("%v, %+v", err, token())
	}
	u := token()
	realm, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	if err != nil {
		t.Fatal(err)
	}
	if same, err := s.Authn.SameAPISecret(ctx, u.ID, realm.PoolName, u.Subject, *secret); err != nil || !same {
		t.Errorf("its secret: %t, %v", same, err)
	}
	if changes, err := s.Directory.Apply(ctx, s.Operator(), spec, false); err != nil || len(changes) != 0 {
		t.Errorf("again: %v, %v", changes, err)
	}
}

func TestApplyPoolsRefuses(t *testing.T) {
	t.Parallel()
	s, _ := poolSite(t)
	for name, c := range map[string]struct {
		change func(*directory.SiteSpec)
		want   string
	}{
		"a region changes": {func(f *directory.SiteSpec) { f.Realms[1].UserPool.Region = "eu-west-1" }, "cannot move"},
		"root users' pool": {func(f *directory.SiteSpec) { f.Realms[0].UserPool = f.Realms[1].UserPool }, "root users"},
		"unknown flow":     {func(f *directory.SiteSpec) { f.Realms[1].UserPool.Clients[0].AuthFlows = []string{"ALLOW_ALL"} }, "unknown flow"},
		"short secret": {func(f *directory.SiteSpec) {
			f.Realms[1].UserPool.Clients[1].Secrets = []identity.Secret{"short"}
		}, "24 to 64"},
		"pool of another account": {func(f *directory.SiteSpec) { f.IdentityPools[0].AccountID = stacktest.AccountB }, "cannot move"},
		"role that is not there":  {func(f *directory.SiteSpec) { f.IdentityPools[0].Unauthenticated = "nobody" }, "no role"},
		"provider that is not":    {func(f *directory.SiteSpec) { f.IdentityPools[0].OIDCProviders = []string{"https://x.example"} }, "no OIDC provider"},
		"issuer of everybody": {func(f *directory.SiteSpec) {
			f.IdentityPools[0].OIDCProviders = []string{"https://token.actions.githubusercontent.com"}
		}, "for whoever asks"},
		"mapping of no provider": {func(f *directory.SiteSpec) {
			f.IdentityPools[0].RoleMappings["x"] = identity.PoolRoleMapping{Type: "Token", Ambiguous: "Deny"}
		}, "none of its providers"},
		"access key in upper case":  {func(f *directory.SiteSpec) { f.APITokens[0].AccessKey = strings.ToUpper(f.APITokens[0].AccessKey) }, "lower case"},
		"role no API token has":     {func(f *directory.SiteSpec) { f.APITokens[0].Role = "root" }, "Role must be one of"},
		"API without identity pool": {func(f *directory.SiteSpec) { f.StaxAPIs[0].IdentityPool = "x" }, "identity pool"},
		"group that is not there":   {func(f *directory.SiteSpec) { f.Users[0].PoolGroups = []string{"x"} }, "no group"},
	} {
		spec := stacktest.Site()
		stacktest.AddPools(&spec)
		c.change(&spec)
		_, err := s.Directory.Apply(t.Context(), s.Operator(), spec, true)
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
