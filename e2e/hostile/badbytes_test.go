package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// badDispatch are requests whose selectors disagree.
func badDispatch(root keys) []badRequest {
	ident := "Action=GetCallerIdentity&Version=2011-06-15"
	return []badRequest{
		{name: "scope s3, action of STS", call: call{method: "POST", target: "/", body: ident, header: formHeader(), keys: root}, status: 400, code: "SignatureDoesNotMatch", envelope: "sts"},
		{name: "scope iam, action of STS", call: call{method: "POST", target: "/", body: ident, header: formHeader(), keys: root, service: "iam"}, status: 400, code: "SignatureDoesNotMatch", envelope: "sts"},
		{name: "scope sts, action of IAM", call: query("sts", root, "Action", "ListUsers", "Version", "2010-05-08"), status: 400, code: "SignatureDoesNotMatch", envelope: "iam"},
		{name: "scope sts, path of a bucket", call: call{target: "/photos/kept", keys: root, service: "sts"}, status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "scope ec2 at the root", call: call{target: "/", keys: root, service: "ec2"}, status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "scope s3 at a realm", call: call{target: "/auth/realms/root-accounts/protocol/openid-connect/userinfo", keys: root}, status: 400, code: "invalid_request", envelope: "oidc"},
		{name: "X-Amz-Target and Action", call: call{method: "POST", target: "/", body: ident, keys: root, service: "sts", header: append(formHeader(), [2]string{"X-Amz-Target", "AWSCognitoIdentityService.GetId"})}, status: 400, code: "InvalidSignatureException", envelope: "json"},
		{name: "X-Amz-Target at a bucket", call: call{target: "/photos/kept", keys: root, header: header("X-Amz-Target", "X.Y")}, status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "presigned scope sts at a bucket", call: call{target: "/photos/kept", keys: root, service: "sts", presign: time.Minute}, status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "Action at a bucket", call: call{target: "/photos?Action=GetCallerIdentity&Version=2011-06-15", keys: root}, status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "realm with dots", call: call{target: "/auth/realms/root-accounts/../shasta/protocol/openid-connect/certs"}, status: 404, code: "not_found", envelope: "oidc"},
		{name: "realm with an encoded slash", call: call{target: "/auth/realms/root-accounts%2Fprotocol/openid-connect/certs"}, status: 404, code: "Realm does not exist", envelope: "oidc"},
		{name: "realm path with two slashes", call: call{target: "//auth/realms/root-accounts/protocol/openid-connect/certs"}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "realm path escaped", call: call{target: "/%61uth/realms/root-accounts/protocol/openid-connect/certs"}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "escaped control segment, signed", call: call{target: "/%61uth/realms/root-accounts", keys: root}, status: 400, code: "InvalidBucketName", envelope: "s3"},
	}
}

