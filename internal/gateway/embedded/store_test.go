package embedded

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	s := startStore(t, nil)
	do(t, s, 200, "PUT", "/bucket", "")
	do(t, s, 200, "PUT", "/bucket/dir/a%252Fb", "hello", "Content-Type", "text/x-test", "X-Amz-Meta-Colour", "red")
	header, body := do(t, s, 200, "GET", "/bucket/dir/a%252Fb", "")
	if body != "hello" || header.Get("Content-Type") != "text/x-test" || header.Get("X-Amz-Meta-Colour") != "red" {
		t.Errorf("GET: got body %q and header %v", body, header)
	}
	do(t, s, 200, "PUT", "/bucket/copy", "", "X-Amz-Copy-Source", "/bucket/dir/a%252Fb")
	if _, body := do(t, s, 200, "GET", "/bucket/copy", ""); body != "hello" {
		t.Errorf("GET of the copy: got %q, want %q", body, "hello")
	}
	data := []byte(strings.Repeat("x", 100_000))
	framed, headers := frame(data)
	r := newRequest(t, s, "PUT", "/bucket/framed", trailerPayload, framed, headers...)
	if status, _, text := call(t, s, r); status != 200 {
		t.Fatalf("PUT with a trailer: got %d: %s", status, text)
	}
	header, body = do(t, s, 200, "GET", "/bucket/framed", "", "X-Amz-Checksum-Mode", "ENABLED")
	if body != string(data) || header.Get("X-Amz-Checksum-Crc32c") != crc32cOf(data) {
		t.Errorf("GET: got %d bytes and checksum %q", len(body), header.Get("X-Amz-Checksum-Crc32c"))
	}
	do(t, s, 204, "DELETE", "/bucket/copy", "")
	do(t, s, 404, "GET", "/bucket/copy", "")
}

func TestVersioning(t *testing.T) {
	t.Parallel()
	for _, metadata := range []string{"xattr", "sidecar"} {
		t.Run(metadata, func(t *testing.T) {
			t.Parallel()
			testVersioning(t, startStore(t, func(c *Config) {
				if metadata == "xattr" {
					return
				}
				c.Meta = filepath.Join(t.TempDir(), "meta")
				if err := os.MkdirAll(filepath.Join(c.Meta, "sidecar"), 0o700); err != nil {
					t.Fatal(err)
				}
			}))
		})
	}
}

func testVersioning(t *testing.T, s *Store) {
	t.Helper()
	do(t, s, 200, "PUT", "/bucket", "")
	do(t, s, 200, "PUT", "/bucket?versioning=", `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`)
	first, _ := do(t, s, 200, "PUT", "/bucket/key", "one", "X-Amz-Meta-N", "1")
	do(t, s, 200, "PUT", "/bucket/key", "two")
	do(t, s, 204, "DELETE", "/bucket/key", "")
	do(t, s, 404, "GET", "/bucket/key", "")
	if _, body := do(t, s, 200, "GET", "/bucket/key?versionId="+first.Get("X-Amz-Version-Id"), ""); body != "one" {
		t.Errorf("GET of the first version: got %q, want %q", body, "one")
	}
	header, _ := do(t, s, 200, "HEAD", "/bucket/key?versionId="+first.Get("X-Amz-Version-Id"), "")
	if got := header.Get("X-Amz-Meta-N"); got != "1" {
		t.Errorf("got metadata %q of the first version, want %q", got, "1")
	}
	_, list := do(t, s, 200, "GET", "/bucket?versions=", "")
	if got := strings.Count(list, "<Version>"); got != 2 || !strings.Contains(list, "<DeleteMarker>") {
		t.Errorf("got %d versions, want 2 and a delete marker: %s", got, list)
	}
}

