package directory_test

import (
	"slices"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const providerArn = "arn:aws:iam::" + stacktest.AccountA + ":oidc-provider/idp.example.org"

func poolRoot(t *testing.T, s *stacktest.Stack, account, partition string) *identity.Caller {
	t.Helper()
	c := *root(t, s, account, partition)
	c.Request.Region = "eu-west-1"
	return &c
}

func TestIdentityPools(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a, b := t.Context(), poolRoot(t, s, stacktest.AccountA, "aws"), poolRoot(t, s, stacktest.AccountB, "demo")
	made, err := s.Directory.CreateIdentityPool(ctx, a, directory.IdentityPoolSettings{
		Name: "first", OIDCProviders: []string{providerArn, providerArn}, Tags: map[string]string{"team": "blue"},
	})
	if err != nil || !strings.HasPrefix(made.ID, "eu-west-1:") || len(made.OIDCProviders) != 1 {
		t.Fatalf("got %+v, %v", made, err)
	}
	second, err := s.Directory.CreateIdentityPool(ctx, a, directory.IdentityPoolSettings{Name: "first"})
	if err != nil {
		t.Fatalf("two pools of one name: %v", err)
	}
	for name, in := range map[string]directory.IdentityPoolSettings{
		"no name":                     {},
		"bad name":                    {Name: "a/b"},
		"provider of nobody":          {Name: "x", OIDCProviders: []string{"arn:aws:iam::" + stacktest.AccountA + ":oidc-provider/nobody.example"}},
		"provider of another account": {Name: "x", OIDCProviders: []string{"arn:demo:iam::" + stacktest.AccountB + ":oidc-provider/idp.example.org"}},
		"no such user pool":           {Name: "x", UserPools: []identity.PoolLogin{{Provider: "cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Abcdefghi", ClientID: "c"}}},
		"tag of AWS":                  {Name: "x", Tags: map[string]string{"aws:x": "y"}},
	} {
		_, err := s.Directory.CreateIdentityPool(ctx, a, in)
		if k := identity.KindOf(err); k != identity.KindValidation && k != identity.KindInvalidInput {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := s.Directory.UpdateIdentityPool(ctx, a, made.ID, in); err == nil {
			t.Errorf("update, %s: no error", name)
		}
	}
	// Foreign pools and absent ones are alike.
	absent := "eu-west-1:00000000-0000-4000-8000-000000000000"
	for _, id := range []string{made.ID, absent} {
		want := "IdentityPool '" + id + "' not found."
		_, err := s.Directory.DescribeIdentityPool(ctx, b, id)
		_, err2 := s.Directory.GetIdentityPoolRoles(ctx, b, id)
		_, err3 := s.Directory.UpdateIdentityPool(ctx, b, id, directory.IdentityPoolSettings{Name: "x"})
		_, err4 := s.Directory.ListIdentities(ctx, b, id, false, directory.Page{})
		for i, err := range []error{err, err2, err3, err4, s.Directory.DeleteIdentityPool(ctx, b, id), s.Directory.SetIdentityPoolRoles(ctx, b, id, nil, nil)} {
			if identity.KindOf(err) != identity.KindNotFound || identity.AsError(err).Public != want {
				t.Errorf("call %d of a stranger: got %v, want %q", i, err, want)
			}
		}
	}
	first, err := s.Directory.ListIdentityPools(ctx, a, directory.Page{MaxItems: 1})
	if err != nil || len(first.Items) != 1 || first.Next == "" {
		t.Fatalf("first page: %+v, %v", first, err)
	}
	rest, err := s.Directory.ListIdentityPools(ctx, a, directory.Page{MaxItems: 1, Marker: first.Next})
	if err != nil || len(rest.Items) != 1 || rest.Next != "" || rest.Items[0].ID == first.Items[0].ID {
		t.Errorf("second page: %+v, %v", rest, err)
	}
	if got, err := s.Directory.ListIdentityPools(ctx, b, directory.Page{}); err != nil || len(got.Items) != 0 {
		t.Errorf("another account's: %+v, %v", got, err)
	}
	arn := made.ARN("aws")
	if err := s.Directory.TagIdentityPool(ctx, a, arn, map[string]string{"Team": "red", "x": "y"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.UntagIdentityPool(ctx, a, arn, []string{"x"}); err != nil {
		t.Fatal(err)
	}
	if tags, err := s.Directory.ListIdentityPoolTags(ctx, a, arn); err != nil || len(tags) != 1 || tags["Team"] != "red" {
		t.Errorf("tags %v, %v", tags, err)
	}
	if got, err := s.Directory.UpdateIdentityPool(ctx, a, made.ID, directory.IdentityPoolSettings{Name: "renamed"}); err != nil || got.Tags["Team"] != "red" || got.OIDCProviders != nil {
		t.Errorf("update: %+v, %v", got, err)
	}
	for _, id := range []string{made.ID, second.ID} {
		if err := s.Directory.DeleteIdentityPool(ctx, a, id); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Directory.ListIdentityPools(ctx, a, directory.Page{}); err != nil || len(got.Items) != 0 {
		t.Errorf("after deleting: %+v, %v", got, err)
	}
}

func TestIdentityPoolRoles(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools(), stacktest.WithSite(func(spec *directory.SiteSpec) {
		spec.Users = append(spec.Users, directory.UserSpec{AccountID: stacktest.AccountA, Name: "pools", InlinePolicies: map[string]string{
			"pools": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cognito-identity:*","Resource":"*"},` +
				`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::` + stacktest.AccountA + `:role/api_*","Condition":{"StringEquals":{"iam:PassedToService":"cognito-identity.amazonaws.com"}}}]}`,
		}})
	}))
	ctx := t.Context()
	made, err := s.Issuer.AccessKey(ctx, root(t, s, stacktest.AccountA, "aws"), "pools")
	if err != nil {
		t.Fatal(err)
	}
	c := &identity.Caller{
		Kind: identity.IAMUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: made.Key.UserID, Name: "pools",
		ARN: "arn:aws:iam::" + stacktest.AccountA + ":user/pools", AccessKeyID: made.Key.ID,
	}
	const (
		admin = "arn:aws:iam::" + stacktest.AccountA + ":role/api_admin"
		other = "arn:aws:iam::" + stacktest.AccountA + ":role/" + stacktest.RoleName
	)
	realm, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	if err != nil {
		t.Fatal(err)
	}
	user := realm.PoolProvider()
	rules := func(arn string) identity.PoolRoleMapping {
		return identity.PoolRoleMapping{Type: "Rules", Ambiguous: "Deny", Rules: []identity.PoolRoleRule{{Claim: "c", MatchType: "Equals", Value: "v", RoleARN: arn}}}
	}
	token := identity.PoolRoleMapping{Type: "Token", Ambiguous: "Deny"}
	for name, c2 := range map[string]struct {
		roles    map[string]string
		mappings map[string]identity.PoolRoleMapping
		want     identity.Kind
	}{
		"may pass":                {map[string]string{"authenticated": admin}, nil, ""},
		"may not pass":            {map[string]string{"authenticated": other}, nil, identity.KindAccessDenied},
		"may not pass by a rule":  {nil, map[string]identity.PoolRoleMapping{"idp.example.org": rules(other)}, identity.KindAccessDenied},
		"rule":                    {nil, map[string]identity.PoolRoleMapping{"idp.example.org": rules(admin)}, ""},
		"rule by ARN":             {nil, map[string]identity.PoolRoleMapping{providerArn: rules(admin)}, ""},
		"token":                   {nil, map[string]identity.PoolRoleMapping{user: token, user + ":" + stacktest.PoolClient: token}, ""},
		"token of a provider":     {nil, map[string]identity.PoolRoleMapping{"idp.example.org": token}, identity.KindValidation},
		"of no provider":          {nil, map[string]identity.PoolRoleMapping{"other.example.org": rules(admin)}, identity.KindValidation},
		"another kind":            {map[string]string{"admin": admin}, nil, identity.KindValidation},
		"absent role":             {map[string]string{"authenticated": "arn:aws:iam::" + stacktest.AccountA + ":role/api_none"}, nil, identity.KindValidation},
		"role of another account": {map[string]string{"authenticated": "arn:demo:iam::" + stacktest.AccountB + ":role/api_x"}, nil, identity.KindValidation},
		"no role":                 {map[string]string{"authenticated": "arn:aws:iam::" + stacktest.AccountA + ":root"}, nil, identity.KindValidation},
	} {
		err := s.Directory.SetIdentityPoolRoles(ctx, c, stacktest.IdentityPoolID, c2.roles, c2.mappings)
		if identity.KindOf(err) != c2.want {
			t.Errorf("%s: got %v, want %q", name, err, c2.want)
		}
	}
	// What the pool gives already may stay.
	owner := root(t, s, stacktest.AccountA, "aws")
	if err := s.Directory.SetIdentityPoolRoles(ctx, owner, stacktest.IdentityPoolID, map[string]string{"authenticated": other}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Directory.SetIdentityPoolRoles(ctx, c, stacktest.IdentityPoolID, map[string]string{"authenticated": other, "unauthenticated": admin}, nil); err != nil {
		t.Errorf("keeping a role: %v", err)
	}
	// A role that some get is not handed to others by who may not pass it.
	const host = "idp.example.org"
	if err := s.Directory.SetIdentityPoolRoles(ctx, owner, stacktest.IdentityPoolID, map[string]string{"authenticated": other}, map[string]identity.PoolRoleMapping{host: rules(other)}); err != nil {
		t.Fatal(err)
	}
	easier := rules(other)
	easier.Rules = []identity.PoolRoleRule{{Claim: "sub", MatchType: "StartsWith", RoleARN: other, Value: "a"}}
	for what, change := range map[string]struct {
		roles    map[string]string
		mappings map[string]identity.PoolRoleMapping
	}{
		"to guests":                {map[string]string{"authenticated": other, "unauthenticated": other}, map[string]identity.PoolRoleMapping{host: rules(other)}},
		"by another rule":          {map[string]string{"authenticated": other}, map[string]identity.PoolRoleMapping{host: easier}},
		"to whom a mapping denied": {map[string]string{"authenticated": other}, nil},
	} {
		if err := s.Directory.SetIdentityPoolRoles(ctx, c, stacktest.IdentityPoolID, change.roles, change.mappings); identity.KindOf(err) != identity.KindAccessDenied {
			t.Errorf("a role that the pool gives, %s: %v", what, err)
		}
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	ctx, a, b := t.Context(), poolRoot(t, s, stacktest.AccountA, "aws"), poolRoot(t, s, stacktest.AccountB, "demo")
	pool, err := s.Directory.CreateIdentityPool(ctx, a, directory.IdentityPoolSettings{Name: "pool"})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{"eu-west-1:00000000-0000-4000-8000-000000000001", "eu-west-1:00000000-0000-4000-8000-000000000002", "eu-west-1:00000000-0000-4000-8000-000000000003"}
	if _, err := s.DB.Update(ctx, func(tx store.Tx) error {
		for n, id := range ids {
			i := &identity.PoolIdentity{ID: id, PoolID: pool.ID, AccountID: stacktest.AccountA, Disabled: n == 1}
			if err := store.PoolIdentities.Put(tx, i); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	page, err := s.Directory.ListIdentities(ctx, a, pool.ID, true, directory.Page{MaxItems: 1})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != ids[0] || page.Next == "" {
		t.Fatalf("first page: %+v, %v", page, err)
	}
	page, err = s.Directory.ListIdentities(ctx, a, pool.ID, true, directory.Page{MaxItems: 1, Marker: page.Next})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != ids[2] || page.Next != "" {
		t.Errorf("second page, without the disabled one: %+v, %v", page, err)
	}
	if _, err := s.Directory.DescribeIdentity(ctx, b, ids[0]); identity.KindOf(err) != identity.KindNotFound {
		t.Errorf("a stranger describes it: %v", err)
	}
	if got, err := s.Directory.DescribeIdentity(ctx, a, ids[0]); err != nil || got.ID != ids[0] {
		t.Errorf("got %+v, %v", got, err)
	}
	if left, err := s.Directory.DeleteIdentities(ctx, b, ids[:2]); err != nil || !slices.Equal(left, ids[:2]) {
		t.Errorf("a stranger deletes: %v, %v", left, err)
	}
	if left, err := s.Directory.DeleteIdentities(ctx, a, append([]string{"eu-west-1:0"}, ids[:2]...)); err != nil || !slices.Equal(left, []string{"eu-west-1:0"}) {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := s.Directory.DeleteIdentities(ctx, a, slices.Repeat(ids[:1], 61)); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("61 at a time: %v", err)
	}
	if err := s.Directory.DeleteIdentityPool(ctx, a, pool.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.DB.View(ctx, func(r store.Reader) error {
		list, err := store.PoolIdentities.List(r, "pool", store.Join(pool.ID, ""), store.After{}, 0)
		if len(list) != 0 {
			t.Errorf("the pool left %d identities", len(list))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestTaggedRolesAreNotPassed: who may pass no role with a tag puts it neither on
// a group nor on an API token.
func TestTaggedRolesAreNotPassed(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t, stacktest.WithPools())
	a, ctx := root(t, s, stacktest.AccountA, "aws"), t.Context()
	role, err := s.Directory.CreateRole(ctx, a, directory.NewRole{Name: "crown", Trust: trustAll, Tags: map[string]string{"Level": "high"}})
	if err != nil {
		t.Fatal(err)
	}
	c := limited(t, s, a, "pools", `{"Effect":"Allow","Action":["cognito-idp:*","execute-api:*","iam:PassRole"],"Resource":"*"},
		{"Effect":"Deny","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Level":"high"}}}`)
	realm, err := store.Realms.Get(s.DB.Snapshot(), "shasta")
	if err != nil {
		t.Fatal(err)
	}
	arn, plain := role.ARN("aws"), "arn:aws:iam::"+stacktest.AccountA+":role/api_admin"
	if _, err := s.Directory.CreatePoolGroup(ctx, c, realm.PoolID(), "kings", directory.PoolGroupChange{RoleARN: &arn}); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("a group: %v", err)
	}
	if _, err := s.Directory.CreatePoolGroup(ctx, c, realm.PoolID(), "staff", directory.PoolGroupChange{RoleARN: &plain}); err != nil {
		t.Errorf("a group with another role: %v", err)
	}
	if _, err := s.Issuer.APIToken(ctx, c, "api.example.test", issue.NewAPIToken{Name: "king", Role: "crown"}); identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("an API token: %v", err)
	}
}
