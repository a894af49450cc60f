package issue

import (
	"context"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

// IBMKeys are session keys, and whose they are.
type IBMKeys struct {
	Keys                   identity.SessionKeys
	ARN, AccountID, UserID string
}

// IBMSessionKeys gives whoever shows an access token of IBM's dialect session
// keys with its own rights, as GetSessionToken does for a long-term key, which
// end with the token at the latest. seconds is the lifetime asked for, 0 for the
// token's. Nobody needs a policy for it, but one may deny sts:GetSessionToken.
// KindAccessDenied, also for callers by other credentials; KindValidation for
// the lifetime.
func (i *Issuer) IBMSessionKeys(ctx context.Context, c *identity.Caller, seconds int) (IBMKeys, error) {
	ev := audit.Change(c, ibmDialect, "GetSessionToken", nil)
	out, err := i.ibmSessionKeys(ctx, c, seconds, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmSessionKeys(ctx context.Context, c *identity.Caller, seconds int, ev *audit.Event) (IBMKeys, error) {
	// 1 prove
	if !byIBMToken(c) {
		return IBMKeys{}, errNoIBMToken
	}
	s, err := i.signer(ctx, c, MFAProof{})
	if err != nil {
		return IBMKeys{}, err
	}
	// 2 permit
	d := i.access.Authorize(c, "sts:GetSessionToken", access.Resource{ARN: c.ARN, AccountID: c.AccountID, Unrecorded: true})
	if d.Effect == access.ExplicitDeny || d.Err != nil && identity.KindOf(d.Err) != identity.KindAccessDenied {
		return IBMKeys{}, d.Err
	}
	// 3 bound the lifetime
	life, err := i.boundIBMKeys(c, seconds)
	if err != nil {
		return IBMKeys{}, err
	}
	// 4 mint, 5 record
	m := &session{arn: s.ARN, proof: "IBM token", claims: token.SessionClaims{
		Kind: s.Kind, AccountID: s.AccountID, Partition: s.Partition, PrincipalID: s.PrincipalID,
		MFA: s.MFA, MFATime: s.MFATime, Position: s.pos,
	}}
	if m.claims.Lineage, err = s.Descend(s.AccountID); err != nil {
		return IBMKeys{}, err
	}
	keys, _, err := i.mint(ctx, m, life, ev, map[string]any{})
	return IBMKeys{Keys: keys, ARN: s.ARN, AccountID: s.AccountID, UserID: s.UserID}, err
}

var errNoIBMToken = identity.NewError(identity.KindAccessDenied, "issue.ibm", "This is for access tokens of the token service.")

// byIBMToken reports whether a caller came by a log-in that is no session keys
// and no cookie, as those of package access's IBMToken do.
func byIBMToken(c *identity.Caller) bool {
	return !c.Temporary && !c.Console && c.IAMID() != "" && c.Lineage.Get(identity.LineageLogin) != "" && !c.ExpiresAt.IsZero()
}

// boundIBMKeys is what is left of the token, or less where less is asked for.
func (i *Issuer) boundIBMKeys(c *identity.Caller, seconds int) (time.Duration, error) {
	left := c.ExpiresAt.Sub(i.clock.Now())
	if seconds == 0 {
		return left, nil
	}
	asked, err := i.boundTokenLife(seconds, c.Kind == identity.RootUser)
	return min(asked, left), err
}

// IBMLogout ends the log-in session that the caller's access token is of, with
// all that was obtained by it: refresh tokens and session keys; API keys that it
// made stay. KindNotFound for another session's ID, KindAccessDenied for callers by
// other credentials.
func (i *Issuer) IBMLogout(ctx context.Context, c *identity.Caller, id string) error {
	own := c.Lineage.Last(identity.LineageLogin)
	if !byIBMToken(c) {
		return errNoIBMToken
	}
	if id != own {
		return identity.NewError(identity.KindNotFound, "issue.ibmlogout", "The session is not the one of the access token.")
	}
	ev := audit.Change(c, ibmDialect, "EndSession", map[string]string{"sessionId": own})
	_, err := i.audit.Commit(ctx, i.db, ev, func(tx store.Tx) error { return i.end(tx, own, "logged out") })
	return err
}
