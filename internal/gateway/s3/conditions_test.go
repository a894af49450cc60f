package s3

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type header = map[string]string

// TestConditionKeys: what each right of a request is asked with, beyond the
// signature's own keys.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	tagging := "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
	tests := []struct {
		name string
		call call
		want map[string]map[string]string // action: key: values
	}{
		{"read", call{method: "GET", target: "/photos/k", header: header{"If-Match": "x", "Range": "bytes=0-1"}}, map[string]map[string]string{"s3:GetObject": {}}},
		{"version", call{method: "HEAD", target: "/photos/k?versionId=v1"}, map[string]map[string]string{"s3:GetObjectVersion": {"s3:VersionId": "v1"}}},
		{"list", call{method: "GET", target: "/photos?prefix=a%2Fb+c&delimiter=%2F&max-keys=007"}, map[string]map[string]string{
			"s3:ListBucket": {"s3:prefix": "a/b c", "s3:delimiter": "/", "s3:max-keys": "007"},
		}},
		{"list v2", call{method: "GET", target: "/photos?list-type=2&prefix=%61&start-after=b"}, map[string]map[string]string{"s3:ListBucket": {"s3:prefix": "a"}}},
		{"empty prefix", call{method: "GET", target: "/photos?list-type=2&prefix="}, map[string]map[string]string{"s3:ListBucket": {"s3:prefix": ""}}},
		{"prefix without value", call{method: "GET", target: "/photos?prefix"}, map[string]map[string]string{"s3:ListBucket": {"s3:prefix": ""}}},
		{"no prefix", call{method: "GET", target: "/photos"}, map[string]map[string]string{"s3:ListBucket": {}}},
		{"head bucket", call{method: "HEAD", target: "/photos"}, map[string]map[string]string{"s3:ListBucket": {}}},
		{"list versions", call{method: "GET", target: "/photos?versions&prefix=a&max-keys=1"}, map[string]map[string]string{"s3:ListBucketVersions": {"s3:prefix": "a", "s3:max-keys": "1"}}},
		{"list uploads", call{method: "GET", target: "/photos?uploads&prefix=a"}, map[string]map[string]string{"s3:ListBucketMultipartUploads": {}}},
		{"write", call{method: "PUT", target: "/photos/k", header: header{
			"X-Amz-Tagging": "a=b%20c&d=", "X-Amz-Acl": "private", "X-Amz-Server-Side-Encryption": "AES256", "X-Amz-Storage-Class": "STANDARD_IA", "If-None-Match": "*",
		}}, map[string]map[string]string{
			"s3:PutObject": {
				"s3:x-amz-acl": "private", "s3:RequestObjectTag/a": "b c", "s3:RequestObjectTag/d": "", "s3:RequestObjectTagKeys": "a,d",
				"s3:x-amz-server-side-encryption": "AES256", "s3:x-amz-storage-class": "STANDARD_IA", "s3:if-none-match": "*",
			},
			"s3:PutObjectAcl": {"s3:x-amz-acl": "private"}, "s3:PutObjectTagging": {"s3:RequestObjectTag/a": "b c"},
		}},
		{"tags that differ in case", call{method: "PUT", target: "/photos/k", header: header{"X-Amz-Tagging": "a=1&A=2&\u0251=3"}}, map[string]map[string]string{
			"s3:PutObject": {"s3:RequestObjectTag/a": "1,2", "s3:RequestObjectTagKeys": "A,a,\u0251"},
		}},
		{"customer's key", call{method: "PUT", target: "/photos/k", header: header{"X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256"}}, map[string]map[string]string{
			"s3:PutObject": {"s3:x-amz-server-side-encryption-customer-algorithm": "AES256"},
		}},
		{"lock", call{method: "PUT", target: "/photos/k", header: header{"X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2026-01-04T03:04:05Z", "X-Amz-Object-Lock-Legal-Hold": "ON"}}, map[string]map[string]string{
			"s3:PutObjectRetention": {"s3:object-lock-mode": "GOVERNANCE", "s3:object-lock-remaining-retention-days": "2"}, "s3:PutObjectLegalHold": {"s3:object-lock-legal-hold": "ON"},
		}},
		{"copy", call{method: "PUT", target: "/photos/k", header: header{"X-Amz-Copy-Source": "%2fmusic%2Fa%20b+c?versionId=v2", "X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Tagging": "a=1"}}, map[string]map[string]string{
			"s3:PutObject":        {"s3:x-amz-copy-source": "music/a%20b%20c?versionId=v2", "s3:x-amz-metadata-directive": "REPLACE"}, // and no tags: they will be the source's
			"s3:GetObjectVersion": {"s3:VersionId": "v2"}, "s3:GetObjectVersionTagging": {"s3:VersionId": "v2"},
		}},
		{"copy with tags", call{method: "PUT", target: "/photos/k", header: header{"X-Amz-Copy-Source": "music/a", "X-Amz-Tagging": "a=1", "X-Amz-Tagging-Directive": "REPLACE"}}, map[string]map[string]string{
			"s3:PutObject": {"s3:RequestObjectTag/a": "1", "s3:x-amz-copy-source": "music/a"}, "s3:GetObject": {},
		}},
		{"bucket tags", call{method: "PUT", target: "/photos?tagging", body: tagging}, map[string]map[string]string{"s3:PutBucketTagging": {"aws:RequestTag/a": "1", "aws:TagKeys": "a"}}},
		{"object tags", call{method: "PUT", target: "/photos/k?tagging", body: tagging}, map[string]map[string]string{"s3:PutObjectTagging": {"s3:RequestObjectTag/a": "1", "s3:RequestObjectTagKeys": "a"}}},
		{"create", call{method: "PUT", target: "/new-bucket", header: header{"X-Amz-Object-Ownership": "BucketOwnerEnforced"}, body: "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"}, map[string]map[string]string{
			"s3:CreateBucket": {"s3:locationconstraint": "eu-west-1", "s3:x-amz-object-ownership": "BucketOwnerEnforced"},
		}},
		{"delete many", call{method: "POST", target: "/photos?delete", body: "<Delete><Object><Key>k</Key><VersionId>v3</VersionId></Object></Delete>"}, map[string]map[string]string{"s3:DeleteObjectVersion": {"s3:VersionId": "v3"}}},
	}
	q := newRig(t, nil)
	for _, tt := range tests {
		for _, presigned := range []bool{false, true} {
			if presigned && tt.call.body != "" {
				continue
			}
			tt.call.presigned = presigned
			q.access.take()
			q.do(tt.call)
			asked, all := q.access.asked, q.access.keys
			for action, want := range tt.want {
				i := slices.IndexFunc(asked, func(a string) bool { return strings.HasPrefix(a, action+" ") })
				if i < 0 {
					t.Errorf("%s: %s was not asked for, but %v", tt.name, action, asked)
					continue
				}
				got := map[string]string{}
				for k, v := range all[i] {
					got[k] = strings.Join(v, ",")
				}
				if v := got["s3:RequestObjectTag/a"]; v == "2,1" {
					got["s3:RequestObjectTag/a"] = "1,2"
				}
				signature := map[string]string{"s3:authType": "REST-HEADER", "s3:signatureversion": "AWS4-HMAC-SHA256", "s3:x-amz-content-sha256": sha256Hex(tt.call.body)}
				if presigned {
					signature["s3:authType"], signature["s3:signatureAge"], signature["s3:x-amz-content-sha256"] = "REST-QUERY-STRING", "0", "UNSIGNED-PAYLOAD"
				}
				for k, v := range signature {
					if got[k] != v {
						t.Errorf("%s, %s: %s is %q, want %q", tt.name, action, k, got[k], v)
					}
					delete(got, k)
				}
				for k, v := range want {
					if g, ok := got[k]; !ok || g != v {
						t.Errorf("%s, %s: %s is %q (%v), want %q", tt.name, action, k, g, ok, v)
					}
				}
				if len(tt.want) == 1 && len(got) != len(want) {
					t.Errorf("%s, %s: further keys in %v", tt.name, action, got)
				}
			}
		}
	}
}

