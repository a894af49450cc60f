package sigv4

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Values of x-amz-content-sha256 besides the hash of the body.
const (
	// EmptySHA256 is the hash of an empty body.
	EmptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	// UnsignedPayload leaves the body uncovered.
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	// StreamingUnsignedTrailer is a body in chunks with a checksum trailer.
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	// StreamingSigned is a body in signed chunks.
	StreamingSigned = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	// StreamingSignedTrailer is a body in signed chunks with a signed checksum
	// trailer.
	StreamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

const payloadHashValues = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, " +
	"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, " +
	"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value."

const anonymousPayload = "Anonymous requests don't support this x-amz-content-sha256 value. " +
	"Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER."

// PayloadMode is how a request binds its body.
type PayloadMode uint8

// The modes that are served.
const (
	// PayloadBody: the service is not S3; the caller of Check hashes the
	// body. PayloadHash is the hash claimed in x-amz-content-sha256, if any;
	// it proves nothing about the body.
	PayloadBody PayloadMode = iota
	// PayloadHashed: PayloadHash is the hash the body must have.
	PayloadHashed
	// PayloadUnsigned: the body is not covered.
	PayloadUnsigned
	// PayloadTrailer: chunks and a checksum trailer, see NewTrailerReader.
	PayloadTrailer
	// PayloadChunks: signed chunks.
	PayloadChunks
	// PayloadChunksTrailer: signed chunks and a signed checksum trailer.
	PayloadChunksTrailer
)

// Framed reports whether the body is in chunks, so that its content is shorter
// than what Content-Length says.
func (m PayloadMode) Framed() bool {
	return m == PayloadTrailer || m == PayloadChunks || m == PayloadChunksTrailer
}

// Payload is what the headers of a request say about its body.
type Payload struct {
	PayloadMode PayloadMode
	// PayloadHash goes into the canonical request, as it was sent.
	PayloadHash string
	// DecodedLength is the length without framing, in the framed modes.
	DecodedLength int64
	// Trailer is the checksum that will follow, for PayloadTrailer and
	// PayloadChunksTrailer.
	Trailer Checksum

	seed *chunkSeed // of signed chunks; Check sets it
}

// ContentLength is the length of the plain content: DecodedLength in the framed
// modes, else contentLength, which is the request's.
func (p Payload) ContentLength(contentLength int64) int64 {
	if p.PayloadMode.Framed() {
		return p.DecodedLength
	}
	return contentLength
}

// Reader wraps the body of a request so that what it yields is the plain
// content, and its last byte comes only after the content proved right. Errors
// of content are *Error. contentLength is the request's, -1 if unknown. Of
// signed chunks the last byte of each comes only after its signature proved
// right; they need the key, so that before Signed.Check has returned nil they
// yield nothing but an error. Bodies with a trailer come as *TrailerReader.
func (p Payload) Reader(body io.Reader, contentLength int64) io.Reader {
	switch p.PayloadMode {
	case PayloadHashed:
		return NewHashingReader(body, contentLength, p.PayloadHash)
	case PayloadTrailer:
		return NewTrailerReader(body, p.DecodedLength, p.Trailer)
	case PayloadChunks, PayloadChunksTrailer:
		return p.chunkReader(body)
	}
	return body
}

// AnonymousPayload reads the payload headers of an S3 request that carries no
// signature at all.
func AnonymousPayload(r *http.Request) (Payload, error) {
	s := Signed{msg: message{header: r.Header}}
	value, ok := s.only("X-Amz-Content-Sha256")
	if !ok {
		return Payload{}, invalidPayloadHash("")
	}
	if value == "" {
		value = UnsignedPayload
	}
	if strings.HasPrefix(value, "STREAMING-AWS4-") {
		return Payload{}, refuse(FailurePayloadHashInvalid,
			Detail{"ArgumentName", "x-amz-content-sha256"}, Detail{"ArgumentValue", shown(value)}).s3f(anonymousPayload)
	}
	if err := s.setPayload(value); err != nil {
		return Payload{}, err
	}
	return s.Payload, nil
}

// parsePayload reads the payload headers of a signed request.
func (s *Signed) parsePayload(q *queryParameters, rules *Rules) error {
	value, ok := s.only("X-Amz-Content-Sha256")
	if !rules.S3 {
		if lowerHex64(value) {
			s.PayloadHash = value
		}
		return nil
	}
	if !ok {
		return invalidPayloadHash("")
	}
	if s.Mechanism == MechanismPresigned {
		inQuery := decoded(q.value[paramContentSHA256])
		if inQuery != "" && value != "" && inQuery != value {
			return invalidPayloadHash(value)
		}
		if value == "" {
			value = inQuery
		}
		if value == "" {
			value = UnsignedPayload
		}
	}
	if value == "" {
		return refuse(FailurePayloadHashMissing)
	}
	if err := s.setPayload(value); err != nil {
		return err
	}
	return nil
}

func (s *Signed) setPayload(value string) error {
	s.PayloadHash = value
	switch {
	case value == UnsignedPayload:
		s.PayloadMode = PayloadUnsigned
	case value == StreamingUnsignedTrailer:
		s.PayloadMode = PayloadTrailer
	case (value == StreamingSigned || value == StreamingSignedTrailer) && s.Asymmetric:
		return invalidPayloadHash(value)
	case value == StreamingSigned:
		s.PayloadMode = PayloadChunks
	case value == StreamingSignedTrailer:
		s.PayloadMode = PayloadChunksTrailer
	case strings.HasPrefix(value, "STREAMING-AWS4-"):
		return refuse(FailurePayloadModeUnserved, Detail{"Got", shown(value)})
	case lowerHex64(value) || len(value) == 64 && lowerHex64(strings.ToLower(value)):
		s.PayloadMode = PayloadHashed
	default:
		return invalidPayloadHash(value)
	}
	if s.PayloadMode.Framed() {
		return s.setFraming()
	}
	return nil
}

// setFraming reads the headers that chunked bodies require.
func (s *Signed) setFraming() error {
	length, ok := s.only("X-Amz-Decoded-Content-Length")
	if !ok || length == "" {
		return refuse(FailureMissingContentLength)
	}
	n, err := strconv.ParseUint(length, 10, 63)
	if err != nil {
		return refuse(FailureMissingContentLength)
	}
	s.DecodedLength = int64(n)
	name, ok := s.only("X-Amz-Trailer")
	if s.PayloadMode == PayloadChunks {
		if !ok || name != "" {
			return refuse(FailureTrailerMismatch).s3f("The x-amz-trailer header announces a trailer that x-amz-content-sha256 does not.")
		}
		return nil
	}
	if !ok || name == "" {
		return refuse(FailureTrailerMismatch).s3f("The x-amz-trailer header must name one checksum trailer.")
	}
	if s.Trailer, ok = ChecksumOfHeader(name); !ok {
		return refuse(FailureTrailerMismatch).s3f("The value specified in the x-amz-trailer header is not supported")
	}
	return nil
}

func invalidPayloadHash(got string) *Error {
	return refuse(FailurePayloadHashInvalid, Detail{"ArgumentName", "x-amz-content-sha256"}, Detail{"ArgumentValue", shown(got)})
}
