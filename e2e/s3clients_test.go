package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	smallText = "what the object says\n"
	largeSize = 100 << 20
	// lessSize is for clients whose way to send parts is the same as another's.
	lessSize = 20 << 20
)

// s3Fixture is what all clients of the table share: one server with session
// keys and TLS, and what they send.
type s3Fixture struct {
	s    *Server
	keys Keys
	http *http.Client // trusts the server's CA
}

// s3Columns are the clients of the tables.
var s3Columns = []struct {
	name   string
	client func(*s3Fixture, *testing.T, string) s3Client
}{
	{"aws CLI v1", awsCLI1},
	{"aws CLI v2", awsCLI2},
	{"boto3", boto3Client},
	{"aws-sdk-go-v2", goClient},
	{"minio-go", minioTLS},
	{"minio-go, http", minioPlain},
	{"rclone", rcloneClient},
	{"s3cmd", s3cmdClient},
	{"restic", resticClient},
	{"curl", curlClient},
	{"Chromium", browserClient},
}

// TestS3Clients does every operation with every client, over TLS with session
// keys, and over plain HTTP where the client then signs in another way. What
// came of it is the table in docs/compat/s3.md.
func TestS3Clients(t *testing.T) { driveClients(t, s3Table, nil) }

// TestS3ClientsOnCeph is TestS3Clients before a real Ceph; its table is in
// docs/compat/ceph.md. Clients that send nothing that others do not send are
// driven in the long form only.
func TestS3ClientsOnCeph(t *testing.T) {
	c := StartCeph(t)
	var skip []string
	if os.Getenv("DAYPASS_SOAK") == "" {
		skip = []string{"aws CLI v2", "minio-go, http", "rclone", "s3cmd", "restic", "Chromium"}
	}
	driveClients(t, cephTable, skip, WithCeph(t, c, "s3: {default_upstream: ceph}\n")...)
}

// driveClients fills a table with what came of the operations of the clients,
// but for those to be skipped.
func driveClients(t *testing.T, document string, skip []string, args ...string) {
	t.Helper()
	doc, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	known := readTable(string(doc))
	s := Start(t, append(args, "--tls")...)
	f := &s3Fixture{s: s, keys: s.RootSession(t), http: trusting(t, s.CAFile)}
	var names []string
	for _, c := range s3Columns {
		names = append(names, c.name)
	}
	results := newS3Results(document, names...)
	t.Run("clients", func(t *testing.T) {
		for i, c := range s3Columns {
			if slices.Contains(skip, c.name) {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				client := c.client(f, t, fmt.Sprintf("table-%d", i))
				client.name = c.name
				results.drive(t, known, client)
			})
		}
	})
	results.finish(t, known)
}

// trusting is an HTTP client that trusts the CA in a file.
func trusting(t testing.TB, file string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// largeFile is a file of largeSize in scratch, the same at every run, and
// lessFile its beginning.
var largeFile, lessFile = onceFile("large", largeSize), onceFile("less", lessSize)

func onceFile(name string, size int) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(scratch, name)
		out, err := os.Create(path)
		if err != nil {
			return "", err
		}
		_, err = io.CopyN(out, rand.NewChaCha8([32]byte{1}), int64(size))
		if closed := out.Close(); err == nil {
			err = closed
		}
		return path, err
	})
}

func digestOf(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	_, err = io.Copy(h, in)
	return hex.EncodeToString(h.Sum(nil)), err
}

// sameFile compares two files, of which the first came back.
func (tr *trial) sameFile(what, got, want string) {
	a, err := digestOf(got)
	tr.check(err)
	b, err := digestOf(want)
	tr.check(err)
	tr.same(what, a, b)
}

func (tr *trial) file(make func() (string, error)) string {
	path, err := make()
	tr.check(err)
	return path
}

// sh runs a command that must succeed.
func (tr *trial) sh(c *Client, name string, args ...string) string {
	r := c.Run(name, args...)
	if r.Code != 0 {
		tr.fail("%s %q ended with %d: %s%s", filepath.Base(name), args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// refused runs a command that must fail with an error of a code.
func (tr *trial) refused(c *Client, code, name string, args ...string) {
	r := c.Run(name, args...)
	if r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, code) {
		tr.fail("%s %q ended with %d and not with %s: %s%s", filepath.Base(name), args, r.Code, code, r.Stdout, r.Stderr)
	}
}

// fetch gets or puts what a presigned URL names.
func (f *s3Fixture) fetch(tr *trial, method, url, body string) string {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	tr.check(err)
	r, err := f.http.Do(req)
	tr.check(err)
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	tr.check(err)
	if r.StatusCode/100 != 2 {
		tr.fail("%s of a presigned URL: %s: %s", method, r.Status, got)
	}
	return string(got)
}

// tree makes a small tree with awkward names in the client's home.
func tree(c *Client) string {
	for i := range 5 {
		c.Write(fmt.Sprintf("tree/dir %d/file %[1]d+ü", i), fmt.Sprint(i))
	}
	return filepath.Dir(c.Write("tree/plain", "plain"))
}

// sameTree compares a tree that came back with the one that tree made.
func (tr *trial) sameTree(c *Client, dir string) {
	for i := range 5 {
		tr.same("tree", c.Read(filepath.Join(dir, fmt.Sprintf("dir %d/file %[1]d+ü", i))), fmt.Sprint(i))
	}
	tr.same("tree", c.Read(filepath.Join(dir, "plain")), "plain")
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// versionOf is the version that a client prints of itself.
func versionOf(c *Client, name string, args ...string) string {
	r := c.Run(name, args...)
	return versionNumber.FindString(r.Stdout + r.Stderr)
}

// client is a person with session keys, over TLS.
func (f *s3Fixture) client(t *testing.T) *Client {
	c := f.s.NewClient(t).With(f.keys)
	c.Set("AWS_ENDPOINT_URL", f.s.TLSURL)
	c.Set("AWS_CA_BUNDLE", f.s.CAFile)
	return c
}
