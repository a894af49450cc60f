package authn

import (
	"context"
	"encoding/base64"
	"io"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// An API key is 33 random bytes (264 bits) as 44 characters of base64url. It
// needs no slow hash: it is found by its keyed hash alone.
const (
	apiKeyBytes  = 33
	apiKeyLength = 44
	apiKeyLabel  = "api-key"
)

// NewAPIKey makes the text of an API key and the hash it is kept by.
func (a *Authn) NewAPIKey() (identity.Secret, string, error) {
	var b [apiKeyBytes]byte
	if _, err := io.ReadFull(a.random, b[:]); err != nil {
		return "", "", &identity.Error{Kind: identity.KindInternal, Op: "authn.apikey", Err: err}
	}
	text := base64.RawURLEncoding.EncodeToString(b[:])
	return identity.Secret(text), a.keys.Hash(apiKeyLabel, []byte(text)), nil
}

// APIKey finds the API key with a text, and its owner. An unknown, a disabled
// and an expired key, and one whose owner is gone, give the same
// KindInvalidCredentials; too many of those from one address, KindThrottled.
// What else stands in the way of a log-in is judged by issue.
func (a *Authn) APIKey(ctx context.Context, text identity.Secret) (*identity.APIKey, *identity.User, error) {
	k, u, err := a.apiKey(ctx, text)
	if err != nil || k != nil {
		return k, u, err
	}
	// Nothing is gained by guessing at 264 bits, but whoever does is counted with
	// all other guesses of the address.
	hash := a.keys.Hash(apiKeyLabel, []byte(text.Reveal()))
	try, err := a.guesses.begin(ctx, "apikey/"+hash, identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, nil, err
	}
	try.end()
	return nil, nil, &identity.Error{Kind: identity.KindInvalidCredentials, Op: "authn.apikey"}
}

// apiKey returns nil for a key that logs nobody in.
func (a *Authn) apiKey(ctx context.Context, text identity.Secret) (*identity.APIKey, *identity.User, error) {
	if len(text) != apiKeyLength {
		return nil, nil, nil
	}
	for _, hash := range a.keys.Hashes(apiKeyLabel, []byte(text.Reveal())) {
		h, err := store.Lookup(ctx, a.db, store.APIKeyHashes, hash)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		k, err := store.Lookup(ctx, a.db, store.APIKeys, h.KeyID)
		if err != nil {
			return nil, nil, orNothing(err)
		}
		if !k.Live(a.clock.Now()) {
			return nil, nil, nil
		}
		u, err := store.Lookup(ctx, a.db, store.Users, k.UserID)
		if err != nil || u.Disabled || u.AccountID != k.AccountID {
			return nil, nil, orNothing(err)
		}
		return k, u, nil
	}
	return nil, nil, nil
}

// orNothing passes on only errors of the store.
func orNothing(err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return nil
	}
	return err
}
