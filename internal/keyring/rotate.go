package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// What Rotate can rotate.
const (
	RotateEpochs  = "epochs"
	RotateAtRest  = "at-rest"
	RotateHash    = "hash"
	RotateBoxes   = "boxes"
	RotateSigning = "signing"
	RotateAll     = "all"
)

// RotateOptions narrow and hasten a rotation.
type RotateOptions struct {
	// Set limits "signing" to one set.
	Set string
	// Now uses the new keys at once instead of when all nodes and all holders
	// of a cached JWKS know them.
	Now bool
	// Compromised, which implies Now, also ends what the old session epochs and
	// signing keys made: tokens under them are refused from then on.
	Compromised bool
}

// Report says what a rotation or a tick changed, one sentence per key.
type Report struct{ Changes []string }

func (r *Report) add(format string, args ...any) {
	r.Changes = append(r.Changes, fmt.Sprintf(format, args...))
}

// errRaced ends a transaction that another node was quicker with.
var errRaced = errors.New("keyring: another node was first")

func notRaced(err error) (bool, error) {
	if errors.Is(err, errRaced) || identity.KindOf(err) == identity.KindAlreadyExists {
		return false, nil
	}
	return err == nil, err
}

// Rotate makes new keys of one kind, or of all. The enumeration key is never
// rotated. KindValidation for an unknown kind or set.
func (k *Keyring) Rotate(ctx context.Context, what string, opt RotateOptions) (Report, error) {
	opt.Now = opt.Now || opt.Compromised
	var rep Report
	sets := map[string]string{RotateAtRest: setAtRest, RotateHash: setHash, RotateBoxes: setBox}
	switch {
	case what == RotateEpochs:
		return rep, k.rotateEpoch(ctx, opt, &rep)
	case sets[what] != "":
		return rep, k.rotateKeySet(ctx, sets[what], opt, &rep)
	case what == RotateSigning:
		return rep, k.rotateSigning(ctx, opt, &rep)
	case what != RotateAll:
		return rep, invalid("keyring.rotate", fmt.Sprintf("There are no keys called %q.", what))
	}
	err := k.rotateEpoch(ctx, opt, &rep)
	for _, set := range []string{setAtRest, setHash, setBox} {
		if err == nil {
			err = k.rotateKeySet(ctx, set, opt, &rep)
		}
	}
	if err == nil {
		err = k.rotateSigning(ctx, opt, &rep)
	}
	return rep, err
}

// rotateEpoch makes the next epoch. Its number is the compare-and-set: of two
// nodes that try, the second changes nothing.
func (k *Keyring) rotateEpoch(ctx context.Context, opt RotateOptions, rep *Report) error {
	now := k.now()
	from := now
	if !opt.Now {
		from = now.Add(k.opt.Lead)
	}
	next, err := newEpochRow(k.root, k.state.Load().maxEpoch+1, now, from)
	if err != nil {
		return err
	}
	err = k.update(ctx, func(tx store.Tx) error {
		rows, err := store.Epochs.List(tx, "", "", store.After{}, 0)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Number >= next.Number {
				return errRaced
			}
			if err := retireEpoch(tx, row, from, opt.Compromised); err != nil {
				return err
			}
		}
		return store.Epochs.Insert(tx, next)
	})
	made, err := notRaced(err)
	if made {
		rep.add("epoch %d mints from %s", next.Number, from.Format(time.RFC3339))
	} else if err == nil {
		k.refresh()
	}
	return err
}

func retireEpoch(tx store.Tx, row *store.Epoch, at time.Time, destroy bool) error {
	c := *row
	switch {
	case c.Destroyed:
		return nil
	case destroy:
		c.RetiredAt, c.DestroyAt, c.Destroyed, c.Sealed = at, at, true, nil
	case c.RetiredAt.IsZero() || c.RetiredAt.After(at):
		c.RetiredAt, c.DestroyAt = at, at.Add(MaxSessionLife+EpochGrace)
	default:
		return nil
	}
	return store.Epochs.Put(tx, &c)
}

