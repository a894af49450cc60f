package issue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
	"daypass/internal/token"
)

const (
	roleTag             = "role"
	webIdentityAction   = "sts:AssumeRoleWithWebIdentity"
	rootAssumedRoleID   = "root"
	tokenEndpointSuffix = "/protocol/openid-connect/token"
	// sourceIdentityChars are those of sts:SourceIdentity.
	sourceIdentityChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"
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
	describeWebIdentity(ev, w, arn.Account)
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
	// 4 mint, 5 record
	if err := g.descend(w); err != nil {
		return out, err
	}
	g.claims.SessionName, g.claims.Position = r.RoleSessionName, pos
	m := &session{claims: g.claims, arn: g.assumedARN, proof: "web identity", subject: i.shownSubject(ctx, w)}
	out.Keys, out.PackedPolicySize, err = i.mint(ctx, m, life, ev, map[string]any{
		"assumedRoleArn": g.assumedARN, "subject": w.Claims.Subject, "provider": g.provider, "audience": g.audience,
	})
	if err != nil {
		return WebIdentityResult{}, err
	}
	out.Subject, out.Audience, out.Provider, out.SourceIdentity = w.Claims.Subject, g.audience, g.provider, g.claims.SourceIdentity
	out.AssumedRoleID, out.AssumedRoleARN = g.assumedID, g.assumedARN
	return out, nil
}

func describeWebIdentity(ev *audit.Event, w *authn.WebIdentity, account string) {
	ev.UserIdentity = audit.UserIdentity{
		Type: "WebIdentityUser", PrincipalID: identity.WebIdentityID(w.Issuer, w.Claims.Subject),
		AccountID: account, IdentityProvider: w.Issuer,
	}
}

// granted is what step 2 found out.
type granted struct {
	claims                token.SessionClaims
	lineage               identity.Lineage
	maxLife               int // seconds
	audience, provider    string
	assumedID, assumedARN string
}

// descend makes the keys children of the token.
func (g *granted) descend(w *authn.WebIdentity) (err error) {
	g.claims.Lineage = g.lineage
	if w.OwnPool != nil { // its lineage names the identity already
		return nil
	}
	g.claims.Audience = g.audience
	g.claims.Lineage, err = g.lineage.Extend(identity.Ancestor{
		Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(w.Issuer, w.Claims.Subject), IssuedMS: w.Claims.IssuedAt.Time().UnixMilli(),
	})
	return err
}

func (i *Issuer) permitWebIdentity(ctx context.Context, arn identity.ARN, w *authn.WebIdentity, r WebIdentityRequest) (*granted, error) {
	snap := i.db.Snapshot()
	acc, err := store.Accounts.Get(snap, arn.Account)
	if err != nil || acc.Disabled || acc.Partition != arn.Partition {
		return nil, notTrusted(err)
	}
	lineage, err := i.livingToken(ctx, snap, w, acc)
	if err != nil {
		return nil, err
	}
	permit := i.permitRole
	switch {
	case arn.Resource == "root":
		permit = i.permitRoot
	case w.OwnPool != nil:
		permit = i.permitPoolRole
	}
	g, err := permit(ctx, acc, arn, w, r)
	if err != nil {
		return nil, err
	}
	g.lineage, g.claims.PolicyARNs = lineage, r.Policy.ARNs
	g.claims.Policy, err = r.Policy.checked(snap, acc)
	return g, err
}

// permitRoot lets the root user in: by a token of the root realm only, whose
// subject is the account and whose tag names this very ARN.
func (i *Issuer) permitRoot(ctx context.Context, acc *identity.Account, _ identity.ARN, w *authn.WebIdentity, _ WebIdentityRequest) (*granted, error) {
	rootARN := identity.RootARN(acc.Partition, acc.ID)
	if w.OwnRealm == nil || w.OwnRealm.Name != identity.RootRealm || w.OwnRealm.RootLoginDisabled || w.Claims.Subject != acc.ID || w.Claims.Tags[roleTag] != rootARN {
		return nil, errNotTrusted
	}
	root, err := store.Lookup(ctx, i.db, store.Users, acc.ID)
	if err != nil || !root.Root || root.ID != w.Claims.UserID || permitUser(root, w.Claims.MFAMS != 0) != nil {
		return nil, notTrusted(err)
	}
	if len(w.Claims.Audience) != 1 {
		return nil, errNotTrusted
	}
	provider := identity.ProviderARN(acc.Partition, acc.ID, w.Issuer)
	return &granted{
		claims: token.SessionClaims{
			Kind: identity.RootUser, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: root.ID,
			SourceIdentity: provider, ProviderARN: provider, MFA: w.OwnMFA() != 0, MFATime: timeMS(w.OwnMFA()),
		},
		maxLife: maxSessionLife, audience: w.Claims.Audience[0], provider: w.Issuer + tokenEndpointSuffix,
		assumedID: rootAssumedRoleID, assumedARN: rootARN,
	}, nil
}

