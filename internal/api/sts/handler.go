package sts

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"daypass/internal/access"
	"daypass/internal/awswire"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// Authenticator accepts signed requests; *access.Access is the implementation.
type Authenticator interface {
	Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error)
}

// Issuer mints session keys; *issue.Issuer is the implementation.
type Issuer interface {
	WebIdentity(ctx context.Context, r issue.WebIdentityRequest) (issue.WebIdentityResult, error)
	AssumeRole(ctx context.Context, c *identity.Caller, r issue.AssumeRoleRequest) (issue.AssumedRole, error)
	SessionToken(ctx context.Context, c *identity.Caller, r issue.SessionTokenRequest) (identity.SessionKeys, error)
	FederationToken(ctx context.Context, c *identity.Caller, r issue.FederationTokenRequest) (issue.FederationToken, error)
	SAML(ctx context.Context, r issue.SAMLRequest) (issue.SAMLResult, error)
	AssumeRoot(ctx context.Context, c *identity.Caller, r issue.AssumeRootRequest) (issue.AssumedRoot, error)
	OutboundToken(ctx context.Context, c *identity.Caller, r issue.OutboundTokenRequest) (issue.OutboundToken, error)
	AccessKeyAccount(ctx context.Context, c *identity.Caller, keyID string) (string, error)
}

var (
	_ Authenticator = (*access.Access)(nil)
	_ Issuer        = (*issue.Issuer)(nil)
)

// Config is what a Handler needs.
type Config struct {
	Access   Authenticator
	Issuer   Issuer
	Messages Messages
	Log      *slog.Logger
	// MinDurationSeconds is the least DurationSeconds; 0 means 900.
	MinDurationSeconds int
	// LongExpiredCode answers an expired web-identity token with
	// ExpiredTokenException in place of ExpiredToken.
	LongExpiredCode bool
}

// DefaultMinDurationSeconds is the least DurationSeconds of the API's model.
const DefaultMinDurationSeconds = 900

// Handler answers every request that was routed to the service sts.
type Handler struct {
	access      Authenticator
	issuer      Issuer
	messages    Messages
	log         *slog.Logger
	service     awswire.QueryService
	minDuration int
}

// New makes a Handler.
func New(c Config) *Handler {
	h := &Handler{access: c.Access, issuer: c.Issuer, messages: c.Messages, log: c.Log, service: awswire.STS, minDuration: c.MinDurationSeconds}
	h.service.LongExpiredCode = c.LongExpiredCode
	if h.minDuration == 0 {
		h.minDuration = DefaultMinDurationSeconds
	}
	return h
}

// proof says how the caller of an action shows itself.
type proof int

const (
	// unsigned: what the request carries is the proof; a signature is ignored.
	unsigned proof = iota
	// signed: in the header only.
	signed
	// signedOrPresigned: in the header or, for GET, in the query.
	signedOrPresigned
)

// call is one request to a known action; caller is nil for unsigned ones.
type call struct {
	ctx    context.Context
	form   *awswire.Form
	caller *identity.Caller
}

// action is one row of the table of actions. Its function returns what writes
// the content of the result element.
type action struct {
	proof proof
	serve func(*Handler, *call) (func(*awswire.XML), error)
}

var actions = map[string]action{
	"AssumeRole":                 {signed, (*Handler).assumeRole},
	"AssumeRoleWithSAML":         {unsigned, (*Handler).assumeRoleWithSAML},
	"AssumeRoleWithWebIdentity":  {unsigned, (*Handler).assumeRoleWithWebIdentity},
	"AssumeRoot":                 {signed, (*Handler).assumeRoot},
	"DecodeAuthorizationMessage": {signed, (*Handler).decodeAuthorizationMessage},
	"GetAccessKeyInfo":           {signed, (*Handler).getAccessKeyInfo},
	"GetCallerIdentity":          {signedOrPresigned, (*Handler).getCallerIdentity},
	"GetFederationToken":         {signed, (*Handler).getFederationToken},
	"GetSessionToken":            {signed, (*Handler).getSessionToken},
	"GetWebIdentityToken":        {signed, (*Handler).getWebIdentityToken},
}

// Actions are the names of the actions served, sorted, for the router and the
// documentation.
func Actions() []string { return slices.Sorted(maps.Keys(actions)) }

// ServeHTTP answers always in the envelope of STS.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := identity.RequestOf(r.Context()).ID
	name, result, err := h.serve(r)
	if err != nil {
		h.refuse(w, r, id, name, err)
		return
	}
	awswire.WriteResponse(w, h.service, name, id, result)
}

func (h *Handler) serve(r *http.Request) (name string, result func(*awswire.XML), err error) {
	form, err := awswire.ParseQuery(r, awswire.MaxBody)
	if err != nil {
		return "", nil, err
	}
	if name, err = form.Required("Action"); err != nil {
		return "", nil, err
	}
	a, known := actions[name]
	if version := form.Version(); !known || version != awswire.VersionSTS {
		if version == "" {
			version = noVersion
		}
		return name, nil, awswire.UnknownAction(name, version)
	}
	c := &call{ctx: r.Context(), form: form}
	if a.proof != unsigned {
		service := access.ServiceSTS
		service.Presigned = a.proof == signedOrPresigned && r.Method == http.MethodGet
		who, err := h.access.Authenticate(r, service, form.BodySHA256)
		if err != nil {
			return name, nil, err
		}
		c.caller = &who.Caller
	}
	result, err = a.serve(h, c)
	return name, result, err
}

// noVersion stands in the message for a request that names no version.
const noVersion = "NO_VERSION_SPECIFIED"

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, id, name string, err error) {
	if identity.KindOf(err) == identity.KindMethodNotAllowed {
		w.Header().Set("Allow", "GET, POST")
	}
	f := awswire.WriteQueryError(w, h.service, id, err)
	level := slog.LevelInfo
	if f.Status >= 500 {
		level = slog.LevelError
	}
	if _, known := actions[name]; !known {
		name = ""
	}
	h.log.LogAttrs(r.Context(), level, "sts request refused", slog.String("request_id", id),
		slog.String("action", name), slog.Int("status", f.Status), slog.String("code", f.Code), slog.Any("cause", err))
}
