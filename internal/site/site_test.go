package site

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

func noEnv(string) (string, bool) { return "", false }

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

const whole = `
accounts:
  - id: "123456789012"
    name: Demo
    alias: demo
    root: {email: root@example.com, password: {file: root.txt}}
realms:
  - name: root-accounts
    scope: email
    clients:
      - {id: root-client, public: true, grants: [password, refresh_token]}
  - name: shasta
    account: "123456789012"
    algorithm: RS256
    access_token_seconds: 60
    clients:
      - id: admin-client
        grants: [client_credentials]
        service_account: robot
        secret: {env: CLIENT}
users:
  - account: "123456789012"
    name: alice
    realm: shasta
    client_roles: {shasta: [admin]}
    password: plain
roles:
  - account: "123456789012"
    name: dev
    trust:
      Version: 2012-10-17
      Statement:
        - Effect: Allow
          Principal: {Federated: "arn:aws:iam::123456789012:oidc-provider/${env:HOST}/realms/x"}
          Action: sts:AssumeRoleWithWebIdentity
          Condition: {StringEquals: {"${env:HOST}/realms/x:aud": shasta}}
providers:
  - {account: "123456789012", realm: shasta, client_ids: [shasta]}
  - {account: "123456789012", url: "https://idp.example.com", client_ids: [a, b]}
  - {account: "123456789012", url: "https://keys.example.com", client_ids: [a], jwks: {file: root.txt}}
  - {account: "123456789012", url: "https://k8s.example.com", client_ids: [a], bearer_token_file: tokens/k8s}
  - {account: "123456789012", url: "https://k8s2.example.com", client_ids: [a], bearer_token_file: /run/token}
`

func TestReadWholeSite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "root.txt"), []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(Source{filepath.Join(dir, "site.yaml"), env("CLIENT", "c-secret", "HOST", "localhost:1")}, []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	secret := func(s string) *identity.Secret { v := identity.Secret(s); return &v }
	want := directory.SiteSpec{
		Accounts: []directory.AccountSpec{{ID: "123456789012", Partition: "aws", Name: "Demo", Alias: "demo", RootEmail: "root@example.com", RootPassword: secret("s3cret")}},
		Realms: []directory.RealmSpec{
			{
				Realm:   identity.Realm{Name: "root-accounts", Algorithm: "ES256", AccessTokenSeconds: 300, RefreshTokenSeconds: 1800, Scope: "email"},
				Clients: []directory.ClientSpec{{ID: "root-client", Public: true, Grants: []string{"password", "refresh_token"}}},
			},
			{
				Realm:   identity.Realm{Name: "shasta", AccountID: "123456789012", Algorithm: "RS256", AccessTokenSeconds: 60, RefreshTokenSeconds: 1800},
				Clients: []directory.ClientSpec{{ID: "admin-client", Grants: []string{"client_credentials"}, ServiceAccount: "robot", Secret: secret("c-secret")}},
			},
		},
		Users: []directory.UserSpec{{AccountID: "123456789012", Name: "alice", Path: "/", Realm: "shasta", ClientRoles: map[string][]string{"shasta": {"admin"}}, Password: secret("plain")}},
		Roles: []directory.RoleSpec{{
			AccountID: "123456789012", Name: "dev", Path: "/", MaxSessionDuration: 3600,
			Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/localhost:1/realms/x"},` +
				`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"localhost:1/realms/x:aud":"shasta"}}}]}`,
		}},
		Providers: []directory.ProviderSpec{
			{AccountID: "123456789012", OwnRealm: "shasta", ClientIDs: []string{"shasta"}},
			{AccountID: "123456789012", URL: "https://idp.example.com", ClientIDs: []string{"a", "b"}},
			{AccountID: "123456789012", URL: "https://keys.example.com", ClientIDs: []string{"a"}, JWKS: "s3cret"},
			{AccountID: "123456789012", URL: "https://k8s.example.com", ClientIDs: []string{"a"}, BearerTokenFile: filepath.Join(dir, "tokens", "k8s")},
			{AccountID: "123456789012", URL: "https://k8s2.example.com", ClientIDs: []string{"a"}, BearerTokenFile: "/run/token"},
		},
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Transformer("reveal", identity.Secret.Reveal)); d != "" {
		t.Errorf("Read: (-want +got)\n%s", d)
	}
}

