package e2e

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// verbs is the operator at a shell on the server's machine.
func (s *Server) verbs(t *testing.T) func(args ...string) Result {
	c := s.NewClient(t)
	c.Set("DAYPASS_DATA", s.Data)
	return func(args ...string) Result {
		t.Helper()
		return c.Run(s.binary, args...)
	}
}

// ends demands of a verb how it ends, and what it says on either output.
func ends(t *testing.T, r Result, code int, says ...string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit status %d, want %d\n%s%s", r.Code, code, r.Stdout, r.Stderr)
	}
	for _, text := range says {
		if !strings.Contains(r.Stdout+r.Stderr, text) {
			t.Errorf("it does not say %q:\n%s%s", text, r.Stdout, r.Stderr)
		}
	}
}

// TestReleaseAndClaim moves a bucket of the embedded store from one account to
// another, as an operator would.
func TestReleaseAndClaim(t *testing.T) {
	t.Parallel()
	s := startTwoAccounts(t)
	op, a, b := s.verbs(t), s.s3(s.a), s.s3(s.b)
	moving := aws.String("moving")
	if _, err := a.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: moving}); err != nil {
		t.Fatal(err)
	}
	store(t, a, "moving", "file", "hello")
	if _, err := a.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: moving, Policy: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + s.AccountID + `:root"},"Action":"s3:*","Resource":["arn:aws:s3:::moving","arn:aws:s3:::moving/*"]}}`)}); err != nil {
		t.Fatal(err)
	}
	reads := func(who string, c *s3.Client, want string) {
		t.Helper()
		got, err := load(t, c, "moving", "file")
		if err != nil {
			got = apiCode(err)
		}
		if got != want {
			t.Errorf("%s reads %q, want %q", who, got, want)
		}
	}

	ends(t, op("bucket", "list"), 0, "moving", "embedded", s.AccountID)
	ends(t, op("bucket", "claim", "embedded/moving", "--account", "second", "--yes"), 1, "in the registry already: of account "+s.AccountID)
	ends(t, op("bucket", "release", "moving"), 2, "its data stays", "say --yes")
	ends(t, op("bucket", "release", "moving", "--dry-run"), 0, "Would release: embedded/moving")
	reads("A", a, "hello")
	ends(t, op("bucket", "release", "moving", "--yes"), 0, "daypass bucket claim embedded/moving --account "+s.AccountID)

	// Nobody reaches it, and nobody gets it by its name.
	for who, c := range map[string]*s3.Client{"A": a, "B": b} {
		reads(who, c, "NoSuchBucket")
		if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: moving}); apiCode(err) != "BucketAlreadyExists" {
			t.Errorf("%s creates it: %v", who, err)
		}
	}
	ends(t, op("upstream", "buckets", "embedded"), 0, "moving", "claimable")

	ends(t, op("bucket", "claim", "embedded/moving", "--account", "second"), 2, "for account "+secondAccount, "say --yes")
	ends(t, op("bucket", "claim", "embedded/moving", "--account", "second", "--dry-run"), 0, "Would claim: embedded/moving")
	reads("B", b, "NoSuchBucket")
	ends(t, op("bucket", "claim", "embedded/moving", "--account", "second", "--yes"), 0, "Claimed: embedded/moving for account "+secondAccount)
	sees(t, a)
	sees(t, b, "moving")
	reads("A", a, "AccessDenied")
	reads("B", b, "hello")
	if _, err := b.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: moving}); apiCode(err) != "NoSuchBucketPolicy" {
		t.Errorf("the policy of the old owner: %v", err)
	}
	list := decode[[]struct {
		Name      string `json:"name"`
		AccountID string `json:"account_id"`
	}](t, op("bucket", "list", "--account", "second", "--json").Stdout)
	if len(list) != 1 || list[0].Name != "moving" || list[0].AccountID != secondAccount {
		t.Errorf("the registry says %v", list)
	}

	for _, refused := range [][]string{
		{"no upstream nope; there is embedded", "nope/some", "--account", "second"},
		{"has no bucket not-there", "embedded/not-there", "--account", "second"},
		{"against S3's rules", "embedded/Not_A_Name", "--account", "second"},
		{"kept for calls", "embedded/realms", "--account", "second"},
		{"no account third", "embedded/moving", "--account", "third"},
		{"no bucket whose name begins so", "embedded", "--prefix", "zzz", "--account", "second"},
	} {
		ends(t, op(append([]string{"bucket", "claim", "--yes"}, refused[1:]...)...), 1, refused[0])
	}
}

