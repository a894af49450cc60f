package stax

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"daypass/internal/access"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// Prefix is what the paths of the API begin with.
const Prefix = access.APIPath

const (
	maxBody       = 1 << 20
	maxParameters = 16
	maxSegment    = 128 // of a path
)

// Authenticator accepts signed requests; *access.Access is the implementation.
type Authenticator interface {
	Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error)
}

// Issuer mints API tokens; *issue.Issuer is the implementation.
type Issuer interface {
	APIToken(ctx context.Context, c *identity.Caller, host string, in issue.NewAPIToken) (issue.CreatedAPIToken, error)
}

// Directory is the rest; *directory.Directory is the implementation.
type Directory interface {
	APIConfig(host string) (directory.APIConfig, error)
	APIUser(ctx context.Context, c *identity.Caller, host string) (directory.APIUser, error)
	APITokens(ctx context.Context, c *identity.Caller, host string, f directory.APITokenFilter, p directory.Page) (directory.Listing[identity.User], error)
	APIToken(ctx context.Context, c *identity.Caller, host, accessKey string) (identity.User, error)
	UpdateAPIToken(ctx context.Context, c *identity.Caller, host, accessKey string, in directory.APITokenChange) (identity.User, error)
	DeleteAPIToken(ctx context.Context, c *identity.Caller, host, accessKey string) (identity.User, error)
}

var (
	_ Authenticator = (*access.Access)(nil)
	_ Issuer        = (*issue.Issuer)(nil)
	_ Directory     = (*directory.Directory)(nil)
)

// Config is what a Handler needs.
type Config struct {
	Access    Authenticator
	Issuer    Issuer
	Directory Directory
	Log       *slog.Logger
}

// Handler answers every request below Prefix.
type Handler struct {
	Config
}

// New makes a Handler.
func New(c Config) *Handler { return &Handler{c} }

// call is one signed request.
type call struct {
	ctx    context.Context
	caller *identity.Caller
	host   string
	// name is the last segment of a path that ends in one, as it was sent.
	name  string
	query url.Values
	body  []byte
}

// operation serves one method of a path: open, or signed.
type operation struct {
	open   func(*Handler, http.ResponseWriter, *http.Request) error
	signed func(*Handler, *call) (any, error)
}

// routes are the paths below Prefix; one that ends in "/" takes a name behind
// it.
var routes = map[string]map[string]operation{
	"public/config": {http.MethodGet: {open: func(h *Handler, w http.ResponseWriter, r *http.Request) error {
		return h.config(w, r, plain)
	}}},
	"public/config/base64": {http.MethodGet: {open: func(h *Handler, w http.ResponseWriter, r *http.Request) error {
		return h.config(w, r, inBase64)
	}}},
	"public/oas3-document": {http.MethodGet: {open: func(_ *Handler, w http.ResponseWriter, _ *http.Request) error {
		public(w, "application/json", openAPI)
		return nil
	}}},
	"users/me": {http.MethodGet: {signed: usersMe}},
	"api-tokens": {
		http.MethodGet:  {signed: listTokens},
		http.MethodPost: {signed: createToken},
	},
	"api-tokens/": {
		http.MethodGet:    {signed: readToken},
		http.MethodPut:    {signed: updateToken},
		http.MethodDelete: {signed: deleteToken},
	},
}

// route finds the methods of a raw path, and the name in it. Nothing is cleaned
// or decoded: no path of the API needs it.
func route(path string) (methods map[string]operation, name string) {
	path, ok := strings.CutPrefix(path, Prefix)
	if !ok || path == "" {
		return nil, ""
	}
	if methods, ok := routes[path]; ok && path[len(path)-1] != '/' {
		return methods, ""
	}
	i := strings.LastIndexByte(path, '/') + 1
	if name = path[i:]; name == "" || len(name) > maxSegment {
		return nil, ""
	}
	return routes[path[:i]], name
}

// allowed are the methods of a path, for Allow.
func allowed(methods map[string]operation) string {
	out := "OPTIONS"
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		_, ok := methods[m]
		if _, get := methods[http.MethodGet]; ok || m == http.MethodHead && get {
			out += ", " + m
		}
	}
	return out
}

// ServeHTTP answers in the API's own envelope. Pages of any origin may read
// it: nothing here is decided by a cookie.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := identity.RequestOf(r.Context()).ID
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	head.Set("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,Date")
	answer, err := h.serve(w, r)
	switch {
	case err != nil:
		h.refuse(w, r, id, err)
	case answer != nil:
		send(w, id, http.StatusOK, encode(answer))
	}
}

// serve returns the answer, or nil when it was given.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	methods, name := route(path)
	if methods == nil {
		return nil, refusal(identity.KindInvalidAction, "")
	}
	method := r.Method
	if method == http.MethodHead { // net/http leaves the body out
		method = http.MethodGet
	}
	op, ok := methods[method]
	if !ok {
		w.Header().Set("Allow", allowed(methods))
		if method == http.MethodOptions {
			preflight(w, r, allowed(methods))
			return nil, nil
		}
		return nil, refusal(identity.KindMethodNotAllowed, "")
	}
	if op.open != nil {
		return nil, op.open(h, w, r)
	}
	c, err := h.accept(w, r)
	if err != nil {
		return nil, err
	}
	c.name = name
	return op.signed(h, c)
}

func preflight(w http.ResponseWriter, r *http.Request, methods string) {
	head := w.Header()
	head.Set("Access-Control-Allow-Methods", methods)
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		head.Set("Access-Control-Allow-Headers", asked)
	}
	head.Set("Access-Control-Max-Age", "3600")
	w.WriteHeader(http.StatusNoContent)
}

// accept reads a signed request: the signature covers the hash of the body, and
// the query as it is read here.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request) (*call, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, refusal(identity.KindTooLarge, "")
	}
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindIncompleteBody, Op: "stax", Err: err}
	}
	sum := sha256.Sum256(body)
	who, err := h.Access.Authenticate(r, access.ServiceExecuteAPI, hex.EncodeToString(sum[:]))
	if err != nil {
		return nil, err
	}
	_, query, _ := strings.Cut(r.RequestURI, "?")
	if who.Signed != nil && who.Signed.Reading.RawQuery {
		query = strings.ReplaceAll(query, "+", "%2B") // signed as it stands, a plus is one
	}
	c := &call{ctx: r.Context(), caller: &who.Caller, host: r.Host, body: body}
	if strings.Count(query, "&") >= maxParameters {
		return nil, refusal(identity.KindValidation, "The query holds too many parameters.")
	}
	if c.query, err = url.ParseQuery(query); err != nil {
		return nil, refusal(identity.KindValidation, "The query cannot be read.")
	}
	return c, nil
}

func refusal(kind identity.Kind, sentence string) error {
	return identity.NewError(kind, "stax", sentence)
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	f := writeFailure(w, id, err)
	level := slog.LevelInfo
	if f.status >= 500 {
		level = slog.LevelError
	}
	h.Log.LogAttrs(r.Context(), level, "API request refused", slog.String("request_id", id), slog.String("method", r.Method),
		slog.Int("status", f.status), slog.String("code", f.code), slog.Any("cause", err))
}
