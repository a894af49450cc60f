package operate

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"

	"daypass/internal/archive"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// BackupSource is a backup to read. Files are opened anew for each reading.
type BackupSource struct {
	Site func() (io.ReadCloser, error)
	// Slots is nil where there is no slots file.
	Slots      func() (io.ReadCloser, error)
	Identities []age.Identity
	// Root opens the keys in it; nil to leave the seals unchecked.
	Root keyring.RootKey
	// WithoutSlots gives up the keys of key management whose slots are missing
	// because there is no slots file, or one older than the archive.
	WithoutSlots bool
}

// Verified is what a backup was found to be.
type Verified struct {
	Site  archive.Facts  `json:"site"`
	Slots *archive.Facts `json:"slots,omitempty"`
	// Sealed says that the root key opens its keys, and that an installation
	// with them made it.
	Sealed bool `json:"sealed"`
	// Lost are the keys of key management that are in the archive and have no
	// slot: those that were purged since.
	Lost []string `json:"lost_keys,omitempty"`

	// whole are the IDs of keys that are in the archive and have a slot.
	whole map[string]bool
}

// VerifyBackup reads a backup whole and judges it, without writing anything. It
// takes no Caller: it looks at files that whoever calls it has, and at no
// installation. KindValidation, with what is wrong.
func VerifyBackup(ctx context.Context, from BackupSource) (*Verified, error) {
	v := &verifying{Verified: Verified{whole: map[string]bool{}}, keys: map[string]bool{}, slots: map[string]bool{}}
	var err error
	if v.Site, err = readBackup(ctx, from.Site, from.Identities, archive.KindSite, v.siteRow); err != nil {
		return nil, err
	}
	if from.Slots != nil {
		slots, err := readBackup(ctx, from.Slots, from.Identities, archive.KindSlots, v.slotRow)
		if err != nil {
			return nil, fmt.Errorf("the slots file: %w", err)
		}
		v.Slots = &slots
	}
	if err := v.together(from.WithoutSlots); err != nil {
		return nil, err
	}
	if from.Root != nil {
		if err := v.seals(ctx, from.Root); err != nil {
			return nil, err
		}
	}
	return &v.Verified, nil
}

