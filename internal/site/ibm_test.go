package site

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

const instanceID = "00000000-1111-4222-8333-444455556666"

func TestReadIBM(t *testing.T) {
	t.Parallel()
	got, err := Read(Source{Name: "site.yaml", Lookup: env("KEY", "abc")}, []byte(`
ibm:
  account: "1"
  realm: people
  regions: [eu-de, us-south]
  resource_groups: [{name: Default, default: true}]
  instances: [{id: `+instanceID+`}]
  service_ids: [{name: ci, description: builds, inline_policies: {p: {Statement: []}}}]
  profiles:
    - name: deployer
      email: team@example.com
      managed_policies: []
      rules: [{realm_name: "https://idp.example.com", cr_type: VSI, expiration: 900, conditions: [{claim: n, operator: IN, value: [a, 3, true]}, {claim: s, operator: EQUALS, value: "3"}]}]
      links: [{issuer: "https://k8s.example.com:6443", namespace: ci, service_account: runner}]
      identities: {users: [alice], service_ids: [ci]}
    - {name: bare, disabled: true, rules: []}
  api_keys: [{service_id: ci, name: main, secret: {env: KEY}}, {user: alice, name: laptop, disabled: true}]
  access:
    - {service_id: ci, roles: [Writer, Reader], service: kms, instance: `+instanceID+`, key_ring: "ci-*", description: builds}
    - {user: alice, roles: [Viewer], resource_group: Default}
    - {profile: deployer, roles: [Manager], service: cloud-object-storage, region: eu-de, resource_type: bucket, resource: logs}
`))
	if err != nil {
		t.Fatal(err)
	}
	secret := identity.Secret("abc")
	want := directory.SiteSpec{IBM: &directory.IBMSpec{
		AccountID: "1", Realm: "people", Algorithm: "RS256", Regions: []string{"eu-de", "us-south"},
		ResourceGroups: []directory.ResourceGroupSpec{{Name: "Default", Default: true}},
		Instances:      []directory.InstanceSpec{{ID: instanceID, Name: instanceID, Service: "kms", Region: "eu-de"}},
		ServiceIDs:     []directory.ServiceIDSpec{{Name: "ci", Description: "builds", InlinePolicies: map[string]string{"p": `{"Statement":[]}`}}},
		Profiles: []directory.TrustedProfileSpec{
			{
				Name: "deployer", Email: "team@example.com", ManagedPolicies: []string{},
				Rules: []identity.ProfileRule{{
					Type: "Profile-CR", RealmName: "https://idp.example.com", CRType: "VSI", Expiration: 900,
					Conditions: []identity.ProfileCondition{{Claim: "n", Operator: "IN", Value: `["a",3,true]`}, {Claim: "s", Operator: "EQUALS", Value: `"3"`}},
				}},
				Links: []identity.ProfileLink{{
					CRType: "IKS_SA", CRN: "crn:v1:bluemix:public:containers-kubernetes::a/1:k8s.example.com%3A6443::", Namespace: "ci", Resource: "runner",
				}},
				Identities: &directory.ProfileIdentitiesSpec{Users: []string{"alice"}, ServiceIDs: []string{"ci"}},
			},
			{Name: "bare", Disabled: true, Rules: []identity.ProfileRule{}},
		},
		APIKeys: []directory.APIKeySpec{{ServiceID: "ci", Name: "main", Secret: &secret}, {User: "alice", Name: "laptop", Disabled: true}},
		Access: []directory.AccessSpec{
			{ServiceID: "ci", Description: "builds", Roles: []string{"Writer", "Reader"}, Attributes: []identity.ResourceAttribute{
				{Name: "accountId", Value: "1", Operator: "stringEquals"},
				{Name: "serviceName", Value: "kms", Operator: "stringEquals"},
				{Name: "serviceInstance", Value: instanceID, Operator: "stringEquals"},
				{Name: "keyRing", Value: "ci-*", Operator: "stringMatch"},
			}},
			{User: "alice", Roles: []string{"Viewer"}, Attributes: []identity.ResourceAttribute{
				{Name: "accountId", Value: "1", Operator: "stringEquals"},
				{Name: "resourceGroupId", Value: identity.ResourceGroupID("1", "Default"), Operator: "stringEquals"},
			}},
			{Profile: "deployer", Roles: []string{"Manager"}, Attributes: []identity.ResourceAttribute{
				{Name: "accountId", Value: "1", Operator: "stringEquals"},
				{Name: "serviceName", Value: "cloud-object-storage", Operator: "stringEquals"},
				{Name: "region", Value: "eu-de", Operator: "stringEquals"},
				{Name: "resourceType", Value: "bucket", Operator: "stringEquals"},
				{Name: "resource", Value: "logs", Operator: "stringEquals"},
			}},
		},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	short, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte("ibm: {account: '1', realm: people}\n"))
	if err != nil || short.IBM == nil || short.IBM.Regions[0] != "us-south" {
		t.Errorf("%v, %+v", err, short.IBM)
	}
	if none, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte("accounts: []\n")); err != nil || none.IBM != nil {
		t.Errorf("%v, a section that is not there: %+v", err, none.IBM)
	}
}

func TestIBMComplaints(t *testing.T) {
	t.Parallel()
	const start = "ibm:\n  account: '1'\n  realm: r\n"
	for name, v := range map[string]struct{ yaml, want string }{
		"no realm":         {"ibm:\n  account: '1'\n", "site.yaml:1: ibm.realm: must be given"},
		"an unknown key":   {start + "  region: eu-de\n", "region"},
		"an instance":      {start + "  instances:\n    - {name: a}\n", "ibm.instances[0].id: must be given"},
		"twice":            {start + "  service_ids:\n    - {name: a}\n    - {name: a}\n", "the same service ID"},
		"a profile":        {start + "  profiles:\n    - {email: a}\n", "ibm.profiles[0].name: must be given"},
		"profile twice":    {start + "  profiles:\n    - {name: a}\n    - {name: a}\n", "the same trusted profile"},
		"of no issuer":     {start + "  profiles:\n    - {name: a, rules: [{cr_type: VSI}]}\n", "ibm.profiles[0].rules[0].realm_name: must be given"},
		"of no cluster":    {start + "  profiles:\n    - {name: a, links: [{namespace: n}]}\n", "give either issuer or crn"},
		"of nobody":        {start + "  api_keys:\n    - {name: a}\n", "give either user or service_id"},
		"of two":           {start + "  api_keys:\n    - {name: a, user: b, service_id: c}\n", "give either user or service_id"},
		"access of nobody": {start + "  access:\n    - {roles: [Viewer]}\n", "site.yaml:5: ibm.access[0]: give one of user, service_id and profile"},
		"access of two":    {start + "  access:\n    - {user: a, profile: b, roles: [Viewer]}\n", "give one of user, service_id and profile"},
		"no roles":         {start + "  access:\n    - {user: a}\n", "ibm.access[0].roles: must be given"},
		"no such group":    {start + "  access:\n    - {user: a, roles: [Viewer], resource_group: lab}\n", "has no such resource group"},
		"which instance":   {start + "  instances: [{id: a, name: k}, {id: b, name: k}]\n  access:\n    - {user: a, roles: [Viewer], instance: k}\n", "several instances have this name"},
		"no variable":      {start + "  api_keys:\n    - {name: a, user: b, secret: {env: NONE}}\n", "no variable NONE"},
	} {
		_, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(v.yaml))
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, v.want) {
			t.Errorf("%s: got %v, want %q", name, err, v.want)
		}
	}
}
