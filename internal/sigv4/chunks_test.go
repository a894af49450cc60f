package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// chunked signs content in chunks of a size and returns the checked request
// and its raw body.
func chunked(t testing.TB, content string, size int, c Checksum) (*Signed, string) {
	t.Helper()
	r := request("PUT", "/bucket/key")
	signer := NewSigner(testCredentials, "us-east-1", "s3")
	if err := signer.signChunks(r, strings.NewReader(content), int64(len(content)), size, c, testTime); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil || int64(len(raw)) != r.ContentLength {
		t.Fatalf("%d bytes, Content-Length %d, %v", len(raw), r.ContentLength, err)
	}
	s, err := verify(t, r, s3Rules, "")
	if err != nil {
		t.Fatal(err)
	}
	return s, string(raw)
}

// TestPublishedChunks are the two examples in the S3 documentation: 65 KiB of
// the letter a.
func TestPublishedChunks(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("a", 65<<10)
	for _, v := range []struct {
		mode, seed string
		signatures [3]string
		trailer    string
	}{
		{
			StreamingSigned, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
			[3]string{
				"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
				"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
				"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
			},
			"",
		},
		{
			StreamingSignedTrailer, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			[3]string{
				"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
				"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
				"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
			},
			"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
		},
	} {
		names := "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class"
		r := &http.Request{Method: "PUT", RequestURI: "/examplebucket/chunkObject.txt", Host: "s3.amazonaws.com", ContentLength: 66824, Header: http.Header{
			"X-Amz-Date": {"20130524T000000Z"}, "X-Amz-Storage-Class": {"REDUCED_REDUNDANCY"}, "X-Amz-Content-Sha256": {v.mode},
			"Content-Encoding": {"aws-chunked"}, "X-Amz-Decoded-Content-Length": {"66560"},
		}}
		if v.trailer != "" {
			names = strings.Replace(names, "content-length;", "", 1) + ";x-amz-trailer"
			r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="+names+",Signature="+v.seed)
		s, err := Parse(r, s3Rules, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(Derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", s.Date, s.Region, s.Service), ""); err != nil {
			t.Fatal(err)
		}
		raw := "10000;chunk-signature=" + v.signatures[0] + "\r\n" + content[:65536] + "\r\n400;chunk-signature=" + v.signatures[1] + "\r\n" +
			content[65536:] + "\r\n0;chunk-signature=" + v.signatures[2] + "\r\n" + v.trailer + "\r\n"
		got, err := io.ReadAll(s.Reader(strings.NewReader(raw), int64(len(raw))))
		if err != nil || string(got) != content {
			t.Errorf("%s: %d bytes, %v", v.mode, len(got), err)
		}
	}
}

var chunkChecksums = append([]Checksum{""}, allChecksums...)

func TestChunkReaders(t *testing.T) {
	t.Parallel()
	whole := strings.Repeat("0123456789abcdef", 2000)
	for _, c := range chunkChecksums {
		for _, content := range []string{"", "x", whole, whole[:8192], whole[:16384]} {
			s, raw := chunked(t, content, minChunk, c)
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"plain": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader,
				"half": iotest.HalfReader, "data and EOF": iotest.DataErrReader,
			} {
				r := s.Payload.Reader(wrap(strings.NewReader(raw)), int64(len(raw)))
				if err := iotest.TestReader(r, []byte(content)); err != nil {
					t.Errorf("%q, %d bytes, %s: %v", c, len(content), name, err)
				}
				if v, ok := r.(*TrailerReader); ok != (c != "") || ok && v.Value() != sumOf(c, content) {
					t.Errorf("%q: %T %v", c, r, ok)
				}
			}
			if got := s.ContentLength(int64(len(raw))); got != int64(len(content)) || !s.PayloadMode.Framed() {
				t.Errorf("content length %d, want %d", got, len(content))
			}
		}
	}
}

// TestTrailerAsMinioGo: the checksum's line ends in a bare line feed, and an
// empty line precedes the signature.
func TestTrailerAsMinioGo(t *testing.T) {
	t.Parallel()
	s, raw := chunked(t, "hello", minChunk, CRC32C)
	raw = strings.Replace(raw, "\r\nx-amz-trailer-signature", "\n\r\nx-amz-trailer-signature", 1)
	got, err := io.ReadAll(s.Reader(strings.NewReader(raw), -1))
	if err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestUncheckedChunks: without a good request signature there is no chain.
func TestUncheckedChunks(t *testing.T) {
	t.Parallel()
	r := request("PUT", "/bucket/key")
	if err := NewSigner(testCredentials, "us-east-1", "s3").SignChunks(r, strings.NewReader("hello"), 5, CRC32, testTime); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(r, s3Rules, testTime)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := io.ReadAll(s.Reader(bytes.NewReader(raw), -1))
		if len(got) != 0 || FailureOf(err) != FailureSignatureMismatch {
			t.Errorf("%q, %v", got, err)
		}
		if err := s.Check(Derive("another secret", s.Date, s.Region, s.Service), ""); err == nil {
			t.Error("another secret passes")
		}
	}
}

func TestChunkRefusals(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 1280) // 20 KiB
	cut := func(s, from, to string) string {
		if !strings.Contains(s, from) {
			panic("nothing to replace: " + from)
		}
		return strings.Replace(s, from, to, 1)
	}
	for _, v := range []struct {
		name   string
		c      Checksum
		size   int
		mutate func(string) string
		want   Failure
	}{
		{"no signature", "", minChunk, func(s string) string { return cut(s, s[4:4+81], "") }, FailureSignatureMismatch},
		{"upper-case signature", "", minChunk, func(s string) string { return s[:22] + strings.ToUpper(s[22:84]) + s[84:] }, FailureSignatureMismatch},
		{"other extension", "", minChunk, func(s string) string { return cut(s, "chunk-signature", "chunk-signatura") }, FailureSignatureMismatch},
		{"second extension", "", minChunk, func(s string) string { return cut(s, ";", ";a=b;") }, FailureSignatureMismatch},
		{"negative size", "", minChunk, func(s string) string { return cut(s, "2000;", "-2000;") }, FailureInvalidChunkSize},
		{"no size", "", minChunk, func(s string) string { return cut(s, "2000;", ";") }, FailureInvalidChunkSize},
		{"overflowing size", "", minChunk, func(s string) string { return cut(s, "2000;", "ffffffffffffffff;") }, FailureInvalidChunkSize},
		{"long header", "", minChunk, func(s string) string { return strings.Repeat("0", 400) + s }, FailureInvalidChunkSize},
		{"greater size", "", minChunk, func(s string) string { return cut(s, "2000;", "7000;") }, FailureIncompleteBody},
		{"small chunks", "", 4096, func(s string) string { return s }, FailureInvalidChunkSize},
		{"chunks exchanged", "", minChunk, func(s string) string {
			n := 4 + 81 + 2 + minChunk + 2
			return s[n:2*n] + s[:n] + s[2*n:]
		}, FailureSignatureMismatch},
		{"chunk left out", "", minChunk, func(s string) string { return s[4+81+2+minChunk+2:] }, FailureSignatureMismatch},
		{"ends before the zero chunk", "", minChunk, func(s string) string { return s[:strings.LastIndex(s, "0;chunk")] }, FailureIncompleteBody},
		{"no empty line", "", minChunk, func(s string) string { return s[:len(s)-2] }, FailureIncompleteBody},
		{"bytes behind", "", minChunk, func(s string) string { return s + "x" }, FailureMalformedTrailer},
		{"unannounced trailer", "", minChunk, func(s string) string { return s[:len(s)-2] + "x-amz-meta-a:b\r\n\r\n" }, FailureMalformedTrailer},
		{"no trailer", SHA1, minChunk, func(s string) string { return s[:strings.Index(s, "x-amz-checksum")] + "\r\n" }, FailureTrailerMismatch},
		{"no trailer signature", SHA1, minChunk, func(s string) string { return s[:strings.Index(s, "x-amz-trailer-sig")] + "\r\n" }, FailureMalformedTrailer},
		{"two empty lines", SHA1, minChunk, func(s string) string {
			return cut(s, "x-amz-trailer-sig", "\r\n\r\nx-amz-trailer-sig")
		}, FailureMalformedTrailer},
		{"signature first", SHA1, minChunk, func(s string) string {
			i, j := strings.Index(s, "x-amz-checksum"), strings.Index(s, "x-amz-trailer-sig")
			return s[:i] + strings.TrimSuffix(s[j:], "\r\n") + s[i:j] + "\r\n"
		}, FailureTrailerMismatch},
		{"short trailer signature", SHA1, minChunk, func(s string) string { return cut(s, "trailer-signature:", "trailer-signature:0") }, FailureMalformedTrailer},
		{"third trailer", SHA1, minChunk, func(s string) string { return cut(s, "x-amz-trailer-sig", "x-amz-meta-a:b\r\nx-amz-trailer-sig") }, FailureMalformedTrailer},
		{"other checksum", SHA1, minChunk, func(s string) string { return cut(s, "checksum-sha1", "checksum-sha2") }, FailureTrailerMismatch},
		{"other checksum value", SHA1, minChunk, func(s string) string { return cut(s, "sha1:", "sha1:A") }, FailureSignatureMismatch},
	} {
		s, raw := chunked(t, content, v.size, v.c)
		got, err := io.ReadAll(s.Reader(strings.NewReader(v.mutate(raw)), -1))
		if FailureOf(err) != v.want || len(got) >= len(content) {
			t.Errorf("%s: %d of %d bytes, %v, want %q", v.name, len(got), len(content), err, v.want)
		}
	}
}

