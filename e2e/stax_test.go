package e2e

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// staxConfig is the part of the config document that clients read.
type staxConfig struct {
	ApiAuth struct {
		IdentityPoolID      string `json:"identityPoolId"`
		Region              string `json:"region"`
		UserPoolID          string `json:"userPoolId"`
		UserPoolWebClientID string `json:"userPoolWebClientId"`
	}
	API struct {
		Endpoints []struct{ Name, Endpoint, Region string } `json:"endpoints"`
	}
}

// provider is how Logins name the user pool.
func (c *staxConfig) provider() string {
	return "cognito-idp." + c.ApiAuth.Region + ".amazonaws.com/" + c.ApiAuth.UserPoolID
}

// staxConfigOf reads the plain config document, as the clients do.
func staxConfigOf(t testing.TB, s *Server) *staxConfig {
	t.Helper()
	resp, err := http.Get(s.URL + "/20190206/public/config")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		t.Fatalf("the config document: %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	var c staxConfig
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return &c
}

// TestStax walks the document's own words, from the config document to a signed
// call that says who is calling.
func TestStax(t *testing.T) {
	t.Parallel()
	needTool(t, "jq")
	needTool(t, "curl")
	needAWS1(t)
	s := Start(t)
	c := s.NewClient(t)
	c.Set("CONFIG_URL", s.Stax.ConfigURL)
	c.Set("ACCESS_KEY", s.Stax.AccessKey)
	c.Set("SECRET_KEY", s.Stax.SecretKey)
	c.Set("AWS_DEFAULT_REGION", "")
	script, err := filepath.Abs("testdata/stax.sh")
	if err != nil {
		t.Fatal(err)
	}
	c.OK("bash", script)

	login := decode[struct {
		AuthenticationResult struct {
			AccessToken, IDToken, RefreshToken, TokenType string
			ExpiresIn                                     int
		}
	}](t, c.Read("login.json"))
	if r := login.AuthenticationResult; r.TokenType != "Bearer" || r.ExpiresIn != 3600 || r.RefreshToken == "" {
		t.Errorf("the log-in: got %q, %d s, refresh token %v", r.TokenType, r.ExpiresIn, r.RefreshToken != "")
	}
	credentials := decode[struct {
		IdentityID  string
		Credentials struct {
			AccessKeyID string
			Expiration  json.RawMessage
		}
	}](t, c.Read("credentials.json"))
	var seconds float64
	if err := json.Unmarshal(credentials.Credentials.Expiration, &seconds); err != nil {
		t.Errorf("Expiration %s is not a number", credentials.Credentials.Expiration)
	}
	if left := time.Until(time.Unix(int64(seconds), 0)); left < 58*time.Minute || left > time.Hour {
		t.Errorf("the keys live %s", left)
	}
	if !strings.HasPrefix(credentials.Credentials.AccessKeyID, "ASIA") {
		t.Errorf("access key ID %s", credentials.Credentials.AccessKeyID)
	}
	who := decode[struct{ Arn, Account string }](t, c.Read("identity.json"))
	if want := "arn:" + s.Partition + ":sts::" + s.AccountID + ":assumed-role/api_admin/CognitoIdentityCredentials"; who.Arn != want {
		t.Errorf("GetCallerIdentity: got %s, want %s", who.Arn, want)
	}
	me := decode[struct {
		Users []struct{ ID, Name, Role, Status string }
	}](t, c.Read("me.json"))
	if len(me.Users) != 1 || me.Users[0].Status != "ACTIVE" || me.Users[0].Role != "api_admin" {
		t.Errorf("users/me: %+v", me)
	}
}
