package ibm

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/directory"
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

// Access accepts bearer tokens; *access.Access is the implementation.
type Access interface {
	IBMToken(ctx context.Context, raw identity.Secret) (*identity.Caller, error)
}

// Issuer is what mints; *issue.Issuer is the implementation.
type Issuer interface {
	IBMAPIKey(ctx context.Context, key identity.Secret, account string, client issue.IBMClient) (issue.IBMTokens, error)
	IBMPassword(ctx context.Context, g issue.IBMPasswordGrant) (issue.IBMTokens, error)
	IBMRefresh(ctx context.Context, token identity.Secret, account string, client issue.IBMClient) (issue.IBMTokens, error)
	IBMPasscode(ctx context.Context, passcode identity.Secret, account string, client issue.IBMClient) (issue.IBMTokens, error)
	IBMCode(ctx context.Context, g issue.IBMCodeGrant) (issue.IBMTokens, error)
	IBMIntrospect(ctx context.Context, c *identity.Caller, token identity.Secret) (map[string]json.RawMessage, error)
	IBMAssume(ctx context.Context, g issue.IBMAssumeGrant) (issue.IBMTokens, error)
	IBMCRToken(ctx context.Context, g issue.IBMCRGrant) (issue.IBMTokens, error)
	IBM() (issue.IBMFacts, error)
	IBMSessionKeys(ctx context.Context, c *identity.Caller, seconds int) (issue.IBMKeys, error)
	IBMLogout(ctx context.Context, c *identity.Caller, id string) error
	NewIBMAPIKey(ctx context.Context, c *identity.Caller, in issue.NewIBMKey) (issue.CreatedIBMKey, error)
}

// Directory is the rest; *directory.Directory is the implementation.
type Directory interface {
	IBMAPIKeys(ctx context.Context, c *identity.Caller, f directory.IBMKeyFilter, p directory.Page) (directory.Listing[identity.APIKey], error)
	IBMAPIKey(ctx context.Context, c *identity.Caller, id string) (identity.APIKey, error)
	IBMAPIKeyActivity(ctx context.Context, c *identity.Caller, id string) (identity.Use, error)
	IBMAPIKeyDetails(ctx context.Context, c *identity.Caller, text identity.Secret) (identity.APIKey, error)
	UpdateIBMAPIKey(ctx context.Context, c *identity.Caller, id, ifMatch string, change directory.IBMKeyChange) (identity.APIKey, error)
	DeleteIBMAPIKey(ctx context.Context, c *identity.Caller, id string) error
	LockIBMAPIKey(ctx context.Context, c *identity.Caller, id string, locked bool) error
	DisableIBMAPIKey(ctx context.Context, c *identity.Caller, id string, disabled bool) error
	ReportLeaked(ctx context.Context, c *identity.Caller, text identity.Secret) (identity.APIKey, error)

	ServiceIDs(ctx context.Context, c *identity.Caller, f directory.ServiceIDFilter, p directory.Page) (directory.Listing[identity.User], error)
	ServiceID(ctx context.Context, c *identity.Caller, id string) (identity.User, error)
	CreateServiceID(ctx context.Context, c *identity.Caller, in directory.NewServiceID) (identity.User, error)
	UpdateServiceID(ctx context.Context, c *identity.Caller, id, ifMatch string, change directory.ServiceIDChange) (identity.User, error)
	DeleteServiceID(ctx context.Context, c *identity.Caller, id string) error
	LockServiceID(ctx context.Context, c *identity.Caller, id string, locked bool) error

	TrustedProfiles(ctx context.Context, c *identity.Caller, f directory.TrustedProfileFilter, p directory.Page) (directory.Listing[identity.User], error)
	TrustedProfile(ctx context.Context, c *identity.Caller, id string) (identity.User, error)
	CreateTrustedProfile(ctx context.Context, c *identity.Caller, in directory.NewTrustedProfile) (identity.User, error)
	UpdateTrustedProfile(ctx context.Context, c *identity.Caller, id, ifMatch string, change directory.TrustedProfileChange) (identity.User, error)
	DeleteTrustedProfile(ctx context.Context, c *identity.Caller, id string) error
	CreateProfileRule(ctx context.Context, c *identity.Caller, id string, rule identity.ProfileRule) (identity.ProfileRule, error)
	UpdateProfileRule(ctx context.Context, c *identity.Caller, id, ruleID, ifMatch string, rule identity.ProfileRule) (identity.ProfileRule, error)
	DeleteProfileRule(ctx context.Context, c *identity.Caller, id, ruleID string) error
	CreateProfileLink(ctx context.Context, c *identity.Caller, id string, link identity.ProfileLink) (identity.ProfileLink, error)
	DeleteProfileLink(ctx context.Context, c *identity.Caller, id, linkID string) error
	SetProfileIdentities(ctx context.Context, c *identity.Caller, id, ifMatch string, list []identity.ProfileIdentity) (identity.User, error)
	AddProfileIdentity(ctx context.Context, c *identity.Caller, id string, v identity.ProfileIdentity) (identity.ProfileIdentity, error)
	DeleteProfileIdentity(ctx context.Context, c *identity.Caller, id, kind, identifier string) error

	IBMAccountSettings(ctx context.Context, c *identity.Caller, account string) (identity.IBMSettings, error)
	UpdateIBMAccountSettings(ctx context.Context, c *identity.Caller, account, ifMatch string, change directory.IBMSettingsChange) (identity.IBMSettings, error)
	CreateAccessPolicy(ctx context.Context, c *identity.Caller, in directory.NewAccessPolicy) (directory.AccessPolicy, error)
	AccessPolicies(ctx context.Context, c *identity.Caller, f directory.AccessPolicyFilter, p directory.Page) (directory.Listing[directory.AccessPolicy], error)
	AccessPolicy(ctx context.Context, c *identity.Caller, id string) (directory.AccessPolicy, error)
	ReplaceAccessPolicy(ctx context.Context, c *identity.Caller, id, ifMatch string, in directory.NewAccessPolicy) (directory.AccessPolicy, error)
	DeleteAccessPolicy(ctx context.Context, c *identity.Caller, id string) error

	ResourceGroups(ctx context.Context, c *identity.Caller) ([]identity.ResourceGroup, error)
	Instances(ctx context.Context, c *identity.Caller) ([]identity.ServiceInstance, error)
	CreateInstance(ctx context.Context, c *identity.Caller, in directory.NewInstance) (identity.ServiceInstance, error)
	DeleteInstance(ctx context.Context, c *identity.Caller, id string) error
}

