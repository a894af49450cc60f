package authn

import (
	"context"

	"daypass/internal/identity"
)

// Uses of a user pool's tokens (claim "token_use").
const (
	PoolIDToken     = "id"
	PoolAccessToken = "access"
)

// PoolToken verifies an ID or access token of a realm's user pool: form,
// signature under the pool's own keys, issuer, use and times, without leeway.
// The audience of an ID token, the client of an access token, and whether the
// log-in still stands are judged by who calls it. Errors: KindInvalidIdentity,
// KindExpiredIdentity.
func (a *Authn) PoolToken(_ context.Context, realm *identity.Realm, raw identity.Secret, use string) (*Claims, error) {
	if realm.Pool == nil {
		return nil, notJWT("no user pool")
	}
	u, err := a.open(raw.Reveal())
	if err != nil {
		return nil, err
	}
	if u.header.Issuer != realm.PoolIssuer(a.external) {
		return nil, notJWT("another issuer")
	}
	set := realm.PoolKeySet()
	c, err := a.verify(u, set, a.ownKey(set))
	if err != nil {
		return nil, err
	}
	if c.TokenUse != use || c.UserID == "" || c.SessionID == "" {
		return nil, notJWT("not the kind of token that is asked for")
	}
	if use == PoolIDToken && len(c.Audience) == 0 {
		return nil, missingClaim("aud")
	}
	return c, c.judgeTimes(a.clock.Now(), 0)
}
