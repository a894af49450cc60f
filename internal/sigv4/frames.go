package sigv4

import (
	"bufio"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"
)

// Bounds of aws-chunked framing.
const (
	maxChunkLine    = 256
	minChunk        = 8192 // of every chunk but the last
	frameReadAhead  = 16 << 10
	maxTrailerBytes = 8 << 10
)

const shortBody = "You did not provide the number of bytes specified by the Content-Length HTTP header"

// frames decodes aws-chunked framing of every kind: chunks signed or not, with
// a checksum trailer or without. Content of a signed chunk is handed out as it
// comes, but the read that would complete a chunk returns only after the
// signature of the chunk was found right, and the read that would complete the
// body only after the zero chunk, the trailer and the end of the body were. So
// a tampered or truncated body never yields its last byte.
type frames struct {
	body     *bufio.Reader
	chain    *chain    // nil if the chunks are not signed
	checksum Checksum  // "" if no trailer follows
	digest   hash.Hash // of the content, for checksum
	left     int64     // content not read yet
	chunk    int64     // content left in this chunk
	number   int       // of this chunk, from 1
	size     int64     // of this chunk
	value    string
	err      error
}

func newFrames(body io.Reader, length int64) frames {
	f := frames{body: bufio.NewReaderSize(body, frameReadAhead), left: length}
	if length < 0 {
		f.err = refuse(FailureTrailerMismatch)
	}
	return f
}

func (f *frames) setChecksum(c Checksum) {
	if _, ok := checksums[c]; !ok {
		f.err = refuse(FailureTrailerMismatch)
		return
	}
	f.checksum, f.digest = c, c.New()
}

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := f.read(p)
	f.err = err
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return n, err
}

func (f *frames) read(p []byte) (int, error) {
	if f.chunk == 0 && f.left > 0 {
		if err := f.nextChunk(); err != nil {
			return 0, err
		}
	}
	n := 0
	if f.left > 0 {
		if int64(len(p)) > f.chunk {
			p = p[:f.chunk]
		}
		var err error
		n, err = f.body.Read(p)
		f.take(p[:n])
		if f.chunk == 0 && n > 0 {
			err = f.endChunk()
		}
		if err != nil {
			return 0, truncated(err)
		}
		if f.left > 0 {
			return n, nil
		}
	}
	if err := f.finish(); err != nil {
		return 0, err
	}
	return n, io.EOF
}

func (f *frames) take(b []byte) {
	if f.digest != nil {
		f.digest.Write(b)
	}
	if f.chain != nil {
		f.chain.digest.Write(b)
	}
	f.chunk -= int64(len(b))
	f.left -= int64(len(b))
}

// nextChunk reads a chunk header before which content is still due.
func (f *frames) nextChunk() error {
	size, err := f.chunkHead()
	if err != nil {
		return err
	}
	if size == 0 || size > f.left {
		return refuse(FailureIncompleteBody).s3f(shortBody)
	}
	if f.number > 0 && f.size < minChunk {
		return refuse(FailureInvalidChunkSize,
			Detail{"Chunk", strconv.Itoa(f.number)}, Detail{"BadChunkSize", strconv.FormatInt(f.size, 10)})
	}
	f.number++
	f.chunk, f.size = size, size
	return nil
}

// chunkHead reads the line before a chunk: its size and, where chunks are
// signed, the signature.
func (f *frames) chunkHead() (int64, error) {
	line, err := f.line(maxChunkLine)
	if err != nil {
		return 0, err
	}
	digits, ok := strings.CutSuffix(line, "\r\n")
	if ok && f.chain != nil {
		var extension string
		digits, extension, _ = strings.Cut(digits, ";")
		if !f.chain.claim(extension) {
			return 0, refuse(FailureSignatureMismatch)
		}
	}
	if ok {
		if size, ok := chunkSize(digits); ok {
			return size, nil
		}
	}
	return 0, refuse(FailureInvalidChunkSize,
		Detail{"Chunk", strconv.Itoa(f.number + 1)}, Detail{"BadChunkSize", shown(digits)}).s3f("The chunk size is not valid.")
}

func chunkSize(digits string) (int64, bool) {
	if digits == "" || len(digits) > 16 {
		return 0, false
	}
	for i := 0; i < len(digits); i++ {
		if !isHex(digits[i]) {
			return 0, false
		}
	}
	size, err := strconv.ParseInt(digits, 16, 64)
	return size, err == nil
}

// line reads up to a line feed, which it includes; longer lines come cut. most
// is less than what the buffer holds.
func (f *frames) line(most int) (string, error) {
	b, err := f.body.ReadSlice('\n')
	if len(b) > most {
		return string(b[:most]), nil
	}
	if err != nil {
		return "", truncated(err)
	}
	return string(b), nil
}

// endChunk judges a chunk whose content has been read.
func (f *frames) endChunk() error {
	for _, want := range []byte("\r\n") {
		ch, err := f.body.ReadByte()
		if err != nil {
			return err
		}
		if ch != want {
			return refuse(FailureInvalidChunkSize,
				Detail{"Chunk", strconv.Itoa(f.number)}, Detail{"BadChunkSize", strconv.FormatInt(f.size, 10)}).s3f("The chunk is longer than its size says.")
		}
	}
	if f.chain == nil {
		return nil
	}
	return f.chain.endChunk()
}

// finish reads the zero chunk, the trailer and the end of the body.
func (f *frames) finish() error {
	size, err := f.chunkHead()
	if err != nil {
		return err
	}
	if size != 0 {
		return refuse(FailureIncompleteBody).s3f(shortBody)
	}
	if f.chain != nil {
		if err := f.chain.endChunk(); err != nil {
			return err
		}
	}
	if f.checksum != "" {
		return f.trailer()
	}
	return f.emptyLine()
}

// emptyLine demands an empty line and the end of the body.
func (f *frames) emptyLine() error {
	line, err := f.line(len("\r\n"))
	if err != nil {
		return err
	}
	if line != "\r\n" {
		return refuse(FailureMalformedTrailer)
	}
	return f.end()
}

// end demands the end of the body, after one more empty line at most: some
// clients add one.
func (f *frames) end() error {
	for i := 0; ; i++ {
		ch, err := f.body.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && i != 1:
			return nil
		case err != nil:
			return truncated(err)
		case i > 1 || ch != "\r\n"[i]:
			return refuse(FailureMalformedTrailer)
		}
	}
}

// truncated makes a refusal of a body that ends too early.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse(FailureIncompleteBody)
	}
	return err
}
