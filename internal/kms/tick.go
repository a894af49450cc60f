package kms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

// tickBatch is how many keys one Tick rotates, and how many it purges.
const tickBatch = 100

// service is who does what is due, in the log.
var service = audit.UserIdentity{Type: "Service", PrincipalID: source}

// Tick does what is due: rotates keys by their policies, purges keys that were
// deleted long ago, removes import tokens that have expired, and forgets the
// opened material of keys that are not to be used any more. The server calls it
// now and then on every node; nodes that do so at once do no harm. One part that
// fails does not stop the others.
func (k *KMS) Tick(ctx context.Context) error {
	k.forget()
	return errors.Join(k.tickRotate(ctx), k.tickPurge(ctx), k.tickImportTokens(ctx), k.erase(ctx))
}

// each runs a change on each key that is due, one transaction each, which looks
// at the key anew.
func (k *KMS) each(ctx context.Context, index, action string, due func(*identity.KMSKey, time.Time) bool, change func(store.Tx, *identity.KMSKey) error) (done int, err error) {
	now := k.now()
	keys, err := store.KMSKeys.List(k.db.Snapshot(), index, "", store.After{}, tickBatch)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, key := range keys {
		if !due(key, now) {
			break // they stand in the order of their times
		}
		if ctx.Err() != nil {
			break
		}
		ev := audit.Event{
			UserIdentity: service, Source: source, Name: action, RecipientAccountID: k.account(),
			RequestParameters: map[string]any{"instanceId": key.Instance, "keyId": key.ID},
		}
		_, err := k.audit.Commit(ctx, k.db, ev, func(tx store.Tx) error {
			have, err := store.KMSKeys.Get(tx, key.ID)
			if err == nil && !due(have, now) {
				return errNotDue
			}
			if err != nil {
				return err
			}
			return change(tx, have)
		})
		switch {
		case err == nil:
			done++
		case errors.Is(err, errNotDue), identity.KindOf(err) == identity.KindNotFound: // by somebody else
		default:
			errs = append(errs, fmt.Errorf("%s of key %s: %w", action, key.ID, err))
		}
	}
	return done, errors.Join(errs...)
}

var errNotDue = errors.New("kms: not due any more")

// account is the one that the instances belong to.
func (k *KMS) account() string {
	site, err := store.IBMSites.Get(k.db.Snapshot(), identity.IBMSiteName)
	if err != nil {
		return ""
	}
	return site.AccountID
}

func (k *KMS) tickRotate(ctx context.Context) error {
	due := func(key *identity.KMSKey, now time.Time) bool {
		at := key.RotationDue()
		return !at.IsZero() && !now.Before(at)
	}
	_, err := k.each(ctx, store.IndexKMSRotation, "secrets.rotate", due, func(tx store.Tx, have *identity.KMSKey) error {
		key := *have
		material, err := k.randomBytes(materialBytes)
		if err != nil {
			return err
		}
		if err := k.addVersion(tx, &key, material); err != nil {
			return err
		}
		return store.KMSKeys.Put(tx, &key)
	})
	return err
}

func (k *KMS) tickPurge(ctx context.Context) error {
	due := func(key *identity.KMSKey, now time.Time) bool {
		return key.State == identity.KeyDestroyed && !now.Before(key.DeletedAt.Add(purgeTime))
	}
	done, err := k.each(ctx, store.IndexKMSDeleted, "secrets.purge", due, purge)
	if done > 0 {
		k.purged(ctx)
	}
	return err
}

// tickImportTokens removes those that have expired: their private keys with them.
func (k *KMS) tickImportTokens(ctx context.Context) error {
	now := k.now()
	var over []string
	err := k.db.View(ctx, func(r store.Reader) error {
		rows, err := store.KMSImportTokens.List(r, "", "", store.After{}, 0)
		over = over[:0]
		for _, row := range rows {
			if !now.Before(row.ExpiresAt) {
				over = append(over, row.Instance)
			}
		}
		return err
	})
	if err != nil || len(over) == 0 {
		return err
	}
	_, err = k.db.Update(ctx, func(tx store.Tx) error {
		for _, instance := range over {
			row, err := store.KMSImportTokens.Get(tx, instance)
			if identity.KindOf(err) == identity.KindNotFound || err == nil && now.Before(row.ExpiresAt) {
				continue
			}
			if err != nil {
				return err
			}
			if err := store.KMSImportTokens.Delete(tx, instance); err != nil {
				return err
			}
		}
		return nil
	})
	k.unerased.Store(true)
	return err
}
