package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const clientsScript = "testdata/clients.py"

// TestBoto3 does with session keys whatever one does with objects: over plain
// HTTP; over TLS, where the SDK frames its uploads and sends a trailer; and with
// the bucket in the host name.
func TestBoto3(t *testing.T) {
	t.Parallel()
	python := needPython(t, "boto3")
	script, err := filepath.Abs(clientsScript)
	if err != nil {
		t.Fatal(err)
	}
	s := StartWith(t, []string{"DAYPASS_BASE_DOMAINS=" + testDomain}, "--tls")
	keys := s.RootSession(t)
	for _, v := range []struct{ name, url string }{{"plain", s.URL}, {"tls", s.TLSURL}, {"hosts", ""}} {
		t.Run(v.name, func(t *testing.T) {
			c := s.NewClient(t).With(keys)
			c.Set("AWS_ENDPOINT_URL", v.url)
			c.Set("AWS_CA_BUNDLE", s.CAFile)
			if v.url == "" {
				pageHosts(t, s, c)
				c.Set("ADDRESSING_STYLE", "virtual")
				t.Cleanup(func() {
					if host := "host=boto3-hosts.demo.s3." + testDomain; !strings.Contains(s.Log(), host) {
						t.Errorf("%s was not logged", host)
					}
				})
			}
			if out := c.OK(python, script, "objects", "boto3-"+v.name); out != "" {
				t.Error(out)
			}
		})
	}
}

// codes are what S3, STS and IAM answer to a pair of keys; "" is success.
type codes struct{ S3, STS, IAM string }

// TestRefusedKeys shows keys that are over, or not what was issued: each service
// has its own word for it, which the SDKs know.
func TestRefusedKeys(t *testing.T) {
	t.Parallel()
	needPython(t, "boto3")
	s := StartWith(t, []string{"DAYPASS_STS_MIN_DURATION_SECONDS=2"})
	token := s.RootToken(t)
	good, other, long := s.AssumeRoot(t, s.AccountID, token, 0), s.AssumeRoot(t, s.AccountID, token, 0), s.RootKeys()
	short := s.AssumeRoot(t, s.AccountID, token, 2)
	until := time.Now().Add(2 * time.Second)

	invalid := codes{"InvalidToken", "InvalidClientTokenId", "InvalidClientTokenId"}
	unknown := codes{"InvalidAccessKeyId", "InvalidClientTokenId", "InvalidClientTokenId"}
	mismatch := codes{"SignatureDoesNotMatch", "SignatureDoesNotMatch", "SignatureDoesNotMatch"}
	expired := codes{"ExpiredToken", "ExpiredToken", "ExpiredToken"}
	type shown struct {
		name string
		keys Keys
		want codes
	}
	with := func(k Keys, change func(*Keys)) Keys {
		change(&k)
		return k
	}
	cases := []shown{
		{"session keys", good, codes{}},
		{"long-term keys", long, codes{}},
		{"secret of a session tampered with", with(good, func(k *Keys) { k.SecretAccessKey = altered(k.SecretAccessKey, 5) }), mismatch},
		{"secret of a long-term key tampered with", with(long, func(k *Keys) { k.SecretAccessKey = altered(k.SecretAccessKey, 5) }), mismatch},
		{"secret of another session", with(good, func(k *Keys) { k.SecretAccessKey = other.SecretAccessKey }), mismatch},
		{"token of another session", with(good, func(k *Keys) { k.SessionToken = other.SessionToken }), invalid},
		{"token with a long-term key", with(long, func(k *Keys) { k.SessionToken = good.SessionToken }), invalid},
		{"token truncated", with(good, func(k *Keys) { k.SessionToken = k.SessionToken[:len(k.SessionToken)/2] }), invalid},
		{"token prolonged", with(good, func(k *Keys) { k.SessionToken += "AAAA" }), invalid},
		{"token is rubbish", with(good, func(k *Keys) { k.SessionToken = "rubbish" }), invalid},
		{"session key without its token", with(good, func(k *Keys) { k.SessionToken = "" }), unknown},
		{"unknown long-term key", with(long, func(k *Keys) { k.AccessKeyID = altered(k.AccessKeyID, 10) }), unknown},
	}
	size := len(good.SessionToken)
	for _, at := range []int{0, 1, 2, 8, size / 4, size / 2, size - 10, size - 3} {
		cases = append(cases, shown{"token tampered with", with(good, func(k *Keys) { k.SessionToken = altered(k.SessionToken, at) }), invalid})
	}
	time.Sleep(time.Until(until) + 20*time.Millisecond)
	cases = append(cases,
		shown{"expired session", short, expired},
		// Whether a session is over is told only to who can sign for it.
		shown{"expired session, wrong secret", with(short, func(k *Keys) { k.SecretAccessKey = good.SecretAccessKey }), mismatch})

	var calls []Call
	for _, v := range cases {
		calls = append(calls,
			Call{Keys: v.keys, Service: "s3", Call: "list_buckets"},
			Call{Keys: v.keys, Service: "sts", Call: "get_caller_identity"},
			Call{Keys: v.keys, Service: "iam", Call: "list_users"})
	}
	answers := s.NewClient(t).Boto3(calls)
	for i, v := range cases {
		got := codes{answers[3*i].Code, answers[3*i+1].Code, answers[3*i+2].Code}
		if got != v.want {
			t.Errorf("%s: got %+v, want %+v", v.name, got, v.want)
		}
	}
	t.Run("aws CLI", func(t *testing.T) {
		aws := needAWS1(t)
		for i, want := range []string{"ExpiredToken", "SignatureDoesNotMatch", "InvalidToken"} {
			c := s.NewClient(t).With([]Keys{short, cases[2].keys, cases[5].keys}[i])
			c.Refused(want, aws, "s3", "ls")
			if want == "InvalidToken" {
				want = "InvalidClientTokenId"
			}
			c.Refused(want, aws, "sts", "get-caller-identity")
			c.Refused(want, aws, "iam", "list-users")
		}
	})
}

