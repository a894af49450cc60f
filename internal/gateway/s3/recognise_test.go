package s3

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"daypass/internal/identity"
)

var testBases = []string{"s3.example.test", "demo.s3.example.test"}

func recognised(method, uri, host string, header http.Header) (string, Target, error) {
	t, err := ParseTarget(uri, host, testBases)
	if err != nil {
		return "", t, err
	}
	op, err := Recognise(method, &t, header)
	if err != nil {
		return "", t, err
	}
	return op.Name, t, nil
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	copies := http.Header{headerCopySource: {"b/k"}}
	tests := []struct {
		method, uri string
		header      http.Header
		want        string // operation, or kind of the refusal
	}{
		{"GET", "/", nil, "ListBuckets"},
		{"GET", "/?max-buckets=2&x-id=ListBuckets", nil, "ListBuckets"},
		{"HEAD", "/", nil, "not-implemented"},
		{"POST", "/", nil, "not-implemented"},
		{"PUT", "/photos", nil, "CreateBucket"},
		{"PUT", "/photos/", nil, "CreateBucket"},
		{"GET", "/photos", nil, "ListObjects"},
		{"GET", "/photos?prefix=a;b&delimiter=/&max-keys=2&marker=m&encoding-type=url", nil, "ListObjects"},
		{"GET", "/photos?list-type=2&prefix=a&start-after=x&fetch-owner=true", nil, "ListObjectsV2"},
		{"GET", "/photos?list-type=1", nil, "not-implemented"},
		{"GET", "/photos?versions&prefix=a", nil, "ListObjectVersions"},
		{"GET", "/photos?versions&uploads", nil, "not-implemented"},
		{"GET", "/photos?acl&policy", nil, "not-implemented"},
		{"GET", "/photos?acl=", nil, "GetBucketAcl"},
		{"GET", "/photos?analytics&id=1", nil, "not-implemented"},
		{"GET", "/photos?ACL", nil, "not-implemented"},
		{"GET", "/photos?versionId=1", nil, "not-implemented"},
		{"POST", "/photos?delete", nil, "DeleteObjects"},
		{"POST", "/photos", nil, "not-implemented"},
		{"GET", "/photos/a", nil, "GetObject"},
		{"GET", "/photos/a?partNumber=2&versionId=x&response-expires=0", nil, "GetObject"},
		{"GET", "/photos/a?uploadId=1", nil, "ListParts"},
		{"GET", "/photos/a?uploadId=1&partNumber=2", nil, "not-implemented"},
		{"GET", "/photos/a?torrent", nil, "not-implemented"},
		{"GET", "/photos/a?acl&tagging", nil, "not-implemented"},
		{"GET", "/photos/a?unknown", nil, "not-implemented"},
		{"GET", "/photos/a?versionId=", nil, "invalid-key"},
		{"GET", "/photos/a?versionId=1&versionId=2", nil, "invalid-request"},
		{"GET", "/photos/a?versionId=1&VersionID=2", nil, "invalid-request"},
		{"PUT", "/photos/a", nil, "PutObject"},
		{"PUT", "/photos/a?partNumber=1", nil, "not-implemented"},
		{"PUT", "/photos/a?partNumber=1&uploadId=2", nil, "UploadPart"},
		{"PUT", "/photos/a?versionId=1", nil, "not-implemented"},
		{"PUT", "/photos/a?renameObject", nil, "not-implemented"},
		{"PUT", "/photos/a", copies, "CopyObject"},
		{"PUT", "/photos/a?partNumber=1&uploadId=2", copies, "UploadPartCopy"},
		{"PUT", "/photos/a?tagging", copies, "not-implemented"},
		{"PUT", "/photos", copies, "not-implemented"},
		{"GET", "/photos/a", copies, "not-implemented"},
		{"POST", "/photos/a?uploads", nil, "CreateMultipartUpload"},
		{"POST", "/photos/a?uploadId=1", nil, "CompleteMultipartUpload"},
		{"POST", "/photos/a?select&select-type=2", nil, "not-implemented"},
		{"DELETE", "/photos/a?uploadId=1", nil, "AbortMultipartUpload"},
		{"DELETE", "/photos/a?acl", nil, "not-implemented"},
		{"PATCH", "/photos/a", nil, "not-implemented"},
		{"OPTIONS", "/photos/a", nil, "not-implemented"},
		{"GET", "//a", nil, "invalid-bucket-name"},
		{"GET", "/photos//", nil, "GetObject"},
		{"GET", "http://h/photos/a", nil, "GetObject"},
		{"OPTIONS", "*", nil, "invalid-request"},
		{"GET", "/photos/%zz", nil, "invalid-request"},
		{"GET", "/photos/%00", nil, "invalid-request"},
		{"GET", "/photos/%ff", nil, "invalid-request"},
		{"GET", "/photos/a?%zz", nil, "invalid-request"},
		{"GET", "/WriteGetObjectResponse", nil, "ListObjects"}, // then InvalidBucketName
	}
	for _, tt := range tests {
		got, _, err := recognised(tt.method, tt.uri, "127.0.0.1:8080", tt.header)
		if err != nil {
			got = string(identity.KindOf(err))
		}
		if got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.method, tt.uri, got, tt.want)
		}
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	tests := []struct{ uri, host, bucket, key, raw string }{
		{"/photos/a%2Fb", "x", "photos", "a/b", "a/b"},
		{"/photos/a+b%2bc", "x", "photos", "a+b+c", "a%2Bb%2Bc"},
		{"/photos/%c3%a9/ü", "x", "photos", "é/ü", "%C3%A9/%C3%BC"},
		{"/photos/./../a//b", "x", "photos", "./../a//b", "./../a//b"},
		{"/ph%6ftos/a%252F", "x", "photos", "a%2F", "a%252F"},
		{"/a/b", "S3.Example.Test:8080", "a", "b", "b"},
		{"/a/b", "photos.s3.example.test", "photos", "a/b", "a/b"},
		{"/", "photos.s3.example.test.", "photos", "", ""},
		{"//a", "photos.s3.example.test", "photos", "/a", "/a"},
		{"/a/b", "demo.s3.example.test", "a", "b", "b"},
		{"/a/b", "photos.demo.s3.example.test", "photos", "a/b", "a/b"},
		{"/a/b", "x.photos.demo.s3.example.test", ".", "a/b", "a/b"},
		{"/a/b", "evils3.example.test", "a", "b", "b"},
		{"/a/b", "[::1]:80", "a", "b", "b"},
	}
	for _, tt := range tests {
		got, err := ParseTarget(tt.uri, tt.host, testBases)
		if err != nil || got.Bucket != tt.bucket || got.Key != tt.key || got.RawKey != tt.raw {
			t.Errorf("%s on %s: %+v, %v", tt.uri, tt.host, got, err)
		}
	}
}

