package operate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"

	"daypass/internal/access"
	"daypass/internal/archive"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
	"daypass/internal/token"
)

// RestorableEngine is an empty engine that can begin a new feed.
type RestorableEngine interface {
	store.Engine
	NewIncarnation(ctx context.Context, after uint64) (identity.Position, error)
}

// RestoreOptions are what Restore needs.
type RestoreOptions struct {
	From BackupSource // with its root key
	// Engine is empty. Restore closes it when it succeeds.
	Engine RestorableEngine
	Audit  *audit.Log
	Clock  identity.Clock
	Log    *slog.Logger
	// SameInstallation keeps the installation's ID and its signing keys, for
	// when what was backed up is gone for good.
	SameInstallation bool
	// Wrote is told now and then how many rows are written; nil for nobody.
	Wrote func(rows int)
}

// Restored is what was restored.
type Restored struct {
	MadeAt       string `json:"made_at"`
	From         string `json:"from_installation"`
	Installation string `json:"installation"`
	Rows         int    `json:"rows"`
	// Ended counts, by table, the records that were ended or left out: log-in
	// sessions, passcodes, one-time links, import tokens.
	Ended map[string]int `json:"ended"`
	// Lost are the keys of key management that came not back, having no slot.
	Lost []string `json:"lost_keys,omitempty"`
}

// restorePage is how many rows are written in one transaction.
const restorePage = 500

// maxOrigins bounds metaOrigins.
const maxOrigins = 16

// Restore verifies a backup, writes it to an empty engine, and makes it an
// installation of its own in which nothing lives that was issued before: a new
// feed, new session epochs and box keys, ended log-ins, and, but for
// SameInstallation, another ID and new signing keys. What people and programs log
// in with stays: passwords, second factors, long-term keys, API keys and tokens.
// KindValidation when the backup is not fit; then the engine holds nothing that
// may be used.
func Restore(ctx context.Context, c *identity.Caller, o RestoreOptions) (Restored, error) {
	v, err := VerifyBackup(ctx, o.From)
	if err != nil {
		return Restored{}, err
	}
	out, err := fill(ctx, &o, v)
	if err != nil {
		return Restored{}, err
	}
	if _, err := o.Engine.NewIncarnation(ctx, v.Site.Position.N); err != nil {
		return Restored{}, err
	}
	db, err := store.OpenDB(ctx, o.Engine, store.Options{Clock: o.Clock, Log: o.Log})
	if err != nil {
		return Restored{}, err
	}
	defer db.Close()
	keys, err := keyring.Open(ctx, db, o.From.Root, keyring.Options{Clock: o.Clock, Log: o.Log})
	if err != nil {
		return Restored{}, err
	}
	judge := access.New(access.Options{DB: db, Keyring: keys, Sessions: token.NewSessions(keys, o.Clock, rand.Reader), Audit: o.Audit, Clock: o.Clock, Log: o.Log})
	if err := judge.Authorize(c, "daypass:Restore", access.Resource{}).Err; err != nil {
		return Restored{}, err
	}
	if err := keys.BeginRestored(ctx, o.SameInstallation); err != nil {
		return Restored{}, err
	}
	out.Installation = keys.Installation()
	ev := audit.Change(c, source, "Restore", map[string]string{
		"archive": out.MadeAt, "fromInstallation": out.From, "installation": out.Installation, "sha256": v.Site.SHA256,
		"rows": strconv.Itoa(out.Rows), "keysWithoutSlot": strconv.Itoa(len(out.Lost)),
	})
	_, err = o.Audit.Commit(ctx, db, ev, func(tx store.Tx) error { return noteOrigins(tx, &v.Site.Header, out.Installation) })
	if err != nil {
		return Restored{}, err
	}
	return out, db.Close()
}

// noteOrigins remembers where an installation comes from, so that its slots are
// known to fit the archives of those before it.
func noteOrigins(tx store.Tx, h *archive.Header, now string) error {
	origins := h.Origins
	if now != h.Installation {
		origins = append([]string{h.Installation}, origins...)
	}
	if len(origins) == 0 {
		return nil
	}
	text, err := json.Marshal(origins[:min(len(origins), maxOrigins)])
	if err != nil {
		return err
	}
	return store.Metas.Put(tx, &store.Meta{Name: metaOrigins, Value: string(text)})
}

// filling is a backup on its way into an engine.
type filling struct {
	*RestoreOptions
	restoredRows
	page []store.Row
	out  Restored
}

// fill writes the rows of both files. The archive is read a second time: that it
// is the one which was verified shows at its end.
func fill(ctx context.Context, o *RestoreOptions, v *Verified) (Restored, error) {
	f := &filling{RestoreOptions: o, restoredRows: restoredRows{now: o.Clock.Now().UTC(), whole: v.whole}}
	f.out = Restored{MadeAt: v.Site.MadeAt.Format("2006-01-02T15:04:05Z"), From: v.Site.Installation, Ended: map[string]int{}, Lost: v.Lost}
	sets := map[string]bool{}
	site, err := readBackup(ctx, o.From.Site, o.From.Identities, archive.KindSite, func(row store.Row) error {
		if row.Table == store.KeySets.Name() {
			sets[row.Key] = true
		}
		return f.add(ctx, row)
	})
	if err == nil && site.SHA256 != v.Site.SHA256 {
		err = unfit("The archive changed while it was read; begin again.")
	}
	if err != nil {
		return Restored{}, err
	}
	if v.Slots != nil {
		slots, err := readBackup(ctx, o.From.Slots, o.From.Identities, archive.KindSlots, func(row store.Row) error {
			if row.Table == store.KeySets.Name() && sets[row.Key] {
				return nil
			}
			return f.add(ctx, row)
		})
		if err == nil && slots.SHA256 != v.Slots.SHA256 {
			err = unfit("The slots file changed while it was read; begin again.")
		}
		if err != nil {
			return Restored{}, err
		}
	}
	return f.out, f.flush(ctx)
}

// add takes a row in as it is to be after a restore.
func (f *filling) add(ctx context.Context, row store.Row) error {
	row, fate, err := f.restored(row)
	if err != nil {
		return err
	}
	if fate == ended || fate == leftOut {
		f.out.Ended[row.Table]++
	}
	if fate == leftOut || fate == lost {
		return nil
	}
	if row, err = store.Indexed(row); err != nil {
		return err
	}
	f.page = append(f.page, row)
	if len(f.page) < restorePage {
		return nil
	}
	return f.flush(ctx)
}

func (f *filling) flush(ctx context.Context) error {
	if len(f.page) == 0 {
		return nil
	}
	_, err := f.Engine.Update(ctx, func(tx store.Tx) error {
		for _, row := range f.page {
			if err := tx.Put(row); err != nil {
				return err
			}
		}
		return nil
	})
	f.out.Rows += len(f.page)
	f.page = slices.Delete(f.page, 0, len(f.page))
	if f.Wrote != nil {
		f.Wrote(f.out.Rows)
	}
	return err
}