// altered changes one character of a credential to another letter.
func altered(s string, at int) string {
	c := byte('A')
	if s[at] == c {
		c = 'B'
	}
	return s[:at] + string(c) + s[at+1:]
}

// TestCLIObjects does with the aws CLIs what their users do all day.
func TestCLIObjects(t *testing.T) {
	t.Parallel()
	s := Start(t)
	keys := s.RootSession(t)
	for _, v := range []struct {
		name string
		need func(testing.TB) string
	}{{"v1", needAWS1}, {"v2", needAWS2}} {
		t.Run(v.name, func(t *testing.T) {
			path := v.need(t)
			c := s.NewClient(t).With(keys)
			cliObjects(t, s, c, path, "cli-"+v.name, v.name == "v2")
		})
	}
}

// cliObjects goes through the commands of `aws s3`, or in short the main ones:
// a v2 of Debian takes seconds to start.
func cliObjects(t *testing.T, s *Server, c *Client, path, bucket string, short bool) {
	aws := func(args ...string) string {
		t.Helper()
		return c.OK(path, append([]string{"--endpoint-url", s.URL}, args...)...)
	}
	refused := func(code string, args ...string) {
		t.Helper()
		c.Refused(code, path, append([]string{"--endpoint-url", s.URL}, args...)...)
	}
	const text = "what the file says\n"
	file := c.Write("file.txt", text)
	large := strings.Repeat("0123456789abcdef", 20<<20/16)
	largeFile := c.Write("large.bin", large)
	const key = "a dir/with blank & plus+ü.txt"
	object := "s3://" + bucket + "/" + key

	aws("s3", "mb", "s3://"+bucket)
	aws("s3", "cp", file, object)
	if got := aws("s3", "cp", object, "-"); got != text {
		t.Errorf("got %q, want %q", got, text)
	}
	presignByCLI(t, c, aws, object, text)
	if short {
		aws("s3", "rb", "--force", "s3://"+bucket)
		return
	}
	if got := aws("s3", "ls", "--recursive", "s3://"+bucket); !strings.HasSuffix(got, " 19 "+key+"\n") {
		t.Errorf("s3 ls: %q", got)
	}
	aws("s3api", "get-object", "--bucket", bucket, "--key", key, "--range", "bytes=5-7", "part")
	if got := c.Read("part"); got != text[5:8] {
		t.Errorf("range: %q", got)
	}
	head := decode[struct{ ContentLength int }](t, aws("s3api", "head-object", "--bucket", bucket, "--key", key))
	if head.ContentLength != len(text) {
		t.Errorf("head-object: %+v", head)
	}
	aws("s3", "cp", object, "s3://"+bucket+"/copy")
	listed := decode[struct{ Contents []struct{ Key string } }](t, aws("s3api", "list-objects", "--bucket", bucket))
	if len(listed.Contents) != 2 || listed.Contents[0].Key != key || listed.Contents[1].Key != "copy" {
		t.Errorf("list-objects: %+v", listed)
	}
	aws("s3", "cp", largeFile, "s3://"+bucket+"/large", "--quiet")
	aws("s3", "cp", "s3://"+bucket+"/large", "large.back", "--quiet")
	if c.Read("large.back") != large {
		t.Error("20 MiB came back different")
	}
	refused("NoSuchKey", "s3api", "get-object", "--bucket", bucket, "--key", "none", "none")
	refused("NoSuchBucket", "s3", "ls", "s3://none-"+bucket)
	refused("BucketNotEmpty", "s3api", "delete-bucket", "--bucket", bucket)
	aws("s3", "rb", "--force", "s3://"+bucket)
}

// presignByCLI has the CLI make URLs: signed with SigV4 when told to, and with
// SigV2 when v1 is left alone, which is answered with what to tell it.
func presignByCLI(t *testing.T, c *Client, aws func(...string) string, object, text string) {
	t.Helper()
	curl := needTool(t, "curl")
	url := strings.TrimSpace(aws("s3", "presign", object))
	got := c.OK(curl, "-sS", url)
	if v2 := strings.Contains(url, "AWSAccessKeyId="); v2 && !(strings.Contains(got, "<Code>InvalidRequest</Code>") && strings.Contains(got, "s3v4")) {
		t.Errorf("SigV2 URL: %s", got)
	} else if !v2 && got != text {
		t.Errorf("presigned: %q", got)
	}
	c.Write(".aws/config", "[default]\ns3 =\n  signature_version = s3v4\n")
	if got := c.OK(curl, "-sS", strings.TrimSpace(aws("s3", "presign", object, "--expires-in", "60"))); got != text {
		t.Errorf("presigned with s3v4: %q", got)
	}
}

