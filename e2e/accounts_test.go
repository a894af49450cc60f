package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	secondAccount  = "999988887777"
	secondEmail    = "second@example.com"
	secondPassword = "Another-horse-78-battery"
)

// twoAccounts are the demo's account A and an account B, with everything that
// can act in each, and a bucket with an object in each.
type twoAccounts struct {
	*Server
	tokenA     string
	a, b       Keys // sessions of the root users
	aLong      Keys // of A's root user
	bobB, bobA Keys // of the user bob that both accounts have
}

func startTwoAccounts(t *testing.T, args ...string) *twoAccounts {
	t.Helper()
	s := &twoAccounts{Server: Start(t, args...)}
	diff := s.Apply(t, `accounts:
  - {id: "`+secondAccount+`", name: Second, alias: second, root: {email: `+secondEmail+`, password: `+secondPassword+`}}
`)
	if !strings.Contains(diff, secondAccount) {
		t.Errorf("apply says %q", diff)
	}
	s.tokenA = s.RootToken(t)
	s.a = s.AssumeRoot(t, s.AccountID, s.tokenA, 0)
	tokenB := logIn(t, s.TokenURL("root-accounts"), "root-client", secondEmail, secondPassword)
	s.b = s.AssumeRoot(t, secondAccount, tokenB, 0)
	s.aLong = s.RootKeys()
	return s
}

func bucketCall(k Keys, call, bucket string, more ...any) Call {
	with := map[string]any{"Bucket": bucket}
	for i := 0; i < len(more); i += 2 {
		with[more[i].(string)] = more[i+1]
	}
	return Call{Keys: k, Service: "s3", Call: call, With: with}
}

func iamCall(k Keys, call string, more ...any) Call {
	with := map[string]any{}
	for i := 0; i < len(more); i += 2 {
		with[more[i].(string)] = more[i+1]
	}
	return Call{Keys: k, Service: "iam", Call: call, With: with}
}

// must makes calls that all succeed.
func must(t *testing.T, c *Client, calls ...Call) []Answer {
	t.Helper()
	answers := c.Boto3(calls)
	for i, a := range answers {
		if a.Code != "" {
			t.Fatalf("%s %v: %d %s", calls[i].Call, calls[i].With, a.Status, a.Message)
		}
	}
	return answers
}

func names(answer Answer, list, name string) string {
	var out []string
	items, _ := answer.Answer[list].([]any)
	for _, item := range items {
		out = append(out, item.(map[string]any)[name].(string))
	}
	return strings.Join(out, " ")
}

// TestTwoAccounts holds the wall between two accounts.
func TestTwoAccounts(t *testing.T) {
	t.Parallel()
	holdWall(t, startTwoAccounts(t))
}

func holdWall(t *testing.T, s *twoAccounts) {
	t.Helper()
	needPython(t, "boto3")
	c := s.NewClient(t)
	made := must(t, c,
		bucketCall(s.a, "create_bucket", "bucket-a"), bucketCall(s.a, "put_object", "bucket-a", "Key", "k", "Body", "A's"),
		bucketCall(s.b, "create_bucket", "bucket-b"), bucketCall(s.b, "put_object", "bucket-b", "Key", "k", "Body", "B's"),
		bucketCall(s.a, "create_multipart_upload", "bucket-a", "Key", "k2"),
		iamCall(s.a, "create_user", "UserName", "bob"), iamCall(s.b, "create_user", "UserName", "bob"), iamCall(s.b, "create_user", "UserName", "only-b"),
		iamCall(s.a, "create_access_key", "UserName", "bob"), iamCall(s.b, "create_access_key", "UserName", "bob"))
	upload := made[4].Answer["UploadId"].(string)
	s.bobA, s.bobB = createdKeys(made[8]), createdKeys(made[9])
	t.Run("buckets", func(t *testing.T) { foreignBuckets(t, s, c, upload) })
	t.Run("users", func(t *testing.T) { foreignUsers(t, s, c) })
	t.Run("sessions", func(t *testing.T) { foreignSessions(t, s, c) })
}

