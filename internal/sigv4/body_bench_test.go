package sigv4

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"strings"
	"testing"
)

// BenchmarkBody is the cost of reading 16 MiB in each body mode, in reads of
// 64 KiB; "bare" is nothing but the digests that the mode cannot do without.
func BenchmarkBody(b *testing.B) {
	content := strings.Repeat("0123456789abcdef", 1<<20)
	length := int64(len(content))
	run := func(name, raw string, open func(io.Reader) io.Reader) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(length)
			b.ReportAllocs()
			p := make([]byte, 64<<10)
			for b.Loop() {
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{open(strings.NewReader(raw))}, p)
				if n != length || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
	bare := func(digests ...hash.Hash) func(io.Reader) io.Reader {
		return func(r io.Reader) io.Reader {
			for _, d := range digests {
				r = io.TeeReader(r, d)
			}
			return r
		}
	}
	run("copy", content, bare())
	run("sha256/bare", content, bare(sha256.New()))
	hashed := fmt.Sprintf("%x", sha256Of(content))
	run("sha256/hashed", content, func(r io.Reader) io.Reader { return NewHashingReader(r, length, hashed) })
	s, raw := chunked(b, content, frameChunk, "")
	run("sha256/chunks-64KiB", raw, func(r io.Reader) io.Reader { return s.Payload.Reader(r, int64(len(raw))) })
	small, smallRaw := chunked(b, content, minChunk, "")
	run("sha256/chunks-8KiB", smallRaw, func(r io.Reader) io.Reader { return small.Payload.Reader(r, int64(len(smallRaw))) })
	for _, c := range allChecksums {
		run(string(c)+"/bare", content, bare(c.New()))
		run(string(c)+"/trailer", framedBy(content, c), func(r io.Reader) io.Reader { return NewTrailerReader(r, length, c) })
		run(string(c)+"+sha256/bare", content, bare(c.New(), sha256.New()))
		s, raw := chunked(b, content, frameChunk, c)
		run(string(c)+"+sha256/chunks-trailer", raw, func(r io.Reader) io.Reader { return s.Payload.Reader(r, int64(len(raw))) })
	}
	form := formBody(signedFields("k", `["starts-with", "$key", ""]`), "f", content)
	run("form", form, func(r io.Reader) io.Reader {
		request := postRequest("")
		request.Body, request.ContentLength = io.NopCloser(r), int64(len(form))
		f, err := ParsePostForm(request, "bucket", s3Rules, testTime)
		if err != nil {
			b.Fatal(err)
		}
		return f.File
	})
}

func framedBy(content string, c Checksum) string {
	var b bytes.Buffer
	io.Copy(&b, NewFramer(strings.NewReader(content), int64(len(content)), c))
	return b.String()
}

// BenchmarkAsymmetric is the check of a SigV4A request with a kept key, and
// what it costs to derive one.
func BenchmarkAsymmetric(b *testing.B) {
	r := asymmetricRequest(b, "s3", "*", false)
	key := DeriveAsymmetric(testCredentials.SecretAccessKey, testCredentials.AccessKeyID)
	rules := asymmetricRules("s3")
	b.Run("parse+check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s, err := Parse(r, rules, testTime)
			if err == nil {
				err = s.CheckAsymmetric(key, "")
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("derive", func(b *testing.B) {
		for b.Loop() {
			DeriveAsymmetric(testCredentials.SecretAccessKey, testCredentials.AccessKeyID)
		}
	})
}