func readBackup(ctx context.Context, open func() (io.ReadCloser, error), as []age.Identity, kind archive.Kind, row func(store.Row) error) (archive.Facts, error) {
	in, err := open()
	if err != nil {
		return archive.Facts{}, err
	}
	defer in.Close()
	judge := func(h archive.Header, r store.Row) error {
		if h.Kind != kind {
			return unfit("The file is of kind %q, and one of kind %q is wanted: archives are named daypass-….age, and their slots file slots.age.", h.Kind, kind)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return row(r)
	}
	return archive.Read(in, as, judge)
}

func unfit(format string, args ...any) error {
	return identity.NewError(identity.KindValidation, "operate.restore", fmt.Sprintf(format, args...))
}

// maxOwn is far more than an installation has of key sets and facts about itself.
const maxOwn = 10_000

// verifying is a backup on the way to be judged.
type verifying struct {
	Verified
	own      []store.Row // of the tables that a keyring is made of
	slotRows []store.Row
	slotSets []store.Row     // key sets of the slots file
	keys     map[string]bool // IDs of keys of key management in the archive
	slots    map[string]bool // IDs of those that have a slot
}

func (v *verifying) siteRow(row store.Row) error {
	full, err := store.Indexed(row)
	if err != nil {
		return &identity.Error{Kind: identity.KindValidation, Op: "operate.restore", Err: err, Public: "The archive has a record that this version cannot read, in table " + row.Table + "."}
	}
	switch row.Table {
	case store.KMSSlots.Name():
		return unfit("The archive has slots, which belong in a file of their own: it was not made by Daypass.")
	case store.KeySets.Name(), store.Metas.Name():
		if v.own = append(v.own, full); len(v.own) > maxOwn {
			return unfit("The archive has too many keys of its own: it was not made by Daypass.")
		}
	case store.KMSKeys.Name():
		v.keys[row.Key] = true
	}
	return nil
}

func (v *verifying) slotRow(row store.Row) error {
	full, err := store.Indexed(row)
	if err != nil || !slices.Contains(slotTables, row.Table) {
		return unfit("The slots file has a record that this version cannot read, in table %s.", row.Table)
	}
	if row.Table == store.KeySets.Name() {
		v.slotSets = append(v.slotSets, full)
		return nil
	}
	v.slots[row.Key] = true
	v.slotRows = append(v.slotRows, full)
	return nil
}

// together judges whether the two files go with each other.
func (v *verifying) together(without bool) error {
	switch s := v.Slots; {
	case without || s == nil && len(v.keys) == 0:
	case s == nil:
		return unfit("The archive has %d keys of key management, and without their slots nothing brings them back: name the slots file with --slots, or give the keys up with --without-slots.", len(v.keys))
	case s.Installation != v.Site.Installation && !slices.Contains(s.Origins, v.Site.Installation):
		return unfit("The slots file is of another installation (%s) than the archive (%s).", s.Installation, v.Site.Installation)
	case older(s, &v.Site):
		return unfit("The slots file is older than the archive, so that keys made between the two would be lost: name the newest slots file with --slots, or give such keys up with --without-slots.")
	}
	for id := range v.keys {
		if v.whole[id] = v.slots[id]; !v.slots[id] {
			v.Lost = append(v.Lost, id)
		}
	}
	slices.Sort(v.Lost)
	return nil
}

// older compares two files of one site: by the feed, or, where a restore lies
// between them, by the clock.
func older(a, b *archive.Facts) bool {
	if a.Position.Incarnation == b.Position.Incarnation {
		return a.Position.N < b.Position.N
	}
	return a.MadeAt.Before(b.MadeAt)
}

// seals opens the keys of the backup in memory, and judges by them whether an
// installation made the files.
func (v *verifying) seals(ctx context.Context, root keyring.RootKey) error {
	keys, done, err := v.keyring(ctx, root)
	if err != nil {
		return err
	}
	defer done()
	if !sealed(keys, archive.KindSite, v.Site.Closing) {
		return unfit("The archive does not bear the seal of the installation whose keys it has: somebody else made it, or changed it.")
	}
	if v.Slots != nil && !sealed(keys, archive.KindSlots, v.Slots.Closing) {
		return unfit("The slots file does not bear the seal of the installation: somebody else made it, or changed it.")
	}
	for _, row := range v.slotRows {
		slot, err := store.KMSSlots.Record(row)
		if err != nil {
			return err
		}
		if _, err := keys.Unseal(store.KMSSlots.Name(), "slot", slot.KeyID, slot.Sealed); err != nil {
			return unfit("The slot of key %s does not open.", slot.KeyID)
		}
	}
	v.Sealed = true
	return nil
}

// keyring opens the keys of both files on an engine in memory.
func (v *verifying) keyring(ctx context.Context, root keyring.RootKey) (*keyring.Keyring, func(), error) {
	if !slices.ContainsFunc(v.own, func(r store.Row) bool { return r.Table == store.Metas.Name() && r.Key == keyring.MetaInstallation }) {
		return nil, nil, unfit("The archive has no installation: it was not made by Daypass.")
	}
	engine := store.NewMemory()
	_, err := engine.Update(ctx, func(tx store.Tx) error {
		for _, row := range slices.Concat(v.slotSets, v.own) { // the archive's win
			if err := tx.Put(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	db, err := store.OpenDB(ctx, engine, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	keys, err := keyring.Open(ctx, db, root, keyring.Options{})
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return keys, func() { db.Close() }, nil
}

// sealed compares the seal with those that the keys would make.
func sealed(keys *keyring.Keyring, kind archive.Kind, end archive.Closing) bool {
	good := 0
	for _, want := range keys.Hashes(sealLabel(kind), end.Sealed()) {
		good |= subtle.ConstantTimeCompare([]byte(want), []byte(end.Seal))
	}
	return good == 1
}
