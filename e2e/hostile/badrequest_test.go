package hostile

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// badRequest is a request that must be refused, and how.
type badRequest struct {
	name     string
	call     call   // sent and perhaps signed, or
	raw      string // these bytes; $HOST stands for the server's address
	cut      bool   // nothing comes after them
	status   int
	code     string
	envelope string // s3, sts, iam, oidc, problem, fault; "" for an answer without body
}

// TestBadRequests sends what no good client sends, over the wire. Nothing of it
// may change anything or make the server stumble.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	other := r.otherRoot()
	root, role := r.rootSession(), r.roleSession()
	r.must(call{method: "PUT", target: "/photos", keys: root})
	r.must(call{method: "PUT", target: "/photos/kept", keys: root, body: "kept"})
	r.must(call{method: "PUT", target: "/others", keys: other})
	r.must(call{method: "PUT", target: "/others/secret", keys: other, body: "secret"})
	r.must(query("iam", root, "Action", "CreateUser", "UserName", "alice"))
	marker := r.must(query("iam", root, "Action", "ListUsers", "MaxItems", "1")).between("Marker")
	if marker == "" {
		t.Fatal("no marker")
	}
	before := r.state(root, other)

	all := append(badSignatures(r, root), badObjects(root)...)
	all = append(all, badCrossings(root, role, other, r.rootKeys(), marker)...)
	all = append(all, badQueries(root, role)...)
	all = append(all, badDispatch(root)...)
	all = append(all, badRealms(r)...)
	all = append(all, badBytes()...)
	all = append(all, badTokenCalls(r, root)...)
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) {
			var a answer
			if b.raw == "" {
				a = r.do(b.call)
			} else {
				answers, err := r.raw(b.raw, 1, b.cut)
				if err != nil {
					t.Fatal(err)
				}
				a = answers[0]
			}
			if a.status != b.status || a.code() != b.code || a.envelope() != b.envelope {
				t.Errorf("got %d %q in the envelope %q, want %d %q %q\n%s", a.status, a.code(), a.envelope(), b.status, b.code, b.envelope, a)
			}
			if id := a.header.Get("X-Amz-Request-Id") + a.header.Get("X-Amzn-Requestid") + a.header.Get("X-Request-Id"); b.envelope != "" && id == "" && !strings.Contains(string(a.body), "<RequestId>") && b.envelope != "oidc" {
				t.Errorf("the answer has no request ID: %v", a.header)
			}
		})
	}
	if len(all) < 60 {
		t.Errorf("%d bad requests", len(all))
	}
	t.Logf("%d bad requests", len(all))
	if after := r.state(root, other); after != before {
		t.Errorf("the state changed: before\n%s\nafter\n%s", before, after)
	}
	if n := r.metric("daypass_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
}

// state is everything the two accounts can list.
func (r *rig) state(roots ...keys) string {
	r.t.Helper()
	var b strings.Builder
	for _, k := range roots {
		for _, c := range []call{{target: "/", keys: k}, query("iam", k, "Action", "ListUsers"), query("iam", k, "Action", "ListAccessKeys")} {
			body := string(r.must(c).body)
			body, _, _ = strings.Cut(body, "<ResponseMetadata>")
			b.WriteString(body)
		}
	}
	for i, bucket := range []string{"photos", "others"} {
		listed := r.list(roots[i], bucket)
		for _, key := range slices.Sorted(maps.Keys(listed)) {
			fmt.Fprintf(&b, "%s/%s %d %s\n", bucket, key, listed[key], r.must(call{target: "/" + bucket + "/" + key, keys: roots[i]}).body)
		}
	}
	return b.String()
}

func header(name, value string) [][2]string { return [][2]string{{name, value}} }

