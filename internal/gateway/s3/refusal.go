package s3

import (
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

const (
	maxErrorBody = 64 << 10
	opUpstream   = "s3.upstream"
)

// wireError is the error document of an upstream; only these two are read.
type wireError struct {
	XMLName xml.Name `xml:"Error"`
	Code    string   `xml:"Code"`
	Message string   `xml:"Message"`
}

// upstreamRefusal is why an upstream refused a request.
type upstreamRefusal struct {
	up     *upstream.S3
	status int
	wireError
	// requestID is the upstream's, for the operator who asks its maker.
	requestID string
	// forbids says that a 403 may be about what the caller asked for, such as a
	// locked object; else it is about our own credential.
	forbids bool
}

// refused reads a refusal of the request's upstream and turns it into an error.
func (x *exchange) refused(req *upstream.Request, resp *http.Response) error {
	r := readRefusal(x.up, resp)
	if req.PayloadHash == sigv4.StreamingUnsignedTrailer && r.Code == "XAmzContentSHA256Mismatch" {
		// It took the word for a hash. What the client sent was checked here.
		return r.unavailable("knows no checksum trailers: set its mode to plain")
	}
	return x.judgedRefusal(r)
}

// judgedRefusal is the error that r means for the request.
func (x *exchange) judgedRefusal(r upstreamRefusal) error {
	if r.Code == "NoSuchKey" && ofUpload[x.op.Name] {
		r.Code = "NoSuchUpload" // for RGW an upload is an object of its own
	}
	r.forbids = x.up.Own
	if r.isOurs() && (mayForbid[x.op.Name] || x.bringsKey()) {
		if err := x.g.credentialTaken(x.r.Context(), x.up); err != nil {
			return err
		}
		r.forbids = true
	}
	return r.translated(x.g.log)
}

// ofUpload are the operations on an upload that was begun, which read no other
// object.
var ofUpload = map[string]bool{"ListParts": true, "UploadPart": true, "CompleteMultipartUpload": true, "AbortMultipartUpload": true}

// mayForbid are the operations that locks forbid.
var mayForbid = map[string]bool{
	"DeleteObject": true, "PutObjectRetention": true, "PutObjectLegalHold": true, "PutObjectLockConfiguration": true,
}

// bringsKey reports whether the request brings a key to encrypt with: stores
// answer 403 to a wrong one.
func (x *exchange) bringsKey() bool {
	return len(x.given["X-Amz-Server-Side-Encryption-Customer-Key"]) > 0 || len(x.given["X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key"]) > 0
}

// upstreamError is refused for requests that we make ourselves.
func (g *Gateway) upstreamError(up *upstream.S3, resp *http.Response) error {
	r := readRefusal(up, resp)
	r.forbids = up.Own
	return r.translated(g.log)
}

// readRefusal consumes the answer.
func readRefusal(up *upstream.S3, resp *http.Response) upstreamRefusal {
	defer resp.Body.Close()
	r := upstreamRefusal{up: up, status: resp.StatusCode, requestID: resp.Header.Get("X-Amz-Request-Id")}
	if r.status < 400 {
		return r
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil || xml.Unmarshal(raw, &r.wireError) != nil || r.Code == "" {
		r.wireError = wireError{Code: codeOf(r.status)}
	}
	return r
}

// translated is the error that the caller gets: a code of S3, a status, and a
// sentence of ours. What the upstream wrote, which may hold its names, goes to
// the log alone. Errors: KindUpstream, or KindUnavailable for what is no answer
// to the caller: a redirect, or a refusal of our own credential.
func (r upstreamRefusal) translated(log *slog.Logger) error {
	log.Debug("an upstream refused", "upstream", r.up.Name, "status", r.status, "code", clipped(r.Code), "message", clipped(r.Message), "upstream_request_id", clipped(r.requestID))
	switch {
	case r.status < 400:
		return r.unavailable("redirects elsewhere: its endpoint or region is not right")
	case r.isOurs():
		return r.unavailable("refuses our credential: look at its keys, at their rights there and at the clocks")
	case r.status == http.StatusTooManyRequests:
		return r.unavailable("is asked too often")
	}
	code := r.Code
	sentence, known := sentences[code]
	if !known {
		code = codeOf(r.status)
		sentence = sentences[code]
	}
	refused := coded(code, r.status, sentence)
	if r.status == http.StatusServiceUnavailable {
		identity.AsError(refused).RetryAfterSeconds = 1
	}
	if r.status >= 500 {
		identity.AsError(refused).Err = r.logged("failed")
	}
	return refused
}

// isOurs reports whether the upstream refuses us, not the caller.
func (r upstreamRefusal) isOurs() bool {
	switch r.status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return true
	case http.StatusForbidden:
		_, known := sentences[r.Code]
		return (r.Code == "AccessDenied" || !known) && !r.forbids || ownCredential[r.Code]
	}
	return ownCredential[r.Code]
}

// ownCredential are the codes about a credential or a signature, which is ours.
var ownCredential = func() map[string]bool {
	m := map[string]bool{}
	for code := range strings.FieldsSeq(`InvalidAccessKeyId SignatureDoesNotMatch InvalidToken ExpiredToken RequestTimeTooSkewed
		AuthorizationHeaderMalformed AuthorizationQueryParametersError InvalidSecurity AccountProblem TokenRefreshRequired NotSignedUp
		AllAccessDisabled UserSuspended CredentialsNotSupported RequestExpired PermanentRedirect TemporaryRedirect
		IllegalLocationConstraintException`) {
		m[code] = true
	}
	return m
}()

func (r upstreamRefusal) unavailable(what string) error {
	return &identity.Error{Kind: identity.KindUnavailable, Op: opUpstream, RetryAfterSeconds: 1, Err: r.logged(what)}
}

func (r upstreamRefusal) logged(what string) error {
	return fmt.Errorf("upstream %s %s: %d %s, its request %s", r.up.Name, what, r.status, clipped(r.Code), clipped(r.requestID))
}

// clipped is a stranger's word for the log.
func clipped(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "?")
}

