package authn

import (
	"context"
	"crypto/subtle"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Client checks how an OAuth client showed itself: a public client shows no
// secret, a confidential one its own (RFC 6749 §2.3.1). Unknown client and
// wrong secret give the same KindInvalidClient.
func (a *Authn) Client(ctx context.Context, realm, id string, secret identity.Secret, hasSecret bool) (*identity.Client, error) {
	bad := &identity.Error{Kind: identity.KindInvalidClient, Op: "authn.client"}
	c, err := store.Clients.Get(a.db.Snapshot(), realm+"/"+id)
	if err != nil {
		if identity.KindOf(err) == identity.KindNotFound {
			return nil, bad
		}
		return nil, err
	}
	if c.Public {
		if hasSecret && secret != "" {
			return nil, bad
		}
		return c, nil
	}
	if !hasSecret || len(secret) > MaxPassword {
		return nil, bad
	}
	try, err := a.guesses.begin(ctx, a.keys.Hash("guess", []byte("client\x00"+c.Key())), identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, err
	}
	defer try.end()
	var stored *store.ClientSecret
	err = a.db.View(ctx, func(r store.Reader) (err error) {
		stored, err = store.ClientSecrets.Get(r, c.Key())
		return err
	})
	if err != nil {
		if identity.KindOf(err) == identity.KindNotFound {
			return nil, bad
		}
		return nil, err
	}
	for _, h := range a.keys.Hashes(ClientSecretLabel, []byte(secret.Reveal())) {
		if subtle.ConstantTimeCompare([]byte(h), []byte(stored.Hash)) == 1 {
			try.good(ctx)
			return c, nil
		}
	}
	return nil, bad
}

// Labels of keyed hashes, so that equal texts of different kinds never hash alike.
const (
	ClientSecretLabel = "client-secret"
	refreshLabel      = "refresh-token"
)