func badSignatures(r *rig, root keys) []badRequest {
	with := func(change func(*keys)) keys { k := root; change(&k); return k }
	akia := r.rootKeys()
	get := func(k keys, after func(*http.Request)) call {
		return call{target: "/photos/kept", keys: k, after: after}
	}
	auth := func(old, new string) func(*http.Request) {
		return func(q *http.Request) {
			v := q.Header.Get("Authorization")
			if !strings.Contains(v, old) {
				panic("nothing to replace in " + v)
			}
			q.Header.Set("Authorization", strings.Replace(v, old, new, 1))
		}
	}
	query := func(old, new string) func(*http.Request) {
		return func(q *http.Request) {
			if !strings.Contains(q.URL.RawQuery, old) {
				panic("nothing to replace in " + q.URL.RawQuery)
			}
			q.URL.RawQuery = strings.Replace(q.URL.RawQuery, old, new, 1)
		}
	}
	presigned := func(after func(*http.Request)) call {
		return call{target: "/photos/kept", keys: root, presign: time.Minute, after: after}
	}
	return []badRequest{
		{name: "unsigned GET", call: call{target: "/photos/kept"}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "unsigned list of buckets", call: call{target: "/"}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "unsigned PUT", call: call{method: "PUT", target: "/photos/x", body: "x"}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "unsigned HEAD", call: call{method: "HEAD", target: "/photos/kept"}, status: 403},
		{name: "preflight", call: call{method: "OPTIONS", target: "/photos/kept", header: [][2]string{{"Origin", "https://x.test"}, {"Access-Control-Request-Method", "PUT"}}}, status: 403, code: "AccessForbidden", envelope: "s3"},
		{name: "wrong secret", call: get(with(func(k *keys) { k.SecretAccessKey += "x" }), nil), status: 403, code: "SignatureDoesNotMatch", envelope: "s3"},
		{name: "unknown long-term key", call: get(keys{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"}, nil), status: 403, code: "InvalidAccessKeyId", envelope: "s3"},
		{name: "session key without token", call: get(with(func(k *keys) { k.SessionToken = "" }), nil), status: 403, code: "InvalidAccessKeyId", envelope: "s3"},
		{name: "tampered token", call: get(with(func(k *keys) { k.SessionToken = altered(k.SessionToken) }), nil), status: 400, code: "InvalidToken", envelope: "s3"},
		{name: "token cut short", call: get(with(func(k *keys) { k.SessionToken = k.SessionToken[:len(k.SessionToken)-4] }), nil), status: 400, code: "InvalidToken", envelope: "s3"},
		{name: "token with a long-term key", call: get(with(func(k *keys) { k.AccessKeyID, k.SecretAccessKey = akia.AccessKeyID, akia.SecretAccessKey }), nil), status: 400, code: "InvalidToken", envelope: "s3"},
		{name: "token sent twice", call: get(root, func(q *http.Request) { q.Header.Add("X-Amz-Security-Token", root.SessionToken) }), status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "signed sixteen minutes ago", call: call{target: "/photos/kept", keys: root, at: time.Now().Add(-16 * time.Minute)}, status: 403, code: "RequestTimeTooSkewed", envelope: "s3"},
		{name: "signed sixteen minutes ahead", call: call{target: "/photos/kept", keys: root, at: time.Now().Add(16 * time.Minute)}, status: 403, code: "RequestTimeTooSkewed", envelope: "s3"},
		{name: "SigV2 header", call: call{target: "/photos/kept", header: header("Authorization", "AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl")}, status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "SigV2 query", call: call{target: "/photos/kept?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=x&Expires=2000000000"}, status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "unknown algorithm", call: call{target: "/photos/kept", header: [][2]string{{"Authorization", "AWS4-HMAC-SHA512 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"}}}, status: 400, code: "InvalidArgument", envelope: "s3"},
		{name: "no Signature", call: get(root, auth(", Signature=", ", Sig=")), status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "upper-case signature", call: get(root, func(q *http.Request) {
			v := q.Header.Get("Authorization")
			i := strings.Index(v, "Signature=") + 10
			q.Header.Set("Authorization", v[:i]+strings.ToUpper(v[i:]))
		}), status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "host not signed", call: get(root, auth("SignedHeaders=host;", "SignedHeaders=")), status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "signed header absent", call: get(root, auth("SignedHeaders=host;", "SignedHeaders=host;range;")), status: 403, code: "SignatureDoesNotMatch", envelope: "s3"},
		{name: "wrong terminator", call: get(root, auth("/aws4_request", "/aws5_request")), status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "scope of another day", call: get(root, auth(time.Now().UTC().Format("20060102"), "20200101")), status: 400, code: "AuthorizationHeaderMalformed", envelope: "s3"},
		{name: "two Authorization headers", call: get(root, func(q *http.Request) { q.Header.Add("Authorization", q.Header.Get("Authorization")) }), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "header and query signed", call: presigned(func(q *http.Request) {
			q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+root.AccessKeyID+"/20260102/us-east-1/s3/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
		}), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "header added after signing", call: get(root, func(q *http.Request) { q.Header.Set("X-Amz-Meta-Evil", "1") }), status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "presigned, header added", call: call{method: "PUT", target: "/photos/presigned", keys: root, presign: time.Minute, body: "x", after: func(q *http.Request) { q.Header.Set("X-Amz-Copy-Source", "/others/secret") }}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "presigned, ACL added", call: call{method: "PUT", target: "/photos/presigned", keys: root, presign: time.Minute, body: "x", after: func(q *http.Request) { q.Header.Set("X-Amz-Acl", "public-read") }}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "presigned, parameter added", call: presigned(func(q *http.Request) { q.URL.RawQuery += "&versionId=1" }), status: 403, code: "SignatureDoesNotMatch", envelope: "s3"},
		{name: "presigned, hoisted header added", call: call{method: "PUT", target: "/photos/presigned", keys: root, presign: time.Minute, body: "x", after: func(q *http.Request) { q.URL.RawQuery += "&X-Amz-Copy-Source=others%2Fsecret" }}, status: 403, code: "SignatureDoesNotMatch", envelope: "s3"},
		{name: "presigned, expired", call: call{target: "/photos/kept", keys: root, presign: time.Second, at: time.Now().Add(-time.Minute)}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "presigned, not yet", call: call{target: "/photos/kept", keys: root, presign: time.Second, at: time.Now().Add(time.Hour)}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "presigned for eight days", call: presigned(query("X-Amz-Expires=60", "X-Amz-Expires=691200")), status: 400, code: "AuthorizationQueryParametersError", envelope: "s3"},
		{name: "presigned for -1 s", call: presigned(query("X-Amz-Expires=60", "X-Amz-Expires=-1")), status: 400, code: "AuthorizationQueryParametersError", envelope: "s3"},
		{name: "presigned, lifetime stretched", call: presigned(query("X-Amz-Expires=60", "X-Amz-Expires=600")), status: 403, code: "SignatureDoesNotMatch", envelope: "s3"},
		{name: "presigned, parameter twice", call: presigned(query("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=600")), status: 400, code: "AuthorizationQueryParametersError", envelope: "s3"},
		{name: "presigned, other method", call: presigned(func(q *http.Request) { q.Method = "DELETE" }), status: 403, code: "SignatureDoesNotMatch", envelope: "s3"},
		{name: "presigned, other key", call: presigned(func(q *http.Request) { q.URL.Opaque = "/photos/other" }), status: 403, code: "SignatureDoesNotMatch", envelope: "s3"},
	}
}

func altered(s string) string {
	b := []byte(s)
	if b[100]++; b[100] > 'z' || b[100] == '[' || b[100] == ':' {
		b[100] = 'A'
	}
	return string(b)
}

func badObjects(root keys) []badRequest {
	put := func(target, body string, c call) call {
		c.method, c.target, c.body, c.keys = "PUT", target, body, root
		return c
	}
	crc := func(frames string, more ...[2]string) call {
		return put("/photos/trailer", frames, call{payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", header: append([][2]string{
			{"X-Amz-Trailer", "x-amz-checksum-crc32"}, {"X-Amz-Decoded-Content-Length", "5"}, {"Content-Encoding", "aws-chunked"},
		}, more...)})
	}
	get := func(target string) call { return call{target: target, keys: root} }
	out := []badRequest{
		{name: "hash of another body", call: put("/photos/x", "x", call{payload: sha256Hex("y")}), status: 400, code: "XAmzContentSHA256Mismatch", envelope: "s3"},
		{name: "empty hash with a body", call: put("/photos/x", "x", call{payload: sha256Hex("")}), status: 400, code: "XAmzContentSHA256Mismatch", envelope: "s3"},
		{name: "no hash at all", call: put("/photos/x", "x", call{after: func(q *http.Request) { q.Header.Del("X-Amz-Content-Sha256") }}), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "event stream", call: put("/photos/x", "x", call{after: func(q *http.Request) {
			q.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-EVENTS")
		}}), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "wrong Content-MD5", call: put("/photos/x", "x", call{header: header("Content-Md5", "XrY7u+Ae7tCTyyK7j1rNww==")}), status: 400, code: "BadDigest", envelope: "s3"},
		{name: "Content-MD5 that is none", call: put("/photos/x", "x", call{header: header("Content-Md5", "xyz")}), status: 400, code: "InvalidDigest", envelope: "s3"},
		{name: "wrong checksum header", call: put("/photos/x", "x", call{header: header("X-Amz-Checksum-Crc32", "AAAAAA==")}), status: 400, code: "BadDigest", envelope: "s3"},
		{name: "wrong checksum header, unsigned payload", call: put("/photos/x", "x", call{payload: "UNSIGNED-PAYLOAD", header: header("X-Amz-Checksum-Crc32", "AAAAAA==")}), status: 400, code: "BadDigest", envelope: "s3"},
		{name: "wrong trailer checksum", call: crc("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), status: 400, code: "BadDigest", envelope: "s3"},
		{name: "trailer that was not announced", call: crc("5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAAAA==\r\n\r\n"), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "chunks cut short", call: crc("5\r\nhel"), status: 400, code: "IncompleteBody", envelope: "s3"},
		{name: "no zero chunk", call: crc("5\r\nhello\r\n"), status: 400, code: "IncompleteBody", envelope: "s3"},
		{name: "chunk size of letters", call: crc("zz\r\nhello\r\n0\r\n\r\n"), status: 400, code: "InvalidChunkSizeError", envelope: "s3"},
		{name: "chunk size negative", call: crc("-5\r\nhello\r\n0\r\n\r\n"), status: 400, code: "InvalidChunkSizeError", envelope: "s3"},
		{name: "chunk size beyond 64 bits", call: crc("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"), status: 400, code: "InvalidChunkSizeError", envelope: "s3"},
		{name: "more than was announced", call: crc("6\r\nhello!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), status: 400, code: "IncompleteBody", envelope: "s3"},
		{name: "data behind the trailer", call: crc("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\nmore"), status: 400, code: "MalformedTrailerError", envelope: "s3"},
		{name: "copy source in the same request as a body trailer", call: crc("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", [2]string{"X-Amz-Checksum-Crc32", "NhCmhg=="}), status: 400, code: "InvalidRequest", envelope: "s3"},

		{name: "unknown marker", call: get("/photos/kept?foo"), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "two markers", call: get("/photos?acl&policy"), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "marker of another level", call: get("/photos/kept?policy"), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "marker in capitals", call: get("/photos/kept?ACL"), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "marker on PUT", call: put("/photos/kept?torrent", "x", call{}), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "bucket policy", call: put("/photos?policy", `{"Version":"2012-10-17","Statement":[]}`, call{}), status: 400, code: "MalformedPolicy", envelope: "s3"},
		{name: "replication", call: put("/photos?replication", "<x/>", call{}), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "website redirect", call: put("/photos/x", "x", call{header: header("X-Amz-Website-Redirect-Location", "http://x.test/")}), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "unknown x-amz header", call: put("/photos/x", "x", call{header: header("X-Amz-Unheard-Of", "1")}), status: 501, code: "NotImplemented", envelope: "s3"},
		{name: "ACL for the world", call: put("/photos/x", "x", call{header: header("X-Amz-Acl", "public-read-write")}), status: 400, code: "AccessControlListNotSupported", envelope: "s3"},
		{name: "empty version", call: get("/photos/kept?versionId="), status: 400, code: "InvalidArgument", envelope: "s3"},
		{name: "version that is a path", call: get("/photos/kept?versionId=..%2F..%2Fx"), status: 400, code: "InvalidArgument", envelope: "s3"},
		{name: "upload that is a path", call: call{method: "PUT", target: "/photos/x?partNumber=1&uploadId=..%2F..%2Fothers", body: "x", keys: root}, status: 400, code: "InvalidArgument", envelope: "s3"},
		{name: "no such upload", call: call{method: "PUT", target: "/photos/x?partNumber=1&uploadId=none", body: "x", keys: root}, status: 404, code: "NoSuchUpload", envelope: "s3"},
		{name: "no such key", call: get("/photos/none"), status: 404, code: "NoSuchKey", envelope: "s3"},
		{name: "no such bucket", call: get("/nothing-here/x"), status: 404, code: "NoSuchBucket", envelope: "s3"},
		{name: "bucket of a control dialect", call: put("/auth", "", call{}), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "bucket of a dialect to come", call: put("/apis", "", call{}), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "bucket of two letters", call: put("/ab", "", call{}), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "bucket in capitals", call: put("/Photos", "", call{}), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "bucket with two dots", call: put("/a..b", "", call{}), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "bucket that is an address", call: put("/127.0.0.1", "", call{}), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "bucket with an encoded slash", call: get("/photos%2Fkept"), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "empty bucket", call: get("//kept"), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "store's own directory as bucket", call: get("/.sgwtmp/x"), status: 400, code: "InvalidBucketName", envelope: "s3"},
		{name: "one's own bucket again", call: put("/photos", "", call{}), status: 409, code: "BucketAlreadyOwnedByYou", envelope: "s3"},
		{name: "bucket document that is none", call: put("/new-bucket", "<a", call{}), status: 400, code: "MalformedXML", envelope: "s3"},
		{name: "deletion without keys", call: call{method: "POST", target: "/photos?delete", body: "<Delete></Delete>", keys: root}, status: 400, code: "MalformedXML", envelope: "s3"},
		{name: "deletion with a DTD", call: call{method: "POST", target: "/photos?delete", body: `<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>`, keys: root}, status: 400, code: "MalformedXML", envelope: "s3"},
		{name: "deletion of an alias", call: call{method: "POST", target: "/photos?delete", body: "<Delete><Object><Key>x/../kept</Key></Object></Delete>", keys: root}, status: 400, code: "InvalidArgument", envelope: "s3"},
		{name: "bucket that is not empty", call: call{method: "DELETE", target: "/photos", keys: root}, status: 409, code: "BucketNotEmpty", envelope: "s3"},
		{name: "POST form", call: call{method: "POST", target: "/photos", body: "x", keys: root, header: header("Content-Type", "multipart/form-data; boundary=x")}, status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "parameter twice", call: get("/photos?prefix=a&prefix=b"), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "NUL in a key", call: get("/photos/a%00b"), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "key that is not UTF-8", call: get("/photos/%ff"), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "key of 1025 bytes", call: get("/photos/" + strings.Repeat("k", 1025)), status: 400, code: "InvalidArgument", envelope: "s3"},
		{name: "unsatisfiable range", call: call{target: "/photos/kept", keys: root, header: header("Range", "bytes=100-200")}, status: 416, code: "InvalidRange", envelope: "s3"},
		{name: "failed condition", call: put("/photos/kept", "x", call{header: header("If-None-Match", "*")}), status: 412, code: "PreconditionFailed", envelope: "s3"},
		{name: "expected owner", call: call{target: "/photos/kept", keys: root, header: header("X-Amz-Expected-Bucket-Owner", accountB)}, status: 403, code: "AccessDenied", envelope: "s3"},
	}
	// Aliases: each of these is the file of another key on the embedded store.
	for _, key := range []string{"./kept", "x/../kept", "x/./y", "a//b", "/kept", "x/..", "..", ".", "%2e%2e/others/secret", "x%2F..%2Fkept", "..%2Fothers%2Fsecret", ".sgwtmp/x", ".sgwtmp", ".sgwtmp%2Fmultipart", "x//"} {
		out = append(out,
			badRequest{name: "GET alias " + key, call: get("/photos/" + key), status: 400, code: "InvalidArgument", envelope: "s3"},
			badRequest{name: "PUT alias " + key, call: put("/photos/"+key, "evil", call{}), status: 400, code: "InvalidArgument", envelope: "s3"},
			badRequest{name: "copy from alias " + key, call: put("/photos/copied", "", call{header: header("X-Amz-Copy-Source", "/photos/"+key)}), status: 400, code: "InvalidArgument", envelope: "s3"},
		)
	}
	for _, prefix := range []string{"../", "./", "x/../", "a//", "/", ".sgwtmp/", "../others/"} {
		out = append(out, badRequest{name: "list alias " + prefix, call: get("/photos?list-type=2&prefix=" + url.QueryEscape(prefix)), status: 400, code: "InvalidArgument", envelope: "s3"})
	}
	return out
}

// badCrossings are attempts of one account on another's things.
func badCrossings(root, role, other, longTerm keys, marker string) []badRequest {
	denied := func(name string, c call) badRequest {
		return badRequest{name: "other root: " + name, call: c, status: 403, code: "AccessDenied", envelope: "s3"}
	}
	as := func(method, target string, headers ...[2]string) call {
		return call{method: method, target: target, keys: other, header: headers}
	}
	head := denied("HEAD", as("HEAD", "/photos/kept"))
	head.code, head.envelope = "", ""
	headBucket := denied("HEAD bucket", as("HEAD", "/photos"))
	headBucket.code, headBucket.envelope = "", ""
	return []badRequest{
		denied("GET", as("GET", "/photos/kept")), head, headBucket,
		denied("GET of nothing", as("GET", "/photos/none")),
		denied("PUT", as("PUT", "/photos/x")),
		denied("DELETE", as("DELETE", "/photos/kept")),
		denied("DELETE bucket", as("DELETE", "/photos")),
		denied("list", as("GET", "/photos?list-type=2")),
		denied("versions", as("GET", "/photos?versions")),
		denied("uploads", as("GET", "/photos?uploads")),
		denied("location", as("GET", "/photos?location")),
		denied("ACL", as("GET", "/photos?acl")),
		denied("tags", as("GET", "/photos?tagging")),
		denied("begin an upload", as("POST", "/photos/x?uploads")),
		denied("copy out", as("PUT", "/others/stolen", [2]string{"X-Amz-Copy-Source", "/photos/kept"})),
		denied("copy out, slash encoded", as("PUT", "/others/stolen", [2]string{"X-Amz-Copy-Source", "photos%2Fkept"})),
		denied("copy in", as("PUT", "/photos/planted", [2]string{"X-Amz-Copy-Source", "/others/secret"})),
		denied("presigned", call{target: "/photos/kept", keys: other, presign: time.Minute}),
		{name: "other root: copy out through dots", call: as("PUT", "/others/stolen", [2]string{"X-Amz-Copy-Source", "/others/../photos/kept"}), status: 400, code: "InvalidArgument", envelope: "s3"},
		{name: "other root: copy out, two sources", call: as("PUT", "/others/stolen", [2]string{"X-Amz-Copy-Source", "/others/secret"}, [2]string{"X-Amz-Copy-Source", "/photos/kept"}), status: 400, code: "InvalidRequest", envelope: "s3"},
		{name: "other root: create its name", call: as("PUT", "/photos"), status: 409, code: "BucketAlreadyExists", envelope: "s3"},
		{name: "role: copy from the other account", call: call{method: "PUT", target: "/photos/stolen", keys: role, header: header("X-Amz-Copy-Source", "/others/secret")}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "role: other account's bucket", call: call{target: "/others/secret", keys: role}, status: 403, code: "AccessDenied", envelope: "s3"},
		{name: "root: other account's user", call: query("iam", other, "Action", "GetUser", "UserName", "alice"), status: 404, code: "NoSuchEntity", envelope: "iam"},
		{name: "root: use of other account's key", call: query("iam", other, "Action", "GetAccessKeyLastUsed", "AccessKeyId", longTerm.AccessKeyID), status: 404, code: "NoSuchEntity", envelope: "iam"},
		{name: "root: use of no key", call: query("iam", other, "Action", "GetAccessKeyLastUsed", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE"), status: 404, code: "NoSuchEntity", envelope: "iam"},
		{name: "root: other account's long-term key", call: query("iam", other, "Action", "DeleteAccessKey", "UserName", "root", "AccessKeyId", longTerm.AccessKeyID), status: 404, code: "NoSuchEntity", envelope: "iam"},
		{name: "root: other account's marker", call: query("iam", other, "Action", "ListUsers", "Marker", marker), status: 400, code: "ValidationError", envelope: "iam"},
		{name: "root: marker of another list", call: query("iam", root, "Action", "ListAccessKeys", "Marker", marker), status: 400, code: "ValidationError", envelope: "iam"},
		{name: "root: other account's key", call: query("iam", other, "Action", "UpdateAccessKey", "UserName", "root", "AccessKeyId", root.AccessKeyID, "Status", "Inactive"), status: 404, code: "NoSuchEntity", envelope: "iam"},
	}
}

func badQueries(root, role keys) []badRequest {
	ident := query("sts", root, "Action", "GetCallerIdentity")
	with := func(c call, change func(*call)) call { change(&c); return c }
	users := func(k keys, parameters ...string) call { return query("iam", k, parameters...) }
	big := strings.Repeat("a", 1<<20)
	return []badRequest{
		{name: "STS unsigned", call: query("sts", keys{}, "Action", "GetCallerIdentity"), status: 403, code: "MissingAuthenticationToken", envelope: "sts"},
		{name: "IAM unsigned", call: users(keys{}, "Action", "ListUsers"), status: 403, code: "MissingAuthenticationToken", envelope: "iam"},
		{name: "unknown action", call: query("sts", root, "Action", "Nonsense"), status: 400, code: "InvalidAction", envelope: "fault"},
		{name: "action not served", call: query("sts", root, "Action", "GetDelegatedAccessToken", "TradeInToken", "x"), status: 400, code: "InvalidAction", envelope: "fault"},
		{name: "unknown version", call: with(ident, func(c *call) { c.body = "Action=GetCallerIdentity&Version=2001-01-01" }), status: 400, code: "InvalidAction", envelope: "fault"},
		{name: "no version", call: with(ident, func(c *call) { c.body = "Action=GetCallerIdentity" }), status: 400, code: "InvalidAction", envelope: "fault"},
		{name: "parameter twice in the body", call: with(ident, func(c *call) { c.body += "&Version=2011-06-15" }), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "Action in query and body", call: with(ident, func(c *call) { c.target = "/?Action=GetCallerIdentity" }), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "other Action in the query", call: with(users(root, "Action", "ListUsers"), func(c *call) { c.target = "/?Action=DeleteUser" }), status: 400, code: "ValidationError", envelope: "iam"},
		{name: "bad escape in the body", call: with(ident, func(c *call) { c.body += "&x=%zz" }), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "body of JSON", call: with(ident, func(c *call) {
			c.target, c.body, c.header = "/?Action=GetCallerIdentity&Version=2011-06-15", `{"a":1}`, header("Content-Type", "application/json")
		}), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "body over 1 MiB", call: with(ident, func(c *call) { c.body += "&x=" + big }), status: 413, code: "RequestEntityTooLarge", envelope: "sts"},
		{name: "web identity over 1 MiB", call: webIdentity(rootARN("123456789012"), big), status: 413, code: "RequestEntityTooLarge", envelope: "iam"},
		{name: "a thousand parameters", call: with(ident, func(c *call) {
			for i := range 1001 {
				c.body += fmt.Sprintf("&p%d=", i)
			}
		}), status: 413, code: "RequestEntityTooLarge", envelope: "sts"},
		{name: "PUT at STS", call: call{method: "PUT", target: "/?Action=GetCallerIdentity&Version=2011-06-15", keys: root, service: "sts"}, status: 405, code: "MethodNotAllowed", envelope: "sts"},
		{name: "body changed after signing", call: with(ident, func(c *call) {
			c.after = func(q *http.Request) {
				p, _ := http.NewRequest("POST", q.URL.String(), strings.NewReader(ident.body+"&x=y"))
				q.Body, q.ContentLength = p.Body, p.ContentLength
			}
		}), status: 403, code: "SignatureDoesNotMatch", envelope: "sts"},
		{name: "presigned call of IAM", call: call{target: "/?Action=ListUsers&Version=2010-05-08", keys: root, service: "iam", presign: time.Minute}, status: 400, code: "IncompleteSignature", envelope: "iam"},
		{name: "expired signature at STS", call: with(ident, func(c *call) { c.at = time.Now().Add(-time.Hour) }), status: 403, code: "SignatureDoesNotMatch", envelope: "sts"},
		{name: "region of nowhere with a slash", call: with(ident, func(c *call) { c.region = "a/b" }), status: 400, code: "SignatureDoesNotMatch", envelope: "sts"},
		{name: "RoleArn missing", call: query("sts", keys{}, "Action", "AssumeRoleWithWebIdentity", "RoleSessionName", "s", "WebIdentityToken", "eyJh"), status: 400, code: "MissingParameter", envelope: "sts"},
		{name: "session name with a slash", call: webIdentity(rootARN("123456789012"), "eyJhbGciOi", "RoleSessionName", "a/b"), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "duration too short", call: webIdentity(rootARN("123456789012"), "eyJhbGciOi", "DurationSeconds", "899"), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "duration too long", call: webIdentity(rootARN("123456789012"), "eyJhbGciOi", "DurationSeconds", "43201"), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "duration that is none", call: webIdentity(rootARN("123456789012"), "eyJhbGciOi", "DurationSeconds", "1e3"), status: 400, code: "ValidationError", envelope: "sts"},
		{name: "token that is none", call: webIdentity(rootARN("123456789012"), "garbage"), status: 400, code: "InvalidIdentityToken", envelope: "sts"},
		{name: "role session at IAM", call: users(role, "Action", "CreateUser", "UserName", "mallory"), status: 403, code: "AccessDenied", envelope: "iam"},
		{name: "role session makes keys", call: users(role, "Action", "CreateAccessKey", "UserName", "alice"), status: 403, code: "AccessDenied", envelope: "iam"},
		{name: "user that is there", call: users(root, "Action", "CreateUser", "UserName", "ALICE"), status: 409, code: "EntityAlreadyExists", envelope: "iam"},
		{name: "user name with a slash", call: users(root, "Action", "CreateUser", "UserName", "a/b"), status: 400, code: "ValidationError", envelope: "iam"},
		{name: "user name of 65", call: users(root, "Action", "CreateUser", "UserName", strings.Repeat("u", 65)), status: 400, code: "ValidationError", envelope: "iam"},
		{name: "path without slash", call: users(root, "Action", "CreateUser", "UserName", "bob", "Path", "x"), status: 400, code: "ValidationError", envelope: "iam"},
		{name: "user that is not there", call: users(root, "Action", "DeleteUser", "UserName", "nobody"), status: 404, code: "NoSuchEntity", envelope: "iam"},
		{name: "status that is none", call: users(root, "Action", "UpdateAccessKey", "UserName", "root", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE", "Status", "Off"), status: 400, code: "ValidationError", envelope: "iam"},
		{name: "marker that is none", call: users(root, "Action", "ListUsers", "Marker", "garbage"), status: 400, code: "ValidationError", envelope: "iam"},
	}
}
