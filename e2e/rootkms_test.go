package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// doorOf is a way to a server that can be shut, on a port that stays.
type doorOf struct {
	t    *testing.T
	to   *url.URL
	at   string // HOST:PORT
	http *http.Server
}

func (d *doorOf) open() {
	d.t.Helper()
	l, err := net.Listen("tcp", d.at)
	if err != nil {
		d.t.Fatal(err)
	}
	d.at, d.http = l.Addr().String(), &http.Server{Handler: httputil.NewSingleHostReverseProxy(d.to)}
	go func() { _ = d.http.Serve(l) }()
}

func (d *doorOf) shut() { d.http.Close() }

// rootSites are two sites: the root key of b is kept by a.
type rootSites struct {
	t    *testing.T
	a    *Server
	c    *Client // Manager of a's keys
	door *doorOf
	dir  string // of b: its configuration, its API key, its data
}

func newRootSites(t *testing.T, args ...string) *rootSites {
	t.Helper()
	a := Start(t, args...)
	to, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := &rootSites{t: t, a: a, c: newPerson(t, a), door: &doorOf{t: t, to: to, at: "127.0.0.1:0"}, dir: t.TempDir()}
	s.door.open()
	t.Cleanup(s.door.shut)
	s.c.Write("key", a.IBM.APIKey+"\n")
	s.daypass("login", "-a", a.URL, "--apikey", "@key", "-r", "us-south")
	s.daypass("kms", "key", "create", "root-of-b", "--alias", "site-b")
	s.daypass("iam", "service-id-create", "site-b")
	s.daypass("iam", "service-policy-create", "site-b", "--roles", "Reader", "--service-name", "kms", "--service-instance", a.IBM.InstanceID)
	s.daypass("iam", "service-api-key-create", "start", "site-b", "--file", "site-b.json")
	s.write("api-key", decode[struct{ APIKey string }](t, s.c.Read("site-b.json")).APIKey)
	s.configure("kms.yaml", fmt.Sprintf("keyring: {kms: {url: 'http://%s', instance: %s, key: site-b, api_key_file: %s/api-key, wait: 20s}}\n", s.door.at, a.IBM.InstanceID, s.dir))
	s.configure("file.yaml", "root_key_file: "+filepath.Join(s.dir, "root.key")+"\n")
	return s
}

func (s *rootSites) daypass(args ...string) string { s.t.Helper(); return s.c.OK(s.a.binary, args...) }

func (s *rootSites) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *rootSites) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// configure writes a configuration of b: where its root key is.
func (s *rootSites) configure(name, root string) {
	s.t.Helper()
	s.write(name, "listen: 127.0.0.1:0\ndata: "+filepath.Join(s.dir, "data")+"\nobject_store: {binary: "+filepath.Join(filepath.Dir(s.a.binary), "daypass-objectstore")+"}\n"+root)
}

// site is a running b.
type rootSite struct {
	url, admin string
	cmd        *exec.Cmd
	logs       *lockedBuffer
	ended      chan struct{}
}

// begin starts b.
func (s *rootSites) begin(config string, ready string) *rootSite {
	s.t.Helper()
	b := &rootSite{logs: &lockedBuffer{}, ended: make(chan struct{})}
	b.cmd = exec.Command(s.a.binary, "serve", "--config", filepath.Join(s.dir, config), "--ready-file", ready)
	b.cmd.Env = withoutPrefix(os.Environ(), "DAYPASS_")
	b.cmd.Stdout, b.cmd.Stderr = b.logs, b.logs
	if err := b.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { _ = b.cmd.Wait(); close(b.ended) }()
	s.t.Cleanup(b.end)
	return b
}

func (b *rootSite) end() {
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	<-b.ended
}

// start starts b and waits until it is ready.
func (s *rootSites) start(config string) *rootSite {
	s.t.Helper()
	ready := filepath.Join(s.t.TempDir(), "ready.json")
	b := s.begin(config, ready)
	s.ready(b, ready)
	return b
}

func (s *rootSites) ready(b *rootSite, ready string) {
	s.t.Helper()
	await(s.t, "b is ready", func() bool {
		select {
		case <-b.ended:
			s.t.Fatalf("b ended:\n%s", b.logs)
		default:
		}
		text, err := os.ReadFile(ready)
		if err != nil {
			return false
		}
		facts := decode[Ready](s.t, string(text))
		b.url, b.admin = facts.URL, facts.AdminURL
		return true
	})
}

