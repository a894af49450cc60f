package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCurl signs with curl's own hand: it sends no x-amz-content-sha256.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl := needTool(t, "curl")
	s := Start(t)
	keys := s.RootSession(t)
	c := s.NewClient(t)
	signed := func(service string, args ...string) string {
		t.Helper()
		// The secret goes in by a file: arguments are for everyone to see.
		config := c.Write("curlrc", fmt.Sprintf("user = %q\nheader = %q\n", keys.AccessKeyID+":"+keys.SecretAccessKey, "X-Amz-Security-Token: "+keys.SessionToken))
		return c.OK(curl, append([]string{"-sS", "-K", config, "--aws-sigv4", "aws:amz:us-east-1:" + service}, args...)...)
	}
	for _, v := range []struct {
		name, got, want string
	}{
		{"form to STS", signed("sts", "-d", "Action=GetCallerIdentity&Version=2011-06-15", s.URL), "<Arn>" + s.RootARN() + "</Arn>"},
		{"query to IAM", signed("iam", s.URL+"/?Action=ListUsers&Version=2010-05-08"), "<UserName>testuser</UserName>"},
		{"S3", signed("s3", s.URL), "<Code>InvalidRequest</Code><Message>Missing required header for this request: x-amz-content-sha256</Message>"},
		{"S3 with the header", signed("s3", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", s.URL), "<ListAllMyBucketsResult"},
	} {
		if !strings.Contains(v.got, v.want) {
			t.Errorf("%s: no %s in %s", v.name, v.want, v.got)
		}
	}
}

// TestRclone copies a tree there and back, with rclone and session keys.
func TestRclone(t *testing.T) {
	t.Parallel()
	rclone := needTool(t, "rclone")
	s := Start(t)
	keys := s.RootSession(t)
	c := s.NewClient(t)
	for name, value := range map[string]string{
		"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": s.URL, "REGION": s.Region,
		"ACCESS_KEY_ID": keys.AccessKeyID, "SECRET_ACCESS_KEY": keys.SecretAccessKey, "SESSION_TOKEN": keys.SessionToken,
	} {
		c.Set("RCLONE_CONFIG_D_"+name, value)
	}
	tree := writeTree(c)
	c.OK(rclone, "mkdir", "d:rclone")
	c.OK(rclone, "copy", tree, "d:rclone/tree")
	c.OK(rclone, "check", "--download", tree, "d:rclone/tree")
	c.OK(rclone, "moveto", "d:rclone/tree/large", "d:rclone/moved")
	if got := c.OK(rclone, "cat", "d:rclone/moved"); got != c.Read("tree/large") {
		t.Error("what was moved came back different")
	}
	c.OK(rclone, "purge", "d:rclone")
	if got := c.OK(rclone, "lsd", "d:"); got != "" {
		t.Errorf("left over: %s", got)
	}
}

// TestS3cmd does the same with s3cmd and long-term keys.
func TestS3cmd(t *testing.T) {
	t.Parallel()
	s3cmd := needTool(t, "s3cmd")
	s := Start(t)
	keys := s.RootKeys()
	c := s.NewClient(t)
	host := strings.TrimPrefix(s.URL, "http://")
	c.Write(".s3cfg", fmt.Sprintf("[default]\naccess_key = %s\nsecret_key = %s\nhost_base = %s\nhost_bucket = %[3]s\nuse_https = False\n",
		keys.AccessKeyID, keys.SecretAccessKey, host))
	tree := writeTree(c)
	c.OK(s3cmd, "mb", "s3://s3cmd")
	c.OK(s3cmd, "sync", "-q", tree+"/", "s3://s3cmd/tree/")
	c.OK(s3cmd, "sync", "-q", "s3://s3cmd/tree/", "back/")
	entries, err := os.ReadDir(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if c.Read(filepath.Join("back", e.Name())) != c.Read(filepath.Join("tree", e.Name())) {
			t.Errorf("%s came back different", e.Name())
		}
	}
	c.OK(s3cmd, "rb", "-r", "-f", "s3://s3cmd")
	if got := c.OK(s3cmd, "ls"); got != "" {
		t.Errorf("left over: %s", got)
	}
}

// writeTree makes some files with awkward names, one of them large.
func writeTree(c *Client) string {
	for i := range 10 {
		c.Write(fmt.Sprintf("tree/file %d+ü", i), fmt.Sprint(i))
	}
	return filepath.Dir(c.Write("tree/large", strings.Repeat("0123456789abcdef", 17<<20/16)))
}
