package server

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"daypass/internal/identity"
)

func testHosts() *Hosts {
	return NewHosts([]string{"x.test", "s3.only.test"}, func(alias string) (string, bool) {
		if alias == "demo" {
			return "111", true
		}
		return "", false
	})
}

// ownHost is that of a token service.
func ownHost(host string) bool { return host == "sts.cray.test" }

func signedFor(service string) string {
	return "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/" + service + "/aws4_request, SignedHeaders=host, Signature=00"
}

// request makes a request as the server would read it: "METHOD target", host,
// headers as "Name: value", and a body.
func request(t *testing.T, line, host, body string, headers ...string) *http.Request {
	t.Helper()
	raw := line + " HTTP/1.1\r\nHost: " + host + "\r\n"
	if body != "" {
		raw += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	for _, h := range headers {
		raw += h + "\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw + "\r\n" + body)))
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return r
}

const (
	formHeader    = "Content-Type: application/x-www-form-urlencoded; charset=utf-8"
	webIdentity   = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
	listUsers     = "Action=ListUsers&Version=2010-05-08"
	presignedSTS  = "X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fsts%2Faws4_request"
	presignedS3   = "X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
	realmTokenURL = "/auth/realms/r/protocol/openid-connect/token"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	sts, iam, s3 := "Authorization: "+signedFor("sts"), "Authorization: "+signedFor("iam"), "Authorization: "+signedFor("s3")
	for _, tc := range []struct {
		name, line, host, body string
		headers                []string
		want                   string // service, or "!service" when refused in its envelope
	}{
		{"nothing at all", "GET /", "127.0.0.1:8080", "", nil, "s3"},
		{"signed list of buckets", "GET /", "h", "", []string{s3}, "s3"},
		{"object", "GET /b/k", "h", "", []string{s3}, "s3"},
		{"object, unsigned", "GET /b/k", "h", "", nil, "s3"},
		{"object, presigned", "GET /b/k?" + presignedS3, "h", "", nil, "s3"},
		{"preflight", "OPTIONS /b/k", "h", "", nil, "s3"},
		{"action in an object's query is the object's", "GET /b/k?Action=AssumeRole", "h", "", []string{s3}, "s3"},
		{"form posted to a bucket is not read", "POST /b", "h", webIdentity, []string{formHeader}, "s3"},

		{"issuer of an identity pool", "GET /identity_pool/us-east-1:0a1b2c3d-1111-4222-8333-444455556666/.well-known/jwks.json", "h", "", nil, "cognito-pool"},
		{"a bucket that looks like it", "GET /identity-pool/us-east-1:0a1b/.well-known/jwks.json", "h", "", nil, "s3"},

		{"sts by action, unsigned", "POST /", "h", webIdentity, []string{formHeader}, "sts"},
		{"sts by action, signed", "POST /", "h", "Action=GetCallerIdentity&Version=2011-06-15", []string{formHeader, sts}, "sts"},
		{"sts by scope alone", "POST /", "h", "", []string{sts}, "sts"},
		{"sts by action in the query", "GET /?" + webIdentity, "h", "", nil, "sts"},
		{"sts presigned", "GET /?Action=GetCallerIdentity&" + presignedSTS, "h", "", nil, "sts"},
		{"sts action that is not served", "POST /", "h", "Action=AssumeRoot&Version=2011-06-15", []string{formHeader}, "sts"},
		{"escaped name of the parameter", "POST /", "h", "%41ction=GetCallerIdentity", []string{formHeader}, "sts"},
		{"SigV4A scope", "POST /", "h", "", []string{"Authorization: AWS4-ECDSA-P256-SHA256 Credential=AKIA/20260101/sts/aws4_request, SignedHeaders=host, Signature=00"}, "sts"},
		{"access key with slashes", "GET /", "h", "", []string{"Authorization: AWS4-HMAC-SHA256 Credential=a/b/iam/20260101/r/sts/aws4_request, SignedHeaders=host, Signature=00"}, "sts"},
		{"body that is no form is not read", "POST /", "h", webIdentity, []string{"Content-Type: text/plain"}, "s3"},

		{"iam by version", "POST /", "h", listUsers, []string{formHeader}, "iam"},
		{"iam signed", "POST /", "h", listUsers, []string{formHeader, iam}, "iam"},
		{"iam signed, action unknown, no version", "POST /", "h", "Action=Foo", []string{formHeader, iam}, "iam"},
		{"unknown action", "POST /", "h", "Action=Foo", []string{formHeader}, "iam"},
		{"unknown action, iam's host", "POST /", "iam.x.test", "Action=Foo", []string{formHeader}, "iam"},

		{"realm", "POST " + realmTokenURL, "h", "a=b", []string{formHeader}, "oidc"},
		{"realm, short", "GET /realms/r/x", "h", "", nil, "oidc"},
		{"realm, keycloak", "GET /keycloak/realms/r", "h", "", nil, "oidc"},
		{"realm with bearer", "GET /auth/realms/r/userinfo", "h", "", []string{"Authorization: Bearer x"}, "oidc"},
		{"realm without name", "PUT /auth/realms/", "h", "", []string{s3}, "s3"},
		{"control segment as a bucket", "PUT /auth", "h", "", []string{s3}, "s3"},
		{"control segment as a bucket with slash", "PUT /realms/", "h", "", []string{s3}, "s3"},
		{"escaped control path is an object", "GET /%61uth/realms/r", "h", "", []string{s3}, "s3"},
		{"doubled slash is an object", "GET //auth/realms/r", "h", "", []string{s3}, "s3"},

		{"IBM's token endpoint", "POST /identity/token", "h", "a=b", []string{formHeader}, "ibm-iam"},
		{"IBM's token endpoint of older clients", "POST /oidc/token", "h", "a=b", []string{formHeader}, "ibm-iam"},
		{"beside it", "GET /oidc/tokens", "h", "", nil, "s3"},
		{"IBM's APIs", "GET /v1/apikeys?pagesize=1", "h", "", []string{"Authorization: Bearer x"}, "ibm-iam"},
		{"IBM's APIs, second version", "GET /v2/groups", "h", "", nil, "ibm-iam"},
		{"IBM's APIs, signed", "GET /v1/apikeys", "h", "", []string{s3}, "!ibm-iam"},
		{"IBM's APIs at the host of S3", "GET /v1/apikeys", "s3.x.test", "", []string{s3}, "!s3"},
		{"key management", "POST /api/v2/keys/k/actions/wrap", "h", "{}", []string{"Authorization: Bearer x"}, "kms"},
		{"key management, signed", "GET /api/v2/keys", "h", "", []string{"Authorization: " + signedFor("kms")}, "!kms"},
		{"key management at the host of S3", "GET /api/v2/keys", "s3.x.test", "", []string{s3}, "!s3"},
		{"beside key management", "GET /api/v2", "h", "", nil, "s3"},
		{"key that looks like key management", "GET /api/v2/keys", "b.s3.x.test", "", []string{s3}, "s3"},
		{"another version", "GET /v3/x", "h", "", nil, "s3"},
		{"key that looks like IBM's APIs", "GET /v1/apikeys", "b.s3.x.test", "", []string{s3}, "s3"},
		{"key that looks like a realm", "GET " + realmTokenURL, "b.s3.x.test", "", []string{s3}, "s3"},
		{"identity without more", "PUT /identity", "h", "", []string{s3}, "s3"},

		{"s3 host", "GET /k", "b.s3.x.test", "", []string{s3}, "s3"},
		{"s3 host, delete many with a form's type", "POST /?delete", "b.s3.x.test", "<Delete/>", []string{formHeader, s3}, "s3"},
		{"sts host", "POST /", "sts.x.test", "", nil, "sts"},
		{"iam host serves sts too", "POST /", "demo.iam.x.test", webIdentity, []string{formHeader}, "sts"},
		{"iam host serves sts too, signed", "POST /", "iam.x.test", "Action=GetCallerIdentity", []string{formHeader, sts}, "sts"},
		{"iam host alone", "POST /", "iam.x.test", "", nil, "iam"},
		{"iam host of an alias", "POST /", "demo.iam.x.test:443", listUsers, []string{formHeader, iam}, "iam"},

		// Disagreement: scope against each.
		{"scope s3, action sts", "POST /", "h", webIdentity, []string{formHeader, s3}, "!sts"},
		{"scope s3, action iam", "POST /", "h", listUsers, []string{formHeader, s3}, "!iam"},
		{"scope iam, action sts", "POST /", "h", webIdentity, []string{formHeader, iam}, "!sts"},
		{"scope sts, action iam", "POST /", "h", listUsers, []string{formHeader, sts}, "!iam"},
		{"scope sts, object", "PUT /b/k", "h", "", []string{sts}, "!s3"},
		{"scope s3, realm", "GET " + realmTokenURL, "h", "", []string{s3}, "!oidc"},
		{"scope sts, s3 host", "GET /", "s3.x.test", "", []string{sts}, "!s3"},
		{"scope s3, iam host", "GET /", "iam.x.test", "", []string{s3}, "!iam"},
		{"scope unknown", "GET /", "h", "", []string{"Authorization: " + signedFor("ec2")}, "!s3"},
		{"scope unknown, action", "POST /", "h", listUsers, []string{formHeader, "Authorization: " + signedFor("ec2")}, "!iam"},
		{"scope unknown, host", "GET /", "sts.x.test", "", []string{"Authorization: " + signedFor("ec2")}, "!sts"},
		{"presigned scope, action", "GET /?Action=ListUsers&Version=2010-05-08&" + presignedSTS, "h", "", nil, "!iam"},
		{"scope oidc does not exist", "GET /auth/realms/r", "h", "", []string{"Authorization: " + signedFor("nothing")}, "!oidc"},
		// Disagreement of others.
		{"host sts, action iam", "POST /", "sts.x.test", listUsers, []string{formHeader}, "!sts"},
		{"host iam, object", "GET /b/k", "demo.iam.x.test", "", nil, "!iam"},
		{"host s3, action sts", "POST /", "s3.x.test", webIdentity, []string{formHeader}, "!s3"},
		{"bucket's host, action sts", "POST /", "b.s3.x.test", webIdentity, []string{formHeader}, "!s3"},
		{"host sts, object", "GET /b/k", "sts.x.test", "", nil, "!sts"},
		{"host sts, realm", "GET " + realmTokenURL, "sts.x.test", "", nil, "!sts"},
		{"host s3, realm", "GET " + realmTokenURL, "s3.x.test", "", nil, "!s3"},
		{"host first, then action", "POST /", "iam.x.test", webIdentity, []string{formHeader, s3}, "!iam"},
		{"target unknown", "POST /", "h", "", []string{"X-Amz-Target: Foo.Bar"}, "!s3"},
		{"target unknown, action", "POST /", "h", listUsers, []string{formHeader, "X-Amz-Target: Foo.Bar"}, "!iam"},
		{"target unknown, host", "POST /", "sts.x.test", "", []string{"X-Amz-Target: Foo.Bar"}, "!sts"},
		{"target unknown, scope s3", "GET /b/k", "h", "", []string{"X-Amz-Target: Foo.Bar", s3}, "!s3"},
		{"action in query and body: the query's, which the service refuses", "POST /?" + listUsers, "h", webIdentity, []string{formHeader}, "iam"},

		// Signatures without a scope are left to the service named otherwise.
		{"no credential", "POST /", "h", listUsers, []string{formHeader, "Authorization: AWS4-HMAC-SHA256 Signature=00"}, "iam"},
		{"credential of one part", "GET /", "h", "", []string{"Authorization: AWS4-HMAC-SHA256 Credential=x, Signature=00"}, "s3"},
		{"SigV2", "GET /b", "h", "", []string{"Authorization: AWS AKIA:sig"}, "s3"},

		// The token service.
		{"token", "PUT /apis/sts/token", "h", "", []string{"Authorization: Bearer x"}, "token-service"},
		{"token, nothing shown", "PUT /apis/sts/token", "h", "", nil, "token-service"},
		{"token, with a query", "PUT /apis/sts/token?a=b", "h", "", nil, "token-service"},
		{"health", "GET /apis/sts/healthz", "h", "", nil, "token-service"},
		{"no path of it", "PUT /apis/sts/token/../x", "h", "", nil, "token-service"},
		{"form", "POST /apis/sts/token", "h", webIdentity, []string{formHeader}, "token-service"},
		{"another service of that gateway", "PUT /apis/bos/x", "h", "", nil, "s3"},
		{"escaped", "PUT /apis%2Fsts/token", "h", "", nil, "s3"},
		{"token, signed", "PUT /apis/sts/token", "h", "", []string{s3}, "!token-service"},
		{"token, signed for sts", "PUT /apis/sts/token", "h", "", []string{sts}, "!token-service"},
		{"token, signed for itself", "PUT /apis/sts/token", "h", "", []string{"Authorization: " + signedFor("token-service")}, "!token-service"},
		{"token, presigned", "PUT /apis/sts/token?" + presignedS3, "h", "", nil, "!token-service"},
		{"token, presigned with a bearer", "PUT /apis/sts/token?" + presignedSTS, "h", "", []string{"Authorization: Bearer x"}, "!token-service"},
		{"token with a target", "PUT /apis/sts/token", "h", "", []string{"X-Amz-Target: AWSCognitoIdentityService.GetId"}, "!cognito-identity"},
		{"token, unknown target", "PUT /apis/sts/token", "h", "", []string{"X-Amz-Target: Foo.Bar"}, "!token-service"},
		{"token on S3's host", "PUT /apis/sts/token", "s3.x.test", "", nil, "!s3"},
		{"bare token", "PUT /token", "sts.cray.test", "", nil, "token-service"},
		{"bare health", "GET /healthz", "sts.cray.test", "", nil, "token-service"},
		{"bare token, signed", "PUT /token", "sts.cray.test", "", []string{s3}, "!token-service"},
		{"bare token with a slash", "PUT /token/", "sts.cray.test", "", nil, "s3"},
		{"bucket of that name elsewhere", "PUT /token", "h", "", []string{s3}, "s3"},
		{"realm on that host", "POST " + realmTokenURL, "sts.cray.test", "a=b", []string{formHeader}, "oidc"},

		// Targets that are no path.
		{"absolute form", "GET http://h/b", "h", "", nil, "!s3"},
		{"asterisk", "OPTIONS *", "h", "", nil, "!s3"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, tc.line, tc.host, tc.body, tc.headers...)
			route := NewRouter(testHosts(), false, Pages{}, ownHost).Route(r)
			got := route.Service
			if route.Err != nil {
				got = "!" + got
			}
			if got != tc.want {
				t.Errorf("got %s (%v), want %s", got, route.Err, tc.want)
			}
			if body, _ := io.ReadAll(r.Body); string(body) != tc.body {
				t.Errorf("the body is %q afterwards, want %q", body, tc.body)
			}
		})
	}
}

