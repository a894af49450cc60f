package issue

import (
	"context"
	"encoding/json"
	"strings"

	"daypass/internal/identity"
)

// privateClaims is what the names of claims begin with that are nobody else's.
const privateClaims = "dp_"

// IBMIntrospect says what an access token of IBM's dialect claims, to a caller of
// the account that it is of (RFC 7662): whoever shows it could read as much, and
// learns besides that it is alive. Nil for anything else, another account's
// tokens and those that were ended included.
func (i *Issuer) IBMIntrospect(ctx context.Context, c *identity.Caller, raw identity.Secret) (map[string]json.RawMessage, error) {
	who, err := i.access.IBMToken(ctx, raw)
	if identity.KindOf(err) == identity.KindInvalidBearer || err == nil && who.AccountID != c.AccountID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	payload, _, err := i.jwts.Verify(identity.IBMKeySet, raw.Reveal())
	if err != nil {
		return nil, err
	}
	claims := map[string]json.RawMessage{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "issue.introspect", Err: err}
	}
	for name := range claims {
		if name == "sid" || strings.HasPrefix(name, privateClaims) {
			delete(claims, name)
		}
	}
	return claims, nil
}
