package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/IBM/go-sdk-core/v5/core"
)

// TestIBMGoSDK logs in with IBM's authenticator for Go, by either form of the
// token URL, and calls the identity API with what it gets.
func TestIBMGoSDK(t *testing.T) {
	t.Parallel()
	s := Start(t)
	for _, url := range []string{s.URL, s.URL + "/identity/token"} {
		for name, id := range map[string][2]string{"no client": {}, "a client": {"my-client", "my-secret"}} {
			a, err := core.NewIamAuthenticatorBuilder().SetApiKey(s.IBM.APIKey).SetURL(url).SetClientIDSecret(id[0], id[1]).Build()
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.RequestToken()
			if err != nil {
				t.Fatalf("%s, %s: %v", url, name, err)
			}
			left := time.Until(time.Unix(got.Expiration, 0))
			if got.ExpiresIn != 3600 || left < 58*time.Minute || left > time.Hour || got.TokenType != "Bearer" || got.RefreshToken == "" {
				t.Errorf("%s, %s: %d s, %s left, type %q, refresh token %v", url, name, got.ExpiresIn, left, got.TokenType, got.RefreshToken != "")
			}
		}
	}
	a, err := core.NewIamAuthenticatorBuilder().SetApiKey(s.IBM.APIKey).SetURL(s.URL).Build()
	if err != nil {
		t.Fatal(err)
	}
	service, err := core.NewBaseService(&core.ServiceOptions{URL: s.URL, Authenticator: a})
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		APIKeys []struct {
			ID, Name  string
			AccountID string `json:"account_id"`
		} `json:"apikeys"`
	}
	b := core.NewRequestBuilder(core.GET)
	if _, err := b.ResolveRequestURL(s.URL, "/v1/apikeys", nil); err != nil {
		t.Fatal(err)
	}
	r, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.Request(r, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.APIKeys) == 0 || list.APIKeys[0].AccountID != s.AccountID {
		t.Errorf("API keys of the caller: %+v", list)
	}
}

// TestIBMGoSDKRefused: the SDK tells its user what the token service said.
func TestIBMGoSDKRefused(t *testing.T) {
	t.Parallel()
	s := Start(t)
	a, err := core.NewIamAuthenticatorBuilder().SetApiKey(strings.Repeat("x", 44)).SetURL(s.URL).Build()
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.GetToken()
	var refused *core.AuthenticationError
	if !errors.As(err, &refused) || refused.Response.StatusCode != http.StatusBadRequest || err.Error() != "Provided API key could not be found." {
		t.Errorf("an unknown API key: %v", err)
	}
}

// ibmOutcome is what testdata/ibm.mjs writes.
type ibmOutcome struct {
	Mine, Made, Read, Updated            ibmThing
	ETag                                 string
	Names                                []string
	Stale, LockedDelete, Disabled        ibmFailure
	Enabled, Deleted, Gone               ibmFailure
	Lock, Unlock, Disable, Enable        int
	Service, ServiceRead, ServiceUpdated ibmThing
	Services                             struct{ ServiceIDs []ibmThing }
	ServiceKey, ServiceMay, ServiceGone  ibmFailure
	ServiceDeleted                       int
	Settings                             struct {
		Access  string `json:"system_access_token_expiration_in_seconds"`
		Refresh string `json:"system_refresh_token_expiration_in_seconds"`
	}
	ShortLived             int
	Templates, Assignments []any
}

type ibmFailure struct {
	Status  int
	Message string
}

// ibmThing is an API key or a service ID; apikey is a text in the one and an
// API key in the other.
type ibmThing struct {
	ID, Name, Description, CRN string
	IAMID                      string          `json:"iam_id"`
	EntityTag                  string          `json:"entity_tag"`
	AccountID                  string          `json:"account_id"`
	CreatedBy                  string          `json:"created_by"`
	APIKey                     json.RawMessage `json:"apikey"`
	History                    []any
}