// Every pair of selectors that name different services is refused, by the one
// that stands first in the order host, target, action, path.
func TestRouteDisagreementMatrix(t *testing.T) {
	t.Parallel()
	type part struct{ kind, service, host, path, query, header string }
	parts := []part{
		{kind: "scope", service: "s3", header: "Authorization: " + signedFor("s3")},
		{kind: "scope", service: "sts", header: "Authorization: " + signedFor("sts")},
		{kind: "scope", service: "iam", header: "Authorization: " + signedFor("iam")},
		{kind: "host", service: "s3", host: "s3.x.test"},
		{kind: "host", service: "sts", host: "sts.x.test"},
		{kind: "host", service: "iam", host: "iam.x.test"},
		{kind: "target", service: "cognito", header: "X-Amz-Target: Cog.Op"},
		{kind: "action", service: "sts", path: "/", query: "?" + webIdentity},
		{kind: "action", service: "iam", path: "/", query: "?" + listUsers},
		{kind: "path", service: "oidc", path: "/realms/r"},
		{kind: "path", service: "s3", path: "/b/k"},
	}
	rank := map[string]int{"host": 0, "target": 1, "action": 2, "path": 3, "scope": 4}
	for _, a := range parts {
		for _, b := range parts {
			if rank[a.kind] >= rank[b.kind] || a.path != "" && b.path != "" {
				continue
			}
			path := a.path + b.path
			if path == "" {
				path = "/"
			}
			host := a.host + b.host
			if host == "" {
				host = "h"
			}
			var headers []string
			for _, h := range []string{a.header, b.header} {
				if h != "" {
					headers = append(headers, h)
				}
			}
			route := NewRouter(testHosts(), false, Pages{}, ownHost).Route(request(t, "GET "+path+a.query+b.query, host, "", headers...))
			name := fmt.Sprintf("%s %s against %s %s", a.kind, a.service, b.kind, b.service)
			if a.service == b.service || a.kind == "host" && a.service == "iam" && b.service == "sts" {
				if route.Err != nil || route.Service != b.service {
					t.Errorf("%s: got %s, %v", name, route.Service, route.Err)
				}
				continue
			}
			want := a.service
			if a.kind == "target" { // no service of ours yet
				if want = b.service; b.kind == "scope" {
					want = "s3"
				}
			}
			if route.Err == nil || route.Service != want || route.Err.Kind != identity.KindScopeService || route.Err.DetailValue("Service") != want {
				t.Errorf("%s: got %s, %v; want a refusal by %s", name, route.Service, route.Err, want)
			}
		}
	}
}

