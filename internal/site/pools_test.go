package site

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

func TestReadPools(t *testing.T) {
	t.Parallel()
	got, err := Read(Source{Name: "site.yaml", Lookup: env("SECRET", "abcdefghijklmnopqrstuvwxyz012345")}, []byte(`
realms:
  - name: people
    account: "1"
    user_pool:
      region: eu-west-1
      mfa: "ON"
      password_policy: {require_numbers: true}
      clients: [{id: web, rotate_refresh: true, secrets: [{env: SECRET}]}]
      groups: [{name: admins, role: admin, precedence: 0}]
users: [{account: "1", name: alice, realm: people, pool_groups: [admins], attributes: {given_name: Alice}}]
identity_pools:
  - account: "1"
    name: main
    region: eu-west-1
    user_pools: [{realm: people, client: web}]
    roles: {authenticated: reader}
    role_mappings:
      people: {rules: [{claim: custom:team, value: blue, role: blue}], type: Rules}
api_tokens:
  - {account: "1", realm: people, name: ci, role: api_user, access_key: 6f9619ff-8b86-4d01-b42d-00cf4fc964ff, secret: {env: SECRET}}
stax_apis: [{account: "1", realm: people, client: web, identity_pool: main, hosts: [api.example.com]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	secret, zero := identity.Secret("abcdefghijklmnopqrstuvwxyz012345"), 0
	want := directory.SiteSpec{
		Realms: []directory.RealmSpec{{
			Realm: identity.Realm{Name: "people", AccountID: "1", Algorithm: "ES256", AccessTokenSeconds: 300, RefreshTokenSeconds: 1800},
			UserPool: &directory.UserPoolSpec{
				Name: "people", Region: "eu-west-1", MFA: "ON", PasswordPolicy: &identity.PasswordPolicy{MinimumLength: 8, RequireNumbers: true},
				Clients: []directory.PoolClientSpec{{Secrets: []identity.Secret{secret}, PoolClient: identity.PoolClient{
					ID: "web", Name: "web", HasSecret: true, RotateRefresh: true, AuthFlows: defaultAuthFlows,
					AccessTokenSeconds: 3600, IDTokenSeconds: 3600, RefreshTokenSeconds: 30 * 86400, AuthSessionSeconds: 180,
				}}},
				Groups: []directory.PoolGroupSpec{{Name: "admins", Role: "admin", Precedence: &zero}},
			},
		}},
		Users: []directory.UserSpec{{AccountID: "1", Name: "alice", Path: "/", Realm: "people", PoolGroups: []string{"admins"}, Attributes: map[string]string{"given_name": "Alice"}}},
		IdentityPools: []directory.IdentityPoolSpec{{
			AccountID: "1", Name: "main", Region: "eu-west-1", UserPools: []directory.PoolLoginSpec{{Realm: "people", ClientID: "web"}}, Authenticated: "reader",
			RoleMappings: map[string]identity.PoolRoleMapping{"people": {Type: "Rules", Ambiguous: "Deny", Rules: []identity.PoolRoleRule{{Claim: "custom:team", MatchType: "Equals", Value: "blue", RoleARN: "blue"}}}},
		}},
		APITokens: []directory.APITokenSpec{{AccountID: "1", Realm: "people", Name: "ci", Role: "api_user", AccessKey: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", Secret: &secret}},
		StaxAPIs:  []directory.StaxAPISpec{{Name: "1", AccountID: "1", Region: "us-east-1", Realm: "people", ClientID: "web", IdentityPool: "main", Hosts: []string{"api.example.com"}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestPoolComplaints(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct{ yaml, want string }{
		"a client without ID": {"realms:\n  - name: r\n    account: '1'\n    user_pool: {clients: [{name: web}]}\n", "site.yaml:4: realms[0].user_pool.clients[0].id: must be given"},
		"a token twice":       {"api_tokens:\n  - {account: '1', realm: r, name: a, access_key: k}\n  - {account: '1', realm: r, name: b, access_key: k}\n", "the same access key"},
		"an unknown key":      {"identity_pools: [{account: '1', name: p, provider: x}]\n", "provider"},
		"a host twice":        {"stax_apis:\n  - {account: '1', name: a, realm: r, client: c, identity_pool: p, hosts: [h, h]}\n", "the same host"},
	} {
		_, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(v.yaml))
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, v.want) {
			t.Errorf("%s: got %v, want %q", name, err, v.want)
		}
	}
}