// TestIBMPlatformServices manages API keys and service IDs with IBM's client
// for JavaScript.
func TestIBMPlatformServices(t *testing.T) {
	t.Parallel()
	node, modules := needNode(t, "@ibm-cloud/platform-services")
	s := Start(t)
	asked, err := json.Marshal(map[string]string{"endpoint": s.URL, "apikey": s.IBM.APIKey, "account": s.AccountID})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "testdata/ibm.mjs")
	cmd.Env = append(os.Environ(), "NODE_MODULES="+modules)
	cmd.Stdin = strings.NewReader(string(asked))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	got := decode[ibmOutcome](t, string(output))
	checkIBMKeys(t, s, &got)
	checkIBMServiceIDs(t, s, &got)
	if v := got.Settings; v.Access != "900" || v.Refresh != "259200" || got.ShortLived != 900 {
		t.Errorf("account settings: %+v, then a token of %d s", v, got.ShortLived)
	}
	if len(got.Templates)+len(got.Assignments) != 0 {
		t.Errorf("templates: %v %v", got.Templates, got.Assignments)
	}
}

func checkIBMKeys(t *testing.T, s *Server, got *ibmOutcome) {
	t.Helper()
	if got.Mine.AccountID != s.AccountID || !strings.HasPrefix(got.Mine.IAMID, "IBMid-") || len(got.Mine.History) == 0 {
		t.Errorf("the key of the log-in: %+v", got.Mine)
	}
	if k := got.Made; len(k.APIKey) != 46 || k.IAMID != got.Mine.IAMID || k.CreatedBy != k.IAMID ||
		k.CRN != "crn:v1:bluemix:public:iam-identity::a/"+s.AccountID+"::apikey:"+k.ID {
		t.Errorf("a new key: %+v", k)
	}
	if k := got.Read; string(k.APIKey) != `""` || k.ID != got.Made.ID || got.ETag != k.EntityTag || len(k.History) != 1 {
		t.Errorf("the same, read: %+v, ETag %q", k, got.ETag)
	}
	if names := strings.Join(got.Names, " "); strings.Count(names, "sdk-") != 3 {
		t.Errorf("listed page by page: %s", names)
	}
	if k := got.Updated; k.Description != "changed" || k.EntityTag == got.ETag || len(k.History) != 2 {
		t.Errorf("changed: %+v", k)
	}
	if got.Lock != 204 || got.Unlock != 204 || got.Disable != 204 || got.Enable != 204 {
		t.Errorf("lock %d, unlock %d, disable %d, enable %d", got.Lock, got.Unlock, got.Disable, got.Enable)
	}
	for what, c := range map[string]struct {
		got    ibmFailure
		status int
		text   string
	}{
		"a stale entity tag": {got.Stale, 409, "entity_tag"}, "deletion of a locked key": {got.LockedDelete, 409, "locked"},
		"log-in by a disabled key": {got.Disabled, 400, "Provided API key could not be found."}, "by an enabled one": {got.Enabled, 0, ""},
		"by a deleted one": {got.Deleted, 400, "Provided API key could not be found."}, "read of a deleted one": {got.Gone, 404, "cannot be found"},
	} {
		if c.got.Status != c.status || !strings.Contains(c.got.Message, c.text) {
			t.Errorf("%s: %+v, want %d with %q", what, c.got, c.status, c.text)
		}
	}
}

func checkIBMServiceIDs(t *testing.T, s *Server, got *ibmOutcome) {
	t.Helper()
	v := got.Service
	if v.IAMID != "iam-"+v.ID || !strings.HasPrefix(v.ID, "ServiceId-") || v.CRN != "crn:v1:bluemix:public:iam-identity::a/"+s.AccountID+"::serviceid:"+v.ID {
		t.Errorf("a new service ID: %+v", v)
	}
	if r := got.ServiceRead; r.Description != "by the SDK" || r.APIKey != nil || len(r.History) != 1 {
		t.Errorf("the same, read: %+v", r)
	}
	if list := got.Services.ServiceIDs; got.ServiceUpdated.Name != "renamed" || len(list) != 1 || list[0].ID != v.ID {
		t.Errorf("renamed: %+v, listed: %+v", got.ServiceUpdated, list)
	}
	if got.ServiceKey.Status != 403 || got.ServiceMay.Status != 403 || got.ServiceDeleted != 204 || got.ServiceGone.Status != 400 {
		t.Errorf("what it may not without a policy: %+v, %+v; deleted %d, and then %+v", got.ServiceKey, got.ServiceMay, got.ServiceDeleted, got.ServiceGone)
	}
}