func TestRouteBodyBounds(t *testing.T) {
	t.Parallel()
	big := "Action=GetCallerIdentity&x=" + strings.Repeat("a", maxPeek)
	for _, tc := range []struct {
		name, host string
		chunked    bool
		want       string
	}{
		{"length known", "h", false, "!iam"},
		{"length unknown", "h", true, "!iam"},
		{"a bucket's host", "b.s3.x.test", true, "s3"},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(big))
		r.Host, r.RequestURI = tc.host, "/"
		r.Header.Set("Content-Type", formType)
		if tc.chunked {
			r.ContentLength = -1
		}
		route := NewRouter(testHosts(), false, Pages{}, ownHost).Route(r)
		got := route.Service
		if route.Err != nil {
			got = "!" + got
		}
		if tc.name == "a bucket's host" && route.Err != nil && route.Service == "s3" {
			got = "s3" // found within the bound: disagreement, refused by S3 as well
		}
		if got != tc.want {
			t.Errorf("%s: got %s (%v), want %s", tc.name, got, route.Err, tc.want)
		}
		if body, _ := io.ReadAll(r.Body); string(body) != big {
			t.Errorf("%s: the body is not what it was", tc.name)
		}
	}
}

func TestRouteLocalOnly(t *testing.T) {
	t.Parallel()
	router := NewRouter(testHosts(), true, Pages{}, ownHost)
	for host, want := range map[string]bool{
		"127.0.0.1:8080": true, "localhost": true, "b.s3.localhost:1": true, "[::1]:80": true, "x.test": true, "b.s3.x.test": true,
		"LOCALHOST.": true, "127.9.9.9": true,
		"evil.test": false, "127.0.0.1.evil.test": false, "notx.test": false, "10.0.0.1": false, "localhost.evil.test": false, "": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RequestURI = host, "/"
		if route := router.Route(r); (route.Err == nil) != want {
			t.Errorf("host %q: %v", host, route.Err)
		}
	}
}

