package s3

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

const (
	formBorder = "----WebKitFormBoundaryX"
	formScope  = testKey + "/20260102/us-east-1/s3/aws4_request"
)

// form is the body of a form whose policy allows exactly what it says. key is
// its first field.
func form(key, filename, file string, more ...[2]string) string {
	conditions := `["starts-with", "$key", ""]`
	var b strings.Builder
	field := func(name, value string) {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", formBorder, name, value)
	}
	field("key", key)
	for _, f := range more {
		field(f[0], f[1])
		conditions += fmt.Sprintf(`, ["starts-with", "$%s", ""]`, f[0])
	}
	policy := base64.StdEncoding.EncodeToString([]byte(`{"expiration": "2026-01-02T04:04:05.000Z", "conditions": [{"bucket": "photos"}, ` +
		`{"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": "` + formScope + `"}, {"x-amz-date": "20260102T030405Z"}, ` + conditions + `]}`))
	field("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	field("X-Amz-Credential", formScope)
	field("X-Amz-Date", "20260102T030405Z")
	field("Policy", policy)
	field("X-Amz-Signature", sigv4.Derive(testSecret, "20260102", "us-east-1", "s3").Sign(policy))
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: text/html\r\n\r\n%s\r\n--%s--\r\n",
		formBorder, filename, file, formBorder)
	return b.String()
}

func post(body string) call {
	return call{method: "POST", target: "/photos", unsigned: true, body: body, header: map[string]string{
		"Content-Type": "multipart/form-data; boundary=" + formBorder,
	}}
}

