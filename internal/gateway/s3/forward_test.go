package s3

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/sigv4"
	"daypass/internal/upstream"
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
	if want := "GET /photos/a/b%20c%2B%281%29.jpg?response-content-type=text%2Fplain&versionId=v1&x-id=GetObject"; up[0].Line != want {
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

func TestAuthorisedActions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		call call
		want []string
	}{
		{call{method: "GET", target: "/photos?list-type=2&prefix=a/&delimiter=/"}, []string{"s3:ListBucket photos"}},
		{call{method: "HEAD", target: "/photos/a"}, []string{"s3:GetObject photos/a"}},
		{call{method: "GET", target: "/photos/a?attributes&versionId=1"}, []string{"s3:GetObjectVersion photos/a", "s3:GetObjectVersionAttributes photos/a"}},
		{call{method: "DELETE", target: "/photos/a?versionId=1", header: map[string]string{"X-Amz-Bypass-Governance-Retention": "true"}}, []string{"s3:DeleteObjectVersion photos/a", "s3:BypassGovernanceRetention photos/a"}},
		{call{method: "PUT", target: "/photos/a", body: "x", header: map[string]string{
			"X-Amz-Tagging": "a=b", "X-Amz-Acl": "public-read", "X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Legal-Hold": "ON",
		}}, []string{"s3:PutObject photos/a", "s3:PutObjectTagging photos/a", "s3:PutObjectAcl photos/a", "s3:PutObjectRetention photos/a", "s3:PutObjectLegalHold photos/a"}},
		{call{method: "POST", target: "/photos/a?uploads", header: map[string]string{"X-Amz-Grant-Read": "id=1"}}, []string{"s3:PutObject photos/a", "s3:PutObjectAcl photos/a"}},
		{call{method: "PUT", target: "/photos/a", header: map[string]string{"X-Amz-Copy-Source": "/music/b?versionId=2"}}, []string{"s3:PutObject photos/a", "s3:GetObjectVersion music/b", "s3:GetObjectVersionTagging music/b", "s3:PutObjectTagging photos/a"}},
		{call{method: "PUT", target: "/photos/a?partNumber=1&uploadId=2", header: map[string]string{"X-Amz-Copy-Source": "music/b"}}, []string{"s3:PutObject photos/a", "s3:GetObject music/b"}},
		{call{method: "GET", target: "/a", host: "photos.s3.example.test"}, []string{"s3:GetObject photos/a"}},
	}
	q := newRig(t, nil)
	for _, tt := range tests {
		q.access.take()
		if got := q.do(tt.call); got.Status != 200 {
			t.Errorf("%s %s: %d %s", tt.call.method, tt.call.target, got.Status, got.Body)
		}
		if diff := cmp.Diff(tt.want, q.access.take()); diff != "" {
			t.Errorf("%s %s: %s", tt.call.method, tt.call.target, diff)
		}
		for _, up := range q.store.take() {
			for _, h := range []string{"X-Amz-Acl", "X-Amz-Grant-Read", "X-Amz-Security-Token", "Cookie"} {
				if up.Header.Get(h) != "" {
					t.Errorf("%s: %s forwarded", tt.call.target, h)
				}
			}
		}
		// Each single denial must stop the request.
		for _, deny := range tt.want {
			if tt.call.header["X-Amz-Copy-Source"] != "" && strings.Contains(deny, "Tagging ") && tt.call.header["X-Amz-Tagging"] == "" {
				continue // it may still copy what has no tags: TestCopiedTags
			}
			q.access.deny = map[string]bool{deny: true}
			if got := q.do(tt.call); got.Status != 403 {
				t.Errorf("%s %s without %s: %d", tt.call.method, tt.call.target, deny, got.Status)
			}
			if up := q.store.take(); len(up) != 0 {
				t.Errorf("%s without %s reached the upstream", tt.call.target, deny)
			}
		}
		q.access.deny = map[string]bool{}
	}
}

func TestHoistedHeadersAreHeaders(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	got := q.do(call{method: "PUT", target: "/photos/a?x-amz-copy-source=music%2Fb&X-Amz-Acl=private", presigned: true})
	if got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if diff := cmp.Diff([]string{"s3:PutObject photos/a", "s3:PutObjectAcl photos/a", "s3:GetObject music/b", "s3:GetObjectTagging music/b", "s3:PutObjectTagging photos/a"}, q.access.take()); diff != "" {
		t.Error(diff)
	}
	if up := q.store.take(); len(up) != 1 || up[0].Line != "PUT /photos/a" || up[0].Header.Get("X-Amz-Copy-Source") != "music/b" {
		t.Errorf("upstream got %+v", up)
	}
	for _, target := range []string{"/photos/a?x-amz-write-offset-bytes=1", "/photos/a?x-amz-acl=public-read-write"} {
		if got := q.do(call{method: "PUT", target: target, presigned: true}); got.Status < 400 {
			t.Errorf("%s: %d", target, got.Status)
		}
	}
	if got := q.do(call{method: "PUT", target: "/photos/a?x-amz-copy-source=music%2Fb"}); got.Status != 501 {
		t.Errorf("a header in the query of a header-signed request: %d", got.Status)
	}
}