// TestRoutePageHosts: no API answers on a host of pages, whatever names it, and
// each refuses in its own words.
func TestRoutePageHosts(t *testing.T) {
	t.Parallel()
	router := NewRouter(testHosts(), true, Pages{Hosts: []string{"localhost", "console.x.test"}, API: "http://127.0.0.1:8080"}, ownHost)
	for _, tc := range []struct {
		host, target string
		headers      []string
		service      string
		served       bool
	}{
		{"localhost", "/console/index.html", nil, "s3", false},
		{"localhost:8080", "/profile/index.html?X-Amz-Credential=AKIA%2F20260102%2Fr%2Fs3%2Faws4_request", nil, "s3", false},
		{"LOCALHOST.:8080", "/", nil, "s3", false},
		{"localhost", "/", []string{"Authorization", signedFor("sts")}, "sts", false},
		{"localhost", "/?Action=ListUsers&Version=2010-05-08", nil, "iam", false},
		{"localhost", "/auth/realms/shasta/.well-known/openid-configuration", nil, "oidc", false},
		{"console.x.test", "/b/k", nil, "s3", false},
		{"127.0.0.1:8080", "/console/index.html", nil, "s3", true},
		{"b.s3.x.test", "/k", nil, "s3", true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RequestURI = tc.host, tc.target
		for i := 0; i < len(tc.headers); i += 2 {
			r.Header.Set(tc.headers[i], tc.headers[i+1])
		}
		route := router.Route(r)
		if route.Service != tc.service || (route.Err == nil) != tc.served {
			t.Errorf("%s%s: %s, %v", tc.host, tc.target, route.Service, route.Err)
		}
		if !tc.served && (route.Err.Kind != identity.KindAccessDenied || !strings.Contains(route.Err.Public, "http://127.0.0.1:8080")) {
			t.Errorf("%s%s: %q does not say where to go", tc.host, tc.target, route.Err.Public)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]HostName{
		"s3.x.test":            {Service: "s3", Base: "s3.x.test"},
		"S3.X.test.:443":       {Service: "s3", Base: "s3.x.test"},
		"b.s3.x.test":          {Service: "s3", Base: "s3.x.test", Bucket: "b"},
		"a.b.s3.x.test":        {Service: "s3", Base: "s3.x.test", Bucket: "a.b"},
		"demo.s3.x.test":       {Service: "s3", Base: "demo.s3.x.test", AccountID: "111"},
		"b.demo.s3.x.test":     {Service: "s3", Base: "demo.s3.x.test", AccountID: "111", Bucket: "b"},
		"iam.x.test":           {Service: "iam", Base: "iam.x.test"},
		"demo.iam.x.test":      {Service: "iam", Base: "demo.iam.x.test", AccountID: "111"},
		"other.iam.x.test":     {Service: "iam", Base: "iam.x.test"},
		"sts.x.test":           {Service: "sts", Base: "sts.x.test"},
		"s3.only.test":         {Service: "s3", Base: "s3.only.test"},
		"b.s3.only.test":       {Service: "s3", Base: "s3.only.test", Bucket: "b"},
		"iam.only.test":        {},
		"x.test":               {},
		"nots3.x.test":         {},
		"s3.x.test.evil":       {},
		"s3.x.test:notaport:1": {},
		"127.0.0.1":            {},
	} {
		if got := testHosts().Lookup(host); got != want {
			t.Errorf("%s: got %+v, want %+v", host, got, want)
		}
	}
}

func TestS3Bases(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"h":                "s3.only.test s3.x.test",
		"b.demo.s3.x.test": "demo.s3.x.test s3.only.test s3.x.test",
		"demo.iam.x.test":  "s3.only.test s3.x.test",
	} {
		if got := strings.Join(testHosts().S3Bases(host), " "); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("GET", "/b/k?X-Amz-Credential=a%2Fb%2Fc", "h", "", "", "", "")
	f.Add("POST", "/", "b.s3.x.test", formType, signedFor("s3"), "", webIdentity)
	f.Add("POST", "/?Action=%zz&&=&Version", "demo.iam.x.test:1", formType, "AWS4-HMAC-SHA256 Credential=////,", "A.B", "Action")
	router := NewRouter(testHosts(), false, Pages{}, ownHost)
	f.Fuzz(func(t *testing.T, method, target, host, contentType, authorization, amzTarget, body string) {
		r := &http.Request{
			Method: method, RequestURI: target, Host: host, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
		}
		for name, v := range map[string]string{"Content-Type": contentType, "Authorization": authorization, "X-Amz-Target": amzTarget} {
			if v != "" {
				r.Header.Set(name, v)
			}
		}
		route := router.Route(r)
		if setOf(route.Service) == setUnknown {
			t.Errorf("service %q", route.Service)
		}
		if after, _ := io.ReadAll(r.Body); string(after) != body {
			t.Error("the body changed")
		}
		// Whoever serves a signed request is who its scope names.
		if scope, signed := scopeService(r); route.Err == nil && signed && scope != route.Service {
			t.Errorf("scope %q is served by %s", scope, route.Service)
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	r := httptest.NewRequest("GET", "/bucket/key?x-id=GetObject", nil)
	r.RequestURI = "/bucket/key?x-id=GetObject"
	r.Header.Set("Authorization", signedFor("s3"))
	router := NewRouter(testHosts(), false, Pages{}, ownHost)
	b.ReportAllocs()
	for b.Loop() {
		if router.Route(r).Err != nil {
			b.Fatal("refused")
		}
	}
}
