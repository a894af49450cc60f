package sigv4

import (
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SignChunks signs r, for S3, with body sent in signed chunks of 64 KiB and,
// unless checksum is "", with a signed trailer. It sets what Sign sets,
// Content-Encoding, X-Amz-Decoded-Content-Length, X-Amz-Trailer, the body and
// its exact length. length is that of body; a body that fails, or is longer or
// shorter, ends the request's body in an error before the zero chunk.
func (s *Signer) SignChunks(r *http.Request, body io.Reader, length int64, checksum Checksum, at time.Time) error {
	return s.signChunks(r, body, length, frameChunk, checksum, at)
}

func (s *Signer) signChunks(r *http.Request, body io.Reader, length int64, size int, checksum Checksum, at time.Time) error {
	if length < 0 || s.service != "s3" || s.private != nil {
		return errors.New("sigv4: signed chunks are for S3 bodies of known length and AWS4-HMAC-SHA256")
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(length, 10))
	r.Header.Set("Content-Encoding", strings.TrimSuffix("aws-chunked,"+r.Header.Get("Content-Encoding"), ","))
	mode := StreamingSigned
	r.Header.Del("X-Amz-Trailer")
	if checksum != "" {
		mode = StreamingSignedTrailer
		r.Header.Set("X-Amz-Trailer", checksum.Header())
	}
	if err := s.sign(r, mode, at); err != nil {
		return err
	}
	stamp := at.UTC().Format(timestampLayout)
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	f := &chunkFramer{
		body: body, left: length, checksum: checksum, data: make([]byte, size),
		chain: newChain(&chunkSeed{s.key(stamp[:8]), stamp, stamp[:8], s.region, s.service, signature}),
	}
	if checksum != "" {
		f.digest = checksum.New()
	}
	r.Body, r.ContentLength = io.NopCloser(f), signedLength(length, size, checksum)
	return nil
}

// signedLength is the length of a body as SignChunks frames it.
func signedLength(length int64, size int, checksum Checksum) int64 {
	frame := func(n int64) int64 {
		return int64(len(strconv.FormatInt(n, 16))+len(";"+chunkSignature)+64) + 2 + n + 2
	}
	n := length / int64(size) * frame(int64(size))
	if rest := length % int64(size); rest > 0 {
		n += frame(rest)
	}
	n += frame(0)
	if checksum != "" {
		n += int64(len(checksum.Header())+1+checksum.EncodedLen()+2) + int64(len(trailerSignature)+1+64+2)
	}
	return n
}

// chunkFramer encodes a body in signed chunks.
type chunkFramer struct {
	body     io.Reader
	chain    *chain
	checksum Checksum
	digest   hash.Hash
	left     int64
	data     []byte // of one chunk
	out      []byte // to go out next
	ended    bool
	err      error
}

// Read implements io.Reader.
func (f *chunkFramer) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if f.err == nil {
			f.err = f.next()
		}
		if f.err != nil {
			return 0, f.err
		}
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

func (f *chunkFramer) next() error {
	if f.ended {
		return io.EOF
	}
	data := f.data[:min(int64(len(f.data)), f.left)]
	if _, err := io.ReadFull(f.body, data); err != nil {
		return truncated(err)
	}
	if f.digest != nil {
		f.digest.Write(data)
	}
	if f.left -= int64(len(data)); len(data) == 0 {
		if err := drained(f.body); err != nil {
			return err
		}
	}
	f.chain.digest.Write(data)
	signature := f.chain.signChunk()
	f.out = strconv.AppendInt(nil, int64(len(data)), 16)
	f.out = append(f.out, ";"+chunkSignature...)
	f.out = append(f.out, signature[:]...)
	f.out = append(f.out, "\r\n"...)
	if len(data) > 0 {
		f.out = append(append(f.out, data...), "\r\n"...)
		return nil
	}
	f.ended = true
	if f.digest != nil {
		f.trailer()
	}
	f.out = append(f.out, "\r\n"...)
	return nil
}

func (f *chunkFramer) trailer() {
	line := f.checksum.Header() + ":" + base64.StdEncoding.EncodeToString(f.digest.Sum(nil))
	sum := SHA256.New()
	io.WriteString(sum, line+"\n")
	signature := f.chain.sign("-TRAILER", "", sum.Sum(nil))
	f.out = append(f.out, line+"\r\n"+trailerSignature+":"...)
	f.out = append(append(f.out, signature[:]...), "\r\n"...)
}
