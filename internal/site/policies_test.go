package site

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

func TestReadPolicies(t *testing.T) {
	t.Parallel()
	got, err := Read(Source{Name: "site.yaml", Lookup: env("BUCKET", "logs")}, []byte(`
policies:
  - account: "1"
    name: reads
    path: /team/
    description: reads logs
    tags: {Team: blue}
    document:
      Version: 2012-10-17
      Statement: {Effect: Allow, Action: "s3:Get*", Resource: "arn:aws:s3:::${env:BUCKET}/*"}
groups:
  - {account: "1", name: devs, managed_policies: ["arn:aws:iam::1:policy/team/reads"], inline_policies: {}}
  - account: "1"
    name: ops
    inline_policies:
      lists: '{"Version": "2012-10-17"}'
users:
  - {account: "1", name: alice, groups: [devs], permissions_boundary: "arn:aws:iam::1:policy/team/reads"}
  - {account: "1", name: bob, groups: [], managed_policies: [], permissions_boundary: ""}
roles:
  - account: "1"
    name: deploy
    trust: '{}'
    inline_policies:
      puts: {Version: 2012-10-17, Statement: []}
`))
	if err != nil {
		t.Fatal(err)
	}
	boundary := "arn:aws:iam::1:policy/team/reads"
	want := directory.SiteSpec{
		Policies: []directory.PolicySpec{{
			AccountID: "1", Name: "reads", Path: "/team/", Description: "reads logs", Tags: map[string]string{"Team": "blue"},
			Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::logs/*"}}`,
		}},
		Groups: []directory.GroupSpec{
			{AccountID: "1", Name: "devs", Path: "/", ManagedPolicies: []string{boundary}, InlinePolicies: map[string]string{}},
			{AccountID: "1", Name: "ops", Path: "/", InlinePolicies: map[string]string{"lists": `{"Version": "2012-10-17"}`}},
		},
		Users: []directory.UserSpec{
			{AccountID: "1", Name: "alice", Path: "/", Groups: []string{"devs"}, PermissionsBoundary: &boundary},
			{AccountID: "1", Name: "bob", Path: "/", Groups: []string{}, ManagedPolicies: []string{}, PermissionsBoundary: new(string)},
		},
		Roles: []directory.RoleSpec{{
			AccountID: "1", Name: "deploy", Path: "/", Trust: "{}", MaxSessionDuration: 3600,
			InlinePolicies: map[string]string{"puts": `{"Version":"2012-10-17","Statement":[]}`},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestPolicyComplaints(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct{ yaml, want string }{
		"no document":      {"policies:\n  - {account: '1', name: p}\n", "site.yaml:2: policies[0].document: must be given"},
		"a list":           {"policies:\n  - {account: '1', name: p, document: []}\n", "neither a mapping nor JSON"},
		"an inline list":   {"groups:\n  - {account: '1', name: g, inline_policies: {p: []}}\n", "neither a mapping nor JSON"},
		"no inline policy": {"groups:\n  - {account: '1', name: g, inline_policies: {p: }}\n", "neither a mapping nor JSON"},
		"twice":            {"groups:\n  - {account: '1', name: g}\n  - {account: '1', name: G}\n", "the same group as groups[0].name"},
		"an unknown key":   {"groups:\n  - {account: '1', name: g, permissions_boundary: x}\n", "permissions_boundary"},
		"inline as a list": {"roles:\n  - account: '1'\n    name: r\n    trust: '{}'\n    inline_policies: [x]\n", "site.yaml:5: roles[0].inline_policies[0]: cannot take a list as a mapping"},
	} {
		_, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(v.yaml))
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, v.want) {
			t.Errorf("%s: got %v, want %q", name, err, v.want)
		}
	}
}
