package keyprotect

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/kms"
)

// Prefix is what the paths of the dialect begin with.
const Prefix = "/api/v2/"

// Access accepts bearer tokens; *access.Access is the implementation.
type Access interface {
	IBMToken(ctx context.Context, raw identity.Secret) (*identity.Caller, error)
}

var (
	_ Access = (*access.Access)(nil)
	_ KMS    = (*kms.KMS)(nil)
)

// Config is what a Handler needs.
type Config struct {
	Access Access
	KMS    KMS
	Log    *slog.Logger
}

// Handler serves the dialect.
type Handler struct {
	Config
}

// New makes a Handler.
func New(c Config) *Handler { return &Handler{c} }

// call is one request to a path that exists, of a caller who is known.
type call struct {
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	caller *identity.Caller
	at     kms.At
	// names are the variable segments of the path, decoded.
	names []string
}

// id is the key that the path names, by ID or alias.
func (c *call) id() string { return c.names[0] }

// answer is what an operation answers.
type answer struct {
	status int
	body   *collection // nil for none
}

// noContent answers calls that expect no result: IBM's client for Go fails on any
// other status, and on a body.
var noContent = answer{status: http.StatusNoContent}

// operation serves one method of one path.
type operation func(*Handler, *call) (answer, error)

// endpoints are the paths behind Prefix, and their methods; "*" stands for a
// variable segment.
var endpoints = map[string]map[string]operation{
	"keys":                       {http.MethodGet: (*Handler).listKeys, http.MethodHead: (*Handler).countKeys, http.MethodPost: (*Handler).createKey},
	"keys_with_policy_overrides": {http.MethodPost: (*Handler).createKeyWithPolicies},
	"keys/registrations":         {http.MethodGet: (*Handler).listAllRegistrations},
	"keys/*": {
		http.MethodGet: (*Handler).getKey, http.MethodPatch: (*Handler).patchKey, http.MethodDelete: (*Handler).deleteKey,
		http.MethodPost: (*Handler).oldAction,
	},
	"keys/*/metadata":  {http.MethodGet: (*Handler).getMetadata},
	"keys/*/versions":  {http.MethodGet: (*Handler).listVersions},
	"keys/*/purge":     {http.MethodDelete: (*Handler).purgeKey},
	"keys/*/restore":   {http.MethodPost: (*Handler).restoreKey},
	"keys/*/actions/*": {http.MethodPost: (*Handler).action},
	"keys/*/aliases/*": {http.MethodPost: (*Handler).createAlias, http.MethodDelete: (*Handler).deleteAlias},
	"keys/*/policies":  {http.MethodGet: (*Handler).getPolicies, http.MethodPut: (*Handler).putPolicies},

	"keys/*/usage":   {http.MethodGet: (*Handler).usage},
	"instance/usage": {http.MethodGet: (*Handler).usage},

	"keys/*/registrations": {http.MethodGet: (*Handler).listRegistrations},
	"keys/*/registrations/*": {
		http.MethodPost: (*Handler).createRegistration, http.MethodPut: (*Handler).replaceRegistration,
		http.MethodPatch: (*Handler).updateRegistration, http.MethodDelete: (*Handler).deleteRegistration,
	},

	"key_rings":                {http.MethodGet: (*Handler).listRings},
	"key_rings/*":              {http.MethodPost: (*Handler).createRing, http.MethodDelete: (*Handler).deleteRing},
	"instance/policies":        {http.MethodGet: (*Handler).getInstancePolicies, http.MethodPut: (*Handler).putInstancePolicies},
	"instance/allowed_ip_port": {http.MethodGet: (*Handler).allowedIPPort},
	"import_token":             {http.MethodGet: (*Handler).getImportToken, http.MethodPost: (*Handler).createImportToken},
}

const maxSegment = 1024 // of a path, decoded; CRNs are the longest

// find looks a path up, which is taken as sent, never cleaned, and returns its
// variable segments, decoded once.
func find(path string) (map[string]operation, []string) {
	path, ok := strings.CutPrefix(path, Prefix)
	if !ok || strings.Contains(path, "*") || len(path) > 4*maxSegment {
		return nil, nil
	}
	if e := endpoints[path]; e != nil {
		return e, nil
	}
	segments := strings.Split(path, "/")
	var names []string
	for i := 1; i < len(segments); i += 2 {
		name, err := url.PathUnescape(segments[i])
		if err != nil || name == "" || len(name) > maxSegment {
			return nil, nil
		}
		segments[i], names = "*", append(names, name)
		if e := endpoints[strings.Join(segments, "/")]; e != nil {
			return e, names
		}
	}
	return nil, nil
}

// ServeHTTP answers for the paths of the dialect.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := correlate(w, r, identity.RequestOf(r.Context()).ID)
	if err := h.serve(w, r); err != nil {
		h.refuse(w, r, id, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	c := &call{ctx: r.Context(), w: w, r: r}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	methods, names := find(path)
	if methods == nil {
		return identity.NewError(identity.KindInvalidAction, "keyprotect.serve", "")
	}
	c.names = names
	serve := methods[r.Method]
	if serve == nil {
		w.Header().Set("Allow", allowed(methods))
		return identity.NewError(identity.KindMethodNotAllowed, "keyprotect.serve", "")
	}
	token, err := bearer(r)
	if err != nil {
		return err
	}
	if c.caller, err = h.Access.IBMToken(c.ctx, token); err != nil {
		return err
	}
	if c.at, err = place(r); err != nil {
		return err
	}
	a, err := serve(h, c)
	if err != nil {
		return err
	}
	send(w, r, a)
	return nil
}

// allowed are the methods of a path, for Allow.
func allowed(methods map[string]operation) string {
	var out []string
	for m := range methods {
		out = append(out, m)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, correlation string, err error) {
	f := writeFailure(w, err)
	level := slog.LevelInfo
	if f.status >= 500 {
		level = slog.LevelError
	}
	h.Log.LogAttrs(r.Context(), level, "key management request refused", slog.String("request_id", identity.RequestOf(r.Context()).ID),
		slog.String("correlation_id", correlation), slog.String("method", r.Method), slog.Int("status", f.status), slog.String("code", f.code),
		slog.Any("cause", err))
}
