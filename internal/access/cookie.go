package access

import (
	"context"
	"time"

	"daypass/internal/identity"
)

// cookieIdle is how long a session of the console lives without a request.
const cookieIdle = time.Hour

// Cookie accepts the session cookie of the console: a person who logged in
// there, and no other door takes it. IssuedAt of the caller is when the person
// showed a proof last, ExpiresAt when the session ends in any case. Everything
// that can change is judged each time.
//
// KindMissingAuthentication for an empty text, KindInvalidToken for one that is
// no cookie of ours, KindExpiredToken for a session that is over.
func (a *Access) Cookie(ctx context.Context, text identity.Secret) (*identity.Caller, error) {
	if text == "" {
		return nil, &identity.Error{Kind: identity.KindMissingAuthentication, Op: "access.cookie"}
	}
	claims, err := a.cookies.Open(text)
	if err != nil {
		return nil, err
	}
	if a.clock.Now().Sub(time.UnixMilli(claims.SeenMS)) >= cookieIdle {
		return nil, errExpired
	}
	l := login{
		account: claims.AccountID, user: claims.UserID, lineage: claims.Lineage, position: claims.Position,
		issued: time.UnixMilli(claims.ProvedMS), expires: time.UnixMilli(claims.ExpiresMS), console: true,
	}
	if claims.MFAMS != 0 {
		l.mfa = time.UnixMilli(claims.MFAMS)
	}
	c, err := a.person(ctx, l)
	if err != nil {
		return nil, err
	}
	c.Methods = claims.Methods
	return c, nil
}
