package sigv4

import (
	"errors"
	"fmt"
	"strings"
)

// Failure is the closed list of reasons why a signed request, or its body, is
// refused. The texts equal those of identity.Kind, so that a caller converts
// one into the other without a table.
type Failure string

// The failures. Those of keys and tokens are never returned by this package:
// they stand here for their sentences.
const (
	FailureMissingAuthentication Failure = "missing-authentication" // no credential at all
	FailureAuthAlgorithm         Failure = "auth-algorithm"         // not AWS4-HMAC-SHA256; Detail Got
	FailureSignatureV2           Failure = "signature-v2"           // SigV2, header or query
	FailureAuthTwice             Failure = "auth-twice"             // two mechanisms at once
	FailureAuthMalformed         Failure = "auth-malformed"         // missing or malformed component
	FailureAuthCredential        Failure = "auth-credential"        // Credential not of five parts
	FailureScopeTerminator       Failure = "scope-terminator"       // not aws4_request
	FailureScopeRegion           Failure = "scope-region"           // Detail Region (expected)
	FailureScopeService          Failure = "scope-service"          // Detail Service (expected)
	FailureScopeDate             Failure = "scope-date"             // scope date is not the request's
	FailureDateMissing           Failure = "date-missing"           // no date, or not parseable
	FailureTimeSkewed            Failure = "time-skewed"            // Details RequestTime, ServerTime, MaxAllowedSkewMilliseconds
	FailureUnknownAccessKey      Failure = "unknown-access-key"     // Detail AWSAccessKeyId
	FailureSignatureMismatch     Failure = "signature-mismatch"     // Details AWSAccessKeyId, StringToSign, …
	FailurePresignMalformed      Failure = "presign-malformed"      // presigned parameters
	FailurePresignExpired        Failure = "presign-expired"        // Details Expires, ServerTime, X-Amz-Expires
	FailurePresignNotYet         Failure = "presign-not-yet"        // Details as above
	FailureHostNotSigned         Failure = "host-not-signed"        //
	FailureHeadersNotSigned      Failure = "headers-not-signed"     // Detail HeadersNotSigned
	FailurePayloadHashMissing    Failure = "payload-hash-missing"   //
	FailurePayloadHashInvalid    Failure = "payload-hash-invalid"   // Details ArgumentName, ArgumentValue
	FailurePayloadMismatch       Failure = "payload-mismatch"       // Details ClientComputedContentSHA256, S3ComputedContentSHA256
	FailurePayloadModeUnserved   Failure = "payload-mode-unserved"  // a streaming mode that is not served; Detail Got
	FailureIncompleteBody        Failure = "incomplete-body"        //
	FailureInvalidChunkSize      Failure = "invalid-chunk-size"     // Details Chunk, BadChunkSize
	FailureMalformedTrailer      Failure = "malformed-trailer"      //
	FailureTrailerMismatch       Failure = "trailer-mismatch"       // x-amz-trailer and the trailer disagree
	FailureBadDigest             Failure = "bad-digest"             // trailing checksum wrong
	FailureMissingContentLength  Failure = "missing-content-length" // no x-amz-decoded-content-length
	FailureFormMalformed         Failure = "form-malformed"         // a form that is not well-formed multipart/form-data
	FailureFormTooLarge          Failure = "form-too-large"         // its fields
	FailureFormFiles             Failure = "form-files"             // not exactly one file, and that last
	FailureFormArgument          Failure = "form-argument"          // a field missing or unfit; Details ArgumentName, ArgumentValue
	FailureFormPolicyMalformed   Failure = "form-policy-malformed"  // not base64, not JSON, or not a POST policy
	FailureFormPolicyRefused     Failure = "form-policy-refused"    // the POST policy is expired or does not allow the form
	FailureTooSmall              Failure = "too-small"              // Details ProposedSize, MinSizeAllowed
	FailureTooLarge              Failure = "too-large"              // Details ProposedSize, MaxSizeAllowed
	FailureInvalidToken          Failure = "invalid-token"          //
	FailureExpiredToken          Failure = "expired-token"          //
)

