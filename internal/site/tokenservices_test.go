package site

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

func TestReadTokenServices(t *testing.T) {
	t.Parallel()
	got, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(`
providers: [{account: "1", url: "https://kc.example/realms/shasta", client_ids: [shasta], issuer_aliases: ["http://kc.example/realms/shasta", "http://kc:8080/realms/shasta"]}]
token_services:
  - account: "1"
    name: cray
    realms: [shasta]
    audience: [shasta]
    rules: [{claim: resource_access.shasta.roles, value: admin, role: shasta-admin}]
  - account: "1"
    name: ceph
    hosts: [sts.example.com]
    providers: ["https://kc.example/realms/shasta"]
    audience: [shasta]
    keys: upstream
    endpoint_url: https://rgw.example.com
    upstream: ceph
    upstream_method: web_identity
    rules:
      - claim: groups
        value: "ops-*"
        role: ops
        duration_seconds: 900
        upstream_role: arn:aws:iam:::role/STSRole
        session_policy:
          Version: "2012-10-17"
          Statement: {Effect: Allow, Action: "s3:*", Resource: "arn:aws:s3:::${aws:username} x/*"}
`))
	if err != nil {
		t.Fatal(err)
	}
	const kc = "https://kc.example/realms/shasta"
	want := directory.SiteSpec{
		Providers: []directory.ProviderSpec{{
			AccountID: "1", URL: kc, ClientIDs: []string{"shasta"}, IssuerAliases: []string{"http://kc.example/realms/shasta", "http://kc:8080/realms/shasta"},
		}},
		TokenServices: []directory.TokenServiceSpec{{TokenService: identity.TokenService{
			AccountID: "1", Name: "cray", Realms: []string{"shasta"}, Audience: []string{"shasta"}, Keys: identity.OwnKeys,
			Rules: []identity.TokenServiceRule{{Claim: "resource_access.shasta.roles", Value: "admin", Role: "shasta-admin", DurationSeconds: 3600}},
		}}, {TokenService: identity.TokenService{
			AccountID: "1", Name: "ceph", Hosts: []string{"sts.example.com"}, Providers: []string{kc}, Audience: []string{"shasta"}, Keys: identity.UpstreamKeys,
			EndpointURL: "https://rgw.example.com", Upstream: "ceph", UpstreamMethod: identity.UpstreamWebIdentity,
			Rules: []identity.TokenServiceRule{{
				Claim: "groups", Value: "ops-*", Role: "ops", DurationSeconds: 900, UpstreamRole: "arn:aws:iam:::role/STSRole",
				SessionPolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username} x/*"}}`,
			}},
		}}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestTokenServiceComplaints(t *testing.T) {
	t.Parallel()
	const good = "token_services:\n  - account: '1'\n    name: cray\n    realms: [shasta]\n    audience: [shasta]\n    rules:\n      - {claim: c, value: v, role: r}\n"
	if _, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]struct{ old, new, want string }{
		"no account":                  {"account: '1'", "hosts: []", "site.yaml:2: token_services[0].account: must be given"},
		"no name":                     {"name: cray", "hosts: []", "token_services[0].name: "},
		"name with blanks":            {"name: cray", "name: c ray", "site.yaml:3: token_services[0].name: "},
		"no issuer":                   {"realms: [shasta]", "hosts: []", "token_services[0].realms: name the realms"},
		"a realm twice":               {"realms: [shasta]", "realms: [shasta, shasta]", "site.yaml:4: token_services[0].realms[1]: "},
		"a provider that is no URL":   {"realms: [shasta]", "providers: [kc.example]", "site.yaml:4: token_services[0].providers[0]: "},
		"no audience":                 {"audience: [shasta]", "hosts: []", "token_services[0].audience: "},
		"an empty audience":           {"audience: [shasta]", "audience: ['']", "site.yaml:5: token_services[0].audience[0]: "},
		"a host with a port":          {"name: cray", "name: cray\n    hosts: ['h:80']", "site.yaml:4: token_services[0].hosts[0]: "},
		"a host in upper case":        {"name: cray", "name: cray\n    hosts: [H.example]", "token_services[0].hosts[0]: "},
		"a host with a path":          {"name: cray", "name: cray\n    hosts: [h/x]", "token_services[0].hosts[0]: "},
		"a host twice":                {"name: cray", "name: cray\n    hosts: [h, h]", "site.yaml:4: token_services[0].hosts[1]: "},
		"other keys":                  {"name: cray", "name: cray\n    keys: theirs", "site.yaml:4: token_services[0].keys: either own or upstream"},
		"own with upstream":           {"name: cray", "name: cray\n    upstream: ceph", "site.yaml:4: token_services[0].upstream: is for keys: upstream"},
		"own with method":             {"name: cray", "name: cray\n    upstream_method: assume_role", "token_services[0].upstream_method: is for"},
		"upstream alone":              {"name: cray", "name: cray\n    keys: upstream", "token_services[0].upstream: "},
		"no endpoint":                 {"name: cray", "name: cray\n    keys: upstream\n    upstream: ceph", "token_services[0].endpoint_url: must be given"},
		"the embedded one":            {"name: cray", "name: cray\n    keys: upstream\n    upstream: embedded", "site.yaml:5: token_services[0].upstream: "},
		"unknown method":              {"name: cray", "name: cray\n    keys: upstream\n    upstream_method: magic", "site.yaml:5: token_services[0].upstream_method: either"},
		"endpoint of ftp":             {"name: cray", "name: cray\n    endpoint_url: ftp://x", "site.yaml:4: token_services[0].endpoint_url: "},
		"a rule without a claim":      {"claim: c, ", "", "site.yaml:7: token_services[0].rules[0].claim: "},
		"a rule without a value":      {"value: v, ", "", "token_services[0].rules[0].value: "},
		"a rule without a role":       {", role: r", "", "token_services[0].rules[0].role: "},
		"a day":                       {"role: r", "role: r, duration_seconds: 86400", "site.yaml:7: token_services[0].rules[0].duration_seconds: is 1 to 43200"},
		"a negative life":             {"role: r", "role: r, duration_seconds: -1", "token_services[0].rules[0].duration_seconds: a lifetime"},
		"own with an upstream's role": {"role: r", "role: r, upstream_role: 'arn:aws:iam:::role/x'", "token_services[0].rules[0].upstream_role: is for"},
		"own with a policy":           {"role: r", "role: r, session_policy: {Version: '2012-10-17', Statement: []}", "token_services[0].rules[0].session_policy: is for"},
		"an unknown key":              {"name: cray", "name: cray\n    realm: shasta", "realm"},
		"a policy that is none":       {"name: cray", "name: cray\n    keys: upstream\n    upstream: ceph\n    endpoint_url: http://h", ""},
		"the same service":            {good, good + strings.TrimPrefix(good, "token_services:\n"), "the same token service"},
	} {
		text := strings.Replace(good, v.old, v.new, 1)
		if name == "a policy that is none" {
			text = strings.Replace(text, "role: r", "role: r, upstream_role: 'arn:aws:iam:::role/x', session_policy: {Version: '2012-10-17', Statement: {Effect: Perhaps}}", 1)
			v.want = "site.yaml:10: token_services[0].rules[0].session_policy: "
		}
		_, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(text))
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, v.want) {
			t.Errorf("%s: got %v, want %q", name, err, v.want)
		}
	}
	for name, text := range map[string]string{
		"an alias twice": "providers: [{account: '1', url: 'https://a', issuer_aliases: ['http://b']}, {account: '1', url: 'https://c', issuer_aliases: ['http://b']}]\n",
		"a host of two":  "token_services: [{account: '1', name: a, hosts: [h]}, {account: '2', name: a, hosts: [h]}]\n",
	} {
		_, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(text))
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, "the same ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
