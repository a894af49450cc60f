package operate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/kms"
	"daypass/internal/operate"
	"daypass/internal/stacktest"
	"daypass/internal/store"
	"daypass/internal/store/sqlite"
)

// files are those of a backup, in memory.
type files map[operate.BackupKind]*bytes.Buffer

func (f files) Begin(kind operate.BackupKind) (io.Writer, error) {
	f[kind] = new(bytes.Buffer)
	return f[kind], nil
}

// vault keeps a stack's backups, and what opens them.
type vault struct {
	*stacktest.Stack
	t    testing.TB
	id   *age.X25519Identity
	root *identity.Caller // of account A
}

func newVault(t testing.TB, opts ...stacktest.Option) *vault {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	s := stacktest.New(t, append([]stacktest.Option{stacktest.WithKMS()}, opts...)...)
	return &vault{s, t, id, rootOf(t, s)}
}

// rootOf is the root user of account A.
func rootOf(t testing.TB, s *stacktest.Stack) *identity.Caller {
	t.Helper()
	made, err := s.Issuer.RootAccessKey(t.Context(), s.Operator(), stacktest.AccountA)
	if err != nil {
		t.Fatal(err)
	}
	return &identity.Caller{
		Kind: identity.RootUser, AccountID: stacktest.AccountA, Partition: "aws", PrincipalID: stacktest.AccountA, Name: "root",
		ARN: identity.RootARN("aws", stacktest.AccountA), AccessKeyID: made.Key.ID,
	}
}

func (v *vault) backUp() files {
	v.t.Helper()
	f := files{}
	v.Clock.Advance(time.Minute)
	if _, err := v.Operate.BackUp(v.t.Context(), v.Operator(), operate.BackupRequest{Recipients: []string{v.id.Recipient().String()}}, f); err != nil {
		v.t.Fatal(err)
	}
	return f
}

// source is an archive with a slots file, which may be nil.
func (v *vault) source(site, slots *bytes.Buffer) operate.BackupSource {
	open := func(b *bytes.Buffer) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	}
	from := operate.BackupSource{Site: open(site), Identities: []age.Identity{v.id}, Root: v.Root}
	if slots != nil {
		from.Slots = open(slots)
	}
	return from
}

