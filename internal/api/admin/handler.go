package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"

	"daypass/internal/directory"
	"daypass/internal/identity"
)

// MaxBody is the most bytes of a call; a site file may be 4 MiB of YAML.
const MaxBody = 16 << 20

// Config is what a Handler needs.
type Config struct {
	// Apply brings a site into line: (*directory.Directory).Apply.
	Apply func(ctx context.Context, c *identity.Caller, spec directory.SiteSpec, dryRun bool) ([]directory.Change, error)
	// KeyStatus and RotateKeys are the operator's; what they return is encoded
	// as JSON.
	KeyStatus  func(ctx context.Context, c *identity.Caller) (any, error)
	RotateKeys func(ctx context.Context, c *identity.Caller, what string, now, compromised bool) (any, error)
	// Sessions is nil where there are none to manage. Cut breaks off the
	// requests under way whose caller has ended, and says how many.
	Sessions Sessions
	Cut      func(context.Context) int
	// Users is nil where there are none to manage.
	Users Users
	// KeyUses and OpenInstance are nil where there are no keys for others.
	KeyUses      KeyUses
	OpenInstance func(ctx context.Context, c *identity.Caller, instance string) error
	// Stores is nil where there is nothing behind the gate.
	Stores Stores
	// Backups is nil where none can be made.
	Backups Backups
	// Operator makes the operator's Caller: access.OperatorCaller.
	Operator func(identity.RequestFacts) identity.Caller
	Log      *slog.Logger
}

// Handler serves the operator's calls. It must be reachable over the socket
// only: whoever reaches it is the operator.
type Handler struct {
	config Config
	mux    *http.ServeMux
}

// New makes a Handler.
func New(c Config) *Handler {
	h := &Handler{config: c, mux: http.NewServeMux()}
	h.handle("POST /v1/apply", h.apply)
	h.handle("GET /v1/keyring", h.keyStatus)
	h.handle("POST /v1/keyring/rotate", h.rotateKeys)
	if c.Sessions != nil {
		h.handleSessions(c.Sessions)
	}
	if c.Users != nil {
		h.handleUsers(c.Users)
	}
	if c.KeyUses != nil {
		h.handleKeyUses(c.KeyUses)
	}
	if c.OpenInstance != nil {
		h.handle("POST /v1/kms/open", h.openInstance)
	}
	if c.Stores != nil {
		h.handleStores(c.Stores)
	}
	if c.Backups != nil {
		h.mux.HandleFunc("POST /v1/backup", h.backUp(c.Backups))
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.refuse(w, r, identity.NewError(identity.KindInvalidAction, "admin", "There is no such call: "+r.Method+" "+r.URL.Path))
	})
	return h
}

// ServeHTTP serves one call; identity.RequestOf its context gives its facts.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Handler) handle(pattern string, serve func(*http.Request, *identity.Caller) (any, error)) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		caller := h.config.Operator(identity.RequestOf(r.Context()))
		answer, err := serve(r, &caller)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		send(w, http.StatusOK, answer)
	})
}

func (h *Handler) apply(r *http.Request, c *identity.Caller) (any, error) {
	var in applyRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	changes, err := h.config.Apply(r.Context(), c, in.Spec.decode(), in.DryRun)
	if err != nil {
		return nil, err
	}
	if changes == nil {
		changes = []directory.Change{}
	}
	return ApplyResult{Changes: changes, DryRun: in.DryRun}, nil
}

func (h *Handler) keyStatus(r *http.Request, c *identity.Caller) (any, error) {
	return h.config.KeyStatus(r.Context(), c)
}

func (h *Handler) rotateKeys(r *http.Request, c *identity.Caller) (any, error) {
	var in rotateRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return h.config.RotateKeys(r.Context(), c, in.What, in.Now, in.Compromised)
}

// decode is strict: one JSON object, no member unknown.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, after := d.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return &identity.Error{Kind: identity.KindTooLarge, Op: "admin.decode", Err: err}
	}
	if err != nil {
		// The body holds secrets, and a JSON error may repeat some of it.
		return &identity.Error{Kind: identity.KindValidation, Op: "admin.decode", Public: "The body is not the JSON that this call takes; are client and server of the same version?"}
	}
	return nil
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := identity.AsError(err)
	if e.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	send(w, status(e.Kind), h.told(r, err))
}

// told is what the caller is told of an error; the log gets all of it.
func (h *Handler) told(r *http.Request, err error) errorAnswer {
	e := identity.AsError(err)
	id := identity.RequestOf(r.Context()).ID
	h.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "operator's call refused", slog.String("id", id), slog.Any("cause", err))
	body := errorBody{Kind: e.Kind, Message: e.Public, RequestID: id}
	if body.Message == "" || e.Kind == identity.KindInternal {
		body.Message = sentence(e.Kind)
	}
	return errorAnswer{body}
}

// status groups the kinds; the kind itself is what clients look at.
func status(k identity.Kind) int {
	switch k {
	case identity.KindInternal:
		return http.StatusInternalServerError
	case identity.KindUnavailable, identity.KindThrottled:
		return http.StatusServiceUnavailable
	case identity.KindAccessDenied:
		return http.StatusForbidden
	case identity.KindNotFound, identity.KindInvalidAction:
		return http.StatusNotFound
	case identity.KindAlreadyExists, identity.KindConflict, identity.KindDeleteConflict, identity.KindLimitExceeded:
		return http.StatusConflict
	case identity.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case identity.KindNotImplemented:
		return http.StatusNotImplemented
	}
	return http.StatusBadRequest
}

func sentence(k identity.Kind) string {
	switch k {
	case identity.KindInternal:
		return "The server failed; its log says why, under the request ID."
	case identity.KindUnavailable:
		return "The server cannot do that now; try again."
	case identity.KindAccessDenied:
		return "That is not allowed."
	case identity.KindTooLarge:
		return "The call is too large."
	}
	return "The call was refused: " + string(k) + "."
}

func send(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