func TestForm(t *testing.T) {
	t.Parallel()
	file := strings.Repeat("0123456789abcdef", 9000)
	q := newRig(t, nil)
	q.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	q.store.reply = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"e"`)
		w.Header().Set("X-Amz-Version-Id", "v")
	}
	const where = "https://s3.example.test/photos/a/b%20c.html"
	for _, tt := range []struct {
		name     string
		more     [][2]string
		status   int
		location string
		body     string
	}{
		{"no content", nil, 204, where, ""},
		{"ok", [][2]string{{"success_action_status", "200"}}, 200, where, ""},
		{"created", [][2]string{{"success_action_status", "201"}}, 201, where, `<?xml version="1.0" encoding="UTF-8"?>
<PostResponse><Location>https://s3.example.test/photos/a/b%20c.html</Location><Bucket>photos</Bucket><Key>a/b c.html</Key><ETag>&quot;e&quot;</ETag></PostResponse>`},
		{"redirect", [][2]string{{"success_action_redirect", "https://app.test/done?a=b#c"}}, 303, "https://app.test/done?a=b&bucket=photos&key=a%2Fb%20c.html&etag=%22e%22#c", ""},
		{"redirect to a script", [][2]string{{"success_action_redirect", "javascript:alert(1)"}}, 204, where, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q.access.take()
			more := append(tt.more, [2]string{"Content-Type", "text/plain"}, [2]string{"acl", "public-read"}, [2]string{"x-amz-meta-Colour", "blue"},
				[2]string{"tagging", "<Tagging><TagSet><Tag><Key>k</Key><Value>v w</Value></Tag></TagSet></Tagging>"}, [2]string{"if-match", "x"})
			got := q.do(post(form("a/${filename}", "C:\\d\\b c.html", file, more...)))
			body := strings.ReplaceAll(got.Body, "&#34;", "&quot;")
			if got.Status != tt.status || got.Header.Get("Location") != tt.location || body != tt.body || got.Header.Get("Etag") != `"e"` || got.Header.Get("X-Amz-Version-Id") != "v" {
				t.Errorf("%d %v %s", got.Status, got.Header, got.Body)
			}
			up := q.store.take()
			if len(up) != 1 || up[0].Line != "PUT /photos/a/b%20c.html" || up[0].Body != framed(file, sigv4.CRC32C) {
				t.Fatalf("the upstream got %d requests", len(up))
			}
			for name, want := range map[string]string{"Content-Type": "text/plain", "X-Amz-Meta-Colour": "blue", "X-Amz-Tagging": "k=v+w", "X-Amz-Acl": "", "If-Match": "", "Policy": ""} {
				if v := up[0].Header.Get(name); v != want {
					t.Errorf("%s = %q, want %q", name, v, want)
				}
			}
			if diff := cmp.Diff([]string{"s3:PutObject photos/a/b c.html", "s3:PutObjectTagging photos/a/b c.html", "s3:PutObjectAcl photos/a/b c.html"}, q.access.take()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := q.do(post(form("empty", "f", ""))); got.Status != 204 {
		t.Errorf("an empty file: %d %s", got.Status, got.Body)
	}
	if up := q.store.take(); len(up) != 1 || up[0].Body != "" {
		t.Errorf("an empty file: the upstream got %+v", up)
	}
	c := post(form("k", "f", "x"))
	c.target, c.host = "/", "photos.s3.example.test"
	if got := q.do(c); got.Status != 204 {
		t.Errorf("by virtual host: %d %s", got.Status, got.Body)
	}
}

func TestFormRefusals(t *testing.T) {
	t.Parallel()
	file := strings.Repeat("x", 100_000)
	good := form("k", "f", file)
	to := func(target string) call {
		c := post(good)
		c.target = target
		return c
	}
	for _, tt := range []struct {
		name string
		call call
		deny string
		code string
	}{
		{"not allowed", post(good), "s3:PutObject", "AccessDenied"},
		{"acl not allowed", post(form("k", "f", file, [2]string{"acl", "private"})), "s3:PutObjectAcl", "AccessDenied"},
		{"another bucket", to("/music"), "", "AccessDenied"},
		{"another's bucket", to("/theirs"), "", "AccessDenied"},
		{"key alias", post(form("a/../${filename}", "f", file)), "", "InvalidArgument"},
		{"alias by file name", post(form("a/${filename}", "..", file)), "", "InvalidArgument"},
		{"working prefix", post(form(".sgwtmp/x", "f", file)), "", "InvalidArgument"},
		{"NUL", post(form("a\x00b", "f", file)), "", "InvalidArgument"},
		{"canned acl", post(form("k", "f", file, [2]string{"acl", "public-read-write"})), "", "AccessControlListNotSupported"},
		{"copy", post(form("k", "f", file, [2]string{"x-amz-copy-source", "theirs/x"})), "", "NotImplemented"},
		{"website redirect", post(form("k", "f", file, [2]string{"x-amz-website-redirect-location", "/x"})), "", "NotImplemented"},
		{"decoded length", post(form("k", "f", file, [2]string{"x-amz-decoded-content-length", "1"})), "", "NotImplemented"},
		{"checksum", post(form("k", "f", file, [2]string{"x-amz-checksum-crc32", "AAAAAA=="})), "", "BadDigest"},
		{"signature", post(strings.Replace(good, "\"key\"\r\n\r\nk", "\"key\"\r\n\r\nother", 1) + "x"), "", "MalformedPOSTRequest"},
		{"field after the file", post(strings.TrimSuffix(good, "--\r\n") + "\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--" + formBorder + "--\r\n"), "", "IncorrectNumberOfFilesInPostRequest"},
		{"no file", post(good[:strings.Index(good, "; filename")] + "\r\n\r\nx\r\n--" + formBorder + "--\r\n"), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newRig(t, nil)
			q.access.deny[tt.deny] = true
			got := q.do(tt.call)
			if tt.code == "" {
				return // whether it is a file is the parser's to say; nothing whole is stored unless it is
			}
			if !strings.Contains(got.Body, "<Code>"+tt.code+"</Code>") {
				t.Errorf("%d %s, want %s", got.Status, got.Body, tt.code)
			}
			q.nothingWhole()
		})
	}
}

// TestTruncatedForms cuts a form everywhere around and in its file.
func TestTruncatedForms(t *testing.T) {
	t.Parallel()
	body := form("k", "f", strings.Repeat("x\r\n--", 30_000))
	begin := strings.Index(body, "x\r\n--x")
	for _, mode := range []upstream.Mode{upstream.Reframe, upstream.Passthrough, upstream.Plain} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			q := newRig(t, nil)
			q.up.Mode = mode
			req, err := q.build(post(body))
			if err != nil {
				t.Fatal(err)
			}
			cuts := []int{0, 10, begin - 1, begin, begin + 1, begin + 70_000}
			for i := 1; i < 80; i++ {
				cuts = append(cuts, len(body)-i)
			}
			for i, at := range cuts {
				end := []ending{halfClosed, closed, reset}[i%3]
				if status, answer := q.sendRaw(req, body[:at], end); end == halfClosed && status/100 != 4 {
					t.Errorf("cut at %d of %d: %d %s", at, len(body), status, answer)
				}
			}
			q.nothingWhole()
		})
	}
}
