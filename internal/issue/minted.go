package issue

import (
	"context"
	"time"

	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

// indexed tells the index of sessions of session keys that were minted and
// recorded: arn is the session's, proof in a word by what the caller showed
// itself, subject that of a web identity.
func (i *Issuer) indexed(ctx context.Context, c *token.SessionClaims, accessKeyID, arn, proof, subject string) {
	f := identity.RequestOf(ctx)
	i.minted(store.SessionRecord{
		AccessKeyID: accessKeyID, AccountID: c.AccountID, Kind: c.Kind, PrincipalID: c.PrincipalID, ARN: arn,
		Proof: proof, Provider: c.ProviderARN, Subject: subject, SourceIP: f.SourceIP, UserAgent: f.UserAgent,
		Lineage: c.Lineage, Position: c.Position, IssuedAt: time.UnixMilli(c.IssuedMS).UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	})
}

// shownSubject is how the index names a web identity: by the user's name in a
// realm of ours, by the identity of an identity pool, by a keyed hash where the
// subject is foreign.
func (i *Issuer) shownSubject(ctx context.Context, w *authn.WebIdentity) string {
	if w.OwnPool != nil {
		return w.Claims.Subject
	}
	if w.OwnRealm == nil {
		return i.keys.Hash("session-subject", []byte(w.Issuer+"\x00"+w.Claims.Subject))
	}
	if u, err := store.Lookup(ctx, i.db, store.Users, w.Claims.UserID); err == nil {
		return u.Name
	}
	return w.Claims.Subject
}
