package identity

import (
	"errors"
	"strings"
)

// Kind is the closed list of what can go wrong. Each dialect turns every kind
// into its envelope in one exhaustive table; a test per dialect walks Kinds.
type Kind string

// General kinds.
const (
	KindInternal         Kind = "internal"          // our fault; details only in the log
	KindUnavailable      Kind = "unavailable"       // retryable: store away, no room for audit, child restarting
	KindThrottled        Kind = "throttled"         // too many tries; Error.RetryAfter says when
	KindInvalidAction    Kind = "invalid-action"    // operation or version not served
	KindMissingParameter Kind = "missing-parameter" // Detail "Parameter"
	KindValidation       Kind = "validation"        // a value out of its bounds; Public says which
	KindInvalidInput     Kind = "invalid-input"     // values that contradict each other
	KindTooLarge         Kind = "too-large"         // request over a size limit
	KindNotImplemented   Kind = "not-implemented"
	KindMethodNotAllowed Kind = "method-not-allowed"
	KindNotFound         Kind = "not-found"
	KindAlreadyExists    Kind = "already-exists"
	KindConflict         Kind = "conflict"        // concurrent modification: try again
	KindDeleteConflict   Kind = "delete-conflict" // still in use
	KindLimitExceeded    Kind = "limit-exceeded"
	KindAccessDenied     Kind = "access-denied"
	KindMalformedPolicy  Kind = "malformed-policy"
	KindPolicyTooLarge   Kind = "policy-too-large" // packed session token over its bound
	KindInvalidMessage   Kind = "invalid-message"  // an encoded authorization message that cannot be opened
)

// Kinds of signed requests. Their texts are the values of sigv4.Failure, so
// that access converts one into the other without a table.
const (
	KindMissingAuthentication Kind = "missing-authentication" // no credential at all
	KindAuthAlgorithm         Kind = "auth-algorithm"         // not AWS4-…; Detail "Got"
	KindSignatureV2           Kind = "signature-v2"           // SigV2 header or query
	KindAuthTwice             Kind = "auth-twice"             // two mechanisms at once
	KindAuthMalformed         Kind = "auth-malformed"         // missing or malformed component
	KindAuthCredential        Kind = "auth-credential"        // Credential not of five parts
	KindScopeTerminator       Kind = "scope-terminator"       // not aws4_request
	KindScopeRegion           Kind = "scope-region"           // Detail "Region"
	KindScopeService          Kind = "scope-service"          // Detail "Service" (expected)
	KindScopeDate             Kind = "scope-date"             // scope date is not the request's
	KindDateMissing           Kind = "date-missing"           // no date or not parseable
	KindTimeSkewed            Kind = "time-skewed"            // Details RequestTime, ServerTime
	KindUnknownAccessKey      Kind = "unknown-access-key"     // unknown, disabled, or ASIA without token
	KindSignatureMismatch     Kind = "signature-mismatch"     // Details StringToSign, CanonicalRequest, …
	KindPresignMalformed      Kind = "presign-malformed"      // Public is the sentence
	KindPresignExpired        Kind = "presign-expired"        // Details Expires, ServerTime, X-Amz-Expires
	KindPresignNotYet         Kind = "presign-not-yet"        //
	KindHostNotSigned         Kind = "host-not-signed"        //
	KindHeadersNotSigned      Kind = "headers-not-signed"     // Detail HeadersNotSigned
	KindPayloadHashMissing    Kind = "payload-hash-missing"   //
	KindPayloadHashInvalid    Kind = "payload-hash-invalid"   //
	KindPayloadMismatch       Kind = "payload-mismatch"       // Details ClientComputedContentSHA256, S3ComputedContentSHA256
	KindPayloadModeUnserved   Kind = "payload-mode-unserved"  // a streaming mode we do not serve
	KindIncompleteBody        Kind = "incomplete-body"        //
	KindInvalidChunkSize      Kind = "invalid-chunk-size"     //
	KindMalformedTrailer      Kind = "malformed-trailer"      //
	KindTrailerMismatch       Kind = "trailer-mismatch"       // x-amz-trailer and the trailer disagree
	KindBadDigest             Kind = "bad-digest"             // checksum or Content-MD5 wrong
	KindMissingContentLength  Kind = "missing-content-length" //
	KindFormMalformed         Kind = "form-malformed"         // a POST form that is not well-formed
	KindFormTooLarge          Kind = "form-too-large"         // its fields
	KindFormFiles             Kind = "form-files"             // not exactly one file, and that last
	KindFormArgument          Kind = "form-argument"          // Details ArgumentName, ArgumentValue
	KindFormPolicyMalformed   Kind = "form-policy-malformed"  // Public is the sentence
	KindFormPolicyRefused     Kind = "form-policy-refused"    // POST policy expired or not met
	KindTooSmall              Kind = "too-small"              // Details ProposedSize, MinSizeAllowed
	KindInvalidToken          Kind = "invalid-token"          // session token malformed, forged, foreign
	KindExpiredToken          Kind = "expired-token"          // session expired or revoked
)

