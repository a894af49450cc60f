package iam

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"daypass/internal/access"
	"daypass/internal/awswire"
	"daypass/internal/directory"
	"daypass/internal/identity"
	"daypass/internal/issue"
)

// Authenticator accepts signed requests; *access.Access is the implementation.
type Authenticator interface {
	Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error)
}

// Issuer mints long-term access keys; *issue.Issuer is the implementation.
type Issuer interface {
	AccessKey(ctx context.Context, c *identity.Caller, userName string) (issue.CreatedAccessKey, error)
}

// Directory manages identities; *directory.Directory is the implementation.
// Each area of the API declares beside its actions what it needs.
type Directory interface {
	Users
	UserTags
	AccessKeys
	Roles
	RoleTags
	Providers
	Simulations
	InlinePolicies
	ManagedPolicies
	PolicyVersions
	Attachments
	Groups
	OutboundFederation
	Accounts
	LoginProfiles
	MFADevices
	Authorizations
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

// Handler answers every request that was routed to the service iam.
type Handler struct {
	access    Authenticator
	issuer    Issuer
	directory Directory
	log       *slog.Logger
}

// New makes a Handler.
func New(c Config) *Handler {
	return &Handler{access: c.Access, issuer: c.Issuer, directory: c.Directory, log: c.Log}
}

// call is one authenticated request to a known action.
type call struct {
	ctx    context.Context
	caller *identity.Caller
	form   *awswire.Form
}

// action serves one action. It returns what writes the content of the result
// element, nil for an action without output.
type action func(*Handler, *call) (func(*awswire.XML), error)

// actions are the tables of all areas.
var actions = func() map[string]action {
	all := map[string]action{}
	for _, area := range []map[string]action{
		userActions, userTagActions, accessKeyActions, roleActions, roleTagActions, providerActions, simulationActions,
		inlinePolicyActions, managedPolicyActions, policyVersionActions, attachmentActions, groupActions, outboundActions,
		accountActions, loginProfileActions, mfaActions, authorizationActions,
	} {
		maps.Copy(all, area)
	}
	return all
}()

// Actions are the names of the actions served, sorted, for the router and the
// documentation.
func Actions() []string { return slices.Sorted(maps.Keys(actions)) }

// ServeHTTP answers always in the envelope of IAM.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := identity.RequestOf(r.Context()).ID
	name, result, err := h.serve(r)
	if err != nil {
		h.refuse(w, r, id, name, err)
		return
	}
	awswire.WriteResponse(w, awswire.IAM, name, id, result)
}

func (h *Handler) serve(r *http.Request) (name string, result func(*awswire.XML), err error) {
	form, err := awswire.ParseQuery(r, awswire.MaxBody)
	if err != nil {
		return "", nil, err
	}
	if name, err = form.Required("Action"); err != nil {
		return "", nil, err
	}
	serve, known := actions[name]
	if version := form.Version(); !known || version != awswire.VersionIAM {
		if version == "" {
			version = noVersion
		}
		return name, nil, awswire.UnknownAction(name, version)
	}
	who, err := h.access.Authenticate(r, access.ServiceIAM, form.BodySHA256)
	if err != nil {
		return name, nil, err
	}
	result, err = serve(h, &call{ctx: r.Context(), caller: &who.Caller, form: form})
	return name, result, err
}

// noVersion stands in the message for a request that names no version.
const noVersion = "NO_VERSION_SPECIFIED"

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, id, name string, err error) {
	if identity.KindOf(err) == identity.KindMethodNotAllowed {
		w.Header().Set("Allow", "GET, POST")
	}
	f := awswire.WriteQueryError(w, awswire.IAM, id, err)
	level := slog.LevelInfo
	if f.Status >= 500 {
		level = slog.LevelError
	}
	if _, known := actions[name]; !known {
		name = ""
	}
	h.log.LogAttrs(r.Context(), level, "iam request refused", slog.String("request_id", id),
		slog.String("action", name), slog.Int("status", f.Status), slog.String("code", f.Code), slog.Any("cause", err))
}
