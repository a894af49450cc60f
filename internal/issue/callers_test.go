package issue_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/sigv4"
	"daypass/internal/stacktest"
	"daypass/internal/store"
)

const (
	adminPolicy    = "arn:aws:iam::aws:policy/AdministratorAccess"
	readOnlyPolicy = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
)

// office is a stack with users of both accounts, who all hold a long-term key.
type office struct {
	*stacktest.Stack
	t testing.TB
	// alice and mallory administer account A and bob has no policy; carol
	// administers account B.
	alice, bob, carol, mallory *identity.Caller
	rootA                      *identity.Caller
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s := stacktest.New(t, stacktest.WithSite(func(spec *directory.SiteSpec) {
		for name, policies := range map[string][]string{"alice": {adminPolicy}, "mallory": {adminPolicy}, "bob": nil} {
			spec.Users = append(spec.Users, directory.UserSpec{AccountID: stacktest.AccountA, Name: name, ManagedPolicies: policies, Tags: map[string]string{"desk": name}})
		}
		spec.Users = append(spec.Users, directory.UserSpec{AccountID: stacktest.AccountB, Name: "carol", ManagedPolicies: []string{strings.Replace(adminPolicy, "aws", "demo", 1)}})
	}))
	o := &office{Stack: s, t: t}
	o.alice, o.bob, o.mallory = o.user(stacktest.AccountA, "alice"), o.user(stacktest.AccountA, "bob"), o.user(stacktest.AccountA, "mallory")
	o.carol = o.user(stacktest.AccountB, "carol")
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	o.rootA = o.caller(identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret})
	return o
}

// user makes a long-term key for a user.
func (o *office) user(account, name string) *identity.Caller {
	o.t.Helper()
	partition := map[string]string{stacktest.AccountA: "aws", stacktest.AccountB: "demo"}[account]
	root := &identity.Caller{Kind: identity.RootUser, AccountID: account, Partition: partition, PrincipalID: account, Name: "root", ARN: identity.RootARN(partition, account)}
	key, err := o.Issuer.RootAccessKey(o.t.Context(), o.Operator(), account)
	if err != nil {
		o.t.Fatal(err)
	}
	root.AccessKeyID = key.Key.ID
	made, err := o.Issuer.AccessKey(o.t.Context(), root, name)
	if err != nil {
		o.t.Fatal(err)
	}
	o.update(func(tx store.Tx) error { return store.AccessKeys.Delete(tx, key.Key.ID) })
	return o.caller(identity.SessionKeys{AccessKeyID: made.Key.ID, SecretAccessKey: made.Secret})
}

func (o *office) update(fn func(store.Tx) error) {
	o.t.Helper()
	if _, err := o.DB.Update(o.t.Context(), fn); err != nil {
		o.t.Fatal(err)
	}
}

// caller is who signs with keys; try is caller that may fail.
func (o *office) caller(k identity.SessionKeys) *identity.Caller {
	o.t.Helper()
	c, err := o.try(k)
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

func (o *office) try(k identity.SessionKeys) (*identity.Caller, error) {
	o.t.Helper()
	r := httptest.NewRequestWithContext(o.t.Context(), http.MethodGet, "http://127.0.0.1:8080/bucket/key", nil)
	r.RequestURI = "/bucket/key"
	err := sigv4.Sign(r, sigv4.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey.Reveal(), SessionToken: k.SessionToken.Reveal()},
		"us-east-1", "s3", sigv4.UnsignedPayload, o.Clock.Now())
	if err != nil {
		o.t.Fatal(err)
	}
	a, err := o.Access.Authenticate(r, access.ServiceS3, "")
	return &a.Caller, err
}

// role makes or changes a role with inline policies, and returns its ARN.
func (o *office) role(account, name, trust string, policies ...string) string {
	o.t.Helper()
	spec := directory.SiteSpec{Roles: []directory.RoleSpec{{
		AccountID: account, Name: name, Trust: trust, MaxSessionDuration: 7200, ManagedPolicies: policies, Tags: map[string]string{"tier": "gold"},
	}}}
	if _, err := o.Directory.Apply(o.t.Context(), o.Operator(), spec, false); err != nil {
		o.t.Fatal(err)
	}
	return "arn:" + map[string]string{stacktest.AccountA: "aws", stacktest.AccountB: "demo"}[account] + ":iam::" + account + ":role/" + name
}

// trusting is a trust policy of one statement; actions and condition are JSON.
func trusting(principal, actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":` + actions + condition + `}}`
}

const (
	allActions   = `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`
	assumeAction = `"sts:AssumeRole"`
)

func (o *office) assume(c *identity.Caller, arn string, change ...func(*issue.AssumeRoleRequest)) (issue.AssumedRole, error) {
	r := issue.AssumeRoleRequest{RoleARN: arn, RoleSessionName: "session"}
	for _, fn := range change {
		fn(&r)
	}
	return o.Issuer.AssumeRole(o.t.Context(), c, r)
}

// assumed is assume that must not fail, and who it makes.
func (o *office) assumed(c *identity.Caller, arn string, change ...func(*issue.AssumeRoleRequest)) *identity.Caller {
	o.t.Helper()
	out, err := o.assume(c, arn, change...)
	if err != nil {
		o.t.Fatal(err)
	}
	return o.caller(out.Keys)
}

func (o *office) may(c *identity.Caller, action string) bool {
	return o.Access.Authorize(c, action, access.Resource{ARN: "arn:aws:iam::" + c.AccountID + ":user/bob", AccountID: c.AccountID}).Allowed()
}

func wantKind(t testing.TB, what string, err error, want identity.Kind) {
	t.Helper()
	if identity.KindOf(err) != want {
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}

func wantText(t *testing.T, what string, err error, want string) {
	t.Helper()
	if e := identity.AsError(err); e == nil || !strings.Contains(e.Public, want) {
		t.Errorf("%s: got %v, want %q", what, err, want)
	}
}
