package issue

import (
	"context"
	"crypto/sha1" //nolint:gosec // NameQualifier is defined by it; nothing rests on it
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

const samlAction = "sts:AssumeRoleWithSAML"

// errSAMLDenied answers absent, foreign and forbidden roles and providers alike.
var errSAMLDenied = &identity.Error{
	Kind: identity.KindAccessDenied, Op: "issue.saml", Public: "Not authorized to perform " + samlAction,
}

// SAMLRequest is AssumeRoleWithSAML.
type SAMLRequest struct {
	RoleARN, PrincipalARN string
	Assertion             identity.Secret // base64
	// DurationSeconds is 0 when not given.
	DurationSeconds int
	Policy          SessionPolicy
}

// SAMLResult is its answer.
type SAMLResult struct {
	AssumedRole
	Subject, SubjectType, Issuer, Audience, NameQualifier string
}

// SAML exchanges an assertion of a SAML provider for session keys of a role
// (STS AssumeRoleWithSAML). An assertion is good once. Errors:
// KindInvalidIdentity, KindExpiredIdentity, KindAccessDenied, KindValidation
// for a duration beyond a maximum, the session's end at the provider included.
func (i *Issuer) SAML(ctx context.Context, r SAMLRequest) (SAMLResult, error) {
	ev := audit.Event{Source: stsSource, Name: "AssumeRoleWithSAML", RequestParameters: map[string]any{
		"roleArn": r.RoleARN, "principalArn": r.PrincipalARN,
	}}
	out, err := i.saml(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) saml(ctx context.Context, r SAMLRequest, ev *audit.Event) (SAMLResult, error) {
	var out SAMLResult
	if err := i.ready(); err != nil {
		return out, err
	}
	// 1 prove. The position is taken first: what is revoked meanwhile counts.
	snap := i.db.Snapshot()
	pos := snap.Position()
	p, err := samlProvider(snap, r.PrincipalARN)
	if err != nil {
		return out, err
	}
	s, err := i.authn.SAML(p, r.Assertion)
	if err != nil {
		return out, err
	}
	ev.UserIdentity = audit.UserIdentity{
		Type: "SAMLUser", PrincipalID: identity.WebIdentityID(s.Issuer, s.Subject), AccountID: p.AccountID, IdentityProvider: r.PrincipalARN,
	}
	// 2 permit
	acc, role, m, err := i.permitSAML(ctx, snap, s, r)
	if err != nil {
		return out, err
	}
	// 3 bound the lifetime
	life, err := i.boundSAML(r.DurationSeconds, role.MaxSessionDuration, s.SessionEnds)
	if err != nil {
		return out, err
	}
	// 4 mint, 5 record; the assertion is used up with the event.
	m.claims.Position, m.use = pos, useAssertion(s)
	out.AssumedRoleID, out.AssumedRoleARN = role.ID+":"+s.SessionName, m.arn
	out.Subject, out.SubjectType, out.Issuer, out.Audience = s.Subject, s.SubjectType, s.Issuer, s.Recipient
	out.NameQualifier, out.SourceIdentity = nameQualifier(s.Issuer, acc.ID, p.Name), s.SourceIdentity
	out.Keys, out.PackedPolicySize, err = i.mint(ctx, m, life, ev, map[string]any{
		"assumedRoleArn": m.arn, "subject": s.Subject, "provider": r.PrincipalARN, "audience": s.Recipient,
	})
	if err != nil {
		return SAMLResult{}, err
	}
	return out, nil
}

// samlProvider finds a provider by its ARN, exactly as it is written.
func samlProvider(r store.Reader, text string) (*identity.SAMLProvider, error) {
	arn, _ := identity.ParseARN(text)
	acc, err := store.Accounts.Get(r, arn.Account)
	if err != nil {
		return nil, samlDenied(err)
	}
	name, ok := strings.CutPrefix(arn.Resource, "saml-provider/")
	if !ok || acc.Disabled || text != identity.SAMLProviderARN(acc.Partition, acc.ID, name) {
		return nil, errSAMLDenied
	}
	p, err := store.SAMLProviders.Get(r, (&identity.SAMLProvider{AccountID: acc.ID, Name: name}).Key())
	if err != nil {
		return nil, samlDenied(err)
	}
	return p, nil
}

func samlDenied(err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return errSAMLDenied
	}
	return err
}

func (i *Issuer) permitSAML(ctx context.Context, snap *store.Snapshot, s *authn.SAMLIdentity, r SAMLRequest) (*identity.Account, *identity.Role, *session, error) {
	arn, _ := identity.ParseARN(r.RoleARN)
	acc, role, err := roleOf(snap, arn)
	if err != nil {
		return nil, nil, nil, samlDenied(err)
	}
	if !s.MayTake(r.RoleARN, r.PrincipalARN) {
		return nil, nil, nil, errSAMLDenied
	}
	if i.access.ForeignLive(snap, s.Issuer, s.Subject, r.PrincipalARN, s.IssuedAt) != nil {
		return nil, nil, nil, &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.saml"}
	}
	if len(s.SessionName) < 2 || len(s.SessionName) > 64 || strings.Trim(s.SessionName, sourceIdentityChars) != "" {
		return nil, nil, nil, identity.NewError(identity.KindInvalidIdentity, "issue.saml", `The RoleSessionName of the SAML assertion is not of the pattern [\w+=,.@-]{2,64}.`)
	}
	if s.SourceIdentity != "" && (len(s.SourceIdentity) < 2 || len(s.SourceIdentity) > 64 || strings.Trim(s.SourceIdentity, sourceIdentityChars) != "") {
		return nil, nil, nil, identity.NewError(identity.KindIdentityRejected, "issue.saml", `The source identity of the SAML assertion is not of the pattern [\w+=,.@-]{2,64}.`)
	}
	tags, err := tagsOf(s.Tags, s.TransitiveKeys)
	if err != nil {
		return nil, nil, nil, &identity.Error{Kind: identity.KindInvalidIdentity, Op: "issue.saml", Public: "The session tags of the SAML assertion are malformed.", Err: err}
	}
	if err := i.trustsSAML(ctx, acc, role, s, r.PrincipalARN, tags); err != nil {
		return nil, nil, nil, err
	}
	document, err := r.Policy.checked(snap, acc)
	if err != nil {
		return nil, nil, nil, err
	}
	subject := identity.WebIdentityID(s.Issuer, s.Subject)
	lineage, err := identity.Lineage{}.Extend(identity.Ancestor{Kind: identity.LineageWebIdentity, ID: subject, IssuedMS: s.IssuedAt.UnixMilli()})
	if err != nil {
		return nil, nil, nil, err
	}
	return acc, role, &session{
		arn: identity.AssumedRoleARN(acc.Partition, acc.ID, role.Name, s.SessionName), proof: "SAML", subject: subject,
		claims: token.SessionClaims{
			Kind: identity.RoleSession, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: role.ID, SessionName: s.SessionName,
			SourceIdentity: s.SourceIdentity, ProviderARN: r.PrincipalARN, Audience: s.Recipient, Tags: tags.values, TransitiveKeys: tags.transitive,
			Policy: document, PolicyARNs: r.Policy.ARNs, Lineage: lineage,
		},
	}, nil
}

// trustsSAML asks the role's trust policy.
func (i *Issuer) trustsSAML(ctx context.Context, acc *identity.Account, role *identity.Role, s *authn.SAMLIdentity, provider string, tags *sessionTags) error {
	keys := roleKeys(role, s.SessionName, s.SourceIdentity, tags)
	for key, value := range map[string]string{
		"saml:aud": s.Recipient, "saml:iss": s.Issuer, "saml:sub": s.Subject, "saml:sub_type": s.SubjectType,
	} {
		keys[key] = []string{value}
	}
	_, name, _ := strings.Cut(provider, ":saml-provider/")
	keys["saml:namequalifier"] = []string{nameQualifier(s.Issuer, acc.ID, name)}
	actions := []string{samlAction}
	if len(tags.values) > 0 {
		actions = append(actions, tagSessionAction)
	}
	if s.SourceIdentity != "" {
		actions = append(actions, sourceIdentityAction)
	}
	by := access.Federated{Provider: provider, Request: identity.RequestOf(ctx)}
	for _, action := range actions {
		if !i.access.AuthorizeFederated(by, role, acc.Partition, action, keys).Allowed() {
			return errSAMLDenied
		}
	}
	return nil
}

// boundSAML is boundLife, and the end of the session at the provider.
func (i *Issuer) boundSAML(asked, roleMax int, ends time.Time) (time.Duration, error) {
	life, err := i.boundLife(asked, roleMax)
	if err != nil || ends.IsZero() {
		return life, err
	}
	left := ends.Sub(i.clock.Now())
	switch {
	case left < time.Duration(i.minLife)*time.Second:
		return 0, &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.bound", Public: "The session at the identity provider is over, or too near its end."}
	case left < life && asked != 0:
		return 0, identity.NewError(identity.KindValidation, "issue.bound", fmt.Sprintf(
			"The requested DurationSeconds exceeds the session at the identity provider, which ends in %d seconds.", int(left/time.Second)))
	}
	return min(life, left.Truncate(time.Second)), nil
}

// useAssertion uses an assertion up, in the transaction that records what it
// yields.
func useAssertion(s *authn.SAMLIdentity) func(store.Tx) error {
	id := "saml/" + identity.WebIdentityID(s.Issuer, s.ID)
	return func(tx store.Tx) error {
		err := store.UsedProofs.Insert(tx, &store.UsedProof{ID: id, ExpiresAt: s.ExpiresAt.UTC()})
		if identity.KindOf(err) == identity.KindAlreadyExists {
			return identity.NewError(identity.KindInvalidIdentity, "issue.saml", "The SAML assertion was used before.")
		}
		return err
	}
}

// nameQualifier is what AWS makes of issuer, account and provider: the base64
// of a SHA-1.
func nameQualifier(issuer, account, provider string) string {
	sum := sha1.Sum([]byte(issuer + account + "/" + provider))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// linkKeeps is how long a one-time link that has ended still says why.
const linkKeeps = 7 * 24 * time.Hour

// pruneProofs removes used proofs that nobody would take any more, one-time
// links that nobody should open, and passcodes.
func (i *Issuer) pruneProofs(ctx context.Context) error {
	now := i.clock.Now()
	_, err := i.db.Update(ctx, func(tx store.Tx) error {
		old, err := store.UsedProofs.List(tx, "expires", "", store.After{}, pruneBatch)
		for _, p := range old {
			if err == nil && now.After(p.ExpiresAt) {
				err = store.UsedProofs.Delete(tx, p.ID)
			}
		}
		if err != nil {
			return err
		}
		links, err := store.OneTimeLinks.List(tx, "expires", "", store.After{}, pruneBatch)
		for _, l := range links {
			if err == nil && now.After(l.ExpiresAt.Add(linkKeeps)) {
				err = store.OneTimeLinks.Delete(tx, l.Hash)
			}
		}
		if err != nil {
			return err
		}
		codes, err := store.Passcodes.List(tx, "expires", "", store.After{}, pruneBatch)
		for _, p := range codes {
			if err == nil && now.After(p.ExpiresAt.Add(passcodeKeeps)) {
				err = store.Passcodes.Delete(tx, p.Key())
			}
		}
		return err
	})
	return err
}
