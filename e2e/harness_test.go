package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
)

// Ready is the ready file, as far as these tests read it.
type Ready struct {
	URL       string `json:"url"`
	Region    string `json:"region"`
	Partition string `json:"partition"`
	AccountID string `json:"account_id"`
	Root      struct {
		Email           string `json:"email"`
		Password        string `json:"password"`
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
	} `json:"root"`
	Realms map[string]struct {
		ClientID string `json:"client_id"`
		Username string `json:"username"`
		Password string `json:"password"`
	} `json:"realms"`
	Stax struct {
		ConfigURL string `json:"config_url"`
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	} `json:"stax"`
	IBM struct {
		APIKey          string `json:"api_key"`
		ServiceIDAPIKey string `json:"service_id_api_key"`
		InstanceID      string `json:"instance_id"`
		StorageID       string `json:"storage_id"`
	} `json:"ibm"`
	AdminURL string `json:"admin_url"`
	TLSURL   string `json:"tls_url"`
	CAFile   string `json:"ca_file"`
	// ConsoleURL is where pages for people are, "" when there are none.
	ConsoleURL string `json:"console_url"`
}

// RootARN is the ARN of the demo account's root user.
func (r *Ready) RootARN() string { return "arn:" + r.Partition + ":iam::" + r.AccountID + ":root" }

// TokenURL is the token endpoint of a realm.
func (r *Ready) TokenURL(realm string) string {
	return r.URL + "/auth/realms/" + realm + "/protocol/openid-connect/token"
}

// Server is a running `daypass serve --dev` on free ports.
type Server struct {
	Ready
	Data string

	t      testing.TB
	binary string
	cmd    *exec.Cmd
	// Printed is what the server wrote to standard output: what to paste.
	Printed lockedBuffer
	logs    lockedBuffer
	exited  chan error
}

// Start runs a server for the length of a test, with further arguments.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartWith(t, nil, args...)
}

// StartWith is Start with variables ("DAYPASS_…=…") in the server's environment.
func StartWith(t testing.TB, env []string, args ...string) *Server {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, Data: filepath.Join(t.TempDir(), "data"), binary: filepath.Join(dir, "daypass"), exited: make(chan error, 1)}
	ready := filepath.Join(t.TempDir(), "ready.json")
	s.cmd = exec.Command(s.binary, append([]string{
		"serve", "--dev", "--listen", "127.0.0.1:0", "--data", s.Data, "--ready-file", ready,
	}, args...)...)
	s.cmd.Env = append(withoutPrefix(os.Environ(), "DAYPASS_"), env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.Printed, &s.logs
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop() })
	go func() { s.exited <- s.cmd.Wait() }()
	s.awaitReady(ready)
	return s
}

func (s *Server) awaitReady(file string) {
	s.t.Helper()
	deadline := time.Now().Add(startTimeout)
	for {
		if data, err := os.ReadFile(file); err == nil {
			if err := json.Unmarshal(data, &s.Ready); err != nil {
				s.t.Fatalf("ready file: %v\n%s", err, data)
			}
			return
		}
		select {
		case err := <-s.exited:
			s.exited <- err
			s.t.Fatalf("the server ended before it was ready: %v\n%s", err, &s.logs)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("not ready after %s\n%s", startTimeout, &s.logs)
		}
	}
}

// stop ends the server as an operator would, and looks whether it went in
// order: exit code 0, and no object store left behind.
func (s *Server) stop() {
	children := childrenOf(s.cmd.Process.Pid)
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		if err != nil {
			s.t.Errorf("the server ended with %v", err)
		}
	case <-time.After(stopTimeout):
		s.cmd.Process.Kill()
		s.t.Errorf("the server did not end within %s of SIGTERM", stopTimeout)
		<-s.exited
	}
	for _, pid := range children {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			s.t.Errorf("process %d, a child of the server, is still there (%v)", pid, err)
		}
	}
	if s.t.Failed() {
		s.t.Logf("the server's log:\n%s", &s.logs)
	}
}

// childrenOf lists the children of a process, on systems with /proc.
func childrenOf(parent int) []int {
	var out []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		// pid (name) state ppid …; the name may hold blanks and brackets.
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			out = append(out, pid)
		}
	}
	return out
}

