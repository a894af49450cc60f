package keyring

import (
	"context"
	"errors"
	"sync"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// destroyedKept is how long the row of a destroyed epoch stays, for people who
// list the keyring; tokens of a vanished row are answered alike.
const destroyedKept = 90 * 24 * time.Hour

// Tick does what is due: makes the next epoch and signing keys, lets published
// keys sign, retires and destroys, and re-encrypts a batch of what is sealed
// under older at-rest keys. The server calls it every minute on every node;
// nodes that do so at once do no harm. One part that fails does not stop the
// others.
func (k *Keyring) Tick(ctx context.Context) (Report, error) {
	var rep Report
	err := errors.Join(
		k.tickEpochs(ctx, &rep),
		k.tickKeySets(ctx, &rep),
		k.tickSuccessors(ctx, &rep),
		k.tickSigning(ctx, &rep),
		k.tickReseal(ctx, &rep),
	)
	return rep, err
}

func (k *Keyring) tickEpochs(ctx context.Context, rep *Report) error {
	now := k.now()
	st := k.state.Load()
	if e := st.epochs[st.maxEpoch]; e == nil || e.aead == nil || !now.Before(e.SignsFrom.Add(k.opt.EpochAge-k.opt.Lead)) {
		if err := k.rotateEpoch(ctx, RotateOptions{}, rep); err != nil {
			return err
		}
	}
	due := func(row *store.Epoch) (destroy, forget bool) {
		past := !row.DestroyAt.IsZero() && !row.DestroyAt.After(now)
		return past && !row.Destroyed, row.Destroyed && row.DestroyAt.Add(destroyedKept).Before(now)
	}
	work := false
	rows, err := store.Epochs.List(k.db.Snapshot(), "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		destroy, forget := due(row)
		work = work || destroy || forget
	}
	if !work {
		return nil
	}
	var changes Report
	err = k.update(ctx, func(tx store.Tx) error {
		changes = Report{}
		rows, err := store.Epochs.List(tx, "", "", store.After{}, 0)
		if err != nil {
			return err
		}
		for i, row := range rows {
			destroy, forget := due(row)
			switch {
			case destroy:
				err = retireEpoch(tx, &store.Epoch{Number: row.Number, CreatedAt: row.CreatedAt, SignsFrom: row.SignsFrom}, row.DestroyAt, true)
				changes.add("epoch %d is destroyed", row.Number)
			case forget && i < len(rows)-1: // the highest number is the memory of all
				err = store.Epochs.Delete(tx, store.EpochKey(row.Number))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		rep.Changes = append(rep.Changes, changes.Changes...)
	}
	return err
}

func (k *Keyring) tickKeySets(ctx context.Context, rep *Report) error {
	now := k.now()
	for _, set := range []string{setAtRest, setBox} {
		newest := k.state.Load().sets[set][0]
		if newest.activeFrom.Add(k.opt.KeySetAge).After(now) {
			continue
		}
		if err := k.rotateKeySet(ctx, set, RotateOptions{}, rep); err != nil {
			return err
		}
	}
	return k.tickOldBoxes(ctx, rep)
}

// maxBoxLife is longer than anything that leaves us in a box is good for. Old
// at-rest and hash versions are kept: rows may still need them.
const maxBoxLife = 8 * 24 * time.Hour

// tickOldBoxes destroys box keys under which nothing valid can be left.
func (k *Keyring) tickOldBoxes(ctx context.Context, rep *Report) error {
	now := k.now()
	vs := k.state.Load().sets[setBox]
	for i := 1; i < len(vs); i++ {
		if vs[i-1].activeFrom.Add(maxBoxLife).After(now) {
			continue
		}
		name := keySetName(setBox, vs[i].n)
		err := k.update(ctx, func(tx store.Tx) error { return store.KeySets.Delete(tx, name) })
		switch identity.KindOf(err) {
		case "":
			rep.add("key set %s is destroyed", name)
		case identity.KindNotFound: // by another node
		default:
			return err
		}
	}
	return nil
}

// tickSuccessors publishes the successors of signing keys that have grown old.
func (k *Keyring) tickSuccessors(ctx context.Context, rep *Report) error {
	now := k.now()
	var due []SetSpec
	for set, s := range k.state.Load().issuers {
		for _, key := range s.active {
			grown := !now.Before(key.row.SignsFrom.Add(k.opt.SigningAge - k.delay()))
			if grown && k.specs.wants(set, key.row.Algorithm) && pendingKey(k.state.Load().rows(set), key.row.Algorithm) == nil {
				due = append(due, SetSpec{
					Set: set, Algorithm: key.row.Algorithm,
					MaxTokenLife: time.Duration(key.row.MaxTokenSeconds) * time.Second,
				})
			}
		}
	}
	if len(due) == 0 {
		return nil
	}
	return k.succeed(ctx, due, RotateOptions{}, rep)
}

// delay is how long a key is public before it signs.
func (k *Keyring) delay() time.Duration { return k.opt.JWKSMaxAge + PublishMargin }

// tickSigning lets published keys sign, retires algorithms that are not wanted
// any more, and removes retired keys whose last token has expired.
func (k *Keyring) tickSigning(ctx context.Context, rep *Report) error {
	now := k.now()
	for set := range k.state.Load().issuers {
		work := k.signingWork(ctx, set, k.state.Load().rows(set), now)
		if !work.any() {
			continue
		}
		var changes Report
		err := k.update(ctx, func(tx store.Tx) error {
			changes = Report{}
			rows, err := setRows(tx, set)
			if err != nil {
				return err
			}
			return k.signingWork(ctx, set, rows, now).do(tx, rows, now, &changes)
		})
		if err != nil {
			return err
		}
		rep.Changes = append(rep.Changes, changes.Changes...)
	}
	return nil
}

// signingWork is what is due in one set.
type signingWork struct{ activate, retire, remove []*store.SigningKey }

func (w signingWork) any() bool { return len(w.activate)+len(w.retire)+len(w.remove) > 0 }

func (k *Keyring) signingWork(ctx context.Context, set string, rows []*store.SigningKey, now time.Time) (w signingWork) {
	wantedSigns := false
	for _, row := range rows {
		if k.specs.named(set, row.Algorithm) && row.RetiredAt.IsZero() && !row.SignsFrom.IsZero() {
			wantedSigns = true
		}
	}
	for _, row := range rows {
		old := !row.CreatedAt.Add(k.delay()).After(now)
		switch {
		case !row.RetiredAt.IsZero():
			if !row.PublicUntil.After(now) {
				w.remove = append(w.remove, row)
			}
		case wantedSigns && !k.specs.wants(set, row.Algorithm):
			w.retire = append(w.retire, row)
		case row.SignsFrom.IsZero() && old && (k.opt.Acknowledged == nil || k.opt.Acknowledged(ctx, row.CreatedAt)):
			w.activate = append(w.activate, row)
		}
	}
	return w
}

func (w signingWork) do(tx store.Tx, rows []*store.SigningKey, now time.Time, rep *Report) error {
	for _, row := range w.activate {
		if err := activate(tx, rows, row, now, false); err != nil {
			return err
		}
		rep.add("signing key %s (%s) of %s signs", row.ID, row.Algorithm, row.Set)
	}
	for _, row := range w.retire {
		if err := retireSigning(tx, row, now, false); err != nil {
			return err
		}
		rep.add("signing key %s (%s) of %s is retired", row.ID, row.Algorithm, row.Set)
	}
	for _, row := range w.remove {
		if err := store.SigningKeys.Delete(tx, signingRowKey(row)); err != nil {
			return err
		}
		rep.add("signing key %s (%s) of %s is removed", row.ID, row.Algorithm, row.Set)
	}
	return nil
}

// wanted remembers the algorithms that the newest EnsureSets named per set.
type wanted struct {
	mu   sync.Mutex
	sets map[string]map[string]bool
}

func (w *wanted) remember(specs []SetSpec) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sets == nil {
		w.sets = map[string]map[string]bool{}
	}
	fresh := map[string]map[string]bool{}
	for _, s := range specs {
		if fresh[s.Set] == nil {
			fresh[s.Set] = map[string]bool{}
		}
		fresh[s.Set][s.Algorithm] = true
	}
	for set, algs := range fresh {
		w.sets[set] = algs
	}
}

// named reports that EnsureSets asked for the algorithm.
func (w *wanted) named(set, algorithm string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sets[set][algorithm]
}

// wants is named, and true for sets that EnsureSets never heard of.
func (w *wanted) wants(set, algorithm string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	algs, known := w.sets[set]
	return !known || algs[algorithm]
}
