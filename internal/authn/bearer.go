package authn

import (
	"context"
	"strings"

	"daypass/internal/identity"
)

// AccessToken verifies an access token for use in an account, of one of our own
// realms or of a foreign issuer that the account registered: WebIdentity is for
// ID tokens where the issuer is foreign. Whether issuer and audience are the
// right ones is for issue to judge. With bearer the claim "typ" must be "Bearer".
// Errors as of WebIdentity.
func (a *Authn) AccessToken(ctx context.Context, accountID string, raw identity.Secret, bearer bool) (*WebIdentity, error) {
	w, typ, err := a.webIdentity(ctx, accountID, raw)
	// The sentences of another API, of which the second tells strangers which
	// issuers an account has registered.
	if e := identity.AsError(err); e != nil && (e.Public == notAnIDToken || strings.HasPrefix(e.Public, noProvider)) {
		bad := *e
		bad.Public = ""
		return nil, &bad
	}
	if err != nil {
		return nil, err
	}
	if w.OwnPool != nil || !w.isAccess(typ) || bearer && w.Claims.Type != typeBearer {
		return nil, &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.accesstoken", Public: "The token is not an access token."}
	}
	return w, nil
}

// typeBearer is "typ" among the claims of Keycloak's access tokens, and of those
// of our realms.
const typeBearer = "Bearer"

// isAccess reports whether the token calls itself an access token, in one of the
// ways that issuers have, and nothing else besides.
func (w *WebIdentity) isAccess(typ string) bool {
	c := w.Claims
	if w.OwnRealm != nil {
		return c.Type == typeBearer
	}
	typ = mediaType(typ)
	switch {
	case c.Events != nil, c.Type != "" && c.Type != typeBearer, c.TokenUse != "" && c.TokenUse != "access":
		return false
	case typ == "at+jwt": // RFC 9068
		return true
	}
	return (typ == "" || typ == "jwt") && (c.Type == typeBearer || c.TokenUse == "access")
}

// mediaType is the "typ" of a header in one spelling (RFC 7515 §4.1.9).
func mediaType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}
