package issue

import (
	"cmp"
	"context"
	"encoding/base32"
	"fmt"
	"io"
	"net/http"
	"slices"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// maxDeletedTokens is how many deleted API tokens of an account are remembered.
const maxDeletedTokens = identity.APITokensPerAccount

// NewAPIToken is what an API token is made of; KeyID is "" for the default.
type NewAPIToken struct {
	Name, Description, Role, KeyID string
	Tags                           map[string]string
}

// CreatedAPIToken is an API token with the secret that is shown once.
type CreatedAPIToken struct {
	identity.User
	Secret identity.Secret
}

// APIToken makes an API token of the caller's account, in the realm of its API
// (Stax API: POST /api-tokens); host is that of the request. It asks for
// execute-api:Invoke and, on the role, iam:PassRole. KindValidation,
// KindLimitExceeded, KindNotFound for an account without an API.
func (i *Issuer) APIToken(ctx context.Context, c *identity.Caller, host string, in NewAPIToken) (CreatedAPIToken, error) {
	ev := audit.Change(c, "execute-api.amazonaws.com", "CreateApiToken", map[string]string{
		"name": bounded(in.Name), "role": bounded(in.Role),
	})
	out, err := i.mintAPIToken(ctx, c, host, in, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
		return CreatedAPIToken{}, err
	}
	return out, nil
}

func (i *Issuer) mintAPIToken(ctx context.Context, c *identity.Caller, host string, in NewAPIToken, ev *audit.Event) (CreatedAPIToken, error) {
	var out CreatedAPIToken
	if err := i.ready(); err != nil {
		return out, err
	}
	if c.Interactive {
		if err := i.fresh(c); err != nil {
			return out, err
		}
	}
	// 2 permit, here and in the transaction: without rights nothing is learned.
	permit := func(r store.Reader) error {
		if err := i.access.Invoke(c, access.Invocation{Host: host, Method: http.MethodPost, Path: "api-tokens"}, true); err != nil {
			return err
		}
		return i.access.PassAPIRole(r, c, in.Role, true)
	}
	if err := permit(i.db.Current(ctx)); err != nil {
		return out, err
	}
	u, err := i.newAPIToken(c, host, in)
	if err != nil {
		return out, err
	}
	out.User = *u
	if out.Secret, err = authn.NewAPISecret(i.random); err != nil {
		return out, err
	}
	realm, err := store.Realms.Get(i.db.Snapshot(), u.Realm)
	if err != nil {
		return out, err
	}
	row, err := i.authn.APITokenPassword(u.ID, realm.PoolName, u.Subject, out.Secret, u.CreatedAt)
	if err != nil {
		return out, err
	}
	ev.Issued("secretKey", out.Secret)
	ev.ResponseElements = map[string]any{"accessKey": u.Name}
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		// 1 prove: the caller's own signed request, judged again in the store.
		if err := i.access.StillLive(tx, c); err != nil {
			return err
		}
		if err := permit(tx); err != nil {
			return err
		}
		// 3 bound: until it is deleted, and so many of an account.
		if err := boundTokens(tx, c.AccountID); err != nil {
			return err
		}
		// 4 mint, 5 record.
		if err := store.Users.Insert(tx, u); err != nil {
			return err
		}
		return store.Passwords.Insert(tx, row)
	})
	return out, err
}

// newAPIToken is the user that a token is, in the realm of the account's API.
func (i *Issuer) newAPIToken(c *identity.Caller, host string, in NewAPIToken) (*identity.User, error) {
	now := i.clock.Now().UTC()
	token := &identity.APIToken{
		Name: in.Name, Description: in.Description, Role: in.Role, Tags: in.Tags, ModifiedAt: now,
		KeyID:     cmp.Or(in.KeyID, identity.DefaultTokenKeyID),
		CreatedBy: cmp.Or(c.Lineage.Get(identity.LineagePrincipal), c.PrincipalID),
	}
	if err := token.Check(); err != nil {
		return nil, err
	}
	snap := i.db.Snapshot()
	api, err := access.APIAt(snap, host, c.AccountID)
	if err != nil {
		return nil, err
	}
	realm, err := store.Realms.Get(snap, api.Realm)
	if err != nil {
		return nil, err
	}
	u := &identity.User{
		AccountID: c.AccountID, Realm: realm.Name, Path: identity.LocalPath + realm.PoolID() + "/",
		Local: true, Token: token, CreatedAt: now, ModifiedAt: now,
	}
	if u.Name, err = identity.NewUUID(i.random); err != nil {
		return nil, err
	}
	if u.Subject, err = identity.NewUUID(i.random); err != nil {
		return nil, err
	}
	var id [11]byte
	if _, err := io.ReadFull(i.random, id[:]); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "issue.apitoken", Err: err}
	}
	u.ID = "AIDA" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:])[:17]
	return u, nil
}

// boundTokens refuses a token beyond the account's quota, and forgets the token
// that was deleted longest ago where too many are remembered.
func boundTokens(tx store.Tx, account string) error {
	all, err := store.Users.List(tx, "token", store.Join(account, ""), store.After{}, 0)
	if err != nil {
		return err
	}
	deleted := slices.DeleteFunc(slices.Clone(all), func(u *identity.User) bool { return !u.Token.Deleted })
	if len(all)-len(deleted) >= identity.APITokensPerAccount {
		return &identity.Error{
			Kind: identity.KindLimitExceeded, Op: "issue.apitoken",
			Public: fmt.Sprintf("An account can have at most %d API tokens.", identity.APITokensPerAccount),
		}
	}
	if len(deleted) < maxDeletedTokens {
		return nil
	}
	oldest := slices.MinFunc(deleted, func(a, b *identity.User) int { return a.Token.ModifiedAt.Compare(b.Token.ModifiedAt) })
	return store.Users.Delete(tx, oldest.ID)
}
