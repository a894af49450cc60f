package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/go-sdk-core/v5/core"
)

// profilesOutcome is what testdata/ibmprofiles.mjs writes.
type profilesOutcome struct {
	Calls, Refused    map[string]int // statuses
	ETag              string
	Made, Updated     ibmThing
	Names, Named      []string
	Rule, RuleUpdated struct {
		ID, Type   string
		RealmName  string `json:"realm_name"`
		Expiration int
		Conditions []struct{ Claim, Operator, Value string }
	}
	Rules []any
	Link  struct {
		ID     string
		CRType string `json:"cr_type"`
		Link   struct{ CRN, Namespace, Name string }
	}
	Links      []any
	Identities struct {
		EntityTag  string `json:"entity_tag"`
		Identities []profileIdentity
	}
	Identity profileIdentity
	Assumed  map[string]any
}

type profileIdentity struct {
	IAMID            string `json:"iam_id"`
	Type, Identifier string
	Description      string
	Accounts         []string
}

// TestIBMProfilesPlatformServices manages trusted profiles with IBM's client for
// JavaScript, and becomes one.
func TestIBMProfilesPlatformServices(t *testing.T) {
	t.Parallel()
	node, modules := needNode(t, "@ibm-cloud/platform-services")
	s := Start(t)
	crn := "crn:v1:bluemix:public:containers-kubernetes::a/" + s.AccountID + ":k8s.example.com%3A6443::"
	asked, err := json.Marshal(map[string]string{"endpoint": s.URL, "apikey": s.IBM.APIKey, "account": s.AccountID, "crn": crn})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "testdata/ibmprofiles.mjs")
	cmd.Env = append(os.Environ(), "NODE_MODULES="+modules)
	cmd.Stdin = strings.NewReader(string(asked))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	got := decode[profilesOutcome](t, string(output))
	if want := map[string]int{
		"createProfile": 201, "getProfile": 200, "updateProfile": 200, "listProfiles": 200, "deleteProfile": 204,
		"createClaimRule": 201, "listClaimRules": 200, "getClaimRule": 200, "updateClaimRule": 200, "deleteClaimRule": 204,
		"createLink": 201, "listLinks": 200, "getLink": 200, "deleteLink": 204,
		"getProfileIdentities": 200, "setProfileIdentities": 200, "setProfileIdentity": 200, "getProfileIdentity": 200, "deleteProfileIdentity": 204,
	}; !maps.Equal(got.Calls, want) {
		t.Errorf("statuses %v, want %v", got.Calls, want)
	}
	if want := map[string]int{
		"createProfile again": 409, "createProfile elsewhere": 403, "getProfile of none": 404, "updateProfile, stale": 409, "deleteProfile again": 404,
		"createClaimRule, no JSON": 400, "createClaimRule, no condition": 400, "createClaimRule, another type": 400,
		"getClaimRule of none": 404, "updateClaimRule, stale": 409, "deleteClaimRule again": 404,
		"createLink again": 409, "createLink, no namespace": 400, "createLink, no CRN": 400, "getLink of none": 404, "deleteLink again": 404,
		"setProfileIdentities, stale": 409, "setProfileIdentities of nobody": 400, "setProfileIdentity, another type": 400,
		"getProfileIdentity of none": 404, "deleteProfileIdentity again": 404,
		"a profile without a policy": 403, "assume by who is named no more": 400, "assume of a profile that is gone": 400,
	}; !maps.Equal(got.Refused, want) {
		t.Errorf("refusals %v, want %v", got.Refused, want)
	}
	checkProfiles(t, s, crn, &got)
}

func checkProfiles(t *testing.T, s *Server, crn string, got *profilesOutcome) {
	t.Helper()
	p := got.Made
	if p.IAMID != "iam-"+p.ID || p.CRN != "crn:v1:bluemix:public:iam-identity::a/"+s.AccountID+"::profile:"+p.ID || got.ETag != p.EntityTag || len(p.History) != 1 {
		t.Errorf("a new profile: %+v, ETag %q", p, got.ETag)
	}
	if got.Updated.Description != "changed" || got.Updated.EntityTag == got.ETag {
		t.Errorf("changed: %+v", got.Updated)
	}
	if fmt.Sprint(got.Names, got.Named) != "[other sdk] [other]" {
		t.Errorf("listed: %v, %v", got.Names, got.Named)
	}
	if r := got.Rule; r.Expiration != 43200 || len(r.Conditions) != 1 || r.Conditions[0].Value != `"cloud-docs-dev"` || len(got.Rules) != 2 || got.RuleUpdated.Expiration != 900 || got.RuleUpdated.ID != r.ID {
		t.Errorf("rules: %+v, %v, %+v", r, got.Rules, got.RuleUpdated)
	}
	if l := got.Link; l.CRType != "ROKS_SA" || l.Link.CRN != crn || l.Link.Namespace != "ci" || l.Link.Name != "runner" || len(got.Links) != 1 {
		t.Errorf("links: %+v, %v", l, got.Links)
	}
	if l := got.Identities.Identities; len(l) != 1 || l[0].IAMID != l[0].Identifier || l[0].Description != "me" || len(l[0].Accounts) != 1 || got.Identity.IAMID != "iam-"+got.Identity.Identifier {
		t.Errorf("identities: %+v, %+v", l, got.Identity)
	}
	by, _ := got.Assumed["authn"].(map[string]any)
	if v := got.Assumed; v["iam_id"] != p.IAMID || v["sub_type"] != "Profile" || by["iam_id"] != got.Identity.IAMID {
		t.Errorf("claims of the profile's token: %v", v)
	}
}

