package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// npmIssuer is oidc-provider from npm behind TLS.
type npmIssuer struct {
	URL    string
	CA     string // PEM
	client *http.Client
}

func startNPMIssuer(t *testing.T) *npmIssuer {
	t.Helper()
	module, err := filepath.Abs("../.clients/node/node_modules/oidc-provider")
	if err != nil {
		t.Fatal(err)
	}
	node, nodeErr := exec.LookPath("node")
	if _, err := os.Stat(module); err != nil || nodeErr != nil {
		t.Skip("oidc-provider is not installed: scripts/install.sh gets it from npm")
	}
	var inner atomic.Pointer[url.URL]
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner.Load())
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-Proto", "https")
	}}
	server := httptest.NewTLSServer(proxy)
	t.Cleanup(server.Close)
	cmd := exec.Command(node, "testdata/oidcprovider.mjs")
	cmd.Env = append(os.Environ(), "ISSUER="+server.URL, "OIDC_PROVIDER="+module)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	port := regexp.MustCompile(`^\d+$`)
	for lines.Scan() && !port.MatchString(lines.Text()) {
	}
	if !port.MatchString(lines.Text()) {
		t.Fatal("oidc-provider did not start")
	}
	go io.Copy(io.Discard, stdout)
	inner.Store(&url.URL{Scheme: "http", Host: "127.0.0.1:" + lines.Text()})
	i := &npmIssuer{URL: server.URL, client: server.Client()}
	i.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	i.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return i
}

// IDToken logs somebody in by the authorization code flow with PKCE, through
// the issuer's own pages.
func (i *npmIssuer) IDToken(t *testing.T, login string) string {
	t.Helper()
	jar, err := cookiejar.New(nil) // each log-in is a browser's first
	if err != nil {
		t.Fatal(err)
	}
	i.client.Jar = jar
	const callback, verifier = "https://app.example.org/callback", "a-verifier-that-is-long-enough-for-rfc-7636-indeed"
	sum := sha256.Sum256([]byte(verifier))
	at := i.URL + "/auth?" + url.Values{
		"client_id": {"console"}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	ask := func(r *http.Response, err error) (to, text string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode >= 400 {
			t.Fatalf("%s: %s: %.400s", r.Request.URL, r.Status, body)
		}
		if next, err := r.Location(); err == nil {
			to = next.String()
		}
		return to, string(body)
	}
	for step := 0; !strings.HasPrefix(at, callback); step++ {
		if step == 12 {
			t.Fatal("the log-in does not end")
		}
		page := at
		to, text := ask(i.client.Get(page))
		if to == "" {
			form := url.Values{"prompt": {"login"}, "login": {login}, "password": {"any"}}
			if strings.Contains(text, `value="consent"`) {
				form = url.Values{"prompt": {"consent"}}
			}
			to, _ = ask(i.client.PostForm(page, form))
		}
		at = to
	}
	back, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	r, err := i.client.PostForm(i.URL+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
		"client_id": {"console"}, "client_secret": {"not-a-secret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var out struct {
		IDToken string `json:"id_token"`
		Error   string `json:"error_description"`
	}
	if err := json.NewDecoder(r.Body).Decode(&out); err != nil || out.IDToken == "" {
		t.Fatalf("token: %v, %+v, %s", err, out, at)
	}
	return out.IDToken
}

// TestNPMIssuer: a real provider of somebody else. Its ID token takes a role by
// environment variables alone; subject and groups decide who may.
func TestNPMIssuer(t *testing.T) {
	t.Parallel()
	path := needAWS1(t)
	issuer := startNPMIssuer(t)
	host := strings.TrimPrefix(issuer.URL, "https://")
	s := StartWith(t, []string{"DAYPASS_EGRESS_EXEMPT=" + host})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(issuer.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	role := func(name, group string) string {
		return fmt.Sprintf("  - {account: %q, name: %s, managed_policies: [%q], trust: {Version: \"2012-10-17\", Statement: [{Effect: Allow, "+
			"Principal: {Federated: \"arn:%s:iam::%s:oidc-provider/%s\"}, Action: [\"sts:AssumeRoleWithWebIdentity\", \"sts:TagSession\"], "+
			"Condition: {StringEquals: {\"%s:sub\": ann}, \"ForAnyValue:StringEquals\": {\"%s:groups\": %s}}}]}}\n",
			s.AccountID, name, readOnlyARN, s.Partition, s.AccountID, host, host, host, group)
	}
	s.Apply(t, fmt.Sprintf("providers:\n  - {account: %q, url: %q, client_ids: [console], ca_bundle: {file: %q}}\nroles:\n", s.AccountID, issuer.URL, ca)+
		role("storage", "storage")+role("admins", "admins"))
	token := issuer.IDToken(t, "ann")
	c, _ := s.platform(t, "storage", token)
	want := "arn:" + s.Partition + ":sts::" + s.AccountID + ":assumed-role/storage/job-1"
	if got := decode[struct{ Arn string }](t, c.OK(path, "sts", "get-caller-identity")).Arn; got != want {
		t.Errorf("ann is %s, want %s", got, want)
	}
	c.OK(path, "s3", "ls")
	c, _ = s.platform(t, "admins", token) // a group that she is not in
	c.Refused("AccessDenied", path, "sts", "get-caller-identity")
	c, _ = s.platform(t, "storage", issuer.IDToken(t, "bob"))
	c.Refused("AccessDenied", path, "sts", "get-caller-identity")
}
