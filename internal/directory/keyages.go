package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// maxSleepDays bounds Provider.KeysSleepAfterDays.
	maxSleepDays = 366
	// maxKeyAgeDays bounds Account.AccessKeyMaxAgeDays.
	maxKeyAgeDays = 3660
	keysAction    = "daypass:ManageAccessKeys"
)

// KeyAge is a long-term key as whoever tidies up sees it.
type KeyAge struct {
	identity.AccessKey
	UserName string    `json:"user_name"`
	UserARN  string    `json:"user_arn"`
	LastUsed time.Time `json:"last_used,omitzero"`
	// SleepsAt is when it falls asleep unless its maker logs in again.
	SleepsAt time.Time `json:"sleeps_at,omitzero"`
	// State is active, inactive, expired or asleep.
	State string `json:"state"`
}

// KeyFilter chooses long-term keys; all that is set must fit.
type KeyFilter struct {
	AccountID string
	OlderThan time.Duration
	UnusedFor time.Duration // a key never used counts from its creation
}

// StaleAccessKeys lists long-term keys, the oldest first. Operator only.
func (d *Directory) StaleAccessKeys(ctx context.Context, c *identity.Caller, f KeyFilter) ([]KeyAge, error) {
	if err := d.permit(c, keysAction, "", ""); err != nil {
		return nil, err
	}
	now := d.clock.Now()
	var out []KeyAge
	err := d.db.View(ctx, func(r store.Reader) error {
		out = nil
		list, err := store.AccessKeys.List(r, "", "", store.After{}, 0)
		if err != nil {
			return err
		}
		for _, k := range list {
			if f.AccountID != "" && k.AccountID != f.AccountID || now.Sub(k.CreatedAt) < f.OlderThan {
				continue
			}
			a, err := d.keyAge(r, k, now)
			if err != nil {
				return err
			}
			if last := later(a.LastUsed, k.CreatedAt); now.Sub(last) >= f.UnusedFor {
				out = append(out, a)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b KeyAge) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, err
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (d *Directory) keyAge(r store.Reader, k *identity.AccessKey, now time.Time) (KeyAge, error) {
	out := KeyAge{AccessKey: *k, State: "active"}
	if use, err := store.KeyUses.Get(r, k.ID); err == nil {
		out.LastUsed = use.At
	} else if identity.KindOf(err) != identity.KindNotFound {
		return out, err
	}
	u, err := store.Users.Get(r, k.UserID)
	if err != nil {
		return out, err
	}
	acc, err := store.Accounts.Get(r, k.AccountID)
	if err != nil {
		return out, err
	}
	out.UserName, out.UserARN = u.Name, u.ARN(acc.Partition)
	if out.SleepsAt, err = access.AwakeUntil(r, k); err != nil {
		return out, err
	}
	switch {
	case !k.Active:
		out.State = "inactive"
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		out.State = "expired"
	case !out.SleepsAt.IsZero() && !now.Before(out.SleepsAt):
		out.State = "asleep"
	}
	return out, nil
}

// DisableAccessKey deactivates a long-term key by its ID and ends what was
// obtained with it. Operator only; KindNotFound.
func (d *Directory) DisableAccessKey(ctx context.Context, c *identity.Caller, keyID string) error {
	return d.withKey(ctx, c, "DisableAccessKey", keyID, func(tx store.Tx, k *identity.AccessKey) error {
		_, err := d.switchOffKeys(tx, func() ([]*identity.AccessKey, error) { return []*identity.AccessKey{k}, nil }, "access key deactivated")
		return err
	})
}

// DropAccessKey deletes a long-term key by its ID and ends what was obtained
// with it. Operator only; KindNotFound.
func (d *Directory) DropAccessKey(ctx context.Context, c *identity.Caller, keyID string) error {
	return d.withKey(ctx, c, "DropAccessKey", keyID, func(tx store.Tx, k *identity.AccessKey) error { return d.dropKey(tx, k.ID) })
}

func (d *Directory) withKey(ctx context.Context, c *identity.Caller, name, keyID string, fn func(store.Tx, *identity.AccessKey) error) error {
	if err := d.permit(c, keysAction, "", ""); err != nil {
		return err
	}
	ev := audit.Change(c, "daypass", name, map[string]string{"accessKeyId": keyID})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		k, err := store.AccessKeys.Get(tx, keyID)
		if identity.KindOf(err) == identity.KindNotFound {
			return noKey(keyID)
		}
		if err != nil {
			return err
		}
		return fn(tx, k)
	})
}

// SetAccessKeyMaxAge sets how many days new long-term keys of an account live,
// 0 for as long as the installation says. Keys that exist keep their end.
// Operator only.
func (d *Directory) SetAccessKeyMaxAge(ctx context.Context, c *identity.Caller, accountID string, days int) error {
	if err := d.permit(c, keysAction, "", ""); err != nil {
		return err
	}
	if days < 0 || days > maxKeyAgeDays {
		return invalid("The age of access keys is 0 to %d days.", maxKeyAgeDays)
	}
	ev := audit.Change(c, "daypass", "SetAccessKeyMaxAge", map[string]string{"accountId": accountID, "days": fmt.Sprint(days)})
	return d.changeAccount(ctx, c, ev, accountID, func(a *identity.Account) { a.AccessKeyMaxAgeDays = days })
}

// SetAccountDisabled switches an account off or on again. Switched off, all
// its sessions end for good, and its long-term keys rest. Operator only.
func (d *Directory) SetAccountDisabled(ctx context.Context, c *identity.Caller, accountID string, disabled bool) error {
	if err := d.permit(c, "daypass:DisableAccount", "", ""); err != nil {
		return err
	}
	ev := audit.Change(c, "daypass", "SetAccountDisabled", map[string]string{"accountId": accountID, "disabled": fmt.Sprint(disabled)})
	return d.changeAccount(ctx, c, ev, accountID, func(a *identity.Account) { a.Disabled = disabled })
}

func (d *Directory) changeAccount(ctx context.Context, c *identity.Caller, ev audit.Event, id string, edit func(*identity.Account)) error {
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		have, err := store.Accounts.Get(tx, id)
		if err != nil {
			return orTarget(err, RevokeSpec{Scope: ScopeAccount, ID: id})
		}
		v := *have
		edit(&v)
		if err := d.accountChanged(tx, have, &v); err != nil {
			return err
		}
		return store.Accounts.Put(tx, &v)
	})
}

// SetKeysSleep sets after how many days without a log-in by a foreign OIDC
// provider (ARN) the long-term keys fall asleep that were made through it; 0:
// never. Operator only.
func (d *Directory) SetKeysSleep(ctx context.Context, c *identity.Caller, providerARN string, days int) error {
	if err := d.permit(c, keysAction, "", ""); err != nil {
		return err
	}
	if days < 0 || days > maxSleepDays {
		return invalid("Keys sleep after 1 to %d days, or never (0).", maxSleepDays)
	}
	ev := audit.Change(c, "daypass", "SetKeysSleep", map[string]string{"provider": providerARN, "days": fmt.Sprint(days)})
	return d.change(ctx, c, ev, func(tx store.Tx) error {
		have, err := access.ProviderByARN(tx, providerARN)
		if err != nil {
			if identity.KindOf(err) == identity.KindNotFound {
				err = &identity.Error{Kind: identity.KindNotFound, Op: "directory.sleep", Public: "There is no foreign OIDC provider " + providerARN + "; keys made through realms of this installation and SAML providers do not sleep."}
			}
			return err
		}
		v := *have
		v.KeysSleepAfterDays = days
		return store.Providers.Put(tx, &v)
	})
}