var scratchBucket = regexp.MustCompile(`daypass-check-[a-z2-7]+`)

func TestCheckEmbedded(t *testing.T) {
	t.Parallel()
	s := Start(t)
	op := s.verbs(t)
	r := op("upstream", "check", "embedded")
	ends(t, r, 0, "embedded is good as it is set.", "the scratch bucket is removed")
	if strings.Contains(r.Stdout, "it overlooks") {
		t.Errorf("sub-resources are overlooked:\n%s", r.Stdout)
	}
	if name := scratchBucket.FindString(r.Stderr); name == "" || strings.Contains(r.Stdout, "daypass-check-") {
		t.Errorf("no scratch bucket was named, or it is left\n%s%s", r.Stdout, r.Stderr)
	}
	if got := op("upstream", "buckets", "embedded", "--json").Stdout; strings.TrimSpace(got) != "[]" {
		t.Errorf("left behind: %s", got)
	}
	ends(t, op("upstream", "check", "nope"), 1, "There is no upstream nope")

	// Broken off by Ctrl-C, it cleans up too.
	cmd := exec.Command(s.binary, "upstream", "check", "--data", s.Data)
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the check has made its bucket", func() bool { return strings.Contains(out.String(), "make a bucket: works") })
	cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err == nil || !strings.Contains(out.String(), "broken off; the server removes the bucket "+scratchBucket.FindString(out.String())) {
		t.Errorf("%v\n%s", err, &out)
	}
	await(t, "the scratch bucket is gone", func() bool {
		return strings.TrimSpace(op("upstream", "buckets", "embedded", "--json").Stdout) == "[]"
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so in time: %s", what)
		}
	}
}

// TestClaimOnCeph claims buckets that were in a Ceph before, for two accounts.
// New buckets go there too.
func TestClaimOnCeph(t *testing.T) {
	t.Parallel()
	ceph := StartCeph(t)
	direct := ceph.S3(ceph.Keys())
	names := []string{"claim-logs-one", "claim-logs-two", "claim-images"}
	for _, name := range names {
		makeBucket(t, direct, name)
		store(t, direct, name, "was/here", name)
	}
	makeBucket(t, ceph.S3(ceph.NewUser(t, "claim-stranger")), "claim-strangers")

	s := startTwoAccounts(t, WithCeph(t, ceph, "s3: {default_upstream: ceph}\n")...)
	op, a, b := s.verbs(t), s.s3(s.a), s.s3(s.b)
	create := func(c *s3.Client, name string) error {
		_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
		return err
	}
	ends(t, op("upstream", "buckets", "ceph"), 0, "claim-logs-one", "claimable")
	ends(t, op("bucket", "claim", "ceph/claim-strangers", "--account", s.AccountID, "--yes"), 1, "somebody else's there")
	for _, name := range []string{"claim-strangers", "claim-images"} { // which Ceph would let us create again
		if code := apiCode(create(a, name)); code != "BucketAlreadyExists" {
			t.Errorf("creating %s: %q", name, code)
		}
	}

	ends(t, op("bucket", "claim", "ceph", "--prefix", "claim-logs-", "--account", s.AccountID, "--yes"), 0, "claim-logs-one", "claim-logs-two")
	ends(t, op("bucket", "claim", "ceph/claim-images", "--account", "second", "--yes"), 0, "Claimed: ceph/claim-images")
	ends(t, op("bucket", "claim", "ceph", "--prefix", "claim-logs-", "--account", "second", "--yes"), 1, "Not claimed: claim-logs-one")
	sees(t, a, "claim-logs-one", "claim-logs-two")
	sees(t, b, "claim-images")
	if got, err := load(t, a, "claim-logs-one", "was/here"); got != "claim-logs-one" {
		t.Errorf("A reads %q, %v", got, err)
	}
	store(t, a, "claim-logs-one", "big", strings.Repeat("0123456789abcdef", 1<<16))
	if _, err := load(t, b, "claim-logs-one", "was/here"); apiCode(err) != "AccessDenied" {
		t.Errorf("B reads A's: %v", err)
	}
	if _, err := a.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("claim-images"), Key: aws.String("was/here")}); apiCode(err) != "AccessDenied" {
		t.Errorf("A deletes B's: %v", err)
	}

	for _, name := range names {
		ends(t, op("bucket", "release", name, "--yes"), 0, "Released: ceph/"+name)
	}
	sees(t, a)
	if _, err := load(t, a, "claim-logs-one", "was/here"); apiCode(err) != "NoSuchBucket" {
		t.Errorf("A reads what was released: %v", err)
	}
	for _, name := range names {
		if code := apiCode(create(b, name)); code != "BucketAlreadyExists" {
			t.Errorf("B creates %s: %q", name, code)
		}
		if got, err := load(t, direct, name, "was/here"); got != name {
			t.Errorf("its data is gone from %s: %v", name, err)
		}
	}
	ends(t, op("bucket", "list", "--upstream", "ceph", "--json"), 0, "[]")
}

