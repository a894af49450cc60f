package stax

import (
	"log/slog"
	"net/http"

	"daypass/internal/access"
	"daypass/internal/identity"
)

// Prefix is what the paths of the API begin with.
const Prefix = "/20190206/"

// Authenticator accepts signed requests; *access.Access is the implementation.
type Authenticator interface {
	Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error)
}

var _ Authenticator = (*access.Access)(nil)

// Config is what a Handler needs.
type Config struct {
	Access Authenticator
	Log    *slog.Logger
}

// Handler answers every request below Prefix.
type Handler struct {
	Config
}

// New makes a Handler.
func New(c Config) *Handler { return &Handler{c} }

// ServeHTTP answers in the API's own envelope.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	WriteError(w, identity.RequestOf(r.Context()).ID, identity.NewError(identity.KindInvalidAction, "stax", ""))
}
