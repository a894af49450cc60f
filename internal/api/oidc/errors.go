package oidc

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"daypass/internal/identity"
)

// Values of "error" in the sense of RFC 6749 §5.2, RFC 6750 §3.1 and
// RFC 8628 §3.5 and, for what those leave open, Keycloak's.
const (
	codeInvalidRequest   = "invalid_request"
	codeInvalidClient    = "invalid_client"
	codeInvalidGrant     = "invalid_grant"
	codeInvalidScope     = "invalid_scope"
	codeInvalidToken     = "invalid_token"
	codeUnauthorized     = "unauthorized_client"
	codeUnsupportedGrant = "unsupported_grant_type"
	codeAccessDenied     = "access_denied"
	codeTemporarily      = "temporarily_unavailable"
	codeServerError      = "server_error"
	codeNotFound         = "not_found"
	codeUnknownRealm     = "Realm does not exist"
)

// answer is how a kind of error looks on the wire. An error's own Public text
// replaces the description where public is set.
type answer struct {
	status      int
	code        string
	description string
	public      bool
}

// protocolError is a refusal by this package itself: a request that does not
// follow the protocol.
type protocolError struct {
	code        string
	description string
}

func (e *protocolError) Error() string { return "oidc: " + e.code + ": " + e.description }

func refusal(code, description string) error { return &protocolError{code, description} }

func badRequest(description string) error { return refusal(codeInvalidRequest, description) }

func (e *protocolError) answer() answer {
	a := answer{http.StatusBadRequest, e.code, e.description, false}
	if e.code == codeNotFound {
		a.status = http.StatusNotFound
	}
	return a
}

// answerOf is the exhaustive table from kinds to answers. It reports false for
// a kind without a row, which a test forbids.
func answerOf(k identity.Kind) (answer, bool) {
	switch k {
	case identity.KindInvalidCredentials:
		return answer{401, codeInvalidGrant, "Invalid user credentials", true}, true
	case identity.KindPasswordExpired:
		return answer{400, codeInvalidGrant, "Account is not fully set up: the password must be changed", true}, true
	case identity.KindMFARequired:
		return answer{400, codeInvalidGrant, "Account is not fully set up: a second factor is required", true}, true
	case identity.KindInvalidClient:
		return answer{401, codeInvalidClient, "Invalid client or Invalid client credentials", true}, true
	case identity.KindUnauthorizedClient:
		return answer{400, codeUnauthorized, "The client is not allowed to use this grant", true}, true
	case identity.KindUnsupportedGrant:
		return answer{400, codeUnsupportedGrant, "Unsupported grant_type", true}, true
	case identity.KindInvalidGrant:
		return answer{400, codeInvalidGrant, "Token is not active", true}, true
	case identity.KindInvalidScope:
		return answer{400, codeInvalidScope, "Invalid scopes", true}, true
	case identity.KindMissingAuthentication:
		return answer{401, codeInvalidToken, "Token not provided", false}, true
	case identity.KindInvalidBearer, identity.KindInvalidToken, identity.KindExpiredToken,
		identity.KindInvalidIdentity, identity.KindExpiredIdentity, identity.KindIdentityRejected:
		return answer{401, codeInvalidToken, "Token verification failed", true}, true
	case identity.KindMissingParameter, identity.KindValidation, identity.KindInvalidInput, identity.KindInvalidRequest:
		return answer{400, codeInvalidRequest, "The request is not valid", true}, true
	case identity.KindTooLarge:
		return answer{413, codeInvalidRequest, "The request is too large", true}, true
	case identity.KindMethodNotAllowed:
		return answer{405, codeInvalidRequest, "Method not allowed", false}, true
	case identity.KindNotFound:
		return answer{404, codeUnknownRealm, "", false}, true
	case identity.KindAccessDenied:
		return answer{403, codeAccessDenied, "Access denied", true}, true
	case identity.KindThrottled:
		return answer{429, codeTemporarily, "Too many tries; try again later", true}, true
	case identity.KindUnavailable, identity.KindProviderUnreachable, identity.KindConflict:
		return answer{503, codeTemporarily, "Try again later", true}, true
	case identity.KindNotImplemented, identity.KindInvalidAction:
		return answer{501, codeServerError, "Not implemented", true}, true
	}
	if neverHere(k) {
		return answer{500, codeServerError, "The request could not be processed", false}, true
	}
	return answer{}, false
}