// TestJudgedValues: what policy and store could read differently is refused.
func TestJudgedValues(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	for _, c := range []call{
		{method: "GET", target: "/photos?max-keys=%201000"},
		{method: "GET", target: "/photos?max-keys=%2B1"},
		{method: "GET", target: "/photos?max-keys=1e3"},
		{method: "GET", target: "/photos?max-keys=-1"},
		{method: "GET", target: "/photos?max-keys="},
		{method: "GET", target: "/photos?max-keys=4294967297"},
		{method: "GET", target: "/photos?prefix=a&prefix=b"},
		{method: "GET", target: "/photos?prefix=a&Prefix=b"},
		{method: "GET", target: "/photos?Prefix=b"},
		{method: "GET", target: "/photos?list-type=2&prefix=a&%70refix=b"},
		{method: "GET", target: "/photos?prefix=a%2F..%2Fb"},
		{method: "GET", target: "/photos?prefix=a%2F%2Fb"},
		{method: "GET", target: "/photos?prefix=.%2Fb"},
		{method: "PUT", target: "/photos/k", header: header{"X-Amz-Copy-Source": "music/public%2F..%2Fsecret"}},
		{method: "PUT", target: "/photos/k", header: header{"X-Amz-Copy-Source": "music/k", "X-Amz-Tagging-Directive": "replace"}},
		{method: "PUT", target: "/photos/k", header: header{"X-Amz-Copy-Source": "music/k", "X-Amz-Metadata-Directive": "Replace"}},
	} {
		got := q.do(c)
		if got.Status != http.StatusBadRequest && got.Status != http.StatusNotImplemented {
			t.Errorf("%s %v: %d %s", c.target, c.header, got.Status, got.Body)
		}
		if up := q.store.take(); len(up) != 0 {
			t.Errorf("%s: the upstream got %s", c.target, up[0].Line)
		}
	}
}

