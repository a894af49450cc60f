package directory

import (
	"context"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// ibmOwner is the condition key by which policies name the owner of an API key.
const ibmOwner = "iam-identity:ownerid"

// maxIBMID is longer than any ID or IAM ID of IBM's dialect.
const maxIBMID = 128

func noAPIKey(id string) error {
	return &identity.Error{Kind: identity.KindNotFound, Op: "directory.apikey", Public: "The API key " + clip(id) + " cannot be found."}
}

// permitAPIKey asks whether the caller may do something with an API key, and
// returns it. A person needs no policy for its own. Without rights an absent key,
// another account's and a forbidden one answer alike; root's are root's alone.
func (d *Directory) permitAPIKey(r store.Reader, c *identity.Caller, op, id string) (*identity.APIKey, error) {
	k, err := there(store.APIKeys.Get(r, clip(id)))
	if err != nil {
		return nil, err
	}
	return d.permitFound(r, c, op, id, k)
}

func (d *Directory) permitFound(r store.Reader, c *identity.Caller, op, id string, k *identity.APIKey) (*identity.APIKey, error) {
	if k != nil && k.AccountID != c.AccountID && c.Kind != identity.Operator {
		k = nil
	}
	res := access.Resource{ARN: identity.IAMIdentityCRN(c.AccountID, "apikey", clip(id)), AccountID: c.AccountID}
	decide := d.access.Authorize
	if k != nil {
		res.ARN, res.AccountID = k.CRN(), k.AccountID
		res.Keys = access.EntityKeys{ibmOwner: {k.IAMID()}}
		if k.UserID == c.PrincipalID {
			decide = d.access.AuthorizeOwn
		}
	}
	if err := decide(c, identity.IAMIdentity+":apikey."+op, res).Err; err != nil {
		return nil, err
	}
	if k != nil && k.UserID != c.PrincipalID && c.Kind != identity.Operator {
		u, err := there(store.Users.Get(r, k.UserID))
		if err != nil {
			return nil, err
		}
		if u == nil || u.Root {
			k = nil
		}
	}
	if k == nil {
		return nil, noAPIKey(id)
	}
	return k, nil
}

// IBMAPIKey returns an API key (GET /v1/apikeys/{id}). KindNotFound.
func (d *Directory) IBMAPIKey(ctx context.Context, c *identity.Caller, id string) (identity.APIKey, error) {
	var out identity.APIKey
	err := d.db.View(ctx, func(r store.Reader) error {
		k, err := d.permitAPIKey(r, c, "get", id)
		if err == nil {
			out = *k
		}
		return err
	})
	return out, err
}

// IBMAPIKeyActivity says when an API key logged its owner in last, and how often
// it did; zero when it never did (include_activity). Notes reach the store some
// time behind the answer. KindNotFound.
func (d *Directory) IBMAPIKeyActivity(ctx context.Context, c *identity.Caller, id string) (identity.Use, error) {
	var out identity.Use
	err := d.db.View(ctx, func(r store.Reader) error {
		k, err := d.permitAPIKey(r, c, "get", id)
		if err == nil {
			out, err = lastUse(r, k.ID)
		}
		return err
	})
	return out, err
}

// IBMAPIKeyDetails returns the API key with a text, whether it logs anybody in
// or not (GET /v1/apikeys/details). KindNotFound, KindThrottled.
func (d *Directory) IBMAPIKeyDetails(ctx context.Context, c *identity.Caller, text identity.Secret) (identity.APIKey, error) {
	var out identity.APIKey
	k, err := d.authn.FindAPIKey(ctx, text)
	if err != nil {
		return out, err
	}
	err = d.db.View(ctx, func(r store.Reader) error {
		found, err := d.permitFound(r, c, "get", "", k)
		if err == nil {
			out = *found
		}
		return err
	})
	return out, d.missedAPIKey(ctx, text, err)
}

// missedAPIKey counts a text with which nothing was found as a guess.
func (d *Directory) missedAPIKey(ctx context.Context, text identity.Secret, err error) error {
	if identity.KindOf(err) == identity.KindNotFound {
		if limited := d.authn.MissedAPIKey(ctx, text); limited != nil {
			return limited
		}
	}
	return err
}

// IBMKeyChange is what UpdateIBMAPIKey changes; nil leaves things alone. A zero
// ExpiresAt takes the end away.
type IBMKeyChange struct {
	Name, Description, WhenLeaked *string
	SupportSessions               *bool
	ExpiresAt                     *time.Time
}

// UpdateIBMAPIKey changes an API key (PUT /v1/apikeys/{id}). ifMatch is the
// key's entity tag or "*"; KindMissingParameter without one, KindConflict for a
// stale one and for a locked key, KindValidation, KindNotFound.
func (d *Directory) UpdateIBMAPIKey(ctx context.Context, c *identity.Caller, id, ifMatch string, in IBMKeyChange) (identity.APIKey, error) {
	return d.changeAPIKey(ctx, c, "UpdateApiKey", "update", id, func(tx store.Tx, k *identity.APIKey) (identity.Changed, error) {
		done := identity.Changed{Action: "UPDATE", Message: "The API key was changed."}
		if err := matches(k.Tag, ifMatch); err != nil {
			return done, err
		}
		if k.Locked {
			return done, locked("API key")
		}
		setValue(&k.Name, in.Name, "name", &done)
		setValue(&k.Description, in.Description, "description", &done)
		setValue(&k.WhenLeaked, in.WhenLeaked, "action_when_leaked", &done)
		setValue(&k.SupportSessions, in.SupportSessions, "support_sessions", &done)
		if in.ExpiresAt != nil && !in.ExpiresAt.Equal(k.ExpiresAt) {
			if err := d.mayExpire(k, *in.ExpiresAt); err != nil {
				return done, err
			}
			if !in.ExpiresAt.IsZero() && (k.ExpiresAt.IsZero() || in.ExpiresAt.Before(k.ExpiresAt)) { // tokens would outlive it
				if err := d.keyEnded(tx, k.ID, "API key ends earlier"); err != nil {
					return done, err
				}
			} else if err := d.permitReviving(c, k); err != nil {
				return done, err
			}
			k.ExpiresAt, done.Params = in.ExpiresAt.UTC(), append(done.Params, "expires_at")
		}
		return done, k.Check()
	})
}

// mayExpire judges another end of a key: not in the past, and no later than it
// may have.
func (d *Directory) mayExpire(k *identity.APIKey, at time.Time) error {
	switch {
	case !at.IsZero() && !at.After(d.clock.Now()):
		return invalid("The property expires_at lies in the past.")
	case !k.Latest.IsZero() && (at.IsZero() || at.After(k.Latest)):
		return invalid("The property expires_at is later than the account allows: %s.", k.Latest.UTC().Format(time.RFC3339))
	}
	return nil
}

// LockIBMAPIKey keeps an API key from being changed and deleted, or ends that
// (POST, DELETE /v1/apikeys/{id}/lock). It can still be disabled. KindNotFound.
func (d *Directory) LockIBMAPIKey(ctx context.Context, c *identity.Caller, id string, lock bool) error {
	name, done := "LockApiKey", identity.Changed{Action: "LOCK", Message: "The API key was locked."}
	if !lock {
		name, done = "UnlockApiKey", identity.Changed{Action: "UNLOCK", Message: "The API key was unlocked."}
	}
	_, err := d.changeAPIKey(ctx, c, name, "lock", id, func(_ store.Tx, k *identity.APIKey) (identity.Changed, error) {
		if k.Locked == lock {
			return identity.Changed{}, nil
		}
		k.Locked = lock
		return done, nil
	})
	return err
}

// DisableIBMAPIKey switches an API key off, and ends what was obtained with it,
// or on again (POST, DELETE /v1/apikeys/{id}/disable), which asks for the right to
// make one too. KindConflict when a locked key or a leaked one is to be switched
// on, KindNotFound.
func (d *Directory) DisableIBMAPIKey(ctx context.Context, c *identity.Caller, id string, disable bool) error {
	name, done := "DisableApiKey", identity.Changed{Action: "DISABLE", Message: "The API key was disabled."}
	if !disable {
		name, done = "EnableApiKey", identity.Changed{Action: "ENABLE", Message: "The API key was enabled."}
	}
	_, err := d.changeAPIKey(ctx, c, name, "disable", id, func(tx store.Tx, k *identity.APIKey) (identity.Changed, error) {
		switch {
		case k.Disabled == disable:
			return identity.Changed{}, nil
		case !disable && k.Locked:
			return done, locked("API key")
		case !disable && k.Leaked:
			return done, identity.NewError(identity.KindConflict, "directory.apikey", "The API key was reported as leaked: make another.")
		case !disable:
			if err := d.permitReviving(c, k); err != nil {
				return done, err
			}
		case disable:
			if err := d.keyEnded(tx, k.ID, "API key disabled"); err != nil {
				return done, err
			}
		}
		k.Disabled = disable
		return done, nil
	})
	return err
}

// changeAPIKey runs one change of an API key as a transaction: of the key with
// its next entity tag, and of its history. A change without an action is none.
func (d *Directory) changeAPIKey(ctx context.Context, c *identity.Caller, event, op, id string, fn func(store.Tx, *identity.APIKey) (identity.Changed, error)) (identity.APIKey, error) {
	var out identity.APIKey
	ev := audit.Change(c, identity.IAMIdentity, event, map[string]string{"apiKeyId": clip(id)})
	err := d.change(ctx, c, ev, func(tx store.Tx) error {
		k, err := d.permitAPIKey(tx, c, op, id)
		if err != nil {
			return err
		}
		out = *k
		done, err := fn(tx, &out)
		if err != nil || done.Action == "" {
			return err
		}
		return d.putAPIKey(tx, c, &out, done)
	})
	return out, err
}

func (d *Directory) putAPIKey(tx store.Tx, c *identity.Caller, k *identity.APIKey, done identity.Changed) (err error) {
	if k.Tag, err = k.Tag.Next(d.random); err != nil {
		return err
	}
	k.ModifiedAt = d.clock.Now().UTC()
	done.At, done.IAMID, done.AccountID = k.ModifiedAt, c.IAMID(), c.AccountID
	k.History = identity.Remember(k.History, done)
	return store.APIKeys.Put(tx, k)
}

// DeleteIBMAPIKey deletes an API key and ends what was obtained with it (DELETE
// /v1/apikeys/{id}). KindConflict for a locked one, KindNotFound.
func (d *Directory) DeleteIBMAPIKey(ctx context.Context, c *identity.Caller, id string) error {
	ev := audit.Change(c, identity.IAMIdentity, "DeleteApiKey", map[string]string{"apiKeyId": clip(id)})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		k, err := d.permitAPIKey(tx, c, "delete", id)
		if err != nil {
			return err
		}
		if k.Locked {
			return locked("API key")
		}
		return d.dropAPIKey(tx, k, "API key deleted")
	})
}