func badRealms(r *rig) []badRequest {
	f := r.facts()
	good := []string{"grant_type", "password", "client_id", "root-client", "username", f.Root.Email, "password", f.Root.Password}
	with := func(realm, endpoint string, parameters ...string) call {
		return realmCall(realm, endpoint, parameters...)
	}
	changed := func(change func(*call)) call {
		c := with("root-accounts", "token", good...)
		change(&c)
		return c
	}
	return []badRequest{
		{name: "wrong password", call: with("root-accounts", "token", "grant_type", "password", "client_id", "root-client", "username", f.Root.Email, "password", "x"), status: 401, code: "invalid_grant", envelope: "oidc"},
		{name: "unknown user", call: with("root-accounts", "token", "grant_type", "password", "client_id", "root-client", "username", "nobody@example.com", "password", "x"), status: 401, code: "invalid_grant", envelope: "oidc"},
		{name: "user of another realm", call: with("root-accounts", "token", "grant_type", "password", "client_id", "root-client", "username", f.Realms["shasta"].Username, "password", f.Realms["shasta"].Password), status: 401, code: "invalid_grant", envelope: "oidc"},
		{name: "client of another realm", call: with("shasta", "token", good...), status: 401, code: "invalid_client", envelope: "oidc"},
		{name: "client that needs its secret", call: with("shasta", "token", "grant_type", "client_credentials", "client_id", "admin-client"), status: 401, code: "invalid_client", envelope: "oidc"},
		{name: "client_credentials of a public client", call: with("shasta", "token", "grant_type", "client_credentials", "client_id", "shasta"), status: 400, code: "unauthorized_client", envelope: "oidc"},
		{name: "unknown grant", call: with("shasta", "token", "grant_type", "urn:x", "client_id", "shasta"), status: 400, code: "unsupported_grant_type", envelope: "oidc"},
		{name: "unknown realm", call: with("nowhere", "token", good...), status: 404, code: "Realm does not exist", envelope: "oidc"},
		{name: "log-in by the URL", call: changed(func(c *call) { c.target, c.body = c.target+"?"+c.body, "" }), status: 400, code: "invalid_request", envelope: "oidc"},
		{name: "log-in by JSON", call: changed(func(c *call) { c.header = header("Content-Type", "application/json") }), status: 400, code: "invalid_request", envelope: "oidc"},
		{name: "log-in with a parameter twice", call: changed(func(c *call) { c.body += "&grant_type=password" }), status: 400, code: "invalid_request", envelope: "oidc"},
		{name: "log-in of 2 MiB", call: changed(func(c *call) { c.body += "&x=" + strings.Repeat("a", 2<<20) }), status: 413, code: "invalid_request", envelope: "oidc"},
		{name: "GET of the token endpoint", call: changed(func(c *call) { c.method, c.body = "GET", "" }), status: 405, code: "invalid_request", envelope: "oidc"},
		{name: "userinfo without a token", call: call{target: "/auth/realms/shasta/protocol/openid-connect/userinfo"}, status: 401, code: "invalid_token", envelope: "oidc"},
		{name: "userinfo by a cookie", call: call{target: "/auth/realms/shasta/protocol/openid-connect/userinfo", header: header("Cookie", "access_token=x")}, status: 401, code: "invalid_token", envelope: "oidc"},
	}
}

// badBytes are requests that no HTTP library sends.
func badBytes() []badRequest {
	body := "grant_type=password&client_id=root-client&username=x&password=y"
	token := "POST /auth/realms/root-accounts/protocol/openid-connect/token HTTP/1.1\r\nHost: $HOST\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	long := strings.Repeat("x", 17<<10)
	form := "POST / HTTP/1.1\r\nHost: $HOST\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	return []badRequest{
		{name: "absolute form", raw: "GET http://$HOST/photos/kept HTTP/1.1\r\nHost: $HOST\r\n\r\n", status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "absolute form of another host", raw: "GET http://evil.test/photos/kept HTTP/1.1\r\nHost: $HOST\r\n\r\n", status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "asterisk form", raw: "OPTIONS * HTTP/1.1\r\nHost: $HOST\r\n\r\n", status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "CONNECT", raw: "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n", status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "foreign Host", raw: "GET /auth/realms/root-accounts/protocol/openid-connect/certs HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, code: "access_denied", envelope: "oidc"},
		{name: "foreign Host at S3", raw: "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "Host that begins like loopback", raw: "GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.test\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "forwarded Host", raw: "GET / HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: localhost\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "empty Host", raw: "GET / HTTP/1.1\r\nHost: \r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "HTTP/1.0 without Host", raw: "GET / HTTP/1.0\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "HTTP/1.0", raw: "GET / HTTP/1.0\r\nHost: $HOST\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "headers of 17 KiB", raw: "GET / HTTP/1.1\r\nHost: $HOST\r\nX: " + long + "\r\n\r\n", status: 400, code: "EntityTooLarge", envelope: "s3"},
		{name: "headers of 17 KiB at a realm", raw: strings.Replace(token, "Host:", "X: "+long+"\r\nHost:", 1) + "Content-Length: 0\r\n\r\n", status: 413, code: "invalid_request", envelope: "oidc"},
		{name: "target of 17 KiB", raw: "GET /" + long + " HTTP/1.1\r\nHost: $HOST\r\n\r\n", status: 400, code: "EntityTooLarge", envelope: "s3"},
		{name: "two hundred headers", raw: "GET / HTTP/1.1\r\nHost: $HOST\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n", status: 400, code: "EntityTooLarge", envelope: "s3"},
		{name: "two credentials in two headers", raw: "GET / HTTP/1.1\r\nHost: $HOST\r\nAuthorization: Bearer x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20260102/r/iam/aws4_request, SignedHeaders=host, Signature=x\r\n\r\n", status: 400, code: "MissingParameter", envelope: "iam"},
		{name: "chunks with bad framing at a realm", raw: token + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body + "\r\n0\r\n\r\n", status: 400, code: "invalid_request", envelope: "oidc"},
		{name: "chunks with bad framing at STS", raw: form + "Transfer-Encoding: chunked\r\n\r\nzz\r\nAction=GetCallerIdentity\r\n0\r\n\r\n", status: 400, code: "ValidationError", envelope: "iam"},
		{name: "form cut short", raw: strings.Replace(form, "POST / ", "POST /?Action=GetCallerIdentity&Version=2011-06-15 ", 1) + "Transfer-Encoding: chunked\r\n\r\n5\r\nAct", cut: true, status: 400, code: "ValidationError", envelope: "iam"},
		{name: "unsigned PUT with chunks", raw: "PUT /photos/x HTTP/1.1\r\nHost: $HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "unknown method", raw: "FROB / HTTP/1.1\r\nHost: $HOST\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "Expect of an unsigned PUT", raw: "PUT /photos/x HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", status: 403, code: "AccessDenied", envelope: "s3"},
	}
}