// TestExistingObjectTag: the tags of the stored object are read once, where a
// policy reads them and AWS has the key; doubt refuses.
func TestExistingObjectTag(t *testing.T) {
	t.Parallel()
	tags := func(pairs ...string) string {
		s := "<Tagging><TagSet>"
		for i := 0; i < len(pairs); i += 2 {
			s += "<Tag><Key>" + pairs[i] + "</Key><Value>" + pairs[i+1] + "</Value></Tag>"
		}
		return s + "</TagSet></Tagging>"
	}
	get := call{method: "GET", target: "/photos/dir/k"}
	tests := []struct {
		name    string
		call    call
		status  int // of the answer about tags
		body    string
		want    int
		lookups []string
	}{
		{"tag", get, 200, tags("public", "yes"), 200, []string{"GET /photos/dir/k?tagging="}},
		{"another value", get, 200, tags("public", "no"), 403, []string{"GET /photos/dir/k?tagging="}},
		{"other case", get, 200, tags("PubliC", "yes"), 200, []string{"GET /photos/dir/k?tagging="}},
		{"twice by case", get, 200, tags("public", "yes", "Public", "no"), 403, []string{"GET /photos/dir/k?tagging="}},
		{"no tags", get, 404, "<Error><Code>NoSuchTagSet</Code></Error>", 403, []string{"GET /photos/dir/k?tagging="}},
		{"no object", get, 404, "<Error><Code>NoSuchKey</Code></Error>", 403, []string{"GET /photos/dir/k?tagging="}},
		{"delete marker", get, 405, "<Error><Code>MethodNotAllowed</Code></Error>", 403, []string{"GET /photos/dir/k?tagging="}},
		{"version", call{method: "HEAD", target: "/photos/k?versionId=v1"}, 200, tags("public", "yes"), 200, []string{"GET /photos/k?tagging=&versionId=v1"}},
		{"several rights", call{method: "GET", target: "/photos/k?attributes", header: header{"X-Amz-Object-Attributes": "ETag"}}, 200, tags("public", "yes"), 200, []string{"GET /photos/k?tagging="}},
		{"acl", call{method: "PUT", target: "/photos/k?acl", header: header{"X-Amz-Acl": "private"}}, 200, tags("public", "yes"), 200, []string{"GET /photos/k?tagging="}},
		{"put has no such key", call{method: "PUT", target: "/photos/k"}, 200, tags("public", "yes"), 403, nil},
		{"delete has no such key", call{method: "DELETE", target: "/photos/k"}, 200, tags("public", "yes"), 403, nil},
		{"list has no such key", call{method: "GET", target: "/photos"}, 200, tags("public", "yes"), 403, nil},
	}
	for _, tt := range tests {
		q := newRig(t, nil)
		q.access.reads = "public"
		q.store.reply = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("tagging") {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}
		}
		if got := q.do(tt.call); got.Status != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, got.Status, got.Body, tt.want)
		}
		var lookups []string
		for _, up := range q.store.take() {
			if strings.Contains(up.Line, "tagging=") {
				lookups = append(lookups, up.Line)
			}
		}
		if diff := cmp.Diff(tt.lookups, lookups); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestUnreadableTags: a policy that read tags which could not be had does not
// allow, whatever it made of that.
func TestUnreadableTags(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	for name, reply := range map[string]func(http.ResponseWriter){
		"refused":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		"unserved":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotImplemented) },
		"not XML":   func(w http.ResponseWriter) { _, _ = w.Write([]byte("{}")) },
		"too long":  func(w http.ResponseWriter) { _, _ = w.Write([]byte(strings.Repeat(" ", maxDocument+1))) },
		"elsewhere": func(w http.ResponseWriter) { w.WriteHeader(http.StatusFound) },
	} {
		q.store.reply = func(w http.ResponseWriter, _ *http.Request) { reply(w) }
		q.access.reads, q.access.lenient = "public", true
		if got := q.do(call{method: "GET", target: "/photos/k"}); got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if up := q.store.take(); len(up) != 1 || up[0].Line != "GET /photos/k?tagging=" {
			t.Errorf("%s: the upstream got %+v", name, up)
		}
	}
}

