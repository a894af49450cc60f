package client

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"daypass/internal/identity"
)

const handWritten = `# mine
profiles:
  # the lab
  lab: {endpoint: "https://lab.example.com", role: "arn:aws:iam::123456789012:role/dev"} # flow
  ops:
    endpoint: https://ops.example.com # primary
    duration: 1h
`

func TestSaveKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, before, after string }{
		{"no file", "", "profiles:\n  ops:\n    endpoint: https://new.example.com\n    duration: 30m\n    allow_plain_http: true\n"},
		{"comments only", "# mine\n", "# mine\nprofiles:\n  ops:\n    endpoint: https://new.example.com\n    duration: 30m\n    allow_plain_http: true\n"},
		{"hand-written", handWritten, `# mine
profiles:
  # the lab
  lab: {endpoint: "https://lab.example.com", role: "arn:aws:iam::123456789012:role/dev"} # flow
  ops:
    endpoint: https://new.example.com
    duration: 30m
    allow_plain_http: true
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, real := filepath.Join(dir, "below", "config.yaml"), filepath.Join(dir, "real.yaml")
			if tc.before != "" {
				if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(real, []byte(tc.before), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(real, path); err != nil {
					t.Fatal(err)
				}
			}
			c, err := LoadConfig(path)
			if err != nil {
				t.Fatal(err)
			}
			p := Profile{Name: "ops", Endpoint: "https://new.example.com", Duration: 30 * time.Minute, AllowPlainHTTP: true}
			for range 2 {
				if err := c.Save(p); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != tc.after {
				t.Errorf("%v; got\n%s\nwant\n%s", err, got, tc.after)
			}
			if _, err := os.Readlink(path); tc.before != "" && err != nil {
				t.Errorf("the symbolic link is gone: %v", err)
			}
			again, err := LoadConfig(path)
			if err != nil {
				t.Fatal(err)
			}
			if back, _ := again.Profile("ops"); back != p {
				t.Errorf("read back %+v, want %+v", back, p)
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "profiles:\n  lab:\n    endpont: x\n", `:3: profiles.lab.endpont: unknown key (did you mean "endpoint"?)`},
		{"unknown top", "profile:\n", `:1: profile: unknown key (did you mean "profiles"?)`},
		{"no YAML", "profiles: [", ": line 1: did not find expected node content"},
		{"path in the endpoint", "profiles:\n  lab:\n    endpoint: https://x/y\n", ":3: profiles.lab.endpoint: not of the form https://HOST[:PORT]"},
		{"plain HTTP", "profiles:\n  lab:\n    endpoint: http://x.example.com\n", ":3: profiles.lab.endpoint: plain HTTP would show passwords and keys to the network: use https://, or allow it (allow_plain_http: true, --allow-plain-http)"},
		{"role", "profiles:\n  lab:\n    role: dev\n", ":3: profiles.lab.role: not the ARN of a role, such as arn:aws:iam::123456789012:role/dev"},
		{"duration", "profiles:\n  lab:\n    duration: soon\n", ":3: profiles.lab.duration: cannot take `soon` as a duration like 30s"},
		{"fraction", "profiles:\n  lab:\n    duration: 1500ms\n", ":3: profiles.lab.duration: not a whole number of seconds, such as 1h or 900s"},
		{"session name", "profiles:\n  lab:\n    session_name: a b\n", ":3: profiles.lab.session_name: not 2 to 64 letters, digits and _+=,.@-"},
		{"profile name", "profiles:\n  ../lab: {}\n", `:1: profiles: "../lab" is not a name of letters, digits and ._@-`},
		{"loopback and defaults", "profiles:\n  lab: {endpoint: 'http://[::1]:8080/'}\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadConfig(path)
			got := ""
			if err != nil {
				got = identity.AsError(err).Public
			}
			if tc.want != "" {
				tc.want = path + tc.want
			}
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}