// TestCLIIdentity manages users and keys with the CLI.
func TestCLIIdentity(t *testing.T) {
	t.Parallel()
	path := needAWS1(t)
	s := Start(t)
	root := s.NewClient(t).With(s.RootSession(t))
	aws := func(args ...string) string {
		t.Helper()
		return root.OK(path, args...)
	}
	type user struct {
		User struct{ UserName, Path, Arn string }
	}
	created := decode[user](t, aws("iam", "create-user", "--user-name", "alice", "--path", "/team/")).User
	if want := "arn:aws:iam::" + s.AccountID + ":user/team/alice"; created.Arn != want || created.Path != "/team/" {
		t.Errorf("create-user: %+v, want %s", created, want)
	}
	root.Refused("EntityAlreadyExists", path, "iam", "create-user", "--user-name", "Alice")
	root.Refused("NoSuchEntity", path, "iam", "get-user", "--user-name", "bob")
	root.Refused("ValidationError", path, "iam", "create-user", "--user-name", "not/valid")
	aws("iam", "update-user", "--user-name", "alice", "--new-user-name", "carol", "--new-path", "/")
	if got := decode[user](t, aws("iam", "get-user", "--user-name", "carol")).User; got.Arn != "arn:aws:iam::"+s.AccountID+":user/carol" {
		t.Errorf("get-user: %+v", got)
	}
	users := decode[struct{ Users []struct{ UserName string } }](t, aws("iam", "list-users"))
	var names []string
	for _, u := range users.Users {
		names = append(names, u.UserName)
	}
	if got := strings.Join(names, " "); got != "admin-client carol testuser" {
		t.Errorf("list-users: %s", got)
	}
	keysByCLI(t, s, root, path)
	root.Refused("NoSuchEntity", path, "iam", "delete-user", "--user-name", "alice")
	aws("iam", "delete-user", "--user-name", "carol")
	root.Refused("NoSuchEntity", path, "iam", "get-user", "--user-name", "carol")
	root.Refused("InvalidAction", path, "iam", "list-server-certificates")
	if who := decode[struct{ Account string }](t, aws("sts", "get-access-key-info", "--access-key-id", s.Root.AccessKeyID)); who.Account != s.AccountID {
		t.Errorf("get-access-key-info: %+v", who)
	}
	root.Refused("ValidationError", path, "sts", "get-access-key-info", "--access-key-id", "AKIAUNKNOWNUNKNOWN00")
}

// keysByCLI leads carol's keys through their whole life.
func keysByCLI(t *testing.T, s *Server, root *Client, path string) {
	aws := func(args ...string) string {
		t.Helper()
		return root.OK(path, args...)
	}
	create := func() Keys {
		t.Helper()
		return decode[struct{ AccessKey Keys }](t, aws("iam", "create-access-key", "--user-name", "carol")).AccessKey
	}
	first, second := create(), create()
	root.Refused("LimitExceeded", path, "iam", "create-access-key", "--user-name", "carol")
	root.Refused("DeleteConflict", path, "iam", "delete-user", "--user-name", "carol")
	carol := root.With(first)
	if got := carol.OK(path, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"); got != "arn:aws:iam::"+s.AccountID+":user/carol\n" {
		t.Errorf("carol is %s", got)
	}
	carol.Refused("AccessDenied", path, "s3", "ls")
	carol.Refused("AccessDenied", path, "iam", "list-users")
	used := decode[struct {
		UserName          string
		AccessKeyLastUsed struct{ ServiceName, Region string }
	}](t, aws("iam", "get-access-key-last-used", "--access-key-id", second.AccessKeyID))
	if used.UserName != "carol" || used.AccessKeyLastUsed.ServiceName != "N/A" {
		t.Errorf("get-access-key-last-used: %+v", used)
	}
	aws("iam", "update-access-key", "--user-name", "carol", "--access-key-id", first.AccessKeyID, "--status", "Inactive")
	carol.Refused("InvalidClientTokenId", path, "sts", "get-caller-identity")
	carol.Refused("InvalidAccessKeyId", path, "s3", "ls")
	listed := aws("iam", "list-access-keys", "--user-name", "carol", "--output", "text", "--query", "sort_by(AccessKeyMetadata,&Status)[].Status")
	if listed != "Active\tInactive\n" {
		t.Errorf("list-access-keys: %q", listed)
	}
	for _, k := range []Keys{first, second} {
		aws("iam", "delete-access-key", "--user-name", "carol", "--access-key-id", k.AccessKeyID)
	}
	root.Refused("NoSuchEntity", path, "iam", "delete-access-key", "--user-name", "carol", "--access-key-id", first.AccessKeyID)
}