// dropHashes removes what a key's texts are found by.
func dropHashes(tx store.Tx, keyID string) error {
	hashes, err := store.APIKeyHashes.List(tx, "key", keyID, store.After{}, 0)
	for _, h := range hashes {
		if err == nil && h.KeyID == keyID {
			err = store.APIKeyHashes.Delete(tx, h.Hash)
		}
	}
	return err
}

func (d *Directory) dropAPIKey(tx store.Tx, k *identity.APIKey, reason string) error {
	if err := dropHashes(tx, k.ID); err != nil {
		return err
	}
	if err := orAbsent(store.Uses.Delete(tx, k.ID)); err != nil {
		return err
	}
	if err := store.APIKeys.Delete(tx, k.ID); err != nil {
		return err
	}
	return d.keyEnded(tx, k.ID, reason)
}

// dropAPIKeys deletes the API keys of a user who goes.
func (d *Directory) dropAPIKeys(tx store.Tx, userID string) error {
	keys, err := store.APIKeys.List(tx, "user", store.Join(userID, ""), store.After{}, 0)
	for _, k := range keys {
		if err == nil {
			err = d.dropAPIKey(tx, k, "owner of API key deleted")
		}
	}
	return err
}

// ReportLeaked says that the text of an API key was seen where it should not
// have been, and does with the key what it says for that case: nothing, disable
// it, or delete it. KindNotFound for a text that is no key, KindThrottled.
func (d *Directory) ReportLeaked(ctx context.Context, c *identity.Caller, text identity.Secret) (identity.APIKey, error) {
	var out identity.APIKey
	found, err := d.authn.FindAPIKey(ctx, text)
	if err != nil {
		return out, err
	}
	id := ""
	if found != nil {
		id = found.ID
	}
	ev := audit.Change(c, identity.IAMIdentity, "ReportLeakedApiKey", map[string]string{"apiKeyId": id})
	err = d.change(ctx, c, ev, func(tx store.Tx) error {
		k, err := there(store.APIKeys.Get(tx, id))
		if err == nil {
			k, err = d.permitFound(tx, c, "reportleaked", "", k)
		}
		if err != nil {
			return err
		}
		out = *k
		done := identity.Changed{Action: "LEAKED", Params: []string{k.WhenLeaked}, Message: "The API key was reported as leaked."}
		switch k.WhenLeaked {
		case identity.LeakedDelete:
			return d.dropLeaked(tx, k)
		case identity.LeakedDisable:
			if err := d.keyEnded(tx, k.ID, "API key leaked"); err != nil {
				return err
			}
			out.Disabled, out.Leaked = true, true
		}
		return d.putAPIKey(tx, c, &out, done)
	})
	return out, d.missedAPIKey(ctx, text, err)
}

