package issue

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/token"
	"daypass/internal/upstream"
)

// brokering is a call of a token service whose upstream mints the keys, once the
// role's trust policy let the token in.
type brokering struct {
	service *identity.TokenService
	rule    *identity.TokenServiceRule
	sts     *upstream.STS
	token   identity.Secret
	// claims are those that session keys of our own would have; what the role's
	// policies say is asked of a session with them.
	claims token.SessionClaims
}

// broker is steps 2 (the part that is the role's own policies) to 5 for an
// upstream's keys. Whoever has those is out of our reach: only their lifetime
// ends them.
func (i *Issuer) broker(ctx context.Context, b *brokering, life time.Duration, ev *audit.Event, answer map[string]any) (TokenServiceKeys, error) {
	var out TokenServiceKeys
	var ok bool
	if b.sts, ok = i.brokers(b.service.Upstream); !ok {
		return out, unready("The upstream of the token service is not configured.", nil)
	}
	now := i.clock.Now()
	b.claims.IssuedMS, b.claims.ExpiresAt = now.UnixMilli(), now.Add(life)
	answer["upstream"], answer["upstreamRole"], answer["upstreamMethod"] = b.service.Upstream, b.rule.UpstreamRole, b.method()
	c, err := i.permitBroker(ctx, b.service, &b.claims)
	if err != nil {
		return out, err
	}
	ask, err := i.roleRequest(c, b, life)
	if err != nil {
		return out, err
	}
	key, err := b.cacheKey(ask)
	if err != nil {
		return out, err
	}
	keys, cached := i.cachedKeys(ctx, b, key)
	if !cached {
		if keys, cached, err = i.mintOnce(ctx, b, key, ask); err != nil {
			return out, notBrokered(b, ev, err)
		}
		// The upstream may take its time, and what was revoked meanwhile could not
		// reach what it made.
		if _, err := i.permitBroker(ctx, b.service, &b.claims); err != nil {
			return out, err
		}
	}
	ev.RecipientAccountID = b.claims.AccountID
	ev.Issued("sessionToken", keys.SessionToken)
	ev.Add("fromCache", cached)
	ev.Add("endedBy", "lifetime only")
	answer["accessKeyId"], answer["expiration"] = keys.AccessKeyID, keys.ExpiresAt.UTC().Format(time.RFC3339)
	ev.ResponseElements = answer
	if err := i.audit.Record(ctx, *ev); err != nil {
		return out, err
	}
	if !cached {
		i.brokered.put(key, brokeredKeys{sts: b.sts, claims: b.claims, keys: keys, until: now.Add(keys.ExpiresAt.Sub(now) * 4 / 5)})
	}
	return TokenServiceKeys{keys.AccessKeyID, keys.Secret, keys.SessionToken, keys.ExpiresAt, b.service.EndpointURL}, nil
}

func (b *brokering) method() identity.UpstreamMethod {
	if b.service.UpstreamMethod == identity.UpstreamWebIdentity {
		return identity.UpstreamWebIdentity
	}
	return identity.UpstreamAssumeRole
}

// permitBroker asks the policies that a session of the role would have.
func (i *Issuer) permitBroker(ctx context.Context, s *identity.TokenService, claims *token.SessionClaims) (*identity.Caller, error) {
	c, err := i.access.RoleSession(ctx, claims)
	if identity.KindOf(err) == identity.KindExpiredToken {
		return nil, &identity.Error{Kind: identity.KindExpiredIdentity, Op: "issue.broker"}
	}
	if err != nil {
		return nil, err
	}
	if d := i.access.AuthorizeBroker(c, s.Upstream); !d.Allowed() {
		return nil, d.Err
	}
	return c, nil
}

// roleRequest is what the upstream is asked for: a rule's session policy with the
// session's values in place of its variables, and the session's tags.
func (i *Issuer) roleRequest(c *identity.Caller, b *brokering, life time.Duration) (*upstream.RoleRequest, error) {
	ask := &upstream.RoleRequest{
		RoleARN: b.rule.UpstreamRole, SessionName: b.claims.SessionName, DurationSeconds: int(life / time.Second),
	}
	for _, k := range slices.Sorted(maps.Keys(b.claims.Tags)) {
		ask.Tags = append(ask.Tags, upstream.SessionTag{Key: k, Value: b.claims.Tags[k]})
	}
	if b.rule.SessionPolicy == "" {
		return ask, nil
	}
	var err error
	if ask.Policy, err = i.access.Substitute(c, b.rule.SessionPolicy); err != nil {
		return nil, unfilled(identity.AsError(err).Public, err)
	}
	if utf8.RuneCountInString(ask.Policy) > maxSessionPolicy {
		return nil, unfilled(fmt.Sprintf("It has more than %d characters.", maxSessionPolicy), nil)
	}
	return ask, nil
}

func unfilled(why string, err error) error {
	return &identity.Error{
		Kind: identity.KindAccessDenied, Op: "issue.broker", Err: err,
		Public: "The session policy of the token service does not fit this token. " + why,
	}
}

func (b *brokering) mint(ctx context.Context, ask *upstream.RoleRequest) (upstream.RoleKeys, error) {
	if b.method() == identity.UpstreamWebIdentity {
		return b.sts.AssumeRoleWithWebIdentity(ctx, *ask, b.token)
	}
	return b.sts.AssumeRole(ctx, *ask)
}

