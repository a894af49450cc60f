package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/ibm-cos-sdk-go/aws"
	"github.com/IBM/ibm-cos-sdk-go/aws/awserr"
	"github.com/IBM/ibm-cos-sdk-go/aws/credentials/ibmiam"
	"github.com/IBM/ibm-cos-sdk-go/aws/credentials/ibmiam/tokenmanager"
	"github.com/IBM/ibm-cos-sdk-go/aws/session"
	"github.com/IBM/ibm-cos-sdk-go/service/s3"
	"github.com/IBM/ibm-cos-sdk-go/service/s3/s3manager"
)

// cosClient is IBM's S3 client for Go as its manual configures it: an API key,
// the token URL and an instance.
func (s *Server) cosClient(t testing.TB, key, instance string) *s3.S3 {
	t.Helper()
	config := aws.NewConfig().WithEndpoint(s.URL).WithRegion(s.Region).WithS3ForcePathStyle(true)
	config = config.WithCredentials(ibmiam.NewStaticCredentials(config, s.URL+"/identity/token", key, instance))
	made, err := session.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	return s3.New(made, config)
}

// TestIBMObjectStorage works on a bucket with IBM's S3 client, by the API keys of
// a person and of a service ID, and by either name of the instance.
func TestIBMObjectStorage(t *testing.T) {
	t.Parallel()
	s := Start(t)
	crn := "crn:v1:bluemix:public:cloud-object-storage:global:a/" + s.AccountID + ":" + s.IBM.StorageID + "::"
	for name, c := range map[string]*s3.S3{
		"cos-person":  s.cosClient(t, s.IBM.APIKey, s.IBM.StorageID),
		"cos-service": s.cosClient(t, s.IBM.ServiceIDAPIKey, crn),
	} {
		t.Run(name, func(t *testing.T) { useBucket(t, c, name) })
	}
	for name, c := range map[string]*s3.S3{
		"no instance":                s.cosClient(t, s.IBM.APIKey, ""),
		"an unknown instance":        s.cosClient(t, s.IBM.APIKey, "00000000-1111-4222-8333-444444444444"),
		"one of another service":     s.cosClient(t, s.IBM.APIKey, s.IBM.InstanceID),
		"the CRN of another account": s.cosClient(t, s.IBM.APIKey, strings.Replace(crn, s.AccountID, "210987654321", 1)),
	} {
		_, err := c.ListBuckets(&s3.ListBucketsInput{})
		var refused awserr.RequestFailure
		if !errors.As(err, &refused) || refused.StatusCode() != http.StatusForbidden || refused.Code() != "AccessDenied" || refused.Message() != "Access Denied" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if log := s.Log(); strings.Contains(log, "eyJ") || strings.Contains(log, s.IBM.APIKey) {
		t.Error("a token or an API key is in the log")
	}
}

func useBucket(t *testing.T, c *s3.S3, name string) {
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	bucket := aws.String(name)
	_, err := c.CreateBucket(&s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &s3.CreateBucketConfiguration{LocationConstraint: aws.String("us-standard")}})
	check("create", err)
	buckets, err := c.ListBuckets(&s3.ListBucketsInput{})
	check("list buckets", err)
	if !slices.ContainsFunc(buckets.Buckets, func(b *s3.Bucket) bool { return *b.Name == name }) {
		t.Errorf("buckets: %v", buckets)
	}
	_, err = c.PutObject(&s3.PutObjectInput{Bucket: bucket, Key: aws.String("dir/small"), Body: strings.NewReader(smallText), Metadata: map[string]*string{"Colour": aws.String("blue")}})
	check("put", err)
	large := bytes.Repeat([]byte("0123456789abcdef"), 6<<16) // 6 MiB: two parts
	_, err = s3manager.NewUploaderWithClient(c).Upload(&s3manager.UploadInput{Bucket: bucket, Key: aws.String("large"), Body: bytes.NewReader(large)})
	check("multipart upload", err)
	get := func(key, byteRange string) string {
		t.Helper()
		in := &s3.GetObjectInput{Bucket: bucket, Key: aws.String(key)}
		if byteRange != "" {
			in.Range = aws.String(byteRange)
		}
		out, err := c.GetObject(in)
		check("get "+key, err)
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		check("read "+key, err)
		return string(body)
	}
	if got := get("dir/small", ""); got != smallText {
		t.Errorf("small: %q", got)
	}
	if got := get("dir/small", "bytes=5-7"); got != smallText[5:8] {
		t.Errorf("range: %q", got)
	}
	if got := get("large", ""); got != string(large) {
		t.Errorf("large: %d bytes that are not those that were sent", len(got))
	}
	_, err = c.CopyObject(&s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copied"), CopySource: aws.String(name + "/dir/small")})
	check("copy", err)
	head, err := c.HeadObject(&s3.HeadObjectInput{Bucket: bucket, Key: aws.String("copied")})
	check("head", err)
	if aws.StringValue(head.Metadata["Colour"]) != "blue" {
		t.Errorf("metadata of the copy: %v", head.Metadata)
	}
	var keys []string
	check("list", c.ListObjectsV2Pages(&s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int64(1)}, func(page *s3.ListObjectsV2Output, _ bool) bool {
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
		return true
	}))
	if got := fmt.Sprint(keys); got != "[copied dir/small large]" {
		t.Errorf("keys: %s", got)
	}
	// The client sends Content-MD5 with it, and nothing else covers the document.
	gone, err := c.DeleteObjects(&s3.DeleteObjectsInput{Bucket: bucket, Delete: &s3.Delete{Objects: []*s3.ObjectIdentifier{{Key: aws.String("copied")}, {Key: aws.String("large")}}}})
	check("delete two", err)
	if len(gone.Deleted) != 2 || len(gone.Errors) != 0 {
		t.Errorf("deleted: %v", gone)
	}
	_, err = c.PutObject(&s3.PutObjectInput{Bucket: bucket, Key: aws.String("kept"), Body: strings.NewReader("x"), RetentionPeriod: aws.Int64(3600)})
	var refused awserr.RequestFailure
	if !errors.As(err, &refused) || refused.Code() != "NotImplemented" {
		t.Errorf("a promise that is not kept: %v", err)
	}
	_, err = c.DeleteObject(&s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("dir/small")})
	check("delete", err)
	_, err = c.DeleteBucket(&s3.DeleteBucketInput{Bucket: bucket})
	check("delete the bucket", err)
}

