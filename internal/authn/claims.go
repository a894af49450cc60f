package authn

import (
	"encoding/json"
	"time"

	"daypass/internal/identity"
	"daypass/internal/token"
)

// Claims are what is read of a JWT's payload.
type Claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  Audience `json:"aud"`
	Azp       string   `json:"azp"`
	Expiry    *Seconds `json:"exp"`
	NotBefore *Seconds `json:"nbf"`
	IssuedAt  *Seconds `json:"iat"`
	Type      string   `json:"typ"`
	Scope     string   `json:"scope"`
	ID        string   `json:"jti"`
	SessionID string   `json:"sid"`
	// Private claims of our own realms: the feed position and the service that
	// the lineage goes on from.
	Incarnation string `json:"dp_inc"`
	Position    uint64 `json:"dp_pos"`
	UserID      string `json:"dp_uid"`
	IssuedMS    int64  `json:"dp_ms"`
	// MFAMS is when a second factor was shown (Unix ms), 0 without one.
	MFAMS int64 `json:"dp_mfa"`
	// Of tokens of user pools: an access token's client, the user's name, and the
	// log-in that the token goes back to.
	ClientID string `json:"client_id"`
	Username string `json:"cognito:username"`
	OriginID string `json:"origin_jti"`
	// IAMID is who an access token of IBM's dialect is of, AccountID in which
	// account.
	IAMID     string `json:"iam_id"`
	AccountID string `json:"dp_acc"`
	// Lineage is the whole of it in OpenID tokens of identity pools, and in
	// access tokens of IBM's dialect.
	Lineage identity.Lineage `json:"dp_lin"`
	// Access tokens of foreign issuers carry the first; what tells of events, as
	// a logout token does, the second.
	TokenUse string           `json:"token_use"`
	Events   *json.RawMessage `json:"events"`

	Tags           map[string]string `json:"-"`
	TransitiveKeys []string          `json:"-"`
	// Values are the claims that policies can ask for, by name in lower case.
	Values map[string][]string `json:"-"`
	// objects are the claims that are objects.
	objects        map[string]any
	SourceIdentity string `json:"https://aws.amazon.com/source_identity"`
}

// Audience is "aud": a string or a list of strings.
type Audience []string

// UnmarshalJSON reads both forms.
func (a *Audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		*a = Audience{s}
		return err
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// Has reports whether s is one of the audiences.
func (a Audience) Has(s string) bool {
	for _, v := range a {
		if v == s {
			return true
		}
	}
	return false
}

// Seconds is a NumericDate (RFC 7519 §2), fractions allowed.
type Seconds float64

// fits says that the date is one that time and feed can hold: from 1970 on, and
// before the year 10000.
func (s *Seconds) fits() bool { return s == nil || *s >= 0 && *s < 253402300800 }

// Time is the date as a time.
func (s Seconds) Time() time.Time { return time.UnixMilli(int64(float64(s) * 1000)) }

// judge checks that there is an audience, and what judgeTimes does.
func (c *Claims) judge(now time.Time, leeway time.Duration) error {
	if c.Issuer != "" && c.Subject != "" && len(c.Audience) == 0 {
		return missingClaim("aud")
	}
	return c.judgeTimes(now, leeway)
}

// judgeTimes checks what changes with time.
func (c *Claims) judgeTimes(now time.Time, leeway time.Duration) error {
	for _, need := range []struct {
		name string
		ok   bool
	}{{"iss", c.Issuer != ""}, {"sub", c.Subject != ""}, {"exp", c.Expiry != nil}, {"iat", c.IssuedAt != nil}} {
		if !need.ok {
			return missingClaim(need.name)
		}
	}
	if !c.Expiry.fits() || !c.IssuedAt.fits() || !c.NotBefore.fits() {
		return notJWT("a date out of bounds")
	}
	if !now.Before(c.Expiry.Time().Add(leeway)) {
		return &identity.Error{Kind: identity.KindExpiredIdentity, Op: "authn.webidentity"}
	}
	if c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()) || now.Add(leeway).Before(c.IssuedAt.Time().Truncate(time.Second)) {
		return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.webidentity", Public: "Token used before issued"}
	}
	return nil
}

func missingClaim(name string) error {
	return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.webidentity", Public: "Missing a required claim: " + name + "."}
}

// ParseClaims reads a verified payload.
func ParseClaims(payload []byte) (*Claims, error) {
	c := new(Claims)
	if err := token.DecodeClaims(payload, c); err != nil {
		return nil, notJWT("claims")
	}
	if err := c.readTags(payload); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Claims) readTags(payload []byte) (err error) {
	c.Tags, c.TransitiveKeys, err = parseTags(payload)
	return err
}
