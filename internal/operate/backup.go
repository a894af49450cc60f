package operate

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"daypass/internal/archive"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// BackupRequest says who can open a backup.
type BackupRequest struct {
	// Recipients are age recipients (age1…), one at least.
	Recipients []string `json:"recipients"`
}

// BackupFiles are where a backup goes. They are written one after the other and
// hold nothing but ciphertext.
type BackupFiles interface {
	// Begin is told the kind of the next file, and returns what takes it.
	Begin(kind BackupKind) (io.Writer, error)
}

// BackupKind is which of the files of a backup one is.
type BackupKind = archive.Kind

// Kinds of files, in the order in which they are written.
const (
	BackupSite  = archive.KindSite
	BackupSlots = archive.KindSlots
)

// Backup is what was backed up.
type Backup struct {
	MadeAt       time.Time         `json:"made_at"`
	Installation string            `json:"installation"`
	Origins      []string          `json:"origins,omitempty"`
	Position     identity.Position `json:"position"`
	Rows         int               `json:"rows"`   // of the archive
	Counts       map[string]int    `json:"counts"` // by table, of the archive
	Slots        int               `json:"slots"`  // of keys of key management, in the slots file
	SHA256       string            `json:"sha256"` // of the archive's content, as its closing has it
}

// slotTables are in the slots file: the slots, and what they are sealed under,
// which may be younger than the archive that they are used with.
var slotTables = []string{store.KeySets.Name(), store.KMSSlots.Name()}

// siteTables are in the archive.
func siteTables() []string {
	return slices.DeleteFunc(store.TableNames(), func(t string) bool { return t == store.KMSSlots.Name() })
}

// metaOrigins holds the IDs of the installations that this one was restored
// from, the newest first, as a JSON list.
const metaOrigins = "restored-from"

// backupPage is how many rows are read at a time.
const backupPage = 200

// Labels of the seals, so that neither file passes for the other.
func sealLabel(k archive.Kind) string { return "backup " + string(k) }

// BackUp writes the whole store, as it is at one moment, to an archive, and the
// slots of key management to a file of their own, which must take the place of
// the earlier one. KindValidation for recipients that are none, KindUnavailable
// when the store is away; what was written until then is no archive.
func (o *Operations) BackUp(ctx context.Context, c *identity.Caller, in BackupRequest, files BackupFiles) (Backup, error) {
	if err := o.permit(c, "daypass:BackUp"); err != nil {
		return Backup{}, err
	}
	to, err := archive.Recipients(in.Recipients)
	if err != nil {
		return Backup{}, err
	}
	ev := audit.Change(c, source, "BackUp", map[string]string{
		"installation": o.keys.Installation(), "recipients": strings.Join(shortened(in.Recipients), " "),
	})
	if err := o.audit.Record(ctx, ev); err != nil {
		return Backup{}, err
	}
	origins, err := originsOf(o.db.Snapshot())
	if err != nil {
		return Backup{}, err
	}
	b := &backup{keys: o.keys, to: to, files: files, header: archive.Header{
		MadeAt: o.clock.Now().UTC().Truncate(time.Second), MadeBy: o.version, Installation: o.keys.Installation(), Origins: origins,
	}}
	err = o.db.ViewAt(ctx, func(r store.Reader, at identity.Position) (err error) {
		if b.site, err = b.file(ctx, r, at, archive.KindSite, siteTables()); err != nil {
			return err
		}
		b.slots, err = b.file(ctx, r, at, archive.KindSlots, slotTables)
		return err
	})
	if err != nil {
		return Backup{}, err
	}
	return b.report(), nil
}

// shortened are recipients as the audit log keeps them: those that are safe from
// quantum computers have some 2,000 characters.
func shortened(recipients []string) []string {
	const most = 64
	out := slices.Clone(recipients)
	for i, r := range out {
		if len(r) > most {
			out[i] = r[:most] + "…"
		}
	}
	return out
}

// originsOf reads metaOrigins.
func originsOf(r store.Reader) ([]string, error) {
	m, err := store.Metas.Get(r, metaOrigins)
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	if err := json.Unmarshal([]byte(m.Value), &out); err != nil {
		return nil, &identity.Error{Kind: identity.KindInternal, Op: "operate.backup", Err: err}
	}
	return out, nil
}

// backup is one that is being made.
type backup struct {
	keys   *keyring.Keyring
	to     []age.Recipient
	files  BackupFiles
	header archive.Header

	site, slots archive.Closing
}

func (b *backup) file(ctx context.Context, r store.Reader, at identity.Position, kind archive.Kind, tables []string) (archive.Closing, error) {
	to, err := b.files.Begin(kind)
	if err != nil {
		return archive.Closing{}, err
	}
	h := b.header
	h.Kind, h.Tables = kind, tables
	w, err := archive.NewWriter(to, b.to, h)
	if err != nil {
		return archive.Closing{}, err
	}
	for _, t := range tables {
		if err := copyTable(ctx, r, t, w); err != nil {
			return archive.Closing{}, err
		}
	}
	return w.Close(at, func(what []byte) (string, error) { return b.keys.HashKept(r, sealLabel(kind), what) })
}

// copyTable reads a table page by page.
func copyTable(ctx context.Context, r store.Reader, table string, w *archive.Writer) error {
	for after := (store.After{}); ; {
		if err := ctx.Err(); err != nil {
			return store.Away("operate.backup", err)
		}
		rows, err := r.Rows(table, "", "", after, backupPage)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := w.Row(row); err != nil {
				return err
			}
		}
		if len(rows) < backupPage {
			return nil
		}
		last := rows[len(rows)-1].Key
		after = store.After{Value: last, Key: last}
	}
}

func (b *backup) report() Backup {
	return Backup{
		MadeAt: b.header.MadeAt, Installation: b.header.Installation, Origins: b.header.Origins, Position: b.site.Position,
		Rows: b.site.Rows, Counts: b.site.Counts, Slots: b.slots.Counts[store.KMSSlots.Name()], SHA256: b.site.SHA256,
	}
}
