package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// memoryStore is a store of this process: it keeps what it gets by the request
// target, as it was written.
type memoryStore struct {
	mu   sync.Mutex
	held map[string][]byte
	http *http.Server
	at   string // HOST:PORT
}

func (m *memoryStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	target, _, _ := strings.Cut(r.RequestURI, "?")
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, there := m.held[target]
	switch {
	case err != nil:
	case r.Method == http.MethodPut:
		m.held[target] = body
		w.Header().Set("Etag", `"e"`)
	case !there:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code><Message></Message></Error>")
	case r.Method == http.MethodGet:
		_, _ = w.Write(kept)
	}
}

func (m *memoryStore) holds(target string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.held[target]
	return ok
}

// open serves, on the port it had before.
func (m *memoryStore) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", m.at)
	if err != nil {
		t.Fatal(err)
	}
	m.at, m.http = l.Addr().String(), &http.Server{Handler: m}
	go func() { _ = m.http.Serve(l) }()
}

func openMemoryStore(t *testing.T) *memoryStore {
	t.Helper()
	m := &memoryStore{held: map[string][]byte{}, at: "127.0.0.1:0"}
	m.open(t)
	t.Cleanup(func() { m.http.Close() })
	return m
}

// TestUpstreamsWhileServing adds a store to a running server, gives it a bad
// file, takes a store away and brings it back.
func TestUpstreamsWhileServing(t *testing.T) {
	t.Parallel()
	a, b := openMemoryStore(t), openMemoryStore(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(name string, m *memoryStore) string {
		return fmt.Sprintf("- {name: %s, endpoint: 'http://%s', access_key_id: AK, secret_key_file: %s/secret, mode: plain}\n", name, m.at, dir)
	}
	write("secret", "secret")
	write("config.yaml", "s3: {routes: [{prefix: a-, upstream: a}]}\nupstreams:\n"+entry("a", a))
	s := Start(t, "--config", file)
	client := s3.NewFromConfig(aws.Config{
		Region: s.Region, BaseEndpoint: aws.String(s.URL), Credentials: s.RootKeys().provider(), RetryMaxAttempts: 1,
	}, func(o *s3.Options) { o.UsePathStyle = true })
	put := func(bucket, key string) error {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")})
		return err
	}
	make := func(bucket string) {
		t.Helper()
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		if err := put(bucket, "x//y/../z"); err != nil {
			t.Fatal(err)
		}
	}
	reload := func(line string) {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await(t, line, func() bool { return strings.Contains(s.Log(), line) })
	}
	make("a-one")
	write("config.yaml", "s3: {routes: [{prefix: a-, upstream: a}, {prefix: b-, upstream: b}]}\nupstreams:\n"+entry("a", a)+entry("b", b))
	reload("upstreams=2 routes=2")
	make("b-one")
	if !a.holds("/a-one/x//y/../z") || !b.holds("/b-one/x//y/../z") || a.holds("/b-one") {
		t.Errorf("the objects are elsewhere: %v and %v", a.held, b.held)
	}
	write("config.yaml", "region: eu-1\nupstreams:\n"+entry("a", a)+"- {name: b}\n")
	reload("config.yaml:4: upstreams[1].endpoint: must be given")
	if err := put("b-one", "after a bad file"); err != nil {
		t.Error(err)
	}

	a.http.Close()
	await(t, "the store to be found away", func() bool {
		err := put("a-one", "away")
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "SlowDown" {
			t.Fatalf("a store that is away: %v", err)
		}
		return strings.Contains(s.Log(), "the upstream is away")
	})
	for path, want := range map[string]string{"/readyz": "ready", "/metrics": `daypass_upstream_up{upstream="a"} 0`} {
		resp, err := http.Get(s.AdminURL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d, without %s", path, resp.StatusCode, want)
		}
	}
	if err := put("b-one", "the other goes on"); err != nil {
		t.Error(err)
	}
	a.open(t)
	await(t, "the store to be back", func() bool { return put("a-one", "back") == nil && strings.Contains(s.Log(), "the upstream is back") })
}