// TestBrokenHTTP sends what is not HTTP, or is it in two ways: net/http refuses
// it before any of our code, and nothing of it may be taken for a request.
func TestBrokenHTTP(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	smuggled := "GET /auth/realms/root-accounts/protocol/openid-connect/certs HTTP/1.1\r\nHost: $HOST\r\n\r\n"
	for name, b := range map[string]struct {
		raw     string
		answers []int // statuses, all there are
	}{
		"length and chunks, chunks win and the connection ends": {"POST / HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, []int{403}},
		"two lengths":                 {"POST / HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n" + smuggled, []int{400}},
		"length with a sign":          {"POST / HTTP/1.1\r\nHost: $HOST\r\nContent-Length: +5\r\n\r\nhello", []int{400}},
		"unknown transfer coding":     {"POST / HTTP/1.1\r\nHost: $HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", []int{501}},
		"chunked spelt strangely":     {"POST / HTTP/1.1\r\nHost: $HOST\r\nTransfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello", []int{501}},
		"two hosts":                   {"GET / HTTP/1.1\r\nHost: $HOST\r\nHost: evil.test\r\n\r\n", []int{400}},
		"no host":                     {"GET / HTTP/1.1\r\n\r\n", []int{400}},
		"blank before the colon":      {"GET / HTTP/1.1\r\nHost: $HOST\r\nContent-Length : 5\r\n\r\nhello", []int{400}},
		"NUL in a header":             {"GET / HTTP/1.1\r\nHost: $HOST\r\nX: a\x00b\r\n\r\n", []int{400}},
		"headers of 32 KiB":           {"GET / HTTP/1.1\r\nHost: $HOST\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", []int{431}},
		"HTTP/3.0":                    {"GET / HTTP/3.0\r\nHost: $HOST\r\n\r\n", []int{505}},
		"HTTP/2 preface":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400}},
		"TLS":                         {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
		"bad escape":                  {"GET /photos/%zz HTTP/1.1\r\nHost: $HOST\r\n\r\n", []int{400}},
		"at sign in the host":         {"GET / HTTP/1.1\r\nHost: 127.0.0.1@evil.test\r\n\r\n", []int{400}},
		"blank in the target":         {"GET /a b HTTP/1.1\r\nHost: $HOST\r\n\r\n", []int{400}},
		"pipelined good requests":     {smuggled + smuggled + strings.Replace(smuggled, "Host:", "Connection: close\r\nHost:", 1), []int{200, 200, 200}},
		"refused with an unread body": {"PUT /photos/x HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 90\r\n\r\n" + smuggled, []int{403}},
		"refused, body of a request":  {"POST /photos HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 10\r\n\r\n0123456789" + smuggled, []int{403}},
		"GET with a body":             {"GET /photos HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 10\r\n\r\n0123456789" + smuggled, []int{403}},
	} {
		t.Run(name, func(t *testing.T) {
			answers, _ := r.raw(b.raw, len(b.answers)+1, false)
			var got []int
			for _, a := range answers {
				got = append(got, a.status)
			}
			if fmt.Sprint(got) != fmt.Sprint(b.answers) {
				t.Errorf("got %v, want %v", got, b.answers)
			}
		})
	}
}
