package issue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// Bounds of GetWebIdentityToken; seconds.
const (
	minOutboundLife     = 60
	maxOutboundLife     = 3600
	defaultOutboundLife = 300
	maxOutboundAudience = 10
	maxOutboundPayload  = 8 << 10 // bytes
)

var outboundAlgorithms = []string{keyring.RS256, keyring.ES384}

// OutboundTokenRequest is GetWebIdentityToken.
type OutboundTokenRequest struct {
	Audience  []string
	Algorithm string // RS256 or ES384
	Tags      []Tag
	// DurationSeconds is 0 when not given.
	DurationSeconds int
}

// OutboundToken is its answer.
type OutboundToken struct {
	Token      identity.Secret
	Expiration time.Time
}

// outboundClaims is the payload, as AWS's tokens have it.
type outboundClaims struct {
	Issuer   string          `json:"iss"`
	Audience any             `json:"aud"` // a string for one
	Subject  string          `json:"sub"` // ARN of the user or role
	IssuedAt int64           `json:"iat"`
	Expiry   int64           `json:"exp"`
	ID       string          `json:"jti"`
	STS      outboundDetails `json:"https://sts.amazonaws.com/"`
}

type outboundDetails struct {
	Account       string            `json:"aws_account"`
	Region        string            `json:"source_region,omitempty"`
	PrincipalID   string            `json:"principal_id"`
	PrincipalTags map[string]string `json:"principal_tags,omitempty"`
	RequestTags   map[string]string `json:"request_tags,omitempty"`
}