// codeOf is the S3 code of an answer without one, such as one to HEAD.
func codeOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return "NoSuchKey"
	case http.StatusForbidden:
		return "AccessDenied"
	case http.StatusConflict:
		return "OperationAborted"
	case http.StatusPreconditionFailed:
		return "PreconditionFailed"
	case http.StatusRequestedRangeNotSatisfiable:
		return "InvalidRange"
	case http.StatusMethodNotAllowed:
		return "MethodNotAllowed"
	case http.StatusNotImplemented:
		return "NotImplemented"
	case http.StatusServiceUnavailable:
		return "SlowDown"
	}
	if status < 500 {
		return "InvalidRequest"
	}
	return "InternalError"
}

// errInBody is the refusal that came in the body of a 200.
func (x *exchange) errInBody(e wireError, answer http.Header) error {
	return x.judgedRefusal(upstreamRefusal{up: x.up, status: statusOf(e.Code), wireError: e, requestID: answer.Get("X-Amz-Request-Id")})
}

// statusOf is the status of an error that came in the body of a 200.
func statusOf(code string) int {
	switch code {
	case "InternalError":
		return http.StatusInternalServerError
	case "SlowDown", "ServiceUnavailable":
		return http.StatusServiceUnavailable
	case "AccessDenied":
		return http.StatusForbidden
	case "NoSuchKey", "NoSuchUpload", "NoSuchVersion", "NoSuchBucket":
		return http.StatusNotFound
	case "PreconditionFailed":
		return http.StatusPreconditionFailed
	case "ConditionalRequestConflict":
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

// keyRefused translates what an upstream says of one key of many.
func keyRefused(d deleteRefusal) deleteRefusal {
	sentence, known := sentences[d.Code]
	if !known || ownCredential[d.Code] {
		d.Code = "InternalError"
		sentence = sentences[d.Code]
	}
	d.Message = sentence
	return d
}
