package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"daypass/internal/sigv4"
)

// wire is a signed request as it would be sent, without its body.
func (r *rig) wire(c call) string {
	r.t.Helper()
	q, err := r.request(c)
	if err != nil {
		r.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", q.Method, q.URL.RequestURI(), q.URL.Host)
	for name, values := range q.Header {
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	return b.String()
}

// ending is how a connection is broken off.
type ending int

const (
	halfClosed ending = iota
	closed
	reset
)

// TestCutUploads: an upload that is cut short is never visible, however it was
// announced, cut and ended, and what was there before stays.
func TestCutUploads(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/cut", keys: k})
	u, err := url.Parse(r.facts().URL)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	n := 0
	for _, size := range []struct{ all, sent int }{{1000, 500}, {1000, 999}, {300_000, 200_000}, {300_000, 299_999}, {300_000, 65_536}, {1 << 20, 0}} {
		body := strings.Repeat("0123456789", size.all/10+1)[:size.all]
		for mode, c := range map[string]call{
			"hash":      {body: body},
			"unsigned":  {payload: sigv4.UnsignedPayload},
			"presigned": {presign: time.Minute},
			"trailer":   framed(call{body: body}),
			"part":      {payload: sigv4.UnsignedPayload},
		} {
			for _, end := range []ending{halfClosed, closed, reset} {
				n++
				old := n%2 == 0 && mode != "part"
				c := c
				c.method, c.target, c.keys = "PUT", fmt.Sprintf("/cut/%s-%d", mode, n), k
				text := body
				if mode == "trailer" {
					text = c.body
				}
				if old {
					r.must(call{method: "PUT", target: c.target, keys: k, body: "old"})
					want[strings.TrimPrefix(c.target, "/cut/")] = 3
				}
				if mode == "part" {
					a := r.must(call{method: "POST", target: c.target + "?uploads", keys: k})
					c.target += "?partNumber=1&uploadId=" + a.between("UploadId")
				}
				head := r.wire(c) + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(text))
				sendCut(t, u.Host, head+text[:size.sent+len(text)-size.all], end)
				if mode == "part" {
					target, _, _ := strings.Cut(c.target, "?")
					_, upload, _ := strings.Cut(c.target, "uploadId=")
					if parts := r.must(call{target: target + "?uploadId=" + upload, keys: k}); strings.Contains(string(parts.body), "<PartNumber>") {
						t.Errorf("part of %d of %d bytes, ending %d, is visible", size.sent, size.all, end)
					}
				}
			}
		}
	}
	// What is still on its way through the server has a moment to appear.
	time.Sleep(300 * time.Millisecond)
	got := r.list(k, "cut")
	for key, size := range got {
		if w, ok := want[key]; !ok || w != size {
			t.Errorf("visible: %s with %d bytes", key, size)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
	t.Logf("%d cut uploads", n)
}

// sendCut sends bytes, ends the connection, and waits for whatever comes back
// where something can. A 200 is a failure.
func sendCut(t *testing.T, address, text string, end ending) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, text)
	switch end {
	case halfClosed:
		c.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode < 400 {
				t.Errorf("a cut upload was answered %d", resp.StatusCode)
			}
		}
	case reset:
		time.Sleep(5 * time.Millisecond)
		c.(*net.TCPConn).SetLinger(0)
	}
}

// TestSmuggling: bytes behind a signed request, or a second request in its
// body, reach nothing.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/smuggle", keys: k})
	inner := r.wire(call{method: "DELETE", target: "/smuggle", keys: k}) + "\r\n"
	outer := func(target, more, body string) string {
		return r.wire(call{method: "PUT", target: target, keys: k, payload: sigv4.UnsignedPayload}) + more + "\r\n" + body
	}
	for name, text := range map[string]string{
		"length and chunks":         outer("/smuggle/a", fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(inner)+5), "0\r\n\r\n"+inner),
		"two lengths":               outer("/smuggle/b", fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n", len(inner)), inner),
		"chunks without length":     outer("/smuggle/c", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		"decoded length says less":  outer("/smuggle/d", fmt.Sprintf("Content-Length: %d\r\nX-Amz-Decoded-Content-Length: 0\r\n", len(inner)), inner),
		"Connection names a header": outer("/smuggle/e", "Content-Length: 0\r\nConnection: x-amz-content-sha256, authorization\r\nX-Amz-Copy-Source: /other/x\r\n", ""),
		"upgrade":                   outer("/smuggle/f", "Content-Length: 0\r\nConnection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", ""),
	} {
		t.Run(name, func(t *testing.T) {
			answers, _ := r.raw(text, 2, false)
			for i, a := range answers {
				if i > 0 || a.status < 400 && name != "upgrade" {
					t.Errorf("answer %d: %s", i+1, a)
				}
			}
		})
	}
	r.must(call{method: "HEAD", target: "/smuggle", keys: k})
	for key := range r.list(k, "smuggle") {
		if key != "f" {
			t.Errorf("there is an object %s", key)
		}
	}
}

