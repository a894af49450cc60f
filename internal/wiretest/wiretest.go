package wiretest

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"daypass/internal/identity"
)

var update = flag.Bool("update", false, "rewrite the responses in testdata/wire")

// Run plays every archive of testdata/wire, each against a handler of its own,
// as a parallel subtest named for the file. It returns the paths of the
// archives.
func Run(t *testing.T, newHandler func(*testing.T) http.Handler) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "wire", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts in testdata/wire (%v)", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			play(t, path, newHandler(t))
		})
	}
	return paths
}

func play(t *testing.T, path string, h http.Handler) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(archive.Comment)) == 0 {
		t.Errorf("%s: no comment that says what it shows", path)
	}
	out := &txtar.Archive{Comment: archive.Comment}
	for i := 0; i < len(archive.Files); i++ {
		request := archive.Files[i]
		if request.Name != "request" {
			t.Fatalf("%s: file %d is %q, want request", path, i, request.Name)
		}
		var want []byte
		if i+1 < len(archive.Files) && archive.Files[i+1].Name == "response" {
			i++
			want = archive.Files[i].Data
		}
		got := Exchange(t, h, string(request.Data))
		if !*update && string(want) != got {
			t.Errorf("%s, answer to\n%s\n(-want +got):\n%s", path, request.Data, cmp.Diff(string(want), got))
		}
		out.Files = append(out.Files, request, txtar.File{Name: "response", Data: []byte(got)})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Exchange sends one raw request to h and returns the raw response, its
// headers sorted by name.
func Exchange(t testing.TB, h http.Handler, raw string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, Request(t, raw))
	return dump(w)
}

// Request reads a raw request whose lines end in line feeds. One line feed at
// the end of the body is not part of it. Content-Length is filled in unless it
// or Transfer-Encoding is there.
func Request(t testing.TB, raw string) *http.Request {
	t.Helper()
	head, body, _ := strings.Cut(raw, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	head = strings.ReplaceAll(strings.TrimSuffix(head, "\n"), "\n", "\r\n")
	lower := strings.ToLower(head)
	if body != "" && !strings.Contains(lower, "\ncontent-length:") && !strings.Contains(lower, "\ntransfer-encoding:") {
		head += "\r\nContent-Length: " + strconv.Itoa(len(body))
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatalf("request %q: %v", head, err)
	}
	return r
}

func dump(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\n", w.Code, http.StatusText(w.Code))
	head := w.Result().Header
	for _, name := range slices.Sorted(maps.Keys(head)) {
		for _, value := range head[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	b.WriteString("\n")
	if w.Body.Len() > 0 {
		b.Write(w.Body.Bytes())
		b.WriteString("\n")
	}
	return b.String()
}

// Fault lets a transcript choose what a fake answers with: for a value
// "fail-KIND", with KIND one of identity.Kinds, it is an error of that kind
// with its standard sentence and a retry time of 7 s, for any other value nil.
func Fault(values ...string) error {
	for _, v := range values {
		name, ok := strings.CutPrefix(v, "fail-")
		if ok && slices.Contains(identity.Kinds(), identity.Kind(name)) {
			return &identity.Error{
				Kind: identity.Kind(name), Op: "fake", RetryAfterSeconds: 7,
				Err: fmt.Errorf("a cause that belongs in the log"),
			}
		}
	}
	return nil
}
