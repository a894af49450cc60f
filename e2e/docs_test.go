package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// docsTimeout bounds all blocks of one document.
const docsTimeout = 3 * time.Minute

// documentedPorts are replaced by free ones, so that tests can run beside
// whatever else this machine serves.
var documentedPorts = regexp.MustCompile(`127\.0\.0\.1:(8080|9080)\b`)

// block is a fenced block of a document.
type block struct {
	line           int
	language, text string
}

// TestDocs runs what the documents tell the reader to run: all blocks marked sh
// of one document, in order, in one shell and an empty directory. A yaml block
// that begins with a comment naming a file ("# site.yaml") is that file.
func TestDocs(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		blocks := readBlocks(t, file)
		if !slices.ContainsFunc(blocks, func(b block) bool { return b.language == "sh" }) {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			for _, tool := range []string{"bash", "curl", "jq", "openssl"} {
				needTool(t, tool)
			}
			needAWS1(t)
			runBlocks(t, blocks)
		})
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	out := []string{"../README.md"}
	err := filepath.WalkDir("../docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readBlocks(t *testing.T, file string) []block {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	var open *block
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		fence, isFence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case isFence && open == nil:
			open = &block{line: number + 1, language: fence}
		case isFence:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line
		}
	}
	return out
}

var namedFile = regexp.MustCompile(`^# ([a-z-]+\.yaml)\n`)

func runBlocks(t *testing.T, blocks []block) {
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n")
	for _, b := range blocks {
		name := namedFile.FindStringSubmatch(b.text)
		switch {
		case b.language == "sh":
			fmt.Fprintf(&script, "echo '== line %d' >&2\n%s", b.line, b.text)
		case b.language == "yaml" && name != nil:
			if err := os.WriteFile(filepath.Join(dir, name[1]), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	ports := map[string]string{}
	text := documentedPorts.ReplaceAllStringFunc(script.String(), func(address string) string {
		if ports[address] == "" {
			ports[address] = freeAddress(t)
		}
		return ports[address]
	})
	ctx, cancel := context.WithTimeout(t.Context(), docsTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-c", text)
	c.Dir = dir
	c.Env = append(withoutPrefix(os.Environ(), "AWS_", "DAYPASS_", "HOME=", "PATH="),
		"HOME="+dir, "AWS_EC2_METADATA_DISABLED=true",
		"PATH="+strings.Join([]string{bin, scripts(), os.Getenv("PATH")}, string(filepath.ListSeparator)))
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "daypass.log"))
		t.Errorf("%v\n%s\n%s", err, out, log)
	}
	if strings.Contains(string(out), "Unknown") {
		t.Errorf("a client printed Unknown:\n%s", out)
	}
}

// freeAddress is a loopback address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
