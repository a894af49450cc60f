package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestOpenBucketsOfCeph reaches for buckets that other users of Ceph opened to
// all the world, one of them in a tenant: Ceph would let Daypass's user read and
// write them, and Daypass lets nobody.
func TestOpenBucketsOfCeph(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	c := StartCeph(t)
	ours := c.S3(c.Keys())
	owners := map[string]*s3.Client{"open-public": c.S3(c.NewUser(t, "open-stranger")), "open-tenants": c.S3(c.NewUser(t, "opentenant$open-stranger"))}
	for name, owner := range owners {
		makeBucket(t, owner, name)
		bucket, key := aws.String(name), aws.String("was/here")
		_, err := owner.PutBucketAcl(t.Context(), &s3.PutBucketAclInput{Bucket: bucket, ACL: types.BucketCannedACLPublicReadWrite})
		if err == nil {
			_, err = owner.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, ACL: types.ObjectCannedACLPublicReadWrite, Body: strings.NewReader(name)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// What refuses below is Daypass, not Ceph. The other is found by its tenant's name.
	if got, err := load(t, ours, "open-public", "was/here"); got != "open-public" || err != nil {
		t.Fatalf("Ceph lets Daypass's user read %q, %v", got, err)
	}
	s := startTwoAccounts(t, WithCeph(t, c, "s3: {default_upstream: ceph}\n")...)
	client := s.NewClient(t)
	for _, v := range []struct {
		keys   Keys
		bucket string
	}{{s.a, "bucket-a"}, {s.b, "bucket-b"}} {
		name := "open-" + v.bucket
		must(t, client, bucketCall(v.keys, "create_bucket", name), bucketCall(v.keys, "put_object", name, "Key", "k", "Body", name))
	}
	expectAll(t, client, unknownBucket(s, "open-public"))
	expectAll(t, client, slices.DeleteFunc(unknownBucket(s, "open-tenants"), func(e expectation) bool {
		return e.call.Call == "create_bucket" // another name to Ceph: this one is free
	}))
	for _, bucket := range []string{"opentenant:open-tenants", "opentenant%3Aopen-tenants", "opentenant$open-tenants", "opentenant%2Fopen-tenants", ":open-public", "%3Aopen-public"} {
		path := "/" + bucket + "/was/here"
		if status, code := signed(t, s.Server, s.a, http.MethodGet, path, "", ""); status/100 != 4 || code == "" {
			t.Errorf("GET %s: %d %s", path, status, code)
		}
		if status, code := signed(t, s.Server, s.a, http.MethodPut, path, "taken", ""); status/100 != 4 || code == "" {
			t.Errorf("PUT %s: %d %s", path, status, code)
		}
		if status, code := signed(t, s.Server, s.a, http.MethodPut, "/open-bucket-a/stolen", "", path[1:]); status/100 != 4 || code == "" {
			t.Errorf("copy from %s: %d %s", path, status, code)
		}
	}
	sees(t, s.s3(s.a), "open-bucket-a")
	sees(t, s.s3(s.b), "open-bucket-b")
	holdsOnly(t, ours, "open-bucket-a", "k", "open-bucket-a")
	for name, owner := range owners {
		holdsOnly(t, owner, name, "was/here", name)
	}
}

// holdsOnly looks whether a bucket holds an object with a text, and no other.
func holdsOnly(t *testing.T, c *s3.Client, bucket, key, text string) {
	t.Helper()
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	got, err := load(t, c, bucket, key)
	if names := keysOf(list.Contents); names != key || got != text || err != nil {
		t.Errorf("%s holds %q, and in %s %q, %v", bucket, names, key, got, err)
	}
}

var encodedSlash = regexp.MustCompile(`%2[Ff]`)

// signed sends a request whose path stands on the wire as it is written here,
// signed over its canonical form, and returns status and code of the answer.
// With a source it asks for a copy.
func signed(t *testing.T, s *Server, k Keys, method, path, body, source string) (status int, code string) {
	t.Helper()
	pieces := encodedSlash.Split(path, -1) // which is no slash in the canonical form
	for i, p := range pieces {
		plain, err := url.PathUnescape(p)
		if err != nil {
			t.Fatal(err)
		}
		pieces[i] = awsEscape(plain, true)
	}
	req, err := http.NewRequest(method, s.URL+strings.Join(pieces, "%2F"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if source != "" {
		req.Header.Set("X-Amz-Copy-Source", source)
	}
	req.Header.Set("X-Amz-Content-Sha256", hexSum(body))
	sign := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}
	if err := sign.SignHTTP(t.Context(), credentials, req, hexSum(body), "s3", s.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	var wire strings.Builder
	fmt.Fprintf(&wire, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, path, req.URL.Host, len(body))
	for name := range req.Header {
		fmt.Fprintf(&wire, "%s: %s\r\n", name, req.Header.Get(name))
	}
	return rawExchange(t, s, []byte(wire.String()+"\r\n"+body), endAwait)
}

// TestExpiredOnCeph has keys end in the middle of an upload, and those that a URL
// is signed with. Nothing of what came too late is in Ceph.
func TestExpiredOnCeph(t *testing.T) {
	t.Parallel()
	c := StartCeph(t)
	s := StartWith(t, []string{"DAYPASS_STS_MIN_DURATION_SECONDS=2"}, WithCeph(t, c, "s3: {default_upstream: ceph}\n")...)
	token := s.RootToken(t)
	bucket := aws.String("expired-bucket")
	k := aws.String("k")
	if _, err := s.s3(s.RootKeys()).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	short := s.s3(s.AssumeRoot(t, s.AccountID, token, 2))
	until := time.Now().Add(2 * time.Second)
	store(t, short, *bucket, *k, "in time")
	begun, err := short.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: k})
	if err != nil {
		t.Fatal(err)
	}
	late, err := s3.NewPresignClient(short).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: k})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(until) + 20*time.Millisecond)
	for name, call := range map[string]func() error{
		"list buckets": func() error { _, err := short.ListBuckets(t.Context(), nil); return err },
		"list": func() error {
			_, err := short.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
			return err
		},
		"get": func() error {
			_, err := short.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: k})
			return err
		},
		"put": func() error {
			_, err := short.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: k, Body: strings.NewReader("too late")})
			return err
		},
		"part": func() error {
			_, err := short.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: k, UploadId: begun.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("too late")})
			return err
		},
		"delete": func() error {
			_, err := short.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: k})
			return err
		},
	} {
		if code := apiCode(call()); code != "ExpiredToken" {
			t.Errorf("%s with keys that are over: %q", name, code)
		}
	}
	r, err := http.Get(late.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); r.StatusCode != http.StatusBadRequest || between(string(body), "Code") != "ExpiredToken" {
		t.Errorf("a URL signed with keys that are over: %s %s, %v", r.Status, body, err)
	}
	direct := c.S3(c.Keys())
	holdsOnly(t, direct, *bucket, *k, "in time")
	parts, err := direct.ListParts(t.Context(), &s3.ListPartsInput{Bucket: bucket, Key: k, UploadId: begun.UploadId})
	if err != nil || len(parts.Parts) != 0 {
		t.Errorf("%d parts were taken, %v", len(parts.Parts), err)
	}
}
