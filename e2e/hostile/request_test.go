package hostile

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"daypass/internal/sigv4"
)

// keys sign requests; the zero value does not.
type keys = sigv4.Credentials

func (r *rig) rootKeys() keys {
	f := r.facts()
	return keys{AccessKeyID: f.Root.AccessKeyID, SecretAccessKey: f.Root.Secret}
}

// call is one request.
type call struct {
	method  string // GET when ""
	target  string // path and query
	host    string // the server's address when ""
	header  [][2]string
	body    string
	keys    keys
	service string // signs for it; "" for s3
	region  string // us-east-1 when ""
	payload string // x-amz-content-sha256 when signed for s3; "" hashes the body
	presign time.Duration
	at      time.Time // of the signature; zero for now
	after   func(*http.Request)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is the error code in whatever envelope the answer has, "" for none.
func (a answer) code() string {
	var e struct {
		XMLName xml.Name
		Code    string `xml:"Code"`
		Inner   string `xml:"Error>Code"`
	}
	if xml.Unmarshal(a.body, &e) == nil && (e.XMLName.Local == "Error" || e.XMLName.Local == "ErrorResponse") {
		return e.Code + e.Inner
	}
	if kind := a.header.Get("X-Amzn-Errortype"); kind != "" {
		code, _, _ := strings.Cut(kind, ":")
		return code
	}
	var j struct {
		Error  string `json:"error"`
		Type   string `json:"__type"`
		IBM    string `json:"errorCode"`
		Errors []struct {
			Number string `json:"message_code"`
		}
	}
	if json.Unmarshal(a.body, &j) == nil {
		for _, e := range j.Errors {
			j.IBM += e.Number
		}
		return j.Error + j.Type + j.IBM
	}
	return ""
}

// envelope says in which form an error came: s3, sts, iam, json, problem, oidc, or "".
func (a answer) envelope() string {
	body := string(a.body)
	switch {
	case strings.Contains(body, "<ErrorResponse xmlns=\"https://sts."):
		return "sts"
	case strings.Contains(body, "<ErrorResponse xmlns=\"https://iam."):
		return "iam"
	case strings.Contains(body, "<ErrorResponse xmlns=\"http://webservices.amazon.com/AWSFault/"):
		return "fault"
	case strings.Contains(body, "<Error><Code>"):
		return "s3"
	case a.header.Get("Content-Type") == "application/problem+json":
		return "problem"
	case strings.HasPrefix(body, `{"__type"`):
		return "json"
	case strings.HasPrefix(body, "{"):
		return "oidc"
	}
	return ""
}

func (a answer) String() string {
	return fmt.Sprintf("%d %s", a.status, a.body[:min(len(a.body), 600)])
}

// between cuts the text of the first XML element of a name out.
func (a answer) between(name string) string {
	_, rest, _ := strings.Cut(string(a.body), "<"+name+">")
	text, _, ok := strings.Cut(rest, "</"+name+">")
	if !ok {
		return ""
	}
	var plain string
	if xml.Unmarshal([]byte("<a>"+text+"</a>"), &plain) != nil {
		return text
	}
	return plain
}

// request makes and signs the request of a call.
func (r *rig) request(c call) (*http.Request, error) {
	base := r.facts().URL
	method := c.method
	if method == "" {
		method = http.MethodGet
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(c.target, "?")
	u.Opaque, u.RawQuery = path, query
	if strings.HasPrefix(path, "//") { // net/http would take it for an authority
		if u.Path, err = url.PathUnescape(path); err != nil {
			return nil, err
		}
		u.Opaque, u.RawPath = "", path
	}
	q, err := http.NewRequest(method, base, body)
	if err != nil {
		return nil, err
	}
	q.URL = u
	if c.host != "" {
		q.Host = c.host
	}
	for _, h := range c.header {
		q.Header.Add(h[0], h[1])
	}
	if c.keys.AccessKeyID == "" {
		return q, nil
	}
	r.secret("a secret access key", c.keys.SecretAccessKey)
	r.secret("a session token", c.keys.SessionToken)
	service, region, at := c.service, c.region, c.at
	if service == "" {
		service = "s3"
	}
	if region == "" {
		region = "us-east-1"
	}
	if at.IsZero() {
		at = time.Now()
	}
	if c.presign > 0 {
		err = sigv4.Presign(q, c.keys, region, service, c.presign, at)
	} else {
		payload := c.payload
		if payload == "" {
			payload = sha256Hex(c.body)
		}
		err = sigv4.Sign(q, c.keys, region, service, payload, at)
	}
	if c.after != nil {
		c.after(q)
	}
	return q, err
}

// try sends a call; failing to get an answer is an error.
func (r *rig) try(c call) (answer, error) {
	q, err := r.request(c)
	if err != nil {
		return answer{}, err
	}
	resp, err := r.client.Do(q)
	if err != nil {
		return answer{}, err
	}
	return read(resp)
}

func read(resp *http.Response) (answer, error) {
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

// do sends a call that must be answered.
func (r *rig) do(c call) answer {
	r.t.Helper()
	a, err := r.try(c)
	if err != nil {
		r.t.Fatalf("%s %s: %v", c.method, c.target, err)
	}
	return a
}

// must is do for a call that must succeed.
func (r *rig) must(c call) answer {
	r.t.Helper()
	a := r.do(c)
	if a.status >= 300 {
		r.t.Fatalf("%s %s: %s", c.method, c.target, a)
	}
	return a
}

// query is a call of STS or IAM.
func query(service string, k keys, parameters ...string) call {
	v := url.Values{"Version": {map[string]string{"sts": "2011-06-15", "iam": "2010-05-08"}[service]}}
	for i := 0; i < len(parameters); i += 2 {
		v.Set(parameters[i], parameters[i+1])
	}
	return call{method: "POST", target: "/", body: v.Encode(), keys: k, service: service, header: formHeader()}
}

func formHeader() [][2]string {
	return [][2]string{{"Content-Type", "application/x-www-form-urlencoded"}}
}

// realmCall is a POST to an endpoint of a realm.
func realmCall(realm, endpoint string, parameters ...string) call {
	v := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		v.Set(parameters[i], parameters[i+1])
	}
	return call{method: "POST", target: "/auth/realms/" + realm + "/protocol/openid-connect/" + endpoint, body: v.Encode(), header: formHeader()}
}

// tokenSet is the answer of a realm's token endpoint.
type tokenSet struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Session string `json:"session_state"`
}

func (r *rig) logIn(realm, client, username, password string) tokenSet {
	r.t.Helper()
	set := tokensOf(r.t, r.must(realmCall(realm, "token", "grant_type", "password", "client_id", client, "username", username, "password", password)))
	r.secret("an access token", set.Access)
	r.secret("a refresh token", set.Refresh)
	return set
}

func tokensOf(t testing.TB, a answer) (set tokenSet) {
	t.Helper()
	if err := json.Unmarshal(a.body, &set); err != nil || set.Access == "" {
		t.Fatalf("no tokens: %v, %s", err, a)
	}
	return set
}

func (r *rig) rootTokens() tokenSet {
	r.t.Helper()
	f := r.facts()
	return r.logIn("root-accounts", "root-client", f.Root.Email, f.Root.Password)
}

func (r *rig) shastaTokens() tokenSet {
	r.t.Helper()
	u := r.facts().Realms["shasta"]
	return r.logIn("shasta", "shasta", u.Username, u.Password)
}

func webIdentity(arn, token string, more ...string) call {
	return query("sts", keys{}, append([]string{
		"Action", "AssumeRoleWithWebIdentity", "RoleArn", arn, "RoleSessionName", "session", "WebIdentityToken", token,
	}, more...)...)
}

func keysOf(a answer) keys {
	return keys{AccessKeyID: a.between("AccessKeyId"), SecretAccessKey: a.between("SecretAccessKey"), SessionToken: a.between("SessionToken")}
}

func (r *rig) exchange(arn, token string, more ...string) keys {
	r.t.Helper()
	k := keysOf(r.must(webIdentity(arn, token, more...)))
	if !strings.HasPrefix(k.AccessKeyID, "ASIA") || k.SessionToken == "" {
		r.t.Fatalf("no session keys: %v", k)
	}
	return k
}

func rootARN(account string) string { return "arn:aws:iam::" + account + ":root" }
func roleARN(account, name string) string {
	return "arn:aws:iam::" + account + ":role/" + name
}

func (r *rig) rootSession() keys {
	r.t.Helper()
	return r.exchange(rootARN(r.facts().AccountID), r.rootTokens().Access)
}

func (r *rig) roleSession() keys {
	r.t.Helper()
	return r.exchange(roleARN(r.facts().AccountID, "shasta-admin"), r.shastaTokens().Access)
}

// otherRoot adds the second account and returns its root's session keys.
func (r *rig) otherRoot() keys {
	r.t.Helper()
	r.apply(secondSite)
	return r.exchange(rootARN(accountB), r.logIn("root-accounts", "root-client", "other@example.com", "other-password-1").Access)
}

// raw sends bytes over a connection of its own and returns the answers to them,
// at most n; with cut it ends its side first.
func (r *rig) raw(text string, n int, cut bool) ([]answer, error) {
	u, err := url.Parse(r.facts().URL)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "$HOST", u.Host)); err != nil {
		return nil, err
	}
	if cut {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			return nil, err
		}
	}
	in := bufio.NewReader(c)
	var out []answer
	for range n {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return out, err
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return out, err
		}
		out = append(out, answer{resp.StatusCode, resp.Header, b})
		c.SetDeadline(time.Now().Add(500 * time.Millisecond)) // for what should not come
	}
	return out, nil
}

// list returns every key in a bucket, page by page.
func (r *rig) list(k keys, bucket string) map[string]int64 {
	r.t.Helper()
	out := map[string]int64{}
	for token := ""; ; {
		target := "/" + bucket + "?list-type=2"
		if token != "" {
			target += "&continuation-token=" + url.QueryEscape(token)
		}
		var page struct {
			Contents []struct {
				Key  string
				Size int64
			}
			NextContinuationToken string
		}
		a := r.must(call{target: target, keys: k})
		if err := xml.Unmarshal(a.body, &page); err != nil {
			r.t.Fatal(err)
		}
		for _, o := range page.Contents {
			out[o.Key] = o.Size
		}
		if token = page.NextContinuationToken; token == "" {
			return out
		}
	}
}

// metrics reads one figure of the admin listener.
func (r *rig) metric(name string) float64 {
	r.t.Helper()
	resp, err := r.client.Get(r.facts().AdminURL + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				r.t.Fatal(err)
			}
			return v
		}
	}
	r.t.Fatalf("no metric %s", name)
	return 0
}

// eventually waits for something that needs a moment.
func eventually(t testing.TB, most time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s", what, most)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// foreignEnviron is the environment without settings of ours.
func foreignEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "DAYPASS_") })
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
