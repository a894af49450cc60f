package authn

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// PoolClient returns an app client of a user pool with its realm. KindNotFound,
// with Cognito's sentence, for none.
func (a *Authn) PoolClient(id string) (*identity.PoolClient, *identity.Realm, error) {
	snap := a.db.Snapshot()
	c, err := store.PoolClients.Get(snap, id)
	var r *identity.Realm
	if err == nil {
		r, err = store.Realms.Get(snap, c.Realm)
	}
	switch {
	case identity.KindOf(err) == identity.KindNotFound, err == nil && r.Pool == nil:
		return nil, nil, identity.NewError(identity.KindNotFound, "authn.poolclient", "User pool client "+printable(id)+" does not exist.")
	case err != nil:
		return nil, nil, err
	}
	return c, r, nil
}

// SecretHash checks the SECRET_HASH that comes with a user's name from a client
// that has a secret: base64 of HMAC-SHA256 under the secret, of name and client
// ID. Clients without one send none. KindInvalidCredentials, with Cognito's
// sentence.
func (a *Authn) SecretHash(ctx context.Context, c *identity.PoolClient, name, hash string) error {
	switch {
	case !c.HasSecret && hash == "":
		return nil
	case !c.HasSecret:
		return clientError("Client " + c.ID + " is not configured with a secret, but SECRET_HASH was received.")
	case hash == "":
		return clientError("Client " + c.ID + " is configured with secret but SECRET_HASH was not received")
	}
	secrets, err := a.poolSecrets(ctx, c)
	if err != nil {
		return err
	}
	ok := 0
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(name + c.ID))
		ok |= subtle.ConstantTimeCompare([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(hash))
	}
	if ok != 1 {
		return clientError("Unable to verify secret hash for client " + c.ID)
	}
	return nil
}

// PoolSecret checks the plain secret that some calls take of a client that has
// one. KindInvalidCredentials.
func (a *Authn) PoolSecret(ctx context.Context, c *identity.PoolClient, secret identity.Secret) error {
	if !c.HasSecret && secret == "" {
		return nil
	}
	var secrets []string
	if c.HasSecret {
		var err error
		if secrets, err = a.poolSecrets(ctx, c); err != nil {
			return err
		}
	}
	ok := 0
	for _, s := range secrets {
		ok |= subtle.ConstantTimeCompare([]byte(s), []byte(secret.Reveal()))
	}
	if ok != 1 {
		return clientError("Unable to verify secret for client " + c.ID)
	}
	return nil
}

func (a *Authn) poolSecrets(ctx context.Context, c *identity.PoolClient) ([]string, error) {
	var row *store.PoolClientSecret
	err := a.db.View(ctx, func(r store.Reader) (err error) {
		row, err = store.PoolClientSecrets.Get(r, c.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	b, err := a.keys.Unseal(store.PoolClientSecrets.Name(), "secrets", c.ID, row.Sealed)
	if err != nil {
		return nil, err
	}
	var secrets []string
	if err := json.Unmarshal(b, &secrets); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "authn.poolsecrets", Err: err}
	}
	return secrets, nil
}

func clientError(sentence string) error {
	return identity.NewError(identity.KindInvalidCredentials, "authn.poolclient", sentence)
}