func (k *Keyring) rotateKeySet(ctx context.Context, set string, opt RotateOptions, rep *Report) error {
	now := k.now()
	active := now
	if !opt.Now {
		active = now.Add(k.opt.Lead)
	}
	row, err := newKeySet(k.root, set, k.state.Load().sets[set][0].n+1, now, active)
	if err != nil {
		return err
	}
	made, err := notRaced(k.update(ctx, func(tx store.Tx) error { return store.KeySets.Insert(tx, row) }))
	if made {
		rep.add("key set %s is used from %s", row.Name, active.Format(time.RFC3339))
	} else if err == nil {
		k.refresh()
	}
	return err
}

// rotateSigning publishes a new key for every set and algorithm that signs.
func (k *Keyring) rotateSigning(ctx context.Context, opt RotateOptions, rep *Report) error {
	st := k.state.Load()
	if opt.Set != "" && st.issuers[opt.Set] == nil {
		return invalid("keyring.rotate", fmt.Sprintf("There is no signing set %q.", opt.Set))
	}
	var specs []SetSpec
	for set, s := range st.issuers {
		if opt.Set != "" && opt.Set != set {
			continue
		}
		for _, key := range s.active {
			specs = append(specs, SetSpec{
				Set: set, Algorithm: key.row.Algorithm,
				MaxTokenLife: time.Duration(key.row.MaxTokenSeconds) * time.Second,
			})
		}
	}
	return k.succeed(ctx, specs, opt, rep)
}

// succeed publishes a successor for each spec that has none yet, and with
// opt.Now lets it sign.
func (k *Keyring) succeed(ctx context.Context, specs []SetSpec, opt RotateOptions, rep *Report) error {
	made, err := k.generate(specs)
	if err != nil || len(made) == 0 {
		return err
	}
	now := k.now()
	var changes Report
	err = k.update(ctx, func(tx store.Tx) error {
		changes = Report{}
		for _, row := range made {
			rows, err := setRows(tx, row.Set)
			if err != nil {
				return err
			}
			next := pendingKey(rows, row.Algorithm)
			if next == nil || opt.Compromised {
				next = row
				if err := store.SigningKeys.Insert(tx, row); err != nil {
					return err
				}
				changes.add("signing key %s (%s) of %s is public", row.ID, row.Algorithm, row.Set)
			}
			if opt.Now {
				if err := activate(tx, rows, next, now, opt.Compromised); err != nil {
					return err
				}
				changes.add("signing key %s (%s) of %s signs", next.ID, next.Algorithm, next.Set)
			}
		}
		return nil
	})
	if err == nil {
		rep.Changes = append(rep.Changes, changes.Changes...)
	}
	return err
}

func pendingKey(rows []*store.SigningKey, algorithm string) *store.SigningKey {
	i := slices.IndexFunc(rows, func(r *store.SigningKey) bool {
		return r.Algorithm == algorithm && r.SignsFrom.IsZero() && r.RetiredAt.IsZero()
	})
	if i < 0 {
		return nil
	}
	return rows[i]
}

// activate lets a published key sign and retires those of its algorithm that
// did: their private halves vanish with this commit. Compromised ones vanish
// whole, and with them the set's retired keys of other algorithms.
func activate(tx store.Tx, rows []*store.SigningKey, next *store.SigningKey, now time.Time, compromised bool) error {
	for _, row := range rows {
		other := row.Algorithm != next.Algorithm && !(compromised && !row.RetiredAt.IsZero())
		if other || row.ID == next.ID {
			continue
		}
		if err := retireSigning(tx, row, now, compromised); err != nil {
			return err
		}
	}
	c := *next
	c.SignsFrom = now
	return store.SigningKeys.Put(tx, &c)
}

func retireSigning(tx store.Tx, row *store.SigningKey, now time.Time, compromised bool) error {
	if compromised {
		return store.SigningKeys.Delete(tx, signingRowKey(row))
	}
	if !row.RetiredAt.IsZero() {
		return nil
	}
	c := *row
	c.Sealed, c.RetiredAt = nil, now
	c.PublicUntil = now.Add(time.Duration(c.MaxTokenSeconds)*time.Second + PublishMargin)
	return store.SigningKeys.Put(tx, &c)
}
