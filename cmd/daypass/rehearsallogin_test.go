package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"daypass/internal/sigv4"
)

// credentials are all kinds that a site's users hold.
type credentials struct {
	url            string
	longTerm       sigv4.Credentials // works on
	session, role  sigv4.Credentials
	access         string // of a realm
	refresh        string
	ibm            string // access token
	ibmRefresh     string // the first one, sealed
	ibmSecond      string // the second one, stored
	pool, poolNext string // access and refresh token of a user pool
	password       string
}

// answer is what came back of a call.
type answer struct {
	status int
	body   string
}

// member is the first member or element of that name.
func (a answer) member(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile(`"` + name + `":\s*"([^"]*)"|<` + name + `>([^<]*)<`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no %s in the answer %d %s", name, a.status, a.body)
	}
	return m[1] + m[2]
}

func answerTo(t *testing.T, r *http.Request, err error) answer {
	t.Helper()
	var resp *http.Response
	if err == nil {
		resp, err = http.DefaultClient.Do(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(body)}
}

func (c *credentials) form(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, c.url+path, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return answerTo(t, r, err)
}

func (c *credentials) bearer(t *testing.T, path, token string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return answerTo(t, r, err)
}

func (c *credentials) cognito(t *testing.T, call string, in any) answer {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, c.url+"/", strings.NewReader(string(text)))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+call)
	}
	return answerTo(t, r, err)
}

func (c *credentials) sts(t *testing.T, action string, keys sigv4.Credentials) answer {
	t.Helper()
	body := url.Values{"Action": {action}, "Version": {"2011-06-15"}}.Encode()
	r, err := http.NewRequest(http.MethodPost, c.url+"/", strings.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		sum := sha256.Sum256([]byte(body))
		err = sigv4.Sign(r, keys, "us-east-1", "sts", hex.EncodeToString(sum[:]), time.Now())
	}
	return answerTo(t, r, err)
}

func keysIn(t *testing.T, a answer) sigv4.Credentials {
	t.Helper()
	return sigv4.Credentials{AccessKeyID: a.member(t, "AccessKeyId"), SecretAccessKey: a.member(t, "SecretAccessKey"), SessionToken: a.member(t, "SessionToken")}
}

const (
	realmPath = "/auth/realms/shasta/protocol/openid-connect/"
	demoPool  = "daypassdemoclient"
)

// logIn logs in by every kind of proof.
func logIn(t *testing.T, d *siteDir) *credentials {
	t.Helper()
	root := d.ready["root"].(map[string]any)
	realm := d.ready["realms"].(map[string]any)["shasta"].(map[string]any)
	c := &credentials{url: d.ready["url"].(string), password: realm["password"].(string)}
	c.longTerm = sigv4.Credentials{AccessKeyID: root["access_key_id"].(string), SecretAccessKey: root["secret_access_key"].(string)}
	c.session = keysIn(t, c.sts(t, "GetSessionToken", c.longTerm))

	tokens := c.form(t, realmPath+"token", url.Values{"client_id": {"shasta"}, "grant_type": {"password"}, "username": {"testuser"}, "password": {c.password}})
	c.access, c.refresh = tokens.member(t, "access_token"), tokens.member(t, "refresh_token")
	c.role = keysIn(t, c.webIdentity(t))

	apiKey := d.ready["ibm"].(map[string]any)["api_key"].(string)
	first := c.form(t, "/identity/token", url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {apiKey}})
	c.ibm, c.ibmRefresh = first.member(t, "access_token"), first.member(t, "refresh_token")
	other := c.form(t, "/identity/token", url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {apiKey}})
	c.ibmSecond = c.ibmNext(t, other.member(t, "refresh_token")).member(t, "refresh_token")

	in := c.cognito(t, "InitiateAuth", map[string]any{
		"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": demoPool, "AuthParameters": map[string]string{"USERNAME": "testuser", "PASSWORD": c.password},
	})
	c.pool, c.poolNext = in.member(t, "AccessToken"), in.member(t, "RefreshToken")
	return c
}

func (c *credentials) webIdentity(t *testing.T) answer {
	t.Helper()
	return c.form(t, "/", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleSessionName": {"rehearsal"},
		"RoleArn": {"arn:aws:iam::123456789012:role/shasta-admin"}, "WebIdentityToken": {c.access},
	})
}

func (c *credentials) ibmNext(t *testing.T, token string) answer {
	t.Helper()
	return c.form(t, "/identity/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

func (c *credentials) poolRefresh(t *testing.T) answer {
	t.Helper()
	return c.cognito(t, "InitiateAuth", map[string]any{
		"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": demoPool, "AuthParameters": map[string]string{"REFRESH_TOKEN": c.poolNext},
	})
}

// expect compares an answer with a status and something that its body holds.
func expect(t *testing.T, what string, a answer, status int, holds string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, holds) {
		t.Errorf("%s: got %d %s, want %d and %q", what, a.status, a.body, status, holds)
	}
}

// work uses what was issued.
func (c *credentials) work(t *testing.T, when string) {
	t.Helper()
	expect(t, when+": long-term key", c.sts(t, "GetCallerIdentity", c.longTerm), 200, ":root")
	expect(t, when+": session keys", c.sts(t, "GetCallerIdentity", c.session), 200, ":root")
	expect(t, when+": session keys of a role", c.sts(t, "GetCallerIdentity", c.role), 200, "assumed-role/shasta-admin")
	expect(t, when+": a realm's token", c.bearer(t, realmPath+"userinfo", c.access), 200, "testuser")
	expect(t, when+": IBM's token", c.bearer(t, "/v1/apikeys", c.ibm), 200, "apikeys")
	expect(t, when+": a user pool's token", c.cognito(t, "GetUser", map[string]string{"AccessToken": c.pool}), 200, "testuser")
}

// dead uses it after a restore.
func (c *credentials) dead(t *testing.T, same bool) {
	t.Helper()
	expect(t, "long-term key", c.sts(t, "GetCallerIdentity", c.longTerm), 200, ":root")
	for what, keys := range map[string]sigv4.Credentials{"session keys": c.session, "session keys of a role": c.role} {
		expect(t, what, c.sts(t, "GetCallerIdentity", keys), 403, "ExpiredToken")
	}
	expect(t, "a realm's token", c.bearer(t, realmPath+"userinfo", c.access), 401, "invalid_token")
	expect(t, "a realm's refresh token", c.form(t, realmPath+"token", url.Values{"client_id": {"shasta"}, "grant_type": {"refresh_token"}, "refresh_token": {c.refresh}}), 400, "invalid_grant")
	wrong := "InvalidIdentityToken"
	if same { // its signature is still good
		wrong = "ExpiredToken"
	}
	expect(t, "a realm's token as web identity", c.webIdentity(t), 400, wrong)
	expect(t, "IBM's token", c.bearer(t, "/v1/apikeys", c.ibm), 401, "BXNIM0407E")
	expect(t, "IBM's first refresh token", c.ibmNext(t, c.ibmRefresh), 400, "BXNIM0407E")
	expect(t, "IBM's stored refresh token", c.ibmNext(t, c.ibmSecond), 400, "BXNIM0408E")
	expect(t, "a user pool's token", c.cognito(t, "GetUser", map[string]string{"AccessToken": c.pool}), 400, "NotAuthorizedException")
	expect(t, "a user pool's refresh token", c.poolRefresh(t), 400, "NotAuthorizedException")
}
