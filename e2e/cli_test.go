package e2e

import (
	"strings"
	"testing"
)

// newPerson is a client of a server who uses daypass itself: it has no
// endpoint and no keys in its environment.
func newPerson(t *testing.T, s *Server) *Client {
	c := s.NewClient(t)
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		c.Set(name, "")
	}
	c.Set("DAYPASS_KEYRING", "file")
	return c
}

func (s *Server) logIn(c *Client, args ...string) {
	password := c.Write("password", s.Root.Password+"\n")
	c.OK(s.binary, append([]string{"login", "--endpoint", s.URL, "--username", s.Root.Email, "--password-file", password}, args...)...)
}

func TestExecGivesTheAWSCLIKeys(t *testing.T) {
	t.Parallel()
	aws := needAWS1(t)
	s := Start(t)
	c := newPerson(t, s)
	s.logIn(c)
	c.OK(s.binary, "exec", "--", aws, "s3", "mb", "s3://by-exec")
	if got := c.OK(s.binary, "exec", "--", aws, "s3", "ls"); !strings.Contains(got, "by-exec") {
		t.Errorf("s3 ls: %s", got)
	}
	// What was in the environment does not win.
	c.Set("AWS_PROFILE", "another")
	c.Set("AWS_ACCESS_KEY_ID", s.Root.AccessKeyID)
	c.Set("AWS_SECRET_ACCESS_KEY", "another")
	got := decode[struct{ Arn string }](t, c.OK(s.binary, "exec", "--", aws, "sts", "get-caller-identity"))
	if got.Arn != s.RootARN() {
		t.Errorf("the caller is %s, want %s", got.Arn, s.RootARN())
	}
	if r := c.Run(s.binary, "exec", "--", aws, "s3", "ls", "s3://no-such-bucket"); r.Code == 0 || !strings.Contains(r.Stderr, "NoSuchBucket") {
		t.Errorf("want aws's own failure, got %d: %s", r.Code, r.Stderr)
	}
}

func TestCredentialProcess(t *testing.T) {
	t.Parallel()
	aws := needAWS1(t)
	s := Start(t)
	c := newPerson(t, s)
	c.OK(s.binary, "configure", "--endpoint", s.URL)
	// Not logged in: the user reads what to do.
	if r := c.Run(aws, "s3", "ls", "--profile", "daypass"); r.Code == 0 || !strings.Contains(r.Stderr, "run: daypass login") {
		t.Errorf("not logged in: got %d, %s", r.Code, r.Stderr)
	}
	s.logIn(c)
	c.OK(aws, "s3", "mb", "s3://by-process", "--profile", "daypass")
	if got := c.OK(aws, "s3", "ls", "--profile", "daypass"); !strings.Contains(got, "by-process") {
		t.Errorf("s3 ls: %s", got)
	}
	c.Write("hello.txt", "hello\n")
	c.OK(aws, "s3", "cp", "hello.txt", "s3://by-process/hello.txt", "--profile", "daypass")
	url := strings.TrimSpace(c.OK(aws, "s3", "presign", "s3://by-process/hello.txt", "--profile", "daypass"))
	if got := c.OK(needTool(t, "curl"), "-sf", url); got != "hello\n" {
		t.Errorf("the presigned URL yields %q", got)
	}
	c.OK(s.binary, "logout")
	if r := c.Run(aws, "s3", "ls", "--profile", "daypass"); r.Code == 0 || !strings.Contains(r.Stderr, "run: daypass login") {
		t.Errorf("logged out: got %d, %s", r.Code, r.Stderr)
	}
}

// TestBotocoreOutlivesItsKeys: one session of botocore goes on while the keys
// behind it die every few seconds.
func TestBotocoreOutlivesItsKeys(t *testing.T) {
	t.Parallel()
	python := needPython(t, "boto3")
	s := StartWith(t, []string{"DAYPASS_STS_MIN_DURATION_SECONDS=1"})
	c := newPerson(t, s)
	s.logIn(c, "--duration", "6s")
	c.OK(s.binary, "configure")
	got := c.OK(python, c.Write("outlive.py", `
import boto3, time
session = boto3.Session(profile_name="daypass")
sts, seen, end = session.client("sts"), set(), time.time() + 90
while len(seen) < 3 and time.time() < end:
    sts.get_caller_identity()
    seen.add(session.get_credentials().get_frozen_credentials().access_key)
print(len(seen))
`))
	if got != "3\n" {
		t.Errorf("%s different keys were used, want 3", strings.TrimSpace(got))
	}
}
