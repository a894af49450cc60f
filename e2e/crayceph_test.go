package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// crayKeys are the Credentials of a token service.
type crayKeys struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
	EndpointURL     string
}

func (k crayKeys) keys() Keys { return Keys{k.AccessKeyID, k.SecretAccessKey, k.SessionToken} }

// crayOnCeph is a Daypass before the cluster.
type crayOnCeph struct {
	*Server
	ceph *Ceph
}

func startCrayOnCeph(t *testing.T) *crayOnCeph {
	t.Helper()
	c := StartCeph(t)
	return &crayOnCeph{Start(t, append(WithCeph(t, c, "s3: {default_upstream: ceph}\n"), "--tls")...), c}
}

// serve makes the account's token service one with these lines, whose only rule
// has those, and its role with what the role may do.
func (o *crayOnCeph) serve(t *testing.T, service, rule string, actions ...string) {
	t.Helper()
	_, payload := claims(t, o.userToken(t))
	issuer := payload["iss"].(string)
	provider := issuer[strings.Index(issuer, "://")+3:]
	o.Apply(t, fmt.Sprintf(`roles:
  - account: "%[1]s"
    name: cray-people
    inline_policies:
      all: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: [%[3]s], Resource: "*"}]}
    trust:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Federated: "arn:aws:iam::%[1]s:oidc-provider/%[2]s"}
          Action: ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
          Condition: {StringEquals: {"%[2]s:aud": shasta}}
token_services:
  - account: "%[1]s"
    name: cray
    realms: [shasta]
    audience: [shasta]
%[4]s
    rules:
      - claim: resource_access.shasta.roles
        value: admin
        role: cray-people
%[5]s
`, o.AccountID, provider, `"`+strings.Join(actions, `", "`)+`"`, indented(4, service), indented(8, rule)))
}

func indented(by int, lines string) string {
	blanks := strings.Repeat(" ", by)
	return blanks + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n"+blanks)
}

// put asks for keys, and returns the status and the body.
func (o *crayOnCeph) put(t testing.TB) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, o.URL+"/apis/sts/token", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+o.userToken(t))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// credentials are those of an answer 201.
func (o *crayOnCeph) credentials(t testing.TB) crayKeys {
	t.Helper()
	resp, body := o.put(t)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("got %s, want 201\n%s", resp.Status, body)
	}
	return decode[struct{ Credentials crayKeys }](t, body).Credentials
}

// wantProblem asks for keys that are not to be had.
func (o *crayOnCeph) wantProblem(t testing.TB, status int) {
	t.Helper()
	resp, body := o.put(t)
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode != status || kind != "application/problem+json" {
		t.Fatalf("got %s, %s; want %d, application/problem+json\n%s", resp.Status, kind, status, body)
	}
	problem := decode[struct {
		Title, Detail string
		Status        int
	}](t, body)
	if problem.Status != status || problem.Title == "" || problem.Detail == "" || strings.Contains(body, "<") {
		t.Errorf("an incomplete problem: %s", body)
	}
}

