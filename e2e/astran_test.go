package e2e

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const testDomain = "daypass.test"

// TestAstran walks the document's own words, from curl to the third bucket.
func TestAstran(t *testing.T) {
	t.Parallel()
	const uuid = "0f5e1c2a-1111-4222-8333-444455556666"
	for _, v := range []struct {
		name, partition, account string
		tls                      bool
	}{
		{"aws and 12 digits", "aws", "123456789012", false},
		{"demo and a UUID", "demo", uuid, false},
		{"hosts of the page's shape over TLS", "demo", uuid, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			needAWS1(t)
			needTool(t, "curl")
			needTool(t, "jq")
			args := []string{"--partition", v.partition, "--account-id", v.account}
			var s *Server
			if v.tls {
				s = StartWith(t, []string{"DAYPASS_BASE_DOMAINS=" + testDomain, "DAYPASS_EXTERNAL_URL=https://idp." + testDomain}, append(args, "--tls")...)
			} else {
				s = Start(t, args...)
			}
			if s.Partition != v.partition || s.AccountID != v.account {
				t.Errorf("the ready file says %s and %s", s.Partition, s.AccountID)
			}
			c, base := s.NewClient(t), s.URL
			if v.tls {
				base = "https://idp." + testDomain
				pageHosts(t, s, c)
			}
			walk(t, s, c, base)
			if v.tls {
				for _, host := range []string{"idp.", "demo.sts.", "demo.iam.", "demo.s3."} {
					if !strings.Contains(s.Log(), "host="+host+testDomain+" ") {
						t.Errorf("no request for %s%s was logged", host, testDomain)
					}
				}
			}
		})
	}
}

// pageHosts makes a client use hosts like demo.s3.<domain>, by TLS, which a
// proxy of the client's leads to the server.
func pageHosts(t *testing.T, s *Server, c *Client) {
	c.Set("HTTPS_PROXY", connectProxy(t, strings.TrimPrefix(s.TLSURL, "https://")))
	c.Set("AWS_CA_BUNDLE", s.CAFile)
	c.Set("CURL_CA_BUNDLE", s.CAFile)
	c.Set("AWS_ENDPOINT_URL", "")
	for _, service := range []string{"s3", "iam", "sts"} {
		c.Set("AWS_ENDPOINT_URL_"+strings.ToUpper(service), "https://demo."+service+"."+testDomain)
	}
}

