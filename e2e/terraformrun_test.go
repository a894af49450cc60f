package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTerraform runs Terraform itself, with AWS's provider, on
// testdata/terraform: applied, a plan finds no drift, changed, no drift again,
// destroyed. It needs terraform on the PATH and, in TF_PLUGIN_MIRROR (by default
// /opt/tf-plugins), a mirror that holds the provider; registries are not asked.
// Each run starts the provider, which takes some twenty seconds of CPU: the long
// form only.
func TestTerraform(t *testing.T) {
	t.Parallel()
	if os.Getenv("DAYPASS_SOAK") == "" {
		t.Skip("takes minutes of CPU: make soak runs it")
	}
	mirror := os.Getenv("TF_PLUGIN_MIRROR")
	if mirror == "" {
		mirror = "/opt/tf-plugins"
	}
	terraform, err := exec.LookPath("terraform")
	if found, _ := filepath.Glob(filepath.Join(mirror, "*", "hashicorp", "aws", "*")); err != nil || len(found) == 0 {
		t.Skip("terraform or its AWS provider is not on this machine (TF_PLUGIN_MIRROR names a mirror of providers)")
	}
	s, dir := Start(t), t.TempDir()
	config, err := os.ReadFile("testdata/terraform/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, terraform, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+os.DevNull, "TF_VAR_endpoint="+s.URL,
			"AWS_ACCESS_KEY_ID="+s.Root.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s.Root.SecretAccessKey, "AWS_SESSION_TOKEN=", "AWS_CA_BUNDLE=", "AWS_PROFILE=")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Fatalf("terraform %s: exit status %d, want %d\n%s", strings.Join(args, " "), got, want, out.String())
		}
		return out.String()
	}
	write(string(config))
	run(0, "init", "-plugin-dir="+mirror, "-no-color")
	if out := run(0, "apply", "-auto-approve", "-no-color"); !strings.Contains(out, "Resources: 11 added") {
		t.Errorf("applied:\n%s", out)
	}
	run(0, "plan", "-detailed-exitcode", "-no-color") // 2 would be drift
	write(strings.NewReplacer("made by terraform", "changed", `"s3:GetObject", "s3:ListBucket"`, `"s3:GetObject"`, "= 7200", "= 3600").Replace(string(config)))
	if out := run(0, "apply", "-auto-approve", "-no-color"); !strings.Contains(out, "3 changed, 0 destroyed") {
		t.Errorf("changed:\n%s", out)
	}
	run(0, "plan", "-detailed-exitcode", "-no-color")
	if out := run(0, "destroy", "-auto-approve", "-no-color"); !strings.Contains(out, "11 destroyed") {
		t.Errorf("destroyed:\n%s", out)
	}
}
