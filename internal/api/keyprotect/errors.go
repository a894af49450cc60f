package keyprotect

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/kms"
)

// failure is how an error is answered.
type failure struct {
	status int
	code   string
	// sentence stands where the error brings none.
	sentence string
	// alike answers keep to their sentence, whatever the error says.
	alike bool
}

var (
	internal = failure{500, "INTERNAL_SERVER_ERR", "The request failed because of an internal error.", true}
	// unauthorized is one answer for bad tokens, missing roles, absent and foreign
	// instances, and calls from where none may come.
	unauthorized = failure{401, "UNAUTHORIZED_ERR", "The user does not have access to the specified resource", true}
	badBody      = failure{status: 400, code: "BAD_BODY_ERR", sentence: "The body of the request is not valid."}
	badField     = failure{status: 400, code: "INVALID_FIELD_ERR", sentence: "A value is not valid."}
	badQueryText = failure{status: 400, code: "INVALID_QUERY_PARAM_ERR", sentence: "The query is not valid."}
	noBody       = failure{status: 400, code: "NO_BODY_ERR", sentence: "The request needs a body."}
	notFound     = failure{status: 404, code: "KEY_NOT_FOUND_ERR", sentence: "The key does not exist."}
	notUnique    = failure{status: 409, code: "NOT_UNIQUE_ERR", sentence: "The name is taken."}
	inUse        = failure{status: 409, code: "KEY_RING_NOT_EMPTY_ERR", sentence: "It is in use."}
	limit        = failure{status: 400, code: "LIMIT_EXCEEDED_ERR", sentence: "A limit is exceeded."}
	state        = failure{status: 409, code: "KEY_ACTION_INVALID_STATE_ERR", sentence: "The key is not in a state that allows it."}
	unavailable  = failure{503, "SERVICE_UNAVAILABLE_ERR", "The service is unavailable for a moment. Try again.", true}
)

// reasons is the table of kms's reasons.
var reasons = map[kms.Reason]failure{
	kms.ReasonNotFound:           notFound,
	kms.ReasonDeleted:            {status: 410, code: "KEY_DELETED_ERR", sentence: "The key was deleted."},
	kms.ReasonState:              state,
	kms.ReasonExpired:            {status: 400, code: "KEY_EXPIRED_ERR", sentence: "The key has expired."},
	kms.ReasonNotRoot:            {status: 400, code: "KEY_ROOT_REQ_ERR", sentence: "The action needs a root key."},
	kms.ReasonNotImported:        {status: 400, code: "KEY_IMPT_REQ_ERR", sentence: "The action needs an imported key."},
	kms.ReasonPayloadNeeded:      {status: 400, code: "KEY_PAYLOAD_REQ_ERR", sentence: "The action needs the key material."},
	kms.ReasonCiphertext:         {status: 422, code: "UNPROCESSABLE_CIPHERTEXT_ERR", sentence: "The ciphertext cannot be opened."},
	kms.ReasonNonce:              {status: 400, code: "INCORRECT_NONCE_ERR", sentence: "The nonce is not that of the import token."},
	kms.ReasonNonceIV:            {status: 400, code: "INCORRECT_NONCE_IV_ERR", sentence: "The initialization vector is not valid."},
	kms.ReasonImportTokenExpired: {status: 409, code: "IMPORT_TOKEN_EXPIRED_ERR", sentence: "The import token has expired."},
	kms.ReasonRestoreExpired:     {status: 400, code: "KEY_RESTORE_EXPIRED", sentence: "The key can no longer be restored."},
	kms.ReasonProtected:          {status: 409, code: "PROTECTED_RESOURCE_ERR", sentence: "The key protects resources."},
	kms.ReasonDeletionPrevented:  {status: 409, code: "PREV_KEY_DEL_ERR", sentence: "A registration prevents the deletion of the key."},
	kms.ReasonDualAuth:           {status: 409, code: "AUTHORIZATIONS_NOT_MET", sentence: "Two principals must agree to the deletion of the key."},
	kms.ReasonNotDualAuth:        {status: 409, code: "NOT_DUAL_AUTH_ERR", sentence: "The key has no policy of dual authorization."},
	kms.ReasonTooEarly:           {status: 409, code: "REQ_TOO_EARLY_ERR", sentence: "It is too early for the request."},
	kms.ReasonRotationTooEarly:   {status: 409, code: "KEY_ROTATION_NOT_PERMITTED", sentence: "It is too early for another rotation."},
	kms.ReasonCreationNotAllowed: {status: 409, code: "KEY_CREATE_IMPORT_ACCESS_ERR", sentence: "A policy of the instance does not allow such keys."},
	kms.ReasonNotAllowedFrom:     unauthorized,
	kms.ReasonServiceOnly:        {status: 403, code: "SERVICE_ONLY_ERR", sentence: "Only services may do this."},
	kms.ReasonExists:             notUnique,
	kms.ReasonInUse:              inUse,
	kms.ReasonLimit:              limit,
	kms.ReasonBadField:           badField,
	kms.ReasonRegistersRoot:      {status: 422, code: "KEY_ROOT_REQ_REG_ERR", sentence: "Registrations need a root key."},
	kms.ReasonNotOwner:           {status: 403, code: "RESOURCE_OWNER_ERR", sentence: "It is another's."},
	kms.ReasonPolicyConflict:     {status: 403, code: "CONFIG_RULE_CONFLICT_ERR", sentence: "The policies contradict each other."},
}

