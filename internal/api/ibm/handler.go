package ibm

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// TokenPath is the token endpoint that older clients know; the other paths
// begin with one of Prefixes.
const TokenPath = "/oidc/token"

// Prefixes are what the paths of the dialect begin with.
func Prefixes() []string { return []string{tokenPrefix, "/v1/", "/v2/"} }

// tokenPrefix is that of the token service.
const tokenPrefix = "/identity/"

// Issuer is what the token service calls; *issue.Issuer is the implementation.
type Issuer interface {
	IBMAPIKey(ctx context.Context, key identity.Secret, account string, client issue.IBMClient) (issue.IBMTokens, error)
	IBM() (issue.IBMFacts, error)
}

var _ Issuer = (*issue.Issuer)(nil)

// Config is what a Handler needs.
type Config struct {
	Issuer Issuer
	// ExternalURL is the installation's URL, without a slash at its end.
	ExternalURL string
	// ConsoleURL is that of the pages for people; "" without any.
	ConsoleURL string
	Clock      identity.Clock
	Log        *slog.Logger
}

// Handler serves the dialect.
type Handler struct {
	Config
}

// New makes a Handler.
func New(c Config) *Handler {
	c.ExternalURL = strings.TrimSuffix(c.ExternalURL, "/")
	return &Handler{c}
}

// call is one request to a path that exists.
type call struct {
	ctx context.Context
	w   http.ResponseWriter
	r   *http.Request
}

// operation writes the answer of a success and returns the error of a refusal.
type operation func(*Handler, *call) error

// endpoint is one row of the table of paths.
type endpoint struct {
	// name is how "requestType" calls it.
	name    string
	methods map[string]operation
}

var endpoints = map[string]endpoint{
	"/identity/token": {"Identity_Token", post((*Handler).token)},
	TokenPath:         {"Identity_Token", post((*Handler).token)},
	"/identity/keys":  {"Identity_Keys", get((*Handler).keys)},
	"/identity/.well-known/openid-configuration": {"Identity_Configuration", get((*Handler).discovery)},
	"/identity/passcode":                         {"Identity_Passcode", get((*Handler).passcode)},
}

func get(serve operation) map[string]operation { return map[string]operation{http.MethodGet: serve} }

func post(serve operation) map[string]operation { return map[string]operation{http.MethodPost: serve} }

// ServeHTTP answers for the paths of the dialect, which are taken as sent,
// never cleaned.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.Clock.Now()
	path, _, _ := strings.Cut(r.RequestURI, "?")
	e, ok := endpoints[path]
	err := h.serve(&call{ctx: r.Context(), w: w, r: r}, &e)
	if err == nil {
		return
	}
	if !ok {
		e.name = "Unknown"
	}
	h.refuse(w, r, e.name, began, err)
}

func (h *Handler) serve(c *call, e *endpoint) error {
	c.w.Header().Set(transactionID, identity.RequestOf(c.ctx).ID)
	if e.methods == nil {
		return identity.NewError(identity.KindInvalidAction, "ibm.serve", "")
	}
	method := c.r.Method
	if method == http.MethodHead { // net/http leaves the body out
		method = http.MethodGet
	}
	serve, ok := e.methods[method]
	if !ok {
		c.w.Header().Set("Allow", allowed(e.methods))
		return identity.NewError(identity.KindMethodNotAllowed, "ibm.serve", "")
	}
	return serve(h, c)
}

// allowed are the methods of a path, for Allow.
func allowed(methods map[string]operation) string {
	var out []string
	for m := range methods {
		if out = append(out, m); m == http.MethodGet {
			out = append(out, http.MethodHead)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, name string, began time.Time, err error) {
	facts := identity.RequestOf(r.Context())
	f := writeFailure(w, r, newContext(facts, name, h.ExternalURL, began, h.Clock.Now()), err)
	level := slog.LevelInfo
	if f.status >= 500 {
		level = slog.LevelError
	}
	h.Log.LogAttrs(r.Context(), level, "IBM request refused", slog.String("request_id", facts.ID), slog.String("method", r.Method),
		slog.Int("status", f.status), slog.String("code", f.number), slog.Any("cause", err))
}
