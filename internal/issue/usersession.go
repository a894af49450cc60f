package issue

import (
	"context"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

// SessionTokenRequest is GetSessionToken.
type SessionTokenRequest struct {
	MFA MFAProof
	// DurationSeconds is 0 when not given.
	DurationSeconds int
}

// SessionToken gives a user, or root, session keys of its own, by a long-term
// key (STS GetSessionToken). Every user may, as in AWS: what such a session may
// do is package access's to say. KindAccessDenied for session credentials and
// for a wrong code, KindMFARequired, KindValidation for the duration.
func (i *Issuer) SessionToken(ctx context.Context, c *identity.Caller, r SessionTokenRequest) (identity.SessionKeys, error) {
	ev := audit.Change(c, stsSource, "GetSessionToken", nil)
	keys, err := i.sessionToken(ctx, c, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return keys, err
}

func (i *Issuer) sessionToken(ctx context.Context, c *identity.Caller, r SessionTokenRequest, ev *audit.Event) (identity.SessionKeys, error) {
	// 1 prove, 2 permit
	if err := longTermOnly(c, "GetSessionToken"); err != nil {
		return identity.SessionKeys{}, err
	}
	s, err := i.signer(ctx, c, r.MFA)
	if err != nil {
		return identity.SessionKeys{}, err
	}
	// 3 bound the lifetime
	life, err := i.boundTokenLife(r.DurationSeconds, s.Kind == identity.RootUser)
	if err != nil {
		return identity.SessionKeys{}, err
	}
	// 4 mint, 5 record
	m := &session{arn: s.ARN, proof: s.proof(), use: s.use(), claims: token.SessionClaims{
		Kind: s.Kind, AccountID: s.AccountID, Partition: s.Partition, PrincipalID: s.PrincipalID,
		MFA: s.MFA, MFATime: s.MFATime, Position: s.pos,
	}}
	if m.claims.Lineage, err = s.Descend(s.AccountID); err != nil {
		return identity.SessionKeys{}, err
	}
	keys, _, err := i.mint(ctx, m, life, ev, map[string]any{})
	return keys, err
}

// FederationTokenRequest is GetFederationToken.
type FederationTokenRequest struct {
	Name   string
	Policy SessionPolicy
	Tags   []Tag
	// DurationSeconds is 0 when not given.
	DurationSeconds int
}

// FederationToken is its answer.
type FederationToken struct {
	Keys             identity.SessionKeys
	FederatedUserID  string
	FederatedUserARN string
	PackedPolicySize int // per cent
}

// FederationToken gives session keys to somebody that a user, or root, vouches
// for, by a long-term key (STS GetFederationToken): with the user's rights as
// far as the session policies reach, and none of its own without any. Errors as
// of AssumeRole.
func (i *Issuer) FederationToken(ctx context.Context, c *identity.Caller, r FederationTokenRequest) (FederationToken, error) {
	ev := audit.Change(c, stsSource, "GetFederationToken", map[string]string{"name": r.Name})
	out, err := i.federationToken(ctx, c, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) federationToken(ctx context.Context, c *identity.Caller, r FederationTokenRequest, ev *audit.Event) (FederationToken, error) {
	var out FederationToken
	// 1 prove
	if err := longTermOnly(c, "GetFederationToken"); err != nil {
		return out, err
	}
	s, err := i.signer(ctx, c, MFAProof{})
	if err != nil {
		return out, err
	}
	// 2 permit
	out.FederatedUserID, out.FederatedUserARN = s.AccountID+":"+r.Name, identity.FederatedUserARN(s.Partition, s.AccountID, r.Name)
	m, err := i.permitFederation(s, out.FederatedUserARN, r)
	if err != nil {
		return FederationToken{}, err
	}
	// 3 bound the lifetime
	life, err := i.boundTokenLife(r.DurationSeconds, s.Kind == identity.RootUser)
	if err != nil {
		return FederationToken{}, err
	}
	// 4 mint, 5 record
	out.Keys, out.PackedPolicySize, err = i.mint(ctx, m, life, ev, map[string]any{"federatedUserArn": out.FederatedUserARN})
	if err != nil {
		return FederationToken{}, err
	}
	return out, nil
}

func (i *Issuer) permitFederation(s *signer, arn string, r FederationTokenRequest) (*session, error) {
	tags, err := newTags(r.Tags, nil)
	if err != nil {
		tags = &sessionTags{} // complained of once the call is permitted
	}
	keys := map[string][]string{}
	tags.addTo(keys)
	actions := []string{"sts:GetFederationToken"}
	if len(tags.values) > 0 {
		actions = append(actions, tagSessionAction)
	}
	for _, action := range actions {
		if d := i.access.Authorize(s.Caller, action, access.Resource{ARN: arn, AccountID: s.AccountID, Keys: keys, Unrecorded: true}); !d.Allowed() {
			return nil, d.Err
		}
	}
	if err != nil {
		return nil, err
	}
	snap := i.db.Snapshot()
	acc, err := store.Accounts.Get(snap, s.AccountID)
	if err != nil {
		return nil, err
	}
	m := &session{arn: arn, proof: s.proof(), claims: token.SessionClaims{
		Kind: identity.Federated, AccountID: s.AccountID, Partition: s.Partition, PrincipalID: s.PrincipalID, SessionName: r.Name,
		Tags: tags.values, PolicyARNs: r.Policy.ARNs, Position: s.pos,
	}}
	if m.claims.Policy, err = r.Policy.checked(snap, acc); err != nil {
		return nil, err
	}
	m.claims.Lineage, err = s.Descend(s.AccountID)
	return m, err
}

func longTermOnly(c *identity.Caller, call string) error {
	if !c.Temporary && (c.Kind == identity.IAMUser || c.Kind == identity.RootUser) {
		return nil
	}
	return identity.NewError(identity.KindAccessDenied, "issue.permit", "Cannot call "+call+" with session credentials")
}

// AccessKeyAccount is the account that an access key belongs to: a long-term
// one, or one of a session that the index of sessions knows (STS
// GetAccessKeyInfo). KindValidation when there is none.
func (i *Issuer) AccessKeyAccount(ctx context.Context, c *identity.Caller, keyID string) (string, error) {
	d := i.access.Authorize(c, "sts:GetAccessKeyInfo", access.Resource{ARN: "*", AccountID: c.AccountID})
	if !d.Allowed() {
		return "", d.Err
	}
	account := ""
	k, err := store.Lookup(ctx, i.db, store.AccessKeys, keyID)
	if err == nil {
		return k.AccountID, nil
	}
	if identity.KindOf(err) == identity.KindNotFound && token.ValidSessionKeyID(keyID) {
		err = i.db.View(ctx, func(r store.Reader) error {
			s, err := store.SessionRecords.Get(r, keyID)
			if err == nil {
				account = s.AccountID
			}
			return err
		})
	}
	if identity.KindOf(err) == identity.KindNotFound {
		return "", identity.NewError(identity.KindValidation, "issue.accesskeyinfo", "There is no access key "+bounded(keyID)+".")
	}
	return account, err
}