// TestWrongChecksumSigned: a client that signs a wrong checksum is told so.
func TestWrongChecksumSigned(t *testing.T) {
	t.Parallel()
	s, _ := chunked(t, "hello", minChunk, CRC32)
	c := newChain(s.seed)
	var b strings.Builder
	for _, data := range []string{"hello", ""} {
		io.WriteString(c.digest, data)
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s\r\n", len(data), c.signChunk(), data)
	}
	line := "x-amz-checksum-crc32:AAAAAA=="
	raw := strings.TrimSuffix(b.String(), "\r\n") + line + "\r\nx-amz-trailer-signature:"
	signature := c.sign("-TRAILER", "", sha256Of(line+"\n"))
	got, err := io.ReadAll(s.Reader(strings.NewReader(raw+string(signature[:])+"\r\n\r\n"), -1))
	if FailureOf(err) != FailureBadDigest || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

// TestChunkHoldBack cuts and changes signed bodies at every byte of their
// framing and around the ends of the chunks: neither the last byte of the
// content nor one of the chunk that is not right may come out.
func TestChunkHoldBack(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("ab", 4096) + "the last chunk"
	head := 4 + 1 + len(chunkSignature) + 64 + 2
	for _, c := range []Checksum{"", CRC64NVME} {
		s, raw := chunked(t, content, minChunk, c)
		for i := range raw {
			if i > head+20 && i < head+minChunk-20 {
				continue
			}
			most := len(content) - 1
			if i < head+minChunk+2 {
				most = minChunk - 1
			}
			changed := []byte(raw)
			changed[i] ^= 1
			for what, body := range map[string]io.Reader{
				"cut":     strings.NewReader(raw[:i]),
				"reset":   io.MultiReader(strings.NewReader(raw[:i]), iotest.ErrReader(errors.New("reset"))),
				"changed": bytes.NewReader(changed),
			} {
				r := s.Reader(body, int64(len(raw)))
				got := 0
				var err error
				for p := make([]byte, 5000); err == nil; {
					var n int
					n, err = r.Read(p)
					got += n
				}
				if err == io.EOF || got > most {
					t.Fatalf("%q %s at %d: %d bytes, at most %d, %v", c, what, i, got, most, err)
				}
				if n, again := r.Read(make([]byte, 9)); n != 0 || again != err {
					t.Fatalf("%q %s at %d: then %d, %v", c, what, i, n, again)
				}
			}
		}
	}
}

func TestSignChunksRefuses(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, v := range map[string]struct {
		body io.Reader
		want error
	}{
		"short":   {strings.NewReader("hell"), &Error{Failure: FailureIncompleteBody}},
		"long":    {strings.NewReader("hello!"), &Error{Failure: FailureIncompleteBody}},
		"failing": {io.MultiReader(strings.NewReader("hell"), iotest.ErrReader(boom)), boom},
	} {
		r := request("PUT", "/b/k")
		if err := NewSigner(testCredentials, "r", "s3").SignChunks(r, v.body, 5, CRC32, testTime); err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r.Body)
		if !errors.Is(err, v.want) || strings.Contains(string(raw), "\r\n0;") {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
	if err := NewSigner(testCredentials, "r", "sts").SignChunks(request("PUT", "/"), nil, 0, "", testTime); err == nil {
		t.Error("signed chunks outside S3")
	}
}

func TestChunkRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		content := strings.Repeat(rapid.StringN(1, 40, 60).Draw(rt, "content"), rapid.IntRange(0, 3000).Draw(rt, "times"))
		c := rapid.SampledFrom(chunkChecksums).Draw(rt, "checksum")
		s, raw := chunked(t, content, rapid.IntRange(minChunk, 70000).Draw(rt, "chunk"), c)
		r := s.Reader(strings.NewReader(raw), int64(len(raw)))
		var got []byte
		var err error
		for p := make([]byte, rapid.IntRange(1, 70000).Draw(rt, "read")); err == nil; {
			var n int
			n, err = r.Read(p)
			got = append(got, p[:n]...)
		}
		if err != io.EOF || string(got) != content {
			rt.Fatalf("%d of %d bytes: %v", len(got), len(content), err)
		}
	})
}

func FuzzChunks(f *testing.F) {
	for _, c := range []Checksum{"", CRC32} {
		_, raw := chunked(f, strings.Repeat("x", 9000), minChunk, c)
		f.Add(raw, int64(9000), c == "")
		f.Add(raw[:9000], int64(9000), c == "")
	}
	f.Add("ffffffffffffffff;chunk-signature="+EmptySHA256+"\r\n", int64(1)<<62, true)
	f.Fuzz(func(t *testing.T, body string, length int64, plain bool) {
		p := Payload{PayloadMode: PayloadChunksTrailer, DecodedLength: length, Trailer: CRC32, seed: &chunkSeed{
			Derive("a secret nobody signs with", "20260102", "us-east-1", "s3"), "20260102T030405Z", "20260102", "us-east-1", "s3", EmptySHA256,
		}}
		if plain {
			p.PayloadMode = PayloadChunks
		}
		got, err := io.ReadAll(p.Reader(strings.NewReader(body), int64(len(body))))
		if FailureOf(err) == "" || length > 0 && int64(len(got)) >= length {
			t.Fatalf("%d of %d bytes, %v", len(got), length, err)
		}
	})
}
