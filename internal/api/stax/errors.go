package stax

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"daypass/internal/identity"
)

// failure is how a kind is answered.
type failure struct {
	code     string // "Error", and x-amzn-ErrorType
	status   int
	sentence string // "Cause" where the error brings none
	// gateway: the refusal comes before the API, from what is Amazon's API
	// Gateway there, whose clients read the member "message".
	gateway bool
}

// Sentences that several kinds share.
const (
	badRequest    = "The request is not valid."
	badBody       = "The body could not be read."
	notConforming = "The request signature does not conform to AWS standards."
	mismatch      = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	badToken      = "The security token included in the request is invalid."
	notAllowed    = "Not authorised."
)

// Codes of API Gateway.
const (
	incompleteSignature = "IncompleteSignatureException"
	invalidSignature    = "InvalidSignatureException"
	unrecognizedClient  = "UnrecognizedClientException"
)

// failures is the one table of this API.
var failures = map[identity.Kind]failure{
	identity.KindInternal:         {"InternalServerError", 500, "The request failed because of an internal error.", false},
	identity.KindUnavailable:      {"ServiceUnavailable", 503, "The service is unavailable for a moment. Try again.", false},
	identity.KindThrottled:        {"TooManyRequests", 429, "Too many requests. Try again later.", false},
	identity.KindInvalidAction:    {"NotFound", 404, "There is nothing at this path.", false},
	identity.KindMissingParameter: {"BadRequest", 400, badRequest, false},
	identity.KindValidation:       {"BadRequest", 400, badRequest, false},
	identity.KindInvalidInput:     {"BadRequest", 400, badRequest, false},
	identity.KindTooLarge:         {"RequestTooLarge", 413, "The request is larger than the API accepts.", false},
	identity.KindNotImplemented:   {"NotImplemented", 501, "This is not implemented.", false},
	identity.KindMethodNotAllowed: {"MethodNotAllowed", 405, "The path does not take this method.", false},
	identity.KindNotFound:         {"NotFound", 404, "It was not found.", false},
	identity.KindAlreadyExists:    {"Conflict", 409, "It exists already.", false},
	identity.KindConflict:         {"Conflict", 409, "It was changed at the same time. Try again.", false},
	identity.KindDeleteConflict:   {"Conflict", 409, "It is still in use.", false},
	identity.KindLimitExceeded:    {"LimitExceeded", 400, "A limit is exceeded.", false},
	identity.KindAccessDenied:     {"AccessDeniedException", 403, notAllowed, true},
	identity.KindMalformedPolicy:  {"BadRequest", 400, badRequest, false},
	identity.KindPolicyTooLarge:   {"BadRequest", 400, badRequest, false},
	identity.KindInvalidMessage:   {"BadRequest", 400, badRequest, false},

	identity.KindMissingAuthentication: {"MissingAuthenticationTokenException", 403, "Missing Authentication Token", true},
	identity.KindAuthAlgorithm:         {incompleteSignature, 403, notConforming, true},
	identity.KindSignatureV2:           {incompleteSignature, 403, notConforming, true},
	identity.KindAuthTwice:             {incompleteSignature, 403, notConforming, true},
	identity.KindAuthMalformed:         {incompleteSignature, 403, notConforming, true},
	identity.KindAuthCredential:        {incompleteSignature, 403, notConforming, true},
	identity.KindScopeTerminator:       {invalidSignature, 403, mismatch, true},
	identity.KindScopeRegion:           {invalidSignature, 403, mismatch, true},
	identity.KindScopeService:          {invalidSignature, 403, mismatch, true},
	identity.KindScopeDate:             {invalidSignature, 403, mismatch, true},
	identity.KindDateMissing:           {incompleteSignature, 403, notConforming, true},
	identity.KindTimeSkewed:            {invalidSignature, 403, "Signature expired or not yet current.", true},
	identity.KindUnknownAccessKey:      {unrecognizedClient, 403, badToken, true},
	identity.KindSignatureMismatch:     {invalidSignature, 403, mismatch, true},
	identity.KindPresignMalformed:      {incompleteSignature, 403, notConforming, true},
	identity.KindPresignExpired:        {invalidSignature, 403, "Signature expired.", true},
	identity.KindPresignNotYet:         {invalidSignature, 403, "Signature not yet current.", true},
	identity.KindHostNotSigned:         {invalidSignature, 403, mismatch, true},
	identity.KindHeadersNotSigned:      {incompleteSignature, 403, notConforming, true},
	identity.KindPayloadHashMissing:    {invalidSignature, 403, mismatch, true},
	identity.KindPayloadHashInvalid:    {invalidSignature, 403, mismatch, true},
	identity.KindPayloadMismatch:       {invalidSignature, 403, mismatch, true},
	identity.KindPayloadModeUnserved:   {invalidSignature, 403, mismatch, true},
	identity.KindIncompleteBody:        {"BadRequest", 400, badBody, false},
	identity.KindInvalidChunkSize:      {"BadRequest", 400, badBody, false},
	identity.KindMalformedTrailer:      {"BadRequest", 400, badBody, false},
	identity.KindTrailerMismatch:       {"BadRequest", 400, badBody, false},
	identity.KindBadDigest:             {"BadRequest", 400, badBody, false},
	identity.KindMissingContentLength:  {"BadRequest", 400, badBody, false},
	identity.KindFormMalformed:         {"BadRequest", 400, badBody, false},
	identity.KindFormTooLarge:          {"BadRequest", 400, badBody, false},
	identity.KindFormFiles:             {"BadRequest", 400, badBody, false},
	identity.KindFormArgument:          {"BadRequest", 400, badBody, false},
	identity.KindFormPolicyMalformed:   {"BadRequest", 400, badBody, false},
	identity.KindFormPolicyRefused:     {"AccessDeniedException", 403, notAllowed, true},
	identity.KindTooSmall:              {"BadRequest", 400, badRequest, false},
	identity.KindInvalidToken:          {unrecognizedClient, 403, badToken, true},
	identity.KindExpiredToken:          {"ExpiredTokenException", 403, "The security token included in the request is expired", true},

	identity.KindInvalidCredentials:  {unrecognizedClient, 403, badToken, true},
	identity.KindPasswordExpired:     {"AccessDeniedException", 403, "The password must be changed first.", true},
	identity.KindMFARequired:         {"AccessDeniedException", 403, "A second factor is required.", true},
	identity.KindInvalidClient:       {unrecognizedClient, 403, badToken, true},
	identity.KindUnauthorizedClient:  {"AccessDeniedException", 403, notAllowed, true},
	identity.KindUnsupportedGrant:    {"BadRequest", 400, badRequest, false},
	identity.KindInvalidGrant:        {unrecognizedClient, 403, badToken, true},
	identity.KindInvalidScope:        {"BadRequest", 400, badRequest, false},
	identity.KindInvalidBearer:       {unrecognizedClient, 403, badToken, true},
	identity.KindInvalidIdentity:     {unrecognizedClient, 403, badToken, true},
	identity.KindExpiredIdentity:     {"ExpiredTokenException", 403, "The security token included in the request is expired", true},
	identity.KindIdentityRejected:    {"AccessDeniedException", 403, notAllowed, true},
	identity.KindProviderUnreachable: {"BadGateway", 502, "An identity provider could not be reached. Try again.", false},

	identity.KindNoSuchBucket:      {"NotFound", 404, "It was not found.", false},
	identity.KindBucketOwnedByYou:  {"Conflict", 409, "It exists already.", false},
	identity.KindBucketExists:      {"Conflict", 409, "It exists already.", false},
	identity.KindInvalidBucketName: {"BadRequest", 400, badRequest, false},
	identity.KindInvalidKey:        {"BadRequest", 400, badRequest, false},
	identity.KindInvalidRequest:    {"BadRequest", 400, badRequest, false},
	identity.KindMalformedXML:      {"BadRequest", 400, badBody, false},
	identity.KindUpstream:          {"BadGateway", 502, "A service behind this one refused the request.", false},
}

