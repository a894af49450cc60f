package s3

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// startChild runs the object store that daypass brings along, when it was
// built, and returns the way to it.
func startChild(t testing.TB) http.RoundTripper {
	t.Helper()
	binary, err := filepath.Abs("../../../bin/daypass-objectstore")
	if err == nil {
		_, err = os.Stat(binary)
	}
	if err != nil {
		t.Skip("needs bin/daypass-objectstore")
	}
	dir, err := os.MkdirTemp("", "s3")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(binary, "--socket", socket, "--root", filepath.Join(dir, "objects"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tr := upstream.NewTransport(upstream.TransportConfig{})
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		return upstream.BulkConn(conn), err
	}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		in.Close()
		_ = cmd.Wait()
		os.RemoveAll(dir)
	})
	fmt.Fprintf(in, `{"access_key_id":%q,"secret_access_key":%q}`+"\n", rootKey, rootSecret)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return tr
}

// childRig is a rig before the real object store, by the real clock.
func childRig(t *testing.T) *rig {
	t.Helper()
	tr := startChild(t)
	q := newRig(t, func(c *Config) {
		c.Clock = identity.SystemClock{}
		up, _ := c.Upstreams.ByName("main")
		up.Transport, up.Endpoint, up.Clock = tr, &url.URL{Scheme: "http", Host: "objectstore"}, c.Clock
	})
	for _, name := range []string{"photos", "music"} {
		resp, err := q.up.Do(t.Context(), &upstream.Request{Method: http.MethodPut, Bucket: name})
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
		resp.Body.Close()
	}
	return q
}

func element(body, name string) string {
	_, rest, _ := strings.Cut(body, "<"+name+">")
	v, _, _ := strings.Cut(rest, "</"+name+">")
	return strings.ReplaceAll(v, "&#34;", `"`)
}

