package oidc_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"daypass/internal/api/oidc"
	"daypass/internal/identity"
	"daypass/internal/issue"
	"daypass/internal/wiretest"
)

const requestID = "5c0e1111-2222-4333-8444-555566667777"

// issuer is a fake: one user, two clients, and errors on demand (see
// wiretest.Fault) by user name, token or scope.
type issuer struct{}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (issuer) Realm(name string) (issue.RealmFacts, error) {
	switch name {
	case "root-accounts":
		return issue.RealmFacts{
			Issuer: "https://idp.example.com/auth/realms/root-accounts", Algorithm: "RS256",
			Grants: []string{"password", "refresh_token", "client_credentials"},
		}, nil
	case "broken":
		return issue.RealmFacts{Issuer: "https://idp.example.com/auth/realms/broken", Algorithm: "ES256"}, nil
	}
	return issue.RealmFacts{}, identity.NewError(identity.KindNotFound, "fake", "no such realm")
}

func (issuer) JWKS(realm string) ([]byte, error) {
	if realm == "broken" {
		return nil, identity.NewError(identity.KindUnavailable, "fake", "")
	}
	return []byte(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","n":"AQ","e":"AQAB"}]}`), nil
}

func (issuer) Outbound(account string) (issue.OutboundFacts, []byte, error) {
	if account != "123456789012" {
		return issue.OutboundFacts{}, nil, identity.NewError(identity.KindNotFound, "fake", "no such account")
	}
	return issue.OutboundFacts{Issuer: "https://idp.example.com/auth/accounts/123456789012", Algorithms: []string{"RS256", "ES384"}},
		[]byte(`{"keys":[{"kty":"EC","use":"sig","alg":"ES384","kid":"k1","crv":"P-384","x":"AQ","y":"AQ"}]}`), nil
}

func checkClient(c issue.ClientProof) error {
	switch {
	case c.ID == "root-client" && !c.HasSecret:
		return nil
	case c.ID == "admin-client" && c.HasSecret && c.Secret.Equal("admin secret+1"):
		return nil
	}
	return identity.NewError(identity.KindInvalidClient, "fake", "")
}

func tokens(scope string) issue.TokenSet {
	if scope == "" {
		scope = "email"
	}
	return issue.TokenSet{
		AccessToken: "eyJ.access.token", ExpiresIn: 300,
		RefreshToken: "refresh-1", RefreshExpiresIn: 1800,
		SessionState: "0f5e1c2a-9999-4888-8777-666655554444", Scope: scope,
	}
}

func (issuer) Password(_ context.Context, g issue.PasswordGrant) (issue.TokenSet, error) {
	if err := checkClient(g.Client); err != nil {
		return issue.TokenSet{}, err
	}
	if err := wiretest.Fault(g.Username, g.Scope); err != nil {
		return issue.TokenSet{}, err
	}
	if g.Username != "root@example.com" || !g.Password.Equal("pass word&1") {
		return issue.TokenSet{}, identity.NewError(identity.KindInvalidCredentials, "fake",
			"Invalid user credentials. Only root users log in here. Contact: help@example.com")
	}
	return tokens(g.Scope), nil
}

func (issuer) Refresh(_ context.Context, g issue.RefreshGrant) (issue.TokenSet, error) {
	if err := checkClient(g.Client); err != nil {
		return issue.TokenSet{}, err
	}
	if err := wiretest.Fault(g.RefreshToken.Reveal(), g.Scope); err != nil {
		return issue.TokenSet{}, err
	}
	if g.RefreshToken != "refresh-1" {
		return issue.TokenSet{}, identity.NewError(identity.KindInvalidGrant, "fake", "")
	}
	t := tokens(g.Scope)
	t.RefreshToken = "refresh-2"
	return t, nil
}

func (issuer) ClientCredentials(_ context.Context, g issue.ClientGrant) (issue.TokenSet, error) {
	if err := checkClient(g.Client); err != nil {
		return issue.TokenSet{}, err
	}
	if !g.Client.HasSecret {
		return issue.TokenSet{}, identity.NewError(identity.KindUnauthorizedClient, "fake", "")
	}
	t := tokens(g.Scope)
	t.RefreshToken, t.RefreshExpiresIn, t.SessionState = "", 0, ""
	return t, nil
}

func (issuer) Introspect(_ context.Context, realm string, c issue.ClientProof, token identity.Secret) (issue.Introspection, error) {
	if err := checkClient(c); err != nil {
		return issue.Introspection{}, err
	}
	if err := wiretest.Fault(token.Reveal()); err != nil {
		return issue.Introspection{}, err
	}
	in := issue.Introspection{
		Active: token == "eyJ.access.token", ClientID: "root-client", Username: "root@example.com",
		Subject: "0f5e1c2a-1111-4222-8333-444455556666", Scope: "email", TokenType: "Bearer",
		Issuer: "https://idp.example.com/auth/realms/" + realm, Audience: []string{"root-client"},
		ExpiresAt: epoch.Add(5 * time.Minute), IssuedAt: epoch, SessionID: "0f5e1c2a-9999-4888-8777-666655554444",
	}
	return in, nil
}

func (issuer) Revoke(_ context.Context, _ string, c issue.ClientProof, token identity.Secret) error {
	if err := checkClient(c); err != nil {
		return err
	}
	return wiretest.Fault(token.Reveal())
}

func (issuer) Logout(_ context.Context, _ string, c issue.ClientProof, token identity.Secret) error {
	if err := checkClient(c); err != nil {
		return err
	}
	return wiretest.Fault(token.Reveal())
}

func (issuer) UserInfo(_ context.Context, _ string, bearer identity.Secret) (issue.UserInfo, error) {
	if err := wiretest.Fault(bearer.Reveal()); err != nil {
		return issue.UserInfo{}, err
	}
	if bearer != "eyJ.access.token" {
		return issue.UserInfo{}, identity.NewError(identity.KindInvalidBearer, "fake", "")
	}
	return issue.UserInfo{
		Subject: "0f5e1c2a-1111-4222-8333-444455556666", Email: "root@example.com", EmailVerified: true,
		PreferredUsername: "root@example.com",
	}, nil
}

// newHandler is the dialect over the fake, each request with a known ID.
func newHandler(log *slog.Logger) http.Handler {
	h := oidc.New(oidc.Config{Issuer: issuer{}, ExternalURL: "https://idp.example.com/", Log: log})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(identity.WithRequest(r.Context(), identity.RequestFacts{ID: requestID})))
	})
}

func quietHandler() http.Handler { return newHandler(slog.New(slog.DiscardHandler)) }

// possible are the kinds that methods called by this dialect return.
var possible = []identity.Kind{
	identity.KindInternal, identity.KindUnavailable, identity.KindThrottled, identity.KindValidation,
	identity.KindAccessDenied, identity.KindConflict, identity.KindInvalidCredentials, identity.KindPasswordExpired,
	identity.KindMFARequired, identity.KindInvalidClient, identity.KindUnauthorizedClient, identity.KindInvalidGrant,
	identity.KindInvalidScope, identity.KindExpiredToken, identity.KindProviderUnreachable,
}

// userinfoOnly are the kinds that belong to a Bearer token.
var userinfoOnly = []identity.Kind{identity.KindInvalidBearer, identity.KindInvalidToken}

func isPossible(k identity.Kind) bool {
	return slices.Contains(possible, k) || slices.Contains(userinfoOnly, k)
}