// TestCopiedTags: who may not read the source's tags, or set tags, can copy
// only what has none.
func TestCopiedTags(t *testing.T) {
	t.Parallel()
	const tagged = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
	copying := func(h header) call {
		m := header{"X-Amz-Copy-Source": "music/a"}
		for k, v := range h {
			m[k] = v
		}
		return call{method: "PUT", target: "/photos/k", header: m}
	}
	for _, tt := range []struct {
		name, deny, tags string
		call             call
		want             int
		directive        string
	}{
		{"all rights", "", tagged, copying(nil), 200, ""},
		{"may not read them", "s3:GetObjectTagging", tagged, copying(nil), 403, ""},
		{"may not set them", "s3:PutObjectTagging", tagged, copying(header{"X-Amz-Tagging-Directive": "COPY"}), 403, ""},
		{"there are none", "s3:GetObjectTagging", "<Tagging><TagSet></TagSet></Tagging>", copying(nil), 200, "REPLACE"},
		{"replaced", "s3:GetObjectTagging", tagged, copying(header{"X-Amz-Tagging-Directive": "REPLACE", "X-Amz-Tagging": "b=2"}), 200, "REPLACE"},
		{"set without the right", "s3:PutObjectTagging", "", copying(header{"X-Amz-Tagging-Directive": "REPLACE", "X-Amz-Tagging": "b=2"}), 403, ""},
		{"unreadable", "s3:GetObjectTagging", "{", copying(nil), 503, ""},
	} {
		q := newRig(t, nil)
		q.access.deny[tt.deny] = true
		q.store.reply = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("tagging") {
				_, _ = w.Write([]byte(tt.tags))
				return
			}
			_, _ = w.Write([]byte("<CopyObjectResult></CopyObjectResult>"))
		}
		if got := q.do(tt.call); got.Status != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, got.Status, got.Body, tt.want)
		}
		up := q.store.take()
		if copied := len(up) > 0 && strings.HasPrefix(up[len(up)-1].Line, "PUT"); copied != (tt.want == 200) ||
			copied && up[len(up)-1].Header.Get(headerTaggingDirective) != tt.directive {
			t.Errorf("%s: the upstream got %+v", tt.name, up)
		}
	}
}

// TestFormKeys: policies see the fields of a form as they see headers.
func TestFormKeys(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.do(post(form("dir/k", "f", "text", [2]string{"acl", "private"}, [2]string{"x-amz-storage-class", "STANDARD_IA"},
		[2]string{"tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"})))
	if diff := cmp.Diff([]string{"s3:PutObject photos/dir/k", "s3:PutObjectTagging photos/dir/k", "s3:PutObjectAcl photos/dir/k"}, q.access.asked); diff != "" {
		t.Fatal(diff)
	}
	got := q.access.keys[0]
	for key, want := range map[string]string{
		"s3:authType": "POST", "s3:signatureAge": "0", "s3:x-amz-acl": "private", "s3:x-amz-storage-class": "STANDARD_IA",
		"s3:RequestObjectTag/a": "1", "s3:RequestObjectTagKeys": "a",
	} {
		if v, ok := got[key]; !ok || strings.Join(v, ",") != want {
			t.Errorf("%s is %q, want %q", key, v, want)
		}
	}
}

// TestPartsAreJudgedByTheirUpload: what CreateMultipartUpload said counts for
// its parts and its completion, and for no other upload's.
func TestPartsAreJudgedByTheirUpload(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	q.store.reply = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("uploads") {
			_, _ = w.Write([]byte("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"))
		}
	}
	q.do(call{method: "POST", target: "/photos/k?uploads", header: header{"X-Amz-Server-Side-Encryption": "AES256", "X-Amz-Tagging": "a=1"}})
	for target, want := range map[string]string{
		"PUT /photos/k?partNumber=1&uploadId=u1": "AES256 1", "POST /photos/k?uploadId=u1": "AES256 1",
		"PUT /photos/k?partNumber=1&uploadId=u2": " ", "PUT /photos/other?partNumber=1&uploadId=u1": " ", "PUT /photos/k": " ",
		"GET /photos/k?uploadId=u1": " ",
	} {
		q.access.take()
		method, path, _ := strings.Cut(target, " ")
		q.do(call{method: method, target: path})
		got := q.access.keys[0]
		if s := strings.Join(got["s3:x-amz-server-side-encryption"], ",") + " " + strings.Join(got["s3:RequestObjectTag/a"], ","); s != want {
			t.Errorf("%s: %q, want %q", target, s, want)
		}
	}
}
