package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	path := writeConfig(t, `
listen: 127.0.0.1:9000
base_domains: [x.test]
audit: {max_bytes: 1048576, durability: buffered}
store: {staleness: 5s}
sts: {min_duration_seconds: 2, long_expired_code: true}
`)
	got, err := LoadConfig(path, []string{
		"DAYPASS_AUDIT_MAX_BYTES=2097152", "DAYPASS_TRUSTED_PROXIES=10.0.0.1, 192.0.2.0/24", "DAYPASS_STORE_STALENESS=7s",
		"DAYPASS_STS_LONG_EXPIRED_CODE=false", "DAYPASS_REGION=", "DAYPASS_PROFILE=somebody-elses", "OTHER=1",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.Listen, want.BaseDomains, want.TrustedProxies = "127.0.0.1:9000", []string{"x.test"}, []string{"10.0.0.1", "192.0.2.0/24"}
	want.Audit.MaxBytes, want.Audit.Durability = 2097152, DurabilityBuffered
	want.Store.Staleness, want.STS.MinDurationSeconds = 7*time.Second, 2
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestLoadConfigComplains(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, env, want string }{
		{"unknown key", "audit:\n  durabilty: fsync\n", "", `c.yaml:2: audit.durabilty: unknown key (did you mean "durability"?)`},
		{"wrong type", "cache:\n  principals: many\n", "", "c.yaml:2: cache.principals: cannot take `many` as a whole number"},
		{"wrong duration", "store: {staleness: soon}\n", "", "c.yaml:1: store.staleness: cannot take `soon` as a duration like 30s"},
		{"value out of bounds", "region: r\nsts:\n  min_duration_seconds: 0\n", "", "c.yaml:3: sts.min_duration_seconds: 0 is not within 1 to 3600"},
		{"list", "base_domains: [good.test, BAD]\n", "", `c.yaml:1: base_domains[1]: "BAD" is not a domain name in lower case without port`},
		{"plain http", "listen: 0.0.0.0:80\n", "", "c.yaml:1: listen: 0.0.0.0:80 would serve plain HTTP beyond this machine"},
		{"page host", "page_hosts: [console.test, \"C:80\"]\n", "", `c.yaml:1: page_hosts[1]: "C:80" is not a host name in lower case without port`},
		{"page host of a service", "base_domains: [x.test]\npage_hosts: [a.s3.x.test]\n", "", "c.yaml:2: page_hosts[0]: a.s3.x.test is a host of s3 by base_domains"},
		{"page host of the API", "external_url: https://X.test:8443\npage_hosts: [x.test]\n", "", "c.yaml:2: page_hosts[0]: x.test is the host of external_url"},
		{"external url with a path", "external_url: https://x.test/s3\n", "", "path prefixes break signatures"},
		{"console in the clear", "console: {listen: '0.0.0.0:1', url: 'http://c.test'}\n", "", "c.yaml:1: console.listen: 0.0.0.0:1 would serve plain HTTP beyond this machine"},
		{"console without a name", "console: {listen: '0.0.0.0:1'}\nallow_plain_http: true\n", "", "c.yaml:1: console.url: must be given"},
		{"console with a path", "console: {url: 'https://c.test/console'}\n", "", `c.yaml:1: console.url: "https://c.test/console" is not of the form https://HOST[:PORT]`},
		{"console on the API's host", "external_url: https://x.test\nconsole: {url: 'https://X.test:8443'}\n", "", "c.yaml:2: console.url: x.test is the host of external_url"},
		{"console on a host of a service", "base_domains: [x.test]\nconsole: {url: 'https://iam.x.test'}\n", "", "c.yaml:2: console.url: iam.x.test is a host of iam by base_domains"},
		{"two root keys", "root_key_file: /dev/null\npassphrase_file: /dev/null\n", "", "c.yaml:2: passphrase_file: give either root_key_file or passphrase_file"},
		{"purge at once", "kms: {purge_after: 0s}\n", "", "c.yaml:1: kms.purge_after: 0s is not within 1s to 720h"},
		{"no rotation for long", "kms: {rotate_every: 25h}\n", "", "c.yaml:1: kms.rotate_every: 25h0m0s is not within 0 to 24h"},
		{"no enabling for long", "kms: {enable_after: 61m}\n", "", "c.yaml:1: kms.enable_after: 1h1m0s is not within 0 to 1h"},
		{"root key in two places", "root_key_file: /dev/null\nkeyring: {kms: {url: 'https://kms.test', instance: i, key: k}}\n", "", "c.yaml:2: keyring.kms.url: give one of keyring.kms, root_key_file and passphrase_file"},
		{"root key in itself", "external_url: https://x.test\nkeyring: {kms: {url: 'https://X.test', instance: i, key: k}}\n", "", "keyring.kms.url: https://X.test is this server's own"},
		{"root key's tokens from itself", "listen: 127.0.0.1:81\nkeyring: {kms: {url: 'https://k.test', token_url: 'http://localhost:81/identity/token', instance: i, key: k}}\n", "", "keyring.kms.token_url: http://localhost:81/identity/token is this server's own"},
		{"root key in the clear", "keyring: {kms: {url: 'http://kms.test', instance: i, key: k}}\n", "", "c.yaml:1: keyring.kms.url: http://kms.test is plain HTTP beyond this machine"},
		{"root key nowhere", "keyring:\n  kms:\n    instance: i\n", "", `c.yaml:2: keyring.kms.url: "" is not of the form https://HOST[:PORT]`},
		{"root key without a key", "keyring:\n  kms:\n    url: https://k.test\n    instance: i\n    key: a/b\n", "", `c.yaml:5: keyring.kms.key: "a/b" is neither ID nor alias of a key`},
		{"root key without an API key", "keyring: {kms: {url: 'https://k.test', instance: i, key: k}}\n", "", "keyring.kms.api_key_file: must be given"},
		{"root key and no API key there", "keyring: {kms: {url: 'https://k.test', instance: i, key: k, api_key_file: /none}}\n", "", "keyring.kms.api_key_file: /none: no such file"},
		{"half a certificate", "tls: {cert_file: a}\n", "", "c.yaml:1: tls: give both cert_file and key_file"},
		{"no certificate", "tls:\n  cert_file: /none\n  key_file: /none\n", "", "c.yaml:2: tls.cert_file: /none and /none: "},
		{"admin beyond this machine", "admin: {listen: '0.0.0.0:1'}\n", "", "c.yaml:1: admin.listen: 0.0.0.0:1 is not a loopback address"},
		{"two complaints", "log: {level: loud, format: xml}\n", "", "log.level: \"loud\" is not debug, info, warn or error\n"},
		{"variable", "", "DAYPASS_CACHE_PRINCIPALS=many", `DAYPASS_CACHE_PRINCIPALS (for cache.principals): "many" is not a whole number`},
		{"variable's value", "", "DAYPASS_LISTEN=nonsense", `DAYPASS_LISTEN: "nonsense" is not HOST:PORT`},
		{"port out of range", "listen: 127.0.0.1:99999\n", "", `c.yaml:1: listen: "127.0.0.1:99999" is not HOST:PORT`},
		{"not a mapping", "- a\n", "", "c.yaml:1: [0]: cannot take a list as a mapping"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := LoadConfig(writeConfig(t, tc.text), []string{tc.env})
			if got := identity.AsError(err); err == nil || got.Kind != identity.KindValidation || !strings.Contains(got.Public, tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
	if _, err := LoadConfig("/none/c.yaml", nil); !strings.Contains(identity.AsError(err).Public, "no such file") {
		t.Errorf("got %v", err)
	}
}

func TestFlagsOverrideVariables(t *testing.T) {
	t.Parallel()
	environ := []string{"DAYPASS_LISTEN=127.0.0.1:1", "DAYPASS_DATA=d"}
	got, err := LoadConfig("", environ, Flag{"--listen", "listen", "127.0.0.1:2"}, Flag{"--data", "data", ""})
	if err != nil || got.Listen != "127.0.0.1:2" || got.Data != "d" {
		t.Errorf("got %s and %s, %v", got.Listen, got.Data, err)
	}
	_, err = LoadConfig("", environ, Flag{"--listen", "listen", "0.0.0.0:2"})
	if public := identity.AsError(err).Public; !strings.HasPrefix(public, "--listen: 0.0.0.0:2 would serve plain HTTP") || strings.Contains(public, "\n") {
		t.Errorf("got %s", public)
	}
}

func TestCannotListen(t *testing.T) {
	t.Parallel()
	doors := newListeners(slog.New(slog.DiscardHandler))
	defer doors.close()
	first, err := doors.bind("listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = doors.bind("tls.listen", first.Addr().String())
	want := "something else listens there already; give another port, or port 0 for a free one, with tls.listen in the configuration (DAYPASS_TLS_LISTEN)"
	if got := identity.AsError(err); got.Kind != identity.KindValidation || !strings.HasSuffix(got.Public, want) {
		t.Errorf("got %v", err)
	}
}

func TestKeysHaveUniqueVariables(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, k := range Keys() {
		if seen[k.Variable] != "" || k.Path == "" {
			t.Errorf("%s: %s is also of %s", k.Path, k.Variable, seen[k.Variable])
		}
		seen[k.Variable] = k.Path
	}
	if len(seen) < 20 {
		t.Errorf("only %d keys", len(seen))
	}
}

func TestDemoSite(t *testing.T) {
	t.Parallel()
	creds := &devCredentials{}
	creds.complete()
	spec, err := demoSpec(creds, "0f5e1c2a-1111-4222-8333-444455556666", "demo", "http://127.0.0.1:1/")
	if err != nil {
		t.Fatal(err)
	}
	account := spec.Accounts[0]
	if account.ID != "0f5e1c2a-1111-4222-8333-444455556666" || account.Partition != "demo" || account.RootPassword.Reveal() != creds.RootPassword {
		t.Errorf("account %+v", account)
	}
	want := "arn:demo:iam::0f5e1c2a-1111-4222-8333-444455556666:oidc-provider/127.0.0.1:1/auth/realms/shasta"
	if !strings.Contains(spec.Roles[0].Trust, want) || !strings.Contains(spec.Roles[0].Trust, `"127.0.0.1:1/auth/realms/shasta:aud":"shasta"`) {
		t.Errorf("trust %s", spec.Roles[0].Trust)
	}
	var names []string
	for _, u := range spec.Users {
		names = append(names, u.Name)
	}
	if d := cmp.Diff([]string{"testuser", "admin-client"}, names); d != "" {
		t.Error(d)
	}
	if len(spec.Realms) != 2 || spec.Realms[1].Algorithm != "RS256" || spec.Realms[0].Algorithm != "ES256" {
		t.Errorf("realms %+v", spec.Realms)
	}
	var none directory.SiteSpec
	if d := cmp.Diff(none.Providers, spec.Providers); d == "" {
		t.Error("no provider")
	}
}

func TestDevCredentialsAreKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), credsName)
	first, err := loadDevCredentials(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.remember("1", "AKIA1", "secret"); err != nil {
		t.Fatal(err)
	}
	second, err := loadDevCredentials(path)
	if err != nil || second.RootPassword == "" || second.RootPassword != first.RootPassword || second.RootKeys["1"].SecretAccessKey != "secret" {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("{torn hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadDevCredentials(path); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

func TestDataDirIsLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	first, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(path); !strings.Contains(identity.AsError(err).Public, "another server runs on") {
		t.Errorf("second: %v", err)
	}
	if first.open() {
		t.Error("others may enter the directory")
	}
	first.close()
	again, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	c := DefaultConfig()
	var said strings.Builder
	from := rootSource{config: &c, log: slog.New(slog.NewTextHandler(&said, nil))}
	if _, err := again.rootKey(from); err != nil || !strings.Contains(said.String(), "inside the data directory") {
		t.Errorf("first root key: %q, %v", said.String(), err)
	}
	if err := os.Remove(again.file(rootKeyName)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(again.file(databaseName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := again.rootKey(from); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("a lost root key was replaced: %v", err)
	}
	if !exists(again.file(databaseName)) || exists(again.file(rootKeyName)) {
		t.Error("files are not as expected")
	}
}

func FuzzLogTarget(f *testing.F) {
	f.Add("/b/k?X-Amz-Signature=hush&a=b")
	f.Add("/?%58=hush&Token=hush")
	f.Fuzz(func(t *testing.T, target string) {
		if got := logTarget(target); len(got) > 1100 {
			t.Errorf("%d bytes", len(got))
		}
	})
}
