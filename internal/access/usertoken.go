package access

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

// UserToken accepts the access token of a user pool, as the user calls of
// Cognito carry it, and of no other kind: not an ID token, not a realm's token.
// The caller is the person, or the API token, who logged in; what it may do to
// itself is AuthorizeOwn's to say.
//
// KindInvalidBearer for all that is not accepted, with "Access Token has been
// revoked" or "Access Token has expired" for one that was; KindUnavailable
// while this node cannot know.
func (a *Access) UserToken(ctx context.Context, raw identity.Secret) (*identity.Caller, error) {
	c, err := a.userToken(ctx, raw)
	if err != nil {
		a.refuse(ctx, nil, "UserToken", ServiceCognitoIDP.Name+".amazonaws.com", err)
	}
	return c, err
}

func (a *Access) userToken(ctx context.Context, raw identity.Secret) (*identity.Caller, error) {
	realm, err := a.poolOf(raw)
	if err != nil {
		return nil, badUserToken("", err)
	}
	claims, err := a.authn.PoolToken(ctx, realm, raw, authn.PoolAccessToken)
	switch identity.KindOf(err) {
	case "":
	case identity.KindExpiredIdentity:
		return nil, badUserToken("Access Token has expired", err)
	case identity.KindInvalidIdentity:
		return nil, badUserToken("", err)
	default:
		return nil, err
	}
	l := login{
		account: realm.AccountID, user: claims.UserID, issued: time.UnixMilli(claims.IssuedMS), expires: claims.Expiry.Time(),
		position: identity.Position{Incarnation: claims.Incarnation, N: claims.Position},
		lineage: identity.Lineage{
			{Kind: identity.LineagePrincipal, ID: claims.UserID, IssuedMS: claims.IssuedMS},
			{Kind: identity.LineageLogin, ID: claims.SessionID, IssuedMS: claims.IssuedMS},
		},
	}
	if claims.MFAMS != 0 {
		l.mfa = time.UnixMilli(claims.MFAMS)
	}
	c, err := a.person(ctx, l)
	if identity.KindOf(err) == identity.KindExpiredToken {
		err = badUserToken("Access Token has been revoked", err)
	}
	return c, err
}

// poolOf is the realm whose user pool a token names as its issuer; nothing of
// it is proven.
func (a *Access) poolOf(raw identity.Secret) (*identity.Realm, error) {
	t, err := token.Parse(raw.Reveal())
	if err != nil {
		return nil, err
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := token.DecodeClaims(t.Payload, &claims); err != nil {
		return nil, err
	}
	realm, err := store.Realms.By(a.db.Snapshot(), "pool", claims.Issuer[strings.LastIndexByte(claims.Issuer, '/')+1:])
	if err == nil && realm.Pool == nil {
		err = errors.New("no user pool")
	}
	return realm, err
}

func badUserToken(sentence string, err error) error {
	return &identity.Error{Kind: identity.KindInvalidBearer, Op: "access.usertoken", Public: cmp.Or(sentence, "Invalid Access Token"), Err: err}
}