var (
	_ Access    = (*access.Access)(nil)
	_ Issuer    = (*issue.Issuer)(nil)
	_ Directory = (*directory.Directory)(nil)
)

// Config is what a Handler needs.
type Config struct {
	Access    Access
	Issuer    Issuer
	Directory Directory
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
	// names are the variable segments of the path, decoded.
	names []string
	// caller is who the bearer token is of; nil at the token service.
	caller *identity.Caller
}

// operation writes the answer of a success and returns the error of a refusal.
type operation func(*Handler, *call) error

// endpoint is one row of the table of paths.
type endpoint struct {
	// name is how "requestType" calls it.
	name    string
	methods map[string]operation
}

var unknownPath = endpoint{name: "Unknown"}

// endpoints are the paths; "*" stands for a variable segment.
var endpoints = tables(tokenService, apiKeys, serviceIDs, profiles, accountSettings, templates, resources, policies, policiesV2, roles, sessions)

func tables(parts ...map[string]endpoint) map[string]endpoint {
	all := map[string]endpoint{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// Where paths are variable: /v1/profiles/*/identities/*/*.
var variableSegments = []int{3, 5, 6}

const maxName = 512 // of a variable segment

// find looks a path up, which is taken as sent, never cleaned, and returns its
// variable segments. A slash at the end of the identity API's paths is nothing.
func find(path string) (endpoint, []string) {
	if strings.HasPrefix(path, "/v") {
		path = strings.TrimSuffix(path, "/")
	}
	if strings.Contains(path, "*") {
		return unknownPath, nil
	}
	if e, ok := endpoints[path]; ok {
		return e, nil
	}
	var names []string
	segments := strings.Split(path, "/")
	for _, i := range variableSegments {
		if i >= len(segments) {
			break
		}
		name, err := url.PathUnescape(segments[i])
		if err != nil || name == "" || len(name) > maxName {
			break
		}
		segments[i], names = "*", append(names, name)
		if e, ok := endpoints[strings.Join(segments, "/")]; ok {
			return e, names
		}
	}
	return unknownPath, nil
}

// ServeHTTP answers for the paths of the dialect.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.Clock.Now()
	path, _, _ := strings.Cut(r.RequestURI, "?")
	e, names := find(path)
	w.Header().Set(transactionID, identity.RequestOf(r.Context()).ID)
	if err := h.serve(&e, &call{ctx: r.Context(), w: w, r: r, names: names}); err != nil {
		h.refuse(w, r, e.name, began, err)
	}
}

func (h *Handler) serve(e *endpoint, c *call) error {
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