const profileSite = `
providers:
  - {account: %[1]q, url: %[2]q, client_ids: [daypass], ca_bundle: {file: %[3]q}}
ibm:
  account: %[1]q
  realm: shasta
  profiles:
    - name: pods
      links: [{issuer: %[2]q, namespace: ci, service_account: runner}]
      rules:
        - {realm_name: %[2]q, cr_type: VSI, expiration: 10, conditions: [{claim: environment, operator: IN, value: [prod, staging]}]}
      identities: {users: [testuser]}
      inline_policies:
        look: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "iam-identity:profile.list", Resource: "*"}]}
`

// profileServer is a server with a trusted profile "pods" and a foreign issuer
// whose tokens it may be had for.
func profileServer(t *testing.T) (*Server, *foreignIssuer) {
	t.Helper()
	issuer := startIssuer(t)
	s := StartWith(t, []string{"DAYPASS_EGRESS_EXEMPT=" + issuer.Host()})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(issuer.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Apply(t, fmt.Sprintf(profileSite, s.AccountID, issuer.URL, ca))
	return s, issuer
}

// profileNames lists the names of the account's profiles with an authenticator.
func (s *Server) profileNames(a core.Authenticator) (string, error) {
	service, err := core.NewBaseService(&core.ServiceOptions{URL: s.URL, Authenticator: a})
	if err != nil {
		return "", err
	}
	b := core.NewRequestBuilder(core.GET)
	if _, err := b.ResolveRequestURL(s.URL, "/v1/profiles", nil); err != nil {
		return "", err
	}
	b.AddQuery("account_id", s.AccountID)
	r, err := b.Build()
	if err != nil {
		return "", err
	}
	var list struct{ Profiles []struct{ Name string } }
	if _, err := service.Request(r, &list); err != nil {
		return "", err
	}
	var names []string
	for _, p := range list.Profiles {
		names = append(names, p.Name)
	}
	return strings.Join(names, " "), nil
}

// claimsOfToken reads the payload of an access token.
func claimsOfToken(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		t.Fatal(err)
	}
	return decode[map[string]any](t, string(payload))
}

