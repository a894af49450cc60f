package e2e

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Ways of covering a body, as x-amz-content-sha256 names them.
const (
	modeHashed        = "hash"
	modeUnsigned      = "UNSIGNED-PAYLOAD"
	modeTrailer       = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	modeChunks        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	modeChunksTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// trailerSums are the checksums that a trailer may carry, by the end of its
// name, in base64.
var trailerSums = map[string]func([]byte) []byte{
	"crc32": func(b []byte) []byte { return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)) },
	"crc32c": func(b []byte) []byte {
		return binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	},
	"crc64nvme": func(b []byte) []byte {
		return binary.BigEndian.AppendUint64(nil, crc64.Checksum(b, crc64.MakeTable(0x9a6c9329ac4bc9b5)))
	},
	"sha1":   func(b []byte) []byte { sum := sha1.Sum(b); return sum[:] },
	"sha256": func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] },
}

// usualSum is the trailer of most of these uploads.
const usualSum = "crc32"

func sumOf(name, content string) string {
	return base64.StdEncoding.EncodeToString(trailerSums[name]([]byte(content)))
}

// segment is a piece of a request as it goes over the wire; truncation happens
// between segments, tampering within one.
type segment struct {
	name string
	text string
}

// wireUpload is a signed upload in pieces. Content-Length is not signed: who
// changes a body under way can change that too.
type wireUpload struct {
	head []segment // the request line, then a header each
	body []segment
}

// The names of segments; chunks are numbered, the last is the zero chunk.
const (
	segLine    = "request line"
	segTrailer = "trailer"
	segSigned  = "signature of the trailer"
	segEnd     = "final line"
)

func segSize(chunk int) string  { return fmt.Sprintf("size of chunk %d", chunk) }
func segData(chunk int) string  { return fmt.Sprintf("data of chunk %d", chunk) }
func segAfter(chunk int) string { return fmt.Sprintf("end of chunk %d", chunk) }

// zeroChunk is the number of the zero chunk in the uploads of these tests.
const zeroChunk = 3

// wireChunks is the content of these uploads.
var wireChunks = []string{strings.Repeat("first.", 1366)[:8192], strings.Repeat("second.", 1200)[:8192], strings.Repeat("last.", 200)}

// newWireUpload signs an upload of wireChunks with the Go SDK's signer, which
// is not ours, and its chunks by hand. sum names the trailer, where the mode
// has one.
func newWireUpload(t testing.TB, s *Server, k Keys, mode, sum, target string) *wireUpload {
	t.Helper()
	content := strings.Join(wireChunks, "")
	req, err := http.NewRequest(http.MethodPut, s.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload := mode
	switch mode {
	case modeHashed:
		payload = hexSum(content)
	case modeUnsigned:
	default:
		req.Header.Set("Content-Encoding", "aws-chunked")
		req.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(content)))
	}
	if mode == modeTrailer || mode == modeChunksTrailer {
		req.Header.Set("X-Amz-Trailer", "x-amz-checksum-"+sum)
	}
	req.Header.Set("X-Amz-Content-Sha256", payload)
	req.Header.Set("Content-Type", "text/x-wire")
	req.Header.Set("X-Amz-Meta-Colour", "blue")
	now := time.Now().UTC()
	credentials := aws.Credentials{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken}
	sign := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := sign.SignHTTP(t.Context(), credentials, req, payload, "s3", s.Region, now); err != nil {
		t.Fatal(err)
	}
	_, seed, _ := strings.Cut(req.Header.Get("Authorization"), "Signature=")
	chain := newChunkChain(k.SecretAccessKey, s.Region, seed, now)
	u := &wireUpload{head: []segment{{segLine, "PUT " + req.URL.RequestURI() + " HTTP/1.1\r\n"}, {"Host", "Host: " + req.URL.Host + "\r\n"}}}
	for name := range req.Header {
		u.head = append(u.head, segment{name, name + ": " + req.Header.Get(name) + "\r\n"})
	}
	slices.SortFunc(u.head[2:], func(a, b segment) int { return strings.Compare(a.name, b.name) })
	u.body = bodySegments(mode, sum, content, chain)
	return u
}