// TestAliases: keys that look alike are different keys, and none reaches the
// store's own files or another bucket.
func TestAliases(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/alias", keys: k})
	r.must(call{method: "PUT", target: "/alias-two", keys: k})
	keys := []string{"a%252Fb", "a%3Bb", "a;b=c", "q%3Fx", "h%23x", "back%5Cslash", "%E2%98%83", "sp%20ace", "plus+", "plus%2B", "..a", "a..", "...", "dot/.hidden", "%2e%2e%2ea", "trailing/", "A", "a", ".sgwtmpx"}
	for i, key := range keys {
		body := fmt.Sprint("content ", i)
		if strings.HasSuffix(key, "/") {
			body = ""
		}
		if a := r.do(call{method: "PUT", target: "/alias/" + key, keys: k, body: body}); a.status != 200 {
			t.Errorf("PUT %s: %s", key, a)
		}
	}
	for i, key := range keys {
		want := fmt.Sprint("content ", i)
		if strings.HasSuffix(key, "/") {
			want = ""
		}
		if key == "plus+" { // in a path, + is itself: the same key as plus%2B
			want = fmt.Sprint("content ", i+1)
		}
		if a := r.do(call{target: "/alias/" + key, keys: k}); a.status != 200 || string(a.body) != want {
			t.Errorf("GET %s: %s, want %q", key, a, want)
		}
	}
	if got := r.list(k, "alias"); len(got) != len(keys)-1 {
		t.Errorf("listed %d keys, want %d: %v", len(got), len(keys)-1, got)
	}
	if got := r.list(k, "alias-two"); len(got) != 0 {
		t.Errorf("the other bucket holds %v", got)
	}
	// The store keeps uploads under way below a prefix of its own.
	r.must(call{method: "POST", target: "/alias/pending?uploads", keys: k})
	for _, target := range []string{"/alias?list-type=2&prefix=.sgwtmp", "/alias?list-type=2&delimiter=%2F", "/alias?prefix=.s"} {
		if a := r.must(call{target: target, keys: k}); strings.Contains(string(a.body), ".sgwtmp/") || strings.Contains(string(a.body), "<Key>.sgwtmp<") {
			t.Errorf("GET %s shows the store's own files: %s", target, a)
		}
	}
	for _, header := range []string{"X-Amz-Acl", "X-Amz-Grant-Read"} {
		for _, value := range []string{"public-read", `uri="http://acs.amazonaws.com/groups/global/AllUsers"`} {
			r.do(call{method: "PUT", target: "/alias/public", keys: k, body: "x", header: [][2]string{{header, value}}})
		}
	}
	if a := r.do(call{target: "/alias/public"}); a.status != 403 {
		t.Errorf("an ACL made an object public: %s", a)
	}
}

// TestReplay: a signed request is the same request on every connection, and is
// nothing else.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := startRig(t, "")
	k := r.rootSession()
	r.must(call{method: "PUT", target: "/replay", keys: k})
	r.must(call{method: "PUT", target: "/replay/a", keys: k, body: "a"})
	good := r.wire(call{target: "/replay/a?versionId=null", keys: k}) + "\r\n"
	for name, b := range map[string]struct {
		text   string
		status int
	}{
		"as it was":               {good, 200},
		"path escaped":            {strings.Replace(good, "/replay/a", "/replay/%61", 1), 200},
		"bucket escaped":          {strings.Replace(good, "/replay/a", "/%72eplay/a", 1), 200},
		"other key":               {strings.Replace(good, "/replay/a", "/replay/b", 1), 403},
		"parameter's name folded": {strings.Replace(good, "versionId", "versionid", 1), 403},
		"method in lower case":    {strings.Replace(good, "GET", "get", 1), 403},
		"host with a dot":         {strings.Replace(good, "Host: 127.0.0.1:", "Host: localhost:", 1), 403},
		"fragment":                {strings.Replace(good, " HTTP/1.1", "%23x HTTP/1.1", 1), 403},
		"method overridden":       {strings.Replace(good, "\r\n\r\n", "\r\nX-Http-Method-Override: DELETE\r\n\r\n", 1), 200},
		"date twice":              {strings.Replace(good, "\r\n\r\n", "\r\nX-Amz-Date: 20200101T000000Z\r\n\r\n", 1), 403},
	} {
		t.Run(name, func(t *testing.T) {
			answers, err := r.raw(b.text, 1, false)
			if err != nil {
				t.Fatal(err)
			}
			if answers[0].status != b.status {
				t.Errorf("got %s, want %d", answers[0], b.status)
			}
		})
	}
	r.must(call{target: "/replay/a", keys: k})
}