// failures is the table of kinds, for errors without a reason. What no method
// called here returns is our own fault.
var failures = map[identity.Kind]failure{
	identity.KindInternal:         internal,
	identity.KindUnavailable:      unavailable,
	identity.KindThrottled:        {429, "TOO_MANY_REQUESTS_ERR", "Too many requests. Try again later.", true},
	identity.KindInvalidAction:    {404, "RESOURCE_NOT_FOUND_ERR", "There is nothing at this path.", true},
	identity.KindMethodNotAllowed: {405, "METHOD_NOT_ALLOWED_ERR", "The path does not take this method.", true},
	identity.KindMissingParameter: noBody,
	identity.KindValidation:       badField,
	identity.KindInvalidInput:     badBody,
	identity.KindInvalidRequest:   badQueryText,
	identity.KindIncompleteBody:   badBody,
	identity.KindScopeService:     {400, "BAD_REQUEST_ERR", "The request names more than one service.", true},
	identity.KindTooLarge:         {status: 413, code: "REQUEST_TOO_LARGE_ERR", sentence: "The request is larger than the API accepts."},
	identity.KindNotImplemented:   {status: 501, code: "FEATURE_RESTRICTED_ERR", sentence: "This is not implemented."},
	identity.KindNotFound:         notFound,
	identity.KindAlreadyExists:    notUnique,
	identity.KindConflict:         {status: 409, code: "CONFLICT_ERR", sentence: "It was changed at the same time. Try again."},
	identity.KindDeleteConflict:   inUse,
	identity.KindLimitExceeded:    limit,

	identity.KindAccessDenied:          unauthorized,
	identity.KindMissingAuthentication: unauthorized,
	identity.KindInvalidBearer:         unauthorized,
	identity.KindInvalidToken:          unauthorized,
	identity.KindExpiredToken:          unauthorized,
}

// Errors that only this dialect knows.
var (
	errCollectionTotal = &ownError{"COLLECTION_TOTAL_MISMATCH_ERR", "The metadata's collectionTotal is not the number of resources."}
	errResources       = &ownError{"NUM_COLLECTION_RESOURCE_ERR", "The number of resources is not one that the operation takes."}
	errQueryMismatch   = &ownError{"BODY_QUERY_PARAM_MISMATCH_ERR", "The body is not about what the parameter policy names."}
)

// ownError is one with a code of its own; its status is 400.
type ownError struct{ code, sentence string }

func (e *ownError) Error() string { return e.code + ": " + e.sentence }

// judge finds the answer for an error.
func judge(err error) (failure, *identity.Error) {
	e := identity.AsError(err)
	if own := (*ownError)(nil); errors.As(err, &own) {
		return failure{status: 400, code: own.code, sentence: own.sentence}, e
	}
	f, known := reasons[kms.ReasonOf(err)]
	if !known {
		f, known = failures[e.Kind]
	}
	if !known {
		f = internal
	}
	if e.Public != "" && !f.alike {
		f.sentence = identity.WithoutMessage(e.Public)
	}
	return f, e
}

// reason is why a request was refused.
type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status"`
}

// refusal is the one resource of an error. IBM's client for Go looks into a body
// that has errorMsg alone.
type refusal struct {
	Message string   `json:"errorMsg"`
	Reasons []reason `json:"reasons"`
}

const errorType = "application/vnd.ibm.kms.error+json"

// message is errorMsg: the name of the status, and for what is worth reading twice
// where to read on.
func (f *failure) message() string {
	name := http.StatusText(f.status)
	if f.status == http.StatusUnauthorized {
		return name + ": " + f.sentence
	}
	what := "Request could not be performed"
	if strings.HasPrefix(f.code, "KEY_") {
		what = "Action could not be performed on key"
	}
	return name + ": " + what + ". Please see `reasons` for more details."
}

// WriteError answers err in the dialect's envelope, for what never gets to a
// Handler.
func WriteError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	correlate(w, r, requestID)
	writeFailure(w, err)
}

func writeFailure(w http.ResponseWriter, err error) failure {
	f, e := judge(err)
	if e.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	write(w, f.status, "application/json", encode(collectionOf(errorType, []refusal{{
		f.message(), []reason{{f.code, f.sentence, f.status}},
	}})))
	return f
}
