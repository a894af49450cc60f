package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestOldHabits is what old scripts do, by clients that nobody told a region.
func TestOldHabits(t *testing.T) {
	t.Parallel()
	oldHabits(t, Start(t))
}

// TestOldHabitsOnCeph is TestOldHabits before a real Ceph, in which nothing is
// public though clients ask for it.
func TestOldHabitsOnCeph(t *testing.T) {
	t.Parallel()
	c := StartCeph(t)
	s := Start(t, WithCeph(t, c, "s3: {default_upstream: ceph}\n")...)
	oldHabits(t, s)
	for _, path := range []string{"", "/public", "/public-cli", "/granted"} {
		r, err := http.Get(c.Endpoint + "/" + habitBucket + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("Ceph gives %q to anybody: %s", path, r.Status)
		}
	}
	owner := c.S3(c.Keys())
	acl, err := owner.GetBucketAcl(t.Context(), &s3.GetBucketAclInput{Bucket: aws.String(habitBucket)})
	if err != nil || len(acl.Grants) != 1 {
		t.Errorf("grants on the bucket in Ceph: %+v, %v", acl, err)
	}
	for _, key := range []string{"public", "public-cli", "artifact", "granted"} {
		acl, err := owner.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: aws.String(habitBucket), Key: aws.String(key)})
		if err != nil || len(acl.Grants) != 1 {
			t.Errorf("grants on %s in Ceph: %+v, %v", key, acl, err)
		}
	}
}

const (
	habitBucket = "old-habits"
	everybody   = `uri="http://acs.amazonaws.com/groups/global/AllUsers"`
)

func oldHabits(t *testing.T, s *Server) {
	t.Helper()
	cli := needAWS1(t)
	c := s.NewClient(t).With(s.RootSession(t))
	c.Set("AWS_DEFAULT_REGION", "")
	call := func(name, bucket string, more ...any) Call { return bucketCall(Keys{}, name, bucket, more...) }
	bad := func(status int, code string, c Call) expectation { return expectation{c, status, code} }
	ok := func(c Call) expectation { return expectation{c, 200, ""} }
	expectAll(t, c, []expectation{
		ok(call("create_bucket", habitBucket, "ACL", "public-read")),
		ok(call("put_bucket_acl", habitBucket, "ACL", "private")),
		ok(call("put_object", habitBucket, "Key", "public", "Body", "not so", "ACL", "public-read")),
		ok(call("put_object_acl", habitBucket, "Key", "public", "ACL", "bucket-owner-full-control")),
		// The Cray CLI makes an artifact so, before its content.
		ok(call("put_object", habitBucket, "Key", "artifact", "Body", "", "ACL", "public-read", "Metadata", map[string]string{"md5sum": "d41d8cd98f00b204e9800998ecf8427e"})),
		bad(400, "AccessControlListNotSupported", call("put_object", habitBucket, "Key", "open", "Body", "x", "ACL", "public-read-write")),
		ok(call("put_object", habitBucket, "Key", "granted", "Body", "to nobody", "GrantRead", everybody)),
		bad(400, "AccessControlListNotSupported", call("put_object_acl", habitBucket, "Key", "granted", "GrantRead", everybody)),
		bad(400, "AccessControlListNotSupported", call("create_bucket", habitBucket+"-open", "ACL", "public-read-write")),
		bad(404, "404", call("head_object", habitBucket, "Key", "open")),
		ok(call("put_object", habitBucket, "Key", "dir/1", "Body", "1")),
		ok(call("put_object", habitBucket, "Key", "dir/2", "Body", "2")),
	})
	answers := must(t, c,
		call("head_object", habitBucket, "Key", "artifact"),
		call("list_objects", habitBucket, "MaxKeys", 1, "Prefix", "dir/"),
		call("list_objects", habitBucket, "Marker", "dir/1", "Prefix", "dir/"),
		call("list_objects", habitBucket, "Delimiter", "/"),
		call("get_bucket_location", habitBucket))
	head := answers[0].Answer
	if head["ContentLength"] != 0.0 || head["ETag"] != `"d41d8cd98f00b204e9800998ecf8427e"` || head["Metadata"].(map[string]any)["md5sum"] != "d41d8cd98f00b204e9800998ecf8427e" {
		t.Errorf("HEAD of what is empty: %v", head)
	}
	for i, want := range []string{"dir/1", "dir/2", "artifact granted public"} {
		if got := names(answers[i+1], "Contents", "Key"); got != want {
			t.Errorf("ListObjects V1, %d: %q, want %q", i, got, want)
		}
	}
	if got := names(answers[3], "CommonPrefixes", "Prefix"); got != "dir/" {
		t.Errorf("prefixes: %q", got)
	}
	if r := c.Run(cli, "s3", "cp", c.Write("file", smallText), "s3://"+habitBucket+"/public-cli", "--acl", "public-read", "--metadata", "Colour=blue,size=9"); r.Code != 0 {
		t.Fatalf("%s%s", r.Stdout, r.Stderr)
	}
	for _, region := range []string{"", "default", "RegionOne", "eu-north-9"} {
		c.Set("AWS_DEFAULT_REGION", region)
		if got := c.OK(cli, "s3", "cp", "s3://"+habitBucket+"/public-cli", "-"); got != smallText {
			t.Errorf("region %q: %q", region, got)
		}
		if got := strings.TrimSpace(c.OK(cli, "s3api", "head-object", "--bucket", habitBucket, "--key", "public-cli", "--query", "Metadata.[colour,size]", "--output", "text")); got != "blue\t9" {
			t.Errorf("region %q: metadata %q", region, got)
		}
	}
	r, err := http.Get(s.URL + "/" + habitBucket + "/public")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); r.StatusCode != http.StatusForbidden {
		t.Errorf("public to anybody: %s %s, %v", r.Status, body, err)
	}
}
