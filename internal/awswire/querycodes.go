package awswire

import "daypass/internal/identity"

// Sentences that several kinds share.
const (
	queryNotConforming = "The request signature does not conform to AWS standards."
	queryMismatch      = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	queryBadToken      = "The security token included in the request is invalid."
	queryDenied        = "Access denied."
	queryBadBody       = "The request body is malformed."
	queryNotJWT        = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)

// queryFailures is the one table of STS and IAM: kind to code, status and
// standard sentence.
var queryFailures = map[identity.Kind]Failure{
	identity.KindInternal:         {"InternalFailure", 500, "The request processing has failed because of an unknown error, exception or failure."},
	identity.KindUnavailable:      {"ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."},
	identity.KindThrottled:        {"Throttling", 400, "Rate exceeded."},
	identity.KindInvalidAction:    {"InvalidAction", 400, "The action or operation requested is invalid."},
	identity.KindMissingParameter: {"MissingParameter", 400, "A required parameter is missing."},
	identity.KindValidation:       {"ValidationError", 400, "The input fails to satisfy the constraints of the service."},
	identity.KindInvalidInput:     {"InvalidInput", 400, "The request was rejected because an invalid or out-of-range value was supplied for an input parameter."},
	identity.KindTooLarge:         {"RequestEntityTooLarge", 413, "The request is larger than the service accepts."},
	identity.KindNotImplemented:   {"NotImplemented", 501, "The request asks for something that this service does not implement."},
	identity.KindMethodNotAllowed: {"MethodNotAllowed", 405, "The method is not allowed; use POST or GET."},
	identity.KindNotFound:         {"NoSuchEntity", 404, "The request was rejected because it referenced an entity that does not exist."},
	identity.KindAlreadyExists:    {"EntityAlreadyExists", 409, "The request was rejected because it attempted to create a resource that already exists."},
	identity.KindConflict:         {"ConcurrentModification", 409, "The request was rejected because multiple requests to change this object were submitted simultaneously. Wait and submit it again."},
	identity.KindDeleteConflict:   {"DeleteConflict", 409, "The request was rejected because it attempted to delete a resource that has attached subordinate entities."},
	identity.KindLimitExceeded:    {"LimitExceeded", 409, "The request was rejected because it attempted to create resources beyond the current limits."},
	identity.KindAccessDenied:     {"AccessDenied", 403, queryDenied},
	identity.KindMalformedPolicy:  {"MalformedPolicyDocument", 400, "The policy document is malformed."},
	identity.KindInvalidMessage:   {"InvalidAuthorizationMessageException", 400, "The encoded message is not valid: it is malformed, of another account, or older than 24 hours."},
	identity.KindPolicyTooLarge:   {"PackedPolicyTooLarge", 400, "The total packed size of the session policies and session tags is over the limit."},

	identity.KindMissingAuthentication: {"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
	identity.KindAuthAlgorithm:         {"IncompleteSignature", 400, queryNotConforming},
	identity.KindSignatureV2:           {"IncompleteSignature", 400, queryNotConforming},
	identity.KindAuthTwice:             {"IncompleteSignature", 400, queryNotConforming},
	identity.KindAuthMalformed:         {"IncompleteSignature", 400, queryNotConforming},
	identity.KindAuthCredential:        {"IncompleteSignature", 400, queryNotConforming},
	identity.KindScopeTerminator:       {"SignatureDoesNotMatch", 403, "Credential should be scoped with a valid terminator: 'aws4_request'."},
	identity.KindScopeRegion:           {"SignatureDoesNotMatch", 403, "Credential should be scoped to a valid region. "},
	identity.KindScopeService:          {"SignatureDoesNotMatch", 400, "Credential should be scoped to correct service."},
	identity.KindScopeDate:             {"SignatureDoesNotMatch", 400, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."},
	identity.KindDateMissing:           {"IncompleteSignature", 400, queryNotConforming},
	identity.KindTimeSkewed:            {"SignatureDoesNotMatch", 403, "Signature expired or not yet current."},
	identity.KindUnknownAccessKey:      {"InvalidClientTokenId", 403, queryBadToken},
	identity.KindSignatureMismatch:     {"SignatureDoesNotMatch", 403, queryMismatch},
	identity.KindPresignMalformed:      {"IncompleteSignature", 400, queryNotConforming},
	identity.KindPresignExpired:        {"SignatureDoesNotMatch", 403, "Signature expired."},
	identity.KindPresignNotYet:         {"SignatureDoesNotMatch", 403, "Signature not yet current."},
	identity.KindHostNotSigned:         {"SignatureDoesNotMatch", 403, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
	identity.KindHeadersNotSigned:      {"IncompleteSignature", 400, queryNotConforming},
	identity.KindPayloadHashMissing:    {"SignatureDoesNotMatch", 403, queryMismatch},
	identity.KindPayloadHashInvalid:    {"SignatureDoesNotMatch", 403, queryMismatch},
	identity.KindPayloadMismatch:       {"SignatureDoesNotMatch", 403, queryMismatch},
	identity.KindPayloadModeUnserved:   {"SignatureDoesNotMatch", 403, queryMismatch},
	identity.KindIncompleteBody:        {"ValidationError", 400, "The request body terminated unexpectedly."},
	identity.KindInvalidChunkSize:      {"ValidationError", 400, queryBadBody},
	identity.KindMalformedTrailer:      {"ValidationError", 400, queryBadBody},
	identity.KindTrailerMismatch:       {"ValidationError", 400, queryBadBody},
	identity.KindBadDigest:             {"ValidationError", 400, queryBadBody},
	identity.KindMissingContentLength:  {"ValidationError", 400, queryBadBody},
	identity.KindFormMalformed:         {"ValidationError", 400, queryBadBody},
	identity.KindFormTooLarge:          {"ValidationError", 400, queryBadBody},
	identity.KindFormFiles:             {"ValidationError", 400, queryBadBody},
	identity.KindFormArgument:          {"ValidationError", 400, queryBadBody},
	identity.KindFormPolicyMalformed:   {"ValidationError", 400, queryBadBody},
	identity.KindFormPolicyRefused:     {"AccessDenied", 403, queryDenied},
	identity.KindTooSmall:              {"ValidationError", 400, queryBadBody},
	identity.KindInvalidToken:          {"InvalidClientTokenId", 403, queryBadToken},
	identity.KindExpiredToken:          {"ExpiredToken", 403, "The security token included in the request is expired"},

	identity.KindInvalidCredentials:  {"AccessDenied", 403, queryDenied},
	identity.KindPasswordExpired:     {"AccessDenied", 403, "The password must be changed first."},
	identity.KindMFARequired:         {"AccessDenied", 403, "MultiFactorAuthentication is required."},
	identity.KindInvalidClient:       {"AccessDenied", 403, queryDenied},
	identity.KindUnauthorizedClient:  {"AccessDenied", 403, queryDenied},
	identity.KindUnsupportedGrant:    {"ValidationError", 400, "The grant is not supported."},
	identity.KindInvalidGrant:        {"AccessDenied", 403, queryDenied},
	identity.KindInvalidScope:        {"ValidationError", 400, "The scope is not valid."},
	identity.KindInvalidBearer:       {"InvalidIdentityToken", 400, queryNotJWT},
	identity.KindInvalidIdentity:     {"InvalidIdentityToken", 400, queryNotJWT},
	identity.KindExpiredIdentity:     {"ExpiredToken", 400, "Token is expired"},
	identity.KindIdentityRejected:    {"IDPRejectedClaim", 403, "The identity provider reported that authentication failed."},
	identity.KindProviderUnreachable: {"IDPCommunicationError", 400, "The identity provider could not be reached. Try again."},

	identity.KindNoSuchBucket:      {"NoSuchEntity", 404, "The specified bucket does not exist."},
	identity.KindBucketOwnedByYou:  {"EntityAlreadyExists", 409, "The bucket exists and belongs to you."},
	identity.KindBucketExists:      {"EntityAlreadyExists", 409, "The bucket name is not available."},
	identity.KindInvalidBucketName: {"ValidationError", 400, "The specified bucket name is not valid."},
	identity.KindInvalidKey:        {"ValidationError", 400, "The specified key is not valid."},
	identity.KindInvalidRequest:    {"ValidationError", 400, "The request is not valid."},
	identity.KindMalformedXML:      {"ValidationError", 400, queryBadBody},
	identity.KindUpstream:          {"ServiceFailure", 500, "A service behind this one refused the request."},
}

// queryCodes are the narrower codes that an error can ask for with the Detail
// "QueryCode", and their statuses in the client models.
var queryCodes = map[string]int{
	"RegionDisabledException":                        403,
	"InvalidAuthorizationMessageException":           400,
	"SessionDurationEscalationException":             403,
	"OutboundWebIdentityFederationDisabledException": 403,
	"JWTPayloadSizeExceededException":                400,
	"ExpiredTradeInTokenException":                   400,
	"IDPRejectedClaim":                               403,
	"InvalidIdentityToken":                           400,
	"EntityTemporarilyUnmodifiable":                  409,
	"FeatureEnabled":                                 409,
	"FeatureDisabled":                                404,
	"NotSupportedService":                            404,
	"ReportInProgress":                               404,
	"ReportNotPresent":                               410,
	"ReportExpired":                                  410,
	"InvalidAuthenticationCode":                      403,
	"OpenIdIdpCommunicationError":                    400,
	"PasswordPolicyViolation":                        400,
	"PolicyNotAttachable":                            400,
	"UnmodifiableEntity":                             400,
	"InvalidUserType":                                400,
	"PolicyEvaluation":                               500,
	"ServiceFailure":                                 500,
}
