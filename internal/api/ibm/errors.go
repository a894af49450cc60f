package ibm

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"daypass/internal/identity"
)

// failure is how a kind of error is answered.
type failure struct {
	status int
	code   string // of the identity API
	number string // errorCode of the token service, message_code of the identity API
	// sentence stands where the error brings none.
	sentence string
}

var (
	internal    = failure{500, "internal_error", "BXNIM0001E", "The request failed because of an internal error."}
	invalid     = failure{400, "invalid_request", "BXNIM0106E", "The request is not valid."}
	missing     = failure{400, "invalid_request", "BXNIM0109E", "A property is either missing or empty."}
	notFound    = failure{404, "not_found", "BXNIM0102E", "It was not found."}
	conflict    = failure{409, "conflict", "BXNIM0104E", "It is in conflict with what there is."}
	forbidden   = failure{403, "forbidden", "BXNIM0513E", "You are not authorized to use this API."}
	badToken    = failure{401, "invalid_token", "BXNIM0407E", "Provided token is invalid or expired."}
	badGrant    = failure{400, "invalid_token", "BXNIM0407E", "Provided token is invalid or expired."}
	badProof    = failure{400, "invalid_credentials", "BXNIM0602E", "The credentials you entered are incorrect."}
	factor      = failure{400, "mfa_required", "BXNIM0400E", "External authentication is required."}
	unavailable = failure{503, "unavailable", "BXNIM0002E", "The service is unavailable for a moment. Try again."}
)

// failures is the table of this dialect. What no method called here returns is
// our own fault.
var failures = map[identity.Kind]failure{
	identity.KindInternal:         internal,
	identity.KindUnavailable:      unavailable,
	identity.KindThrottled:        {429, "too_many_requests", "BXNIM0429E", "Too many requests. Try again later."},
	identity.KindInvalidAction:    {404, "not_found", "BXNIM0102E", "There is nothing at this path."},
	identity.KindMissingParameter: missing,
	identity.KindValidation:       invalid,
	identity.KindInvalidInput:     invalid,
	identity.KindTooLarge:         {413, "too_large", "BXNIM0106E", "The request is larger than the API accepts."},
	identity.KindNotImplemented:   {501, "not_implemented", "BXNIM0003E", "This is not implemented."},
	identity.KindMethodNotAllowed: {405, "method_not_allowed", "BXNIM0106E", "The path does not take this method."},
	identity.KindNotFound:         notFound,
	identity.KindAlreadyExists:    conflict,
	identity.KindConflict:         {409, "conflict", "BXNIM0104E", "It was changed at the same time. Read it again."},
	identity.KindDeleteConflict:   conflict,
	identity.KindLimitExceeded:    {400, "limit_exceeded", "BXNIM0106E", "A limit is exceeded."},
	identity.KindAccessDenied:     forbidden,
	identity.KindMalformedPolicy:  invalid,
	identity.KindPolicyTooLarge:   invalid,

	identity.KindMissingAuthentication: {401, "missing_token", "BXNIM0308E", "No authorization header found"},
	identity.KindInvalidToken:          badToken,
	identity.KindExpiredToken:          {400, "expired_token", "BXNIM0408E", "Provided refresh token is expired. Log in again."},
	identity.KindIncompleteBody:        invalid,
	identity.KindScopeService:          invalid,
	identity.KindInvalidRequest:        invalid,

	identity.KindInvalidCredentials:  badProof,
	identity.KindPasswordExpired:     {400, "password_expired", "BXNIM0400E", "The password must be changed first."},
	identity.KindMFARequired:         factor,
	identity.KindInvalidClient:       {400, "invalid_client", "BXNIM0407E", "The client is not the one that the token was given to."},
	identity.KindUnauthorizedClient:  {400, "unauthorized_client", "BXNIM0106E", "The client is not allowed to use this grant."},
	identity.KindUnsupportedGrant:    {400, "unsupported_grant_type", "BXNIM0106E", "Validation of property 'grant_type' failed: it is not supported."},
	identity.KindInvalidGrant:        badGrant,
	identity.KindInvalidScope:        invalid,
	identity.KindInvalidBearer:       badToken,
	identity.KindInvalidIdentity:     badGrant,
	identity.KindExpiredIdentity:     badGrant,
	identity.KindIdentityRejected:    forbidden,
	identity.KindProviderUnreachable: {503, "unavailable", "BXNIM0002E", "An identity provider could not be reached. Try again."},
}

// refusedProof is the error of a proof that proves nothing, in the words of its
// grant.
type refusedProof struct {
	wrongProof
	err error
}

