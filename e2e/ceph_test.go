package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// cephScript starts and stops the cluster, and says what it needs.
const cephScript = "../scripts/ceph.sh"

// Ceph is the Ceph object gateway of this test process: S3, STS and IAM on one
// endpoint. Its objects live in memory.
type Ceph struct {
	// Endpoint is plain HTTP; TLSEndpoint's certificate is in CAFile.
	Endpoint    string `json:"endpoint"`
	TLSEndpoint string `json:"tls_endpoint"`
	CAFile      string `json:"ca_file"`
	// The keys are of a user that may do everything with S3, and roles and OIDC
	// providers through IAM.
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	// RoleARN is a role that trusts that user and may do everything with S3.
	RoleARN string `json:"role_arn"`
	Dir     string `json:"-"`
}

// theCeph is the cluster that this process started, if it did.
var theCeph struct {
	once    sync.Once
	started *Ceph
	err     error
	lacks   string
	// hold ends the cluster when it is closed, as the end of this process does.
	hold io.Closer
	cmd  *exec.Cmd
}

// StartCeph returns the cluster of this test process, which starts at first use.
// It skips the test where the packages are not installed. Tests share it, so
// names of buckets, roles and users carry the test's own.
func StartCeph(t testing.TB) *Ceph {
	t.Helper()
	theCeph.once.Do(func() {
		if os.Getuid() != 0 {
			theCeph.lacks = "a Ceph that root may start"
			return
		}
		out, err := exec.Command(cephScript, "missing").Output()
		if err != nil {
			theCeph.err = err
			return
		}
		if theCeph.lacks = strings.TrimSpace(string(out)); theCeph.lacks != "" {
			theCeph.lacks = "Ceph (" + theCeph.lacks + ")"
			return
		}
		theCeph.err = startCluster(filepath.Join(scratch, "ceph"))
	})
	if theCeph.lacks != "" {
		missing(t, theCeph.lacks)
	}
	if theCeph.err != nil {
		t.Fatalf("no Ceph cluster: %v", theCeph.err)
	}
	return theCeph.started
}

func startCluster(dir string) error {
	cmd := exec.Command(cephScript, "run", dir)
	var stderr lockedBuffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	theCeph.hold, theCeph.cmd = stdin, cmd
	file, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s run: %w\n%s", cephScript, cmd.Wait(), &stderr)
	}
	data, err := os.ReadFile(strings.TrimSpace(file))
	if err != nil {
		return err
	}
	theCeph.started = &Ceph{Dir: dir}
	return json.Unmarshal(data, theCeph.started)
}

// stopCluster is for TestMain.
func stopCluster() error {
	if theCeph.started == nil {
		return nil
	}
	theCeph.hold.Close()
	return theCeph.cmd.Wait()
}

// StopGateway stops radosgw until StartGateway or the end of the test. The test
// must be alone: it panics in one that called Parallel.
func (c *Ceph) StopGateway(t *testing.T) {
	t.Helper()
	t.Setenv("DAYPASS_E2E_CEPH_GATEWAY", "stopped")
	c.script(t, "stop-gateway")
	t.Cleanup(func() { c.StartGateway(t) })
}

// StartGateway starts radosgw, on the same ports, unless it runs.
func (c *Ceph) StartGateway(t testing.TB) {
	t.Helper()
	c.script(t, "start-gateway")
}

func (c *Ceph) script(t testing.TB, verb string) {
	t.Helper()
	if out, err := exec.Command(cephScript, verb, c.Dir).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", cephScript, verb, err, out)
	}
}

// Admin runs radosgw-admin and returns what it printed.
func (c *Ceph) Admin(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("radosgw-admin", args...)
	cmd.Env = append(os.Environ(), "CEPH_CONF="+filepath.Join(c.Dir, "ceph.conf"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("radosgw-admin %q: %v\n%s%s", args, err, out, &stderr)
	}
	return string(out)
}

// NewUser makes another user of the cluster and returns its keys.
func (c *Ceph) NewUser(t testing.TB, name string) Keys {
	t.Helper()
	made := decode[struct {
		Keys []struct {
			ID     string `json:"access_key"`
			Secret string `json:"secret_key"`
		} `json:"keys"`
	}](t, c.Admin(t, "user", "create", "--uid="+name, "--display-name="+name))
	return Keys{AccessKeyID: made.Keys[0].ID, SecretAccessKey: made.Keys[0].Secret}
}

// Keys are those of the cluster's user.
func (c *Ceph) Keys() Keys {
	return Keys{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
}

// Config is for Go clients of the cluster itself, past Daypass: S3, STS and IAM.
func (c *Ceph) Config(k Keys) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(c.Endpoint), Credentials: k.provider(),
		// This generation of Ceph knows no checksums in trailers.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	}
}

// S3 is a Go client of the cluster itself.
func (c *Ceph) S3(k Keys) *s3.Client {
	return s3.NewFromConfig(c.Config(k), func(o *s3.Options) { o.UsePathStyle = true })
}

// WithCeph makes arguments for Start: a configuration with the cluster as
// upstream "ceph", reached over TLS, and extra YAML after it.
func WithCeph(t testing.TB, c *Ceph, extra string) []string {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "ceph.secret")
	file := filepath.Join(dir, "config.yaml")
	for name, text := range map[string]string{
		secret: c.SecretAccessKey + "\n",
		file: fmt.Sprintf(`upstreams:
  - name: ceph
    endpoint: %s
    ca_file: %s
    access_key_id: %s
    secret_key_file: %s
    mode: plain
`, c.TLSEndpoint, c.CAFile, c.AccessKeyID, secret) + extra,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"--config", file}
}