// TestUnknownMarkerIsNeverPlain: whatever else a request holds, one parameter
// outside the closed lists makes it NotImplemented.
func TestUnknownMarkerIsNeverPlain(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"x-id": true}
	var words []string
	for i := range operations {
		op := &operations[i]
		for _, m := range op.markers {
			name, _, _ := strings.Cut(m, "=")
			known[name] = true
		}
		for _, p := range op.params {
			known[p] = true
		}
	}
	for w := range known {
		words = append(words, w)
	}
	slices.Sort(words)
	rapid.Check(t, func(t *rapid.T) {
		unknown := rapid.StringMatching(`[a-zA-Z][a-zA-Z-]{0,12}`).Filter(func(s string) bool {
			return !known[s] && !isAuthParam(s)
		}).Draw(t, "unknown")
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, 3, strings.ToLower).Draw(t, "known")
		if slices.ContainsFunc(some, func(s string) bool { return strings.EqualFold(s, unknown) }) {
			t.Skip()
		}
		params := rapid.Permutation(append(some, unknown)).Draw(t, "order")
		method := rapid.SampledFrom([]string{"GET", "HEAD", "PUT", "POST", "DELETE"}).Draw(t, "method")
		path := rapid.SampledFrom([]string{"/", "/photos", "/photos/a"}).Draw(t, "path")
		header := http.Header{}
		if rapid.Bool().Draw(t, "copy") {
			header[headerCopySource] = []string{"b/k"}
		}
		name, _, err := recognised(method, path+"?"+strings.Join(params, "=1&"), "h", header)
		if !errors.Is(err, &identity.Error{Kind: identity.KindNotImplemented}) {
			var e *identity.Error
			if !errors.As(err, &e) || e.Kind != identity.KindNotImplemented {
				t.Fatalf("%s %s %v: %q, %v", method, path, params, name, err)
			}
		}
	})
}

func TestBucketNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"abc": true, "a-b.c1": true, "ab": false, "Abc": false, "a_b": false, "-ab": false, "ab-": false, "a..b": false,
		".abc": false, "1.2.3.4": false, "1.2.3.4.5": true, "xn--abc": false, "abc-s3alias": false, "": false,
		strings.Repeat("a", 63): true, strings.Repeat("a", 64): false, "a/b": false, "a\x00b": false,
	} {
		if got := identity.ValidBucketName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func FuzzRecognise(f *testing.F) {
	for _, s := range []string{"/", "/photos/a?acl", "/photos/a%2F?versionId=1&x-id=G", "//", "http://h/b/k?a;b", "/b/k?list-type=2&&", "/b/%zz"} {
		f.Add("GET", s, "photos.s3.example.test:80", "")
		f.Add("PUT", s, "h", "b/k")
	}
	f.Fuzz(func(t *testing.T, method, uri, host, source string) {
		header := http.Header{}
		if source != "" {
			header[headerCopySource] = []string{source}
		}
		name, target, err := recognised(method, uri, host, header)
		if (err == nil) != (name != "") {
			t.Fatal("an operation and an error, or neither")
		}
		if err != nil {
			return
		}
		// What is forwarded names what was authorised.
		key, ok := decode(target.RawKey, false)
		if !ok || key != target.Key {
			t.Fatalf("raw key %q decodes to %q, want %q", target.RawKey, key, target.Key)
		}
		x := &exchange{target: target}
		again, err := parseQuery(x.forwardQuery())
		if err != nil || len(again) > len(target.Query) {
			t.Fatalf("forwarded query %q: %v", x.forwardQuery(), err)
		}
	})
}