func TestReadComplains(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "accounts:\n  - id: a\n    alais: x\n", `s.yaml:3: accounts[0].alais: unknown key (did you mean "alias"?)`},
		{"unknown key at the top", "acounts: []\n", `s.yaml:1: acounts: unknown key (did you mean "accounts"?)`},
		{"no suggestion", "zzzzzzzz: 1\n", "s.yaml:1: zzzzzzzz: unknown key"},
		{"wrong type", "realms:\n  - name: r\n    account: a\n    access_token_seconds: soon\n", "s.yaml:4: realms[0].access_token_seconds: cannot take `soon` as a whole number"},
		{"missing", "accounts:\n  - name: x\n", "s.yaml:2: accounts[0].id: must be given"},
		{"duplicate key", "accounts: []\naccounts: []\n", `s.yaml:2: accounts: mapping key "accounts" already defined at line 1`},
		{"two documents", "accounts: []\n---\nrealms: []\n", "s.yaml: the file holds more than one YAML document"},
		{"not yaml", "a: [1\n", "s.yaml: line 1: did not find expected ',' or ']'"},
		{"missing variable", "accounts:\n  - id: ${env:NO}\n", "s.yaml:2: accounts[0].id: the environment has no variable NO"},
		{"missing secret", "accounts:\n  - id: a\n    root: {email: e, password: {env: NO}}\n", "s.yaml:3: accounts[0].root.password: the environment has no variable NO"},
		{"secret shape", "accounts:\n  - id: a\n    root: {email: e, password: {fiel: hunter2}}\n", "s.yaml:3: accounts[0].root.password: a secret is {file: PATH}, {env: NAME} or a plain string"},
		{"provider of two kinds", "providers:\n  - account: a\n    url: https://x\n    realm: y\n", "s.yaml:2: providers[0]: give either url (a foreign issuer) or realm (one of this installation)"},
		{"trust missing", "roles:\n  - account: a\n    name: r\n", "s.yaml:2: roles[0].trust: must be given"},
		{"trust not JSON", "roles:\n  - account: a\n    name: r\n    trust: nonsense\n", "s.yaml:4: roles[0].trust: neither a mapping nor JSON"},
		{"wrong type, bool", "realms:\n  - {name: r, root_login_disabled: maybe}\n", "s.yaml:2: realms[0].root_login_disabled: cannot take `maybe` as true or false"},
		{"not a mapping", "accounts\n", "s.yaml:1: cannot take `accounts` as a mapping"},
		{"missing secret file", "accounts:\n  - id: a\n    root: {email: e, password: {file: /none/p}}\n", "s.yaml:3: accounts[0].root.password: the secret's file /none/p: no such file or directory"},
		{"user given twice", "users:\n  - {account: a, name: bob}\n  - {account: a, name: Bob}\n  - {account: b, name: bob}\n", "s.yaml:3: users[1].name: the same user as users[0].name"},
		{"e-mail given twice", "accounts:\n  - {id: a, root: {email: X@y}}\n  - {id: b, root: {email: x@y}}\n", "s.yaml:3: accounts[1].root.email: the same e-mail address as accounts[0].root.email"},
		{"two complaints", "accounts:\n  - name: x\n  - name: y\n", "s.yaml:2: accounts[0].id: must be given\ns.yaml:3: accounts[1].id: must be given"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(Source{"s.yaml", noEnv}, []byte(tc.text))
			if identity.KindOf(err) != identity.KindValidation {
				t.Fatalf("err = %v", err)
			}
			if got := identity.AsError(err).Public; got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the complaint repeats what may be a secret")
			}
		})
	}
}