// permitRole finds the role, and the audience that its provider lists.
func (i *Issuer) permitRole(ctx context.Context, acc *identity.Account, arn identity.ARN, w *authn.WebIdentity, r WebIdentityRequest) (*granted, error) {
	snap := i.db.Snapshot()
	_, role, err := roleOf(snap, arn)
	if err != nil {
		return nil, notTrusted(err)
	}
	p, err := providerOf(snap, acc, w)
	if err != nil {
		return nil, err
	}
	aud := w.MatchAudience(p.ClientIDs)
	if aud == "" {
		return nil, &identity.Error{Kind: identity.KindInvalidIdentity, Op: "issue.webidentity", Public: "Incorrect token audience"}
	}
	return i.admit(ctx, acc, role, admission{token: w, provider: p, audience: aud, sessionName: r.RoleSessionName})
}

// providerOf is the account's provider for a token; one of our own realms it has
// to register too.
func providerOf(r store.Reader, acc *identity.Account, w *authn.WebIdentity) (*identity.Provider, error) {
	if w.OwnRealm == nil {
		return w.Provider, nil
	}
	if w.OwnRealm.Name == identity.RootRealm {
		return nil, errNotTrusted
	}
	p, err := store.Providers.Get(r, (&identity.Provider{AccountID: acc.ID, OwnRealm: w.OwnRealm.Name}).Key())
	if err != nil {
		return nil, notTrusted(err)
	}
	return p, nil
}

// admission is what asks for a role: a token of a registered provider.
type admission struct {
	token    *authn.WebIdentity
	provider *identity.Provider
	audience string // what counted of the token's
	// sessionName is that of the session; source names its source identity where
	// the token does not, and needs nobody's leave: the caller cannot choose it.
	sessionName, source string
}

// admit asks the role's trust policy, and the provider's mappings where it has
// any.
func (i *Issuer) admit(ctx context.Context, acc *identity.Account, role *identity.Role, a admission) (*granted, error) {
	w := a.token
	tags, source, err := tokenFacts(w, role.ARN(acc.Partition))
	if err != nil {
		return nil, err
	}
	actions := []string{webIdentityAction}
	if len(tags.values) > 0 {
		actions = append(actions, tagSessionAction)
	}
	if source != "" {
		actions = append(actions, sourceIdentityAction)
	} else {
		source = a.source
	}
	providerARN := identity.ProviderARN(acc.Partition, acc.ID, w.Issuer)
	keys := roleKeys(role, a.sessionName, source, tags)
	keys[identity.TrimScheme(w.Issuer)+":aud"] = []string{a.audience}
	by := access.Federated{Provider: providerARN, Request: identity.RequestOf(ctx), Claims: claimKeys(w)}
	for _, action := range actions {
		if !i.access.AuthorizeFederated(by, role, acc.Partition, action, keys).Allowed() {
			return nil, errNotTrusted
		}
	}
	if !mapped(a.provider.RoleMappings, w.Claims, role.Name) {
		return nil, errNotTrusted
	}
	return &granted{
		claims: token.SessionClaims{
			Kind: identity.RoleSession, AccountID: acc.ID, Partition: acc.Partition, PrincipalID: role.ID,
			SourceIdentity: source, ProviderARN: providerARN, Tags: tags.values, TransitiveKeys: tags.transitive,
			MFA: w.OwnMFA() != 0, MFATime: timeMS(w.OwnMFA()),
		},
		maxLife: role.MaxSessionDuration, audience: a.audience, provider: w.Issuer,
		assumedID:  role.ID + ":" + a.sessionName,
		assumedARN: identity.AssumedRoleARN(acc.Partition, acc.ID, role.Name, a.sessionName),
	}, nil
}

