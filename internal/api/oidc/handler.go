package oidc

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// Issuer is what the endpoints of a realm call; *issue.Issuer is the
// implementation.
type Issuer interface {
	Password(ctx context.Context, g issue.PasswordGrant) (issue.TokenSet, error)
	Refresh(ctx context.Context, g issue.RefreshGrant) (issue.TokenSet, error)
	ClientCredentials(ctx context.Context, g issue.ClientGrant) (issue.TokenSet, error)
	Introspect(ctx context.Context, realm string, client issue.ClientProof, token identity.Secret) (issue.Introspection, error)
	Revoke(ctx context.Context, realm string, client issue.ClientProof, token identity.Secret) error
	Logout(ctx context.Context, realm string, client issue.ClientProof, refreshToken identity.Secret) error
	UserInfo(ctx context.Context, realm string, bearer identity.Secret) (issue.UserInfo, error)
	// Realm fails with KindNotFound for a realm that does not exist.
	Realm(name string) (issue.RealmFacts, error)
	// JWKS is the realm's public key set, as JSON.
	JWKS(realm string) ([]byte, error)
	// Outbound is the issuer of an account with its key set.
	Outbound(accountID string) (issue.OutboundFacts, []byte, error)
}

var _ Issuer = (*issue.Issuer)(nil)

// Config is what a Handler needs.
type Config struct {
	Issuer Issuer
	// ExternalURL is the installation's URL, without a slash at its end; the
	// endpoints in the discovery document begin with it.
	ExternalURL string
	Log         *slog.Logger
}

// Handler serves every endpoint of every realm, under all three prefixes.
type Handler struct {
	issuer      Issuer
	externalURL string
	log         *slog.Logger
}

// New makes a Handler.
func New(c Config) *Handler {
	return &Handler{issuer: c.Issuer, externalURL: strings.TrimSuffix(c.ExternalURL, "/"), log: c.Log}
}

// Prefixes are the path prefixes that a realm's name follows.
func Prefixes() []string {
	return []string{"/auth/realms/", "/realms/", "/keycloak/realms/"}
}

// OutboundPrefix is the path that the issuers of accounts begin with; the
// account's ID follows.
const OutboundPrefix = identity.OutboundPath

// call is one request to an endpoint of a realm that exists.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	realm string
	facts issue.RealmFacts
}

// endpoint is one row of the table of endpoints. Its function writes the
// answer of a success and returns the error of a refusal.
type endpoint struct {
	methods []string
	serve   func(*Handler, *call) error
}

var endpoints = map[string]endpoint{
	"/protocol/openid-connect/token":            {[]string{"POST"}, (*Handler).token},
	"/protocol/openid-connect/certs":            {[]string{"GET", "HEAD"}, (*Handler).certs},
	"/protocol/openid-connect/userinfo":         {[]string{"GET", "HEAD", "POST"}, (*Handler).userinfo},
	"/protocol/openid-connect/token/introspect": {[]string{"POST"}, (*Handler).introspect},
	"/protocol/openid-connect/revoke":           {[]string{"POST"}, (*Handler).revoke},
	"/protocol/openid-connect/logout":           {[]string{"POST"}, (*Handler).logout},
	"/.well-known/openid-configuration":         {[]string{"GET", "HEAD"}, (*Handler).discovery},
}

// ServeHTTP answers for any path under one of Prefixes; the path is taken as
// sent, never cleaned.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if account, found := strings.CutPrefix(r.URL.EscapedPath(), OutboundPrefix); found {
		if err := h.outbound(w, r, account); err != nil {
			h.refuse(w, r, "", err)
		}
		return
	}
	realm, rest, ok := splitPath(r.URL.EscapedPath())
	if !ok {
		h.refuse(w, r, "", refusal(codeNotFound, "No such endpoint"))
		return
	}
	facts, err := h.issuer.Realm(realm)
	if err != nil {
		h.refuse(w, r, realm, err)
		return
	}
	e, ok := endpoints[rest]
	if !ok {
		h.refuse(w, r, realm, refusal(codeNotFound, "No such endpoint"))
		return
	}
	if !slices.Contains(e.methods, r.Method) {
		w.Header().Set("Allow", strings.Join(e.methods, ", "))
		h.refuse(w, r, realm, identity.NewError(identity.KindMethodNotAllowed, "oidc.ServeHTTP", ""))
		return
	}
	if err := e.serve(h, &call{w: w, r: r, realm: realm, facts: facts}); err != nil {
		h.refuse(w, r, realm, err)
	}
}

// splitPath takes "/auth/realms/r/protocol/…" apart into the realm's name,
// decoded, and what follows it, as sent and beginning with a slash.
func splitPath(path string) (realm, rest string, ok bool) {
	for _, prefix := range Prefixes() {
		after, found := strings.CutPrefix(path, prefix)
		if !found {
			continue
		}
		segment, rest, found := strings.Cut(after, "/")
		name, err := url.PathUnescape(segment)
		if !found || err != nil || name == "" {
			return "", "", false
		}
		return name, "/" + rest, true
	}
	return "", "", false
}
