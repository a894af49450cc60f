package sigv4

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

var allChecksums = []Checksum{CRC32, CRC32C, CRC64NVME, SHA1, SHA256}

func TestChecksums(t *testing.T) {
	t.Parallel()
	for c, want := range map[Checksum]string{
		CRC32:     "cbf43926",
		CRC32C:    "e3069283",
		CRC64NVME: "ae8b14860a799888",
		SHA1:      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		SHA256:    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		h := c.New()
		io.WriteString(h, "123456789")
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
			t.Errorf("%s: got %s, want %s", c, got, want)
		}
		if got, ok := ChecksumOfHeader(strings.ToUpper(c.Header())); got != c || !ok {
			t.Errorf("%s: %q %v", c.Header(), got, ok)
		}
	}
	for c, want := range map[Checksum]int{CRC32: 8, CRC32C: 8, CRC64NVME: 12, SHA1: 28, SHA256: 44} {
		if got := c.EncodedLen(); got != want {
			t.Errorf("%s: %d, want %d", c, got, want)
		}
	}
}

func sumOf(c Checksum, content string) string {
	h := c.New()
	io.WriteString(h, content)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// framed frames content in chunks of the sizes given, the rest in one.
func framed(c Checksum, content string, sizes ...int) string {
	var b strings.Builder
	rest := content
	for _, n := range sizes {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	if rest != "" {
		fmt.Fprintf(&b, "%X\r\n%s\r\n", len(rest), rest)
	}
	fmt.Fprintf(&b, "0\r\n%s:%s\r\n\r\n", c.Header(), sumOf(c, content))
	return b.String()
}

func TestTrailerReader(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 2000)
	for _, c := range allChecksums {
		for _, whole := range []string{"", "x", content} {
			sizes := []int{}
			if whole == content {
				sizes = []int{8192, 10000}
			}
			raw := framed(c, whole, sizes...)
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"plain": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader,
				"half": iotest.HalfReader, "data and EOF": iotest.DataErrReader,
			} {
				r := NewTrailerReader(wrap(strings.NewReader(raw)), int64(len(whole)), c)
				got, err := io.ReadAll(iotest.OneByteReader(r))
				if err != nil || string(got) != whole || r.Value() != sumOf(c, whole) {
					t.Errorf("%s %s of %d bytes: %d bytes, %v", c, name, len(whole), len(got), err)
				}
			}
		}
	}
	tolerated := "1\r\nx\r\n0\r\nX-Amz-Checksum-Crc32:" + sumOf(CRC32, "x") + "\n\r\n\r\n"
	if got, err := io.ReadAll(NewTrailerReader(strings.NewReader(tolerated), 1, CRC32)); err != nil || string(got) != "x" {
		t.Errorf("bare line feed and empty line: %q %v", got, err)
	}
}