// TestAttributes: a store that does not know the question answers with the
// object, which may look like the answer.
func TestAttributes(t *testing.T) {
	t.Parallel()
	const document = `<GetObjectAttributesResponse><ObjectSize>1</ObjectSize></GetObjectAttributesResponse>`
	for name, tt := range map[string]struct {
		header string
		want   int
	}{"document": {"Last-Modified", 200}, "object": {"ETag", 501}, "object of another store": {"Accept-Ranges", 501}} {
		q := newRig(t, nil)
		q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(tt.header, "x")
			_, _ = w.Write([]byte(document))
		}
		got := q.do(call{method: "GET", target: "/photos/a?attributes", header: map[string]string{"X-Amz-Object-Attributes": "ObjectSize"}})
		if got.Status != tt.want || strings.Contains(got.Body, "ObjectSize>1<") != (tt.want == 200) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}

func TestUpstreamErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		deny   string
		want   int
		code   string
	}{
		{"translated", 412, `<Error><Code>PreconditionFailed</Code><Message>m</Message><BucketName>internal</BucketName><HostId>up</HostId></Error>`, "", 412, "PreconditionFailed"},
		{"missing, may list", 404, `<Error><Code>NoSuchKey</Code></Error>`, "", 404, "NoSuchKey"},
		{"missing, may not list", 404, `<Error><Code>NoSuchKey</Code></Error>`, "s3:ListBucket photos", 403, "AccessDenied"},
		{"our key refused", 403, `<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>upstream-key</AWSAccessKeyId></Error>`, "", 503, "SlowDown"},
		{"our rights refused", 403, `<Error><Code>AccessDenied</Code><Message></Message><HostId>up</HostId></Error>`, "", 503, "SlowDown"},
		{"our clock refused", 403, `<Error><Code>RequestTimeTooSkewed</Code></Error>`, "", 503, "SlowDown"},
		{"a proxy wants to know us", 401, "who are you", "", 503, "SlowDown"},
		{"asked too often", 429, "", "", 503, "SlowDown"},
		{"no more room", 403, `<Error><Code>QuotaExceeded</Code><Message></Message></Error>`, "", 403, "QuotaExceeded"},
		{"no words", 404, `<Error><Code>NoSuchKey</Code><Message></Message><RequestId>tx0-up</RequestId></Error>`, "", 404, "NoSuchKey"},
		{"words that name the store", 400, `<Error><Code>InvalidArgument</Code><Message>internal.host: 10.0.0.7</Message></Error>`, "", 400, "InvalidArgument"},
		{"not XML", 500, "<html>panic at 10.0.0.7</html>", "", 500, "InternalError"},
		{"redirect", 307, "", "", 503, "SlowDown"},
		{"code of a stranger", 400, `<Error><Code>&lt;script&gt;</Code></Error>`, "", 400, "InvalidRequest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newRig(t, nil)
			if tt.deny != "" {
				q.access.deny[tt.deny] = true
			}
			q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://elsewhere/")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}
			got := q.do(call{method: "GET", target: "/photos/a"})
			if got.Status != tt.want || !strings.Contains(got.Body, "<Code>"+tt.code+"</Code>") {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			if strings.Contains(got.Body, "<Message></Message>") || strings.Contains(got.Body, "<Message/>") {
				t.Errorf("says nothing: %s", got.Body)
			}
			for _, leak := range []string{"internal<", "internal.host", "upstream-key", "10.0.0.7", "<HostId>up<", "tx0-up", "script"} {
				if strings.Contains(got.Body, leak) {
					t.Errorf("leaks %s: %s", leak, got.Body)
				}
			}
			if got.Header.Get("Location") != "" {
				t.Error("passes a redirect on")
			}
		})
	}
	t.Run("of an upload", func(t *testing.T) {
		t.Parallel()
		q := newRig(t, nil)
		q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("<Error><Code>NoSuchKey</Code></Error>"))
		}
		for _, method := range []string{"GET", "DELETE"} {
			if got := q.do(call{method: method, target: "/photos/a?uploadId=1"}); got.Status != 404 || !strings.Contains(got.Body, "<Code>NoSuchUpload</Code>") {
				t.Errorf("%s: %d %s", method, got.Status, got.Body)
			}
		}
		got := q.do(call{method: "PUT", target: "/photos/a?partNumber=1&uploadId=1", header: map[string]string{"X-Amz-Copy-Source": "music/b"}})
		if !strings.Contains(got.Body, "<Code>NoSuchKey</Code>") {
			t.Errorf("the source of a part is not there: %s", got.Body)
		}
	})
	t.Run("of a lock", func(t *testing.T) {
		t.Parallel()
		for below, want := range map[string]int{"/photos/": 403, "/": 503} {
			q := newRig(t, nil)
			q.store.reply = forbidden(below)
			if got := q.do(call{method: "DELETE", target: "/photos/a"}); got.Status != want {
				t.Errorf("forbidden %s: %d %s", below, got.Status, got.Body)
			}
		}
	})
	t.Run("knows no trailers", func(t *testing.T) {
		t.Parallel()
		for mode, want := range map[upstream.Mode]int{upstream.Passthrough: 503, upstream.Plain: 400} {
			q := newRig(t, nil)
			q.up.Mode = mode
			q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte("<Error><Code>XAmzContentSHA256Mismatch</Code><Message></Message></Error>"))
			}
			got := q.do(call{method: "PUT", target: "/photos/a", body: framed("x", sigv4.CRC32), payload: sigv4.StreamingUnsignedTrailer, header: map[string]string{
				"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "1",
			}})
			if got.Status != want {
				t.Errorf("%s: %d %s", mode, got.Status, got.Body)
			}
		}
	})
	t.Run("told to the operator", func(t *testing.T) {
		t.Parallel()
		var log bytes.Buffer
		q := newRig(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Request-Id", "tx0-up")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>InvalidAccessKeyId</Code></Error>"))
		}
		q.do(call{method: "GET", target: "/photos/a"})
		for _, s := range q.servers {
			s.Close()
		}
		if text := log.String(); !strings.Contains(text, "upstream main refuses our credential") || !strings.Contains(text, "403 InvalidAccessKeyId, its request tx0-up") {
			t.Error(text)
		}
	})
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		q := newRig(t, nil)
		q.up.Endpoint.Host = "127.0.0.1:1"
		if got := q.do(call{method: "PUT", target: "/photos/a", body: "x"}); got.Status != 503 || got.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v", got.Status, got.Header)
		}
	})
}

