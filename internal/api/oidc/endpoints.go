package oidc

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// keysMaxAge is how long others may keep the key set and the discovery
// document; a key signs only after it was published for longer than that.
const keysMaxAge = 10 * time.Minute

func (h *Handler) certs(c *call) error {
	keys, err := h.issuer.JWKS(c.realm)
	if err != nil {
		return err
	}
	cacheable(c.w.Header())
	writeBody(c.w, http.StatusOK, keys)
	return nil
}

// discoveryDocument is OpenID Connect Discovery 1.0 §3, without what belongs
// to the authorization endpoint.
type discoveryDocument struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	GrantTypes            []string `json:"grant_types_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
	ClaimTypes            []string `json:"claim_types_supported"`
	ClaimsParameter       bool     `json:"claims_parameter_supported"`
	RequestParameter      bool     `json:"request_parameter_supported"`
	RequestURIParameter   bool     `json:"request_uri_parameter_supported"`
}

func (h *Handler) discovery(c *call) error {
	base := h.externalURL + "/auth/realms/" + url.PathEscape(c.realm) + "/protocol/openid-connect"
	withSecret := []string{"client_secret_basic", "client_secret_post"}
	cacheable(c.w.Header())
	writeJSON(c.w, http.StatusOK, discoveryDocument{
		Issuer:                c.facts.Issuer,
		TokenEndpoint:         base + "/token",
		IntrospectionEndpoint: base + "/token/introspect",
		UserinfoEndpoint:      base + "/userinfo",
		EndSessionEndpoint:    base + "/logout",
		RevocationEndpoint:    base + "/revoke",
		JWKSURI:               base + "/certs",
		GrantTypes:            append([]string{}, c.facts.Grants...),
		ResponseTypes:         []string{},
		SubjectTypes:          []string{"public"},
		SigningAlgorithms:     []string{c.facts.Algorithm},
		TokenAuthMethods:      append([]string{"none"}, withSecret...),
		IntrospectionAuth:     withSecret,
		RevocationAuth:        withSecret,
		ClaimTypes:            []string{"normal"},
	})
	return nil
}

// userInfoResponse is OpenID Connect Core §5.3.2.
type userInfoResponse struct {
	Subject           string `json:"sub"`
	EmailVerified     bool   `json:"email_verified"`
	PreferredUsername string `json:"preferred_username,omitempty"`
	Email             string `json:"email,omitempty"`
}

func (h *Handler) userinfo(c *call) error {
	token, err := bearer(c.w, c.r)
	if err != nil {
		return err
	}
	info, err := h.issuer.UserInfo(c.r.Context(), c.realm, token)
	if err != nil {
		return err
	}
	noStore(c.w.Header())
	writeJSON(c.w, http.StatusOK, userInfoResponse{info.Subject, info.EmailVerified, info.PreferredUsername, info.Email})
	return nil
}

// introspectionResponse is RFC 7662 §2.2; of a token that is not active
// nothing but that is said.
type introspectionResponse struct {
	Active    bool     `json:"active"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Scope     string   `json:"scope,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	ExpiresAt int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	SessionID string   `json:"sid,omitempty"`
}

func (h *Handler) introspect(c *call) error {
	client, token, err := clientAndToken(c, "token")
	if err != nil {
		return err
	}
	in, err := h.issuer.Introspect(c.r.Context(), c.realm, client, token)
	if err != nil {
		return err
	}
	noStore(c.w.Header())
	out := introspectionResponse{Active: in.Active}
	if in.Active {
		out = introspectionResponse{
			true, in.ClientID, in.Username, in.Subject, in.Scope, in.TokenType, in.Issuer, in.Audience,
			unix(in.ExpiresAt), unix(in.IssuedAt), in.SessionID,
		}
	}
	writeJSON(c.w, http.StatusOK, out)
	return nil
}

// revoke answers 200 with an empty body, for a token that is unknown too
// (RFC 7009 §2.2).
func (h *Handler) revoke(c *call) error {
	client, token, err := clientAndToken(c, "token")
	if err != nil {
		return err
	}
	if err := h.issuer.Revoke(c.r.Context(), c.realm, client, token); err != nil {
		return err
	}
	noStore(c.w.Header())
	c.w.Header().Set("Content-Length", "0")
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (h *Handler) logout(c *call) error {
	client, token, err := clientAndToken(c, "refresh_token")
	if err != nil {
		return err
	}
	if err := h.issuer.Logout(c.r.Context(), c.realm, client, token); err != nil {
		return err
	}
	noStore(c.w.Header())
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// clientAndToken reads the form of an endpoint that takes a token from a
// client.
func clientAndToken(c *call, parameter string) (issue.ClientProof, identity.Secret, error) {
	f, err := readForm(c.w, c.r)
	if err != nil {
		return issue.ClientProof{}, "", err
	}
	client, err := f.client(c.r)
	if err != nil {
		return issue.ClientProof{}, "", err
	}
	token, err := f.needSecret(parameter)
	return client, token, err
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func noStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

func cacheable(h http.Header) {
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(keysMaxAge/time.Second)))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// The types above hold only strings, numbers and booleans.
		panic("oidc: " + err.Error())
	}
	writeBody(w, status, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A failed write means that the client has gone.
	_, _ = w.Write(body)
}