// grantsSeen notes the grants that a client asks for; with spoil it spoils its
// refresh tokens.
type grantsSeen struct {
	tokenmanager.IBMClientDo
	mu    sync.Mutex
	seen  []string
	spoil bool
}

func (g *grantsSeen) Do(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, err
	}
	grant := form.Get("grant_type")
	g.seen = append(g.seen, grant[strings.LastIndexByte(grant, ':')+1:])
	if g.spoil && form.Has("refresh_token") {
		form.Set("refresh_token", "spoilt")
		raw = []byte(form.Encode())
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	return g.IBMClientDo.Do(r)
}

// TestIBMObjectStorageRefresh: the client renews its token by the refresh token,
// and logs in anew by the API key when that is refused with 400.
func TestIBMObjectStorageRefresh(t *testing.T) {
	t.Parallel()
	s := Start(t)
	var ahead time.Duration
	config := aws.NewConfig()
	g := &grantsSeen{IBMClientDo: tokenmanager.DefaultIBMClient(config)}
	m := tokenmanager.NewTokenManagerFromAPIKey(config, s.IBM.APIKey, s.URL+"/identity/token", nil, nil, func() time.Time { return time.Now().Add(ahead) }, g)
	m.StopBackgroundRefresh()
	seen := map[string]bool{}
	for i, v := range []struct {
		ahead        time.Duration
		asked, spoil bool // the client is told to refresh; its token is spoilt
		want         string
	}{
		{0, false, false, "[apikey]"},
		{0, false, false, "[apikey]"},
		{50 * time.Minute, false, false, "[apikey refresh_token]"},
		{0, true, false, "[apikey refresh_token refresh_token]"},
		{0, true, true, "[apikey refresh_token refresh_token refresh_token apikey]"},
	} {
		ahead, g.spoil = v.ahead, v.spoil
		if v.asked {
			if err := m.Refresh(); err != nil {
				t.Fatalf("turn %d: %v", i, err)
			}
		}
		token, err := m.Get()
		if err != nil {
			t.Fatalf("turn %d: %v", i, err)
		}
		if got := fmt.Sprint(g.seen); got != v.want {
			t.Errorf("turn %d: grants %s, want %s", i, got, v.want)
		}
		if r := s.bearerAt(t, "/", token.AccessToken); r != http.StatusOK {
			t.Errorf("turn %d: the token got %d", i, r)
		}
		seen[token.AccessToken] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different tokens, want 4", len(seen))
	}
}

// bearerAt is the status of a GET with a bearer token and the demo's instance.
func (s *Server) bearerAt(t testing.TB, path, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("ibm-service-instance-id", s.IBM.StorageID)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