func (e *refusedProof) Error() string { return e.err.Error() }
func (e *refusedProof) Unwrap() error { return e.err }

// judge finds the answer for an error, and the error with its retry time.
func judge(err error) (failure, *identity.Error) {
	e := identity.AsError(err)
	f, known := failures[e.Kind]
	if !known || e.Kind == identity.KindInternal {
		return internal, e
	}
	if e.Public != "" && e.Kind != identity.KindScopeService { // its sentence is of signatures
		f.sentence = identity.WithoutMessage(e.Public)
	}
	if p := (*refusedProof)(nil); errors.As(err, &p) {
		f.number, f.sentence = p.number, p.sentence
	}
	return f, e
}

// requestContext stands in errors, and in objects of the identity API. All its
// values are strings.
type requestContext struct {
	RequestID   string `json:"requestId"`
	RequestType string `json:"requestType"`
	UserAgent   string `json:"userAgent"`
	ClientIP    string `json:"clientIp"`
	URL         string `json:"url"`
	InstanceID  string `json:"instanceId"`
	ThreadID    string `json:"threadId"`
	Host        string `json:"host"`
	StartTime   string `json:"startTime"`
	EndTime     string `json:"endTime"`
	ElapsedTime string `json:"elapsedTime"` // milliseconds
	Locale      string `json:"locale"`
	ClusterName string `json:"clusterName"`
}

// machine is what we say for the names of machines, which are nobody's
// business.
const machine = "daypass"

func newContext(facts identity.RequestFacts, name, external string, began, ended time.Time) requestContext {
	return requestContext{
		RequestID: facts.ID, RequestType: "incoming." + name, UserAgent: strings.ToValidUTF8(facts.UserAgent, "?"), ClientIP: facts.SourceIP,
		URL: external, InstanceID: machine, ThreadID: "0", Host: machine, StartTime: contextTime(began), EndTime: contextTime(ended),
		ElapsedTime: strconv.FormatInt(ended.Sub(began).Milliseconds(), 10), Locale: "en_US", ClusterName: machine,
	}
}

func contextTime(t time.Time) string {
	t = t.UTC()
	return fmt.Sprintf("%s:%03d UTC", t.Format("02.01.2006 15:04:05"), t.Nanosecond()/int(time.Millisecond))
}

// tokenError is the error of the token service. A list of errors must not be in
// it: clients would look for the sentence there.
type tokenError struct {
	Code         string         `json:"errorCode"`
	Message      string         `json:"errorMessage"`
	Details      string         `json:"errorDetails"`
	Requirements *requirements  `json:"requirements,omitempty"`
	Context      requestContext `json:"context"`
}

// requirements say what a log-in wants besides.
type requirements struct {
	Code  string `json:"code"`
	Error string `json:"error"`
}

// apiError is the error of the identity API.
type apiError struct {
	Context    requestContext `json:"context"`
	StatusCode string         `json:"status_code"`
	Errors     []apiDetail    `json:"errors"`
	Trace      string         `json:"trace"`
}

type apiDetail struct {
	Code    string `json:"code"`
	Number  string `json:"message_code"`
	Message string `json:"message"`
	Details string `json:"details"`
}

// WriteError answers err in the envelope that belongs to the request's path,
// for what never gets to a Handler.
func WriteError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	w.Header().Set(transactionID, requestID)
	now := time.Now()
	writeFailure(w, r, newContext(identity.RequestFacts{ID: requestID}, "Refused", "", now, now), err)
}

func writeFailure(w http.ResponseWriter, r *http.Request, c requestContext, err error) failure {
	f, e := judge(err)
	h := w.Header()
	if e.RetryAfterSeconds > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if strings.HasPrefix(r.RequestURI, tokenPrefix) || !strings.HasPrefix(r.RequestURI, "/v") {
		body := tokenError{Code: f.number, Message: f.sentence, Context: c}
		if e.Kind == identity.KindMFARequired {
			body.Requirements = &requirements{"TOTP", f.sentence}
		}
		send(w, f.status, encode(body))
		return f
	}
	if isPolicyPath(r.RequestURI) {
		send(w, f.status, encode(policyError{Trace: c.RequestID, Errors: []policyDetail{{policyCode(&f, r.RequestURI), f.sentence}}, StatusCode: f.status}))
		return f
	}
	send(w, f.status, encode(apiError{
		Context: c, StatusCode: strconv.Itoa(f.status), Trace: c.RequestID,
		Errors: []apiDetail{{Code: f.code, Number: f.number, Message: f.sentence}},
	}))
	return f
}
