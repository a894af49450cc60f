package issue_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"strings"
	"testing"

	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/stacktest"
)

const (
	gitHub    = "https://token.actions.githubusercontent.com"
	tagsClaim = "https://aws.amazon.com/tags"
)

// foreign is a stack in front of two foreign issuers, and their common key.
type foreign struct {
	*office
	key *ecdsa.PrivateKey
}

func newForeign(t testing.TB, mappings ...identity.RoleMapping) *foreign {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		for i := range spec.Providers {
			if spec.Providers[i].URL == stacktest.ForeignIssuer {
				spec.Providers[i].RoleMappings = mappings
			}
		}
		spec.Providers = append(spec.Providers,
			directory.ProviderSpec{AccountID: stacktest.AccountA, URL: gitHub, ClientIDs: []string{"sts.amazonaws.com"}},
			directory.ProviderSpec{AccountID: stacktest.AccountB, URL: stacktest.ForeignIssuer, ClientIDs: []string{"app"}})
	}))
	f := &foreign{office: &office{Stack: s, t: t}, key: key}
	s.Foreign.Set(stacktest.ForeignIssuer, "k1", key.Public())
	s.Foreign.Set(gitHub, "k1", key.Public())
	return f
}

// trust is a role that trusts an issuer for actions under a condition, as JSON.
func (f *foreign) trust(name, issuer, actions, condition string) string {
	f.t.Helper()
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return f.role(stacktest.AccountA, name, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::`+stacktest.AccountA+
		`:oidc-provider/`+identity.TrimScheme(issuer)+`"},"Action":`+actions+condition+`}}`)
}

// token is signed by an issuer; pairs of name and value change its claims.
func (f *foreign) token(issuer string, pairs ...any) identity.Secret {
	f.t.Helper()
	now := f.Clock.Now().Unix()
	claims := map[string]any{"iss": issuer, "sub": "alice", "aud": "app", "exp": now + 300, "iat": now}
	for i := 0; i < len(pairs); i += 2 {
		claims[pairs[i].(string)] = pairs[i+1]
	}
	return sign(f.t, f.key, "k1", claims)
}

const withWebIdentity = `"sts:AssumeRoleWithWebIdentity"`

// TestTrustInAnyClaim: every claim of a token is a condition key.
func TestTrustInAnyClaim(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	const p = "idp.example.org"
	for name, tt := range map[string]struct {
		condition string
		claims    []any
		want      identity.Kind
	}{
		"string":                   {`{"StringLike":{"` + p + `:environment":"prod-*"}}`, []any{"environment", "prod-eu"}, ""},
		"another string":           {`{"StringLike":{"` + p + `:environment":"prod-*"}}`, []any{"environment", "dev"}, identity.KindAccessDenied},
		"absent":                   {`{"StringEquals":{"` + p + `:environment":"prod"}}`, nil, identity.KindAccessDenied},
		"number":                   {`{"NumericGreaterThan":{"` + p + `:level":"3"}}`, []any{"level", 4}, ""},
		"number too small":         {`{"NumericGreaterThan":{"` + p + `:level":"3"}}`, []any{"level", 3}, identity.KindAccessDenied},
		"boolean":                  {`{"Bool":{"` + p + `:email_verified":"true"}}`, []any{"email_verified", true}, ""},
		"boolean false":            {`{"Bool":{"` + p + `:email_verified":"true"}}`, []any{"email_verified", false}, identity.KindAccessDenied},
		"one of a list":            {`{"ForAnyValue:StringEquals":{"` + p + `:groups":"ops"}}`, []any{"groups", []string{"dev", "ops"}}, ""},
		"none of a list":           {`{"ForAnyValue:StringEquals":{"` + p + `:groups":"ops"}}`, []any{"groups", []string{"dev", "oops"}}, identity.KindAccessDenied},
		"all of a list":            {`{"ForAllValues:StringLike":{"` + p + `:amr":"m*"},"Null":{"` + p + `:amr":"false"}}`, []any{"amr", []string{"mfa", "mca"}}, ""},
		"an object is no value":    {`{"StringLike":{"` + p + `:groups":"*"}}`, []any{"groups", map[string]any{"a": "b"}}, identity.KindAccessDenied},
		"a list with an object":    {`{"ForAnyValue:StringLike":{"` + p + `:groups":"*"}}`, []any{"groups", []any{"a", map[string]any{}}}, identity.KindAccessDenied},
		"name in another case":     {`{"StringEquals":{"` + p + `:Environment":"prod"}}`, []any{"environment", "prod"}, ""},
		"a name that looks alike":  {`{"StringEquals":{"` + p + `:kind":"prod"}}`, []any{"\u212aind", "prod"}, identity.KindAccessDenied},
		"two that differ in case":  {`{"StringEquals":{"` + p + `:groups":"ops"}}`, []any{"groups", "ops", "Groups", "dev"}, identity.KindInvalidIdentity},
		"audience":                 {`{"StringEquals":{"` + p + `:aud":"app"}}`, nil, ""},
		"party of several":         {`{"StringEquals":{"` + p + `:aud":"app2","` + p + `:azp":"app2"},"ForAnyValue:StringEquals":{"` + p + `:oaud":"app"}}`, []any{"aud", []string{"app", "app2"}, "azp", "app2"}, ""},
		"claims of another issuer": {`{"StringEquals":{"idp.example.com:sub":"alice"}}`, []any{"idp.example.com:sub", "alice"}, identity.KindAccessDenied},
		"a claim like ours":        {`{"StringEquals":{"sts:RoleSessionName":"ops"}}`, []any{"sts:RoleSessionName", "ops"}, identity.KindAccessDenied},
		"session name":             {`{"StringEquals":{"sts:RoleSessionName":"session"}}`, nil, ""},
	} {
		arn := f.trust("claims", stacktest.ForeignIssuer, withWebIdentity, tt.condition)
		_, err := webIdentity(t, f.Stack, arn, f.token(stacktest.ForeignIssuer, tt.claims...), 0)
		wantKind(t, name, err, tt.want)
	}
}

// TestSharedIssuers: without a subject that is spelt out such a role is never
// stored, and only that subject gets it.
func TestSharedIssuers(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	const p = "token.actions.githubusercontent.com"
	for _, condition := range []string{"", `{"StringEquals":{"` + p + `:aud":"sts.amazonaws.com"}}`, `{"StringLike":{"` + p + `:sub":"repo:*"}}`, `{"StringLike":{"` + p + `:sub":"*"}}`} {
		doc := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::` + stacktest.AccountA + `:oidc-provider/` + p + `"},"Action":` + withWebIdentity
		if condition != "" {
			doc += `,"Condition":` + condition
		}
		_, err := f.Directory.Apply(t.Context(), f.Operator(), directory.SiteSpec{Roles: []directory.RoleSpec{{AccountID: stacktest.AccountA, Name: "open", Trust: doc + `}}`, MaxSessionDuration: 3600}}}, false)
		wantKind(t, condition, err, identity.KindMalformedPolicy)
	}
	arn := f.trust("deploy", gitHub, withWebIdentity, `{"StringEquals":{"`+p+`:aud":"sts.amazonaws.com"},"StringLike":{"`+p+`:sub":"repo:octo/app:*"}}`)
	for sub, want := range map[string]identity.Kind{
		"repo:octo/app:ref:refs/heads/main": "", "repo:evil/app:ref:refs/heads/main": identity.KindAccessDenied,
		"repo:octo/app2:ref:refs/heads/main": identity.KindAccessDenied, "REPO:octo/app:x": identity.KindAccessDenied,
	} {
		_, err := webIdentity(t, f.Stack, arn, f.token(gitHub, "sub", sub, "aud", "sts.amazonaws.com"), 0)
		wantKind(t, sub, err, want)
	}
}

// TestTagsOfTokens reads the four shapes, and demands that the role trusts the
// issuer with tags.
func TestTagsOfTokens(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	plain := f.trust("plain", stacktest.ForeignIssuer, withWebIdentity, "")
	tagged := f.trust("tagged", stacktest.ForeignIssuer, `["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`, `{"StringLike":{"aws:RequestTag/Team":["blue","green"]}}`)
	nested := map[string]any{"principal_tags": map[string]any{"Team": []string{"blue"}}, "transitive_tag_keys": []string{"Team"}}
	for name, claims := range map[string][]any{
		"nested":            {tagsClaim, nested},
		"in a list":         {tagsClaim, []any{map[string]any{"principal_tags": map[string]any{"Team": "blue"}}, map[string]any{"transitive_tag_keys": []string{"Team"}}}},
		"one flat claim":    {tagsClaim + "/principal_tags", map[string]any{"Team": "blue"}, tagsClaim + "/transitive_tag_keys", []string{"Team"}},
		"one claim per key": {tagsClaim + "/principal_tags/Team", "blue", tagsClaim + "/transitive_tag_keys", []string{"Team"}},
	} {
		tok := f.token(stacktest.ForeignIssuer, claims...)
		_, err := webIdentity(t, f.Stack, plain, tok, 0)
		wantKind(t, name+", not trusted with tags", err, identity.KindAccessDenied)
		out, err := webIdentity(t, f.Stack, tagged, tok, 0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c := f.caller(out.Keys); c.Tags["Team"] != "blue" || len(c.TransitiveKeys) != 1 || c.TransitiveKeys[0] != "Team" || out.PackedPolicySize < 1 {
			t.Errorf("%s: tags %v, transitive %v, packed %d", name, c.Tags, c.TransitiveKeys, out.PackedPolicySize)
		}
	}
	for name, tt := range map[string]struct {
		tags map[string]any
		want identity.Kind
	}{
		"another value":           {map[string]any{"principal_tags": map[string]any{"Team": "red"}}, identity.KindAccessDenied},
		"two values":              {map[string]any{"principal_tags": map[string]any{"Team": []string{"blue", "red"}}}, identity.KindInvalidIdentity},
		"reserved":                {map[string]any{"principal_tags": map[string]any{"Team": "blue", "aws:PrincipalOrgID": "o-1"}}, identity.KindInvalidIdentity},
		"control characters":      {map[string]any{"principal_tags": map[string]any{"Team": "blue", "x": "a\u0000b"}}, identity.KindInvalidIdentity},
		"two keys for one":        {map[string]any{"principal_tags": map[string]any{"Team": "blue", "TEAM": "green"}}, identity.KindInvalidIdentity},
		"transitive without tag":  {map[string]any{"principal_tags": map[string]any{"Team": "blue"}, "transitive_tag_keys": []string{"x"}}, identity.KindInvalidIdentity},
		"a role that is only tag": {map[string]any{"principal_tags": map[string]any{"Team": "blue", "role": rootA}}, ""},
	} {
		_, err := webIdentity(t, f.Stack, tagged, f.token(stacktest.ForeignIssuer, tagsClaim, tt.tags), 0)
		wantKind(t, name, err, tt.want)
	}
	_, err := webIdentity(t, f.Stack, rootA, f.token(stacktest.ForeignIssuer, "sub", stacktest.AccountA, tagsClaim, map[string]any{"principal_tags": map[string]any{"role": rootA}}), 0)
	wantKind(t, "root by a foreign tag", err, identity.KindAccessDenied)
	_, err = webIdentity(t, f.Stack, strings.ReplaceAll(tagged, stacktest.AccountA, stacktest.AccountB), f.token(stacktest.ForeignIssuer, tagsClaim, nested), 0)
	wantKind(t, "the role of another account", err, identity.KindAccessDenied)
}

// TestProviderOfAnotherAccount: a role trusts the provider of the account that
// its policy names, also where both accounts registered the issuer.
func TestProviderOfAnotherAccount(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	trust := func(arn string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},"Action":` + withWebIdentity + `}}`
	}
	for provider, want := range map[string]identity.Kind{
		"arn:aws:iam::" + stacktest.AccountA + ":oidc-provider/idp.example.org":  identity.KindAccessDenied,
		"arn:demo:iam::" + stacktest.AccountA + ":oidc-provider/idp.example.org": identity.KindAccessDenied,
		"arn:demo:iam::" + stacktest.AccountB + ":oidc-provider/idp.example.org": "",
	} {
		arn := f.role(stacktest.AccountB, "guest", trust(provider))
		_, err := webIdentity(t, f.Stack, arn, f.token(stacktest.ForeignIssuer), 0)
		wantKind(t, provider, err, want)
	}
	_, err := webIdentity(t, f.Stack, f.role(stacktest.AccountB, "guest", trust("arn:demo:iam::"+stacktest.AccountB+":oidc-provider/"+identity.TrimScheme(gitHub)+"x")), f.token(gitHub, "aud", "sts.amazonaws.com"), 0)
	wantKind(t, "an issuer that only the other account registered", err, identity.KindInvalidIdentity)
}

func TestSourceIdentityOfTokens(t *testing.T) {
	t.Parallel()
	f := newForeign(t)
	deaf := f.trust("deaf", stacktest.ForeignIssuer, withWebIdentity, "")
	arn := f.trust("named", stacktest.ForeignIssuer, `["sts:AssumeRoleWithWebIdentity","sts:SetSourceIdentity"]`, `{"StringEquals":{"sts:SourceIdentity":["alice","bob"]}}`)
	tok := f.token(stacktest.ForeignIssuer, "https://aws.amazon.com/source_identity", "alice")
	_, err := webIdentity(t, f.Stack, deaf, tok, 0)
	wantKind(t, "not trusted with a source identity", err, identity.KindAccessDenied)
	out, err := webIdentity(t, f.Stack, arn, tok, 0)
	if err != nil || out.SourceIdentity != "alice" || f.caller(out.Keys).SourceIdentity != "alice" {
		t.Errorf("got %q, %v", out.SourceIdentity, err)
	}
	_, err = webIdentity(t, f.Stack, arn, f.token(stacktest.ForeignIssuer, "https://aws.amazon.com/source_identity", "eve"), 0)
	wantKind(t, "another source identity", err, identity.KindAccessDenied)
}

func TestWebIdentitySessionPolicies(t *testing.T) {
	t.Parallel()
	s := stacktest.New(t)
	o := &office{Stack: s, t: t}
	get := func(arn string, tok identity.Secret, p issue.SessionPolicy) (issue.WebIdentityResult, error) {
		return s.Issuer.WebIdentity(t.Context(), issue.WebIdentityRequest{RoleARN: arn, RoleSessionName: "session", Token: tok, Policy: p})
	}
	shasta, root := shastaLogin(t, s).AccessToken, rootLogin(t, s, stacktest.RootEmailA).AccessToken
	none := issue.SessionPolicy{Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`}
	for arn, tok := range map[string]identity.Secret{roleA: shasta, rootA: root} {
		out, err := get(arn, tok, issue.SessionPolicy{})
		if err != nil || !o.may(o.caller(out.Keys), "s3:ListAllMyBuckets") {
			t.Errorf("%s: %v", arn, err)
		}
		out, err = get(arn, tok, none)
		if err != nil || o.may(o.caller(out.Keys), "s3:ListAllMyBuckets") || out.PackedPolicySize == 0 {
			t.Errorf("%s with a policy: %v, packed %d", arn, err, out.PackedPolicySize)
		}
		_, err = get(arn, tok, issue.SessionPolicy{Document: "{"})
		wantKind(t, arn, err, identity.KindMalformedPolicy)
		_, err = get(arn+"x", tok, issue.SessionPolicy{Document: "{"})
		wantKind(t, arn+"x", err, identity.KindAccessDenied)
	}
}