// TestAnswerHeaders: what a store says of itself does not reach clients.
func TestAnswerHeaders(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	passed := map[string]string{"ETag": `"1"`, "Content-Type": "text/x", "Content-Range": "bytes 0-0/1", "X-Amz-Version-Id": "v", "Last-Modified": "x", "X-Amz-Expiration": "e"}
	q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
		for name, v := range passed {
			w.Header().Set(name, v)
		}
		for name := range strings.FieldsSeq(`Server Via X-Served-By X-Rgw-Object-Type Rgwx-Mtime X-Minio-Deployment-Id Location Set-Cookie
			X-Amz-Request-Id X-Amz-Id-2 X-Amz-Bucket-Region X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id Www-Authenticate Access-Control-Allow-Origin`) {
			w.Header().Set(name, "rgw.internal")
		}
		_, _ = w.Write([]byte("x"))
	}
	got := q.do(call{method: "GET", target: "/photos/a"})
	for name, want := range passed {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q", name, got.Header.Get(name))
		}
	}
	for name, values := range got.Header {
		if strings.Contains(strings.Join(values, " "), "rgw.internal") {
			t.Errorf("passes %s on", name)
		}
	}
}

func TestAnswersRewritten(t *testing.T) {
	t.Parallel()
	q := newRig(t, nil)
	person := "<Owner><ID>upstream-key</ID></Owner><Initiator><ID>upstream-key</ID><DisplayName>d</DisplayName></Initiator>"
	many := strings.Repeat("<Upload><Key>&lt;Owner&gt;</Key>"+person+"</Upload>", 4000)
	q.store.reply = func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			_, _ = w.Write([]byte("<R>" + many + "</R>"))
		case strings.Contains(r.URL.RawQuery, "late"):
			_, _ = w.Write([]byte("  <?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>m</Message></Error>"))
		default:
			_, _ = w.Write([]byte("\n<?xml version=\"1.0\"?><CompleteMultipartUploadResult><Location>http://store:7070/photos/a</Location><Key>a</Key></CompleteMultipartUploadResult>"))
		}
	}
	got := q.do(call{method: "GET", target: "/photos?uploads"})
	us := "<ID>123456789012</ID><DisplayName>123456789012</DisplayName>"
	want := "<R>" + strings.Repeat("<Upload><Key>&lt;Owner&gt;</Key><Owner>"+us+"</Owner><Initiator>"+us+"</Initiator></Upload>", 4000) + "</R>"
	if got.Body != want {
		t.Errorf("%d bytes, want %d", len(got.Body), len(want))
	}
	got = q.do(call{method: "POST", target: "/photos/a%20b?uploadId=1", body: "<CompleteMultipartUpload/>", header: map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA=="}})
	if want := "<?xml version=\"1.0\"?><CompleteMultipartUploadResult><Location>https://s3.example.test/photos/a%20b</Location><Key>a</Key></CompleteMultipartUploadResult>"; got.Body != want {
		t.Errorf("%s", got.Body)
	}
	if up := q.store.take(); up[1].Header.Get("X-Amz-Checksum-Crc32") != "AAAAAA==" {
		t.Error("the object's checksum is lost")
	}
	got = q.do(call{method: "POST", target: "/photos/a?uploadId=late", body: "<CompleteMultipartUpload/>"})
	if got.Status != 500 || !strings.Contains(got.Body, "<RequestId>REQ1<") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
