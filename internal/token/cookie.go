package token

import (
	"encoding/base64"
	"encoding/json"

	"daypass/internal/identity"
	"daypass/internal/keyring"
)

// maxCookie is the longest text that is opened: an ordinary cookie has some
// 500 characters.
const maxCookie = 3 << 10

// cookieUse binds the box to what it is for: other cookies have their own.
var cookieUse = []byte("console session")

// CookieClaims are what the session cookie of the console holds. Times are Unix
// milliseconds.
type CookieClaims struct {
	AccountID string            `json:"a"`
	UserID    string            `json:"u"`
	Lineage   identity.Lineage  `json:"l"`
	Position  identity.Position `json:"p"`
	// ProvedMS is when the user showed a proof last, SeenMS when the cookie was
	// given out, ExpiresMS when the session ends in any case.
	ProvedMS  int64 `json:"t"`
	SeenMS    int64 `json:"s"`
	ExpiresMS int64 `json:"e"`
	// MFAMS is when the second factor was shown, 0 without one.
	MFAMS int64 `json:"m,omitempty"`
	// Methods are those of the proofs (RFC 8176).
	Methods []string `json:"r,omitempty"`
}

// Cookies seal and open the session cookies of the console.
type Cookies struct{ box *keyring.Box }

// NewCookies makes Cookies.
func NewCookies(k *keyring.Keyring) *Cookies { return &Cookies{k.Box(keyring.BoxCookie)} }

// Seal makes the text of a cookie, of characters that a cookie may have.
func (c *Cookies) Seal(claims *CookieClaims) (identity.Secret, error) {
	plain, err := json.Marshal(claims)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "token.cookie", Err: err}
	}
	sealed, err := c.box.Seal(plain, cookieUse)
	if err != nil {
		return "", err
	}
	return identity.Secret(base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// Open returns what Seal sealed. KindInvalidToken for anything else,
// KindUnavailable where the store must be asked and is away.
func (c *Cookies) Open(text identity.Secret) (*CookieClaims, error) {
	bad := &identity.Error{Kind: identity.KindInvalidToken, Op: "token.cookie"}
	if len(text) > maxCookie {
		return nil, bad
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text.Reveal())
	if err != nil {
		return nil, bad
	}
	plain, err := c.box.Open(sealed, cookieUse)
	if identity.KindOf(err) == identity.KindUnavailable {
		return nil, err
	}
	if err != nil {
		return nil, bad
	}
	out := new(CookieClaims)
	if err := json.Unmarshal(plain, out); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "token.cookie", Err: err}
	}
	return out, nil
}
