package issue

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// tokenServiceSource is the source of the events of token services.
const tokenServiceSource = "token-service"

// errNoRule answers tokens that no rule fits, and roles that do not trust them,
// alike.
var errNoRule = &identity.Error{Kind: identity.KindAccessDenied, Op: "issue.tokenservice", Public: "The token does not entitle its bearer to credentials."}

// TokenServiceRequest is a call of a token service (Cray's PUT /apis/sts/token).
type TokenServiceRequest struct {
	Host  string // of the request, "name" or "name:port"
	Token identity.Secret
	// Forwarded says that a proxy handed the token on (x-forwarded-access-token):
	// its claim "typ" must be "Bearer".
	Forwarded bool
}

// TokenServiceKeys is its answer.
type TokenServiceKeys struct {
	AccessKeyID  string
	Secret       identity.Secret
	SessionToken identity.Secret
	ExpiresAt    time.Time
	EndpointURL  string // where the keys are good
}

// TokenService gives session keys of the role that the first fitting rule of the
// host's token service names, or keys that its upstream's STS mints for that
// role. Own keys end with the token's log-in, user, role and provider, as those
// of WebIdentity; an upstream's end by their lifetime alone.
//
// Errors: KindNotFound where no service answers on the host;
// KindInvalidIdentity, KindExpiredIdentity, KindProviderUnreachable for the
// token; KindAccessDenied where no rule fits or the role does not trust the
// token; KindUpstream where the upstream refused, KindUnavailable where it is
// away or nothing can be issued now.
func (i *Issuer) TokenService(ctx context.Context, r TokenServiceRequest) (TokenServiceKeys, error) {
	ev := audit.Event{Source: tokenServiceSource, Name: "CreateToken", RequestParameters: map[string]any{"host": bounded(r.Host)}}
	out, err := i.tokenService(ctx, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
		return TokenServiceKeys{}, err
	}
	return out, nil
}

func (i *Issuer) tokenService(ctx context.Context, r TokenServiceRequest, ev *audit.Event) (TokenServiceKeys, error) {
	var out TokenServiceKeys
	if err := i.ready(); err != nil {
		return out, err
	}
	s, err := tokenServiceAt(i.db.Snapshot(), r.Host)
	if err != nil {
		return out, err
	}
	ev.RequestParameters["service"], ev.RecipientAccountID = s.Name, s.AccountID
	// 1 prove. The position is taken first: what is revoked meanwhile counts.
	pos := i.db.Snapshot().Position()
	w, err := i.authn.AccessToken(ctx, s.AccountID, r.Token, r.Forwarded)
	if err != nil {
		return out, err
	}
	audience, err := listed(s, w)
	if err != nil {
		return out, err
	}
	describeWebIdentity(ev, w, s.AccountID)
	// 2 permit
	g, err := i.permitService(ctx, s, w, audience)
	if err != nil {
		return out, err
	}
	g.claims.Position = pos
	// 3 bound the lifetime
	life := boundServiceLife(g.rule.DurationSeconds, g.maxLife)
	// 4 mint, 5 record
	if err := g.descend(w); err != nil {
		return out, err
	}
	answer := map[string]any{
		"assumedRoleArn": g.assumedARN, "sourceIdentity": g.claims.SourceIdentity, "subject": w.Claims.Subject, "audience": audience,
	}
	switch s.Keys {
	case identity.OwnKeys:
		m := &session{claims: g.claims, arn: g.assumedARN, proof: "token service", subject: i.shownSubject(ctx, w)}
		keys, _, err := i.mint(ctx, m, life, ev, answer)
		out = TokenServiceKeys{keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, keys.Expiration, cmp.Or(s.EndpointURL, i.external)}
		return out, err
	case identity.UpstreamKeys:
		return i.broker(ctx, &brokering{service: s, rule: g.rule, token: r.Token, claims: g.claims}, life, ev, answer)
	}
	return out, unready("The token service does not say whose keys it gives.", nil)
}

// TokenServiceReady says whether the token service of a host could give keys
// now: KindNotFound without one, KindUnavailable with the reason. No keys are
// made to find out.
func (i *Issuer) TokenServiceReady(ctx context.Context, host string) error {
	s, err := tokenServiceAt(i.db.Snapshot(), host)
	if err != nil {
		return err
	}
	if err := i.ready(); err != nil {
		return unready("The server cannot issue credentials now.", err)
	}
	if acc, err := store.Accounts.Get(i.db.Snapshot(), s.AccountID); err != nil || acc.Disabled {
		return unready("The account of the token service is not there, or disabled.", err)
	}
	switch s.Keys {
	case identity.OwnKeys:
		if _, err := i.keys.CurrentEpoch(); err != nil {
			return unready("There is no key to seal credentials with.", err)
		}
		return nil
	case identity.UpstreamKeys:
		sts, ok := i.brokers(s.Upstream)
		if !ok {
			return unready("The upstream of the token service is not configured.", nil)
		}
		if err := sts.Ready(ctx, s.UpstreamMethod != identity.UpstreamWebIdentity); err != nil {
			return unready("The upstream of the token service is away, or refuses its keys.", err)
		}
		return nil
	}
	return unready("The token service does not say whose keys it gives.", nil)
}

