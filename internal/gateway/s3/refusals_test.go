package s3

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestRefusals sends one bad request after the other; testdata holds the
// answers, status and body. None may reach the upstream, or ask for a right
// before its form was judged.
func TestRefusals(t *testing.T) {
	t.Parallel()
	hdr := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	long := strings.Repeat("k", 1025)
	tests := []struct {
		name string
		call call
	}{
		{"anonymous", call{method: "GET", target: "/photos/a", unsigned: true}},
		{"preflight of nobody's bucket", call{method: "OPTIONS", target: "/nobody/a", unsigned: true, header: hdr("Origin", "https://x", "Access-Control-Request-Method", "PUT")}},
		{"authorization header malformed", call{method: "PUT", target: "/photos/a", unsigned: true, header: hdr("Authorization", "AWS4-HMAC-SHA256 x")}},
		{"sigv2 presigned", call{method: "GET", target: "/photos/a?AWSAccessKeyId=A&Signature=B&Expires=1", unsigned: true}},
		{"unknown marker", call{method: "GET", target: "/photos/a?torrent"}},
		{"second marker", call{method: "GET", target: "/photos/a?acl&tagging"}},
		{"marker of another level", call{method: "GET", target: "/photos/a?cors"}},
		{"method not in the table", call{method: "PATCH", target: "/photos/a"}},
		{"POST form", call{method: "POST", target: "/photos", header: hdr("Content-Type", "multipart/form-data; boundary=x")}},
		{"preflight without origin", call{method: "OPTIONS", target: "/photos/a", unsigned: true}},
		{"preflight for PATCH", call{method: "OPTIONS", target: "/photos/a", unsigned: true, header: hdr("Origin", "https://x", "Access-Control-Request-Method", "PATCH")}},
		{"bucket policy", call{method: "GET", target: "/photos?policy"}},
		{"bucket policy put", call{method: "PUT", target: "/photos?policy", body: "{}", header: hdr("X-Amz-Confirm-Remove-Self-Bucket-Access", "perhaps")}},
		{"public access", call{method: "PUT", target: "/photos?publicAccessBlock", body: "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>"}},
		{"ownership of writers", call{method: "PUT", target: "/photos?ownershipControls", body: "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>"}},
		{"cors with two stars", call{method: "PUT", target: "/photos?cors", body: "<CORSConfiguration><CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"}},
		{"tag twice", call{method: "PUT", target: "/photos/a?tagging", body: "<Tagging><TagSet><Tag><Key>a</Key></Tag><Tag><Key>a</Key></Tag></TagSet></Tagging>"}},
		{"part by copy of a folder", call{method: "PUT", target: "/photos/a?partNumber=1&uploadId=1", header: hdr("X-Amz-Copy-Source", "music/dir/")}},
		{"replication", call{method: "PUT", target: "/photos?replication", body: "<x/>"}},
		{"encryption", call{method: "GET", target: "/photos?encryption"}},
		{"encryption deleted", call{method: "DELETE", target: "/photos?encryption"}},
		{"lifecycle", call{method: "GET", target: "/photos?lifecycle"}},
		{"select", call{method: "POST", target: "/photos/a?select&select-type=2", body: "<x/>"}},
		{"unknown amz header", call{method: "PUT", target: "/photos/a", body: "x", header: hdr("X-Amz-Write-Offset-Bytes", "0")}},
		{"website redirect header", call{method: "PUT", target: "/photos/a", body: "x", header: hdr("X-Amz-Website-Redirect-Location", "/b")}},
		{"kms key header", call{method: "PUT", target: "/photos/a", body: "x", header: hdr("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "k")}},
		{"parameter twice", call{method: "GET", target: "/photos?prefix=a&prefix=b"}},
		{"empty version", call{method: "GET", target: "/photos/a?versionId="}},
		{"version with slashes", call{method: "GET", target: "/photos/a?versionId=..%2F..%2Fmusic"}},
		{"upload id with dots", call{method: "PUT", target: "/photos/a?partNumber=1&uploadId=..", body: "x"}},
		{"bucket name", call{method: "GET", target: "/Photos/a"}},
		{"bucket name with a slash", call{method: "GET", target: "/pho%2Ftos/a"}},
		{"bucket name of a dialect", call{method: "PUT", target: "/apis"}},
		{"bucket name of a dialect escaped", call{method: "GET", target: "/%61pis/x"}},
		{"no bucket", call{method: "GET", target: "//a"}},
		{"two labels", call{method: "GET", target: "/a", host: "a.photos.s3.example.test"}},
		{"dot segment", call{method: "GET", target: "/photos/a/./b"}},
		{"dot dot segment", call{method: "GET", target: "/photos/a/../b"}},
		{"dot dot escaped", call{method: "GET", target: "/photos/%2e%2E%2fmusic"}},
		{"empty segment", call{method: "PUT", target: "/photos/a//b", body: "x"}},
		{"leading slash", call{method: "PUT", target: "/photos//b", body: "x"}},
		{"working prefix", call{method: "GET", target: "/photos/.sgwtmp/multipart/x"}},
		{"working prefix listed", call{method: "GET", target: "/photos?prefix=.sgwtmp/"}},
		{"key too long", call{method: "GET", target: "/photos/" + long}},
		{"key with NUL", call{method: "GET", target: "/photos/%00"}},
		{"no such bucket", call{method: "GET", target: "/nobody/a"}},
		{"copy source alias", call{method: "PUT", target: "/photos/a", header: hdr("X-Amz-Copy-Source", "music/x/../y")}},
		{"copy source form", call{method: "PUT", target: "/photos/a", header: hdr("X-Amz-Copy-Source", "music")}},
		{"copy source access point", call{method: "PUT", target: "/photos/a", header: hdr("X-Amz-Copy-Source", "arn:aws:s3:x:1:accesspoint/p/object/k")}},
		{"copy source without bucket", call{method: "PUT", target: "/photos/a", header: hdr("X-Amz-Copy-Source", "nobody/k")}},
		{"delete alias", call{method: "POST", target: "/photos?delete", body: "<Delete><Object><Key>a</Key></Object><Object><Key>a//b</Key></Object></Delete>"}},
		{"delete not XML", call{method: "POST", target: "/photos?delete", body: "<Delete><Object>"}},
		{"delete nothing", call{method: "POST", target: "/photos?delete", body: "<Delete></Delete>"}},
		{"delete too many", call{method: "POST", target: "/photos?delete", body: "<Delete>" + strings.Repeat("<Object><Key>a</Key></Object>", 1001) + "</Delete>"}},
		{"delete doctype", call{method: "POST", target: "/photos?delete", body: `<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>`}},
		{"delete too large", call{method: "POST", target: "/photos?delete", body: strings.Repeat(" ", maxDeleteBody+maxFraming+1)}},
		{"delete md5", call{method: "POST", target: "/photos?delete", body: "<Delete/>", header: hdr("Content-Md5", md5Base64("other"))}},
		{"document checksum", call{method: "PUT", target: "/photos/a?tagging", body: "<Tagging/>", header: hdr("X-Amz-Checksum-Crc32", base64Sum(sigv4.CRC32, "other"))}},
		{"document hash", call{method: "PUT", target: "/photos/a?tagging", body: "<Tagging/>", payload: sha256Hex("other")}},
		{"unserved streaming mode", call{method: "PUT", target: "/photos/a", body: "x", payload: "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}},
		{"no length", call{method: "PUT", target: "/photos/a", body: "x", noLength: true, payload: sigv4.UnsignedPayload}},
		{"two checksums", call{method: "PUT", target: "/photos/a", body: "x", header: hdr("X-Amz-Checksum-Crc32", "AAAAAA==", "X-Amz-Checksum-Sha1", "x")}},
		{"checksum value", call{method: "PUT", target: "/photos/a", body: "x", payload: sigv4.UnsignedPayload, header: hdr("X-Amz-Checksum-Crc32", "zz")}},
		{"md5 value", call{method: "PUT", target: "/photos/a", body: "x", payload: sigv4.UnsignedPayload, header: hdr("Content-Md5", "zz")}},
		{"canned acl", call{method: "PUT", target: "/photos/a", body: "x", header: hdr("X-Amz-Acl", "public-read-write")}},
		{"acl grants", call{method: "PUT", target: "/photos/a?acl", header: hdr("X-Amz-Grant-Read", `uri="all"`)}},
		{"acl document", call{method: "PUT", target: "/photos?acl", body: "<AccessControlPolicy><AccessControlList><Grant><Grantee><ID>1</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"}},
		{"acl nothing", call{method: "PUT", target: "/photos?acl"}},
		{"tags header", call{method: "PUT", target: "/photos/a", body: "x", header: hdr("X-Amz-Tagging", "a=1&a=2")}},
		{"expected owner", call{method: "GET", target: "/photos/a", header: hdr("X-Amz-Expected-Bucket-Owner", "1")}},
		{"expected source owner", call{method: "PUT", target: "/photos/a", header: hdr("X-Amz-Copy-Source", "music/k", "X-Amz-Source-Expected-Bucket-Owner", "1")}},
		{"create own bucket", call{method: "PUT", target: "/photos"}},
		{"create another's bucket", call{method: "PUT", target: "/theirs"}},
		{"create with bad XML", call{method: "PUT", target: "/new-bucket", body: "<x/>"}},
		{"create in a strange place", call{method: "PUT", target: "/new-bucket", body: "<CreateBucketConfiguration><LocationConstraint>&lt;x&gt;</LocationConstraint></CreateBucketConfiguration>"}},
		{"continuation token", call{method: "GET", target: "/?continuation-token=%21"}},
		{"max buckets", call{method: "GET", target: "/?max-buckets=0"}},
		{"head", call{method: "HEAD", target: "/nobody/a"}},
	}
	q := newRig(t, nil)
	var b strings.Builder
	for _, tt := range tests {
		q.access.take()
		got := q.do(tt.call)
		fmt.Fprintf(&b, "== %s\n%s %.60s\n%d\n%s\n", tt.name, tt.call.method, tt.call.target, got.Status, got.Body)
		if up := q.store.take(); len(up) > 0 {
			t.Errorf("%s: reached the upstream: %s", tt.name, up[0].Line)
		}
		if got.Header.Get("X-Amz-Request-Id") != "REQ1" || got.Header.Get("X-Amz-Id-2") != HostID {
			t.Errorf("%s: no request ID", tt.name)
		}
		if asked := q.access.take(); strings.Contains(got.Body, "<Code>InvalidArgument") && len(asked) > 0 && !strings.HasPrefix(tt.call.target, "/?") {
			t.Errorf("%s: asked %v before the key was judged", tt.name, asked)
		}
	}
	const golden = "testdata/refusals.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("answers differ from %s; run with -update and look at the difference\n%s", golden, firstDifference(string(want), b.String()))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w[i], g[min(i, len(g)-1)])
		}
	}
	return "more lines than wanted"
}

// TestTamperedBodiesNeverComplete: the upstream must see such a body fail, not
// end.
func TestTamperedBodiesNeverComplete(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 20000)
	good := framed(content, sigv4.CRC32)
	trailer := map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": fmt.Sprint(len(content))}
	flip := func(s string, at int) string { return s[:at] + string(s[at]^1) + s[at+1:] }
	tests := []struct {
		name string
		call call
		code string
	}{
		{"hash", call{body: flip(content, len(content)-1), payload: sha256Hex(content)}, "XAmzContentSHA256Mismatch"},
		{"trailer data", call{body: flip(good, len(good)/2), payload: sigv4.StreamingUnsignedTrailer, header: trailer}, "BadDigest"},
		{"trailer value", call{body: strings.Replace(good, base64Sum(sigv4.CRC32, content), "AAAAAA==", 1), payload: sigv4.StreamingUnsignedTrailer, header: trailer}, "BadDigest"},
		{"trailer cut", call{body: good[:len(good)-4], payload: sigv4.StreamingUnsignedTrailer, header: trailer}, "IncompleteBody"},
		{"last chunk cut", call{body: good[:len(good)-100], payload: sigv4.StreamingUnsignedTrailer, header: trailer}, "IncompleteBody"},
		{"checksum header", call{body: content, payload: sigv4.UnsignedPayload, header: map[string]string{"X-Amz-Checksum-Sha256": base64Sum(sigv4.SHA256, "other")}}, "BadDigest"},
		{"md5 header", call{body: content, payload: sigv4.UnsignedPayload, header: map[string]string{"Content-Md5": md5Base64("other")}}, "BadDigest"},
		{"empty hash with a body", call{body: content, payload: sigv4.EmptySHA256}, "XAmzContentSHA256Mismatch"},
	}
	for _, mode := range []upstream.Mode{upstream.Reframe, upstream.Passthrough, upstream.Plain} {
		for _, tt := range tests {
			if mode == upstream.Passthrough && strings.HasSuffix(tt.name, "header") || mode == upstream.Plain && tt.name == "md5 header" {
				continue // the upstream's to check
			}
			t.Run(string(mode)+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				q := newRig(t, nil)
				q.up.Mode = mode
				c := tt.call
				c.method, c.target = "PUT", "/photos/a"
				got := q.do(c)
				if !strings.Contains(got.Body, "<Code>"+tt.code+"</Code>") {
					t.Errorf("answer %d %s, want %s", got.Status, got.Body, tt.code)
				}
				for _, up := range q.store.take() {
					if up.Err == nil {
						t.Errorf("the upstream got a whole body of %d bytes", len(up.Body))
					}
				}
			})
		}
	}
}

func TestBodyErrorKinds(t *testing.T) {
	t.Parallel()
	known := map[identity.Kind]bool{}
	for _, k := range identity.Kinds() {
		known[k] = true
	}
	for _, f := range sigv4.Failures() {
		if k := identity.KindOf(bodyError(&sigv4.Error{Failure: f})); !known[k] {
			t.Errorf("failure %s has no kind", f)
		}
	}
}
