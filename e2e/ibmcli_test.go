package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// apiKeyGrant is the grant by which others use what the command line made.
const apiKeyGrant = "urn:ibm:params:oauth:grant-type:apikey"

// TestIBMCommandLine is what IBM Cloud's users do at their command line: log in,
// target, make keys, use them with curl, and go on when tokens end.
func TestIBMCommandLine(t *testing.T) {
	t.Parallel()
	aws := needAWS1(t)
	s := Start(t)
	c := newPerson(t, s)
	daypass := func(args ...string) string { return c.OK(s.binary, args...) }
	user := s.Realms["shasta"]
	c.Write("password", user.Password+"\n")
	got := daypass("login", "-a", s.URL, "-u", user.Username, "--password-file", "password", "-r", "us-south")
	if !strings.Contains(got, "\nAuthenticating...\nOK\n\nTargeted account "+s.AccountID+"\n") || !strings.HasSuffix(got, "Resource group:    Default\n") {
		t.Errorf("the log-in says:\n%s", got)
	}
	bearer := strings.TrimPrefix(strings.TrimSpace(daypass("iam", "oauth-tokens")), "IAM token:  Bearer ")
	me := claimsOf(t, bearer)
	if !s.accepts(t, bearer) || me.GrantType != "password" {
		t.Errorf("the token says %+v", me)
	}

	// A script of other days reads the key off the table.
	c.OK("sh", "-c", s.binary+` iam api-key-create mine -d DESC | grep 'API Key' | awk '{print $3}' > mine`)
	mine := s.ibmToken(t, "grant_type", apiKeyGrant, "apikey", strings.TrimSpace(c.Read("mine")))
	if claimsOf(t, mine.AccessToken).Name != me.Name || !s.accepts(t, mine.AccessToken) {
		t.Errorf("the key logs in: %+v", mine)
	}
	daypass("iam", "service-id-create", "builds", "-d", "machines")
	daypass("iam", "service-api-key-create", "main", "builds", "--file", "builds.json")
	file := decode[struct{ Name, APIKey, CreatedAt string }](t, c.Read("builds.json"))
	service := s.ibmToken(t, "grant_type", apiKeyGrant, "apikey", file.APIKey)
	if claims := claimsOf(t, service.AccessToken); file.Name != "main" || claims.Name != "builds" {
		t.Errorf("%s logs in %+v", file.Name, claims)
	}

	// One log-in for all: keys that sign, by exec and by the AWS configuration.
	daypass("exec", "--", aws, "s3", "mb", "s3://by-ibm")
	daypass("configure")
	if got := c.OK(aws, "s3", "ls", "--profile", "daypass"); !strings.Contains(got, "by-ibm") {
		t.Errorf("s3 ls: %s", got)
	}

	// The token ends, as far as the command line knows: the refresh token is used.
	before := c.ibmSession()
	c.age(t)
	if got := strings.TrimSpace(daypass("iam", "oauth-tokens")); strings.HasSuffix(got, bearer) || !s.accepts(t, strings.TrimPrefix(got, "IAM token:  Bearer ")) {
		t.Error("the token was not renewed")
	}
	if after := c.ibmSession(); after.RefreshToken == before.RefreshToken || after.IBM.SessionID != before.IBM.SessionID {
		t.Error("the refresh token was not used")
	}

	// A key that was found is off at once.
	if got := daypass("iam", "api-key-report-leaked", "--file", "mine"); !strings.Contains(got, "\nOK\nAPI key mine (ApiKey-") || !strings.HasSuffix(got, " was disabled\n") {
		t.Errorf("the report says:\n%s", got)
	}
	if again := s.ibmToken(t, "grant_type", apiKeyGrant, "apikey", strings.TrimSpace(c.Read("mine"))); again.AccessToken != "" || s.accepts(t, mine.AccessToken) {
		t.Errorf("a leaked key logs in: %+v", again)
	}
	if r := c.Run(s.binary, "iam", "api-key-report-leaked"); r.Code != 2 || !strings.Contains(r.Stderr, "--file") {
		t.Errorf("without a key: %d, %s", r.Code, r.Stderr)
	}

	// A log-in by the key in its file, with no flag but the profile's; then all ends.
	daypass("login", "--profile", "builds", "-a", s.URL, "--apikey", "@builds.json")
	daypass("iam", "service-id-delete", "builds", "--force")
	if r := c.Run(s.binary, "exec", "--profile", "builds", "--", aws, "s3", "ls"); r.Code != 3 {
		t.Errorf("a deleted service ID: exit status %d, %s", r.Code, r.Stderr)
	}
	daypass("logout")
	if s.accepts(t, bearer) {
		t.Error("the token is accepted after the log-out")
	}
	if r := c.Run(aws, "s3", "ls", "--profile", "daypass"); r.Code == 0 || !strings.Contains(r.Stderr, "run: daypass login") {
		t.Errorf("logged out: got %d, %s", r.Code, r.Stderr)
	}
}

// keptIBM is what the command line keeps of a log-in.
type keptIBM struct {
	RefreshToken string `json:"refresh_token"`
	IBM          struct {
		SessionID string `json:"session_id"`
	} `json:"ibm"`
}