// connectProxy is a proxy that answers CONNECT to whatever host with a tunnel
// to one address.
func connectProxy(t *testing.T, address string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || !strings.HasSuffix(r.Host, "."+testDomain+":443") {
			http.Error(w, "not for this proxy", http.StatusForbidden)
			return
		}
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer upstream.Close()
		w.WriteHeader(http.StatusOK)
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		go func() {
			io.Copy(upstream, buffered)
			upstream.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(client, upstream)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String()
}

type webIdentityAnswer struct {
	Credentials struct {
		Keys
		Expiration string
	}
	SubjectFromWebIdentityToken, Provider, Audience, SourceIdentity string
	AssumedRoleUser                                                 struct {
		AssumedRoleID string `json:"AssumedRoleId"`
		Arn           string
	}
	PackedPolicySize int
}

// walk runs the script and compares every value that the page shows.
func walk(t *testing.T, s *Server, c *Client, base string) {
	script, err := filepath.Abs("testdata/astran.sh")
	if err != nil {
		t.Fatal(err)
	}
	tokenURL := base + "/auth/realms/root-accounts/protocol/openid-connect/token"
	c.Set("IDP_URL", tokenURL)
	c.Set("IDP_CLIENT_ID", s.Realms["root-accounts"].ClientID)
	c.Set("LOGIN", s.Root.Email)
	c.Set("LOGIN_PASSWORD", s.Root.Password)
	r := c.Run("bash", script)
	if r.Code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r.Stderr != "" {
		t.Errorf("something complained: %s", r.Stderr)
	}
	if want := "make_bucket: tutorial\nmake_bucket: tutorial2\nmake_bucket: tutorial3\n"; r.Stdout != want {
		t.Errorf("printed %q, want %q", r.Stdout, want)
	}
	checkToken(t, c.Read("token.json"), decode[map[string]any](t, c.Read("claims.json")), s, base)

	got := decode[webIdentityAnswer](t, c.Read("session.json"))
	host := base[strings.Index(base, "://")+3:]
	want := got
	want.SubjectFromWebIdentityToken = s.AccountID
	want.Provider = tokenURL
	want.Audience = "root-client"
	want.SourceIdentity = "arn:" + s.Partition + ":iam::" + s.AccountID + ":oidc-provider/" + host + "/auth/realms/root-accounts"
	want.AssumedRoleUser.AssumedRoleID = "root"
	want.AssumedRoleUser.Arn = s.RootARN()
	if got != want {
		t.Errorf("session:\ngot  %+v\nwant %+v", got, want)
	}
	match(t, "access key ID", got.Credentials.AccessKeyID, `^ASIA[A-Z2-7]{16}$`)
	lifetime(t, got.Credentials.Expiration, time.Hour)

	identity := decode[struct{ UserID, Account, Arn string }](t, strings.Replace(c.Read("identity.json"), "UserId", "UserID", 1))
	if identity.Account != s.AccountID || identity.Arn != s.RootARN() {
		t.Errorf("get-caller-identity: %+v", identity)
	}
	key := decode[struct {
		AccessKey struct {
			Keys
			UserName, Status, CreateDate string
		}
	}](t, c.Read("key.json")).AccessKey
	match(t, "permanent key ID", key.AccessKeyID, `^AKIA[A-Z2-7]{16}$`)
	if key.UserName != "root" || key.Status != "Active" || key.SessionToken != "" {
		t.Errorf("create-access-key: user %q, status %q", key.UserName, key.Status)
	}
	match(t, "buckets", c.Read("buckets.txt"), `^\S+ \S+ tutorial\n\S+ \S+ tutorial2\n\S+ \S+ tutorial3\n$`)
}

func checkToken(t *testing.T, answer string, claims map[string]any, s *Server, base string) {
	t.Helper()
	token := decode[map[string]any](t, answer)
	for name, want := range map[string]any{
		"expires_in": 300.0, "refresh_expires_in": 1800.0, "token_type": "Bearer", "not-before-policy": 0.0, "scope": "email",
		"session_state": claims["session_state"],
	} {
		if token[name] != want {
			t.Errorf("token answer: %s is %v, want %v", name, token[name], want)
		}
	}
	for name, want := range map[string]any{
		"iss": base + "/auth/realms/root-accounts", "aud": "root-client", "azp": "root-client", "sub": s.AccountID, "typ": "Bearer",
		"acr": "1", "scope": "email", "email": s.Root.Email, "email_verified": true, "sid": claims["session_state"],
	} {
		if claims[name] != want {
			t.Errorf("claims: %s is %v, want %v", name, claims[name], want)
		}
	}
}

func match(t *testing.T, what, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(got) {
		t.Errorf("%s %q does not match %s", what, got, pattern)
	}
}

// lifetime checks an expiry against the clock, with a minute for slow machines.
func lifetime(t *testing.T, expiration string, want time.Duration) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, expiration)
	if err != nil {
		t.Error(err)
		return
	}
	if left := time.Until(at); left > want || left < want-time.Minute {
		t.Errorf("it lives for another %s, want %s", left, want)
	}
}