func unready(public string, err error) error {
	return &identity.Error{Kind: identity.KindUnavailable, Op: "issue.tokenservice", Public: public, Err: err, RetryAfterSeconds: 5}
}

// tokenServiceAt finds the service that answers on a host name ("name" or
// "name:port"): the one that lists it, else the one that lists none. Two that
// could answer are none: whose keys they would be is nobody's to guess.
func tokenServiceAt(r store.Reader, host string) (*identity.TokenService, error) {
	all, err := store.TokenServices.List(r, "", "", store.After{}, 0)
	if err != nil {
		return nil, err
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	absent := &identity.Error{Kind: identity.KindNotFound, Op: "issue.tokenservice", Public: "No token service answers here."}
	var named, rest []*identity.TokenService
	for _, s := range all {
		if slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
			named = append(named, s)
		} else if len(s.Hosts) == 0 {
			rest = append(rest, s)
		}
	}
	if len(named) == 0 {
		named = rest
	}
	switch len(named) {
	case 0:
		return nil, absent
	case 1:
		return named[0], nil
	}
	absent.Err = errors.New("several token services answer on one host: " + named[0].Key() + ", " + named[1].Key())
	return nil, absent
}

// listed returns the audience of a token that the service takes.
func listed(s *identity.TokenService, w *authn.WebIdentity) (string, error) {
	ok := w.OwnRealm != nil && slices.Contains(s.Realms, w.OwnRealm.Name) || w.Provider != nil && slices.Contains(s.Providers, w.Provider.URL)
	if ok {
		for _, aud := range w.Claims.Audience {
			if aud != "" && slices.Contains(s.Audience, aud) {
				return aud, nil
			}
		}
	}
	return "", &identity.Error{Kind: identity.KindInvalidIdentity, Op: "issue.tokenservice", Public: "The token is of an issuer, or for an audience, that is not accepted here."}
}

// servedRole is what step 2 of a token service found out.
type servedRole struct {
	*granted
	rule *identity.TokenServiceRule
	role *identity.Role
}

// permitService asks the rules, and then the role.
func (i *Issuer) permitService(ctx context.Context, s *identity.TokenService, w *authn.WebIdentity, audience string) (*servedRole, error) {
	snap := i.db.Snapshot()
	acc, err := store.Accounts.Get(snap, s.AccountID)
	if err != nil || acc.Disabled {
		return nil, noRule(err)
	}
	lineage, err := i.livingToken(ctx, snap, w, acc)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(s.Rules, func(rule identity.TokenServiceRule) bool {
		return slices.ContainsFunc(w.Claims.At(rule.Claim), func(v string) bool { return policy.Wildcard(rule.Value, v) })
	})
	if at < 0 {
		return nil, errNoRule
	}
	rule := &s.Rules[at]
	role, err := store.Roles.By(snap, "name", store.Join(acc.ID, store.Fold(rule.Role)))
	if err != nil {
		return nil, noRule(err)
	}
	p, err := providerOf(snap, acc, w)
	if err != nil {
		return nil, noRule(err)
	}
	name := tokenSessionName(w)
	g, err := i.admit(ctx, acc, role, admission{
		token: w, provider: p, audience: audience, sessionName: name, source: sessionText(w.Claims.Subject, w),
	})
	if err != nil {
		return nil, noRule(err)
	}
	g.lineage, g.claims.SessionName = lineage, name
	return &servedRole{granted: g, rule: rule, role: role}, nil
}

func noRule(err error) error {
	switch identity.KindOf(err) {
	case "", identity.KindNotFound, identity.KindAccessDenied:
		e := *errNoRule
		e.Err = err
		return &e
	}
	return err
}

// boundServiceLife is step 3 of a token service. Callers can ask for nothing, so
// that a rule with more than the role's maximum means that maximum.
func boundServiceLife(asked, roleMax int) time.Duration {
	if asked == 0 {
		asked = defaultSessionLife
	}
	return time.Duration(min(asked, roleMax, maxSessionLife)) * time.Second
}

// tokenSessionName names the session by the token's preferred_username, or its
// subject.
func tokenSessionName(w *authn.WebIdentity) string {
	if name := w.Claims.Value("preferred_username"); len(name) == 1 && name[0] != "" {
		return sessionText(name[0], w)
	}
	return sessionText(w.Claims.Subject, w)
}

// maxSessionText is the longest session name and source identity; markLength is
// how much of the token's identity marks one that is not as it was.
const (
	maxSessionText = 64
	markLength     = 10
)

// sessionText makes a text of a token fit to be a session name or a source
// identity ([\w+=,.@-]{2,64}): other characters become "-". A text that was
// changed or cut ends with a mark of issuer and subject, so that policies do not
// take two people for one.
func sessionText(s string, w *authn.WebIdentity) string {
	clean := strings.Map(func(r rune) rune {
		if r > 0x7f || !strings.ContainsRune(sourceIdentityChars, r) {
			return '-'
		}
		return r
	}, s)
	if clean == s && len(clean) >= 2 && len(clean) <= maxSessionText {
		return clean
	}
	return clean[:min(len(clean), maxSessionText-markLength-1)] + "-" + identity.WebIdentityID(w.Issuer, w.Claims.Subject)[:markLength]
}
