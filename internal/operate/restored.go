package operate

import (
	"strings"
	"time"

	"daypass/internal/store"
)

// fate is what becomes of a row in a restore.
type fate int

const (
	kept    fate = iota
	ended        // comes back as a record of what was
	leftOut      // was good for a while, and is not any more
	lost         // of a key of key management that does not come back
)

// restoredRows are the rows of a backup as they are after a restore.
type restoredRows struct {
	now   time.Time
	whole map[string]bool // IDs of the keys of key management that come back
}

// restored says what becomes of a row, and how it looks then. What is not named
// here stays as it is: session keys and tokens end by the feed's incarnation,
// which each of them carries, and by epochs and keys (keyring.BeginRestored).
func (r *restoredRows) restored(row store.Row) (store.Row, fate, error) {
	switch row.Table {
	case store.RefreshFamilies.Name():
		return rewrite(store.RefreshFamilies, row, func(f *store.RefreshFamily) fate {
			if f.Ended {
				return kept
			}
			f.Ended = true
			return ended
		})
	case store.OneTimeLinks.Name():
		return rewrite(store.OneTimeLinks, row, func(l *store.OneTimeLink) fate {
			if !l.UsedAt.IsZero() || !l.ReplacedAt.IsZero() || !l.ExpiresAt.After(r.now) {
				return kept
			}
			l.ExpiresAt = r.now
			return ended
		})
	case store.Passcodes.Name():
		return rewrite(store.Passcodes, row, func(p *store.Passcode) fate {
			if p.UsedAt.IsZero() {
				return leftOut
			}
			return kept
		})
	case store.KMSImportTokens.Name():
		return row, leftOut, nil
	case store.KMSKeys.Name(), store.KMSVersions.Name(), store.KMSRegistrations.Name(), store.KMSUses.Name(), store.KMSSlots.Name():
		return r.ofKey(row)
	}
	return row, kept, nil
}

// ofKey keeps what belongs to keys that are in the archive and have a slot: what
// has none was purged since the archive was made, and does not come back in part.
func (r *restoredRows) ofKey(row store.Row) (store.Row, fate, error) {
	id, _, _ := strings.Cut(row.Key, "/") // all of them begin with it
	if !r.whole[id] {
		return row, lost, nil
	}
	return row, kept, nil
}

// rewrite changes a record; one that is kept stays byte for byte.
func rewrite[T any](t *store.Table[T], row store.Row, change func(*T) fate) (store.Row, fate, error) {
	v, err := t.Record(row)
	if err != nil {
		return row, kept, err
	}
	what := change(v)
	if what != ended {
		return row, what, nil
	}
	row, err = t.Row(v)
	return row, what, err
}