// restore makes another stack of a backup.
func (v *vault) restore(from operate.BackupSource) (*vault, operate.Restored, error) {
	v.t.Helper()
	path := filepath.Join(v.t.TempDir(), "daypass.db")
	engine := openSQLite(v.t, path)
	log, err := audit.Open(audit.Config{Dir: v.t.TempDir(), Durability: audit.Buffered, Clock: v.Clock, MinFree: -1})
	if err != nil {
		v.t.Fatal(err)
	}
	defer log.Close()
	out, err := operate.Restore(v.t.Context(), v.Operator(), operate.RestoreOptions{
		From: from, Engine: engine, Audit: log, Clock: v.Clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, out, errors.Join(err, engine.Close())
	}
	s := stacktest.New(v.t, stacktest.WithKMS(), stacktest.WithRestored(v.Stack, openSQLite(v.t, path)))
	c := *v.root
	return &vault{s, v.t, v.id, &c}, out, nil
}

func openSQLite(t testing.TB, path string) *sqlite.Engine {
	t.Helper()
	e, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var keysAt = kms.At{Instance: stacktest.KMSInstance}

// secret is a key of key management, and what it wrapped.
type secret struct {
	id     string
	sealed []byte
}

func (v *vault) newKey(name string) secret {
	v.t.Helper()
	key, err := v.KMS.Create(v.t.Context(), v.root, keysAt, kms.NewKey{Name: name})
	if err != nil {
		v.t.Fatal(err)
	}
	out, err := v.KMS.Wrap(v.t.Context(), v.root, keysAt, key.ID, []byte("treasure"), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return secret{key.ID, out.Ciphertext}
}

func (v *vault) opens(s secret) error {
	out, err := v.KMS.Unwrap(v.t.Context(), v.root, keysAt, s.id, s.sealed, nil)
	if err == nil && string(out.Plaintext) != "treasure" {
		v.t.Errorf("key %s opens %q", s.id, out.Plaintext)
	}
	return err
}

func (v *vault) purge(s secret) {
	v.t.Helper()
	_, err := v.KMS.Delete(v.t.Context(), v.root, keysAt, s.id, true)
	v.Clock.Advance(5 * time.Hour)
	if err == nil {
		_, err = v.KMS.Purge(v.t.Context(), v.root, keysAt, s.id)
	}
	if err != nil {
		v.t.Fatal(err)
	}
}

// rowsOf are the rows of a table whose key begins with a key's ID.
func (v *vault) rowsOf(id string) (found []string) {
	v.t.Helper()
	rows, _, err := v.Engine.Load(v.t.Context(), store.TableNames())
	if err != nil {
		v.t.Fatal(err)
	}
	for _, r := range rows {
		if strings.HasPrefix(r.Key, id) {
			found = append(found, r.Table)
		}
	}
	return found
}

// TestPurgedStaysPurged restores an archive from before a purge with the slots from
// after it.
func TestPurgedStaysPurged(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	keep, purged := v.newKey("keep"), v.newKey("purged")
	if err := v.KMS.FlushUses(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := v.backUp()
	v.purge(purged)
	later := v.newKey("later")
	after := v.backUp()

	back, out, err := v.restore(v.source(before[operate.BackupSite], after[operate.BackupSlots]))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Lost, []string{purged.id}) {
		t.Errorf("lost: %v, want %s", out.Lost, purged.id)
	}
	if err := back.opens(keep); err != nil {
		t.Errorf("the key that was kept: %v", err)
	}
	for what, s := range map[string]secret{"the purged key": purged, "a key of after the archive": later} {
		if back.opens(s) == nil {
			t.Errorf("%s opens", what)
		}
		if rows := back.rowsOf(s.id); len(rows) > 0 {
			t.Errorf("%s left rows in %v", what, rows)
		}
	}
	// And with the slots of its own day it is there: destroyed means that they are gone.
	if back, _, err = v.restore(v.source(before[operate.BackupSite], before[operate.BackupSlots])); err != nil || back.opens(purged) != nil {
		t.Errorf("with the old slots: %v", err)
	}
}

// TestSlotsGoWithTheArchive is about which slots files are taken.
func TestSlotsGoWithTheArchive(t *testing.T) {
	t.Parallel()
	v, other := newVault(t), newVault(t)
	first := v.newKey("first")
	one := v.backUp()
	second := v.newKey("second")
	if _, err := v.Keyring.Rotate(t.Context(), keyring.RotateAtRest, keyring.RotateOptions{Now: true}); err != nil {
		t.Fatal(err)
	}
	third := v.newKey("third") // its slot is sealed under keys that the first archive has not
	two := v.backUp()
	other.id = v.id
	foreign := other.backUp()
	site, slots := operate.BackupSite, operate.BackupSlots
	for name, c := range map[string]struct {
		site, slots *bytes.Buffer
		without     bool
		says        string
	}{
		"older slots":                {two[site], one[slots], false, "older than the archive"},
		"no slots":                   {two[site], nil, false, "has 3 keys of key management"},
		"of another site":            {two[site], foreign[slots], false, "another installation"},
		"an archive as slots":        {two[site], two[site], false, `of kind "site"`},
		"slots as the archive":       {two[slots], two[slots], false, `of kind "slots"`},
		"newer slots":                {one[site], two[slots], false, ""},
		"older slots, knowing it":    {two[site], one[slots], true, ""},
		"without slots, knowing it":  {two[site], nil, true, ""},
		"no slots, and none to have": {foreign[site], nil, false, "does not open the keys"}, // goes on to the root key
	} {
		from := v.source(c.site, c.slots)
		from.WithoutSlots = c.without
		_, err := operate.VerifyBackup(t.Context(), from)
		if c.says == "" && err != nil || c.says != "" && (identity.KindOf(err) != identity.KindValidation || !strings.Contains(identity.AsError(err).Public, c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	back, out, err := v.restore(v.source(one[site], two[slots]))
	if err != nil || len(out.Lost) > 0 {
		t.Fatalf("%v, lost %v", err, out.Lost)
	}
	if err := back.opens(first); err != nil {
		t.Error(err)
	}
	if back, out, err = v.restore(v.source(two[site], two[slots])); err != nil {
		t.Fatal(err)
	}
	for _, s := range []secret{first, second, third} {
		if err := back.opens(s); err != nil {
			t.Errorf("after %+v: %v", out, err)
		}
	}
	// The slots of an installation that was restored go with the archives of before.
	again := back.backUp()
	if _, _, err := v.restore(v.source(two[site], again[slots])); err != nil {
		t.Errorf("slots of the restored installation: %v", err)
	}
}

// TestForgedBackups are made by somebody who knows the recipient, and has seen an
// archive, but not the root key.
func TestForgedBackups(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	v.newKey("key")
	good := v.backUp()
	site, slots := good[operate.BackupSite], good[operate.BackupSlots]
	for name, c := range map[string]struct{ from, to string }{
		"nothing changed":  {"", ""},
		"another position": {`"end":{"position":{"i":"`, `"end":{"position":{"i":"x`},
		"a changed record": {`"name":"` + stacktest.TestUser + `"`, `"name":"mallory"`},
	} {
		forged := forge(t, v.id, site, c.from, c.to)
		if _, err := operate.VerifyBackup(t.Context(), v.source(forged, slots)); (c.to == "") != (err == nil) {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && !strings.Contains(identity.AsError(err).Public, "does not bear the seal") {
			t.Errorf("%s: %q", name, identity.AsError(err).Public)
		}
	}
	secret := make([]byte, keyring.RootKeyBytes)
	from := v.source(site, slots)
	from.Root, _ = keyring.NewRootKey(secret)
	if _, err := operate.VerifyBackup(t.Context(), from); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("another root key: %v", err)
	}
	from.Root = nil
	if got, err := operate.VerifyBackup(t.Context(), from); err != nil || got.Sealed {
		t.Errorf("without a root key: %+v, %v", got, err)
	}
}

// TestRestoreAsks calls Restore with somebody else than the operator.
func TestRestoreAsks(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	f := v.backUp()
	log, err := audit.Open(audit.Config{Dir: t.TempDir(), Durability: audit.Buffered, Clock: v.Clock, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	_, err = operate.Restore(t.Context(), v.root, operate.RestoreOptions{
		From: v.source(f[operate.BackupSite], f[operate.BackupSlots]), Engine: openSQLite(t, filepath.Join(t.TempDir(), "db")), Audit: log, Clock: v.Clock,
		Log: slog.New(slog.DiscardHandler),
	})
	if identity.KindOf(err) != identity.KindAccessDenied {
		t.Errorf("by a root user: %v, want a denial", err)
	}
	operator := access.OperatorCaller(identity.RequestFacts{})
	if _, err := v.Operate.BackUp(t.Context(), &operator, operate.BackupRequest{Recipients: []string{"AGE-SECRET-KEY-1"}}, files{}); identity.KindOf(err) != identity.KindValidation {
		t.Errorf("for an identity in place of a recipient: %v", err)
	}
	if lines := v.AuditLines(t); !strings.Contains(lines, `"eventName":"BackUp"`) || !strings.Contains(lines, v.id.Recipient().String()) {
		t.Error("the backup is not in the audit log, with whom it is for")
	}
}