// dropLeaked deletes a key whose text others may have. Its hashes stay, so that
// the text is nobody's key again.
func (d *Directory) dropLeaked(tx store.Tx, k *identity.APIKey) error {
	hashes, err := store.APIKeyHashes.List(tx, "key", k.ID, store.After{}, 0)
	if err != nil {
		return err
	}
	if err := d.dropAPIKey(tx, k, "API key leaked"); err != nil {
		return err
	}
	for _, h := range hashes {
		if err := store.APIKeyHashes.Insert(tx, h); err != nil {
			return err
		}
	}
	return nil
}

// permitReviving asks for the right to make a key of the owner: whoever brings
// one back gives its text, which others may have, the owner's rights.
func (d *Directory) permitReviving(c *identity.Caller, k *identity.APIKey) error {
	decide := d.access.Authorize
	if k.UserID == c.PrincipalID {
		decide = d.access.AuthorizeOwn
	}
	return decide(c, identity.IAMIdentity+":apikey.create", access.Resource{ARN: identity.OwnerCRN(k.AccountID, k.UserID), AccountID: k.AccountID}).Err
}

// matches judges the If-Match of a change.
func matches(tag identity.EntityTag, ifMatch string) error {
	switch ifMatch {
	case "":
		return &identity.Error{Kind: identity.KindMissingParameter, Op: "directory.ibm", Detail: []identity.Detail{{Name: "Parameter", Value: "If-Match"}}}
	case "*", tag.String(), `"` + tag.String() + `"`:
		return nil
	}
	return &identity.Error{Kind: identity.KindConflict, Op: "directory.ibm", Public: "The entity_tag in If-Match is not that of the present version."}
}

func locked(what string) error {
	return &identity.Error{Kind: identity.KindConflict, Op: "directory.ibm", Public: "The " + what + " is locked."}
}

// setValue changes a value and notes its name in what was done.
func setValue[T comparable](have, want *T, name string, done *identity.Changed) {
	if want != nil && *want != *have {
		*have, done.Params = *want, append(done.Params, name)
	}
}
