package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestBoto3OnCeph is TestBoto3 before a real Ceph, which keeps keys that are
// paths as they are. Keys that have expired are told to have, which Ceph itself
// does not do.
func TestBoto3OnCeph(t *testing.T) {
	t.Parallel()
	python := needPython(t, "boto3")
	script, err := filepath.Abs(clientsScript)
	if err != nil {
		t.Fatal(err)
	}
	s := StartWith(t, []string{"DAYPASS_STS_MIN_DURATION_SECONDS=2"}, append(WithCeph(t, StartCeph(t), "s3: {default_upstream: ceph}\n"), "--tls")...)
	short := s.AssumeRoot(t, s.AccountID, s.RootToken(t), 2)
	until := time.Now().Add(2 * time.Second)
	for _, v := range []struct{ name, url string }{{"plain", s.URL}, {"tls", s.TLSURL}} {
		t.Run(v.name, func(t *testing.T) {
			c := s.NewClient(t).With(s.RootSession(t))
			c.Set("AWS_ENDPOINT_URL", v.url)
			c.Set("AWS_CA_BUNDLE", s.CAFile)
			c.Set("OPAQUE_KEYS", "1")
			if out := c.OK(python, script, "objects", "boto3-ceph-"+v.name); out != "" {
				t.Error(out)
			}
		})
	}
	time.Sleep(time.Until(until) + 20*time.Millisecond)
	old := s.NewClient(t).Boto3([]Call{
		bucketCall(short, "get_object", "boto3-ceph-tls", "Key", "k"), bucketCall(short, "put_object", "boto3-ceph-tls", "Key", "k", "Body", "x"),
		bucketCall(short, "create_bucket", "boto3-ceph-late"), bucketCall(short, "list_objects_v2", "boto3-ceph-tls"),
	})
	for _, a := range old {
		if a.Status != 400 || a.Code != "ExpiredToken" {
			t.Errorf("keys that have expired: %d %s", a.Status, a.Code)
		}
	}
}

// TestTwoAccountsOnCeph holds the wall between two accounts of one user of a
// real Ceph, and between them and what else it holds: buckets of other users of
// Ceph, and of the same one that the registry does not know.
func TestTwoAccountsOnCeph(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	ceph := StartCeph(t)
	direct, stranger := ceph.S3(ceph.Keys()), ceph.S3(ceph.NewUser(t, "wall-stranger"))
	foreign := map[string]*s3.Client{"wall-strangers": stranger, "wall-unclaimed": direct}
	for name, c := range foreign {
		makeBucket(t, c, name)
		store(t, c, name, "was/here", name)
	}
	s := startTwoAccounts(t, WithCeph(t, ceph, "s3: {default_upstream: ceph}\n")...)
	holdWall(t, s)
	for bucket, key := range map[string]string{"bucket-a": "A's", "bucket-b": "B's"} {
		if got, err := load(t, direct, bucket, "k"); got != key {
			t.Errorf("Ceph holds %q in %s, %v", got, bucket, err)
		}
	}

	for name, c := range foreign {
		expectAll(t, s.NewClient(t), unknownBucket(s, name))
		out, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(name)})
		if err != nil || keysOf(out.Contents) != "was/here" {
			t.Errorf("%s holds %v, %v", name, out, err)
		}
		if got, err := load(t, c, name, "was/here"); got != name {
			t.Errorf("%s/was/here holds %q, %v", name, got, err)
		}
	}
	sees(t, s.s3(s.a), "bucket-a")
	sees(t, s.s3(s.b), "bucket-b")
}

// unknownBucket is every way at a bucket that is in the store and in nobody's
// account: it is not there, and nobody can have its name.
func unknownBucket(s *twoAccounts, name string) []expectation {
	var out []expectation
	for _, k := range []Keys{s.a, s.aLong, s.b} {
		none := func(call string, more ...any) {
			code := "NoSuchBucket"
			if call == "head_bucket" || call == "head_object" {
				code = "404" // an answer to HEAD has no body
			}
			out = append(out, expectation{bucketCall(k, call, name, more...), 404, code})
		}
		none("head_bucket")
		none("get_bucket_location")
		none("list_objects")
		none("list_objects_v2")
		none("list_object_versions")
		none("list_multipart_uploads")
		none("delete_bucket")
		none("get_object", "Key", "was/here")
		none("head_object", "Key", "was/here")
		none("put_object", "Key", "was/here", "Body", "x")
		none("delete_object", "Key", "was/here")
		none("create_multipart_upload", "Key", "k")
		none("put_bucket_versioning", "VersioningConfiguration", map[string]string{"Status": "Enabled"})
		out = append(out, expectation{bucketCall(k, "create_bucket", name), 409, "BucketAlreadyExists"})
	}
	stolen := map[string]string{"Bucket": name, "Key": "was/here"}
	return append(out,
		expectation{bucketCall(s.a, "copy_object", "bucket-a", "Key", "stolen", "CopySource", stolen), 404, "NoSuchBucket"},
		expectation{bucketCall(s.b, "copy_object", "bucket-b", "Key", "stolen", "CopySource", stolen), 404, "NoSuchBucket"})
}
