package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"
)

const trailerSignature = "x-amz-trailer-signature"

// TrailerReader decodes a body that ends in a checksum trailer and checks it:
// STREAMING-UNSIGNED-PAYLOAD-TRAILER, and its form with signed chunks and a
// signed trailer. See Payload.Reader for what it withholds.
type TrailerReader struct{ frames }

// NewTrailerReader decodes body, whose chunks are not signed, whose content is
// length bytes long (x-amz-decoded-content-length) and whose trailer is
// checksum. Its errors are *Error with FailureIncompleteBody,
// FailureInvalidChunkSize, FailureMalformedTrailer, FailureTrailerMismatch or
// FailureBadDigest, or those of body.
func NewTrailerReader(body io.Reader, length int64, checksum Checksum) *TrailerReader {
	t := &TrailerReader{newFrames(body, length)}
	t.setChecksum(checksum)
	return t
}

// Value is the base64 value of the checksum, "" before it has been verified.
func (t *TrailerReader) Value() string { return t.value }

// trailer reads what follows the zero chunk up to the end of the body, and
// judges signature and checksum.
func (f *frames) trailer() error {
	name, value, err := f.trailerLine()
	if err != nil {
		return err
	}
	if name != f.checksum.Header() {
		return refuse(FailureTrailerMismatch)
	}
	if f.chain != nil {
		if err := f.signedTrailer(name, value); err != nil {
			return err
		}
	}
	if err := f.emptyLine(); err != nil {
		return err
	}
	got, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(got) != f.digest.Size() {
		return refuse(FailureMalformedTrailer)
	}
	if string(got) != string(f.digest.Sum(nil)) {
		return refuse(FailureBadDigest).s3f("The %s you specified did not match the calculated checksum.", f.checksum.name())
	}
	f.value = value
	return nil
}

// signedTrailer reads the signature of the trailer. minio-go puts an empty line
// before it.
func (f *frames) signedTrailer(name, value string) error {
	if next, err := f.body.Peek(2); err == nil && string(next) == "\r\n" {
		f.body.Discard(2)
		if next, err = f.body.Peek(2); errors.Is(err, io.EOF) || string(next) == "\r\n" {
			return refuse(FailureMalformedTrailer)
		}
	}
	last, signature, err := f.trailerLine()
	if err != nil {
		return err
	}
	if last != trailerSignature || !lowerHex64(signature) {
		return refuse(FailureMalformedTrailer)
	}
	sum := sha256.Sum256([]byte(name + ":" + value + "\n"))
	return f.chain.endTrailer(sum[:], signature)
}

// trailerLine reads a name in lower case and a trimmed value. Some clients end
// the line with a bare line feed.
func (f *frames) trailerLine() (name, value string, err error) {
	line, err := f.line(maxTrailerBytes)
	if err != nil {
		return "", "", err
	}
	if line == "\r\n" {
		return "", "", refuse(FailureTrailerMismatch)
	}
	text, ended := strings.CutSuffix(line, "\n")
	name, value, ok := strings.Cut(strings.TrimSuffix(text, "\r"), ":")
	if name = strings.ToLower(name); !ended || !ok || !headerName(name) {
		return "", "", refuse(FailureMalformedTrailer)
	}
	return name, strings.Trim(value, " \t"), nil
}
