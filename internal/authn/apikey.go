package authn

import (
	"context"
	"encoding/base64"
	"io"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// An API key is 33 random bytes (264 bits) as 44 characters of base64url. It
// needs no slow hash: it is found by its keyed hash alone.
const (
	apiKeyBytes = 33
	apiKeyLabel = "api-key"
	// APIKeyLength is how many characters an API key has.
	APIKeyLength = 44
)

// NewAPIKey makes the text of an API key and the hash it is kept by.
func (a *Authn) NewAPIKey() (identity.Secret, string, error) {
	var b [apiKeyBytes]byte
	if _, err := io.ReadFull(a.random, b[:]); err != nil {
		return "", "", &identity.Error{Kind: identity.KindInternal, Op: "authn.apikey", Err: err}
	}
	text := identity.Secret(base64.RawURLEncoding.EncodeToString(b[:]))
	return text, a.APIKeyHash(text), nil
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
	if err := a.MissedAPIKey(ctx, text); err != nil {
		return nil, nil, err
	}
	return nil, nil, &identity.Error{Kind: identity.KindInvalidCredentials, Op: "authn.apikey"}
}

// MissedAPIKey counts a text that was shown as an API key and is none that
// counts. Nothing is gained by guessing at 264 bits, but whoever does is counted
// with all other guesses of the address. KindThrottled.
func (a *Authn) MissedAPIKey(ctx context.Context, text identity.Secret) error {
	try, err := a.guesses.begin(ctx, "apikey/"+a.APIKeyHash(text), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return err
	}
	try.end()
	return nil
}

// ProfileTry charges a look for the trusted profile that a token of a compute
// resource fits, as a guess of its subject and of the caller's address; done says
// whether there was one, and gives the charge back then. KindThrottled.
func (a *Authn) ProfileTry(ctx context.Context, w *WebIdentity) (done func(found bool), err error) {
	try, err := a.guesses.begin(ctx, "profile/"+identity.WebIdentityID(w.Issuer, w.Claims.Subject), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, err
	}
	return func(found bool) {
		if found {
			try.giveBack(ctx)
		}
		try.end()
	}, nil
}

// apiKey returns nil for a key that logs nobody in.
func (a *Authn) apiKey(ctx context.Context, text identity.Secret) (*identity.APIKey, *identity.User, error) {
	k, err := a.FindAPIKey(ctx, text)
	if err != nil || k == nil || !k.Live(a.clock.Now()) {
		return nil, nil, err
	}
	u, err := store.Lookup(ctx, a.db, store.Users, k.UserID)
	if err != nil || u.Disabled || u.AccountID != k.AccountID {
		return nil, nil, orNothing(err)
	}
	return k, u, nil
}

// FindAPIKey finds the API key with a text, whether it logs anybody in or not;
// nil when there is none.
func (a *Authn) FindAPIKey(ctx context.Context, text identity.Secret) (*identity.APIKey, error) {
	if !IsAPIKey(text) {
		return nil, nil
	}
	for _, hash := range a.APIKeyHashes(text) {
		h, err := store.Lookup(ctx, a.db, store.APIKeyHashes, hash)
		if identity.KindOf(err) == identity.KindNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		k, err := store.Lookup(ctx, a.db, store.APIKeys, h.KeyID)
		return k, orNothing(err)
	}
	return nil, nil
}

// IsAPIKey reports whether a text has the form of an API key.
func IsAPIKey(text identity.Secret) bool {
	return len(text) == APIKeyLength && !strings.ContainsFunc(text.Reveal(), func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	})
}

// APIKeyHash is the hash that a new API key with this text is kept by.
func (a *Authn) APIKeyHash(text identity.Secret) string {
	return a.keys.Hash(apiKeyLabel, []byte(text.Reveal()))
}

// APIKeyHashes are those that an API key with this text may be kept by, newest
// key first.
func (a *Authn) APIKeyHashes(text identity.Secret) []string {
	return a.keys.Hashes(apiKeyLabel, []byte(text.Reveal()))
}

// orNothing passes on only errors of the store.
func orNothing(err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		return nil
	}
	return err
}
