package awswire

import (
	"bytes"
	"encoding/json"
	"net/http"

	"daypass/internal/identity"
)

const jsonMediaType = "application/x-amz-json-1.1"

// WriteJSON answers a JSON 1.1 operation with v, in one write with
// Content-Length. The answer may not be cached. It fails only when v cannot be
// encoded, and then nothing was written.
func WriteJSON(w http.ResponseWriter, requestID string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return &identity.Error{Kind: identity.KindInternal, Op: "awswire.WriteJSON", Err: err}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(requestIDHeader, requestID)
	send(w, http.StatusOK, jsonMediaType, bytes.TrimSuffix(b.Bytes(), []byte{'\n'}))
	return nil
}

// JSONFailure says how the JSON 1.1 services answer err. The message is chosen
// as by QueryService.Failure; the detail "JSONCode" is a code that only these
// services have, in place of the kind's.
func JSONFailure(err error) Failure {
	e := identity.AsError(err)
	f, known := jsonFailures[e.Kind]
	if !known || e.Kind == identity.KindInternal {
		return jsonFailures[identity.KindInternal]
	}
	if code := e.DetailValue("JSONCode"); code != "" {
		f.Code = code
	}
	if m := e.DetailValue("QueryMessage"); m != "" {
		f.Message = m
	} else if e.Public != "" {
		f.Message = e.Public
	}
	return f
}

// WriteJSONError answers err in the envelope of JSON 1.1 and returns what it
// said: {"__type":code,"message":sentence} with the code in x-amzn-ErrorType
// and the sentence in x-amzn-ErrorMessage.
func WriteJSONError(w http.ResponseWriter, requestID string, err error) Failure {
	e := identity.AsError(err)
	f := JSONFailure(e)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set(requestIDHeader, requestID)
	h.Set("X-Amzn-Errortype", f.Code+":")
	h.Set("X-Amzn-Errormessage", cleanForeign(f.Message))
	setRetryAfter(w, e)
	b := append([]byte(`{"__type":`), quoteJSON(f.Code)...)
	b = append(b, `,"message":`...)
	b = append(b, quoteJSON(f.Message)...)
	send(w, f.Status, jsonMediaType, append(b, '}'))
	return f
}