func TestReadEmpty(t *testing.T) {
	t.Parallel()
	got, err := Read(Source{"s.yaml", noEnv}, []byte("# nothing\n"))
	if d := cmp.Diff(directory.SiteSpec{}, got, cmpopts.EquateEmpty()); err != nil || d != "" {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestPrintDiff(t *testing.T) {
	t.Parallel()
	changes := []directory.Change{{Kind: "account", Name: "a"}, {Kind: "realm", Name: "r", Field: "scope", To: "email"}}
	for _, tc := range []struct {
		name    string
		changes []directory.Change
		dryRun  bool
		want    string
	}{
		{"none", nil, false, "Nothing to do: the site is as the file says.\n"},
		{"done", changes, false, "+ account a\n~ realm r: scope: (none) -> email\n1 created, 1 changed.\n"},
		{"a document, a name, a long text", []directory.Change{
			{Kind: "policy", Name: "p", Field: "document", From: `"{\"Version\":\"2012-10-17\"}"`, To: `"{\n\"Version\":\"2012-10-17\"}"`},
			{Kind: "user", Name: "u", Field: "email", From: `"a\u003cb@example.com"`, To: `true`},
			{Kind: "saml provider", Name: "s", Field: "metadata", From: `"` + strings.Repeat("\\u003cx/\\u003e", 100) + `"`},
		}, false, "~ policy p: document: {\"Version\":\"2012-10-17\"} -> \"{\\n\\\"Version\\\":\\\"2012-10-17\\\"}\"\n" +
			"~ user u: email: \"a<b@example.com\" -> true\n" +
			"~ saml provider s: metadata: (400 bytes, SHA-256 d3faf6610b01…) -> (none)\n0 created, 3 changed.\n"},
		{"dry run", changes, true, "+ account a\n~ realm r: scope: (none) -> email\n1 to create, 1 to change. Nothing was written.\n"},
	} {
		var got bytes.Buffer
		if err := PrintDiff(&got, tc.changes, tc.dryRun); err != nil || got.String() != tc.want {
			t.Errorf("%s: got %q, %v", tc.name, got.String(), err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(whole)
	f.Add("accounts: &a [*a]")
	f.Add("a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]")
	f.Add("roles: [{trust: {a: [b, 1, true]}}]")
	f.Fuzz(func(t *testing.T, text string) {
		// Files are not to be opened for a fuzzer.
		if strings.Contains(text, "file") {
			return
		}
		_, err := Read(Source{"s.yaml", env("CLIENT", "x", "HOST", "y")}, []byte(text))
		if err != nil && identity.KindOf(err) != identity.KindValidation {
			t.Errorf("kind %s: %v", identity.KindOf(err), err)
		}
	})
}

func TestGrantsAndMappings(t *testing.T) {
	t.Parallel()
	got, err := Read(Source{"site.yaml", noEnv}, []byte(`
accounts:
  - {id: "1", root: {email: a@example.com}, outbound_federation: true, assume_root_in: ["2"]}
providers:
  - account: "1"
    url: https://idp.example.com
    client_ids: [app]
    role_mappings:
      - {claim: groups, value: "eng-*", role: engineer}
`))
	if err != nil {
		t.Fatal(err)
	}
	if a := got.Accounts[0]; a.OutboundFederation == nil || !*a.OutboundFederation || len(a.AssumeRootIn) != 1 || a.AssumeRootIn[0] != "2" {
		t.Errorf("account: %+v", a)
	}
	if m := got.Providers[0].RoleMappings; len(m) != 1 || m[0] != (identity.RoleMapping{Claim: "groups", Value: "eng-*", Role: "engineer"}) {
		t.Errorf("mappings: %+v", m)
	}
	_, err = Read(Source{"site.yaml", noEnv}, []byte("providers:\n  - {account: \"1\", url: \"https://idp.example.com\", role_mappings: [{claim: groups, role: x}]}\n"))
	if err == nil || !strings.Contains(err.Error(), "role_mappings[0].value: must be given") {
		t.Errorf("a mapping without a value: %v", err)
	}
}
