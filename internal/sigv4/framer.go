package sigv4

import (
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"strconv"
)

// frameChunk is the size of every chunk but the last.
const frameChunk = 64 << 10

// Framer encodes a plain body as STREAMING-UNSIGNED-PAYLOAD-TRAILER, in chunks
// of 64 KiB, with a checksum computed on the way. A body that fails, or is
// longer or shorter than promised, never gets its zero chunk and trailer, so
// that a store which would commit a short body cannot.
type Framer struct {
	body     io.Reader
	verified *TrailerReader // already computes the same checksum
	checksum Checksum
	digest   hash.Hash
	left     int64
	chunk    int64
	frame    []byte // framing bytes to go out next
	begun    bool
	ended    bool
	err      error
}

// NewFramer frames length bytes of body. The framed body is exactly
// FramedLength(length, checksum) long; the request must carry
// x-amz-content-sha256 StreamingUnsignedTrailer, x-amz-decoded-content-length
// length and x-amz-trailer checksum.Header(). Errors are those of body, or
// *Error with FailureIncompleteBody.
func NewFramer(body io.Reader, length int64, checksum Checksum) *Framer {
	f := &Framer{body: body, checksum: checksum, left: length}
	if t, ok := body.(*TrailerReader); ok && t.checksum == checksum {
		f.verified = t
	} else {
		f.digest = checksum.New()
	}
	return f
}

// FramedLength is the length of length bytes as NewFramer frames them.
func FramedLength(length int64, checksum Checksum) int64 {
	n := length / frameChunk * (int64(len("10000\r\n")) + frameChunk + 2)
	if rest := length % frameChunk; rest > 0 {
		n += int64(len(strconv.FormatInt(rest, 16))) + 2 + rest + 2
	}
	return n + int64(len("0\r\n")+len(checksum.Header())+1+checksum.EncodedLen()+2+2)
}

// Read implements io.Reader.
func (f *Framer) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && f.err == nil {
		switch {
		case len(f.frame) > 0:
			k := copy(p[n:], f.frame)
			f.frame = f.frame[k:]
			n += k
		case f.ended:
			f.err = io.EOF
		case f.chunk == 0:
			f.err = f.between()
		default:
			k, err := f.data(p[n:])
			n += k
			if f.err = err; k == 0 && err == nil {
				return n, nil
			}
		}
	}
	if n > 0 && errors.Is(f.err, io.EOF) {
		return n, nil
	}
	return n, f.err
}

// between writes what stands before the next data.
func (f *Framer) between() error {
	f.frame = f.frame[:0]
	if f.begun {
		f.frame = append(f.frame, "\r\n"...)
	}
	f.begun = true
	if f.left > 0 {
		f.chunk = min(f.left, frameChunk)
		f.frame = strconv.AppendInt(f.frame, f.chunk, 16)
		f.frame = append(f.frame, "\r\n"...)
		return nil
	}
	if err := drained(f.body); err != nil {
		f.frame = nil
		return err
	}
	f.ended = true
	value := ""
	if f.verified != nil {
		value = f.verified.Value()
	} else {
		value = base64.StdEncoding.EncodeToString(f.digest.Sum(nil))
	}
	f.frame = append(f.frame, "0\r\n"+f.checksum.Header()+":"+value+"\r\n\r\n"...)
	return nil
}

// drained demands the end of a body.
func drained(body io.Reader) error {
	var b [1]byte
	for {
		n, err := body.Read(b[:])
		switch {
		case n > 0:
			return refuse(FailureIncompleteBody).s3f(shortBody)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (f *Framer) data(p []byte) (int, error) {
	if int64(len(p)) > f.chunk {
		p = p[:f.chunk]
	}
	n, err := f.body.Read(p)
	if f.digest != nil {
		f.digest.Write(p[:n])
	}
	f.chunk -= int64(n)
	f.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if err = nil; f.left > 0 {
			err = refuse(FailureIncompleteBody)
		}
	} else {
		err = truncated(err)
	}
	return n, err
}