// TestIBMContainerAuthenticator becomes a trusted profile by the token of a
// compute resource, which IBM's SDK for Go reads from a file anew each time.
func TestIBMContainerAuthenticator(t *testing.T) {
	t.Parallel()
	s, issuer := profileServer(t)
	file := filepath.Join(t.TempDir(), "sa-token")
	show := func(claims map[string]any) {
		t.Helper()
		if err := os.WriteFile(file, []byte(issuer.Token(claims)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := func() *core.ContainerAuthenticator {
		t.Helper()
		a, err := core.NewContainerAuthenticatorBuilder().SetCRTokenFilename(file).SetIAMProfileName("pods").SetURL(s.URL).SetClientIDSecret("bx", "bx").Build()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	const sub = "system:serviceaccount:ci:runner"
	pod := map[string]any{"namespace": "ci", "serviceaccount": map[string]any{"name": "runner"}}
	show(map[string]any{"sub": sub, "aud": "daypass", "kubernetes.io": pod})
	a := build()
	if names, err := s.profileNames(a); err != nil || names != "pods" {
		t.Fatalf("by a service account's token: %q, %v", names, err)
	}
	first, err := a.GetToken()
	if err != nil {
		t.Fatal(err)
	}
	v := claimsOfToken(t, first)
	if by := v["authn"].(map[string]any); v["sub_type"] != "Profile" || by["sub"] != sub || !strings.HasPrefix(by["iam_id"].(string), "crn-crn:v1:") {
		t.Errorf("claims: %v", v)
	}
	// A token of the rule lives so short that the SDK fetches another at each call.
	show(map[string]any{"sub": "vm-1", "aud": "daypass", "environment": "prod"})
	short := build()
	tokens := map[string]bool{}
	for range 3 {
		got, err := short.GetToken()
		if err != nil {
			t.Fatal(err)
		}
		tokens[got] = true
	}
	if len(tokens) != 3 {
		t.Errorf("%d tokens in three calls", len(tokens))
	}
	for name, claims := range map[string]map[string]any{
		"another service account": {"sub": "system:serviceaccount:ci:other", "aud": "daypass"},
		"another audience":        {"sub": sub, "aud": "other"},
		"another environment":     {"sub": "vm-1", "aud": "daypass", "environment": "dev"},
		"expired":                 {"sub": sub, "aud": "daypass", "exp": time.Now().Add(-time.Hour).Unix()},
	} {
		show(claims)
		var refused *core.AuthenticationError
		if _, err := build().GetToken(); !errors.As(err, &refused) || refused.Response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIBMAssumeAuthenticator becomes a trusted profile by a user's API key, with
// IBM's SDK for Go: by name, by ID and by CRN, and again when the token's time is
// over, which is no later than the key's.
func TestIBMAssumeAuthenticator(t *testing.T) {
	t.Parallel()
	s, _ := profileServer(t)
	own, err := core.NewIamAuthenticatorBuilder().SetApiKey(s.IBM.APIKey).SetURL(s.URL).Build()
	if err != nil {
		t.Fatal(err)
	}
	token, err := own.GetToken()
	if err != nil {
		t.Fatal(err)
	}
	me := claimsOfToken(t, token)["iam_id"]
	byName := func(key string) *core.IamAssumeAuthenticator {
		t.Helper()
		a, err := core.NewIamAssumeAuthenticatorBuilder().SetApiKey(key).SetURL(s.URL).SetIAMProfileName("pods").SetIAMAccountID(s.AccountID).Build()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := byName(s.IBM.APIKey)
	if names, err := s.profileNames(a); err != nil || names != "pods" {
		t.Fatalf("by name: %q, %v", names, err)
	}
	got, err := a.RequestToken()
	if err != nil {
		t.Fatal(err)
	}
	v := claimsOfToken(t, got.AccessToken)
	id, _ := v["identifier"].(string)
	if by := v["authn"].(map[string]any); v["sub_type"] != "Profile" || by["iam_id"] != me || got.RefreshToken != "not_supported" || got.ExpiresIn > 3600 {
		t.Errorf("claims: %v, refresh token %q", v, got.RefreshToken)
	}
	for name, b := range map[string]*core.IamAssumeAuthenticatorBuilder{
		"by ID":  core.NewIamAssumeAuthenticatorBuilder().SetIAMProfileID(id),
		"by CRN": core.NewIamAssumeAuthenticatorBuilder().SetIAMProfileCRN("crn:v1:bluemix:public:iam-identity::a/" + s.AccountID + "::profile:" + id),
	} {
		a, err := b.SetApiKey(s.IBM.APIKey).SetURL(s.URL + "/identity/token").Build()
		if err != nil {
			t.Fatal(err)
		}
		if names, err := s.profileNames(a); err != nil || names != "pods" {
			t.Errorf("%s: %q, %v", name, names, err)
		}
	}
	if _, err := byName(s.IBM.ServiceIDAPIKey).GetToken(); err == nil || !strings.Contains(err.Error(), "cannot be found, or the proof") {
		t.Errorf("by a service ID that is not named: %v", err)
	}
	checkAssumeRefresh(t, s, token, me.(string), byName)
}

// checkAssumeRefresh assumes with a key that ends so soon that the SDK takes every
// token for stale.
func checkAssumeRefresh(t *testing.T, s *Server, token, me string, byName func(string) *core.IamAssumeAuthenticator) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": "short", "iam_id": me, "expires_at": time.Now().Add(9 * time.Second).UTC().Format(time.RFC3339)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, s.URL+"/v1/apikeys", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct{ APIKey string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	a, tokens := byName(made.APIKey), map[string]bool{}
	for range 3 {
		got, err := a.GetToken()
		if err != nil {
			t.Fatal(err)
		}
		tokens[got] = true
		if left := int64(claimsOfToken(t, got)["exp"].(float64)) - time.Now().Unix(); left > 9 {
			t.Errorf("the profile's token lives %d s, longer than the key", left)
		}
	}
	if len(tokens) != 3 {
		t.Errorf("%d tokens in three calls", len(tokens))
	}
}