// neverHere lists the kinds that no method called by this package returns: an
// error of such a kind is our own fault, and its text stays in the log.
func neverHere(k identity.Kind) bool {
	switch k {
	case identity.KindInternal, identity.KindAlreadyExists, identity.KindDeleteConflict, identity.KindLimitExceeded,
		identity.KindMalformedPolicy, identity.KindPolicyTooLarge, identity.KindInvalidMessage,
		identity.KindAuthAlgorithm, identity.KindSignatureV2, identity.KindAuthTwice, identity.KindAuthMalformed,
		identity.KindAuthCredential, identity.KindScopeTerminator, identity.KindScopeRegion, identity.KindScopeService,
		identity.KindScopeDate, identity.KindDateMissing, identity.KindTimeSkewed, identity.KindUnknownAccessKey,
		identity.KindSignatureMismatch, identity.KindPresignMalformed, identity.KindPresignExpired,
		identity.KindPresignNotYet, identity.KindHostNotSigned, identity.KindHeadersNotSigned,
		identity.KindPayloadHashMissing, identity.KindPayloadHashInvalid, identity.KindPayloadMismatch,
		identity.KindPayloadModeUnserved, identity.KindIncompleteBody, identity.KindInvalidChunkSize,
		identity.KindMalformedTrailer, identity.KindTrailerMismatch, identity.KindBadDigest,
		identity.KindMissingContentLength, identity.KindFormMalformed, identity.KindFormTooLarge,
		identity.KindFormFiles, identity.KindFormArgument, identity.KindFormPolicyMalformed,
		identity.KindFormPolicyRefused, identity.KindTooSmall,
		identity.KindNoSuchBucket, identity.KindBucketOwnedByYou, identity.KindBucketExists,
		identity.KindInvalidBucketName, identity.KindInvalidKey, identity.KindMalformedXML, identity.KindUpstream:
		return true
	}
	return false
}

// errorBody is RFC 6749 §5.2.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// refuse writes the answer for err. It is the only place that does.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, realm string, err error) {
	a, e := judge(err)
	level := slog.LevelInfo
	if a.status >= 500 {
		level = slog.LevelError
	}
	h.log.LogAttrs(r.Context(), level, "realm request refused",
		slog.String("request_id", identity.RequestOf(r.Context()).ID), slog.Int("status", a.status),
		slog.String("error", a.code), slog.Any("cause", err))
	head := w.Header()
	switch {
	case a.code == codeInvalidToken && identity.KindOf(err) == identity.KindMissingAuthentication:
		// RFC 6750 §3.1: no error code for a request without a token.
		head.Set("WWW-Authenticate", "Bearer realm="+quote(realm))
	case a.code == codeInvalidToken:
		head.Set("WWW-Authenticate", "Bearer realm="+quote(realm)+", error="+quote(a.code)+", error_description="+quote(a.description))
	case a.code == codeInvalidClient:
		// RFC 6749 §5.2: a must where the client came with Authorization.
		head.Set("WWW-Authenticate", "Basic realm="+quote(realm))
	}
	if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
		head.Set("Retry-After", strconv.Itoa(max(1, e.RetryAfterSeconds)))
	}
	noStore(head)
	writeJSON(w, a.status, errorBody{a.code, a.description})
}

// judge finds the answer for an error, and the error with its retry time.
func judge(err error) (answer, *identity.Error) {
	var p *protocolError
	if errors.As(err, &p) {
		return p.answer(), &identity.Error{}
	}
	e := identity.AsError(err)
	a, ok := answerOf(e.Kind)
	if !ok {
		a, _ = answerOf(identity.KindInternal)
	}
	if a.public && e.Public != "" {
		a.description = e.Public
	}
	return a, e
}

// quote makes a quoted-string of RFC 9110 §5.6.4; what may not stand in one
// becomes a question mark.
func quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c >= 0x7f:
			b = append(b, '?')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
