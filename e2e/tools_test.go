package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// needTool returns the path of a client, and skips the test loudly when this
// machine has none. With DAYPASS_E2E_ALL set a missing client is a failure.
func needTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("DAYPASS_E2E_ALL") != "" {
		t.Fatalf("MISSING CLIENT: %s is not installed", what)
	}
	t.Skipf("MISSING CLIENT: %s is not installed, so this was not tested", what)
}

var pythons sync.Map // module -> path of a python that has it

// needPython returns a Python that can import a module: the interpreter itself,
// not a wrapper of some version manager that depends on HOME.
func needPython(t testing.TB, module string) string {
	t.Helper()
	if path, ok := pythons.Load(module); ok {
		return path.(string)
	}
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		out, err := exec.Command(name, "-c", "import sys, "+module+"; print(sys.executable)").Output()
		if err == nil {
			path := strings.TrimSpace(string(out))
			pythons.Store(module, path)
			return path
		}
	}
	missing(t, "a Python with "+module)
	return ""
}

// scripts is the directory with the programs of the first Python on PATH, ""
// if there is no Python.
var scripts = sync.OnceValue(func() string {
	out, err := exec.Command("python3", "-c", "import sysconfig; print(sysconfig.get_path('scripts'))").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

var (
	awsV1 = sync.OnceValue(func() string { return findAWS("aws-cli/1.") })
	awsV2 = sync.OnceValue(func() string { return findAWS("aws-cli/2.") })
)

// findAWS looks for an aws CLI whose version line begins with prefix.
func findAWS(prefix string) string {
	for _, name := range []string{filepath.Join(scripts(), "aws"), "aws", "/usr/bin/aws", "/usr/local/bin/aws"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.Command(path, "--version").CombinedOutput()
		if err == nil && strings.HasPrefix(string(out), prefix) {
			return path
		}
	}
	return ""
}

// needAWS1 returns the path of an aws CLI v1, which the documents' unedited
// words are for: it knows AWS_ENDPOINT_URL.
func needAWS1(t testing.TB) string {
	t.Helper()
	path := awsV1()
	if path == "" {
		missing(t, "aws CLI v1")
	}
	return path
}

// needAWS2 returns the path of an aws CLI v2.
func needAWS2(t testing.TB) string {
	t.Helper()
	path := awsV2()
	if path == "" {
		missing(t, "aws CLI v2")
	}
	return path
}
