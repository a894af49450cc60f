package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// rig is a server under test that may be killed and started again on the same
// data directory. Its requests are made by hand, bytes and all: what these
// tests send is what no client sends.
type rig struct {
	t       testing.TB
	dir     string
	binary  string
	flags   []string
	env     []string
	client  *http.Client
	starts  int
	cmd     *exec.Cmd
	exited  chan struct{}
	process atomic.Pointer[os.Process]
	now     atomic.Pointer[readyFacts]
	secrets sync.Map // texts that no log may hold, with what they are
}

// readyFacts are what the tests read of the ready file.
type readyFacts struct {
	URL        string `json:"url"`
	AdminURL   string `json:"admin_url"`
	ConsoleURL string `json:"console_url"`
	AccountID  string `json:"account_id"`
	Stax       struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	IBM struct {
		APIKey     string `json:"api_key"`
		ServiceKey string `json:"service_id_api_key"`
		InstanceID string `json:"instance_id"`
		StorageID  string `json:"storage_id"`
	} `json:"ibm"`
	Root struct {
		Email, Password string
		AccessKeyID     string `json:"access_key_id"`
		Secret          string `json:"secret_access_key"`
	}
	Realms map[string]struct {
		ClientID           string `json:"client_id"`
		Username, Password string
	}
}

const accountB = "210987654321"

// secondSite adds an account that shares nothing with the demo's.
const secondSite = `
accounts:
  - id: "210987654321"
    name: Other
    alias: other-account
    root: {email: other@example.com, password: other-password-1}
`

// startRig starts a server; binary "" is the ordinary daypass.
func startRig(t testing.TB, binary string, env ...string) *rig {
	t.Helper()
	r := newRig(t, binary, env...)
	r.start()
	t.Cleanup(r.end)
	return r
}

// newRig is a rig whose server was not started.
func newRig(t testing.TB, binary string, env ...string) *rig {
	t.Helper()
	if binary == "" {
		binary = binaryPath(t, "daypass")
	}
	r := &rig{t: t, dir: t.TempDir(), binary: binary, env: env}
	r.client = &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
	}
	return r
}

// launch starts the server without waiting for it to be ready.
func (r *rig) launch() (ready string, exited chan struct{}) {
	r.t.Helper()
	r.starts++
	ready = filepath.Join(r.dir, fmt.Sprintf("ready-%d.json", r.starts))
	log, err := os.OpenFile(r.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--data", r.data(), "--ready-file", ready}, r.flags...)
	r.cmd = exec.Command(r.binary, args...)
	r.cmd.Stdout, r.cmd.Stderr = io.Discard, log
	r.cmd.Env = append(foreignEnviron(), "TMPDIR="+r.dir, "XDG_RUNTIME_DIR=", "DAYPASS_OBJECT_STORE_BINARY="+binaryPath(r.t, "daypass-objectstore"))
	r.cmd.Env = append(r.cmd.Env, r.env...)
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.process.Store(r.cmd.Process)
	cmd := r.cmd
	exited = make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	r.exited = exited
	return ready, exited
}

// start returns when the server is ready. It must become so without help.
func (r *rig) start() {
	r.t.Helper()
	ready, exited := r.launch()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if raw, err := os.ReadFile(ready); err == nil {
			facts := new(readyFacts)
			if err := json.Unmarshal(raw, facts); err != nil {
				r.t.Fatal(err)
			}
			r.now.Store(facts)
			return
		}
		select {
		case <-exited:
			r.t.Fatalf("the server ended before it was ready:\n%s", r.logTail())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the server was not ready in time:\n%s", r.logTail())
		}
	}
}

func (r *rig) data() string    { return filepath.Join(r.dir, "data") }
func (r *rig) logFile() string { return filepath.Join(r.dir, "log") }
func (r *rig) facts() *readyFacts {
	return r.now.Load()
}

// end stops the server in good order and looks through its log.
func (r *rig) end() {
	r.client.CloseIdleConnections()
	r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.exited:
	case <-time.After(30 * time.Second):
		r.cmd.Process.Kill()
		r.t.Error("the server did not end within 30 s of SIGTERM")
	}
	raw, _ := os.ReadFile(r.logFile())
	for _, sign := range []string{"msg=panic", "panic:", "http: panic", "DATA RACE", "fatal error:", "superfluous response.WriteHeader"} {
		if bytes.Contains(raw, []byte(sign)) {
			r.t.Errorf("the log holds %q:\n%s", sign, r.logTail())
		}
	}
	r.searchLogs(raw)
	if r.t.Failed() && os.Getenv("DAYPASS_E2E_LOG") != "" {
		r.t.Logf("%s", raw)
	}
}

// secret notes what no log may hold. Of a JWT that is its signature.
func (r *rig) secret(what, text string) {
	text = text[strings.LastIndexByte(text, '.')+1:]
	if len(text) >= 20 {
		r.secrets.Store(text, what)
	}
}

var signatureInLog = regexp.MustCompile(`(?i)signature=[0-9a-f]{64}`)

// searchLogs looks for secrets in what the server wrote and in the audit log.
func (r *rig) searchLogs(raw []byte) {
	f := r.facts()
	r.secret("the root password", f.Root.Password)
	r.secret("the root key's secret", f.Root.Secret)
	r.secret("testuser's password", f.Realms["shasta"].Password)
	r.secret("the API token's secret", f.Stax.SecretKey)
	if found := signatureInLog.Find(raw); found != nil {
		r.t.Errorf("the log holds %s", found)
	}
	files, _ := filepath.Glob(filepath.Join(r.data(), "audit", "*"))
	for _, file := range files {
		more, err := os.ReadFile(file)
		if err != nil {
			r.t.Error(err)
		}
		raw = append(raw, more...)
	}
	r.secrets.Range(func(text, what any) bool {
		if bytes.Contains(raw, []byte(text.(string))) {
			r.t.Errorf("a log holds %s", what)
		}
		return true
	})
}

func (r *rig) logTail() string {
	raw, _ := os.ReadFile(r.logFile())
	return string(raw[max(0, len(raw)-6000):])
}

// killServer is SIGKILL; it returns when the process is gone.
func (r *rig) killServer() {
	r.process.Load().Kill()
	<-r.exited
}

// childPID finds the object store among the server's children.
func (r *rig) childPID() int {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", r.process.Load().Pid))
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", r.process.Load().Pid))
	for _, task := range tasks {
		if more, err := os.ReadFile(task); err == nil {
			raw = append(append(raw, ' '), more...)
		}
	}
	for field := range strings.FieldsSeq(string(raw)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && bytes.Contains(line, []byte("daypass-objectstore")) {
			return pid
		}
	}
	return 0
}

// apply brings a site file into line by the command an operator uses.
func (r *rig) apply(site string) {
	r.t.Helper()
	c := exec.Command(r.binary, "apply", "-f", "-", "--data", r.data())
	c.Stdin = strings.NewReader(site)
	if out, err := c.CombinedOutput(); err != nil {
		r.t.Fatalf("apply: %v\n%s", err, out)
	}
}
