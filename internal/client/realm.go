package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"daypass/internal/identity"
)

// tokens of a realm (RFC 6749 §5.1, with Keycloak's refresh_expires_in).
type realmTokens struct {
	AccessToken      string `json:"access_token"`
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"` // seconds
}

// realmError is RFC 6749 §5.2.
type realmError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (w *wire) realmPath(endpoint string) string {
	return "/auth/realms/" + url.PathEscape(w.profile.Realm) + "/protocol/openid-connect/" + endpoint
}

// password shows a password at the realm's token endpoint. It fails with
// KindInvalidCredentials, KindPasswordExpired, KindMFARequired and the kinds of
// realmFailure.
func (w *wire) password(ctx context.Context, username string, password identity.Secret) (*realmTokens, error) {
	return w.token(ctx, "logging in as "+username, url.Values{
		"client_id": {w.profile.ClientID}, "grant_type": {"password"}, "username": {username}, "password": {password.Reveal()},
	})
}

// refresh exchanges a refresh token. One that has ended is KindExpiredToken.
func (w *wire) refresh(ctx context.Context, token identity.Secret) (*realmTokens, error) {
	return w.token(ctx, "renewing the log-in", url.Values{
		"client_id": {w.profile.ClientID}, "grant_type": {"refresh_token"}, "refresh_token": {token.Reveal()},
	})
}

func (w *wire) token(ctx context.Context, doing string, form url.Values) (*realmTokens, error) {
	a, err := w.post(ctx, doing, w.realmPath("token"), form, nil)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, w.realmFailure(doing, form.Get("grant_type"), a)
	}
	var t realmTokens
	if err := json.Unmarshal(a.body, &t); err != nil || t.AccessToken == "" {
		return nil, w.notOurs(doing, a)
	}
	return &t, nil
}

// notOurs is an answer that no Daypass gives.
func (w *wire) notOurs(doing string, a *answer) error {
	return w.failed(identity.KindUnavailable, doing, "the answer ("+strconv.Itoa(a.status)+" "+http.StatusText(a.status)+", "+a.header.Get("Content-Type")+") is not one of Daypass",
		"check the endpoint of the profile", a.requestID, nil)
}

// logout ends the log-in session of a refresh token, and with it the keys that
// came of it. A token that has ended already is no error.
func (w *wire) logout(ctx context.Context, token identity.Secret) error {
	const doing = "logging out"
	a, err := w.post(ctx, doing, w.realmPath("logout"), url.Values{"client_id": {w.profile.ClientID}, "refresh_token": {token.Reveal()}}, nil)
	if err != nil || a.status < 300 {
		return err
	}
	err = w.realmFailure(doing, "refresh_token", a)
	if identity.KindOf(err) == identity.KindExpiredToken {
		return nil
	}
	return err
}

// realmFailure turns a refusal of a realm into an error.
func (w *wire) realmFailure(doing, grant string, a *answer) error {
	var e realmError
	if json.Unmarshal(a.body, &e) != nil || e.Error == "" {
		return w.notOurs(doing, a)
	}
	why := e.Description
	if why == "" {
		why = e.Error
	}
	p := w.profile
	kind, next := identity.KindInternal, "show the request ID to whoever runs the installation"
	switch {
	case e.Error == "invalid_grant" && grant == "refresh_token":
		kind, next = identity.KindExpiredToken, "run: "+p.loginCommand()
	case e.Error == "invalid_grant" && a.status == http.StatusUnauthorized:
		kind, next = identity.KindInvalidCredentials, "check the user name, the password and the realm ("+p.Realm+")"
	case e.Error == "invalid_grant" && strings.Contains(why, "second factor"):
		kind, next = identity.KindMFARequired, ""
	case e.Error == "invalid_grant":
		kind, next = identity.KindPasswordExpired, ""
	case e.Error == "invalid_client" || e.Error == "unauthorized_client":
		kind, next = identity.KindInvalidClient, "the client is "+p.ClientID+"; name another one with --client-id"
	case e.Error == "Realm does not exist":
		kind, next = identity.KindNotFound, "the realm is "+p.Realm+"; name another one with --realm"
	case a.status == http.StatusTooManyRequests:
		kind, next = identity.KindThrottled, "try again in "+retryAfter(a)
	case a.status == http.StatusServiceUnavailable:
		kind, next = identity.KindUnavailable, "try again in "+retryAfter(a)
	case a.status == http.StatusForbidden:
		kind, next = identity.KindAccessDenied, ""
	}
	return w.failed(kind, doing, why, next, a.requestID, nil)
}

func retryAfter(a *answer) string {
	if seconds := a.header.Get("Retry-After"); seconds != "" {
		return seconds + " s"
	}
	return "a moment"
}

// claims of an access token that choose what to ask for next. They are read
// without a check of the signature: the server judges token and role.
type claims struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Username string `json:"preferred_username"`
	Tags     struct {
		Principal struct {
			Role []string `json:"role"`
		} `json:"principal_tags"`
	} `json:"https://aws.amazon.com/tags"`
}

// claimsOf reads the payload of a JWT; of what is none, nothing.
func claimsOf(token string) (c claims) {
	if !payloadOf(token, &c) {
		return claims{}
	}
	return c
}