// Apply applies a site file over the server's socket and returns what it says.
func (s *Server) Apply(t testing.TB, site string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(file, []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(s.binary, "apply", "-f", file, "--data", s.Data).CombinedOutput()
	if err != nil {
		t.Fatalf("daypass apply: %v\n%s", err, out)
	}
	return string(out)
}

// Log is what the server has logged so far.
func (s *Server) Log() string { return s.logs.String() }

// Client is a person with a home of their own, at a shell.
type Client struct {
	t    testing.TB
	Home string
	env  map[string]string
}

// NewClient makes a client of a server, without credentials.
func (s *Server) NewClient(t testing.TB) *Client {
	c := &Client{t: t, Home: t.TempDir(), env: map[string]string{}}
	for _, pair := range withoutPrefix(os.Environ(), "AWS_", "DAYPASS_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy") {
		name, value, _ := strings.Cut(pair, "=")
		c.env[name] = value
	}
	c.Set("HOME", c.Home)
	if dir := scripts(); dir != "" {
		c.Set("PATH", dir+string(filepath.ListSeparator)+c.env["PATH"])
	}
	c.Set("AWS_ENDPOINT_URL", s.URL)
	c.Set("AWS_DEFAULT_REGION", s.Region)
	c.Set("AWS_EC2_METADATA_DISABLED", "true")
	c.Set("AWS_PAGER", "")
	return c
}

// Set sets a variable of the client's environment; an empty one is removed.
func (c *Client) Set(name, value string) {
	if value == "" {
		delete(c.env, name)
		return
	}
	c.env[name] = value
}

// Keys are a pair of keys, with the session token of temporary ones.
type Keys struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
}

// With returns the same client in possession of keys.
func (c *Client) With(k Keys) *Client {
	out := &Client{t: c.t, Home: c.Home, env: map[string]string{}}
	for name, value := range c.env {
		out.env[name] = value
	}
	out.Set("AWS_ACCESS_KEY_ID", k.AccessKeyID)
	out.Set("AWS_SECRET_ACCESS_KEY", k.SecretAccessKey)
	out.Set("AWS_SESSION_TOKEN", k.SessionToken)
	return out
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command in the client's home. It fails the test when a client
// prints "Unknown", which means that an error came in the wrong envelope.
func (c *Client) Run(name string, args ...string) Result {
	c.t.Helper()
	r := c.command(name, args)
	if strings.Contains(r.Stdout+r.Stderr, "Unknown") {
		c.t.Errorf("%s %q printed Unknown:\n%s%s", filepath.Base(name), args, r.Stdout, r.Stderr)
	}
	return r
}

func (c *Client) command(name string, args []string) Result {
	c.t.Helper()
	// Without keys of its own the CLI looks for some, and keeps what it finds in
	// a folder whose path it works out when it is loaded.
	if c.env["AWS_ACCESS_KEY_ID"] != "" && c.env["AWS_PROFILE"] == "" && !slices.Contains(args, "--profile") {
		if f := forkOf(name); f != nil {
			return f.run(c.t, c.Home, c.env, args)
		}
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = c.Home
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	slices.Sort(cmd.Env)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("%s: %v", name, err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// OK runs a command that must succeed, and returns what it printed.
func (c *Client) OK(name string, args ...string) string {
	c.t.Helper()
	r := c.Run(name, args...)
	if r.Code != 0 {
		c.t.Fatalf("%s %q ended with %d:\n%s%s", filepath.Base(name), args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// Refused runs a command that must fail with an error of this code.
func (c *Client) Refused(code, name string, args ...string) {
	c.t.Helper()
	r := c.Run(name, args...)
	if r.Code == 0 || !strings.Contains(r.Stderr, "("+code+")") {
		c.t.Errorf("%s %q: want an error (%s), got exit code %d:\n%s%s", filepath.Base(name), args, code, r.Code, r.Stdout, r.Stderr)
	}
}

// Write writes a file in the client's home.
func (c *Client) Write(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.Home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// Read reads a file in the client's home.
func (c *Client) Read(name string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Home, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// decode parses JSON that a client printed.
func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return out
}

func withoutPrefix(environ []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(pair, p) })
	})
}

// lockedBuffer takes the output of a process while it is read.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
