package authn

import (
	"encoding/base64"
	"io"
	"strings"

	"daypass/internal/identity"
)

// Refresh tokens are opaque: "dpr_" and 32 random bytes, found by keyed hash.
const (
	refreshPrefix = "dpr_"
	refreshBytes  = 32
)

// NewRefreshToken makes the text of a refresh token and the hash it is kept by.
func (a *Authn) NewRefreshToken() (identity.Secret, string, error) {
	b := make([]byte, refreshBytes)
	if _, err := io.ReadFull(a.random, b); err != nil {
		return "", "", err
	}
	text := identity.Secret(refreshPrefix + base64.RawURLEncoding.EncodeToString(b))
	return text, a.keys.Hash(refreshLabel, []byte(text.Reveal())), nil
}

// SealedRefreshHashes are the hashes that a refresh token which was not stored
// when it was made is kept by once it was used, newest key first.
func (a *Authn) SealedRefreshHashes(token identity.Secret) []string {
	return a.keys.Hashes(refreshLabel, []byte(token.Reveal()))
}

// RefreshHashes returns the hashes that a refresh token may be kept by, newest
// key first, or none when the text cannot be one of ours. Consuming it is a
// compare-and-set in the transaction that yields its successor: issue's work.
func (a *Authn) RefreshHashes(token identity.Secret) []string {
	rest, ok := strings.CutPrefix(token.Reveal(), refreshPrefix)
	if !ok || len(rest) != base64.RawURLEncoding.EncodedLen(refreshBytes) {
		return nil
	}
	return a.keys.Hashes(refreshLabel, []byte(token.Reveal()))
}
