package sigv4

import (
	"bufio"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"
)

// Bounds of aws-chunked framing.
const (
	maxChunkLine     = 256
	minChunk         = 8192 // of every chunk but the last
	maxTrailerBytes  = 8 << 10
	trailerReadAhead = 16 << 10
)

const shortBody = "You did not provide the number of bytes specified by the Content-Length HTTP header"

// TrailerReader decodes a body framed as STREAMING-UNSIGNED-PAYLOAD-TRAILER and
// checks its trailing checksum. The read that would complete the content
// returns only after the zero chunk, the trailer and the end of the body have
// been found right, so a tampered or truncated body never yields its last
// byte.
type TrailerReader struct {
	body     *bufio.Reader
	checksum Checksum
	digest   hash.Hash
	left     int64 // content not read yet
	chunk    int64 // content left in this chunk
	number   int   // of this chunk, from 1
	size     int64 // of this chunk
	value    string
	err      error
}

// NewTrailerReader decodes body, whose content is length bytes long
// (x-amz-decoded-content-length) and whose trailer is checksum. Its errors are
// *Error with FailureIncompleteBody, FailureInvalidChunkSize,
// FailureMalformedTrailer, FailureTrailerMismatch or FailureBadDigest, or those
// of body.
func NewTrailerReader(body io.Reader, length int64, checksum Checksum) *TrailerReader {
	t := &TrailerReader{body: bufio.NewReaderSize(body, trailerReadAhead), checksum: checksum, left: length}
	if _, ok := checksums[checksum]; !ok || length < 0 {
		t.err = refuse(FailureTrailerMismatch)
		return t
	}
	t.digest = checksum.New()
	return t
}

// Value is the base64 value of the checksum, "" before it has been verified.
func (t *TrailerReader) Value() string { return t.value }

// Read implements io.Reader.
func (t *TrailerReader) Read(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := t.read(p)
	t.err = err
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return n, err
}

func (t *TrailerReader) read(p []byte) (int, error) {
	if t.chunk == 0 && t.left > 0 {
		if err := t.nextChunk(); err != nil {
			return 0, err
		}
	}
	n := 0
	if t.left > 0 {
		if int64(len(p)) > t.chunk {
			p = p[:t.chunk]
		}
		var err error
		n, err = t.body.Read(p)
		t.digest.Write(p[:n])
		t.chunk -= int64(n)
		t.left -= int64(n)
		if t.chunk == 0 && n > 0 {
			err = t.crlf()
		}
		if err != nil {
			return 0, truncated(err)
		}
		if t.left > 0 {
			return n, nil
		}
	}
	if err := t.finish(); err != nil {
		return 0, err
	}
	return n, io.EOF
}

// nextChunk reads a chunk header before which content is still due.
func (t *TrailerReader) nextChunk() error {
	size, err := t.chunkSize()
	if err != nil {
		return err
	}
	if size == 0 || size > t.left {
		return refuse(FailureIncompleteBody).s3f(shortBody)
	}
	if t.number > 0 && t.size < minChunk {
		return refuse(FailureInvalidChunkSize,
			Detail{"Chunk", strconv.Itoa(t.number)}, Detail{"BadChunkSize", strconv.FormatInt(t.size, 10)})
	}
	t.number++
	t.chunk, t.size = size, size
	return nil
}

func (t *TrailerReader) chunkSize() (int64, error) {
	line, err := t.line(maxChunkLine)
	if err != nil {
		return 0, err
	}
	bad := refuse(FailureInvalidChunkSize,
		Detail{"Chunk", strconv.Itoa(t.number + 1)}, Detail{"BadChunkSize", shown(line)}).s3f("The chunk size is not valid.")
	digits, ok := strings.CutSuffix(line, "\r\n")
	if !ok || digits == "" || len(digits) > 16 {
		return 0, bad
	}
	for i := 0; i < len(digits); i++ {
		if !isHex(digits[i]) {
			return 0, bad
		}
	}
	size, err := strconv.ParseInt(digits, 16, 64)
	if err != nil {
		return 0, bad
	}
	return size, nil
}

// line reads up to a line feed, which it includes; longer lines come cut.
func (t *TrailerReader) line(most int) (string, error) {
	var b []byte
	for len(b) < most {
		ch, err := t.body.ReadByte()
		if err != nil {
			return "", truncated(err)
		}
		if b = append(b, ch); ch == '\n' {
			break
		}
	}
	return string(b), nil
}

func (t *TrailerReader) crlf() error {
	for _, want := range []byte("\r\n") {
		ch, err := t.body.ReadByte()
		if err != nil {
			return err
		}
		if ch != want {
			return refuse(FailureInvalidChunkSize,
				Detail{"Chunk", strconv.Itoa(t.number)}, Detail{"BadChunkSize", strconv.FormatInt(t.size, 10)}).s3f("The chunk is longer than its size says.")
		}
	}
	return nil
}

// finish reads the zero chunk, the trailer and the end of the body.
func (t *TrailerReader) finish() error {
	size, err := t.chunkSize()
	if err != nil {
		return err
	}
	if size != 0 {
		return refuse(FailureIncompleteBody).s3f(shortBody)
	}
	value, err := t.trailer()
	if err != nil {
		return err
	}
	got, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(got) != t.digest.Size() {
		return refuse(FailureMalformedTrailer)
	}
	if string(got) != string(t.digest.Sum(nil)) {
		return refuse(FailureBadDigest).s3f("The %s you specified did not match the calculated checksum.", t.checksum.name())
	}
	t.value = value
	return nil
}

// trailer reads the one trailer that was announced, the empty line and the end
// of the body, and returns the value. Some clients end the line of the value
// with a bare line feed and add an empty line; both are let pass.
func (t *TrailerReader) trailer() (string, error) {
	line, err := t.line(maxTrailerBytes)
	if err != nil {
		return "", err
	}
	if line == "\r\n" {
		return "", refuse(FailureTrailerMismatch)
	}
	text, ended := strings.CutSuffix(line, "\n")
	name, value, ok := strings.Cut(strings.TrimSuffix(text, "\r"), ":")
	if name = strings.ToLower(name); !ended || !ok || !headerName(name) {
		return "", refuse(FailureMalformedTrailer)
	}
	if name != t.checksum.Header() {
		return "", refuse(FailureTrailerMismatch)
	}
	if line, err = t.line(maxTrailerBytes - len(line)); err != nil {
		return "", err
	}
	if line != "\r\n" {
		return "", refuse(FailureMalformedTrailer)
	}
	return strings.Trim(value, " \t"), t.end()
}

// end demands the end of the body, after one more empty line at most.
func (t *TrailerReader) end() error {
	for i := 0; ; i++ {
		ch, err := t.body.ReadByte()
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