// mintOnce asks the upstream, once for all calls of the same key that are under
// way, and reports whether it was for another call. Keys that were minted for
// another are subject to what holds for cached ones; who may not have them asks
// alone. Whoever goes away ends nobody's question.
func (i *Issuer) mintOnce(ctx context.Context, b *brokering, key [sha256.Size]byte, ask *upstream.RoleRequest) (upstream.RoleKeys, bool, error) {
	mine := false
	minted := i.minting.DoChan(string(key[:]), func() (any, error) {
		mine = true
		e := brokeredKeys{sts: b.sts, claims: b.claims}
		var err error
		e.keys, err = b.mint(context.WithoutCancel(ctx), ask)
		return e, err
	})
	select {
	case r := <-minted:
		e := r.Val.(brokeredKeys)
		if mine || r.Err != nil || e.sts == b.sts && i.stillPermitted(ctx, b, &e) {
			return e.keys, !mine, r.Err
		}
	case <-ctx.Done():
		return upstream.RoleKeys{}, false, unready("", ctx.Err())
	}
	keys, err := b.mint(ctx, ask)
	return keys, false, err
}

// stillPermitted reports whether keys that were minted for an earlier call may be
// given to this one.
func (i *Issuer) stillPermitted(ctx context.Context, b *brokering, e *brokeredKeys) bool {
	_, err := i.permitBroker(ctx, b.service, &e.claims)
	return err == nil
}

// notBrokered tells the log and the event why the upstream gave no keys, and the
// caller only that.
func notBrokered(b *brokering, ev *audit.Event, err error) error {
	e := *identity.AsError(err)
	ev.RequestParameters["upstream"], ev.RequestParameters["upstreamRole"] = b.service.Upstream, b.rule.UpstreamRole
	for _, d := range e.Detail {
		ev.Add("upstream"+d.Name, d.Value)
	}
	e.Detail, e.Err = nil, fmt.Errorf("upstream %s, role %s: %w", b.service.Upstream, b.rule.UpstreamRole, err)
	if e.Public = "The token service's upstream is away."; e.Kind == identity.KindUpstream {
		e.Public = "The token service's upstream refused to give credentials."
	}
	return &e
}

// brokeredKeys are keys that an upstream minted, with the claims that they were
// permitted for.
type brokeredKeys struct {
	sts    *upstream.STS
	claims token.SessionClaims
	keys   upstream.RoleKeys
	until  time.Time // when four fifths of their life are over
}

// cachedKeys returns keys of an earlier call by the same caller for the same
// thing. What was revoked since they were minted, and what the policies say now,
// holds for the session that they were minted for, not for a new one.
func (i *Issuer) cachedKeys(ctx context.Context, b *brokering, key [sha256.Size]byte) (upstream.RoleKeys, bool) {
	e, ok := i.brokered.get(key)
	if !ok || e.sts != b.sts || !i.clock.Now().Before(e.until) || !i.stillPermitted(ctx, b, &e) {
		return upstream.RoleKeys{}, false
	}
	return e.keys, true
}

// cacheKey is of all that keys depend on: the service, the role, what the session
// descends from, what the upstream is asked for, and by whose key.
func (b *brokering) cacheKey(ask *upstream.RoleRequest) ([sha256.Size]byte, error) {
	of := struct {
		Service, Upstream string
		Method            identity.UpstreamMethod
		Role              string
		Lineage           identity.Lineage
		Ask               *upstream.RoleRequest
		Token             [sha256.Size]byte
		Parent            string // the upstream's access key that asked
	}{Service: b.service.Key(), Upstream: b.service.Upstream, Method: b.method(), Role: b.claims.PrincipalID, Lineage: b.claims.Lineage, Ask: ask}
	if of.Method == identity.UpstreamWebIdentity { // the upstream read the token itself
		of.Token = sha256.Sum256([]byte(b.token.Reveal()))
	} else {
		var err error
		if of.Parent, _, err = b.sts.Credentials(); err != nil {
			return [sha256.Size]byte{}, unready("The upstream of the token service has no keys.", err)
		}
	}
	text, err := json.Marshal(of)
	if err != nil {
		return [sha256.Size]byte{}, &identity.Error{Kind: identity.KindInternal, Op: "issue.broker", Err: err}
	}
	return sha256.Sum256(text), nil
}

// maxBrokered bounds the keys that are kept; each has some two thousand bytes.
const maxBrokered = 4096

// brokerCache keeps keys of upstreams. It forgets in the order it learned.
type brokerCache struct {
	mu    sync.Mutex
	m     map[[sha256.Size]byte]brokeredKeys
	order [][sha256.Size]byte
	next  int
}

func (c *brokerCache) get(key [sha256.Size]byte) (brokeredKeys, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[key]
	return e, ok
}

func (c *brokerCache) put(key [sha256.Size]byte, e brokeredKeys) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = make(map[[sha256.Size]byte]brokeredKeys)
	}
	if _, have := c.m[key]; !have {
		if len(c.order) < maxBrokered {
			c.order = append(c.order, key)
		} else {
			delete(c.m, c.order[c.next])
			c.order[c.next] = key
			c.next = (c.next + 1) % maxBrokered
		}
	}
	c.m[key] = e
}