// crayExpiration is the form of Python's isoformat.
var crayExpiration = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$`)

// TestCrayOnCeph is the whole way of a user of a Cray system, from the password
// to artifacts in Ceph, with keys of ours by way of the gateway and with Ceph's
// own: which of them, configuration says.
func TestCrayOnCeph(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	o := startCrayOnCeph(t)
	_, payload := claims(t, o.userToken(t))
	people := o.ceph.trust(t, payload["iss"].(string), "shasta", "cray-people")
	for _, v := range []struct{ name, service, rule, endpoint, ca string }{
		{"own", "keys: own\nendpoint_url: " + o.TLSURL, "duration_seconds: 3600", o.TLSURL, o.CAFile},
		{
			"assume-role", "keys: upstream\nupstream: ceph\nendpoint_url: " + o.ceph.TLSEndpoint,
			"upstream_role: " + o.ceph.RoleARN, o.ceph.TLSEndpoint, o.ceph.CAFile,
		},
		{
			"web-identity", "keys: upstream\nupstream: ceph\nupstream_method: web_identity\nendpoint_url: " + o.ceph.TLSEndpoint,
			"upstream_role: " + people, o.ceph.TLSEndpoint, o.ceph.CAFile,
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			o.serve(t, v.service, v.rule, "s3:*", "daypass:BrokerCredentials")
			k := o.credentials(t)
			if !crayExpiration.MatchString(k.Expiration) || k.EndpointURL != v.endpoint {
				t.Errorf("expiration %q, endpoint %q; want an isoformat, %q", k.Expiration, k.EndpointURL, v.endpoint)
			}
			t.Run("document", func(t *testing.T) { o.artifacts(t, needPython(t, "boto3"), o.byDocument(t), v.ca, "us-east-1", v.name) })
			t.Run("curl", func(t *testing.T) { o.artifacts(t, needPython(t, "boto3"), o.byCurl(t), v.ca, "default", v.name) })
			t.Run("no-region", func(t *testing.T) { o.artifacts(t, needPython(t, "boto3"), k, v.ca, "", v.name) })
			t.Run("craycli", func(t *testing.T) { o.artifacts(t, needOldBoto3(t), k, v.ca, "", v.name) })
		})
	}
}

// byDocument runs the script of the documents, over TLS.
func (o *crayOnCeph) byDocument(t *testing.T) crayKeys {
	t.Helper()
	python := needPython(t, "requests_oauthlib")
	script, err := filepath.Abs("testdata/craykeys.py")
	if err != nil {
		t.Fatal(err)
	}
	c := o.NewClient(t)
	c.Set("REQUESTS_CA_BUNDLE", o.CAFile)
	c.Set("CRAY_PASSWORD", o.Realms["shasta"].Password)
	return decode[crayKeys](t, c.OK(python, script, o.TLSURL, o.Realms["shasta"].Username))
}

// byCurl logs in and asks for keys as the documents do with curl.
func (o *crayOnCeph) byCurl(t *testing.T) crayKeys {
	t.Helper()
	c := o.NewClient(t)
	c.Set("GATEWAY", o.TLSURL)
	c.Set("CA", o.CAFile)
	c.Set("NAME", o.Realms["shasta"].Username)
	c.Set("PASSWORD", o.Realms["shasta"].Password)
	needTool(t, "curl")
	needTool(t, "jq")
	return decode[struct{ Credentials crayKeys }](t, c.OK("sh", "-euc", `
TOKEN=$(curl -sSf --cacert "$CA" -d grant_type=password -d client_id=shasta --data-urlencode "username=$NAME" \
  --data-urlencode "password=$PASSWORD" "$GATEWAY/keycloak/realms/shasta/protocol/openid-connect/token" | jq -r .access_token)
