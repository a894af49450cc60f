package s3

import (
	"errors"
	"io"

	"daypass/internal/sigv4"
)

// heldBack wraps content that a checksum header covers (value "" for none) and
// that goes to a store which does not check it: the last byte comes only after
// the checksum proved right, so that a store never has a whole body that is not.
func heldBack(c content, sum sigv4.Checksum, value string) (io.Reader, error) {
	if value == "" {
		return c.body, nil
	}
	digest, err := digestOf(c.body, sum, value)
	if err != nil {
		return nil, err
	}
	return &lastByteReader{r: digest, left: c.length}, nil
}

// lastByteReader yields the last of left bytes once r has ended without error.
type lastByteReader struct {
	r    io.Reader
	left int64
	err  error
}

// Read implements io.Reader. A body that is shorter or longer than left is
// io.ErrUnexpectedEOF.
func (l *lastByteReader) Read(p []byte) (int, error) {
	switch {
	case l.err != nil:
		return 0, l.err
	case len(p) == 0:
		return 0, nil
	case l.left > 1:
		n, err := l.r.Read(p[:min(int64(len(p)), l.left-1)])
		l.left -= int64(n)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		l.err = err
		return n, err
	}
	var rest [2]byte
	n := 0
	for l.err == nil && n < len(rest) {
		var m int
		m, l.err = l.r.Read(rest[n:])
		n += m
	}
	if ended := errors.Is(l.err, io.EOF); l.err == nil || ended && int64(n) != l.left {
		l.err = io.ErrUnexpectedEOF // longer, or shorter
	} else if ended {
		return copy(p, rest[:n]), io.EOF
	}
	return 0, l.err
}