func createdKeys(a Answer) Keys {
	k := a.Answer["AccessKey"].(map[string]any)
	return Keys{AccessKeyID: k["AccessKeyId"].(string), SecretAccessKey: k["SecretAccessKey"].(string)}
}

// expectation is a Call and how it must end.
type expectation struct {
	call   Call
	status int
	code   string
}

func expectAll(t *testing.T, c *Client, table []expectation) {
	t.Helper()
	var calls []Call
	for _, v := range table {
		calls = append(calls, v.call)
	}
	for i, got := range c.Boto3(calls) {
		if v := table[i]; got.Code != v.code || got.Status != v.status {
			t.Errorf("%s %v: got %d %s (%s), want %d %s", v.call.Call, v.call.With, got.Status, got.Code, got.Message, v.status, v.code)
		}
	}
}

func foreignBuckets(t *testing.T, s *twoAccounts, c *Client, upload string) {
	var table []expectation
	denied := func(call string, more ...any) {
		code := "AccessDenied"
		if strings.HasPrefix(call, "head_") {
			code = "403" // an answer to HEAD has no body
		}
		table = append(table, expectation{bucketCall(s.b, call, "bucket-a", more...), 403, code})
	}
	denied("head_bucket")
	denied("get_bucket_location")
	denied("list_objects")
	denied("list_objects_v2")
	denied("list_multipart_uploads")
	denied("delete_bucket")
	denied("get_object", "Key", "k")
	denied("get_object", "Key", "none")
	denied("head_object", "Key", "k")
	denied("put_object", "Key", "k", "Body", "B's")
	denied("delete_object", "Key", "k")
	denied("create_multipart_upload", "Key", "k")
	denied("upload_part", "Key", "k2", "UploadId", upload, "PartNumber", 1, "Body", "x")
	denied("upload_part_copy", "Key", "k2", "UploadId", upload, "PartNumber", 1, "CopySource", "bucket-b/k")
	denied("complete_multipart_upload", "Key", "k2", "UploadId", upload, "MultipartUpload", map[string]any{"Parts": []map[string]any{{"PartNumber": 1, "ETag": "x"}}})
	denied("list_parts", "Key", "k2", "UploadId", upload)
	denied("abort_multipart_upload", "Key", "k2", "UploadId", upload)
	copying := func(k Keys, bucket, source string) Call {
		return bucketCall(k, "copy_object", bucket, "Key", "stolen", "CopySource", map[string]string{"Bucket": source, "Key": "k"})
	}
	table = append(table,
		expectation{bucketCall(s.b, "create_bucket", "bucket-a"), 409, "BucketAlreadyExists"},
		expectation{bucketCall(s.a, "create_bucket", "bucket-b"), 409, "BucketAlreadyExists"},
		expectation{bucketCall(s.a, "create_bucket", "bucket-a"), 409, "BucketAlreadyOwnedByYou"},
		expectation{bucketCall(s.aLong, "create_bucket", "bucket-a"), 409, "BucketAlreadyOwnedByYou"},
		expectation{copying(s.b, "bucket-b", "bucket-a"), 403, "AccessDenied"},
		expectation{copying(s.b, "bucket-a", "bucket-b"), 403, "AccessDenied"},
		expectation{bucketCall(s.a, "get_object", "bucket-b", "Key", "k"), 403, "AccessDenied"},
		expectation{bucketCall(s.aLong, "get_object", "bucket-b", "Key", "k"), 403, "AccessDenied"},
		// An upload belongs to its bucket.
		expectation{bucketCall(s.b, "list_parts", "bucket-b", "Key", "k2", "UploadId", upload), 404, "NoSuchUpload"},
		expectation{bucketCall(s.a, "get_object", "bucket-a", "Key", "k", "ExpectedBucketOwner", secondAccount), 403, "AccessDenied"},
		expectation{bucketCall(s.a, "get_object", "bucket-a", "Key", "k", "ExpectedBucketOwner", s.AccountID), 200, ""},
		// Users have no rights of their own yet, in either account.
		expectation{bucketCall(s.bobA, "get_object", "bucket-a", "Key", "k"), 403, "AccessDenied"},
		expectation{bucketCall(s.bobB, "get_object", "bucket-a", "Key", "k"), 403, "AccessDenied"})
	expectAll(t, c, table)

	// DeleteObjects answers for each key.
	batch := must(t, c, bucketCall(s.b, "delete_objects", "bucket-a", "Delete", map[string]any{"Objects": []map[string]string{{"Key": "k"}}}))[0]
	if codes, deleted := names(batch, "Errors", "Code"), names(batch, "Deleted", "Key"); codes != "AccessDenied" || deleted != "" {
		t.Errorf("delete_objects: errors %q, deleted %q", codes, deleted)
	}
	lists := must(t, c,
		Call{Keys: s.a, Service: "s3", Call: "list_buckets"}, Call{Keys: s.aLong, Service: "s3", Call: "list_buckets"},
		Call{Keys: s.b, Service: "s3", Call: "list_buckets"}, bucketCall(s.a, "get_object", "bucket-a", "Key", "k"))
	for i, want := range []string{"bucket-a", "bucket-a", "bucket-b"} {
		if got := names(lists[i], "Buckets", "Name"); got != want {
			t.Errorf("list_buckets %d: got %q, want %q", i, got, want)
		}
	}
	if got := lists[3].Answer["Body"]; got != "A's" {
		t.Errorf("A's object now holds %q", got)
	}
}

