package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// cephDiffers are the calls that Ceph 16 answers otherwise than the embedded
// store, as docs/compat/ceph.md says.
var cephDiffers = map[string]string{
	"copy_object if match":                            "200", // it is done
	"complete_multipart_upload none":                  "500 InternalError",
	"delete_bucket_tagging":                           "200",
	"delete_object no such version":                   "204",
	"get_object bad version":                          "404 NoSuchKey",
	"get_object if modified":                          "304 304",
	"get_object no such version":                      "404 NoSuchKey",
	"get_object part":                                 "200",
	"get_object part beyond":                          "200",
	"get_object_attributes":                           "501 NotImplemented",
	"put_bucket_tagging":                              "200",
	"put_bucket_versioning that is locked, suspended": "409 InvalidBucketState",
	"put_object 11 tags":                              "400 InvalidArgument",
	"put_object another storage class":                "400 InvalidArgument",
	"put_object key of 1024 bytes":                    "200",
	"put_object metadata of 3 KiB":                    "200",
}

// TestCephDiffers makes calls of every kind that the gate serves, on the
// embedded store and on a real Ceph: they end in the same way, but for those
// that are known to differ. A bucket is there after all of them.
func TestCephDiffers(t *testing.T) {
	t.Parallel()
	c := StartCeph(t)
	here := everyCall(t, Start(t))
	there := everyCall(t, Start(t, WithCeph(t, c, "s3: {default_upstream: ceph}\n")...))
	for name, want := range here {
		if differs, known := cephDiffers[name]; known {
			want = differs
		}
		if there[name] != want {
			t.Errorf("%s: %s here, %s before Ceph, want %s", name, here[name], there[name], want)
		}
	}
	for name := range cephDiffers {
		if _, made := here[name]; !made || here[name] == there[name] {
			t.Errorf("%s is said to differ: %q and %q", name, here[name], there[name])
		}
	}
	if _, err := c.S3(c.Keys()).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("differ")}); err != nil {
		t.Errorf("the bucket in Ceph: %v", err)
	}
}

type m = map[string]any

