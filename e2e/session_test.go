package e2e

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// AssumeRoot exchanges a root user's token for session keys of a lifetime in
// seconds, 0 for the default.
func (s *Server) AssumeRoot(t testing.TB, account, token string, seconds int) Keys {
	t.Helper()
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleSessionName": {"rootSession"},
		"RoleArn": {"arn:" + s.Partition + ":iam::" + account + ":root"}, "WebIdentityToken": {token},
	}
	if seconds > 0 {
		form.Set("DurationSeconds", strconv.Itoa(seconds))
	}
	r, err := http.PostForm(s.URL, form)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Result struct{ Credentials Keys } `xml:"AssumeRoleWithWebIdentityResult"`
	}
	// The field AccessKeyID is AccessKeyId on the wire.
	text := strings.ReplaceAll(string(body), "AccessKeyId>", "AccessKeyID>")
	if err := xml.Unmarshal([]byte(text), &answer); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("AssumeRoleWithWebIdentity: %s %v\n%s", r.Status, err, body)
	}
	return answer.Result.Credentials
}

// Call is one call of boto3, by its Python names.
type Call struct {
	Keys    Keys           `json:"keys"`
	Service string         `json:"service"`
	Call    string         `json:"call"`
	With    map[string]any `json:"with,omitempty"`
}

// Answer is what came of a Call: a code, "" for success.
type Answer struct {
	Code    string         `json:"code"`
	Status  int            `json:"status"`
	Message string         `json:"message"`
	Answer  map[string]any `json:"answer"`
}

// Boto3 makes calls, in order, in one Python process.
func (c *Client) Boto3(calls []Call) []Answer {
	c.t.Helper()
	python := needPython(c.t, "boto3")
	input, err := json.Marshal(calls)
	if err != nil {
		c.t.Fatal(err)
	}
	script, err := filepath.Abs(clientsScript)
	if err != nil {
		c.t.Fatal(err)
	}
	file := c.Write("calls.json", string(input))
	got := decode[[]Answer](c.t, c.OK("sh", "-c", `exec "$0" "$1" calls <"$2"`, python, script, file))
	if len(got) != len(calls) {
		c.t.Fatalf("%d answers to %d calls", len(got), len(calls))
	}
	return got
}

// RootSession is a session of the demo account's root user.
func (s *Server) RootSession(t testing.TB) Keys {
	t.Helper()
	return s.AssumeRoot(t, s.AccountID, s.RootToken(t), 0)
}

// RootKeys are the demo root's long-term keys.
func (s *Server) RootKeys() Keys {
	return Keys{AccessKeyID: s.Root.AccessKeyID, SecretAccessKey: s.Root.SecretAccessKey}
}
