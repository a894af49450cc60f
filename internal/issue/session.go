package issue

import (
	"context"
	"fmt"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

const (
	stsSource          = "sts.amazonaws.com"
	defaultSessionLife = 3600   // seconds
	maxSessionLife     = 43200  // seconds
	maxChainedLife     = 3600   // seconds, of a role assumed by a role
	defaultTokenLife   = 43200  // seconds, of GetSessionToken and GetFederationToken
	maxTokenLife       = 129600 // seconds
	maxRootTokenLife   = 3600   // seconds, of those for root
)

// session is a set of session keys in the making: what steps 1 and 2 found.
type session struct {
	claims token.SessionClaims // but for its times, which mint fills in
	arn    string
	// proof and subject are those of store.SessionRecord.
	proof, subject string
	// use, when set, uses a single-use proof up in the transaction that records
	// the session.
	use func(store.Tx) error
}

// mint is steps 4 and 5 of everything that yields session keys. answer are
// further elements of the event.
func (i *Issuer) mint(ctx context.Context, s *session, life time.Duration, ev *audit.Event, answer map[string]any) (keys identity.SessionKeys, packed int, err error) {
	now := i.clock.Now()
	s.claims.IssuedMS, s.claims.ExpiresAt = now.UnixMilli(), now.Add(life)
	if keys, packed, err = i.sessions.Mint(&s.claims); err != nil {
		return identity.SessionKeys{}, 0, err
	}
	ev.RecipientAccountID = s.claims.AccountID
	ev.Issued("sessionToken", keys.SessionToken)
	answer["accessKeyId"], answer["expiration"] = keys.AccessKeyID, keys.Expiration.UTC().Format(time.RFC3339)
	ev.ResponseElements = answer
	if s.use == nil {
		err = i.audit.Record(ctx, *ev)
	} else {
		_, err = i.audit.Commit(ctx, i.db, *ev, s.use)
	}
	if err != nil {
		return identity.SessionKeys{}, 0, err
	}
	i.indexed(ctx, &s.claims, keys.AccessKeyID, s.arn, s.proof, s.subject)
	return keys, packed, nil
}

// MFAProof is a device's serial number and a code of it; empty: none was given.
type MFAProof struct {
	SerialNumber string
	TokenCode    identity.Secret
}

// signer is a signed caller whose request is step 1 of a call.
type signer struct {
	*identity.Caller
	// pos was read before the caller was judged again: what is revoked
	// afterwards reaches what is minted at it.
	pos  identity.Position
	user *identity.User // nil for a role session
	code *authn.TOTPCode
}

// signer judges a caller again at the position at which keys will be minted,
// and checks the second factor where one is shown. The rules of the user
// behind it are part of step 2; they come here, since every caller has them.
func (i *Issuer) signer(ctx context.Context, c *identity.Caller, mfa MFAProof) (*signer, error) {
	if err := i.ready(); err != nil {
		return nil, err
	}
	s := &signer{Caller: c, pos: i.db.Snapshot().Position()}
	if c.Kind == identity.Operator || c.Kind == identity.Anonymous {
		return nil, &identity.Error{Kind: identity.KindAccessDenied, Op: "issue.signer"}
	}
	if err := i.access.StillLive(i.db.Current(ctx), c); err != nil {
		return nil, err
	}
	var err error
	if c.Kind != identity.RoleSession {
		if s.user, err = store.Lookup(ctx, i.db, store.Users, c.PrincipalID); err != nil {
			return nil, err
		}
	}
	if mfa != (MFAProof{}) {
		if err := i.secondFactor(ctx, s, mfa); err != nil {
			return nil, err
		}
	}
	if s.user != nil {
		return s, permitUser(s.user, s.MFA)
	}
	return s, nil
}

// secondFactor checks a code and makes the caller one with a second factor.
func (i *Issuer) secondFactor(ctx context.Context, s *signer, mfa MFAProof) (err error) {
	if s.user == nil || s.Kind == identity.Federated || mfa.SerialNumber == "" || mfa.TokenCode == "" {
		return &identity.Error{
			Kind: identity.KindAccessDenied, Op: "issue.mfa",
			Public: "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code of a user.",
		}
	}
	if s.code, err = i.authn.TOTP(ctx, s.user.ID, mfa.SerialNumber, mfa.TokenCode.Reveal()); err != nil {
		return err
	}
	with := *s.Caller
	with.MFA, with.MFATime = true, i.clock.Now()
	s.Caller = &with
	return nil
}

// proof is what the caller showed, for the index of sessions.
func (s *signer) proof() string {
	switch {
	case s.Temporary:
		return "session"
	case s.Interactive:
		return consoleDialect
	}
	return "access key"
}

// use is session.use for the code that the caller showed.
func (s *signer) use() func(store.Tx) error {
	if s.code == nil {
		return nil
	}
	return s.code.Use
}

// boundLife is step 3: the lifetime asked for, or an hour, under every limit.
// More than a maximum, or less than the minimum, is refused.
func (i *Issuer) boundLife(asked, roleMax int) (time.Duration, error) {
	limit := min(roleMax, maxSessionLife)
	if asked == 0 {
		asked = min(defaultSessionLife, limit)
	}
	if err := i.inBounds(asked, maxSessionLife); err != nil {
		return 0, err
	}
	if asked > limit {
		return 0, &identity.Error{Kind: identity.KindValidation, Op: "issue.bound", Public: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
	}
	return time.Duration(asked) * time.Second, nil
}

// boundTokenLife is step 3 of GetSessionToken and GetFederationToken.
func (i *Issuer) boundTokenLife(asked int, root bool) (time.Duration, error) {
	limit := maxTokenLife
	if root {
		limit = maxRootTokenLife
	}
	if asked == 0 {
		asked = min(defaultTokenLife, limit)
	}
	return time.Duration(asked) * time.Second, i.inBounds(asked, limit)
}

func (i *Issuer) inBounds(asked, most int) error {
	if asked > most {
		return durationError(asked, "less than or equal to %d", most)
	}
	if asked < i.minLife {
		return durationError(asked, "greater than or equal to %d", i.minLife)
	}
	return nil
}

func durationError(asked int, what string, bound int) error {
	return &identity.Error{Kind: identity.KindValidation, Op: "issue.bound", Public: fmt.Sprintf(
		"1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value "+what, asked, bound)}
}