// timeMS is a time in Unix ms, 0 for none.
func timeMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// tokenFacts are the session tags and the source identity of a token. In one of
// our own realms the tag "role" is not a session tag: it names the role.
func tokenFacts(w *authn.WebIdentity, roleARN string) (*sessionTags, string, error) {
	values := w.Claims.Tags
	if want, ok := values[roleTag]; ok && w.OwnRealm != nil {
		if want != roleARN {
			return nil, "", errNotTrusted
		}
		values = maps.Clone(values)
		delete(values, roleTag)
	}
	tags, err := tagsOf(values, w.Claims.TransitiveKeys)
	if err != nil {
		return nil, "", &identity.Error{Kind: identity.KindInvalidIdentity, Op: "issue.webidentity", Public: "The session tags of the token are malformed.", Err: err}
	}
	source := w.Claims.SourceIdentity
	if source != "" && (len(source) < 2 || len(source) > 64 || strings.Trim(source, sourceIdentityChars) != "") {
		return nil, "", &identity.Error{Kind: identity.KindIdentityRejected, Op: "issue.webidentity", Public: `The source identity of the token is not of the pattern [\w+=,.@-]{2,64}.`}
	}
	return tags, source, nil
}

// claimKeys answers for the condition keys "<issuer>:<claim>".
func claimKeys(w *authn.WebIdentity) func(string) []string {
	prefix := identity.TrimScheme(w.Issuer) + ":"
	return func(key string) []string {
		if len(key) <= len(prefix) || !strings.EqualFold(key[:len(prefix)], prefix) {
			return nil
		}
		switch key[len(prefix):] {
		case "oaud": // as the token has it; "aud" is what matched
			return w.Claims.Audience
		case "iss": // the token's can be an alias
			return []string{w.Issuer}
		}
		return w.Claims.Value(key[len(prefix):])
	}
}

// mapped reports whether one of the mappings leads to the role; without any,
// every role is left to its trust policy.
func mapped(mappings []identity.RoleMapping, c *authn.Claims, role string) bool {
	for _, m := range mappings {
		if m.Role == role && slices.ContainsFunc(c.At(m.Claim), func(v string) bool { return policy.Wildcard(m.Value, v) }) {
			return true
		}
	}
	return len(mappings) == 0
}

// livingToken is where the lineage of a token of our own realms goes on from: it
// must be alive, also for the account that it is used in, and so must its user.
// Foreign tokens, which must not be revoked, have none of ours.
func (i *Issuer) livingToken(ctx context.Context, snap *store.Snapshot, w *authn.WebIdentity, acc *identity.Account) (identity.Lineage, error) {
	c := w.Claims
	provider := identity.ProviderARN(acc.Partition, acc.ID, w.Issuer)
	revoked := &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.webidentity"}
	if w.OwnPool != nil {
		return i.poolTokenLineage(ctx, w)
	}
	if w.OwnRealm == nil {
		if i.access.ForeignLive(snap, w.Issuer, c.Subject, provider, c.IssuedAt.Time()) != nil {
			return nil, revoked
		}
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
	full, err := lineage.Extend(
		identity.Ancestor{Kind: identity.LineageWebIdentity, ID: identity.WebIdentityID(w.Issuer, c.Subject)},
		identity.Ancestor{Kind: identity.LineageProvider, ID: provider})
	if err != nil {
		return nil, err
	}
	u, err := store.Lookup(ctx, i.db, store.Users, c.UserID)
	if identity.KindOf(err) == identity.KindNotFound || (err == nil && (permitUser(u, c.MFAMS != 0) != nil || u.Subject != c.Subject || u.Realm != w.OwnRealm.Name)) {
		return nil, revoked
	}
	if err != nil {
		return nil, err
	}
	for _, account := range []string{u.AccountID, acc.ID} {
		if i.access.LineageLive(snap, account, full, identity.Position{Incarnation: c.Incarnation, N: c.Position}, issued) != nil {
			return nil, revoked
		}
	}
	return lineage, nil
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
