package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// crayRealm is the path of a realm's endpoints as Cray's clients have it.
const crayRealm = "/keycloak/realms/shasta/protocol/openid-connect/"

// crayAnswer is what the token service says, keys or a problem.
type crayAnswer struct {
	Credentials struct {
		Keys
		Expiration, EndpointURL string
	}
	Detail, Title, Type string
	Status              int
}

// realmToken asks the realm for tokens, with pairs of names and values.
func (s *Server) realmToken(t testing.TB, realm string, pairs ...string) (access, refresh string) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	resp, err := http.PostForm(s.URL+strings.Replace(crayRealm, "shasta", realm, 1)+"token", form)
	if err != nil {
		t.Fatal(err)
	}
	body := readAll(t, resp)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("log-in: %s: %s", resp.Status, body)
	}
	out := decode[struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}](t, body)
	return out.AccessToken, out.RefreshToken
}

func (s *Server) crayLogin(t testing.TB, name, password string) (access, refresh string) {
	t.Helper()
	return s.realmToken(t, "shasta", "grant_type", "password", "client_id", "shasta", "username", name, "password", password)
}

func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// cray calls the token service, and looks at what all its answers have.
func (s *Server) cray(t testing.TB, token string, headers ...string) (int, crayAnswer) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, s.URL+"/apis/sts/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	return crayAsk(t, r, token, headers...)
}

func crayAsk(t testing.TB, r *http.Request, token string, headers ...string) (int, crayAnswer) {
	t.Helper()
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body := readAll(t, resp)
	a := decode[crayAnswer](t, body)
	if resp.Header.Get("Cache-Control") != "no-store" || resp.ContentLength != int64(len(body)) || len(resp.TransferEncoding) > 0 {
		t.Errorf("Cache-Control %q, Content-Length %d of %d, %v", resp.Header.Get("Cache-Control"), resp.ContentLength, len(body), resp.TransferEncoding)
	}
	if resp.StatusCode >= 400 && (a.Status != resp.StatusCode || a.Title == "" || a.Detail == "" || a.Type == "" || resp.Header.Get("Content-Type") != "application/problem+json") {
		t.Errorf("%s: no problem document: %s", resp.Status, body)
	}
	if (resp.StatusCode == 401) != (resp.Header.Get("WWW-Authenticate") == "Bearer") {
		t.Errorf("%s with WWW-Authenticate %q", resp.Status, resp.Header.Get("WWW-Authenticate"))
	}
	return resp.StatusCode, a
}

// crayKeys is cray that must succeed.
func (s *Server) crayKeys(t testing.TB, token string) Keys {
	t.Helper()
	status, a := s.cray(t, token)
	if status != http.StatusCreated {
		t.Fatalf("%d: %+v", status, a)
	}
	return a.Credentials.Keys
}