// TestChild asks the real store for what the gate relies on it to do.
func TestChild(t *testing.T) {
	t.Parallel()
	q := childRig(t)
	for _, tt := range []struct {
		name   string
		call   call
		status int
		want   string // in the body
	}{
		{"put", call{method: "PUT", target: "/photos/a%20b+(%C3%A9);c%25", body: "hello"}, 200, ""},
		{"the same key in another spelling", call{method: "GET", target: "/photos/a+b%2B%28é%29%3Bc%25"}, 404, "NoSuchKey"},
		{"get", call{method: "GET", target: "/photos/a%20b%2B%28%C3%A9%29%3Bc%25"}, 200, "hello"},
		{"range", call{method: "GET", target: "/photos/a%20b%2B%28%C3%A9%29%3Bc%25", header: map[string]string{"Range": "bytes=1-3"}}, 206, "ell"},
		{"range beyond", call{method: "GET", target: "/photos/a%20b%2B%28%C3%A9%29%3Bc%25", header: map[string]string{"Range": "bytes=9-"}}, 416, "InvalidRange"},
		{"form", call{method: "POST", target: "/photos", unsigned: true, body: form("f", "f", "from a form"), header: post("").header}, 204, ""},
		{"form read", call{method: "GET", target: "/photos/f?response-content-type=text/x"}, 200, "from a form"},
		{"exists already", call{method: "PUT", target: "/photos/f", body: "x", header: map[string]string{"If-None-Match": "*"}}, 412, "PreconditionFailed"},
		{"changed meanwhile", call{method: "PUT", target: "/photos/f", body: "x", header: map[string]string{"If-Match": `"no"`}}, 412, "PreconditionFailed"},
		{"delete what changed meanwhile", call{method: "DELETE", target: "/photos/f", header: map[string]string{"If-Match": `"no"`}}, 412, "PreconditionFailed"},
		{"tag", call{method: "PUT", target: "/photos/f?tagging", body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v @</Value></Tag></TagSet></Tagging>"}, 200, ""},
		{"tags", call{method: "GET", target: "/photos/f?tagging"}, 200, "<Tag><Key>k</Key><Value>v @</Value></Tag>"},
		{"copy", call{method: "PUT", target: "/music/g", header: map[string]string{"X-Amz-Copy-Source": "photos/f"}}, 200, "<CopyObjectResult"},
		{"copied", call{method: "GET", target: "/music/g"}, 200, "from a form"},
		{"copy of what is not there", call{method: "PUT", target: "/music/g", header: map[string]string{"X-Amz-Copy-Source": "photos/nothing"}}, 404, "NoSuchKey"},
		{"folder", call{method: "PUT", target: "/photos/dir/", header: map[string]string{"X-Amz-Meta-A": "b", "Content-Type": "application/x-directory", "X-Amz-Tagging": "t=u%20v"}}, 200, ""},
		{"folder with content", call{method: "PUT", target: "/photos/dir/", body: "x"}, 400, "DirectoryObjectContainsData"},
		{"copy into a folder", call{method: "PUT", target: "/photos/dir2/", header: map[string]string{"X-Amz-Copy-Source": "photos/f"}}, 400, "DirectoryObjectContainsData"},
		{"copy of a folder", call{method: "PUT", target: "/music/dir/", header: map[string]string{"X-Amz-Copy-Source": "photos/dir/"}}, 200, "<CopyObjectResult"},
		{"tags of the copy", call{method: "GET", target: "/music/dir/?tagging"}, 200, "<Key>t</Key><Value>u v</Value>"},
		{"copy of a folder that is not there", call{method: "PUT", target: "/music/x", header: map[string]string{"X-Amz-Copy-Source": "photos/dirs/"}}, 404, "NoSuchKey"},
		{"copy of a folder that is another", call{method: "PUT", target: "/music/x", header: map[string]string{"X-Amz-Copy-Source": "photos/dir/", "X-Amz-Copy-Source-If-Match": `"x"`}}, 412, "PreconditionFailed"},
		{"copy of a folder unless it is the one", call{method: "PUT", target: "/music/x", header: map[string]string{"X-Amz-Copy-Source": "photos/dir/", "X-Amz-Copy-Source-If-None-Match": "d41d8cd98f00b204e9800998ecf8427e"}}, 412, "PreconditionFailed"},
		{"copy of a folder to itself", call{method: "PUT", target: "/photos/dir/", header: map[string]string{"X-Amz-Copy-Source": "photos/dir/"}}, 400, "InvalidRequest"},
		{"copy of a folder to a file", call{method: "PUT", target: "/music/plain", header: map[string]string{"X-Amz-Copy-Source": "photos/dir/", "X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Meta-C": "d"}}, 200, "<CopyObjectResult"},
		{"key that is a folder", call{method: "PUT", target: "/photos/dir", body: "x"}, 409, "ExistingObjectIsDirectory"},
		{"delete many", call{method: "POST", target: "/photos?delete", body: "<Delete><Object><Key>f</Key></Object><Object><Key>dir/</Key></Object></Delete>"}, 200, "<Deleted><Key>dir/</Key></Deleted>"},
		{"list", call{method: "GET", target: "/photos?list-type=2"}, 200, "<KeyCount>1</KeyCount>"},
		{"cors", call{method: "PUT", target: "/photos?cors", body: corsDocument}, 200, ""},
		{"preflight", call{method: "OPTIONS", target: "/photos/f", unsigned: true, header: map[string]string{"Origin": "https://a.app.test", "Access-Control-Request-Method": "PUT"}}, 200, ""},
		{"no cors", call{method: "DELETE", target: "/photos?cors"}, 204, ""},
		{"preflight without cors", call{method: "OPTIONS", target: "/photos/f", unsigned: true, header: map[string]string{"Origin": "https://a.app.test", "Access-Control-Request-Method": "PUT"}}, 403, "AccessForbidden"},
		{"bucket not empty", call{method: "DELETE", target: "/photos"}, 409, "BucketNotEmpty"},
	} {
		if got := q.do(tt.call); got.Status != tt.status || !strings.Contains(got.Body, tt.want) {
			t.Errorf("%s: %d %s", tt.name, got.Status, got.Body)
		}
	}
	for target, want := range map[string][3]string{"/music/dir/": {"b", "", "application/x-directory"}, "/music/plain": {"", "d", "binary/octet-stream"}} {
		h := q.do(call{method: "HEAD", target: target}).Header
		if got := [3]string{h.Get("X-Amz-Meta-A"), h.Get("X-Amz-Meta-C"), h.Get("Content-Type")}; got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func TestChildVersions(t *testing.T) {
	t.Parallel()
	q := childRig(t)
	q.do(call{method: "PUT", target: "/music?versioning", body: "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"})
	first := q.do(call{method: "PUT", target: "/music/v", body: "1"}).Header.Get("X-Amz-Version-Id")
	q.do(call{method: "PUT", target: "/music/v", body: "22"})
	marker := q.do(call{method: "DELETE", target: "/music/v"}).Header.Get("X-Amz-Version-Id")
	if first == "" || marker == "" {
		t.Fatal("no versions")
	}
	for _, tt := range []struct {
		name   string
		call   call
		status int
		want   string
		marker string
	}{
		{"deleted", call{method: "GET", target: "/music/v"}, 404, "NoSuchKey", "true"},
		{"the marker", call{method: "GET", target: "/music/v?versionId=" + marker}, 405, "MethodNotAllowed", "true"},
		{"the first", call{method: "GET", target: "/music/v?versionId=" + first}, 200, "1", ""},
		{"copy of the first", call{method: "PUT", target: "/photos/c", header: map[string]string{"X-Amz-Copy-Source": "music/v?versionId=" + first}}, 200, "CopyObjectResult", ""},
		{"list", call{method: "GET", target: "/music?versions"}, 200, "<DeleteMarker>", ""},
		{"delete the first", call{method: "DELETE", target: "/music/v?versionId=" + first}, 204, "", ""},
		{"the first is gone", call{method: "GET", target: "/music/v?versionId=" + first}, 404, "NoSuchVersion", ""},
		{"delete the marker", call{method: "DELETE", target: "/music/v?versionId=" + marker}, 204, "", "true"},
		{"the second again", call{method: "GET", target: "/music/v"}, 200, "22", ""},
	} {
		if got := q.do(tt.call); got.Status != tt.status || !strings.Contains(got.Body, tt.want) || got.Header.Get("X-Amz-Delete-Marker") != tt.marker {
			t.Errorf("%s: %d %v %s", tt.name, got.Status, got.Header, got.Body)
		}
	}
}

// TestChildMultipart: parts that come without a checksum, as by presigned URL,
// into uploads with and without one, before and after the gate has forgotten
// how the upload was begun.
func TestChildMultipart(t *testing.T) {
	t.Parallel()
	q := childRig(t)
	part := strings.Repeat("0123456789abcdef", 5<<20/16)
	for _, tt := range []struct {
		algorithm, kind string
		status          int
	}{{"", "", 200}, {"CRC32", "", 400}, {"CRC32", "FULL_OBJECT", 200}, {"SHA256", "", 400}, {"CRC64NVME", "", 200}, {"CRC32C", "FULL_OBJECT", 200}} {
		name := tt.algorithm + tt.kind
		begin := call{method: "POST", target: "/photos/m?uploads", header: map[string]string{}}
		if tt.algorithm != "" {
			begin.header["X-Amz-Checksum-Algorithm"] = tt.algorithm
		}
		if tt.kind != "" {
			begin.header["X-Amz-Checksum-Type"] = tt.kind
		}
		id := element(q.do(begin).Body, "UploadId")
		doc := "<CompleteMultipartUpload>"
		for n, forget := range []bool{false, true} {
			if forget {
				q.gw.uploads.mu.Lock()
				q.gw.uploads.recent = nil
				q.gw.uploads.mu.Unlock()
			}
			got := q.do(call{method: "PUT", target: fmt.Sprintf("/photos/m?partNumber=%d&uploadId=%s", n+1, id), body: part, presigned: true})
			if got.Status != tt.status || got.Status == 400 && !strings.Contains(got.Body, "actual checksum Type: null") {
				t.Errorf("%s: part %d: %d %s", name, n+1, got.Status, got.Body)
			}
			if tt.algorithm == "" && got.Header.Get("X-Amz-Checksum-Crc32c") != "" {
				t.Errorf("%s: part %d shows a checksum that the upload has not", name, n+1)
			}
			doc += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>", n+1, got.Header.Get("Etag"))
			if sum := got.Header.Get("X-Amz-Checksum-" + tt.algorithm); tt.algorithm != "" {
				doc += "<Checksum" + tt.algorithm + ">" + sum + "</Checksum" + tt.algorithm + ">"
			}
			doc += "</Part>"
		}
		if tt.status != 200 {
			continue
		}
		if got := q.do(call{method: "POST", target: "/photos/m?uploadId=" + id, body: doc + "</CompleteMultipartUpload>"}); got.Status != 200 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if got := q.do(call{method: "GET", target: "/photos/m"}); got.Body != part+part {
			t.Errorf("%s: %d bytes", name, len(got.Body))
		}
	}
	id := element(q.do(call{method: "POST", target: "/photos/n?uploads"}).Body, "UploadId")
	got := q.do(call{method: "PUT", target: "/photos/n?partNumber=1&uploadId=" + id, header: map[string]string{"X-Amz-Copy-Source": "photos/m", "X-Amz-Copy-Source-Range": "bytes=3-9"}})
	if got.Status != 200 {
		t.Errorf("part by copy: %d %s", got.Status, got.Body)
	}
	q.do(call{method: "POST", target: "/photos/n?uploadId=" + id, body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + element(got.Body, "ETag") + "</ETag></Part></CompleteMultipartUpload>"})
	if got := q.do(call{method: "GET", target: "/photos/n"}); got.Body != part[3:10] {
		t.Errorf("part by copy: %d %.100s", got.Status, got.Body)
	}
	if got := q.do(call{method: "PUT", target: "/photos/n?partNumber=1&uploadId=" + strings.Repeat("0", 36), body: part, presigned: true}); got.Status != 404 || !strings.Contains(got.Body, "NoSuchUpload") {
		t.Errorf("no upload: %d %s", got.Status, got.Body)
	}
}
