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
  api_keys: [{service_id: ci, name: main, secret: {env: KEY}}, {user: alice, name: laptop, disabled: true}]
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
		APIKeys:        []directory.APIKeySpec{{ServiceID: "ci", Name: "main", Secret: &secret}, {User: "alice", Name: "laptop", Disabled: true}},
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
		"no realm":       {"ibm:\n  account: '1'\n", "site.yaml:1: ibm.realm: must be given"},
		"an unknown key": {start + "  region: eu-de\n", "region"},
		"an instance":    {start + "  instances:\n    - {name: a}\n", "ibm.instances[0].id: must be given"},
		"twice":          {start + "  service_ids:\n    - {name: a}\n    - {name: a}\n", "the same service ID"},
		"of nobody":      {start + "  api_keys:\n    - {name: a}\n", "give either user or service_id"},
		"of two":         {start + "  api_keys:\n    - {name: a, user: b, service_id: c}\n", "give either user or service_id"},
		"no variable":    {start + "  api_keys:\n    - {name: a, user: b, secret: {env: NONE}}\n", "no variable NONE"},
	} {
		_, err := Read(Source{Name: "site.yaml", Lookup: noEnv}, []byte(v.yaml))
		if identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, v.want) {
			t.Errorf("%s: got %v, want %q", name, err, v.want)
		}
	}
}