// A gateway that frames every upload adds checksums that nobody asked for.
// They must do no harm to an upload begun without an algorithm.
func TestMultipartWithUnaskedChecksums(t *testing.T) {
	t.Parallel()
	s := startStore(t, nil)
	do(t, s, 200, "PUT", "/bucket", "")
	_, text := do(t, s, 200, "POST", "/bucket/big?uploads=", "")
	upload := between(text, "<UploadId>", "</UploadId>")
	data := []byte(strings.Repeat("p", 5<<20))
	var parts strings.Builder
	for _, number := range []string{"1", "2"} {
		framed, headers := frame(data)
		r := newRequest(t, s, "PUT", "/bucket/big?partNumber="+number+"&uploadId="+upload, trailerPayload, framed, headers...)
		status, header, text := call(t, s, r)
		if status != 200 {
			t.Fatalf("part %s: got %d: %s", number, status, text)
		}
		parts.WriteString("<Part><PartNumber>" + number + "</PartNumber><ETag>" + header.Get("Etag") + "</ETag></Part>")
	}
	_, text = do(t, s, 200, "POST", "/bucket/big?uploadId="+upload, "<CompleteMultipartUpload>"+parts.String()+"</CompleteMultipartUpload>")
	if !strings.HasSuffix(strings.Trim(between(text, "<ETag>", "</ETag>"), `"&#34;quot`), "-2") {
		t.Errorf("got an answer without the ETag of a two-part object: %s", text)
	}
	header, body := do(t, s, 200, "GET", "/bucket/big", "", "X-Amz-Checksum-Mode", "ENABLED")
	if len(body) != 2*len(data) {
		t.Errorf("got %d bytes, want %d", len(body), 2*len(data))
	}
	// What it reports is the algorithm of its own choice, over the whole.
	if got, want := header.Get("X-Amz-Checksum-Crc64nvme"), crc64nvmeOf(body); got != want {
		t.Errorf("got checksum %q, want %q", got, want)
	}
	if got := header.Get("X-Amz-Checksum-Crc32c"); got != "" {
		t.Errorf("got the checksum %q that nobody asked for", got)
	}
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// The store reads only a quarter of a MiB of what it refuses. Its answer must
// reach the client all the same, and not a broken pipe.
func TestEarlyRefusalIsHeard(t *testing.T) {
	t.Parallel()
	s := startStore(t, nil)
	big := bytes.Repeat([]byte("z"), 8<<20)
	do(t, s, 200, "PUT", "/bucket", "")
	do(t, s, 200, "PUT", "/bucket/key", "first")
	for range 5 {
		r := newRequest(t, s, "PUT", "/nobucket/key", unsignedPayload, big)
		if status, _, text := call(t, s, r); status != 404 || !strings.Contains(text, "NoSuchBucket") {
			t.Errorf("got status %d, want 404 NoSuchBucket: %s", status, text)
		}
		r = newRequest(t, s, "PUT", "/bucket/key", unsignedPayload, big)
		r.Header.Set("If-None-Match", "*")
		if status, _, text := call(t, s, r); status != 412 {
			t.Errorf("got status %d, want 412: %s", status, text)
		}
	}
	do(t, s, 200, "GET", "/bucket/key", "")
}

// What the store writes is for its own user only.
func TestModes(t *testing.T) {
	t.Parallel()
	var root string
	s := startStore(t, func(c *Config) { root = c.Root })
	do(t, s, 200, "PUT", "/bucket", "")
	do(t, s, 200, "PUT", "/bucket/dir/key", "x")
	socket := lifeOf(s).socket
	for _, path := range []string{s.dir, socket, root, root + "/bucket", root + "/bucket/dir", root + "/bucket/dir/key", filepath.Join(filepath.Dir(root), "meta-objects")} {
		fi, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if got := fi.Mode().Perm() & 0o077; got != 0 {
			t.Errorf("%s: got mode %o, want nothing for group and others", path, fi.Mode().Perm())
		}
	}
	if len(socket) > maxSocketPath {
		t.Errorf("got a socket path of %d bytes, want at most %d", len(socket), maxSocketPath)
	}
}

func TestForeignKeysAreRefused(t *testing.T) {
	t.Parallel()
	s := startStore(t, nil)
	r := newRequest(t, s, "GET", "/", unsignedPayload, nil)
	_, err := s.Transport().RoundTrip(withHeader(r, "Authorization", strings.Replace(r.Header.Get("Authorization"), "Credential=", "Credential=X", 1)))
	wantUnavailable(t, "a request signed with another key", err)
	status, _, _ := call(t, s, withHeader(r, "X-Amz-Date", "20200101T000000Z"))
	if status != 403 {
		t.Errorf("a changed request: got status %d, want 403", status)
	}
}

func withHeader(r *http.Request, name, value string) *http.Request {
	out := r.Clone(r.Context())
	out.Header.Set(name, value)
	return out
}
