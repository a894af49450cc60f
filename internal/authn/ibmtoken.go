package authn

import (
	"context"

	"daypass/internal/identity"
)

// IBMIssuer is the "iss" of the access tokens of IBM's dialect.
func (a *Authn) IBMIssuer() string { return a.external + identity.IBMIssuerPath }

// IBMToken verifies an access token of IBM's dialect: form, signature under the
// set of its own, issuer and times, without leeway. It has neither audience nor
// "nbf". Whether the log-in still stands is judged by who calls it. Errors:
// KindInvalidIdentity, KindExpiredIdentity.
func (a *Authn) IBMToken(_ context.Context, raw identity.Secret) (*Claims, error) {
	u, err := a.open(raw.Reveal())
	if err != nil {
		return nil, err
	}
	if u.header.Issuer != a.IBMIssuer() {
		return nil, notJWT("another issuer")
	}
	c, err := a.verify(u, identity.IBMKeySet, a.ownKey(identity.IBMKeySet))
	if err != nil {
		return nil, err
	}
	if c.UserID == "" || c.SessionID == "" || c.IAMID == "" || c.AccountID == "" {
		return nil, notJWT("not the kind of token that is asked for")
	}
	return c, c.judgeTimes(a.clock.Now(), 0)
}
