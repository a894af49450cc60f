package awswire

import "daypass/internal/identity"

// Sentences that several kinds share.
const (
	s3Denied      = "Access Denied"
	s3Malformed   = "The authorization header is malformed; the authorization header requires Credential, SignedHeaders and Signature."
	s3Unsupported = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
	s3SlowDown    = "Please reduce your request rate."
)

// s3Failures is the one table of S3: kind to code, status and standard
// sentence.
var s3Failures = map[identity.Kind]Failure{
	identity.KindInternal:         {"InternalError", 500, "We encountered an internal error. Please try again."},
	identity.KindUnavailable:      {"SlowDown", 503, s3SlowDown},
	identity.KindThrottled:        {"SlowDown", 503, s3SlowDown},
	identity.KindInvalidAction:    {"NotImplemented", 501, "The operation is not implemented."},
	identity.KindMissingParameter: {"InvalidArgument", 400, "A required argument is missing."},
	identity.KindValidation:       {"InvalidArgument", 400, "Invalid Argument"},
	identity.KindInvalidInput:     {"InvalidRequest", 400, "The values of the request contradict each other."},
	identity.KindTooLarge:         {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"},
	identity.KindNotImplemented:   {"NotImplemented", 501, "A header you provided implies functionality that is not implemented"},
	identity.KindMethodNotAllowed: {"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
	identity.KindNotFound:         {"NoSuchKey", 404, "The specified key does not exist."},
	identity.KindAlreadyExists:    {"BucketAlreadyExists", 409, "The requested name is not available."},
	identity.KindConflict:         {"OperationAborted", 409, "A conflicting conditional operation is currently in progress against this resource. Please try again."},
	identity.KindDeleteConflict:   {"BucketNotEmpty", 409, "The bucket you tried to delete is not empty"},
	identity.KindLimitExceeded:    {"TooManyBuckets", 400, "You have attempted to create more than the allowed number."},
	identity.KindAccessDenied:     {"AccessDenied", 403, s3Denied},
	identity.KindMalformedPolicy:  {"MalformedPolicy", 400, "The policy document is malformed."},
	identity.KindInvalidMessage:   {"InvalidRequest", 400, "The encoded message is not valid."},
	identity.KindPolicyTooLarge:   {"InvalidRequest", 400, "The policy is over the maximum allowed size."},

	identity.KindMissingAuthentication: {"AccessDenied", 403, s3Denied},
	identity.KindAuthAlgorithm:         {"InvalidArgument", 400, "Unsupported Authorization Type"},
	identity.KindSignatureV2:           {"InvalidRequest", 400, s3Unsupported},
	identity.KindAuthTwice:             {"InvalidRequest", 400, "A request may use one authorization mechanism only."},
	identity.KindAuthMalformed:         {"AuthorizationHeaderMalformed", 400, s3Malformed},
	identity.KindAuthCredential:        {"AuthorizationHeaderMalformed", 400, `The authorization header is malformed; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`},
	identity.KindScopeTerminator:       {"AuthorizationHeaderMalformed", 400, s3Malformed},
	identity.KindScopeRegion:           {"AuthorizationHeaderMalformed", 400, s3Malformed},
	identity.KindScopeService:          {"AuthorizationHeaderMalformed", 400, s3Malformed},
	identity.KindScopeDate:             {"AuthorizationHeaderMalformed", 400, "The authorization header is malformed; Invalid credential date. Date is not the same as X-Amz-Date."},
	identity.KindDateMissing:           {"AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header"},
	identity.KindTimeSkewed:            {"RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."},
	identity.KindUnknownAccessKey:      {"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."},
	identity.KindSignatureMismatch:     {"SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	identity.KindPresignMalformed:      {"AuthorizationQueryParametersError", 400, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."},
	identity.KindPresignExpired:        {"AccessDenied", 403, "Request has expired."},
	identity.KindPresignNotYet:         {"AccessDenied", 403, "Request is not valid yet."},
	identity.KindHostNotSigned:         {"AccessDenied", 403, "The host header must be signed."},
	identity.KindHeadersNotSigned:      {"AccessDenied", 403, "There were headers present in the request which were not signed"},
	identity.KindPayloadHashMissing:    {"InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256"},
	identity.KindPayloadHashInvalid:    {"InvalidArgument", 400, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a streaming value, or a valid sha256 value."},
	identity.KindPayloadMismatch:       {"XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
	identity.KindPayloadModeUnserved:   {"NotImplemented", 501, "The value of x-amz-content-sha256 asks for a signing method that is not implemented."},
	identity.KindIncompleteBody:        {"IncompleteBody", 400, "The request body terminated unexpectedly"},
	identity.KindInvalidChunkSize:      {"InvalidChunkSizeError", 400, "Only the last chunk is allowed to have a size less than 8192 bytes"},
	identity.KindMalformedTrailer:      {"MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not conform to our published schema."},
	identity.KindTrailerMismatch:       {"InvalidRequest", 400, "The trailer does not match the header x-amz-trailer."},
	identity.KindBadDigest:             {"BadDigest", 400, "The checksum you specified did not match the calculated checksum."},
	identity.KindMissingContentLength:  {"MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
	identity.KindFormMalformed:         {"MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data."},
	identity.KindFormTooLarge:          {"MaxPostPreDataLengthExceededError", 400, "Your POST request fields preceding the upload file were too large."},
	identity.KindFormFiles:             {"IncorrectNumberOfFilesInPostRequest", 400, "POST requires exactly one file upload per request."},
	identity.KindFormArgument:          {"InvalidArgument", 400, "Invalid Argument"},
	identity.KindFormPolicyMalformed:   {"InvalidPolicyDocument", 400, "The content of the form does not meet the conditions specified in the policy document."},
	identity.KindFormPolicyRefused:     {"AccessDenied", 403, s3Denied},
	identity.KindTooSmall:              {"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"},
	identity.KindInvalidToken:          {"InvalidToken", 400, "The provided token is malformed or otherwise invalid."},
	identity.KindExpiredToken:          {"ExpiredToken", 400, "The provided token has expired."},

	identity.KindInvalidCredentials:  {"AccessDenied", 403, s3Denied},
	identity.KindPasswordExpired:     {"AccessDenied", 403, s3Denied},
	identity.KindMFARequired:         {"AccessDenied", 403, s3Denied},
	identity.KindInvalidClient:       {"AccessDenied", 403, s3Denied},
	identity.KindUnauthorizedClient:  {"AccessDenied", 403, s3Denied},
	identity.KindUnsupportedGrant:    {"InvalidRequest", 400, s3Unsupported},
	identity.KindInvalidGrant:        {"AccessDenied", 403, s3Denied},
	identity.KindInvalidScope:        {"AccessDenied", 403, s3Denied},
	identity.KindInvalidBearer:       {"InvalidToken", 400, "The provided token is malformed or otherwise invalid."},
	identity.KindInvalidIdentity:     {"InvalidToken", 400, "The provided token is malformed or otherwise invalid."},
	identity.KindExpiredIdentity:     {"ExpiredToken", 400, "The provided token has expired."},
	identity.KindIdentityRejected:    {"AccessDenied", 403, s3Denied},
	identity.KindProviderUnreachable: {"ServiceUnavailable", 503, s3SlowDown},

	identity.KindNoSuchBucket:      {"NoSuchBucket", 404, "The specified bucket does not exist"},
	identity.KindBucketOwnedByYou:  {"BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it."},
	identity.KindBucketExists:      {"BucketAlreadyExists", 409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."},
	identity.KindInvalidBucketName: {"InvalidBucketName", 400, "The specified bucket is not valid."},
	identity.KindInvalidKey:        {"InvalidArgument", 400, "The specified key is not valid here."},
	identity.KindInvalidRequest:    {"InvalidRequest", 400, "Invalid Request"},
	identity.KindMalformedXML:      {"MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"},
	identity.KindUpstream:          {"InternalError", 502, "The storage behind this service failed to answer properly. Please try again."},
}
