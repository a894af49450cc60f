package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// needNode returns node and the folder that scripts/install.sh put packages of
// npm into.
func needNode(t testing.TB, pkg string) (node, modules string) {
	t.Helper()
	return needNodeIn(t, "node", pkg)
}

// needNodeIn is needNode for what scripts/install.sh put into a folder apart.
func needNodeIn(t testing.TB, folder, pkg string) (node, modules string) {
	t.Helper()
	modules, err := filepath.Abs(filepath.Join("../.clients", folder, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	node = needTool(t, "node")
	if _, err := os.Stat(filepath.Join(modules, pkg)); err != nil {
		missing(t, pkg+" (scripts/install.sh gets it from npm)")
	}
	return node, modules
}

// srpTimes are the times of day at which clients write TIMESTAMP in ways of
// their own.
var srpTimes = []string{"2026-09-05T00:30:00Z", "2026-09-05T11:59:00Z", "2026-11-26T13:00:00Z", "2026-11-26T23:30:00Z"}

type srpOutcome struct{ IDToken, AccessToken, RefreshToken, Error, Message, Challenge string }

// TestCognitoJavaScript logs in with amazon-cognito-identity-js by SRP and with
// the SDKs for JavaScript, verifies the tokens and lists buckets with the keys.
func TestCognitoJavaScript(t *testing.T) {
	t.Parallel()
	node, modules := needNode(t, "amazon-cognito-identity-js")
	s := Start(t)
	config := staxConfigOf(t, s)
	s.NewClient(t).With(s.RootKeys()).OK("aws", "s3", "mb", "s3://from-the-pool", "--endpoint-url", s.URL)

	type try struct {
		Username string `json:"username"`
		Password string `json:"password"`
		At       string `json:"at,omitempty"`
	}
	var tries []try
	for _, at := range srpTimes {
		tries = append(tries, try{s.Stax.AccessKey, s.Stax.SecretKey, at}, try{s.Stax.AccessKey, "x" + s.Stax.SecretKey[1:], at})
	}
	realm := s.Realms["shasta"]
	tries = append(tries, try{realm.Username, realm.Password, ""}, try{realm.Username, "wrong", ""}, try{"nobody", "wrong", ""})
	asked, err := json.Marshal(map[string]any{
		"endpoint": s.URL, "region": config.ApiAuth.Region, "userPool": config.ApiAuth.UserPoolID, "client": config.ApiAuth.UserPoolWebClientID,
		"identityPool": config.ApiAuth.IdentityPoolID, "provider": config.provider(), "srp": tries,
		"username": s.Stax.AccessKey, "password": s.Stax.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "testdata/cognito.mjs")
	cmd.Env = append(os.Environ(), "NODE_MODULES="+modules)
	cmd.Stdin = strings.NewReader(string(asked))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var got struct {
		SRP                              []srpOutcome
		User, Refreshed                  json.RawMessage
		Claims                           map[string]any
		Discovery                        map[string]any
		Buckets, ByAccessToken, Tampered json.RawMessage
	}
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for i, o := range got.SRP {
		right := tries[i].Password == s.Stax.SecretKey || tries[i].Password == realm.Password
		switch {
		case right && (o.IDToken == "" || o.AccessToken == "" || o.RefreshToken == ""):
			t.Errorf("SRP at %q as %s: got %+v", tries[i].At, tries[i].Username, o)
		case !right && (o.Error != "NotAuthorizedException" || o.Message != "Incorrect username or password."):
			t.Errorf("SRP at %q as %s with a wrong secret: got %+v", tries[i].At, tries[i].Username, o)
		}
	}
	if want := `"` + s.Stax.AccessKey + `"`; string(got.User) != want {
		t.Errorf("GetUser: got %s, want %s", got.User, want)
	}
	if string(got.Refreshed) != `"Bearer"` {
		t.Errorf("GetTokensFromRefreshToken: got %s", got.Refreshed)
	}
	if got.Claims["token_use"] != "id" || got.Claims["cognito:username"] != s.Stax.AccessKey || got.Claims["iss"] != s.URL+"/"+config.ApiAuth.UserPoolID {
		t.Errorf("the claims: got %v", got.Claims)
	}
	if got.Discovery["issuer"] != got.Claims["iss"] {
		t.Errorf("discovery says issuer %v", got.Discovery["issuer"])
	}
	var buckets []string
	if err := json.Unmarshal(got.Buckets, &buckets); err != nil || !slices.Contains(buckets, "from-the-pool") {
		t.Errorf("the keys list %s", got.Buckets)
	}
	for what, answer := range map[string]json.RawMessage{
		"Missing a required claim: aud": got.ByAccessToken, "Couldn't verify signed token.": got.Tampered,
	} {
		if !strings.Contains(string(answer), "NotAuthorizedException") || !strings.Contains(string(answer), what) {
			t.Errorf("want NotAuthorizedException %q, got %s", what, answer)
		}
	}
}
