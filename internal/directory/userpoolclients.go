package directory

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxPoolClients bounds the app clients of one pool.
const maxPoolClients = 300

// PoolClientDetails is an app client with its secret, "" without one.
type PoolClientDetails struct {
	identity.PoolClient
	Secret identity.Secret
}

// CreatePoolClient makes an app client of a user pool, with an ID of its own and,
// where in.HasSecret says so, a secret (Cognito CreateUserPoolClient).
// KindNotFound, KindValidation, KindLimitExceeded.
func (d *Directory) CreatePoolClient(ctx context.Context, c *identity.Caller, poolID string, in identity.PoolClient) (PoolClientDetails, error) {
	out := PoolClientDetails{PoolClient: in}
	id, err := d.randomText(clientIDAlphabet, 26)
	if err != nil {
		return out, err
	}
	out.ID, out.CreatedAt = id, d.clock.Now().UTC()
	out.ModifiedAt = out.CreatedAt
	var sealed []byte
	if in.HasSecret {
		text, err := d.randomText(clientIDAlphabet, 51)
		if err != nil {
			return out, err
		}
		out.Secret = identity.Secret(text)
		if sealed, err = d.sealPoolSecrets(id, []identity.Secret{out.Secret}); err != nil {
			return out, err
		}
	}
	params := map[string]string{"clientName": clip(in.Name), "clientId": id}
	err = d.inUserPool(ctx, c, "CreateUserPoolClient", poolID, params, func(tx store.Tx, realm *identity.Realm) error {
		out.Realm = realm.Name
		if err := checkClientSettings(&out.PoolClient); err != nil {
			return err
		}
		have, err := poolClientsOf(tx, realm.Name)
		if err != nil {
			return err
		}
		if len(have) >= maxPoolClients {
			return identity.NewError(identity.KindLimitExceeded, "directory.poolclient", fmt.Sprintf("A user pool has at most %d clients.", maxPoolClients))
		}
		if sealed != nil {
			if err := store.PoolClientSecrets.Put(tx, &store.PoolClientSecret{ClientID: id, Sealed: sealed}); err != nil {
				return err
			}
		}
		if err := outliveTokens(tx, &out.PoolClient); err != nil {
			return err
		}
		return store.PoolClients.Insert(tx, &out.PoolClient)
	})
	if err != nil {
		return PoolClientDetails{}, err
	}
	return out, d.ensureSigningKeys(ctx) // they must outlive its tokens
}

// checkClientSettings judges a client that a call makes or changes.
func checkClientSettings(c *identity.PoolClient) error {
	if !poolNameRE.MatchString(c.Name) {
		return invalid(`1 validation error detected: Value at 'clientName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w\s+=,.@-]+`)
	}
	n := 0
	for _, list := range [][]string{c.CallbackURLs, c.LogoutURLs, c.OAuthFlows, c.OAuthScopes, c.ReadAttributes, c.WriteAttributes} {
		if len(list) > 100 {
			return invalid("The lists of a client have at most 100 members.")
		}
		n += len(strings.Join(list, ""))
	}
	if n > maxPoolKept {
		return invalid("The settings of a client have at most %d bytes.", maxPoolKept)
	}
	return checkPoolClient(c)
}

const clientIDAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// randomText is a text of n characters, each as likely as the others.
func (d *Directory) randomText(alphabet string, n int) (string, error) {
	out := make([]byte, 0, n)
	limit := 256 - 256%len(alphabet)
	for b := make([]byte, 2*n); len(out) < n; {
		if _, err := io.ReadFull(d.random, b); err != nil {
			return "", &identity.Error{Kind: identity.KindInternal, Op: "directory.random", Err: err}
		}
		for _, x := range b {
			if int(x) < limit && len(out) < n {
				out = append(out, alphabet[int(x)%len(alphabet)])
			}
		}
	}
	return string(out), nil
}

func poolClientsOf(r store.Reader, realm string) ([]*identity.PoolClient, error) {
	return store.PoolClients.List(r, "realm", store.Join(realm, ""), store.After{}, 0)
}

// poolClientOf is a client of a pool.
func poolClientOf(r store.Reader, realm *identity.Realm, id string) (*identity.PoolClient, error) {
	cl, err := store.PoolClients.Get(r, id)
	if orAbsent(err) != nil {
		return nil, err
	}
	if err != nil || cl.Realm != realm.Name {
		return nil, identity.NewError(identity.KindNotFound, "directory.poolclient", "User pool client "+clip(id)+" does not exist.")
	}
	return cl, nil
}

// PoolClient returns an app client with its newest secret (Cognito
// DescribeUserPoolClient). KindNotFound.
func (d *Directory) PoolClient(ctx context.Context, c *identity.Caller, poolID, id string) (PoolClientDetails, error) {
	var out PoolClientDetails
	err := d.readUserPool(ctx, c, "DescribeUserPoolClient", poolID, func(r store.Reader, realm *identity.Realm) error {
		cl, err := poolClientOf(r, realm, id)
		if err != nil {
			return err
		}
		out, err = d.clientDetails(r, cl)
		return err
	})
	return out, err
}

