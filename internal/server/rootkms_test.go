package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

var quiet = slog.New(slog.DiscardHandler)

// keyService is as much of a key management service as a root key needs.
type keyService struct {
	away     int // so many calls
	disabled bool
	calls    int
}

func (s *keyService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls++
	if s.away > 0 {
		s.away--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.URL.Path == "/identity/token" {
		io.WriteString(w, `{"access_token":"token"}`)
		return
	}
	if s.disabled {
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"resources":[{"reasons":[{"code":"KEY_ACTION_INVALID_STATE_ERR"}]}]}`)
		return
	}
	var in struct {
		Plaintext, Ciphertext string
		AAD                   []string
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	aad := strings.Join(in.AAD, "|") + "#"
	if strings.HasSuffix(r.URL.Path, "/wrap") {
		json.NewEncoder(w).Encode(map[string]string{"ciphertext": base64.StdEncoding.EncodeToString([]byte(aad + in.Plaintext))})
		return
	}
	text, _ := base64.StdEncoding.DecodeString(in.Ciphertext)
	plain, ok := strings.CutPrefix(string(text), aad)
	if !ok {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"plaintext": plain})
}

// rootIn is the configuration of a root key in a service.
func rootIn(t *testing.T, url string) RootKMSConfig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "api-key")
	if err := os.WriteFile(file, []byte("an-API-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return RootKMSConfig{URL: url, Instance: "instance", Key: "key", APIKeyFile: file, Wait: time.Minute}
}

func TestRootKMSWaits(t *testing.T) {
	t.Parallel()
	s := &keyService{away: 5}
	server := httptest.NewServer(s)
	defer server.Close()
	var rests []time.Duration
	p := patientOf(t, rootIn(t, server.URL), nil)
	p.pause = func(_ context.Context, d time.Duration) error {
		rests = append(rests, d)
		return nil
	}
	wrapped, err := p.Wrap(t.Context(), []byte("secret"), []string{"a"})
	if err != nil || len(rests) != 5 || rests[0] != time.Second || rests[4] != maxRootPause {
		t.Errorf("got %v, having waited %v", err, rests)
	}
	if secret, _, err := p.Unwrap(t.Context(), wrapped, []string{"a"}); err != nil || string(secret) != "secret" {
		t.Errorf("got %q, %v", secret, err)
	}

	// It does not wait for ever, nor for a refusal.
	s.away = 1000
	p.pause = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	_, err = p.Wrap(t.Context(), nil, nil)
	if e := identity.AsError(err); e.Kind != identity.KindUpstream || !strings.Contains(e.Public, "has not answered for 1m0s: ") || !strings.Contains(e.Public, "keyring.kms.wait") {
		t.Errorf("got %v", err)
	}
	s.away, s.disabled = 0, true
	before := s.calls
	_, err = p.Wrap(t.Context(), nil, nil)
	if e := identity.AsError(err); e.Kind != identity.KindUpstream || !strings.Contains(e.Public, "enable it") || s.calls != before+2 {
		t.Errorf("got %v after %d calls", err, s.calls-before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wrap(ctx, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func patientOf(t *testing.T, c RootKMSConfig, own []netip.AddrPort) *patientKMS {
	t.Helper()
	p, err := c.patient(own, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRootKMSIsNotOurs finds a loop that no configuration shows.
func TestRootKMSIsNotOurs(t *testing.T) {
	t.Parallel()
	s := &keyService{}
	server := httptest.NewServer(s)
	defer server.Close()
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	for _, own := range []netip.AddrPort{at, netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())} {
		_, err := patientOf(t, rootIn(t, server.URL), []netip.AddrPort{own}).Wrap(t.Context(), nil, nil)
		if e := identity.AsError(err); e.Kind != identity.KindUpstream || !strings.Contains(e.Public, "leads back to this server") || s.calls != 0 {
			t.Errorf("own listener %s: %v after %d calls", own, err, s.calls)
		}
	}
}

// TestRootKMSReplacedAPIKey reads the file at each call, and says what is wrong
// with it.
func TestRootKMSReplacedAPIKey(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&keyService{})
	defer server.Close()
	c := rootIn(t, server.URL)
	p := patientOf(t, c, nil)
	for _, tc := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{"two words", 0o600, "does not hold one API key"},
		{"an-API-key", 0o644, "has mode 0644; it must be 0600"},
		{"", 0o600, "does not hold one API key"},
	} {
		if err := errors.Join(os.WriteFile(c.APIKeyFile, []byte(tc.text), 0o600), os.Chmod(c.APIKeyFile, tc.mode)); err != nil {
			t.Fatal(err)
		}
		_, err := p.Wrap(t.Context(), nil, nil)
		if e := identity.AsError(err); e.Kind != identity.KindValidation || !strings.Contains(e.Public, tc.want) {
			t.Errorf("%q: %v", tc.text, err)
		}
	}
}

// installationOf opens the site, or makes it.
func installationOf(t *testing.T, c *Config) string {
	t.Helper()
	id, err := openSite(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// sealedKeySets are the sealed keys of a site, as they stand in its files.
func sealedKeySets(t *testing.T, c *Config) (out []string) {
	t.Helper()
	core := openStoreOf(t, c)
	defer core.close()
	rows, err := store.KeySets.List(core.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil || len(rows) == 0 {
		t.Fatalf("%d key sets, %v", len(rows), err)
	}
	for _, row := range rows {
		out = append(out, base64.StdEncoding.EncodeToString(row.Sealed))
	}
	return out
}

func openStoreOf(t *testing.T, c *Config) *core {
	t.Helper()
	out := &core{log: quiet}
	if err := out.openStore(t.Context(), c, &dataDir{path: c.Data}, identity.SystemClock{}); err != nil {
		t.Fatal(err)
	}
	return out
}

func openSite(t *testing.T, c *Config) (string, error) {
	t.Helper()
	data, err := openDataDir(c.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer data.close()
	root, err := data.rootKey(rootSource{config: c, log: quiet})
	if err != nil {
		return "", err
	}
	core := openStoreOf(t, c)
	defer core.close()
	keys, err := keyring.Open(t.Context(), core.db, root, keyring.Options{})
	if err != nil {
		return "", err
	}
	return keys.Installation(), nil
}

func TestMoveRoot(t *testing.T) {
	t.Parallel()
	s := &keyService{}
	server := httptest.NewServer(s)
	defer server.Close()
	dir := t.TempDir()
	pass := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(pass, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(change func(*Config)) Config {
		c := DefaultConfig()
		c.Data = filepath.Join(dir, "data")
		change(&c)
		return c
	}
	inData := config(func(*Config) {})
	inFile := config(func(c *Config) { c.RootKeyFile = filepath.Join(dir, "root.key") })
	inPass := config(func(c *Config) { c.PassphraseFile = pass })
	inKMS := config(func(c *Config) { c.Keyring.KMS = rootIn(t, server.URL) })
	want := installationOf(t, &inData)
	old := sealedKeySets(t, &inData)
	from := inData
	for _, to := range []Config{inFile, inKMS, inKMS, inPass, inKMS, inData} {
		var out strings.Builder
		m := Move{From: from, To: to, Clock: identity.SystemClock{}, Log: quiet, Out: &out}
		if err := MoveRoot(t.Context(), m); err != nil || !strings.Contains(out.String(), "has moved") {
			t.Fatalf("%v: %s", err, out.String())
		}
		if got := installationOf(t, &to); got != want {
			t.Errorf("installation %s, want %s", got, want)
		}
		if same := from.Keyring.KMS.URL != "" && to.Keyring.KMS.URL != ""; !same {
			if _, err := openSite(t, &from); identity.KindOf(err) != identity.KindValidation {
				t.Errorf("the old root key still opens: %v", err)
			}
			// Once more, as after a move that was broken off.
			out.Reset()
			if err := MoveRoot(t.Context(), m); err != nil || !strings.Contains(out.String(), "already: nothing was moved") {
				t.Errorf("again: %v, %s", err, out.String())
			}
		}
		now := sealedKeySets(t, &to)
		text, err := os.ReadFile(filepath.Join(dir, "data", databaseName))
		if err != nil || exists(filepath.Join(dir, "data", databaseName+"-wal")) {
			t.Fatal("the store was not closed in order: ", err)
		}
		for i, sealed := range now {
			if !strings.Contains(string(text), sealed) || strings.Contains(string(text), old[i]) {
				t.Error("the store does not hold what the new root key sealed, or still what the old one did")
			}
		}
		old, from = now, to
	}
	if log, err := os.ReadFile(filepath.Join(dir, "data", auditName, "audit.jsonl")); err != nil || strings.Count(string(log), "MoveRootKey") != 6 {
		t.Errorf("the audit log: %v, %d moves", err, strings.Count(string(log), "MoveRootKey"))
	}
}

func TestMoveRootRefuses(t *testing.T) {
	t.Parallel()
	s := &keyService{}
	server := httptest.NewServer(s)
	defer server.Close()
	here := DefaultConfig()
	here.Data = filepath.Join(t.TempDir(), "data")
	there := here
	there.Keyring.KMS = rootIn(t, server.URL)
	move := func(from, to Config) string {
		t.Helper()
		err := MoveRoot(t.Context(), Move{From: from, To: to, Clock: identity.SystemClock{}, Log: quiet, Out: io.Discard})
		if err == nil {
			t.Fatal("it moved")
		}
		return publicOf(err)
	}
	if got := move(here, there); !strings.Contains(got, "holds no site") {
		t.Errorf("nothing there: %s", got)
	}
	installationOf(t, &here)
	if got := move(here, here); !strings.Contains(got, "which is the same") {
		t.Errorf("the same place: %s", got)
	}
	s.disabled = true
	if got := move(here, there); !strings.Contains(got, "enable it") {
		t.Errorf("disabled: %s", got)
	}
	installationOf(t, &here)
	s.disabled = false
	other := here
	other.RootKeyFile = filepath.Join(t.TempDir(), "none")
	if got := move(other, there); !strings.Contains(got, "is not where --from says") || exists(other.RootKeyFile) {
		t.Errorf("a wrong --from: %s", got)
	}
	if _, err := openSite(t, &there); !strings.Contains(publicOf(err), "daypass keyring move-root") {
		t.Errorf("configured without a move: %v", err)
	}
	data, err := openDataDir(here.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer data.close()
	if got := move(here, there); !strings.Contains(got, "another server runs on") {
		t.Errorf("a site that runs: %s", got)
	}
}