// TestCrayScripts walks the clients' own ways: curl, and Python as it stands in
// the libraries of docs-csm, with boto3 behind it.
func TestCrayScripts(t *testing.T) {
	t.Parallel()
	curl, python := needTool(t, "curl"), needPython(t, "boto3, requests")
	script, err := filepath.Abs("testdata/cray.py")
	if err != nil {
		t.Fatal(err)
	}
	s := Start(t)
	user := s.Realms["shasta"]
	c := s.NewClient(t)
	login := decode[struct {
		AccessToken string `json:"access_token"`
	}](t, c.OK(curl, "-sS", "--fail", s.URL+crayRealm+"token", "-d", "grant_type=password", "-d", "client_id=shasta",
		"-d", "username="+user.Username, "--data-urlencode", "password="+user.Password))
	out := c.OK(curl, "-sS", "-X", "PUT", "-H", "Authorization: Bearer "+login.AccessToken, "-w", "\n%{http_code}", s.URL+"/apis/sts/token")
	body, status, _ := strings.Cut(out, "\n")
	a := decode[crayAnswer](t, body)
	if status != "201" || !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$`).MatchString(a.Credentials.Expiration) || a.Credentials.EndpointURL != s.URL {
		t.Errorf("status %s: %+v", status, a)
	}
	if out := c.OK(curl, "-sS", "-w", "%{http_code}", s.URL+"/apis/sts/healthz"); out != `{"Status":"ok"}200` {
		t.Errorf("health: %s", out)
	}
	c.Set("TOKEN", login.AccessToken)
	c.Set("AWS_DEFAULT_REGION", "")
	c.Set("AWS_ENDPOINT_URL", "")
	if out := c.OK(python, script, s.URL, "cray-artifacts"); out != "" {
		t.Error(out)
	}
}

// TestCrayWithoutBody sends the PUT of clients that set no body at all: neither
// a length nor a type comes with it.
func TestCrayWithoutBody(t *testing.T) {
	t.Parallel()
	s := Start(t)
	token, _ := s.crayLogin(t, s.Realms["shasta"].Username, s.Realms["shasta"].Password)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for i := range 3 { // one connection serves them all
		fmt.Fprintf(conn, "PUT /apis/sts/token HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer %s\r\naccept: */*\r\n\r\n", strings.TrimPrefix(s.URL, "http://"), token)
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := decode[crayAnswer](t, readAll(t, resp))
		if resp.StatusCode != http.StatusCreated || a.Credentials.SessionToken == "" {
			t.Errorf("call %d: %s: %+v", i, resp.Status, a)
		}
	}
}

// TestCrayRealm: what the same clients ask of the realm, under the prefix that
// they know.
func TestCrayRealm(t *testing.T) {
	t.Parallel()
	s := Start(t)
	secrets := map[string]any{}
	data, err := os.ReadFile(filepath.Join(s.Data, "dev-credentials.json"))
	if err == nil {
		err = json.Unmarshal(data, &secrets)
	}
	if err != nil {
		t.Fatal(err)
	}
	service, _ := s.realmToken(t, "shasta", "grant_type", "client_credentials", "client_id", "admin-client", "client_secret", secrets["admin_client_secret"].(string))
	s.crayKeys(t, service)

	access, refresh := s.crayLogin(t, s.Realms["shasta"].Username, s.Realms["shasta"].Password)
	get := func(path string) map[string]any {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+access)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, resp)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %s", path, resp.Status, body)
		}
		return decode[map[string]any](t, body)
	}
	if got := get(crayRealm + "userinfo")["preferred_username"]; got != s.Realms["shasta"].Username {
		t.Errorf("userinfo: %v", got)
	}
	if keys, _ := get(crayRealm + "certs")["keys"].([]any); len(keys) == 0 {
		t.Error("no keys")
	}
	found := get("/keycloak/realms/shasta/.well-known/openid-configuration")
	if want := s.URL + "/auth/realms/shasta"; found["issuer"] != want || found["token_endpoint"] == nil {
		t.Errorf("discovery: issuer %v, want %s; token endpoint %v", found["issuer"], want, found["token_endpoint"])
	}
	keys := s.crayKeys(t, access)
	resp, err := http.PostForm(s.URL+crayRealm+"logout", url.Values{"client_id": {"shasta"}, "refresh_token": {refresh}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("logout: %s", resp.Status)
	}
	if status, a := s.cray(t, access); status != 401 {
		t.Errorf("after the log-out: %d %+v", status, a)
	}
	s.ended(t, keys)
}

// ended waits until keys are refused, for no longer than a revocation may take.
func (s *Server) ended(t testing.TB, k Keys) {
	t.Helper()
	c := s.NewClient(t).With(k)
	python := needPython(t, "boto3")
	const call = `import boto3,sys
from botocore.exceptions import ClientError
try: boto3.client("s3").list_buckets()
except ClientError as e: print(e.response["Error"]["Code"])`
	deadline := time.Now().Add(2 * time.Second)
	for {
		got := strings.TrimSpace(c.OK(python, "-c", call))
		if got == "ExpiredToken" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("the keys are answered %q", got)
			return
		}
	}
}

// craySite has a user without the role, one to switch off, a realm whose tokens
// live for a second, one that no service lists, and another service on a host of
// its own.
const craySite = `
realms:
  - name: brief
    account: "123456789012"
    access_token_seconds: 1
    clients: [{id: shasta, public: true, grants: [password], audience: [shasta]}]
  - name: unlisted
    account: "123456789012"
    clients: [{id: shasta, public: true, grants: [password], audience: [shasta]}]
users:
  - {account: "123456789012", name: plain, realm: shasta, password: plain-password-1, client_roles: {shasta: [user]}}
  - {account: "123456789012", name: leaver, realm: shasta, password: leaver-password-1, client_roles: {shasta: [admin]}, disabled: %[1]t}
  - {account: "123456789012", name: bob, realm: brief, password: bob-password-1, client_roles: {shasta: [admin]}}
  - {account: "123456789012", name: eve, realm: unlisted, password: eve-password-1, client_roles: {shasta: [admin]}}
providers:
  - {account: "123456789012", realm: brief, client_ids: [shasta]}
  - {account: "123456789012", realm: unlisted, client_ids: [shasta]}
roles:
  - account: "123456789012"
    name: readers
    managed_policies: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
    trust:
      Version: "2012-10-17"
      Statement:
        - Effect: %[2]s
          Principal: {Federated: "arn:aws:iam::123456789012:oidc-provider/%[3]s/auth/realms/shasta"}
          Action: sts:AssumeRoleWithWebIdentity
token_services:
  - account: "123456789012"
    name: readers
    hosts: [readers.localhost]
    realms: [shasta, brief]
    audience: [shasta]
    rules:
      - {claim: resource_access.shasta.roles, value: user, role: readers, duration_seconds: 900}
      - {claim: preferred_username, value: "l*", role: readers}
      - {claim: preferred_username, value: bob, role: readers}
`

// TestCrayRefusals: who gets no keys, and whose keys end.
func TestCrayRefusals(t *testing.T) {
	t.Parallel()
	s := Start(t)
	host := strings.TrimPrefix(s.URL, "http://")
	apply := func(disabled bool, effect string) { s.Apply(t, fmt.Sprintf(craySite, disabled, effect, host)) }
	apply(false, "Allow")
	admin, _ := s.crayLogin(t, s.Realms["shasta"].Username, s.Realms["shasta"].Password)
	plain, _ := s.crayLogin(t, "plain", "plain-password-1")
	leaver, _ := s.crayLogin(t, "leaver", "leaver-password-1")
	brief, _ := s.realmToken(t, "brief", "grant_type", "password", "client_id", "shasta", "username", "bob", "password", "bob-password-1")
	unlisted, _ := s.realmToken(t, "unlisted", "grant_type", "password", "client_id", "shasta", "username", "eve", "password", "eve-password-1")
	root, _ := s.realmToken(t, "root-accounts", "grant_type", "password", "client_id", "root-client", "username", s.Root.Email, "password", s.Root.Password)
	parts := strings.Split(admin, ".")
	readers := []string{"Host", "readers.localhost"}

	time.Sleep(1100 * time.Millisecond) // the brief token is over then
	for name, v := range map[string]struct {
		token   string
		headers []string
		want    int
		detail  string
	}{
		"admin":                        {admin, nil, 201, ""},
		"admin by the proxy's header":  {"", []string{"X-Forwarded-Access-Token", admin}, 201, ""},
		"both":                         {admin, []string{"X-Forwarded-Access-Token", admin}, 201, ""},
		"both, of two people":          {admin, []string{"X-Forwarded-Access-Token", plain}, 401, "more than one"},
		"nobody":                       {"", nil, 401, "missing"},
		"not an admin":                 {plain, nil, 403, ""},
		"not an admin, another host":   {plain, readers, 201, ""},
		"an admin whom no rule fits":   {admin, readers, 403, ""},
		"expired":                      {brief, readers, 401, "expired"},
		"garbage":                      {"garbage", nil, 401, ""},
		"another's signature":          {parts[0] + "." + parts[1] + "." + strings.Split(plain, ".")[2], nil, 401, ""},
		"no signature":                 {parts[0] + "." + parts[1] + ".", nil, 401, ""},
		"a realm that is not listed":   {unlisted, nil, 401, "issuer"},
		"the root users' realm":        {root, nil, 401, "issuer"},
		"a service of no host of ours": {admin, []string{"Host", "elsewhere.localhost"}, 201, ""}, // the one for all others
	} {
		status, a := s.cray(t, v.token, v.headers...)
		if status != v.want || !strings.Contains(a.Detail, v.detail) {
			t.Errorf("%s: got %d %q, want %d with %q", name, status, a.Detail, v.want, v.detail)
		}
	}

	bare, err := http.NewRequest(http.MethodPut, s.URL+"/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, a := crayAsk(t, bare, plain, readers...); status != 201 {
		t.Errorf("the bare path on the service's own host: %d %q", status, a.Detail)
	}
	status, a := s.cray(t, plain, readers...)
	until, err := time.Parse(time.RFC3339, a.Credentials.Expiration)
	if left := time.Until(until); status != 201 || err != nil || left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("a rule of 900 seconds: %d, %v, %s", status, err, left)
	}
	plainKeys := a.Credentials.Keys
	s.NewClient(t).With(plainKeys).Refused("AccessDenied", needAWS1(t), "s3api", "create-bucket", "--bucket", "not-for-readers")
	leaverKeys := s.crayKeys(t, leaver)
	apply(true, "Deny")
	if status, a := s.cray(t, leaver); status != 401 {
		t.Errorf("a disabled user: %d %q", status, a.Detail)
	}
	s.ended(t, leaverKeys)
	if status, a := s.cray(t, plain, readers...); status != 403 {
		t.Errorf("a role that trusts no more: %d %q", status, a.Detail)
	}
	s.ended(t, plainKeys)
}