func foreignUsers(t *testing.T, s *twoAccounts, c *Client) {
	expectAll(t, c, []expectation{
		{iamCall(s.a, "get_user", "UserName", "only-b"), 404, "NoSuchEntity"},
		{iamCall(s.a, "update_user", "UserName", "only-b", "NewUserName", "mine"), 404, "NoSuchEntity"},
		{iamCall(s.a, "delete_user", "UserName", "only-b"), 404, "NoSuchEntity"},
		{iamCall(s.a, "list_access_keys", "UserName", "only-b"), 404, "NoSuchEntity"},
		{iamCall(s.a, "create_access_key", "UserName", "only-b"), 404, "NoSuchEntity"},
		{iamCall(s.a, "delete_access_key", "UserName", "bob", "AccessKeyId", s.bobB.AccessKeyID), 404, "NoSuchEntity"},
		{iamCall(s.a, "update_access_key", "UserName", "bob", "AccessKeyId", s.bobB.AccessKeyID, "Status", "Inactive"), 404, "NoSuchEntity"},
		{iamCall(s.a, "get_access_key_last_used", "AccessKeyId", s.bobB.AccessKeyID), 404, "NoSuchEntity"},
		{iamCall(s.b, "delete_access_key", "UserName", "root", "AccessKeyId", s.aLong.AccessKeyID), 404, "NoSuchEntity"},
		{Call{Keys: s.bobB, Service: "sts", Call: "get_caller_identity"}, 200, ""},
	})
	lists := must(t, c, iamCall(s.a, "list_users"), iamCall(s.b, "list_users"), iamCall(s.a, "list_access_keys", "UserName", "bob"))
	for i, want := range []string{"admin-client bob testuser", "bob only-b"} {
		if got := names(lists[i], "Users", "UserName"); got != want {
			t.Errorf("list_users %d: got %q, want %q", i, got, want)
		}
	}
	if got := names(lists[2], "AccessKeyMetadata", "AccessKeyId"); got != s.bobA.AccessKeyID {
		t.Errorf("keys of A's bob: %q, want %q", got, s.bobA.AccessKeyID)
	}
}

