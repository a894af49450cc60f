package issue

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// NewIBMKey is what an API key is made of. IAMID and AccountID are the caller's
// own when they are ""; WhenLeaked is "disable" then.
type NewIBMKey struct {
	IAMID, AccountID              string
	Name, Description, WhenLeaked string
	SupportSessions               bool
	Locked, Disabled              bool
	ExpiresAt                     time.Time // zero: until it is deleted
}

// CreatedIBMKey is an API key with its text, which is shown once.
type CreatedIBMKey struct {
	identity.APIKey
	Text identity.Secret
}

// NewIBMAPIKey makes an API key of a user or a service ID (IBM Cloud IAM, POST
// /v1/apikeys). A person needs no policy for a key of its own; otherwise
// iam-identity:apikey.create is asked for on the CRN of the key's owner.
// KindValidation, KindLimitExceeded, KindNotFound for an owner that is absent or
// another account's.
func (i *Issuer) NewIBMAPIKey(ctx context.Context, c *identity.Caller, in NewIBMKey) (CreatedIBMKey, error) {
	ev := audit.Change(c, identity.IAMIdentity, "CreateApiKey", map[string]string{"iamId": bounded(in.IAMID), "name": bounded(in.Name)})
	out, err := i.newIBMAPIKey(ctx, c, in, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
		return CreatedIBMKey{}, err
	}
	return out, nil
}

func (i *Issuer) newIBMAPIKey(ctx context.Context, c *identity.Caller, in NewIBMKey, ev *audit.Event) (CreatedIBMKey, error) {
	var out CreatedIBMKey
	if err := i.ready(); err != nil {
		return out, err
	}
	if c.Console {
		if err := i.fresh(c); err != nil {
			return out, err
		}
	}
	// 2 permit, here and in the transaction: without rights nothing is learned.
	u, err := i.apiKeyOwner(i.db.Current(ctx), c, in)
	if err != nil {
		return out, err
	}
	if out.APIKey, err = i.apiKeyRecord(c, u, in); err != nil {
		return out, err
	}
	text, hash, err := i.authn.NewAPIKey()
	if err != nil {
		return out, err
	}
	out.Text = text
	ev.Issued("apiKey", text)
	ev.ResponseElements = map[string]any{"apiKeyId": out.ID, "iamId": u.IAMID()}
	_, err = i.audit.Commit(ctx, i.db, *ev, func(tx store.Tx) error {
		// 1 prove: the caller's own credential, judged again in the store.
		if err := i.access.StillLive(tx, c); err != nil {
			return err
		}
		owner, err := i.apiKeyOwner(tx, c, in)
		if err != nil {
			return err
		}
		// 3 bound. 4 mint, 5 record.
		acc, err := store.Accounts.Get(tx, owner.AccountID)
		if err != nil {
			return err
		}
		k := out.APIKey
		k.Latest = i.keyExpiry(acc, k.CreatedAt)
		if k.ExpiresAt, err = apiKeyExpiry(in.ExpiresAt, k.Latest, k.CreatedAt); err != nil {
			return err
		}
		if err := boundAPIKeys(tx, owner.ID); err != nil {
			return err
		}
		out.APIKey = k
		if err := store.APIKeys.Insert(tx, &k); err != nil {
			return err
		}
		return store.APIKeyHashes.Insert(tx, &store.APIKeyHash{Hash: hash, KeyID: k.ID})
	})
	return out, err
}

// apiKeyOwner finds the principal whose key it will be and asks whether the
// caller may.
func (i *Issuer) apiKeyOwner(r store.Reader, c *identity.Caller, in NewIBMKey) (*identity.User, error) {
	const action = identity.IAMIdentity + ":apikey.create"
	account, userID, ok := cmp.Or(in.AccountID, c.AccountID), c.PrincipalID, true
	if in.IAMID != "" {
		userID, ok = identity.UserOfIAMID(in.IAMID)
	}
	own := ok && account == c.AccountID && userID == c.PrincipalID && c.IAMID() != ""
	res := access.Resource{ARN: identity.OwnerCRN(account, bounded(userID)), AccountID: account, Unrecorded: true}
	decide := i.access.Authorize
	if own {
		decide = i.access.AuthorizeOwn
	}
	if err := decide(c, action, res).Err; err != nil {
		return nil, err
	}
	absent := &identity.Error{Kind: identity.KindNotFound, Op: "issue.apikey", Public: "The IAM ID " + bounded(in.IAMID) + " cannot be found."}
	if !ok {
		return nil, absent
	}
	u, err := store.Users.Get(r, userID)
	switch {
	case identity.KindOf(err) == identity.KindNotFound:
		return nil, absent
	case err != nil:
		return nil, err
	case u.AccountID != account || u.Token != nil || u.Profile != nil || u.Root && !own && c.Kind != identity.Operator:
		return nil, absent
	}
	// Whoever forbids long-lived secrets in IAM's words means these, too.
	iam := access.Resource{ARN: u.ARN(c.Partition), AccountID: account, Unrecorded: true}
	if d := i.access.Authorize(c, "iam:CreateAccessKey", iam); d.Effect == access.ExplicitDeny {
		return nil, d.Err
	}
	return u, nil
}

// apiKeyRecord is the key that in describes, without its end.
func (i *Issuer) apiKeyRecord(c *identity.Caller, u *identity.User, in NewIBMKey) (identity.APIKey, error) {
	now := i.clock.Now().UTC()
	k := identity.APIKey{
		AccountID: u.AccountID, UserID: u.ID, Name: in.Name, Description: in.Description, CreatedBy: c.IAMID(), Locked: in.Locked,
		Disabled: in.Disabled, WhenLeaked: cmp.Or(in.WhenLeaked, identity.LeakedDisable), SupportSessions: in.SupportSessions,
		CreatedAt: now, ModifiedAt: now, MadeBy: c.MadeBy(),
	}
	if err := k.Check(); err != nil {
		return k, err
	}
	id, err := identity.NewUUID(i.random)
	if err != nil {
		return k, err
	}
	k.ID = identity.APIKeyPrefix + id
	if k.Tag, err = k.Tag.Next(i.random); err != nil {
		return k, err
	}
	k.History = identity.Remember(nil, identity.Changed{
		At: now, IAMID: c.IAMID(), AccountID: c.AccountID, Action: "CREATE", Message: "The API key was created.",
	})
	return k, nil
}

// apiKeyExpiry is when a key made now ends, zero for never: as asked for, and no
// later than the latest that it may.
func apiKeyExpiry(asked, latest, now time.Time) (time.Time, error) {
	switch {
	case asked.IsZero():
		return latest, nil
	case !asked.After(now):
		return asked, identity.NewError(identity.KindValidation, "issue.apikey", "The property expires_at lies in the past.")
	case !latest.IsZero() && asked.After(latest):
		return asked, identity.NewError(identity.KindValidation, "issue.apikey",
			"The property expires_at is later than the account allows: "+latest.UTC().Format(time.RFC3339)+".")
	}
	return asked.UTC(), nil
}

// boundAPIKeys refuses one key more than an owner may have.
func boundAPIKeys(r store.Reader, userID string) error {
	have, err := store.APIKeys.List(r, "user", store.Join(userID, ""), store.After{}, identity.APIKeysPerUser)
	if err == nil && len(have) >= identity.APIKeysPerUser {
		err = &identity.Error{
			Kind: identity.KindLimitExceeded, Op: "issue.apikey",
			Public: fmt.Sprintf("A user or a service ID can have at most %d API keys.", identity.APIKeysPerUser),
		}
	}
	return err
}