// s3 is a Go client with keys of the server.
func (s *Server) s3(k Keys) *s3.Client {
	return s3.NewFromConfig(s.goWith(k), func(o *s3.Options) { o.UsePathStyle = true })
}

func sees(t *testing.T, c *s3.Client, want ...string) {
	t.Helper()
	list, err := c.ListBuckets(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range list.Buckets {
		got = append(got, *b.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the account sees %v, want %v", got, want)
	}
}

func store(t *testing.T, c *s3.Client, bucket, key, text string) {
	t.Helper()
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)}); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, c *s3.Client, bucket, key string) (string, error) {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	return string(text), err
}

func makeBucket(t *testing.T, c *s3.Client, name string) {
	t.Helper()
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		for _, key := range []string{"was/here", "big"} {
			c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name, Key: &key})
		}
		if _, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
			t.Error(err)
		}
	})
}

// TestCheckCeph checks the cluster as it should be set, and set wrongly.
func TestCheckCeph(t *testing.T) {
	t.Parallel()
	ceph := StartCeph(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	variant := func(name, endpoint, secret, more string) string {
		return "  - {name: " + name + ", endpoint: '" + endpoint + "', access_key_id: " + ceph.AccessKeyID + ", secret_key_file: " + secret + more + "}\n"
	}
	right, wrong := write("right", ceph.SecretAccessKey), write("wrong", "wrong")
	s := Start(t, WithCeph(t, ceph,
		variant("mode", ceph.Endpoint, right, "")+variant("enabled", ceph.Endpoint, right, ", mode: plain, enable: [DeleteBucketEncryption, DeleteBucketLifecycle]")+
			variant("secret", ceph.Endpoint, wrong, ", mode: plain")+variant("ca", ceph.TLSEndpoint, right, "")+
			variant("nobody", "http://127.0.0.1:1", right, "")+variant("tls", strings.Replace(ceph.Endpoint, "http:", "https:", 1), right, ""))...)
	op := s.verbs(t)
	ends(t, op("upstream", "list"), 0, ceph.TLSEndpoint, "embedded")
	r := op("upstream", "check", "ceph")
	ends(t, r, 0, "ceph is good as it is set.", "plain: it knows no checksum trailers")
	if strings.Contains(r.Stdout, "remove it by hand") {
		t.Errorf("left behind:\n%s", r.Stdout)
	}
	// Which is why the gate does not pass them on.
	ends(t, r, 0, "it overlooks those of GetBucketEncryption, PutBucketEncryption, DeleteBucketEncryption -> do not enable these")
	ends(t, op("upstream", "check", "enabled"), 1, "it overlooks those of DeleteBucketEncryption ->", "enable: without DeleteBucketEncryption")
	ends(t, op("upstream", "check", "secret"), 1, "the secret key is wrong")
	ends(t, op("upstream", "check", "ca"), 1, "ca_file:", "unknown authority")
	ends(t, op("upstream", "check", "nobody"), 1, "connection refused")
	ends(t, op("upstream", "check", "tls"), 1, "endpoint: http://")
	wrongMode := op("upstream", "check", "mode", "--json")
	ends(t, wrongMode, 1)
	reports := decode[[]struct {
		Upstream string                            `json:"upstream"`
		Usable   bool                              `json:"usable"`
		Advice   []struct{ Setting, Value string } `json:"advice"`
		Left     []string                          `json:"left"`
	}](t, wrongMode.Stdout)
	if len(reports) != 1 || reports[0].Usable || len(reports[0].Left) != 0 || len(reports[0].Advice) != 1 || reports[0].Advice[0].Value != "plain" {
		t.Errorf("%+v", reports)
	}
}
