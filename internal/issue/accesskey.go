package issue

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// AccessKey makes a long-term access key for a user of the caller's account,
// for the caller itself when userName is "" (IAM CreateAccessKey). The secret
// is shown once. An operator names the account's user by RootOf.
func (i *Issuer) AccessKey(ctx context.Context, c *identity.Caller, userName string) (CreatedAccessKey, error) {
	return i.accessKey(ctx, c, func(r store.Reader) (*identity.User, error) { return i.keyOwner(r, c, userName) }, userName)
}

// RootAccessKey makes a long-term access key for the root user of an account.
// Operator only.
func (i *Issuer) RootAccessKey(ctx context.Context, c *identity.Caller, accountID string) (CreatedAccessKey, error) {
	return i.accessKey(ctx, c, func(r store.Reader) (*identity.User, error) {
		if c.Kind != identity.Operator {
			return nil, &identity.Error{Kind: identity.KindAccessDenied, Op: "issue.accesskey"}
		}
		return store.Users.Get(r, accountID)
	}, "root")
}

func (i *Issuer) accessKey(ctx context.Context, c *identity.Caller, owner func(store.Reader) (*identity.User, error), name string) (CreatedAccessKey, error) {
	ev := audit.Change(c, "iam.amazonaws.com", "CreateAccessKey", map[string]string{"userName": name})
	out, err := i.mintAccessKey(ctx, c, owner, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
		return CreatedAccessKey{}, err
	}
	return out, nil
}

func (i *Issuer) mintAccessKey(ctx context.Context, c *identity.Caller, owner func(store.Reader) (*identity.User, error), ev *audit.Event) (CreatedAccessKey, error) {
	var out CreatedAccessKey
	if err := i.ready(); err != nil {
		return out, err
	}
	id, secret, err := i.newKeyPair()
	if err != nil {
		return out, err
	}
	sealed, err := i.keys.Seal(store.KeySecrets.Name(), "secret", id, []byte(secret.Reveal()))
	if err != nil {
		return out, err
	}
	ev.Issued("secretAccessKey", secret)
	ev.ResponseElements = map[string]any{"accessKeyId": id}
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		// 1 prove: the caller's own signed request, judged again in the store.
		if err := i.access.StillLive(tx, c); err != nil {
			return err
		}
		// 2 permit
		u, err := owner(tx)
		if err != nil {
			return err
		}
		if c.Kind == identity.Operator {
			err = i.access.Authorize(c, "iam:CreateAccessKey", access.Resource{AccountID: u.AccountID, Unrecorded: true}).Err
		}
		if err != nil {
			return err
		}
		have, err := store.AccessKeys.List(tx, "user", u.ID, store.After{}, 0)
		if err != nil {
			return err
		}
		// The listing is by prefix, and one account's ID may begin another's.
		have = slices.DeleteFunc(have, func(k *identity.AccessKey) bool { return k.UserID != u.ID })
		if len(have) >= identity.AccessKeysPerUser {
			return &identity.Error{Kind: identity.KindLimitExceeded, Op: "issue.accesskey", Public: fmt.Sprintf("Cannot exceed quota for AccessKeysPerUser: %d", identity.AccessKeysPerUser)}
		}
		acc, err := store.Accounts.Get(tx, u.AccountID)
		if err != nil {
			return err
		}
		now := i.clock.Now().UTC()
		// 3 bound: until it is deleted, where nothing else is set. 4 mint, 5 record.
		out = CreatedAccessKey{
			UserName: u.Name, Secret: secret,
			Key: identity.AccessKey{
				ID: id, AccountID: u.AccountID, UserID: u.ID, Active: true, Version: 1, CreatedAt: now,
				ExpiresAt: i.keyExpiry(acc, now), MadeBy: c.MadeBy(), MadeByProvider: madeByProvider(c),
			},
		}
		if err := store.AccessKeys.Insert(tx, &out.Key); err != nil {
			return err
		}
		return store.KeySecrets.Insert(tx, &store.KeySecret{KeyID: id, Sealed: sealed})
	})
	return out, err
}

// madeByProvider is the OIDC provider that the caller logged in by, through an
// identity pool or not; "" for none.
func madeByProvider(c *identity.Caller) string {
	if c.Pool != nil {
		return c.Lineage.Get(identity.LineageProvider)
	}
	return c.ProviderARN
}

// keyExpiry is when a key made now ends by itself, zero for never.
func (i *Issuer) keyExpiry(acc *identity.Account, now time.Time) time.Time {
	life := i.keyLife
	if own := time.Duration(acc.AccessKeyMaxAgeDays) * 24 * time.Hour; own > 0 && (life <= 0 || own < life) {
		life = own
	}
	if life <= 0 {
		return time.Time{}
	}
	return now.Add(life)
}

// keyOwner finds the user whose key it will be and asks whether the caller may.
func (i *Issuer) keyOwner(r store.Reader, c *identity.Caller, name string) (*identity.User, error) {
	const action = "iam:CreateAccessKey"
	keys := access.EntityKeys{}
	permit := func(arn, shown string) error {
		return i.access.Authorize(c, action, access.Resource{ARN: arn, Shown: shown, AccountID: c.AccountID, Keys: keys, Unrecorded: true}).Err
	}
	if name == "" {
		if c.Kind != identity.RootUser && c.Kind != identity.IAMUser {
			if err := permit(identity.UserARN(c.Partition, c.AccountID, "/", "*"), ""); err != nil {
				return nil, err
			}
			return nil, &identity.Error{Kind: identity.KindValidation, Op: "issue.accesskey", Public: "Must specify userName when calling with non-User credentials"}
		}
		u, err := store.Users.Get(r, c.PrincipalID)
		if err != nil {
			return nil, err
		}
		keys.Tagged(u.Tags)
		return u, permit(u.ARN(c.Partition), "")
	}
	u, err := store.Users.By(r, "name", store.Join(c.AccountID, store.Fold(name)))
	arn := identity.UserARN(c.Partition, c.AccountID, "/", name)
	if err == nil {
		arn = u.ARN(c.Partition)
		keys.Tagged(u.Tags)
	}
	// Without rights nothing is learned: neither that there is such a user, nor
	// its path and how its name is written.
	if denied := permit(arn, identity.UserARN(c.Partition, c.AccountID, "/", name)); denied != nil {
		return nil, denied
	}
	if identity.KindOf(err) == identity.KindNotFound || (err == nil && u.Root && c.Kind != identity.RootUser) {
		return nil, &identity.Error{Kind: identity.KindNotFound, Op: "issue.accesskey", Public: fmt.Sprintf("The user with name %s cannot be found.", bounded(name))}
	}
	return u, err
}

// newKeyPair makes "AKIA" and 16 base32 characters, and 30 random bytes in
// base64, as AWS's are.
func (i *Issuer) newKeyPair() (string, identity.Secret, error) {
	b := make([]byte, 10+30)
	if _, err := io.ReadFull(i.random, b); err != nil {
		return "", "", &identity.Error{Kind: identity.KindInternal, Op: "issue.accesskey", Err: err}
	}
	return "AKIA" + base32.StdEncoding.EncodeToString(b[:10]), identity.Secret(base64.StdEncoding.EncodeToString(b[10:])), nil
}