// Kinds of proofs.
const (
	KindInvalidCredentials  Kind = "invalid-credentials"  // wrong password, unknown or disabled user: never told apart
	KindPasswordExpired     Kind = "password-expired"     // must change password
	KindMFARequired         Kind = "mfa-required"         //
	KindInvalidClient       Kind = "invalid-client"       // OAuth client unknown or secret wrong
	KindUnauthorizedClient  Kind = "unauthorized-client"  // grant not allowed for the client
	KindUnsupportedGrant    Kind = "unsupported-grant"    //
	KindInvalidGrant        Kind = "invalid-grant"        // refresh token or code expired, reused, of another client
	KindInvalidScope        Kind = "invalid-scope"        //
	KindInvalidBearer       Kind = "invalid-bearer"       // a Bearer token refused
	KindInvalidIdentity     Kind = "invalid-identity"     // web-identity token unfit; Public says why
	KindExpiredIdentity     Kind = "expired-identity"     // web-identity token expired
	KindIdentityRejected    Kind = "identity-rejected"    // the provider's claim was refused (IDPRejectedClaim)
	KindProviderUnreachable Kind = "provider-unreachable" // IDPCommunicationError
)

// Kinds of the S3 gateway.
const (
	KindNoSuchBucket      Kind = "no-such-bucket"
	KindBucketOwnedByYou  Kind = "bucket-owned-by-you"
	KindBucketExists      Kind = "bucket-exists"
	KindInvalidBucketName Kind = "invalid-bucket-name"
	KindInvalidKey        Kind = "invalid-key" // a key refused for the upstream's key semantics
	KindInvalidRequest    Kind = "invalid-request"
	KindMalformedXML      Kind = "malformed-xml"
	KindUpstream          Kind = "upstream" // the upstream's own refusal; Detail Code, Status
)

// Error is the one error type that crosses packages. Public goes to the
// caller, Err to the log only. An empty Public means the dialect's standard
// sentence for the kind.
type Error struct {
	Kind   Kind
	Op     string // package and operation, for the log
	Public string
	Detail []Detail // further elements of the wire's error
	Err    error
	// RetryAfterSeconds is set with KindThrottled and KindUnavailable.
	RetryAfterSeconds int
}

// EncodedMessage stands in a refusal between its sentence and the encoded
// authorization message that ends it (STS DecodeAuthorizationMessage).
const EncodedMessage = " Encoded authorization failure message: "

// WithoutMessage is a sentence without the encoded message at its end.
func WithoutMessage(sentence string) string {
	sentence, _, _ = strings.Cut(sentence, EncodedMessage)
	return sentence
}

// Detail is a named further element of an error, in the wire's own words.
type Detail struct{ Name, Value string }

func (e *Error) Error() string {
	s := e.Op + ": " + string(e.Kind)
	if e.Public != "" {
		s += ": " + WithoutMessage(e.Public)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, &Error{Kind: k}) true for errors of kind k.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Op == "" && t.Public == "" && t.Kind == e.Kind
}

// KindOf returns the kind of the first *Error in err's tree, KindInternal for
// any other error, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := err.(*Error); ok { // the ordinary case, without errors.As' allocation
		return e.Kind
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// AsError returns the first *Error in err's tree, or one of KindInternal that
// wraps err. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: KindInternal, Op: "unknown", Err: err}
}

// Errorf-free constructor: most errors have a kind, a place and a sentence.
func NewError(kind Kind, op, public string) *Error {
	return &Error{Kind: kind, Op: op, Public: public}
}

// DetailValue returns the value of a detail, or "".
func (e *Error) DetailValue(name string) string {
	for _, d := range e.Detail {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}

// Kinds lists every kind, for the exhaustiveness tests of the dialects.
func Kinds() []Kind {
	return []Kind{
		KindInternal, KindUnavailable, KindThrottled, KindInvalidAction, KindMissingParameter, KindValidation,
		KindInvalidInput, KindTooLarge, KindNotImplemented, KindMethodNotAllowed, KindNotFound, KindAlreadyExists,
		KindConflict, KindDeleteConflict, KindLimitExceeded, KindAccessDenied, KindMalformedPolicy, KindPolicyTooLarge,
		KindInvalidMessage,
		KindMissingAuthentication, KindAuthAlgorithm, KindSignatureV2, KindAuthTwice, KindAuthMalformed,
		KindAuthCredential, KindScopeTerminator, KindScopeRegion, KindScopeService, KindScopeDate, KindDateMissing,
		KindTimeSkewed, KindUnknownAccessKey, KindSignatureMismatch, KindPresignMalformed, KindPresignExpired,
		KindPresignNotYet, KindHostNotSigned, KindHeadersNotSigned, KindPayloadHashMissing, KindPayloadHashInvalid,
		KindPayloadMismatch, KindPayloadModeUnserved, KindIncompleteBody, KindInvalidChunkSize, KindMalformedTrailer,
		KindTrailerMismatch, KindBadDigest, KindMissingContentLength, KindFormMalformed, KindFormTooLarge,
		KindFormFiles, KindFormArgument, KindFormPolicyMalformed, KindFormPolicyRefused, KindTooSmall,
		KindInvalidToken, KindExpiredToken,
		KindInvalidCredentials, KindPasswordExpired, KindMFARequired, KindInvalidClient, KindUnauthorizedClient,
		KindUnsupportedGrant, KindInvalidGrant, KindInvalidScope, KindInvalidBearer, KindInvalidIdentity,
		KindExpiredIdentity, KindIdentityRejected, KindProviderUnreachable,
		KindNoSuchBucket, KindBucketOwnedByYou, KindBucketExists, KindInvalidBucketName, KindInvalidKey,
		KindInvalidRequest, KindMalformedXML, KindUpstream,
	}
}