func TestTrailerReaderRefuses(t *testing.T) {
	t.Parallel()
	good := "x-amz-checksum-crc32:" + sumOf(CRC32, "hello")
	for _, v := range []struct {
		name, body string
		length     int64
		want       Failure
	}{
		{"empty", "", 5, FailureIncompleteBody},
		{"empty, nothing due", "", 0, FailureIncompleteBody},
		{"no size", "\r\nhello\r\n0\r\n" + good + "\r\n\r\n", 5, FailureInvalidChunkSize},
		{"not hex", "g\r\nhello", 5, FailureInvalidChunkSize},
		{"0x", "0x5\r\nhello", 5, FailureInvalidChunkSize},
		{"negative", "-5\r\nhello", 5, FailureInvalidChunkSize},
		{"plus", "+5\r\nhello", 5, FailureInvalidChunkSize},
		{"blank", "5 \r\nhello", 5, FailureInvalidChunkSize},
		{"extension", "5;chunk-signature=00\r\nhello", 5, FailureInvalidChunkSize},
		{"bare line feed", "5\nhello", 5, FailureInvalidChunkSize},
		{"overflow", "ffffffffffffffff\r\nhello", 5, FailureInvalidChunkSize},
		{"17 digits", "00000000000000005\r\nhello", 5, FailureInvalidChunkSize},
		{"long line", strings.Repeat("0", 300) + "5\r\nhello", 5, FailureInvalidChunkSize},
		{"too long a chunk", "6\r\nhello!\r\n0\r\n" + good + "\r\n\r\n", 5, FailureIncompleteBody},
		{"too short a body", "4\r\nhell\r\n0\r\n" + good + "\r\n\r\n", 5, FailureIncompleteBody},
		{"more chunks", "5\r\nhello\r\n1\r\n!\r\n0\r\n" + good + "\r\n\r\n", 5, FailureIncompleteBody},
		{"small chunk inside", "2\r\nhe\r\n3\r\nllo\r\n0\r\n" + good + "\r\n\r\n", 5, FailureInvalidChunkSize},
		{"chunk longer than its size", "5\r\nhello!\r\n0\r\n" + good + "\r\n\r\n", 5, FailureInvalidChunkSize},
		{"no trailer", "5\r\nhello\r\n0\r\n\r\n", 5, FailureTrailerMismatch},
		{"other trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n", 5, FailureTrailerMismatch},
		{"trailer without colon", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", 5, FailureMalformedTrailer},
		{"two trailers", "5\r\nhello\r\n0\r\n" + good + "\r\n" + good + "\r\n\r\n", 5, FailureMalformedTrailer},
		{"blank in name", "5\r\nhello\r\n0\r\n" + strings.Replace(good, ":", " :", 1) + "\r\n\r\n", 5, FailureMalformedTrailer},
		{"not base64", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:!!!!!!!=\r\n\r\n", 5, FailureMalformedTrailer},
		{"short value", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", 5, FailureMalformedTrailer},
		{"long trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + strings.Repeat("A", 9000) + "\r\n\r\n", 5, FailureMalformedTrailer},
		{"wrong value", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 5, FailureBadDigest},
		{"wrong content", "5\r\nhellO\r\n0\r\n" + good + "\r\n\r\n", 5, FailureBadDigest},
		{"data after the end", "5\r\nhello\r\n0\r\n" + good + "\r\n\r\nx", 5, FailureMalformedTrailer},
		{"much after the end", "5\r\nhello\r\n0\r\n" + good + "\r\n\r\n\r\n\r\n", 5, FailureMalformedTrailer},
		{"negative length", "0\r\n" + good + "\r\n\r\n", -1, FailureTrailerMismatch},
	} {
		got, err := io.ReadAll(NewTrailerReader(strings.NewReader(v.body), v.length, CRC32))
		if FailureOf(err) != v.want {
			t.Errorf("%s: %v, want %q", v.name, err, v.want)
		}
		if len(got) >= 5 {
			t.Errorf("%s: handed out %q", v.name, got)
		}
	}
	if _, err := io.ReadAll(NewTrailerReader(strings.NewReader(""), 0, "md5")); err == nil {
		t.Error("an unknown checksum is accepted")
	}
}

// TestHoldBack cuts a body at every place and changes every byte: the last byte
// of the content must never come out.
func TestHoldBack(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("ab", 4096) + "tail"
	raw := framed(CRC64NVME, content, 8192)
	reset := errors.New("connection reset")
	check := func(what string, body io.Reader, length int64, read func(io.Reader, int64) io.Reader) {
		for _, size := range []int{1 << 20, 5000} {
			var got int
			var err error
			r := read(body, length)
			for p := make([]byte, size); err == nil; {
				var n int
				n, err = r.Read(p)
				got += n
			}
			if err == io.EOF || got >= len(content) {
				t.Fatalf("%s: %d bytes, %v", what, got, err)
			}
			if n, again := r.Read(make([]byte, 9)); n != 0 || again != err {
				t.Fatalf("%s: then %d, %v", what, n, again)
			}
			if s, ok := body.(io.Seeker); ok {
				s.Seek(0, io.SeekStart)
			} else {
				return
			}
		}
	}
	trailer := func(r io.Reader, n int64) io.Reader { return NewTrailerReader(r, n, CRC64NVME) }
	length := int64(len(content))
	places := func(yield func(int) bool) {
		for i := range raw {
			if (i < 20 || i > 8190) && !yield(i) {
				return
			}
		}
	}
	for i := range places {
		check(fmt.Sprintf("cut at %d", i), strings.NewReader(raw[:i]), length, trailer)
		check(fmt.Sprintf("reset at %d", i), io.MultiReader(strings.NewReader(raw[:i]), iotest.ErrReader(reset)), length, trailer)
		changed := []byte(raw)
		changed[i] ^= 1
		if strings.EqualFold(string(changed), raw) {
			continue
		}
		check(fmt.Sprintf("changed at %d", i), bytes.NewReader(changed), length, trailer)
	}
	hash := fmt.Sprintf("%x", sha256Of(content))
	for _, known := range []int64{length, -1} {
		hashed := func(r io.Reader, _ int64) io.Reader { return NewHashingReader(r, known, hash) }
		for i := range content {
			if i > 20 && i < 8180 {
				continue
			}
			check("hashed, cut", strings.NewReader(content[:i]), length, hashed)
			check("hashed, reset", io.MultiReader(strings.NewReader(content[:i]), iotest.ErrReader(reset)), length, hashed)
			changed := []byte(content)
			changed[i] ^= 1
			check("hashed, changed", bytes.NewReader(changed), length, hashed)
		}
	}
}

func sha256Of(s string) []byte {
	h := SHA256.New()
	io.WriteString(h, s)
	return h.Sum(nil)
}

func TestHashingReader(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "x", "xy", strings.Repeat("hello", 3000)} {
		hash := strings.ToUpper(fmt.Sprintf("%x", sha256Of(content)))
		for _, length := range []int64{int64(len(content)), -1} {
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"plain": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader, "data and EOF": iotest.DataErrReader,
			} {
				body := Payload{PayloadMode: PayloadHashed, PayloadHash: hash}.Reader(wrap(strings.NewReader(content)), length)
				if err := iotest.TestReader(body, []byte(content)); err != nil {
					t.Errorf("%s of %d bytes, length %d: %v", name, len(content), length, err)
				}
			}
		}
	}
	_, err := io.ReadAll(NewHashingReader(strings.NewReader("body"), 4, EmptySHA256))
	if FailureOf(err) != FailurePayloadMismatch || err.(*Error).DetailValue("ClientComputedContentSHA256") != EmptySHA256 {
		t.Errorf("body with the empty hash: %v", err)
	}
	_, err = io.ReadAll(NewHashingReader(strings.NewReader("bod"), 4, fmt.Sprintf("%x", sha256Of("body"))))
	if FailureOf(err) != FailureIncompleteBody {
		t.Errorf("short body: %v", err)
	}
}

func TestFramer(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 4096, frameChunk - 1, frameChunk, frameChunk + 1, 3*frameChunk + 7} {
		content := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		for _, c := range allChecksums {
			raw, err := io.ReadAll(NewFramer(strings.NewReader(content), int64(n), c))
			if err != nil || int64(len(raw)) != FramedLength(int64(n), c) {
				t.Fatalf("%s of %d: %d bytes, FramedLength %d, %v", c, n, len(raw), FramedLength(int64(n), c), err)
			}
			again := NewFramer(NewTrailerReader(iotest.HalfReader(bytes.NewReader(raw)), int64(n), c), int64(n), c)
			if err := iotest.TestReader(again, raw); err != nil {
				t.Errorf("%s of %d reframed: %v", c, n, err)
			}
		}
	}
	boom := errors.New("boom")
	for name, v := range map[string]struct {
		body io.Reader
		want error
	}{
		"short":    {strings.NewReader("hell"), &Error{Failure: FailureIncompleteBody}},
		"long":     {strings.NewReader("hello!"), &Error{Failure: FailureIncompleteBody}},
		"failing":  {io.MultiReader(strings.NewReader("hell"), iotest.ErrReader(boom)), boom},
		"late":     {io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(boom)), boom},
		"tampered": {NewTrailerReader(strings.NewReader(strings.Replace(framed(SHA1, "hello"), "hello", "hellO", 1)), 5, SHA1), &Error{Failure: FailureBadDigest}},
	} {
		raw, err := io.ReadAll(NewFramer(v.body, 5, CRC32C))
		if !errors.Is(err, v.want) || strings.Contains(string(raw), "0\r\n") {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
}

func TestFrameRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		content := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "content"), rapid.IntRange(0, 5000).Draw(t, "times"))
		c, back := rapid.SampledFrom(allChecksums).Draw(t, "checksum"), rapid.IntRange(1, 9000).Draw(t, "read size")
		n := int64(len(content))
		r := NewTrailerReader(NewFramer(bytes.NewReader(content), n, c), n, c)
		var got []byte
		var err error
		for p := make([]byte, back); err == nil; {
			var k int
			k, err = r.Read(p)
			got = append(got, p[:k]...)
		}
		if err != io.EOF || !bytes.Equal(got, content) {
			t.Fatalf("%d of %d bytes: %v", len(got), len(content), err)
		}
	})
}