func bodySegments(mode, sum, content string, chain *chunkChain) []segment {
	if mode == modeHashed || mode == modeUnsigned {
		// In pieces, to be cut between.
		var out []segment
		for i, c := range wireChunks {
			out = append(out, segment{segData(i), c})
		}
		return out
	}
	signed := mode != modeTrailer
	var out []segment
	for i, c := range append(slices.Clone(wireChunks), "") {
		size := fmt.Sprintf("%x", len(c))
		if signed {
			size += ";chunk-signature=" + chain.chunk(c)
		}
		out = append(out, segment{segSize(i), size + "\r\n"})
		if c != "" {
			out = append(out, segment{segData(i), c}, segment{segAfter(i), "\r\n"})
		}
	}
	if mode != modeChunks {
		trailer := "x-amz-checksum-" + sum + ":" + sumOf(sum, content)
		out = append(out, segment{segTrailer, trailer + "\r\n"})
		if signed {
			out = append(out, segment{segSigned, "x-amz-trailer-signature:" + chain.trailer(trailer+"\n") + "\r\n"})
		}
	}
	return append(out, segment{segEnd, "\r\n"})
}

// chunkChain signs the chunks of one request.
type chunkChain struct {
	key                   []byte
	date, scope, previous string
}

func newChunkChain(secret, region, seed string, now time.Time) *chunkChain {
	day := now.Format("20060102")
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	return &chunkChain{key, now.Format("20060102T150405Z"), day + "/" + region + "/s3/aws4_request", seed}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, text)
	return h.Sum(nil)
}

func (c *chunkChain) sign(lines ...string) string {
	c.previous = hex.EncodeToString(mac(c.key, strings.Join(lines, "\n")))
	return c.previous
}

func (c *chunkChain) chunk(data string) string {
	return c.sign("AWS4-HMAC-SHA256-PAYLOAD", c.date, c.scope, c.previous, hexSum(""), hexSum(data))
}

func (c *chunkChain) trailer(lines string) string {
	return c.sign("AWS4-HMAC-SHA256-TRAILER", c.date, c.scope, c.previous, hexSum(lines))
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// index finds a segment; it is there, or the test is wrong.
func index(segments []segment, name string) int {
	at := slices.IndexFunc(segments, func(s segment) bool { return s.name == name })
	if at < 0 {
		panic("no segment " + name)
	}
	return at
}

// edit rewrites one segment of head or body.
func (u *wireUpload) edit(name string, change func(string) string) {
	for _, part := range [][]segment{u.head, u.body} {
		for i := range part {
			if part[i].name == name {
				part[i].text = change(part[i].text)
				return
			}
		}
	}
	panic("no segment " + name)
}

// length is the Content-Length that fits the body.
func (u *wireUpload) length() int {
	n := 0
	for _, s := range u.body {
		n += len(s.text)
	}
	return n
}

// ending is how a connection ends after the bytes are sent.
type ending int

const (
	endAwait     ending = iota // the client waits for the answer
	endHalfClose               // it sends FIN, and waits
	endReset                   // it resets the connection
)

// send sends the upload with a Content-Length, or only the first pieces of its
// body, or of its head when body is negative, and returns status and code.
func (u *wireUpload) send(t testing.TB, s *Server, length, pieces int, end ending) (status int, code string) {
	t.Helper()
	var b bytes.Buffer
	for _, h := range u.head {
		b.WriteString(h.text)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", length)
	for _, p := range u.body[:min(pieces, len(u.body))] {
		b.WriteString(p.text)
	}
	return rawExchange(t, s, b.Bytes(), end)
}

// rawExchange sends bytes on a connection of its own.
func rawExchange(t testing.TB, s *Server, request []byte, end ending) (status int, code string) {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tcp := conn.(*net.TCPConn)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	// A server that refuses early may close before it has everything.
	conn.Write(request)
	switch end {
	case endReset:
		tcp.SetLinger(0)
		return 0, ""
	case endHalfClose:
		tcp.CloseWrite()
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode/100 == 2 {
		return r.StatusCode, ""
	}
	return r.StatusCode, between(string(body), "Code")
}
