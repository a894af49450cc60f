package directory

import (
	"context"
	"fmt"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

func noKey(id string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.key", Public: fmt.Sprintf("The Access Key with id %s cannot be found", id)}
}

// ListAccessKeys lists a user's long-term keys, without secrets, and says
// whose they are (IAM ListAccessKeys).
func (d *Directory) ListAccessKeys(ctx context.Context, c *identity.Caller, userName string, p Page) (Listing[identity.AccessKey], string, error) {
	var out Listing[identity.AccessKey]
	name := ""
	after, err := d.openMarker(c, "keys", p.Marker)
	if err != nil {
		return out, "", err
	}
	err = d.db.View(ctx, func(r store.Reader) error {
		u, err := d.target(r, c, "iam:ListAccessKeys", userName)
		if err != nil {
			return err
		}
		name = u.Name
		list, err := store.AccessKeys.List(r, "user", u.ID, after, p.limit()+1)
		if err != nil {
			return err
		}
		for _, k := range list {
			if k.UserID != u.ID {
				continue
			}
			if len(out.Items) == p.limit() {
				last := out.Items[len(out.Items)-1]
				out.Next, err = d.sealMarker(c, "keys", store.After{Value: u.ID, Key: last.ID})
				return err
			}
			out.Items = append(out.Items, *k)
		}
		return nil
	})
	return out, name, err
}

// userKey returns a key of the user that the call is about.
func (d *Directory) userKey(tx store.Tx, c *identity.Caller, action, userName, keyID string) (*identity.AccessKey, error) {
	u, err := d.target(tx, c, action, userName)
	if err != nil {
		return nil, err
	}
	k, err := store.AccessKeys.Get(tx, keyID)
	if identity.KindOf(err) == identity.KindNotFound || (err == nil && k.UserID != u.ID) {
		return nil, noKey(keyID)
	}
	return k, err
}

// UpdateAccessKey switches a key on or off (IAM UpdateAccessKey). Switched off,
// whatever was obtained with it dies too.
func (d *Directory) UpdateAccessKey(ctx context.Context, c *identity.Caller, userName, keyID string, active bool) error {
	status := "Inactive"
	if active {
		status = "Active"
	}
	ev := audit.Change(c, "iam.amazonaws.com", "UpdateAccessKey", map[string]string{"userName": userName, "accessKeyId": keyID, "status": status})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		k, err := d.userKey(tx, c, "iam:UpdateAccessKey", userName, keyID)
		if err != nil {
			return err
		}
		v := *k
		v.Active = active
		v.Version++
		if k.Active && !active {
			if err := d.keyEnded(tx, k.ID, "access key deactivated"); err != nil {
				return err
			}
		}
		return store.AccessKeys.Put(tx, &v)
	})
}

// DeleteAccessKey removes a key for good (IAM DeleteAccessKey). Whatever was
// obtained with it dies too.
func (d *Directory) DeleteAccessKey(ctx context.Context, c *identity.Caller, userName, keyID string) error {
	ev := audit.Change(c, "iam.amazonaws.com", "DeleteAccessKey", map[string]string{"userName": userName, "accessKeyId": keyID})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		if _, err := d.userKey(tx, c, "iam:DeleteAccessKey", userName, keyID); err != nil {
			return err
		}
		return d.dropKey(tx, keyID)
	})
}

// dropKey removes a key with its secret and its last use.
func (d *Directory) dropKey(tx store.Tx, keyID string) error {
	if err := store.KeySecrets.Delete(tx, keyID); err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	if err := store.KeyUses.Delete(tx, keyID); err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	if err := store.AccessKeys.Delete(tx, keyID); err != nil {
		return err
	}
	return d.keyEnded(tx, keyID, "access key deleted")
}

// AccessKeyLastUsed says whose a key is and when it was used last; the time is
// zero when it never was (IAM GetAccessKeyLastUsed).
func (d *Directory) AccessKeyLastUsed(ctx context.Context, c *identity.Caller, keyID string) (string, identity.KeyUse, error) {
	var use identity.KeyUse
	name := ""
	err := d.db.View(ctx, func(r store.Reader) error {
		k, err := store.AccessKeys.Get(r, keyID)
		var u *identity.User
		if err == nil && k.AccountID == c.AccountID {
			u, err = store.Users.Get(r, k.UserID)
		}
		if u != nil && u.Root && c.Kind != identity.RootUser && c.Kind != identity.Operator {
			u = nil // as for every call about the root user
		}
		anyone := identity.UserARN(c.Partition, c.AccountID, "/", "*")
		arn := anyone
		if u != nil {
			arn = u.ARN(c.Partition)
		}
		if denied := d.permitShown(c, "iam:GetAccessKeyLastUsed", arn, anyone, c.AccountID); denied != nil {
			return denied
		}
		if u == nil {
			if err != nil && identity.KindOf(err) != identity.KindNotFound {
				return err
			}
			return noKey(keyID)
		}
		name = u.Name
		got, err := store.KeyUses.Get(r, keyID)
		if identity.KindOf(err) == identity.KindNotFound {
			return nil
		}
		if err == nil {
			use = *got
		}
		return err
	})
	return name, use, err
}
