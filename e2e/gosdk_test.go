package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// TestGoSDK walks from a realm's token to objects with aws-sdk-go-v2, over
// plain HTTP and over TLS. There its uploads have a checksum trailer and an
// Expect header.
func TestGoSDK(t *testing.T) {
	t.Parallel()
	s := Start(t, "--tls")
	token := s.RootToken(t)
	for _, v := range []struct{ name, url string }{{"plain", s.URL}, {"tls", s.TLSURL}} {
		t.Run(v.name, func(t *testing.T) {
			config := s.goConfig(t, v.url)
			config.Credentials = s.assumeWithGo(t, config, token)
			goIdentity(t, s, config)
			goObjects(t, config, "gosdk-"+v.name)
		})
	}
}

func (s *Server) goConfig(t *testing.T, url string) aws.Config {
	t.Helper()
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ExpectContinueTimeout: time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{Region: s.Region, BaseEndpoint: aws.String(url), HTTPClient: &http.Client{Transport: transport}}
}

func (s *Server) assumeWithGo(t *testing.T, config aws.Config, token string) aws.CredentialsProviderFunc {
	t.Helper()
	out, err := sts.NewFromConfig(config).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(s.RootARN()), RoleSessionName: aws.String("rootSession"), WebIdentityToken: aws.String(token),
	})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(*out.Credentials.Expiration); left > time.Hour || left < 59*time.Minute {
		t.Errorf("the keys live for another %s", left)
	}
	return func(context.Context) (aws.Credentials, error) {
		c := out.Credentials
		return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}, nil
	}
}

func apiCode(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func goIdentity(t *testing.T, s *Server, config aws.Config) {
	t.Helper()
	client := sts.NewFromConfig(config)
	who, err := client.GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != s.RootARN() {
		t.Errorf("GetCallerIdentity: %+v, %v", who, err)
	}
	// A presigned GetCallerIdentity is what Kubernetes-style authenticators pass on.
	presigned, err := sts.NewPresignClient(client).PresignGetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := config.HTTPClient.(*http.Client).Get(presigned.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(body), "<Arn>"+s.RootARN()+"</Arn>") {
		t.Errorf("presigned GetCallerIdentity: %s %v\n%s", r.Status, err, body)
	}
	users := iam.NewFromConfig(config)
	list, err := users.ListUsers(t.Context(), nil)
	if err != nil || len(list.Users) != 2 {
		t.Errorf("ListUsers: %+v, %v", list, err)
	}
	if _, err := users.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("nobody")}); apiCode(err) != "NoSuchEntity" {
		t.Errorf("GetUser of nobody: %v", err)
	}
	if _, err := client.GetSessionToken(t.Context(), nil); apiCode(err) != "AccessDenied" {
		t.Errorf("GetSessionToken: %v", err)
	}
}

func goObjects(t *testing.T, config aws.Config, bucket string) {
	t.Helper()
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	ctx, name := t.Context(), aws.String(bucket)
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: name}); err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	for _, key := range []string{"plain", "with blank+plus%41 ü/漢字", "a=b&c;d'e(f)!*"} {
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String(key), Body: bytes.NewReader(content)}); err != nil {
			t.Fatalf("PutObject %q: %v", key, err)
		}
		got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: aws.String(key)})
		if err != nil {
			t.Fatalf("GetObject %q: %v", key, err)
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || !bytes.Equal(body, content) {
			t.Errorf("GetObject %q: %d bytes, %v", key, len(body), err)
		}
		if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: name, Key: aws.String(key)}); err != nil {
			t.Errorf("DeleteObject %q: %v", key, err)
		}
	}
	if _, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: aws.String("none")}); apiCode(err) != "NoSuchKey" {
		t.Errorf("GetObject of none: %v", err)
	}
	presigned, err := s3.NewPresignClient(client).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: name, Key: aws.String("by URL")})
	if err != nil {
		t.Fatal(err)
	}
	put, err := http.NewRequest(presigned.Method, presigned.URL, strings.NewReader("by URL"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := config.HTTPClient.(*http.Client).Do(put)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("presigned PutObject: %s", r.Status)
	}
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: name})
	if err != nil || len(list.Contents) != 1 || *list.Contents[0].Key != "by URL" {
		t.Errorf("ListObjectsV2: %+v, %v", list, err)
	}
}
