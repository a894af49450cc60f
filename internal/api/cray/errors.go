package cray

import (
	"log/slog"
	"net/http"
	"strconv"

	"daypass/internal/identity"
)

// failure is how a kind is answered.
type failure struct {
	status int
	detail string // where the error brings none
	// own: the error's sentence is in the words of another protocol, so that
	// detail stands in its place.
	own bool
}

const (
	badToken    = "The bearer token is not one that this token service takes: it must be a valid access token of a realm or provider that the service lists, for an audience that it lists."
	oldToken    = "The bearer token has expired, or the log-in that it came from was ended. Log in again."
	badRequest  = "The request is not valid."
	unsigned    = "The token service takes a bearer token; a signed request is not for it."
	internal    = "The token service failed by an error of its own. The log has its cause, under the request's ID."
	badUpstream = "The token service could not use its S3 upstream. The log has the cause, under the request's ID."
)

// failures is the one table of this API.
var failures = map[identity.Kind]failure{
	identity.KindInternal:         {500, internal, true},
	identity.KindUnavailable:      {503, "The token service cannot give keys for a moment. Try again.", false},
	identity.KindThrottled:        {429, "Too many requests. Try again later.", false},
	identity.KindInvalidAction:    {404, "There is nothing at this path; the token service has PUT " + Prefix + "token and GET " + Prefix + "healthz.", false},
	identity.KindMissingParameter: {400, badRequest, false},
	identity.KindValidation:       {400, badRequest, false},
	identity.KindInvalidInput:     {400, badRequest, false},
	identity.KindTooLarge:         {413, "The request is larger than the token service reads.", false},
	identity.KindNotImplemented:   {501, "This is not implemented.", false},
	identity.KindMethodNotAllowed: {405, "The path does not take this method.", false},
	identity.KindNotFound:         {404, "No token service answers under this host name.", false},
	identity.KindAlreadyExists:    {500, internal, true},
	identity.KindConflict:         {503, "Something changed at the same time. Try again.", false},
	identity.KindDeleteConflict:   {500, internal, true},
	identity.KindLimitExceeded:    {403, "A limit of the account is exceeded.", false},
	identity.KindAccessDenied:     {403, "The token is good, but no rule of the token service gives its owner keys.", false},
	identity.KindMalformedPolicy:  {500, internal, true},
	identity.KindPolicyTooLarge:   {403, "The session's policies and tags are larger than a session token can hold.", false},
	identity.KindInvalidMessage:   {500, internal, true},

	identity.KindMissingAuthentication: {401, `A bearer token is missing: send "Authorization: Bearer TOKEN".`, false},
	identity.KindAuthTwice:             {401, "The request carries more than one credential.", false},
	identity.KindAuthAlgorithm:         {401, unsigned, true},
	identity.KindSignatureV2:           {401, unsigned, true},
	identity.KindAuthMalformed:         {401, unsigned, true},
	identity.KindAuthCredential:        {401, unsigned, true},
	identity.KindScopeTerminator:       {401, unsigned, true},
	identity.KindScopeRegion:           {401, unsigned, true},
	identity.KindScopeService:          {400, "The request names more than one service. This path is the token service's: it takes a bearer token, no signature, X-Amz-Target or Action.", true},
	identity.KindScopeDate:             {401, unsigned, true},
	identity.KindDateMissing:           {401, unsigned, true},
	identity.KindTimeSkewed:            {401, unsigned, true},
	identity.KindUnknownAccessKey:      {401, unsigned, true},
	identity.KindSignatureMismatch:     {401, unsigned, true},
	identity.KindPresignMalformed:      {401, unsigned, true},
	identity.KindPresignExpired:        {401, unsigned, true},
	identity.KindPresignNotYet:         {401, unsigned, true},
	identity.KindHostNotSigned:         {401, unsigned, true},
	identity.KindHeadersNotSigned:      {401, unsigned, true},
	identity.KindPayloadHashMissing:    {401, unsigned, true},
	identity.KindPayloadHashInvalid:    {401, unsigned, true},
	identity.KindPayloadMismatch:       {401, unsigned, true},
	identity.KindPayloadModeUnserved:   {401, unsigned, true},
	identity.KindIncompleteBody:        {400, "The body ended too early.", false},
	identity.KindInvalidChunkSize:      {400, badRequest, false},
	identity.KindMalformedTrailer:      {400, badRequest, false},
	identity.KindTrailerMismatch:       {400, badRequest, false},
	identity.KindBadDigest:             {400, badRequest, false},
	identity.KindMissingContentLength:  {400, badRequest, false},
	identity.KindFormMalformed:         {400, badRequest, false},
	identity.KindFormTooLarge:          {413, badRequest, false},
	identity.KindFormFiles:             {400, badRequest, false},
	identity.KindFormArgument:          {400, badRequest, false},
	identity.KindFormPolicyMalformed:   {400, badRequest, false},
	identity.KindFormPolicyRefused:     {403, badRequest, false},
	identity.KindTooSmall:              {400, badRequest, false},
	identity.KindInvalidToken:          {401, badToken, true},
	identity.KindExpiredToken:          {401, oldToken, true},

	identity.KindInvalidCredentials:  {401, badToken, true},
	identity.KindPasswordExpired:     {403, "The password must be changed first.", false},
	identity.KindMFARequired:         {403, "A second factor is required: log in with one.", false},
	identity.KindInvalidClient:       {401, badToken, true},
	identity.KindUnauthorizedClient:  {403, badToken, true},
	identity.KindUnsupportedGrant:    {400, badRequest, false},
	identity.KindInvalidGrant:        {401, oldToken, true},
	identity.KindInvalidScope:        {403, badToken, true},
	identity.KindInvalidBearer:       {401, badToken, false},
	identity.KindInvalidIdentity:     {401, badToken, false},
	identity.KindExpiredIdentity:     {401, oldToken, false},
	identity.KindIdentityRejected:    {403, "The provider's word on the token's owner was refused.", false},
	identity.KindProviderUnreachable: {503, "The keys of the token's issuer could not be fetched. Try again.", false},

	identity.KindNoSuchBucket:      {502, badUpstream, true},
	identity.KindBucketOwnedByYou:  {502, badUpstream, true},
	identity.KindBucketExists:      {502, badUpstream, true},
	identity.KindInvalidBucketName: {502, badUpstream, true},
	identity.KindInvalidKey:        {502, badUpstream, true},
	identity.KindInvalidRequest:    {400, badRequest, false},
	identity.KindMalformedXML:      {502, badUpstream, true},
	identity.KindUpstream:          {502, "The S3 upstream refused to give keys. The log has its answer, under the request's ID.", false},
}