func quoteJSON(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// Sentences that several kinds share.
const (
	jsonNotAuthorized = "Not authorized."
	jsonBadParameter  = "The request holds an invalid parameter."
)

// jsonFailures is the one table of the JSON 1.1 services.
var jsonFailures = map[identity.Kind]Failure{
	identity.KindInternal:         {"InternalErrorException", 500, "The request failed because of an internal error."},
	identity.KindUnavailable:      {"ServiceUnavailableException", 503, "The service is unavailable for a moment. Try again."},
	identity.KindThrottled:        {"TooManyRequestsException", 400, "Rate exceeded."},
	identity.KindInvalidAction:    {"UnknownOperationException", 400, "The operation is unknown."},
	identity.KindMissingParameter: {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindValidation:       {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindInvalidInput:     {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindTooLarge:         {"RequestEntityTooLargeException", 413, "The request is larger than the service accepts."},
	identity.KindNotImplemented:   {"UnknownOperationException", 400, "The operation is not implemented."},
	identity.KindMethodNotAllowed: {"UnknownOperationException", 405, "The method is not allowed; use POST."},
	identity.KindNotFound:         {"ResourceNotFoundException", 400, "The resource was not found."},
	identity.KindAlreadyExists:    {"ResourceConflictException", 400, "The resource exists already."},
	identity.KindConflict:         {"ConcurrentModificationException", 400, "The resource was changed at the same time. Try again."},
	identity.KindDeleteConflict:   {"ResourceConflictException", 400, "The resource is in use."},
	identity.KindLimitExceeded:    {"LimitExceededException", 400, "A limit is exceeded."},
	identity.KindAccessDenied:     {"AccessDeniedException", 400, "Access denied."},
	identity.KindMalformedPolicy:  {"InvalidParameterException", 400, "The policy document is malformed."},
	identity.KindInvalidMessage:   {"InvalidParameterException", 400, "The encoded message is not valid."},
	identity.KindPolicyTooLarge:   {"LimitExceededException", 400, "The policy is too large."},

	identity.KindMissingAuthentication: {"MissingAuthenticationTokenException", 400, "Missing Authentication Token"},
	identity.KindAuthAlgorithm:         {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindSignatureV2:           {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindAuthTwice:             {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindAuthMalformed:         {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindAuthCredential:        {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindScopeTerminator:       {"InvalidSignatureException", 400, queryMismatch},
	identity.KindScopeRegion:           {"InvalidSignatureException", 400, queryMismatch},
	identity.KindScopeService:          {"InvalidSignatureException", 400, queryMismatch},
	identity.KindScopeDate:             {"InvalidSignatureException", 400, queryMismatch},
	identity.KindDateMissing:           {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindTimeSkewed:            {"InvalidSignatureException", 400, "Signature expired or not yet current."},
	identity.KindUnknownAccessKey:      {"UnrecognizedClientException", 400, queryBadToken},
	identity.KindSignatureMismatch:     {"InvalidSignatureException", 400, queryMismatch},
	identity.KindPresignMalformed:      {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindPresignExpired:        {"InvalidSignatureException", 400, "Signature expired."},
	identity.KindPresignNotYet:         {"InvalidSignatureException", 400, "Signature not yet current."},
	identity.KindHostNotSigned:         {"InvalidSignatureException", 400, queryMismatch},
	identity.KindHeadersNotSigned:      {"IncompleteSignatureException", 400, queryNotConforming},
	identity.KindPayloadHashMissing:    {"InvalidSignatureException", 400, queryMismatch},
	identity.KindPayloadHashInvalid:    {"InvalidSignatureException", 400, queryMismatch},
	identity.KindPayloadMismatch:       {"InvalidSignatureException", 400, queryMismatch},
	identity.KindPayloadModeUnserved:   {"InvalidSignatureException", 400, queryMismatch},
	identity.KindIncompleteBody:        {"SerializationException", 400, queryBadBody},
	identity.KindInvalidChunkSize:      {"SerializationException", 400, queryBadBody},
	identity.KindMalformedTrailer:      {"SerializationException", 400, queryBadBody},
	identity.KindTrailerMismatch:       {"SerializationException", 400, queryBadBody},
	identity.KindBadDigest:             {"SerializationException", 400, queryBadBody},
	identity.KindMissingContentLength:  {"SerializationException", 400, queryBadBody},
	identity.KindFormMalformed:         {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindFormTooLarge:          {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindFormFiles:             {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindFormArgument:          {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindFormPolicyMalformed:   {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindFormPolicyRefused:     {"AccessDeniedException", 400, "Access denied."},
	identity.KindTooSmall:              {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindInvalidToken:          {"UnrecognizedClientException", 400, queryBadToken},
	identity.KindExpiredToken:          {"ExpiredTokenException", 400, "The security token included in the request is expired"},

	identity.KindInvalidCredentials:  {"NotAuthorizedException", 400, "Incorrect username or password."},
	identity.KindPasswordExpired:     {"PasswordResetRequiredException", 400, "Password reset required for the user"},
	identity.KindMFARequired:         {"NotAuthorizedException", 400, "MFA required."},
	identity.KindInvalidClient:       {"ResourceNotFoundException", 400, "The client does not exist."},
	identity.KindUnauthorizedClient:  {"InvalidParameterException", 400, "The flow is not enabled for this client."},
	identity.KindUnsupportedGrant:    {"InvalidParameterException", 400, "The flow is not supported."},
	identity.KindInvalidGrant:        {"NotAuthorizedException", 400, "Invalid Refresh Token"},
	identity.KindInvalidScope:        {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindInvalidBearer:       {"NotAuthorizedException", 400, "Invalid Access Token"},
	identity.KindInvalidIdentity:     {"NotAuthorizedException", 400, "Invalid login token."},
	identity.KindExpiredIdentity:     {"NotAuthorizedException", 400, "Invalid login token. Token expired."},
	identity.KindIdentityRejected:    {"NotAuthorizedException", 400, jsonNotAuthorized},
	identity.KindProviderUnreachable: {"ExternalServiceException", 400, "The identity provider could not be reached. Try again."},

	identity.KindNoSuchBucket:      {"ResourceNotFoundException", 400, "The resource was not found."},
	identity.KindBucketOwnedByYou:  {"ResourceConflictException", 400, "The resource exists already."},
	identity.KindBucketExists:      {"ResourceConflictException", 400, "The resource exists already."},
	identity.KindInvalidBucketName: {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindInvalidKey:        {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindInvalidRequest:    {"InvalidParameterException", 400, jsonBadParameter},
	identity.KindMalformedXML:      {"SerializationException", 400, queryBadBody},
	identity.KindUpstream:          {"ExternalServiceException", 400, "A service behind this one refused the request."},
}
