package s3

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// signedChunks is a PUT of content in signed chunks, and its body.
func (q *rig) signedChunks(content string, checksum sigv4.Checksum, target ...string) (*http.Request, string) {
	q.t.Helper()
	req, err := q.build(call{method: "PUT", target: append(target, "/photos/a")[0], unsigned: true})
	if err != nil {
		q.t.Fatal(err)
	}
	signer := sigv4.NewSigner(sigv4.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "us-east-1", "s3")
	if err := signer.SignChunks(req, strings.NewReader(content), int64(len(content)), checksum, testTime); err != nil {
		q.t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		q.t.Fatal(err)
	}
	return req, string(body)
}

// ending is how a client leaves after the last byte it sends.
type ending string

const (
	halfClosed ending = "half-closed"
	closed     ending = "closed"
	reset      ending = "reset"
	waiting    ending = "waiting" // for the answer
)

// sendRaw sends the head of req and body, and returns the answer where the
// client waits for one.
func (q *rig) sendRaw(req *http.Request, body string, end ending) (status int, answer string) {
	q.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(q.url, "http://"))
	if err != nil {
		q.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", req.Method, req.URL.RequestURI(), req.URL.Host, req.ContentLength)
	_ = req.Header.Write(conn)
	fmt.Fprint(conn, "\r\n", body)
	switch end {
	case closed:
		return 0, ""
	case reset:
		_ = conn.(*net.TCPConn).SetLinger(0)
		return 0, ""
	case halfClosed:
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		q.t.Errorf("%s after %d bytes: no answer: %v", end, len(body), err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// nothingWhole waits for all requests to end and demands that the upstream got
// no whole body.
func (q *rig) nothingWhole() {
	q.t.Helper()
	for _, s := range q.servers {
		s.Close()
	}
	for _, up := range q.store.take() {
		if up.Err == nil {
			q.t.Errorf("the upstream got a whole body of %d bytes", len(up.Body))
		}
	}
}

func TestSignedChunks(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 10_000)
	for _, mode := range []upstream.Mode{upstream.Reframe, upstream.Passthrough, upstream.Plain} {
		for _, sum := range []sigv4.Checksum{"", sigv4.CRC32, sigv4.CRC32C, sigv4.CRC64NVME, sigv4.SHA1, sigv4.SHA256} {
			for _, text := range []string{content, "x", ""} {
				t.Run(fmt.Sprintf("%s/%s/%d", mode, sum, len(text)), func(t *testing.T) {
					t.Parallel()
					q := newRig(t, nil)
					q.up.Mode = mode
					req, body := q.signedChunks(text, sum)
					if status, answer := q.sendRaw(req, body, waiting); status != 200 {
						t.Fatalf("%d %s", status, answer)
					}
					up := q.store.take()
					want := text
					if text != "" && (sum != "" && mode != upstream.Plain || mode == upstream.Reframe) {
						want = framed(text, max(sum, map[bool]sigv4.Checksum{true: sigv4.CRC32C}[sum == ""]))
					}
					if len(up) != 1 || up[0].Err != nil || up[0].Body != want {
						t.Fatalf("the upstream got %d requests", len(up))
					}
					if h := up[0].Header; h.Get("Content-Encoding") != "" || strings.HasPrefix(h.Get("X-Amz-Content-Sha256"), "STREAMING-AWS4") ||
						mode == upstream.Plain && (strings.HasPrefix(h.Get("X-Amz-Content-Sha256"), "STREAMING") || h.Get("X-Amz-Trailer")+h.Get("X-Amz-Decoded-Content-Length") != "") {
						t.Errorf("the framing of the client reached the upstream: %v", h)
					}
				})
			}
		}
	}
}

// boundaries are the offsets at which a framed body may be cut: around every
// line end, in the middle of every chunk, and all of the last 300 bytes.
func boundaries(body string) []int {
	var at []int
	for i := strings.Index(body, "\r\n"); i >= 0; {
		at = append(at, i-1, i, i+1, i+2, i+3, i+30_000)
		next := strings.Index(body[i+2:], "\r\n")
		if next < 0 {
			break
		}
		i += 2 + next
	}
	for i := 1; i < 300; i += 7 {
		at = append(at, len(body)-i)
	}
	at = append(at, 0, 1)
	slices.Sort(at)
	return slices.DeleteFunc(slices.Compact(at), func(i int) bool { return i < 0 || i >= len(body)-2 })
}

// TestTruncatedFrames cuts framed bodies at every boundary, in each way that a
// client can leave: nothing of it is ever whole at the upstream. What ends in
// two bytes less than it should is whole.
func TestTruncatedFrames(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 8_400)
	for _, mode := range []upstream.Mode{upstream.Reframe, upstream.Passthrough, upstream.Plain} {
		for _, sum := range []sigv4.Checksum{"", sigv4.CRC32, "unsigned"} {
			t.Run(fmt.Sprint(mode, "/", sum), func(t *testing.T) {
				t.Parallel()
				q := newRig(t, nil)
				q.up.Mode = mode
				req, body := q.signedChunks(content, sigv4.Checksum(strings.TrimSuffix(string(sum), "unsigned")))
				if sum == "unsigned" {
					body = framed(content, sigv4.CRC32)
					var err error
					req, err = q.build(call{method: "PUT", target: "/photos/a", body: body, payload: sigv4.StreamingUnsignedTrailer, header: map[string]string{
						"X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": fmt.Sprint(len(content)),
					}})
					if err != nil {
						t.Fatal(err)
					}
				}
				for i, at := range boundaries(body) {
					end := []ending{halfClosed, closed, reset}[i%3]
					if status, answer := q.sendRaw(req, body[:at], end); end == halfClosed && !strings.Contains(answer, "<Code>IncompleteBody<") {
						t.Errorf("cut at %d of %d: %d %s", at, len(body), status, answer)
					}
				}
				q.nothingWhole()
			})
		}
	}
}

// TestTamperedChunks changes one byte in each place of a body in signed chunks.
func TestTamperedChunks(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 8_400)
	for _, mode := range []upstream.Mode{upstream.Reframe, upstream.Passthrough, upstream.Plain} {
		for _, sum := range []sigv4.Checksum{"", sigv4.SHA256} {
			t.Run(fmt.Sprint(mode, "/", sum), func(t *testing.T) {
				t.Parallel()
				q := newRig(t, nil)
				q.up.Mode = mode
				req, body := q.signedChunks(content, sum)
				places := map[string]int{
					"size of the first chunk": 0, "signature of the first chunk": strings.Index(body, "=") + 1,
					"first byte": strings.Index(body, "\r\n") + 2, "end of the first chunk": strings.Index(body[100:], "\r\n") + 100,
					"last byte":                   strings.LastIndex(body, "\r\n0;chunk-signature") - 1,
					"size of the zero chunk":      strings.LastIndex(body, "0;chunk-signature"),
					"signature of the zero chunk": strings.LastIndex(body, "chunk-signature=") + 20,
				}
				if sum != "" {
					places["name of the trailer"] = strings.Index(body, "x-amz-checksum")
					places["value of the trailer"] = strings.Index(body, "x-amz-checksum") + 24
					places["signature of the trailer"] = strings.Index(body, "x-amz-trailer-signature:") + 30
				}
				for place, at := range places {
					bad := body[:at] + string(body[at]^1) + body[at+1:]
					if status, answer := q.sendRaw(req, bad, waiting); status < 400 || status >= 500 {
						t.Errorf("%s: %d %s", place, status, answer)
					}
				}
				// The chunks of another request, and a longer and a shorter promise.
				_, other := q.signedChunks(content, sum, "/photos/b")
				if status, answer := q.sendRaw(req, other, waiting); status != 403 {
					t.Errorf("chunks of another request: %d %s", status, answer)
				}
				for _, promised := range []int{len(content) - 1, len(content) + 1} {
					short, _ := q.signedChunks(content[:min(promised, len(content))]+strings.Repeat("x", max(0, promised-len(content))), sum)
					short.ContentLength = int64(len(body))
					if status, answer := q.sendRaw(short, body, waiting); status < 400 || status >= 500 {
						t.Errorf("%d bytes promised: %d %s", promised, status, answer)
					}
				}
				q.nothingWhole()
			})
		}
	}
}