// TestRoleMappings: where a provider has mappings, they and the trust policy
// must both allow.
func TestRoleMappings(t *testing.T) {
	t.Parallel()
	f := newForeign(t,
		identity.RoleMapping{Claim: "groups", Value: "eng-*", Role: "engineer"},
		identity.RoleMapping{Claim: "Groups", Value: "ops", Role: "operator"},
		identity.RoleMapping{Claim: "sub", Value: "bob", Role: "operator"},
		identity.RoleMapping{Claim: "resource_access.app.roles", Value: "admin", Role: "operator"})
	all := map[string]string{}
	for _, name := range []string{"engineer", "operator", "other"} {
		all[name] = f.trust(name, stacktest.ForeignIssuer, withWebIdentity, "")
	}
	maps.Copy(all, map[string]string{"strict": f.trust("strict", stacktest.ForeignIssuer, withWebIdentity, `{"StringEquals":{"idp.example.org:sub":"carol"}}`)})
	for name, tt := range map[string]struct {
		role   string
		claims []any
		want   identity.Kind
	}{
		"by a pattern":            {"engineer", []any{"groups", []string{"all", "eng-eu"}}, ""},
		"by a string":             {"engineer", []any{"groups", "eng-"}, ""},
		"by another claim":        {"operator", []any{"sub", "bob"}, ""},
		"by a name":               {"operator", []any{"groups", []string{"ops"}}, ""},
		"within an object":        {"operator", []any{"resource_access", map[string]any{"app": map[string]any{"roles": []string{"user", "admin"}}}}, ""},
		"within another":          {"operator", []any{"resource_access", map[string]any{"b": map[string]any{"roles": []string{"admin"}}}}, identity.KindAccessDenied},
		"another group":           {"operator", []any{"groups", []string{"opsx", "eng-ops"}}, identity.KindAccessDenied},
		"no group":                {"engineer", nil, identity.KindAccessDenied},
		"a wildcard in the token": {"engineer", []any{"groups", []string{"*", "eng?"}}, identity.KindAccessDenied},
		"a role without mapping":  {"other", []any{"groups", []string{"eng-eu", "ops"}}, identity.KindAccessDenied},
		"trusted, not mapped":     {"strict", []any{"sub", "carol"}, identity.KindAccessDenied},
	} {
		_, err := webIdentity(t, f.Stack, all[tt.role], f.token(stacktest.ForeignIssuer, tt.claims...), 0)
		wantKind(t, name, err, tt.want)
	}
	if _, err := webIdentity(t, f.Stack, roleA, shastaLogin(t, f.Stack).AccessToken, 0); err != nil {
		t.Errorf("a provider without mappings: %v", err)
	}
}