const keptFile = ".cache/daypass/default.json"

func (c *Client) ibmSession() keptIBM { return decode[keptIBM](c.t, c.Read(keptFile)) }

// age makes the token that is kept one that ended a minute ago.
func (c *Client) age(t *testing.T) {
	t.Helper()
	kept := decode[map[string]any](t, c.Read(keptFile))
	kept["ibm"].(map[string]any)["expires_at"] = time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	text, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	c.Write(keptFile, string(text))
}

// TestIBMCommandLineBySSO logs in with the one-time code that a browser shows.
func TestIBMCommandLineBySSO(t *testing.T) {
	t.Parallel()
	s := newConsoleSite(t)
	v := s.visitor(t)
	c := newPerson(t, s.Server)
	wrong := c.Run(s.binary, "login", "-a", s.URL, "-u", "bob", "--password-command", "echo wrong")
	page := s.URL + "/identity/passcode"
	if wrong.Code != 4 || !strings.HasPrefix(wrong.Stderr, "FAILED\n") || !strings.Contains(wrong.Stderr, "get one from "+page) {
		t.Fatalf("a wrong password: %d, %s", wrong.Code, wrong.Stderr)
	}
	v.open(page)
	v.at("/login")
	v.fill("place", "shasta", "username", "bob", "password", consolePassword)
	v.pressNamed("Log in")
	v.at("/passcode")
	v.pressNamed("Make a one-time code")
	c.Write("code", v.text("#passcode")+"\n")
	got := c.OK(s.binary, "login", "-a", s.URL, "--sso", "--password-file", "code")
	if !strings.Contains(got, "\nGet a one-time code from "+page+" to proceed.\nAuthenticating...\nOK\n") || !strings.Contains(got, "\nUser:              bob@example.com\n") {
		t.Errorf("the log-in says:\n%s", got)
	}
	if who := c.OK(s.binary, "exec", "--", s.binary, "whoami"); !strings.Contains(who, ":user/") {
		t.Errorf("whoami: %s", who)
	}
	if again := c.Run(s.binary, "login", "-a", s.URL, "--sso", "--password-file", "code"); again.Code != 4 {
		t.Errorf("the code, used twice: %d, %s", again.Code, again.Stderr)
	}
}

// TestIBMCommandLineByComputeToken becomes a trusted profile by the token of the
// machine, which the environment holds.
func TestIBMCommandLineByComputeToken(t *testing.T) {
	t.Parallel()
	issuer := startIssuer(t)
	s := StartWith(t, []string{"DAYPASS_EGRESS_EXEMPT=" + issuer.Host()})
	c := newPerson(t, s)
	s.Apply(t, strings.NewReplacer("ACCOUNT", s.AccountID, "ISSUER", issuer.URL, "CA", c.Write("ca.pem", issuer.CA)).Replace(`providers:
  - {account: "ACCOUNT", url: "ISSUER", client_ids: [machines], ca_bundle: {file: "CA"}}
ibm:
  account: "ACCOUNT"
  realm: shasta
  regions: [eu-de]
  profiles:
    - name: deployer
      rules: [{realm_name: "ISSUER", cr_type: VSI, conditions: [{claim: sub, operator: EQUALS, value: build-7}]}]
`))
	token := func() string { return issuer.Token(map[string]any{"aud": "machines", "sub": "build-7"}) }
	c.Write("token", token()+"\n")
	c.Set("IBMCLOUD_CR_TOKEN", "@token")
	c.Set("IBMCLOUD_CR_PROFILE", "deployer")
	if got := c.OK(s.binary, "login", "-a", s.URL); !strings.Contains(got, "\nUser:              Profile-") {
		t.Errorf("the log-in says:\n%s", got)
	}
	bearer := strings.TrimPrefix(strings.TrimSpace(c.OK(s.binary, "iam", "oauth-tokens")), "IAM token:  Bearer ")
	if claims := claimsOf(t, bearer); claims.Name != "deployer" || !strings.HasSuffix(claims.GrantType, ":cr-token") {
		t.Errorf("the token says %+v", claims)
	}
	if who := c.OK(s.binary, "exec", "--", s.binary, "whoami"); !strings.Contains(who, "Profile-") {
		t.Errorf("whoami: %s", who)
	}
	// The token ends, and the machine has another by then.
	c.Write("token", token()+"\n")
	c.age(t)
	c.Set("IBMCLOUD_CR_TOKEN", "")
	if later := strings.TrimPrefix(strings.TrimSpace(c.OK(s.binary, "iam", "oauth-tokens")), "IAM token:  Bearer "); later == bearer || claimsOf(t, later).Name != "deployer" {
		t.Error("the log-in was not renewed")
	}
	c.Set("IBMCLOUD_CR_TOKEN", "@token")
	c.Set("IBMCLOUD_CR_PROFILE", "another")
	if r := c.Run(s.binary, "login", "-a", s.URL); r.Code != 4 || !strings.HasPrefix(r.Stderr, "FAILED\n") {
		t.Errorf("another profile: %d, %s", r.Code, r.Stderr)
	}
}