// failureOf says how an error is answered. Of a refused signature Public is a
// sentence of S3; the detail "QueryMessage" is the one that other services say.
func failureOf(e *identity.Error) failure {
	f, known := failures[e.Kind]
	if !known || e.Kind == identity.KindInternal {
		return failures[identity.KindInternal]
	}
	if m := e.DetailValue("QueryMessage"); m != "" {
		f.sentence = m
	} else if e.Public != "" {
		f.sentence = e.Public
	}
	return f
}

// errorBody is the Error of the API; what API Gateway would refuse carries its
// "message" besides, which says the same.
type errorBody struct {
	Error   string
	Cause   string
	Message string `json:"message,omitempty"`
}

// WriteError answers err as {"Error": …, "Cause": …}, with the code in
// x-amzn-ErrorType.
func WriteError(w http.ResponseWriter, requestID string, err error) {
	writeFailure(w, requestID, err)
}

func writeFailure(w http.ResponseWriter, requestID string, err error) failure {
	e := identity.AsError(err)
	f := failureOf(e)
	body := errorBody{Error: f.code, Cause: f.sentence}
	if f.gateway {
		body.Message = identity.WithoutMessage(f.sentence) // once is enough
	}
	h := w.Header()
	h.Set("X-Amzn-Errortype", f.code)
	if e.RetryAfterSeconds > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	send(w, requestID, f.status, encode(body))
	return f
}

// encode writes JSON as it is: nobody embeds it in a page.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // strings, maps of strings and structs of them always encode
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// send answers in one write. Nothing of it may be cached.
func send(w http.ResponseWriter, requestID string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Amzn-Requestid", requestID)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
