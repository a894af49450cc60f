package s3

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/sigv4"
)

func TestGetStreamsThrough(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	body := strings.Repeat("x", 700_000)
	q.store.reply = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Store/1")
		w.Header().Set("X-Amz-Request-Id", "theirs")
		w.Header().Set("Etag", `"e"`)
		w.Header().Set("Content-Range", "bytes 0-699999/700000")
		w.WriteHeader(http.StatusPartialContent)
		w.Write([]byte(body))
	}
	got := q.do(call{method: "GET", target: "/photos/a%2Fb%20c+(1).jpg?response-content-type=text/plain&versionId=v1&x-id=GetObject", header: map[string]string{
		"Range": "bytes=0-699999", "If-Match": `"e"`, "Cookie": "a=b", "X-Minio-Source-Mtime": "x", "X-Amz-Expected-Bucket-Owner": account,
	}})
	if got.Status != 206 || got.Body != body {
		t.Fatalf("status %d, %d bytes", got.Status, len(got.Body))
	}
	for name, want := range map[string]string{
		"Server": "", "X-Amz-Request-Id": "REQ1", "X-Amz-Id-2": "daypass", "Etag": `"e"`, "Content-Range": "bytes 0-699999/700000",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	up := q.store.take()
	if len(up) != 1 {
		t.Fatalf("%d upstream requests", len(up))
	}
	if want := "GET /photos/a%2Fb%20c%2B%281%29.jpg?response-content-type=text%2Fplain&versionId=v1&x-id=GetObject"; up[0].Line != want {
		t.Errorf("line %q, want %q", up[0].Line, want)
	}
	if diff := cmp.Diff([]string{"Authorization", "If-Match", "Range", "User-Agent", "X-Amz-Content-Sha256", "X-Amz-Date"}, names(up[0].Header)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"s3:GetObjectVersion photos/a/b c+(1).jpg"}, q.access.take()); diff != "" {
		t.Error(diff)
	}
}

func names(h http.Header) []string {
	var out []string
	for k := range h {
		out = append(out, k)
	}
	return sorted(out)
}

func TestUploads(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 9000)
	md5ok := md5Base64(content)
	tests := []struct {
		name   string
		call   call
		body   string // at the upstream
		header map[string]string
		absent []string
	}{
		{
			name: "hashed", call: call{body: content, header: map[string]string{"Content-Md5": md5ok, "X-Amz-Checksum-Crc32": base64Sum(sigv4.CRC32, content)}},
			body:   content,
			header: map[string]string{"X-Amz-Content-Sha256": sha256Hex(content), "Content-Md5": md5ok, "X-Amz-Checksum-Crc32": base64Sum(sigv4.CRC32, content)},
			absent: []string{"X-Amz-Trailer", "X-Amz-Decoded-Content-Length"},
		},
		{
			name: "unsigned is framed with crc32c", call: call{body: content, payload: sigv4.UnsignedPayload},
			body: framed(content, sigv4.CRC32C),
			header: map[string]string{
				"X-Amz-Content-Sha256": sigv4.StreamingUnsignedTrailer, "X-Amz-Trailer": "x-amz-checksum-crc32c",
				"X-Amz-Decoded-Content-Length": "144000",
			},
			absent: []string{"Content-Encoding", "X-Amz-Sdk-Checksum-Algorithm"},
		},
		{
			name: "presigned is framed", call: call{body: content, presigned: true},
			body:   framed(content, sigv4.CRC32C),
			header: map[string]string{"X-Amz-Content-Sha256": sigv4.StreamingUnsignedTrailer},
		},
		{
			name: "unsigned with a checksum keeps the algorithm", call: call{body: content, payload: sigv4.UnsignedPayload, header: map[string]string{
				"X-Amz-Checksum-Sha1": base64Sum(sigv4.SHA1, content), "Content-Md5": md5ok,
			}},
			body:   framed(content, sigv4.SHA1),
			header: map[string]string{"X-Amz-Trailer": "x-amz-checksum-sha1"},
			absent: []string{"X-Amz-Checksum-Sha1", "Content-Md5"},
		},
		{
			name: "unsigned with an algorithm named", call: call{body: content, payload: sigv4.UnsignedPayload, header: map[string]string{"X-Amz-Sdk-Checksum-Algorithm": "CRC64NVME"}},
			body:   framed(content, sigv4.CRC64NVME),
			header: map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc64nvme", "X-Amz-Sdk-Checksum-Algorithm": "CRC64NVME"},
		},
		{
			name: "trailer", call: call{body: framed(content, sigv4.CRC32), payload: sigv4.StreamingUnsignedTrailer, header: map[string]string{
				"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "144000", "Content-Encoding": "gzip, aws-chunked",
				"X-Amz-Meta-A": "b", "Content-Type": "text/x",
			}},
			body:   framed(content, sigv4.CRC32),
			header: map[string]string{"X-Amz-Trailer": "x-amz-checksum-crc32", "Content-Encoding": "gzip", "X-Amz-Meta-A": "b", "Content-Type": "text/x"},
		},
		{
			name: "empty trailer", call: call{body: framed("", sigv4.CRC32), payload: sigv4.StreamingUnsignedTrailer, header: map[string]string{
				"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "0", "Content-Encoding": "aws-chunked",
			}},
			header: map[string]string{"X-Amz-Content-Sha256": sigv4.EmptySHA256, "X-Amz-Checksum-Crc32": "AAAAAA==", "Content-Length": "0"},
			absent: []string{"X-Amz-Trailer", "Content-Encoding", "X-Amz-Decoded-Content-Length"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newRig(t, nil)
			tt.call.method, tt.call.target = "PUT", "/photos/a"
			if got := q.do(tt.call); got.Status != 200 {
				t.Fatalf("status %d %s", got.Status, got.Body)
			}
			up := q.store.take()
			if len(up) != 1 || up[0].Err != nil || up[0].Body != tt.body {
				t.Fatalf("upstream got %d requests", len(up))
			}
			for k, v := range tt.header {
				if got := up[0].Header.Get(k); got != v {
					t.Errorf("%s = %q, want %q", k, got, v)
				}
			}
			for _, k := range tt.absent {
				if got, ok := up[0].Header[k]; ok {
					t.Errorf("%s = %q, want none", k, got)
				}
			}
		})
	}
}