// failureOf says how an error is answered. A kind of no table is our own fault.
func failureOf(e *identity.Error) failure {
	f, known := failures[e.Kind]
	if !known {
		return failures[identity.KindInternal]
	}
	if !f.own && e.Public != "" {
		f.detail = e.Public
	}
	return f
}

// problem is RFC 9457's; the command line of the original prints title and
// detail.
type problem struct {
	Detail string `json:"detail"`
	Status int    `json:"status"`
	Title  string `json:"title"`
	Type   string `json:"type"`
}

// WriteError answers err as application/problem+json.
func WriteError(w http.ResponseWriter, err error) { writeFailure(w, err) }

func writeFailure(w http.ResponseWriter, err error) failure {
	e := identity.AsError(err)
	f := failureOf(e)
	h := w.Header()
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if e.RetryAfterSeconds > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	} else if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	send(w, f.status, "application/problem+json", encode(problem{f.detail, f.status, http.StatusText(f.status), "about:blank"}))
	return f
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f := writeFailure(w, err)
	level := slog.LevelInfo
	if f.status >= 500 {
		level = slog.LevelError
	}
	h.Log.LogAttrs(r.Context(), level, "token service refused", slog.String("request_id", identity.RequestOf(r.Context()).ID),
		slog.String("method", r.Method), slog.Int("status", f.status), slog.Any("cause", err))
}
