package oidc

import (
	"net/http"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// tokenResponse is the answer of the token endpoint: RFC 6749 §5.1 and
// Keycloak's additions, in Keycloak's order.
type tokenResponse struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int    `json:"expires_in"`
	RefreshExpiresIn int    `json:"refresh_expires_in"`
	RefreshToken     string `json:"refresh_token,omitempty"`
	TokenType        string `json:"token_type"`
	NotBeforePolicy  int    `json:"not-before-policy"`
	SessionState     string `json:"session_state,omitempty"`
	Scope            string `json:"scope"`
}

type grant func(*Handler, *call, issue.ClientProof, form) (issue.TokenSet, error)

// grants is the table of grant types.
var grants = map[string]grant{
	"password":           (*Handler).password,
	"refresh_token":      (*Handler).refresh,
	"client_credentials": (*Handler).clientCredentials,
}

func (h *Handler) token(c *call) error {
	f, err := readForm(c.w, c.r)
	if err != nil {
		return err
	}
	grantType, err := f.need("grant_type")
	if err != nil {
		return err
	}
	g, ok := grants[grantType]
	if !ok {
		return identity.NewError(identity.KindUnsupportedGrant, "oidc.token", "")
	}
	client, err := f.client(c.r)
	if err != nil {
		return err
	}
	set, err := g(h, c, client, f)
	if err != nil {
		return err
	}
	noStore(c.w.Header())
	writeJSON(c.w, http.StatusOK, tokenResponse{
		AccessToken:      set.AccessToken.Reveal(),
		ExpiresIn:        set.ExpiresIn,
		RefreshExpiresIn: set.RefreshExpiresIn,
		RefreshToken:     set.RefreshToken.Reveal(),
		TokenType:        "Bearer",
		SessionState:     set.SessionState,
		Scope:            set.Scope,
	})
	return nil
}

func (h *Handler) password(c *call, client issue.ClientProof, f form) (issue.TokenSet, error) {
	username, err := f.need("username")
	if err != nil {
		return issue.TokenSet{}, err
	}
	password, err := f.needSecret("password")
	if err != nil {
		return issue.TokenSet{}, err
	}
	return h.issuer.Password(c.r.Context(), issue.PasswordGrant{
		Realm: c.realm, Client: client, Username: username, Password: password, Code: identity.Secret(f["totp"]), Scope: f["scope"],
	})
}

func (h *Handler) refresh(c *call, client issue.ClientProof, f form) (issue.TokenSet, error) {
	token, err := f.needSecret("refresh_token")
	if err != nil {
		return issue.TokenSet{}, err
	}
	return h.issuer.Refresh(c.r.Context(), issue.RefreshGrant{
		Realm: c.realm, Client: client, RefreshToken: token, Scope: f["scope"],
	})
}

func (h *Handler) clientCredentials(c *call, client issue.ClientProof, f form) (issue.TokenSet, error) {
	return h.issuer.ClientCredentials(c.r.Context(), issue.ClientGrant{Realm: c.realm, Client: client, Scope: f["scope"]})
}
