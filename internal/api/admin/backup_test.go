package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass/internal/identity"
	"daypass/internal/operate"
)

// makes is a Backups.
type makes func(in operate.BackupRequest, files operate.BackupFiles) (operate.Backup, error)

func (m makes) BackUp(_ context.Context, c *identity.Caller, in operate.BackupRequest, files operate.BackupFiles) (operate.Backup, error) {
	if c.Kind != identity.Operator {
		return operate.Backup{}, errors.New("not the operator")
	}
	return m(in, files)
}

// kept are the files of a backup; Begin fails for a kind in refused.
type kept struct {
	files   map[operate.BackupKind]*bytes.Buffer
	refused operate.BackupKind
}

var errNoRoom = errors.New("no room")

func (k *kept) Begin(kind operate.BackupKind) (io.Writer, error) {
	if kind == k.refused {
		return nil, errNoRoom
	}
	k.files[kind] = new(bytes.Buffer)
	return k.files[kind], nil
}

func into(t *testing.T, files operate.BackupFiles, kind operate.BackupKind, text string) {
	t.Helper()
	w, err := files.Begin(kind)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestBackupTravelsWhole(t *testing.T) {
	t.Parallel()
	site := strings.Repeat("\r\n--boundary\x00", 100_000)
	want := operate.Backup{Rows: 3, Counts: map[string]int{"users": 3}, Installation: "here"}
	client, _ := start(t, Config{Backups: makes(func(in operate.BackupRequest, files operate.BackupFiles) (operate.Backup, error) {
		if len(in.Recipients) != 2 {
			t.Errorf("recipients: %v", in.Recipients)
		}
		into(t, files, operate.BackupSite, site)
		into(t, files, operate.BackupSlots, "")
		return want, nil
	})})
	got := &kept{files: map[operate.BackupKind]*bytes.Buffer{}}
	made, err := client.BackUp(t.Context(), operate.BackupRequest{Recipients: []string{"a", "b"}}, got)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, made); d != "" {
		t.Errorf("report (-want +got)\n%s", d)
	}
	if len(got.files) != 2 || got.files[operate.BackupSite].String() != site || got.files[operate.BackupSlots].Len() != 0 {
		t.Errorf("%d files, of %d bytes and more", len(got.files), got.files[operate.BackupSite].Len())
	}
	got.refused = operate.BackupSlots
	if _, err := client.BackUp(t.Context(), operate.BackupRequest{Recipients: []string{"a", "b"}}, got); !errors.Is(err, errNoRoom) {
		t.Errorf("without room for the second file: %v", err)
	}
}

// TestBackupBreaksOff ends a backup at every place; none of them looks like a whole one.
func TestBackupBreaksOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make makes
		kind identity.Kind
		says string
	}{
		"before the first file": {func(operate.BackupRequest, operate.BackupFiles) (operate.Backup, error) {
			return operate.Backup{}, identity.NewError(identity.KindValidation, "x", "No such recipient.")
		}, identity.KindValidation, "No such recipient. [request R1]"},
		"within a file": {func(_ operate.BackupRequest, files operate.BackupFiles) (operate.Backup, error) {
			into(t, files, operate.BackupSite, "half")
			return operate.Backup{}, identity.NewError(identity.KindUnavailable, "x", "The store is away.")
		}, identity.KindUnavailable, "The store is away. [request R1]"},
		"by the server's end": {func(_ operate.BackupRequest, files operate.BackupFiles) (operate.Backup, error) {
			into(t, files, operate.BackupSite, strings.Repeat("half", 100_000))
			panic(http.ErrAbortHandler)
		}, identity.KindUnavailable, "broke off"},
	} {
		client, _ := start(t, Config{Backups: c.make})
		_, err := client.BackUp(t.Context(), operate.BackupRequest{}, &kept{files: map[operate.BackupKind]*bytes.Buffer{}})
		if got := identity.AsError(err); err == nil || got.Kind != c.kind || !strings.Contains(got.Public, c.says) {
			t.Errorf("%s: %v, want %s and %q", name, err, c.kind, c.says)
		}
	}
}