// sentence holds the standard text of a failure in the two dialects.
type sentence struct{ s3, query string }

const (
	malformedHeader = "The authorization header is malformed; "
	malformedQuery  = "Error parsing the X-Amz-Credential parameter; "
	notConforming   = "The request signature does not conform to AWS standards."
	sixParameters   = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
		"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
	onlyHMAC  = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
	useS3V4   = onlyHMAC + ` (aws CLI and botocore: set "signature_version = s3v4" in the s3 section of the profile.)`
	wrongDate = "Invalid credential date. Date is not the same as X-Amz-Date."
)

var sentences = map[Failure]sentence{
	FailureMissingAuthentication: {"Access Denied", "Request is missing Authentication Token"},
	FailureAuthAlgorithm:         {"Unsupported Authorization Type", notConforming},
	FailureSignatureV2:           {useS3V4, useS3V4},
	FailureAuthTwice: {"Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter " +
		"or the Authorization header should be specified", notConforming},
	FailureAuthMalformed:   {malformedHeader + "the authorization header requires three components: Credential, SignedHeaders, and Signature.", notConforming},
	FailureAuthCredential:  {malformedHeader + malformedCredential, notConforming},
	FailureScopeTerminator: {malformedHeader + `incorrect terminal. This endpoint uses "aws4_request".`, "Credential should be scoped with a valid terminator: 'aws4_request'."},
	FailureScopeRegion:     {malformedHeader + "the region is wrong.", "Credential should be scoped to a valid region. "},
	FailureScopeService:    {malformedHeader + "incorrect service.", "Credential should be scoped to correct service."},
	FailureScopeDate:       {malformedHeader + wrongDate, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."},
	FailureDateMissing:     {"AWS authentication requires a valid Date or x-amz-date header", notConforming},
	FailureTimeSkewed:      {"The difference between the request time and the current time is too large.", "Signature expired."},
	FailureUnknownAccessKey: {
		"The AWS Access Key Id you provided does not exist in our records.",
		"The security token included in the request is invalid.",
	},
	FailureSignatureMismatch: {
		"The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. " +
			"Consult the service documentation for details.",
	},
	FailurePresignMalformed:     {sixParameters, notConforming},
	FailurePresignExpired:       {"Request has expired.", "Signature expired."},
	FailurePresignNotYet:        {"Request is not valid yet.", "Signature not yet current."},
	FailureHostNotSigned:        {"There were headers present in the request which were not signed", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
	FailureHeadersNotSigned:     {"There were headers present in the request which were not signed", notConforming},
	FailurePayloadHashMissing:   {"Missing required header for this request: x-amz-content-sha256", notConforming},
	FailurePayloadHashInvalid:   {payloadHashValues, notConforming},
	FailurePayloadMismatch:      {"The provided 'x-amz-content-sha256' header does not match what was computed.", notConforming},
	FailurePayloadModeUnserved:  {"The x-amz-content-sha256 value you provided implies functionality that is not implemented.", notConforming},
	FailureIncompleteBody:       {"The request body terminated unexpectedly", "The request body terminated unexpectedly"},
	FailureInvalidChunkSize:     {"Only the last chunk is allowed to have a size less than 8192 bytes", notConforming},
	FailureMalformedTrailer:     {"The request contained trailing data that was not well-formed or did not conform to our published schema.", notConforming},
	FailureTrailerMismatch:      {"The value specified in the x-amz-trailer header does not match the trailer that was sent.", notConforming},
	FailureBadDigest:            {"The checksum you specified did not match the calculated checksum.", notConforming},
	FailureMissingContentLength: {"You must provide the Content-Length HTTP header.", notConforming},
	FailureFormMalformed:        {"The body of your POST request is not well-formed multipart/form-data.", notConforming},
	FailureFormTooLarge:         {"Your POST request fields preceding the upload file were too large.", notConforming},
	FailureFormFiles:            {"POST requires exactly one file upload per request.", notConforming},
	FailureFormArgument:         {"A field of the form is not valid.", notConforming},
	FailureFormPolicyMalformed:  {"The content of the form does not meet the conditions specified in the policy document.", notConforming},
	FailureFormPolicyRefused:    {"Access Denied", notConforming},
	FailureTooSmall:             {"Your proposed upload is smaller than the minimum allowed size", notConforming},
	FailureTooLarge:             {"Your proposed upload exceeds the maximum allowed size", notConforming},
	FailureInvalidToken:         {"The provided token is malformed or otherwise invalid.", "The security token included in the request is invalid."},
	FailureExpiredToken:         {"The provided token has expired.", "The security token included in the request is expired"},
}

// Failures lists every failure, for tests that walk them.
func Failures() []Failure {
	return []Failure{
		FailureMissingAuthentication, FailureAuthAlgorithm, FailureSignatureV2, FailureAuthTwice, FailureAuthMalformed,
		FailureAuthCredential, FailureScopeTerminator, FailureScopeRegion, FailureScopeService, FailureScopeDate,
		FailureDateMissing, FailureTimeSkewed, FailureUnknownAccessKey, FailureSignatureMismatch, FailurePresignMalformed,
		FailurePresignExpired, FailurePresignNotYet, FailureHostNotSigned, FailureHeadersNotSigned,
		FailurePayloadHashMissing, FailurePayloadHashInvalid, FailurePayloadMismatch, FailurePayloadModeUnserved,
		FailureIncompleteBody, FailureInvalidChunkSize, FailureMalformedTrailer, FailureTrailerMismatch,
		FailureBadDigest, FailureMissingContentLength, FailureFormMalformed, FailureFormTooLarge, FailureFormFiles,
		FailureFormArgument, FailureFormPolicyMalformed, FailureFormPolicyRefused, FailureTooSmall, FailureTooLarge,
		FailureInvalidToken, FailureExpiredToken,
	}
}

// S3Message is the failure's standard sentence in the S3 dialect.
func (f Failure) S3Message() string { return sentences[f].s3 }

// QueryMessage is the failure's standard sentence in the STS and IAM dialect.
func (f Failure) QueryMessage() string { return sentences[f].query }

// Error is why a request or its body is refused. Its text holds no detail, so
// it may be logged.
type Error struct {
	Failure Failure
	Message string   // sentence of the S3 dialect; "" = the failure's standard one
	Query   string   // sentence of the STS and IAM dialect; "" = the standard one
	Detail  []Detail // further elements of the S3 error, in the wire's words
}

// Detail is a named further element of an error.
type Detail struct{ Name, Value string }

func (e *Error) Error() string { return "sigv4: " + string(e.Failure) + ": " + e.S3Message() }

// Is makes errors.Is(err, &Error{Failure: f}) true for errors of failure f.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Message == "" && t.Failure == e.Failure
}

// S3Message is the sentence for S3's <Message>.
func (e *Error) S3Message() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Failure.S3Message()
}

// QueryMessage is the sentence for the <Message> of STS and IAM.
func (e *Error) QueryMessage() string {
	if e.Query != "" {
		return e.Query
	}
	return e.Failure.QueryMessage()
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

// FailureOf returns the failure of the first *Error in err's tree, or "".
func FailureOf(err error) Failure {
	var e *Error
	if errors.As(err, &e) {
		return e.Failure
	}
	return ""
}

func refuse(f Failure, details ...Detail) *Error { return &Error{Failure: f, Detail: details} }

func (e *Error) s3f(format string, args ...any) *Error {
	e.Message = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) queryf(format string, args ...any) *Error {
	e.Query = fmt.Sprintf(format, args...)
	return e
}

// shown makes a stranger's text fit for an error sentence: printable ASCII, at
// most 128 bytes.
func shown(s string) string {
	const most = 128
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