// logIn returns the access token of a password log-in.
func logIn(t testing.TB, tokenURL, client, username, password string) string {
	t.Helper()
	r, err := http.PostForm(tokenURL, url.Values{"client_id": {client}, "grant_type": {"password"}, "username": {username}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusOK {
		t.Fatalf("log-in: %s\n%s", r.Status, body)
	}
	return decode[map[string]any](t, string(body))["access_token"].(string)
}

// RootToken logs the demo account's root user in.
func (s *Server) RootToken(t testing.TB) string {
	t.Helper()
	return logIn(t, s.TokenURL("root-accounts"), s.Realms["root-accounts"].ClientID, s.Root.Email, s.Root.Password)
}

// TestExpiredWebIdentity lets the realm's token run out before it is used: the
// CLIs must say so, in the words people search for.
func TestExpiredWebIdentity(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Apply(t, `realms:
  - name: root-accounts
    access_token_seconds: 1
    scope: email
    clients: [{id: root-client, public: true, grants: [password, refresh_token]}]
`)
	c := s.NewClient(t)
	token := s.RootToken(t)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(time.Unix(int64(decode[map[string]any](t, string(payload))["exp"].(float64)), 0)) + 20*time.Millisecond)
	args := []string{
		"sts", "assume-role-with-web-identity", "--endpoint-url", s.URL,
		"--role-arn", s.RootARN(), "--role-session-name", "rootSession", "--web-identity-token", token,
	}
	const plain = "\nAn error occurred (ExpiredToken) when calling the AssumeRoleWithWebIdentity operation: Token is expired\n"
	const standard = "\nAn error occurred (ExpiredToken) when calling the AssumeRoleWithWebIdentity operation (reached max retries: 0): Token is expired\n"
	expect := func(t *testing.T, c *Client, aws, want string) {
		t.Helper()
		if r := c.Run(aws, args...); r.Code == 0 || r.Stderr != want {
			t.Errorf("exit code %d\ngot  %q\nwant %q", r.Code, r.Stderr, want)
		}
	}
	t.Run("v1", func(t *testing.T) {
		aws := needAWS1(t)
		expect(t, c, aws, plain)
		once := c.With(Keys{})
		once.Set("AWS_RETRY_MODE", "standard")
		once.Set("AWS_MAX_ATTEMPTS", "1")
		expect(t, once, aws, standard)
	})
	t.Run("v2", func(t *testing.T) { expect(t, c, needAWS2(t), plain) })
}

// TestClaimsDecode checks that the page's way to look into a token prints
// clean, whatever the e-mail is: base64 knows no URL alphabet and no missing
// padding.
func TestClaimsDecode(t *testing.T) {
	t.Parallel()
	needTool(t, "base64")
	s := Start(t)
	c := s.NewClient(t)
	var site strings.Builder
	site.WriteString("accounts:\n")
	emails := []string{"a~b@example.com", "aa~bb@example.com", "aaa~~~c@example.com", "what?ever??@example.com", "x?@example.com", "zoë@example.com"}
	for i, e := range emails {
		site.WriteString("  - {id: \"11112222333" + string(rune('0'+i)) + "\", root: {email: \"" + e + "\", password: Right-horse-77-battery}}\n")
	}
	s.Apply(t, site.String())
	for _, e := range emails {
		token := logIn(t, s.TokenURL("root-accounts"), "root-client", e, "Right-horse-77-battery")
		c.Set("ACCESS_TOKEN", token)
		r := c.Run("sh", "-c", `echo "$ACCESS_TOKEN" | cut -d'.' -f2 | base64 --decode`)
		if r.Code != 0 || r.Stderr != "" {
			t.Errorf("%s: exit code %d, %q", e, r.Code, r.Stderr)
		}
		if got := decode[map[string]any](t, r.Stdout)["email"]; got != e {
			t.Errorf("email %v, want %v", got, e)
		}
	}
}

// TestPastedLines runs the lines that a newcomer is told to paste.
func TestPastedLines(t *testing.T) {
	t.Parallel()
	needTool(t, "curl")
	needTool(t, "jq")
	s := Start(t)
	_, lines, found := strings.Cut(s.Printed.String(), "Paste:\n")
	if !found {
		t.Fatalf("nothing to paste in %q", &s.Printed)
	}
	for _, v := range []struct {
		name string
		need func(testing.TB) string
	}{{"v1", needAWS1}, {"v2", needAWS2}} {
		t.Run(v.name, func(t *testing.T) {
			c := s.NewClient(t)
			c.Set("PATH", filepath.Dir(v.need(t))+string(filepath.ListSeparator)+c.env["PATH"])
			// A second visitor makes another bucket, and the root user has one free slot for a key.
			lines := strings.NewReplacer("s3://tutorial", "s3://tutorial-"+v.name, "s3://cray-demo", "s3://cray-demo-"+v.name).Replace(lines)
			if v.name != "v1" {
				lines = strings.ReplaceAll(lines, "iam create-access-key", "iam list-access-keys")
			}
			out := c.OK("bash", "-euo", "pipefail", "-c", lines)
			for _, want := range []string{`"email":"` + s.Root.Email + `"`, s.RootARN(), "make_bucket: tutorial-" + v.name, "make_bucket: cray-demo-" + v.name, `"AccessKeyId": "AKIA`, "\na data key\n"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %s in what was printed:\n%s", want, out)
				}
			}
		})
	}
}