// foreignSessions tries to get from one account into the other by proof.
func foreignSessions(t *testing.T, s *twoAccounts, c *Client) {
	who := must(t, c, Call{Keys: s.a, Service: "sts", Call: "get_caller_identity"}, Call{Keys: s.b, Service: "sts", Call: "get_caller_identity"})
	for i, want := range []string{s.AccountID, secondAccount} {
		if got := who[i].Answer["Account"]; got != want {
			t.Errorf("caller %d is of account %v, want %s", i, got, want)
		}
	}
	for _, role := range []string{":root", ":role/shasta-admin", ":role/none"} {
		form := url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleSessionName": {"rootSession"},
			"RoleArn": {"arn:aws:iam::" + secondAccount + role}, "WebIdentityToken": {s.tokenA},
		}
		r, err := http.PostForm(s.URL, form)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		const want = "<Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>"
		if r.StatusCode != http.StatusForbidden || !strings.Contains(string(body), want) {
			t.Errorf("A's token for B%s: %s\n%s", role, r.Status, body)
		}
	}
}

// TestBucketRace has both accounts create the same names at once: each name
// gets one owner, and the other is told whose it is not.
func TestBucketRace(t *testing.T) {
	t.Parallel()
	s := startTwoAccounts(t)
	const rounds = 10
	codes := make([][2]string, rounds)
	var all sync.WaitGroup
	for i := range rounds {
		for j, k := range []Keys{s.a, s.b} {
			client := s3.New(s3.Options{
				Region: s.Region, BaseEndpoint: aws.String(s.URL), UsePathStyle: true, RetryMaxAttempts: 1,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}, nil
				}),
			})
			all.Go(func() {
				_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(fmt.Sprintf("race-%d", i))})
				if codes[i][j] = apiCode(err); err != nil && codes[i][j] == "" {
					codes[i][j] = err.Error()
				}
			})
		}
	}
	all.Wait()
	for i, got := range codes {
		// The loser is told that the name is taken, or, while it is being taken,
		// to ask again.
		lost := got[0] + got[1]
		if (got[0] == "") == (got[1] == "") || lost != "BucketAlreadyExists" && lost != "OperationAborted" {
			t.Errorf("round %d: %q, want one winner", i, got)
		}
	}
}

// TestWebIdentityFile is how workloads use a role: the SDK reads a token file
// and exchanges it by itself.
func TestWebIdentityFile(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	s := Start(t)
	realm := s.Realms["shasta"]
	token := logIn(t, s.TokenURL("shasta"), realm.ClientID, realm.Username, realm.Password)
	c := s.NewClient(t)
	role := "arn:aws:iam::" + s.AccountID + ":role/shasta-admin"
	c.Set("AWS_ROLE_ARN", role)
	c.Set("AWS_WEB_IDENTITY_TOKEN_FILE", c.Write("token", token))
	c.Set("AWS_ROLE_SESSION_NAME", "workload")
	answers := c.Boto3([]Call{
		{Service: "sts", Call: "get_caller_identity"},
		bucketCall(Keys{}, "create_bucket", "workload"),
		bucketCall(Keys{}, "put_object", "workload", "Key", "k", "Body", "by a role"),
		bucketCall(Keys{}, "get_object", "workload", "Key", "k"),
		iamCall(Keys{}, "list_users"),
	})
	for i, want := range []string{"", "", "", "", "AccessDenied"} {
		if got := answers[i]; got.Code != want {
			t.Errorf("call %d: got %q (%s), want %q", i, got.Code, got.Message, want)
		}
	}
	if got, want := answers[0].Answer["Arn"], "arn:aws:sts::"+s.AccountID+":assumed-role/shasta-admin/workload"; got != want {
		t.Errorf("the workload is %v, want %s", got, want)
	}
	if got := answers[3].Answer["Body"]; got != "by a role" {
		t.Errorf("read %q", got)
	}
}
