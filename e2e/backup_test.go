package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRestoredSite backs a site up under real clients, restores it beside copies of
// its objects, and uses both with what they have.
func TestRestoredSite(t *testing.T) {
	t.Parallel()
	a := Start(t)
	aws := needAWS1(t)
	root := Keys{a.Root.AccessKeyID, a.Root.SecretAccessKey, ""}
	user := a.NewClient(t).With(root)
	user.OK(aws, "s3", "mb", "s3://kept")
	user.Write("object", "hello")
	user.OK(aws, "s3", "cp", "object", "s3://kept/object")
	session := decode[struct{ Credentials Keys }](t, user.OK(aws, "sts", "get-session-token")).Credentials

	c := newPerson(t, a)
	c.Write("key", a.IBM.APIKey+"\n")
	c.OK(a.binary, "login", "-a", a.URL, "--apikey", "@key", "-r", "us-south")
	c.OK(a.binary, "kms", "key", "create", "of-the-orders", "--alias", "orders")
	c.Write("plain", "treasure")
	c.OK(a.binary, "kms", "wrap", "orders", "--in", "plain", "--out", "sealed")

	recipient := strings.TrimSpace(c.OK(a.binary, "backup", "keygen", "identity"))
	made := decode[struct {
		Archive string
		Slots   int
	}](t, c.OK(a.binary, "backup", "--to", "backups", "--recipient", recipient, "--data", a.Data, "--json"))
	if made.Slots != 1 {
		t.Errorf("%d slots backed up, want 1", made.Slots)
	}
	user.OK(aws, "s3", "mb", "s3://later")

	back := filepath.Join(t.TempDir(), "back")
	if err := os.Mkdir(back, 0o700); err != nil {
		t.Fatal(err)
	}
	copies := func(names ...string) {
		for _, name := range names {
			if out, err := exec.Command("cp", "-a", filepath.Join(a.Data, name), back).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	copies("root.key", "objects", "meta-objects")
	c.OK(a.binary, "restore", made.Archive, "--identity", "identity", "--data", back)
	copies("dev-credentials.json") // beside it restore would refuse the directory
	b := Start(t, "--data", back)

	user = b.NewClient(t).With(root)
	if got := user.OK(aws, "s3", "cp", "s3://kept/object", "-"); got != "hello" {
		t.Errorf("the object is %q", got)
	}
	if got := user.OK(aws, "s3", "ls"); strings.Contains(got, "later") || !strings.Contains(got, "kept") {
		t.Errorf("buckets:\n%s", got)
	}
	user.With(session).Refused("ExpiredToken", aws, "s3api", "list-buckets")
	user.With(session).Refused("ExpiredToken", aws, "sts", "get-caller-identity")

	c.OK(a.binary, "login", "-a", b.URL, "--apikey", "@key", "-r", "us-south")
	c.OK(a.binary, "kms", "unwrap", "orders", "--in", "sealed", "--out", "opened")
	if got := c.Read("opened"); got != "treasure" {
		t.Errorf("unwrapped %q", got)
	}
	// The site that was backed up has noticed nothing.
	a.NewClient(t).With(session).OK(aws, "s3api", "list-buckets")
}
