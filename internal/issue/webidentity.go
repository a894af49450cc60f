package issue

import (
	"context"
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

const (
	stsSource          = "sts.amazonaws.com"
	defaultSessionLife = 3600  // seconds
	maxSessionLife     = 43200 // seconds
	roleTag            = "role"
	webIdentityAction  = "sts:AssumeRoleWithWebIdentity"
	rootAssumedRoleID  = "root"
	// sourceIdentityChars are those of sts:SourceIdentity.
	sourceIdentityChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"
	tokenEndpointSuffix = "/protocol/openid-connect/token"
)

// errNotTrusted answers absent, foreign and forbidden roles alike.
var errNotTrusted = &identity.Error{
	Kind: identity.KindAccessDenied, Op: "issue.webidentity", Public: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
}

// WebIdentity exchanges a JWT for session keys of a role, or of the root user
// for a token of the root realm (STS AssumeRoleWithWebIdentity). Errors:
// KindInvalidIdentity, KindExpiredIdentity, KindProviderUnreachable,
// KindAccessDenied, KindValidation for a duration beyond a maximum.
func (i *Issuer) WebIdentity(ctx context.Context, r WebIdentityRequest) (WebIdentityResult, error) {
	ev := audit.Event{Source: stsSource, Name: "AssumeRoleWithWebIdentity", RequestParameters: map[string]any{
		"roleArn": r.RoleARN, "roleSessionName": r.RoleSessionName,
	}}
	out, err := i.webIdentity(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) webIdentity(ctx context.Context, r WebIdentityRequest, ev *audit.Event) (WebIdentityResult, error) {
	var out WebIdentityResult
	if err := i.ready(); err != nil {
		return out, err
	}
	if r.Policy != "" || len(r.PolicyARNs) > 0 {
		return out, &identity.Error{Kind: identity.KindNotImplemented, Op: "issue.webidentity", Public: "Session policies are not served; leave Policy and PolicyArns out."}
	}
	arn, ok := identity.ParseARN(r.RoleARN)
	if !ok || arn.Service != "iam" || arn.Region != "" {
		return out, &identity.Error{Kind: identity.KindValidation, Op: "issue.webidentity", Public: fmt.Sprintf("%s is invalid", bounded(r.RoleARN))}
	}
	// 1 prove. The position is taken first: what is revoked meanwhile counts.
	pos := i.db.Snapshot().Position()
	w, err := i.authn.WebIdentity(ctx, arn.Account, r.Token)
	if err != nil {
		return out, err
	}
	ev.UserIdentity = audit.UserIdentity{
		Type: "WebIdentityUser", PrincipalID: identity.WebIdentityID(w.Issuer, w.Claims.Subject),
		AccountID: arn.Account, IdentityProvider: w.Issuer,
	}
	// 2 permit
	g, err := i.permitWebIdentity(ctx, arn, w, r)
	if err != nil {
		return out, err
	}
	// 3 bound the lifetime
	life, err := i.boundLife(r.DurationSeconds, g.maxLife)
	if err != nil {
		return out, err
	}
	// 4 mint
	now := i.clock.Now()
	g.claims.Lineage, err = g.lineage.Extend(identity.Ancestor{
		Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(w.Issuer, w.Claims.Subject), IssuedMS: w.Claims.IssuedAt.Time().UnixMilli(),
	})
	if err != nil {
		return out, err
	}
	g.claims.SessionName, g.claims.IssuedMS, g.claims.ExpiresAt = r.RoleSessionName, now.UnixMilli(), now.Add(life)
	g.claims.Position, g.claims.Audience = pos, g.audience
	if g.foreignTags {
		g.claims.Tags, g.claims.TransitiveKeys = w.Claims.Tags, w.Claims.TransitiveKeys
	}
	if out.Keys, out.PackedPolicySize, err = i.sessions.Mint(&g.claims); err != nil {
		return WebIdentityResult{}, err
	}
	out.Subject, out.Audience, out.Provider, out.SourceIdentity = w.Claims.Subject, g.audience, g.provider, g.claims.SourceIdentity
	out.AssumedRoleID, out.AssumedRoleARN = g.assumedID, g.assumedARN
	// 5 record
	ev.RecipientAccountID = arn.Account
	ev.Issued("sessionToken", out.Keys.SessionToken)
	ev.ResponseElements = map[string]any{
		"accessKeyId": out.Keys.AccessKeyID, "expiration": out.Keys.Expiration.UTC().Format(time.RFC3339),
		"assumedRoleArn": out.AssumedRoleARN, "subject": out.Subject, "provider": out.Provider, "audience": out.Audience,
	}
	if err := i.audit.Record(ctx, *ev); err != nil {
		return WebIdentityResult{}, err
	}
	i.indexed(ctx, &g.claims, out.Keys.AccessKeyID, out.AssumedRoleARN, "web identity", i.shownSubject(ctx, w))
	return out, nil
}

// granted is what step 2 found out.
type granted struct {
	claims                token.SessionClaims
	lineage               identity.Lineage
	maxLife               int // seconds
	audience, provider    string
	assumedID, assumedARN string
	foreignTags           bool
}

func (i *Issuer) permitWebIdentity(ctx context.Context, arn identity.ARN, w *authn.WebIdentity, r WebIdentityRequest) (*granted, error) {
	snap := i.db.Snapshot()
	acc, err := store.Accounts.Get(snap, arn.Account)
	if err != nil || acc.Disabled || acc.Partition != arn.Partition {
		return nil, notTrusted(err)
	}
	lineage, err := i.ownLineage(ctx, snap, w)
	if err != nil {
		return nil, err
	}
	if w.Provider != nil {
		provider := identity.ProviderARN(acc.Partition, acc.ID, w.Issuer)
		if i.access.ForeignLive(snap, w.Issuer, w.Claims.Subject, provider, w.Claims.IssuedAt.Time()) != nil {
			return nil, &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.webidentity"}
		}
	}
	if arn.Resource == "root" {
		return i.permitRoot(ctx, acc, w, lineage)
	}
	return i.permitRole(ctx, snap, acc, arn, w, r, lineage)
}

// permitRoot lets the root user in: by a token of the root realm only, whose
// subject is the account and whose tag names this very ARN.
func (i *Issuer) permitRoot(ctx context.Context, acc *identity.Account, w *authn.WebIdentity, lineage identity.Lineage) (*granted, error) {
	rootARN := identity.RootARN(acc.Partition, acc.ID)
	if w.OwnRealm == nil || w.OwnRealm.Name != identity.RootRealm || w.OwnRealm.RootLoginDisabled || w.Claims.Subject != acc.ID || w.Claims.Tags[roleTag] != rootARN {
		return nil, errNotTrusted
	}
	root, err := store.Lookup(ctx, i.db, store.Users, acc.ID)
	if err != nil || !root.Root || root.ID != w.Claims.UserID || permitUser(root) != nil {
		return nil, notTrusted(err)
	}
	if len(w.Claims.Audience) != 1 {
		return nil, errNotTrusted
	}
	provider := identity.ProviderARN(acc.Partition, acc.ID, w.Issuer)
	return &granted{
		claims: token.SessionClaims{
			Kind: identity.RootUser, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: root.ID,
			SourceIdentity: provider, ProviderARN: provider,
		},
		lineage: lineage, maxLife: maxSessionLife, audience: w.Claims.Audience[0], provider: w.Issuer + tokenEndpointSuffix,
		assumedID: rootAssumedRoleID, assumedARN: rootARN,
	}, nil
}

// permitRole asks the role's trust policy.
func (i *Issuer) permitRole(ctx context.Context, snap *store.Snapshot, acc *identity.Account, arn identity.ARN, w *authn.WebIdentity, r WebIdentityRequest, lineage identity.Lineage) (*granted, error) {
	path, name, ok := arn.Name("role")
	if !ok {
		return nil, errNotTrusted
	}
	role, err := store.Roles.By(snap, "name", store.Join(acc.ID, store.Fold(name)))
	if err != nil || role.Name != name || role.Path != path {
		return nil, notTrusted(err)
	}
	p := w.Provider
	if w.OwnRealm != nil {
		if w.OwnRealm.Name == identity.RootRealm {
			return nil, errNotTrusted
		}
		if p, err = store.Providers.Get(snap, (&identity.Provider{AccountID: acc.ID, OwnRealm: w.OwnRealm.Name}).Key()); err != nil {
			return nil, notTrusted(err)
		}
	}
	aud := w.MatchAudience(p.ClientIDs)
	if aud == "" {
		return nil, &identity.Error{Kind: identity.KindInvalidIdentity, Op: "issue.webidentity", Public: "Incorrect token audience"}
	}
	providerARN := identity.ProviderARN(acc.Partition, acc.ID, w.Issuer)
	host := identity.TrimScheme(w.Issuer)
	by := access.Federated{Provider: providerARN, Request: identity.RequestOf(ctx)}
	if !i.access.AuthorizeFederated(by, role, acc.Partition, webIdentityAction, map[string][]string{
		host + ":aud": {aud}, host + ":sub": {w.Claims.Subject}, "sts:RoleSessionName": {r.RoleSessionName},
	}).Allowed() {
		return nil, errNotTrusted
	}
	if want, ok := w.Claims.Tags[roleTag]; ok && w.OwnRealm != nil && want != role.ARN(acc.Partition) {
		return nil, errNotTrusted
	}
	if len(w.Claims.SourceIdentity) > 64 || strings.Trim(w.Claims.SourceIdentity, sourceIdentityChars) != "" {
		return nil, &identity.Error{Kind: identity.KindIdentityRejected, Op: "issue.webidentity", Public: `The source identity of the token is not of the pattern [\w+=,.@-]{0,64}.`}
	}
	return &granted{
		claims: token.SessionClaims{
			Kind: identity.RoleSession, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: role.ID,
			SourceIdentity: w.Claims.SourceIdentity, ProviderARN: providerARN,
		},
		lineage: lineage, maxLife: role.MaxSessionDuration, audience: aud, provider: w.Issuer, foreignTags: true,
		assumedID:  role.ID + ":" + r.RoleSessionName,
		assumedARN: identity.AssumedRoleARN(acc.Partition, acc.ID, role.Name, r.RoleSessionName),
	}, nil
}

// ownLineage is where the lineage of a token of our own realms goes on from: it
// must be alive, and so must its user. Foreign tokens have none of ours.
func (i *Issuer) ownLineage(ctx context.Context, snap *store.Snapshot, w *authn.WebIdentity) (identity.Lineage, error) {
	c := w.Claims
	if w.OwnRealm == nil {
		return nil, nil
	}
	issued := c.IssuedAt.Time()
	if c.IssuedMS != 0 {
		issued = time.UnixMilli(c.IssuedMS)
	}
	ms := issued.UnixMilli()
	lineage := identity.Lineage{
		{Kind: identity.LineagePrincipal, ID: c.UserID, IssuedMS: ms},
		{Kind: identity.LineageLogin, ID: c.SessionID, IssuedMS: ms},
	}
	revoked := &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.webidentity"}
	full, err := lineage.Extend(identity.Ancestor{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(w.Issuer, c.Subject)})
	if err != nil {
		return nil, err
	}
	if err := i.access.LineageLive(snap, full, identity.Position{Incarnation: c.Incarnation, N: c.Position}, issued); err != nil {
		return nil, revoked
	}
	u, err := store.Lookup(ctx, i.db, store.Users, c.UserID)
	if identity.KindOf(err) == identity.KindNotFound || (err == nil && (permitUser(u) != nil || u.Subject != c.Subject || u.Realm != w.OwnRealm.Name)) {
		return nil, revoked
	}
	return lineage, err
}

// boundLife is step 3: the lifetime asked for, or an hour, under every limit.
// More than a maximum, or less than the minimum, is refused.
func (i *Issuer) boundLife(asked, roleMax int) (time.Duration, error) {
	limit := min(roleMax, maxSessionLife)
	if asked == 0 {
		asked = min(defaultSessionLife, limit)
	}
	if asked > maxSessionLife {
		return 0, durationError(asked, "less than or equal to %d", maxSessionLife)
	}
	if asked < i.minLife {
		return 0, durationError(asked, "greater than or equal to %d", i.minLife)
	}
	if asked > limit {
		return 0, &identity.Error{Kind: identity.KindValidation, Op: "issue.bound", Public: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
	}
	return time.Duration(asked) * time.Second, nil
}

func durationError(asked int, what string, bound int) error {
	return &identity.Error{Kind: identity.KindValidation, Op: "issue.bound", Public: fmt.Sprintf(
		"1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value "+what, asked, bound)}
}

func notTrusted(err error) error {
	if err == nil || identity.KindOf(err) == identity.KindNotFound {
		return errNotTrusted
	}
	return err
}

func bounded(s string) string {
	if len(s) > 256 {
		s = s[:256]
	}
	return strings.ToValidUTF8(s, "?")
}