// operates runs an operator's verb on b.
func (s *rootSites) operates(args ...string) string {
	s.t.Helper()
	return s.daypass(append(args, "--data", filepath.Join(s.dir, "data"))...)
}

// TestRootKeyInAnotherSite keeps the root key of one site in another: through
// restarts, a rotation, an outage and a refusal.
func TestRootKeyInAnotherSite(t *testing.T) {
	t.Parallel()
	s := newRootSites(t)
	ready := filepath.Join(t.TempDir(), "ready.json")
	s.daypass("kms", "key", "disable", "site-b")
	b := s.begin("kms.yaml", ready)
	<-b.ended
	if _, err := os.Stat(filepath.Join(s.dir, "data", "daypass.db")); !errors.Is(err, os.ErrNotExist) || b.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("a first start without a root key made a store (%v):\n%s", err, b.logs)
	}
	s.daypass("kms", "key", "enable", "site-b")
	b = s.start("kms.yaml")
	keys := func() string { return s.operates("keyring", "list") }
	first := keys()
	if !strings.Contains(first, "key site-b at "+s.door.at) {
		t.Errorf("the keyring does not say where its root key is:\n%s", first)
	}
	kept := s.wrapped
	before := kept()
	b.end()
	b = s.start("kms.yaml")
	if again := keys(); again != first || kept() != before {
		t.Errorf("after a restart:\n%s\nbefore:\n%s", again, first)
	}
	b.end()

	s.daypass("kms", "key", "rotate", "site-b")
	b = s.start("kms.yaml")
	after := kept()
	if keys() != first || after == before {
		t.Errorf("after the rotation the wrapped text is the same: %t, the keys:\n%s", after == before, keys())
	}
	b.end()
	b = s.start("kms.yaml")
	if kept() != after {
		t.Error("the text was wrapped anew without a rotation")
	}

	// It runs while a is away, and does not start without it.
	s.door.shut()
	if r, err := http.Get(b.url + "/.well-known/openid-configuration"); err != nil {
		t.Error(err)
	} else {
		r.Body.Close()
	}
	keys()
	b.end()
	b = s.begin("kms.yaml", ready)
	await(t, "it says that it waits", func() bool { return strings.Contains(b.logs.String(), "is away and will be asked again") })
	s.door.open()
	s.ready(b, ready)
	b.end()

	s.daypass("kms", "key", "disable", "site-b")
	b = s.begin("kms.yaml", ready+"2")
	<-b.ended
	if got := b.logs.String(); b.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(got, "the root key of "+filepath.Join(s.dir, "data")+" does not open: key site-b at "+s.door.at+" is disabled there, or otherwise not active: enable it (KEY_ACTION_INVALID_STATE_ERR)") {
		t.Errorf("disabled: exit status %d\n%s", b.cmd.ProcessState.ExitCode(), got)
	}
	s.daypass("kms", "key", "enable", "site-b")
	s.start("kms.yaml").end()
}

