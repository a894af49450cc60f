package objectstore

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// safeBackend is the posix backend without its habit of committing a body that
// ended early: versitygw 1.8.0 stores whatever arrived before the connection
// broke when nothing in the request protects the body. It is the second line;
// the first is the gateway, which frames every upload with a checksum trailer.
type safeBackend struct{ *posix.Posix }

var _ backend.Backend = safeBackend{}

// PutObject refuses a body shorter than its declared length with IncompleteBody.
func (b safeBackend) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	in.Body = guardLength(in.Body, in.ContentLength)
	return b.Posix.PutObject(ctx, in)
}

// UploadPart does the same for a part.
func (b safeBackend) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	guarded := *in
	guarded.Body = guardLength(in.Body, in.ContentLength)
	return b.Posix.UploadPart(ctx, &guarded)
}

// guardLength wraps body so that it fails when it ends before length bytes. It
// leaves alone what has an end of its own: aws-chunked bodies (wrapping would
// also hide the checksum that the backend looks for in them) and the file of a
// POST form, whose declared length is only an upper bound.
func guardLength(body io.Reader, length *int64) io.Reader {
	switch body.(type) {
	case nil, middlewares.ChecksumReader, utils.MpFileReader:
		return body
	}
	if length == nil || *length <= 0 {
		return body
	}
	return &lengthGuard{r: body, left: *length}
}

type lengthGuard struct {
	r    io.Reader
	left int64
}

func (g *lengthGuard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.left -= int64(n)
	// The readers above this one turn io.ErrUnexpectedEOF into a good end, so
	// both ends become an error of the store's own kind, which they pass on.
	if g.left > 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return n, s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	return n, err
}
