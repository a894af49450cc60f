package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daypass/internal/identity"
)

func TestAWSConfig(t *testing.T) {
	t.Parallel()
	settings := []Setting{
		{Key: "region", Value: "us-east-1"},
		{Key: "s3", Nested: []Setting{{Key: "signature_version", Value: "s3v4"}}},
	}
	const ours = "# kept by daypass configure\n[profile lab]\nregion = us-east-1\ns3 =\n  signature_version = s3v4\n"
	for _, tc := range []struct {
		name, before, after string
		force               bool
		mode                os.FileMode
	}{
		{"no file", "", ours, false, 0o600},
		{"after others", "[default]\nregion = x\n", "[default]\nregion = x\n\n" + ours, false, 0o644},
		{"again", ours, ours, false, 0o600},
		{
			"between others, with keys of one's own",
			"# kept by daypass configure\n[ profile  lab ]\noutput = json\nRegion=old\ns3 =\n  signature_version = s3\n  max_queue_size = 5\n\n# mine\n[profile z]\nregion = z\n",
			"# kept by daypass configure\n[ profile  lab ]\noutput = json\nregion = us-east-1\ns3 =\n  signature_version = s3v4\n  max_queue_size = 5\n\n# mine\n[profile z]\nregion = z\n",
			false, 0o600,
		},
		{
			"a key that is missing comes before the blank line",
			"# kept by daypass configure\n[profile lab]\nregion = old\n\n# mine\n[profile z]\n",
			"# kept by daypass configure\n[profile lab]\nregion = us-east-1\ns3 =\n  signature_version = s3v4\n\n# mine\n[profile z]\n",
			false, 0o600,
		},
		{"another's", "[profile lab]\nregion = x\n", "", false, 0o600},
		{"another's, by force", "[profile lab]\nregion = x\n", ours, true, 0o600},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, real := filepath.Join(dir, "aws", "config"), filepath.Join(dir, "real")
			if tc.before != "" {
				if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(real, []byte(tc.before), tc.mode); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(real, path); err != nil {
					t.Fatal(err)
				}
			}
			c, err := LoadAWSConfig(path)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Set("lab", settings, tc.force)
			if tc.after == "" {
				if identity.KindOf(err) != identity.KindAlreadyExists || !strings.Contains(identity.AsError(err).Public, ":1: [profile lab] is not daypass's") {
					t.Errorf("got %v, want a refusal", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Save(); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != tc.after {
				t.Errorf("%v; got\n%s\nwant\n%s", err, got, tc.after)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != tc.mode {
				t.Errorf("mode %v, %v, want %v", info.Mode(), err, tc.mode)
			}
			if link, err := os.Lstat(path); tc.before != "" && (err != nil || link.Mode()&os.ModeSymlink == 0) {
				t.Errorf("the symbolic link is gone: %v", err)
			}
		})
	}
}

// FuzzAWSConfig: whatever the file holds, setting twice is setting once, and
// lines of other sections stay.
func FuzzAWSConfig(f *testing.F) {
	f.Add("[default]\nregion = x\n")
	f.Add("# kept by daypass configure\n[profile lab]\ns3 =\n  a = b\n[profile z]\n")
	f.Add("[profile lab")
	f.Fuzz(func(t *testing.T, text string) {
		c := &AWSConfig{Before: strings.Split(text, "\n")}
		settings := []Setting{{Key: "region", Value: "r"}, {Key: "s3", Nested: []Setting{{Key: "v", Value: "1"}}}}
		if err := c.Set("lab", settings, true); err != nil {
			t.Fatal(err)
		}
		again := &AWSConfig{Before: c.After}
		if err := again.Set("lab", settings, false); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(again.After, "\n"), strings.Join(c.After, "\n"); got != want {
			t.Errorf("a second time: got\n%q\nwant\n%q", got, want)
		}
	})
}