curl -sSf --cacert "$CA" -X PUT -H "Authorization: Bearer $TOKEN" "$GATEWAY/apis/sts/token"
`)).Credentials
}

// artifacts does what craycli does, with a Python's boto3 that signs for a region.
func (o *crayOnCeph) artifacts(t *testing.T, python string, k crayKeys, ca, region, kind string) {
	t.Helper()
	bucket := "artifacts-" + kind + "-" + t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
	if out := o.craycli(t, python, k, ca, bucket, region); out != "" {
		t.Error(out)
	}
}

func (o *crayOnCeph) craycli(t *testing.T, python string, k crayKeys, ca string, args ...string) string {
	t.Helper()
	script, err := filepath.Abs("testdata/craycli.py")
	if err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	c := o.NewClient(t)
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"} {
		c.Set(name, "")
	}
	c.Set("AWS_CA_BUNDLE", ca)
	if k.EndpointURL == o.ceph.TLSEndpoint {
		// Newer SDKs put a checksum behind every body, which this generation of
		// Ceph does not know.
		c.Set("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
	}
	file := c.Write("credentials.json", string(input))
	return c.OK("sh", append([]string{"-c", `file=$1; shift; exec "$@" <"$file"`, "sh", file, python, script}, args...)...)
}

// needOldBoto3 is a Python with the boto3 that craycli demands, which takes
// region_name="".
func needOldBoto3(t *testing.T) string {
	t.Helper()
	python, err := filepath.Abs("../.clients/craycli/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		missing(t, "a boto3 before 1.24")
	}
	return python
}

// TestCrayBrokerBounds: what our role and rule say binds keys that Ceph made.
func TestCrayBrokerBounds(t *testing.T) {
	t.Parallel()
	o := startCrayOnCeph(t)
	service := "keys: upstream\nupstream: ceph\nendpoint_url: " + o.ceph.Endpoint
	rule := "upstream_role: " + o.ceph.RoleARN
	all := []string{"s3:*", "daypass:BrokerCredentials"}
	const bucket = "cray-bounds"
	if _, err := o.ceph.S3(o.ceph.Keys()).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	write := func(k crayKeys, key string) error {
		_, err := o.ceph.S3(k.keys()).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader("x")})
		return err
	}

	t.Run("session policy", func(t *testing.T) {
		o.serve(t, service, rule+`
session_policy:
  Version: "2012-10-17"
  Statement:
    - {Effect: Allow, Action: "s3:PutObject", Resource: "arn:aws:s3:::`+bucket+`/${aws:SourceIdentity}/*"}`, all...)
		_, payload := claims(t, o.userToken(t))
		k := o.credentials(t)
		if err := write(k, payload["sub"].(string)+"/mine"); err != nil {
			t.Errorf("below the own name: %v", err)
		}
		wantForbidden(t, "below another name", write(k, "somebody/else"))
	})

	t.Run("not a broker", func(t *testing.T) {
		o.serve(t, service, rule, "s3:*")
		o.wantProblem(t, http.StatusForbidden)
	})

	t.Run("no such role", func(t *testing.T) {
		o.serve(t, service, rule+"-nowhere", all...)
		o.wantProblem(t, http.StatusBadGateway)
		await(t, "the role in the log", func() bool { return strings.Contains(o.Log(), o.ceph.RoleARN+"-nowhere") })
	})

	t.Run("expired", func(t *testing.T) {
		o.serve(t, service, rule+"\nduration_seconds: 3", all...)
		k := o.credentials(t)
		if err := write(k, "in-time"); err != nil {
			t.Fatal(err)
		}
		until, err := time.Parse("2006-01-02T15:04:05.999999-07:00", k.Expiration)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(until) + time.Second)
		wantForbidden(t, "expired keys", write(k, "too-late"))
		if err := write(o.credentials(t), "again"); err != nil {
			t.Errorf("new keys: %v", err)
		}
	})
}

// TestCrayWithoutCeph takes Ceph's gateway away and brings it back.
func TestCrayWithoutCeph(t *testing.T) {
	o := startCrayOnCeph(t)
	service := "keys: upstream\nupstream: ceph\nendpoint_url: " + o.ceph.Endpoint
	o.serve(t, service, "upstream_role: "+o.ceph.RoleARN, "s3:*", "daypass:BrokerCredentials")
	o.ceph.StopGateway(t)
	o.wantProblem(t, http.StatusServiceUnavailable)
	o.serve(t, "keys: own", "duration_seconds: 900", "s3:*")
	if k := o.credentials(t); k.EndpointURL != o.URL {
		t.Errorf("own keys are for %q, want %q", k.EndpointURL, o.URL)
	}
	o.serve(t, service, "upstream_role: "+o.ceph.RoleARN, "s3:*", "daypass:BrokerCredentials")
	o.ceph.StartGateway(t)
	deadline := time.Now().Add(startTimeout)
	for {
		resp, body := o.put(t)
		if resp.StatusCode == http.StatusCreated {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("Ceph is back for %s: %s\n%s", startTimeout, resp.Status, body)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
