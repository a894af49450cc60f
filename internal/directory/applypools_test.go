package directory_test

import (
	"regexp"
	"strings"
	"testing"

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
		"mapping of no provider": {func(f *directory.SiteSpec) {
			f.IdentityPools[0].RoleMappings["x"] = identity.PoolRoleMapping{Type: "Token", Ambiguous: "Deny"}
		}, "none of its providers"},
		"access key in upper case":  {func(f *directory.SiteSpec) { f.APITokens[0].AccessKey = strings.ToUpper(f.APITokens[0].AccessKey) }, "lower case"},
		"role no API token has":     {func(f *directory.SiteSpec) { f.APITokens[0].Role = "root" }, "the role is"},
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