// OutboundToken vouches for the caller to others, by a JWT of the account's own
// issuer (STS GetWebIdentityToken). Nothing here takes it. KindAccessDenied,
// with the detail QueryCode where the account is no issuer and where the token
// would outlive the caller's session; KindValidation.
func (i *Issuer) OutboundToken(ctx context.Context, c *identity.Caller, r OutboundTokenRequest) (OutboundToken, error) {
	ev := audit.Change(c, stsSource, "GetWebIdentityToken", map[string]string{"signingAlgorithm": r.Algorithm})
	out, err := i.outboundToken(ctx, c, r, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) outboundToken(ctx context.Context, c *identity.Caller, r OutboundTokenRequest, ev *audit.Event) (OutboundToken, error) {
	// 1 prove
	s, err := i.signer(ctx, c, MFAProof{})
	if err != nil {
		return OutboundToken{}, err
	}
	// 2 permit
	acc, tags, err := i.permitOutbound(s, r)
	if err != nil {
		return OutboundToken{}, err
	}
	// 3 bound the lifetime
	now := i.clock.Now()
	expires, err := boundOutbound(s, now, r.DurationSeconds)
	if err != nil {
		return OutboundToken{}, err
	}
	// 4 mint
	text, err := i.signOutbound(s, acc, r, tags, now, expires)
	if err != nil {
		return OutboundToken{}, err
	}
	out := OutboundToken{Token: identity.Secret(text), Expiration: expires}
	// 5 record
	ev.Issued("webIdentityToken", out.Token)
	ev.ResponseElements = map[string]any{"expiration": expires.UTC().Format(time.RFC3339), "audience": r.Audience}
	if err := i.audit.Record(ctx, *ev); err != nil {
		return OutboundToken{}, err
	}
	return out, nil
}

func (i *Issuer) permitOutbound(s *signer, r OutboundTokenRequest) (*identity.Account, *sessionTags, error) {
	tags, unfit := newTags(r.Tags, nil)
	if unfit != nil {
		tags = &sessionTags{} // complained of once the call is permitted
	}
	keys := map[string][]string{
		"sts:IdentityTokenAudience": r.Audience, "sts:SigningAlgorithm": {r.Algorithm},
		"sts:DurationSeconds": {strconv.Itoa(orDefault(r.DurationSeconds, defaultOutboundLife))},
	}
	tags.addTo(keys)
	actions := []string{"sts:GetWebIdentityToken"}
	if len(tags.values) > 0 {
		actions = append(actions, "sts:TagGetWebIdentityToken")
	}
	for _, action := range actions {
		if d := i.access.Authorize(s.Caller, action, access.Resource{ARN: "*", AccountID: s.AccountID, Keys: keys, Unrecorded: true}); !d.Allowed() {
			return nil, nil, d.Err
		}
	}
	if unfit != nil {
		return nil, nil, unfit
	}
	if len(r.Audience) == 0 || len(r.Audience) > maxOutboundAudience || slices.Contains(r.Audience, "") {
		return nil, nil, identity.NewError(identity.KindValidation, "issue.outbound", fmt.Sprintf("A token has 1 to %d audiences.", maxOutboundAudience))
	}
	if !slices.Contains(outboundAlgorithms, r.Algorithm) {
		return nil, nil, identity.NewError(identity.KindValidation, "issue.outbound", "The signing algorithm is RS256 or ES384.")
	}
	acc, err := store.Accounts.Get(i.db.Snapshot(), s.AccountID)
	if err == nil && !acc.OutboundFederation {
		err = &identity.Error{
			Kind: identity.KindAccessDenied, Op: "issue.outbound", Public: "Outbound web identity federation is not enabled for the account.",
			Detail: []identity.Detail{{Name: "QueryCode", Value: "OutboundWebIdentityFederationDisabledException"}},
		}
	}
	return acc, tags, err
}

// boundOutbound refuses what would outlive the session that asks.
func boundOutbound(s *signer, now time.Time, asked int) (time.Time, error) {
	asked = orDefault(asked, defaultOutboundLife)
	if asked < minOutboundLife {
		return time.Time{}, durationError(asked, "greater than or equal to %d", minOutboundLife)
	}
	if asked > maxOutboundLife {
		return time.Time{}, durationError(asked, "less than or equal to %d", maxOutboundLife)
	}
	expires := now.Add(time.Duration(asked) * time.Second).Truncate(time.Second)
	if s.Temporary && expires.After(s.ExpiresAt) {
		return time.Time{}, &identity.Error{
			Kind: identity.KindAccessDenied, Op: "issue.outbound", Public: "The token would be valid for longer than the session that asks for it.",
			Detail: []identity.Detail{{Name: "QueryCode", Value: "SessionDurationEscalationException"}},
		}
	}
	return expires, nil
}

func (i *Issuer) signOutbound(s *signer, acc *identity.Account, r OutboundTokenRequest, tags *sessionTags, now, expires time.Time) (string, error) {
	id, err := identity.NewUUID(i.random)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "issue.outbound", Err: err}
	}
	claims := outboundClaims{
		Issuer: acc.OutboundIssuer(i.external), Audience: r.Audience, Subject: s.OwnerARN, IssuedAt: now.Unix(), Expiry: expires.Unix(), ID: id,
		STS: outboundDetails{
			Account: acc.ID, Region: s.Request.Region, PrincipalID: s.OwnerARN, PrincipalTags: s.Tags, RequestTags: tags.values,
		},
	}
	if len(r.Audience) == 1 {
		claims.Audience = r.Audience[0]
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "issue.outbound", Err: err}
	}
	if len(payload) > maxOutboundPayload {
		return "", &identity.Error{
			Kind: identity.KindValidation, Op: "issue.outbound", Public: fmt.Sprintf("The token would hold %d bytes; %d are allowed.", len(payload), maxOutboundPayload),
			Detail: []identity.Detail{{Name: "QueryCode", Value: "JWTPayloadSizeExceededException"}},
		}
	}
	return i.jwts.Sign(acc.OutboundKeySet(), r.Algorithm, payload, "JWT")
}

// OutboundFacts are what an account's issuer says of itself in discovery.
type OutboundFacts struct {
	Issuer     string
	Algorithms []string
}

// Outbound describes the issuer of an account, with its key set as JSON (RFC
// 7517). It stays after the account ceases to issue, while tokens are out;
// KindNotFound for an account that never did.
func (i *Issuer) Outbound(accountID string) (OutboundFacts, []byte, error) {
	acc, err := store.Accounts.Get(i.db.Snapshot(), accountID)
	if err != nil {
		return OutboundFacts{}, nil, err
	}
	keys := i.keys.JWKS(acc.OutboundKeySet())
	if keys == nil {
		return OutboundFacts{}, nil, &identity.Error{Kind: identity.KindNotFound, Op: "issue.outbound"}
	}
	return OutboundFacts{Issuer: acc.OutboundIssuer(i.external), Algorithms: slices.Clone(outboundAlgorithms)}, keys, nil
}

func orDefault(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}