// wrapped is what b's store keeps of its root key, as it lies on disk.
func (s *rootSites) wrapped() string {
	s.t.Helper()
	out := ""
	for _, name := range []string{"daypass.db", "daypass.db-wal"} {
		data, err := os.ReadFile(filepath.Join(s.dir, "data", name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Fatal(err)
		}
		text := string(data)
		for {
			_, after, ok := strings.Cut(text, `"root-key-wrapped","value":"`)
			if !ok {
				break
			}
			value, _, _ := strings.Cut(after, `"`)
			out, text = value, after
		}
	}
	return out
}

// TestRootKeyOverTLS trusts nobody but the authority that is configured, and stops
// waiting when it is told to.
func TestRootKeyOverTLS(t *testing.T) {
	t.Parallel()
	s := newRootSites(t, "--tls")
	kms := fmt.Sprintf("keyring: {kms: {url: '%s', instance: %s, key: site-b, api_key_file: %s/api-key", s.a.TLSURL, s.a.IBM.InstanceID, s.dir)
	s.configure("tls.yaml", kms+", ca_file: "+s.a.CAFile+"}}\n")
	s.configure("untrusted.yaml", kms+"}}\n")
	b := s.begin("untrusted.yaml", filepath.Join(t.TempDir(), "ready.json"))
	<-b.ended
	if got := b.logs.String(); !strings.Contains(got, "the certificate of ") || !strings.Contains(got, "does not verify") || strings.Contains(got, "asked again") {
		t.Errorf("an authority that nobody named:\n%s", got)
	}
	s.start("tls.yaml").end()

	s.door.shut()
	s.configure("ports.yaml", fmt.Sprintf("admin: {listen: '%s'}\nkeyring: {kms: {url: 'http://%s', instance: %s, key: site-b, api_key_file: %s/api-key}}\n", freeAddress(t), s.door.at, s.a.IBM.InstanceID, s.dir))
	b = s.begin("ports.yaml", filepath.Join(t.TempDir(), "ready.json"))
	await(t, "it says that it waits", func() bool { return strings.Contains(b.logs.String(), "is away and will be asked again") })
	admin := strings.Split(s.read("ports.yaml"), "'")
	r, err := http.Get("http://" + admin[1] + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready while it waits: %s", r.Status)
	}
	b.end()
	if got := b.cmd.ProcessState.ExitCode(); got != 0 {
		t.Errorf("stopped while it waits: exit status %d\n%s", got, b.logs)
	}
}

// TestBackupWithoutItsRootKey restores a site whose root key another keeps: the
// archive holds it wrapped, and the other opens it.
func TestBackupWithoutItsRootKey(t *testing.T) {
	t.Parallel()
	s := newRootSites(t)
	b := s.start("kms.yaml")
	kept := s.wrapped()
	identity := filepath.Join(s.dir, "identity")
	s.daypass("backup", "keygen", identity)
	recipient := ""
	for line := range strings.Lines(s.read("identity")) {
		if _, key, ok := strings.Cut(line, "public key: "); ok {
			recipient = strings.TrimSpace(key)
		}
	}
	s.operates("backup", "--to", filepath.Join(s.dir, "backups"), "--recipient", recipient)
	b.end()
	archives, err := filepath.Glob(filepath.Join(s.dir, "backups", "daypass-*.age"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("%v: %v", archives, err)
	}
	// The key is rotated since, and the data directory is lost.
	s.daypass("kms", "key", "rotate", "site-b")
	if err := os.RemoveAll(filepath.Join(s.dir, "data")); err != nil {
		t.Fatal(err)
	}
	restore := []string{"restore", archives[0], "--identity", identity, "--slots", filepath.Join(s.dir, "backups", "slots.age"), "--config"}
	if r := s.c.Run(s.a.binary, append(restore, filepath.Join(s.dir, "file.yaml"))...); r.Code != 1 {
		t.Errorf("restored without its root key: %+v", r)
	}
	s.daypass("kms", "key", "disable", "site-b")
	if r := s.c.Run(s.a.binary, append(restore, filepath.Join(s.dir, "kms.yaml"))...); r.Code != 1 || !strings.Contains(r.Stderr, "enable it") {
		t.Errorf("restored with a key that is disabled: %+v", r)
	}
	s.daypass("kms", "key", "enable", "site-b")
	s.daypass(append(restore, filepath.Join(s.dir, "kms.yaml"))...)
	s.start("kms.yaml")
	if got := s.wrapped(); got == "" || got == kept {
		t.Error("the restored site did not take the text over that the newest version wraps")
	}
}

// TestMoveRootKilled kills a move of the root key again and again, at any moment:
// one of the two places opens the site.
func TestMoveRootKilled(t *testing.T) {
	t.Parallel()
	s := newRootSites(t)
	s.start("file.yaml").end()
	move := func(from, to string) *exec.Cmd {
		c := exec.Command(s.a.binary, "keyring", "move-root", "--from", filepath.Join(s.dir, from), "--config", filepath.Join(s.dir, to))
		c.Env = withoutPrefix(os.Environ(), "DAYPASS_")
		return c
	}
	from, to := "file.yaml", "kms.yaml"
	for i := range 12 {
		c := move(from, to)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*8) * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
		// Done again it gets there, whatever the first has done; then back.
		out, err := move(from, to).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "has moved") && !strings.Contains(string(out), "nothing was moved") {
			t.Fatalf("killed after %d ms, and done again: %v\n%s", i*8, err, out)
		}
		from, to = to, from
	}
	s.start(from).end()
	b := s.begin(to, filepath.Join(t.TempDir(), "ready.json"))
	<-b.ended
	if got := b.logs.String(); !strings.Contains(got, "keyring.kms") {
		t.Errorf("the place that it left:\n%s", got)
	}
}