func (d *Directory) clientDetails(r store.Reader, cl *identity.PoolClient) (PoolClientDetails, error) {
	out := PoolClientDetails{PoolClient: *cl}
	if !cl.HasSecret {
		return out, nil
	}
	row, err := store.PoolClientSecrets.Get(r, cl.ID)
	if err != nil {
		return out, err
	}
	secrets, err := d.openPoolSecrets(row)
	if err == nil && len(secrets) > 0 {
		out.Secret = secrets[len(secrets)-1]
	}
	return out, err
}

// UpdatePoolClient changes an app client: change gets a copy, whose ID, realm
// and secret stay (Cognito UpdateUserPoolClient). KindNotFound, KindValidation.
func (d *Directory) UpdatePoolClient(ctx context.Context, c *identity.Caller, poolID, id string, change func(*identity.PoolClient)) (PoolClientDetails, error) {
	var out PoolClientDetails
	err := d.inUserPool(ctx, c, "UpdateUserPoolClient", poolID, map[string]string{"clientId": clip(id)}, func(tx store.Tx, realm *identity.Realm) error {
		cl, err := poolClientOf(tx, realm, id)
		if err != nil {
			return err
		}
		v := *cl
		v.TokenValidityUnits = maps.Clone(cl.TokenValidityUnits)
		change(&v)
		v.ID, v.Realm, v.HasSecret, v.CreatedAt, v.ModifiedAt = cl.ID, cl.Realm, cl.HasSecret, cl.CreatedAt, d.clock.Now().UTC()
		if err := checkClientSettings(&v); err != nil {
			return err
		}
		if out, err = d.clientDetails(tx, &v); err != nil {
			return err
		}
		if err := outliveTokens(tx, &v); err != nil {
			return err
		}
		return store.PoolClients.Put(tx, &v)
	})
	if err != nil {
		return out, err
	}
	return out, d.ensureSigningKeys(ctx)
}

// DeletePoolClient deletes an app client and ends the log-ins that it holds
// (Cognito DeleteUserPoolClient). KindNotFound.
func (d *Directory) DeletePoolClient(ctx context.Context, c *identity.Caller, poolID, id string) error {
	name := ""
	err := d.inUserPool(ctx, c, "DeleteUserPoolClient", poolID, map[string]string{"clientId": clip(id)}, func(tx store.Tx, realm *identity.Realm) error {
		cl, err := poolClientOf(tx, realm, id)
		if err != nil {
			return err
		}
		apis, err := store.StaxAPIs.List(tx, "", "", store.After{}, 0)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(apis, func(a *identity.StaxAPI) bool { return a.ClientID == id }) {
			return identity.NewError(identity.KindInvalidInput, "directory.poolclient", "An API of the site file logs in by this client.")
		}
		name = realm.Name
		return deletePoolClient(tx, cl)
	})
	if err != nil {
		return err
	}
	return d.eachPoolUser(ctx, c, "DeleteUserPoolClient", name, func(tx store.Tx, u *identity.User) error { return d.endClientLogins(tx, u.ID, id) })
}

func deletePoolClient(tx store.Tx, cl *identity.PoolClient) error {
	if err := orAbsent(store.PoolClientSecrets.Delete(tx, cl.ID)); err != nil {
		return err
	}
	return store.PoolClients.Delete(tx, cl.ID)
}

// endClientLogins ends the log-ins of a user that a client holds.
func (d *Directory) endClientLogins(tx store.Tx, userID, clientID string) error {
	families, err := store.RefreshFamilies.List(tx, "user", userID, store.After{}, 0)
	if err != nil {
		return err
	}
	for _, f := range families {
		if f.UserID != userID || f.Dialect != "cognito" || f.ClientID != clientID || f.Ended {
			continue
		}
		if err := d.access.Revoke(tx, identity.Revocation{Kind: identity.LineageLogin, ID: f.ID, Reason: "client deleted"}); err != nil {
			return err
		}
		if err := endFamily(tx, f.ID); err != nil {
			return err
		}
	}
	return nil
}

// ListPoolClients lists the app clients of a user pool by ID (Cognito
// ListUserPoolClients). KindNotFound.
func (d *Directory) ListPoolClients(ctx context.Context, c *identity.Caller, poolID string, p Page) (Listing[identity.PoolClient], error) {
	var out Listing[identity.PoolClient]
	err := d.readUserPool(ctx, c, "ListUserPoolClients", poolID, func(r store.Reader, realm *identity.Realm) (err error) {
		prefix := store.Join(realm.Name, "")
		out, err = pages(d, c, "pool-clients/"+realm.Name, p, tableSpan(r, store.PoolClients, "realm", prefix,
			func(cl *identity.PoolClient) (row[identity.PoolClient], error) {
				return row[identity.PoolClient]{at: store.After{Value: prefix + cl.ID, Key: cl.ID}, item: *cl}, nil
			}))
		return err
	})
	return out, err
}
