package issue

import (
	"context"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

const (
	assumeRoleAction     = "sts:AssumeRole"
	tagSessionAction     = "sts:TagSession"
	sourceIdentityAction = "sts:SetSourceIdentity"
)

// AssumeRoleRequest is AssumeRole.
type AssumeRoleRequest struct {
	RoleARN         string
	RoleSessionName string
	ExternalID      string
	SourceIdentity  string
	MFA             MFAProof
	Tags            []Tag
	TransitiveKeys  []string
	Policy          SessionPolicy
	// DurationSeconds is 0 when not given.
	DurationSeconds int
}

// AssumedRole is its answer.
type AssumedRole struct {
	Keys             identity.SessionKeys
	AssumedRoleID    string
	AssumedRoleARN   string
	SourceIdentity   string // "" when not set
	PackedPolicySize int    // per cent
}

// AssumeRole gives a caller session keys of a role that it may assume, by its
// own policies and by the role's (STS AssumeRole). The session has the role's
// rights: those of the caller, and what bounds its session, count for whether
// it may, not for what the new session can. KindAccessDenied, in the same words
// for absent, foreign and forbidden roles; KindValidation and KindInvalidInput
// for what does not fit the role or the calling session; KindMalformedPolicy,
// KindPolicyTooLarge; KindLimitExceeded for a chain that is too long.
func (i *Issuer) AssumeRole(ctx context.Context, c *identity.Caller, r AssumeRoleRequest) (AssumedRole, error) {
	ev := audit.Change(c, stsSource, "AssumeRole", map[string]string{
		"roleArn": r.RoleARN, "roleSessionName": r.RoleSessionName, "externalId": r.ExternalID, "sourceIdentity": r.SourceIdentity,
		"serialNumber": r.MFA.SerialNumber,
	})
	out, err := i.assumeRole(ctx, c, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) assumeRole(ctx context.Context, c *identity.Caller, r AssumeRoleRequest, ev *audit.Event) (AssumedRole, error) {
	var out AssumedRole
	// 1 prove: the signed request, and the code of a device where one is shown.
	s, err := i.signer(ctx, c, r.MFA)
	if err != nil {
		return out, err
	}
	// 2 permit
	acc, role, m, err := i.permitAssumeRole(s, r)
	if err != nil {
		return out, err
	}
	// 3 bound the lifetime
	if s.Kind == identity.RoleSession && r.DurationSeconds > maxChainedLife {
		return out, identity.NewError(identity.KindValidation, "issue.bound", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	life, err := i.boundLife(r.DurationSeconds, role.MaxSessionDuration)
	if err != nil {
		return out, err
	}
	// 4 mint, 5 record
	out.AssumedRoleID, out.AssumedRoleARN = role.ID+":"+r.RoleSessionName, identity.AssumedRoleARN(acc.Partition, acc.ID, role.Name, r.RoleSessionName)
	m.arn, out.SourceIdentity = out.AssumedRoleARN, m.claims.SourceIdentity
	out.Keys, out.PackedPolicySize, err = i.mint(ctx, m, life, ev, map[string]any{"assumedRoleArn": out.AssumedRoleARN})
	if err != nil {
		return AssumedRole{}, err
	}
	return out, nil
}

func (i *Issuer) permitAssumeRole(s *signer, r AssumeRoleRequest) (*identity.Account, *identity.Role, *session, error) {
	snap := i.db.Snapshot()
	arn, _ := identity.ParseARN(r.RoleARN)
	acc, role, err := roleOf(snap, arn)
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, nil, nil, i.forbidden(s.Caller, assumeRoleAction, r.RoleARN, err)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	tags, err := newTags(r.Tags, r.TransitiveKeys)
	if err != nil {
		return nil, nil, nil, i.afterPermit(s, acc, role, r, err)
	}
	if err := tags.inherit(s.Caller); err != nil {
		return nil, nil, nil, i.afterPermit(s, acc, role, r, err)
	}
	source, err := i.permitActions(s, acc, role, r, tags)
	if err != nil {
		return nil, nil, nil, err
	}
	document, err := r.Policy.checked(snap, acc)
	if err != nil {
		return nil, nil, nil, err
	}
	lineage, err := s.Descend(acc.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	return acc, role, &session{
		proof: s.proof(), use: s.use(),
		claims: token.SessionClaims{
			Kind: identity.RoleSession, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: role.ID, SessionName: r.RoleSessionName,
			SourceIdentity: source, Tags: tags.values, TransitiveKeys: tags.transitive, Policy: document, PolicyARNs: r.Policy.ARNs,
			Position: s.pos, Lineage: lineage, // and no second factor, as in AWS: that was the caller's
		},
	}, nil
}

// afterPermit is the error of an unfit request, or that of one that is not
// permitted at all: who may not assume the role learns nothing of it.
func (i *Issuer) afterPermit(s *signer, acc *identity.Account, role *identity.Role, r AssumeRoleRequest, unfit error) error {
	r.Tags, r.TransitiveKeys = nil, nil
	if _, err := i.permitActions(s, acc, role, r, &sessionTags{}); err != nil {
		return err
	}
	return unfit
}

// permitActions asks for the call and for what it does besides, and returns the
// source identity of the new session.
func (i *Issuer) permitActions(s *signer, acc *identity.Account, role *identity.Role, r AssumeRoleRequest, tags *sessionTags) (string, error) {
	source := r.SourceIdentity
	if s.Temporary && s.SourceIdentity != "" {
		source = s.SourceIdentity
	}
	keys := roleKeys(role, r.RoleSessionName, source, tags)
	if r.ExternalID != "" {
		keys["sts:ExternalId"] = []string{r.ExternalID}
	}
	if s.code != nil && !s.Temporary { // long-term keys have these for this call alone
		keys["aws:MultiFactorAuthPresent"], keys["aws:MultiFactorAuthAge"] = []string{"true"}, []string{"0"}
	}
	actions := []string{assumeRoleAction}
	if len(tags.values) > 0 {
		actions = append(actions, tagSessionAction)
	}
	// That of a root session is the name of its log-in, which nobody chose.
	if source != "" && (s.Kind != identity.RootUser || s.SourceIdentity == "") {
		actions = append(actions, sourceIdentityAction)
	}
	for _, action := range actions {
		if d := i.access.AuthorizeRole(s.Caller, role, acc.Partition, action, keys); !d.Allowed() {
			if identity.KindOf(d.Err) != identity.KindAccessDenied {
				return "", d.Err
			}
			return "", i.forbidden(s.Caller, action, r.RoleARN, d.Err)
		}
	}
	if r.SourceIdentity != "" && r.SourceIdentity != source {
		return "", i.forbidden(s.Caller, sourceIdentityAction, r.RoleARN, nil)
	}
	return source, nil
}

// roleKeys are the condition keys of every call for a role.
func roleKeys(role *identity.Role, sessionName, source string, tags *sessionTags) map[string][]string {
	keys := map[string][]string{"sts:RoleSessionName": {sessionName}}
	if source != "" {
		keys["sts:SourceIdentity"] = []string{source}
	}
	for k, v := range role.Tags {
		keys["aws:ResourceTag/"+k], keys["iam:ResourceTag/"+k] = []string{v}, []string{v}
	}
	tags.addTo(keys)
	return keys
}

// roleOf finds the role that an ARN names, exactly as it is written, in a
// living account; KindNotFound for anything else.
func roleOf(r store.Reader, arn identity.ARN) (*identity.Account, *identity.Role, error) {
	absent := &identity.Error{Kind: identity.KindNotFound, Op: "issue.role"}
	path, name, ok := arn.Name("role")
	if !ok || arn.Service != "iam" || arn.Region != "" {
		return nil, nil, absent
	}
	acc, err := store.Accounts.Get(r, arn.Account)
	if err != nil {
		return nil, nil, err
	}
	role, err := store.Roles.By(r, "name", store.Join(acc.ID, store.Fold(name)))
	if err == nil && (acc.Disabled || acc.Partition != arn.Partition || role.Name != name || role.Path != path) {
		err = absent
	}
	return acc, role, err
}

// forbidden is AWS's sentence, without the reason: that would tell an absent
// role from a forbidden one. Its message holds the caller's own side alone.
func (i *Issuer) forbidden(c *identity.Caller, action, arn string, why error) error {
	return &identity.Error{
		Kind: identity.KindAccessDenied, Op: "issue.permit", Err: why,
		Public: "User: " + c.ARN + " is not authorized to perform: " + action + " on resource: " + bounded(arn) +
			i.access.OwnReasons(c, action, bounded(arn), nil),
	}
}
