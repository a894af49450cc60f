package objectstore

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/versity/versitygw/s3err"
)

type chunked struct{ io.Reader }

func (chunked) Algorithm() string { return "crc64nvme" }
func (chunked) Checksum() string  { return "" }

type form struct{ io.Reader }

func (form) Length() int64 { return 0 }

func TestGuardLength(t *testing.T) {
	t.Parallel()
	cut := func(s string) io.Reader {
		return io.MultiReader(strings.NewReader(s), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	broken := errors.New("broken")
	length := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		name   string
		body   io.Reader
		length *int64
		want   error
	}{
		{"whole", strings.NewReader("12345"), length(5), nil},
		{"whole, end with the last byte", iotest.DataErrReader(strings.NewReader("12345")), length(5), nil},
		{"whole, by single bytes", iotest.OneByteReader(strings.NewReader("12345")), length(5), nil},
		{"short", strings.NewReader("1234"), length(5), s3err.GetAPIError(s3err.ErrIncompleteBody)},
		{"short, end with the last byte", iotest.DataErrReader(strings.NewReader("1234")), length(5), s3err.GetAPIError(s3err.ErrIncompleteBody)},
		{"short, unexpected end", cut("1234"), length(5), s3err.GetAPIError(s3err.ErrIncompleteBody)},
		{"nothing at all", strings.NewReader(""), length(5), s3err.GetAPIError(s3err.ErrIncompleteBody)},
		{"another error", iotest.ErrReader(broken), length(5), broken},
		{"no length", strings.NewReader("1234"), nil, nil},
		{"empty", strings.NewReader(""), length(0), nil},
		{"aws-chunked", chunked{strings.NewReader("1234")}, length(5), nil},
		{"POST form", form{strings.NewReader("1234")}, length(5), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := io.ReadAll(guardLength(tt.body, tt.length))
			if !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
		})
	}
	if got := guardLength(nil, length(5)); got != nil {
		t.Errorf("got %v for no body, want nil", got)
	}
}