// everyCall is status and code of each call.
func everyCall(t *testing.T, s *Server) map[string]string {
	t.Helper()
	keys := s.RootSession(t)
	c := s.NewClient(t)
	c.Set("AWS_MAX_ATTEMPTS", "1")
	const b, l, v = "differ", "differ-lock", "differ-versions"
	var names []string
	var calls []Call
	add := func(call, bucket string, more ...any) {
		names, calls = append(names, call), append(calls, bucketCall(keys, call, bucket, more...))
	}
	as := func(name, call, bucket string, more ...any) {
		names, calls = append(names, call+" "+name), append(calls, bucketCall(keys, call, bucket, more...))
	}
	tags := m{"TagSet": []m{{"Key": "colour", "Value": "blue"}}}
	add("create_bucket", b)
	as("with lock", "create_bucket", l, "ObjectLockEnabledForBucket", true)
	as("again", "create_bucket", b)
	as("somewhere", "create_bucket", v, "CreateBucketConfiguration", m{"LocationConstraint": "eu-north-1"})
	add("head_bucket", b)
	add("get_bucket_location", b)
	add("get_bucket_versioning", b)
	add("put_bucket_versioning", v, "VersioningConfiguration", m{"Status": "Enabled"})
	as("that is locked, suspended", "put_bucket_versioning", l, "VersioningConfiguration", m{"Status": "Suspended"})
	add("get_bucket_acl", b)
	add("get_public_access_block", b)
	add("get_bucket_ownership_controls", b)
	add("get_bucket_policy_status", b)
	as("none", "get_bucket_policy", b)
	as("none", "get_bucket_cors", b)
	as("none", "get_bucket_tagging", b)
	as("none", "get_bucket_encryption", b)
	as("none", "delete_bucket_encryption", b)
	as("none", "get_object_lock_configuration", b)
	as("on", "get_object_lock_configuration", l)
	as("none", "put_object_lock_configuration", b, "ObjectLockConfiguration", m{"ObjectLockEnabled": "Enabled"})
	as("days", "put_object_lock_configuration", l, "ObjectLockConfiguration", m{"ObjectLockEnabled": "Enabled", "Rule": m{"DefaultRetention": m{"Mode": "GOVERNANCE", "Days": 1}}})
	add("put_bucket_cors", b, "CORSConfiguration", m{"CORSRules": []m{{"AllowedMethods": []string{"GET"}, "AllowedOrigins": []string{"https://a.example"}}}})
	add("get_bucket_cors", b)
	add("delete_bucket_cors", b)
	add("put_bucket_tagging", b, "Tagging", tags)
	add("get_bucket_tagging", b)
	add("delete_bucket_tagging", b)
	add("put_object", b, "Key", "k", "Body", "x")
	as("with tags", "put_object", b, "Key", "t", "Body", "x", "Tagging", "a=b")
	as("storage class", "put_object", b, "Key", "c", "Body", "x", "StorageClass", "STANDARD")
	as("another storage class", "put_object", b, "Key", "c", "Body", "x", "StorageClass", "GLACIER")
	as("SSE-S3", "put_object", b, "Key", "e", "Body", "x", "ServerSideEncryption", "AES256")
	as("SSE-C", "put_object", b, "Key", "ec", "Body", "x", "SSECustomerAlgorithm", "AES256", "SSECustomerKey", "0123456789abcdef0123456789abcdef")
	as("headers", "put_object", b, "Key", "h", "Body", "x", "ContentLanguage", "de", "ContentDisposition", "inline", "Expires", "2031-01-01T00:00:00Z", "ContentEncoding", "gzip")
	as("key of 1024 bytes", "put_object", b, "Key", fmt.Sprintf("%01024d", 0), "Body", "x")
	as("key of 1025 bytes", "put_object", b, "Key", fmt.Sprintf("%01025d", 0), "Body", "x")
	as("metadata of 2 KiB", "put_object", b, "Key", "m", "Body", "x", "Metadata", map[string]string{"a": fmt.Sprintf("%02000d", 0)})
	as("metadata of 3 KiB", "put_object", b, "Key", "m", "Body", "x", "Metadata", map[string]string{"a": fmt.Sprintf("%03000d", 0)})
	as("if none", "put_object", b, "Key", "k", "Body", "x", "IfNoneMatch", "*")
	as("11 tags", "put_object", b, "Key", "t11", "Body", "x", "Tagging", "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1")
	as("wrong MD5", "put_object", b, "Key", "md5", "Body", "x", "ContentMD5", "1B2M2Y8AsgTpgAmY7PhCfg==")
	as("wrong checksum", "put_object", b, "Key", "sum", "Body", "x", "ChecksumCRC32", "AAAAAA==")
	add("get_object", b, "Key", "k")
	as("none", "get_object", b, "Key", "none")
	as("range", "get_object", b, "Key", "k", "Range", "bytes=0-0")
	as("range beyond", "get_object", b, "Key", "k", "Range", "bytes=5-9")
	as("part", "get_object", b, "Key", "k", "PartNumber", 1)
	as("part beyond", "get_object", b, "Key", "k", "PartNumber", 2)
	as("other headers", "get_object", b, "Key", "k", "ResponseContentType", "text/x-other")
	as("no such version", "get_object", b, "Key", "k", "VersionId", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	as("bad version", "get_object", b, "Key", "k", "VersionId", "x")
	as("if match", "get_object", b, "Key", "k", "IfMatch", `"other"`)
	as("if modified", "get_object", b, "Key", "k", "IfModifiedSince", "2031-01-01T00:00:00Z")
	as("if unmodified", "get_object", b, "Key", "k", "IfUnmodifiedSince", "2001-01-01T00:00:00Z")
	add("head_object", b, "Key", "k")
	as("none", "head_object", b, "Key", "none")
	add("get_object_attributes", b, "Key", "k", "ObjectAttributes", []string{"ETag", "ObjectSize"})
	add("get_object_acl", b, "Key", "k")
	add("put_object_tagging", b, "Key", "k", "Tagging", tags)
	add("get_object_tagging", b, "Key", "k")
	add("delete_object_tagging", b, "Key", "k")
	as("none", "get_object_tagging", b, "Key", "none")
	as("none", "put_object_tagging", b, "Key", "none", "Tagging", tags)
	add("copy_object", b, "Key", "k2", "CopySource", b+"/k")
	as("none", "copy_object", b, "Key", "k2", "CopySource", b+"/none")
	as("onto itself", "copy_object", b, "Key", "k", "CopySource", b+"/k")
	as("onto itself, replaced", "copy_object", b, "Key", "k", "CopySource", b+"/k", "MetadataDirective", "REPLACE", "Metadata", map[string]string{"a": "b"})
	as("if match", "copy_object", b, "Key", "k2", "CopySource", b+"/k", "CopySourceIfMatch", `"other"`)
	as("tags replaced", "copy_object", b, "Key", "k2", "CopySource", b+"/t", "TaggingDirective", "REPLACE", "Tagging", "c=d")
	add("create_multipart_upload", b, "Key", "mp")
	add("list_multipart_uploads", b)
	as("none", "upload_part", b, "Key", "mp", "UploadId", "none", "PartNumber", 1, "Body", "x")
	as("none", "complete_multipart_upload", b, "Key", "mp", "UploadId", "none", "MultipartUpload", m{"Parts": []m{{"PartNumber": 1, "ETag": "x"}}})
	as("none", "abort_multipart_upload", b, "Key", "mp", "UploadId", "none")
	as("without lock", "put_object_retention", b, "Key", "k", "Retention", m{"Mode": "GOVERNANCE", "RetainUntilDate": "2031-01-01T00:00:00Z"})
	as("without lock", "get_object_legal_hold", b, "Key", "k")
	as("with lock", "put_object", l, "Key", "k", "Body", "x", "ObjectLockMode", "GOVERNANCE", "ObjectLockRetainUntilDate", "2031-01-01T00:00:00Z")
	as("with lock", "get_object_retention", l, "Key", "k")
	as("with hold", "put_object", l, "Key", "h", "Body", "x", "ObjectLockLegalHoldStatus", "ON")
	as("with hold", "get_object_legal_hold", l, "Key", "h")
	as("of none", "get_object_legal_hold", l, "Key", "none")
	add("list_objects", b)
	add("list_objects_v2", b)
	as("by directory", "list_objects_v2", b, "Delimiter", "/")
	as("owner", "list_objects_v2", b, "FetchOwner", true)
	as("after", "list_objects_v2", b, "StartAfter", "k")
	as("odd token", "list_objects_v2", b, "ContinuationToken", "!")
	as("none", "list_objects_v2", b, "MaxKeys", 0)
	as("below none", "list_objects_v2", b, "MaxKeys", -1)
	as("odd delimiter", "list_objects_v2", b, "Delimiter", "xy")
	add("list_object_versions", b)
	add("delete_objects", b, "Delete", m{"Objects": []m{{"Key": "k2"}, {"Key": "none"}}})
	as("not empty", "delete_bucket", b)
	add("delete_object", b, "Key", "k")
	as("none", "delete_object", b, "Key", "none")
	as("no such version", "delete_object", v, "Key", "k", "VersionId", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	add("delete_bucket", v)
	out := map[string]string{}
	for i, a := range c.Boto3(calls) {
		if _, twice := out[names[i]]; twice {
			t.Fatalf("two calls %s", names[i])
		}
		out[names[i]] = strings.TrimSpace(fmt.Sprint(a.Status, " ", a.Code))
	}
	return out
}
