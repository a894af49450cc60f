package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
)

// HashingReader yields a body unchanged and checks its SHA-256. The read that
// would complete a body of known length returns only after the hash was found
// right, and of a body of unknown length the last byte is held back: whoever
// was promised the whole never gets it from a tampered body.
type HashingReader struct {
	body   io.Reader
	length int64 // -1 = unknown
	want   string
	digest hash.Hash
	total  int64
	held   byte
	hold   bool
	err    error
}

// NewHashingReader checks body against want, 64 hexadecimal digits. length is
// what Content-Length promised, -1 if unknown. Its errors are *Error with
// FailurePayloadMismatch or FailureIncompleteBody, or those of body.
func NewHashingReader(body io.Reader, length int64, want string) *HashingReader {
	return &HashingReader{body: body, length: length, want: want, digest: sha256.New()}
}

// Read implements io.Reader.
func (h *HashingReader) Read(p []byte) (int, error) {
	if h.length >= 0 {
		return h.readKnown(p)
	}
	for len(p) > 0 {
		if h.err != nil {
			if errors.Is(h.err, io.EOF) && h.hold {
				p[0], h.hold = h.held, false
				return 1, io.EOF
			}
			return 0, h.err
		}
		n, err := h.body.Read(p)
		h.digest.Write(p[:n])
		h.total += int64(n)
		if err != nil {
			h.err = h.finish(err)
			if !errors.Is(h.err, io.EOF) {
				return 0, h.err
			}
		}
		if n = h.shift(p[:n]); n > 0 {
			return n, nil
		}
	}
	return 0, nil
}

// readKnown is Read where the end is known beforehand: nothing has to be moved.
func (h *HashingReader) readKnown(p []byte) (int, error) {
	if h.err != nil || len(p) == 0 {
		return 0, h.err
	}
	n := 0
	if left := h.length - h.total; left > 0 {
		var err error
		n, err = h.body.Read(p[:min(int64(len(p)), left)])
		h.digest.Write(p[:n])
		h.total += int64(n)
		if err != nil && !(errors.Is(err, io.EOF) && h.total == h.length) {
			h.err = h.finish(err)
			return 0, h.err
		}
		if h.total < h.length {
			return n, nil
		}
	}
	err := drained(h.body)
	switch {
	case err == nil:
		err = io.EOF
	case FailureOf(err) != "": // there is more
		h.total++
		err = io.EOF
	}
	if h.err = h.finish(err); !errors.Is(h.err, io.EOF) {
		return 0, h.err
	}
	return n, io.EOF
}

// shift puts the held byte before b and holds the last one instead.
func (h *HashingReader) shift(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	out, last := len(b)-1, b[len(b)-1]
	if h.hold {
		copy(b[1:], b[:len(b)-1])
		b[0] = h.held
		out++
	}
	h.held, h.hold = last, true
	return out
}

// finish turns the end of the body into io.EOF or a refusal.
func (h *HashingReader) finish(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && h.length >= 0 && h.total < h.length {
		return refuse(FailureIncompleteBody)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	got := hex.EncodeToString(h.digest.Sum(nil))
	if !strings.EqualFold(got, h.want) || h.length >= 0 && h.total != h.length {
		return refuse(FailurePayloadMismatch,
			Detail{"ClientComputedContentSHA256", h.want}, Detail{"S3ComputedContentSHA256", got})
	}
	return io.EOF
}
