package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"daypass/internal/operate"
	"daypass/internal/server"
)

// Names in a backup directory.
const (
	slotsName     = "slots.age"
	markerName    = "daypass-backup.json"
	archivePrefix = "daypass-"
	archiveSuffix = ".age"
	archiveTime   = "20060102T150405Z"
)

// backupDir is a directory that backups are written to, one at a time. Files get
// their names only once all of them are whole and on disk.
type backupDir struct {
	path  string
	lock  *os.File
	files map[operate.BackupKind]*os.File // under temporary names
	watch func(bytes int64)
}

func openBackupDir(path string) (*backupDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := server.LockFile(lock)
	if err == nil && !taken {
		err = errors.New("another backup is being written to " + path + ": wait for it")
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	d := &backupDir{path: path, lock: lock, files: map[operate.BackupKind]*os.File{}}
	d.sweep()
	return d, nil
}

// sweep removes what backups left that were killed.
func (d *backupDir) sweep() {
	left, _ := filepath.Glob(filepath.Join(d.path, ".unfinished-*"))
	for _, path := range left {
		os.Remove(path)
	}
}

// Begin is operate.BackupFiles'.
func (d *backupDir) Begin(kind operate.BackupKind) (io.Writer, error) {
	if kind != operate.BackupSite && kind != operate.BackupSlots || d.files[kind] != nil {
		return nil, fmt.Errorf("the server sent a file %q, which is not understood; are client and server of the same version?", kind)
	}
	f, err := os.CreateTemp(d.path, ".unfinished-") // mode 0600
	if err != nil {
		return nil, err
	}
	d.files[kind] = f
	return watched{f, d.watch}, nil
}

type watched struct {
	io.Writer
	watch func(int64)
}

func (w watched) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.watch(int64(n))
	return n, err
}

// keep gives the files of a backup their names: the slots first, since a slots
// file that is newer than an archive goes with it, and an older one does not.
func (d *backupDir) keep(b operate.Backup) (archive string, bytes int64, err error) {
	site, slots := d.files[operate.BackupSite], d.files[operate.BackupSlots]
	if site == nil || slots == nil {
		return "", 0, errors.New("the server sent no whole backup")
	}
	if err := d.sameSite(b); err != nil {
		return "", 0, err
	}
	archive = d.free(archivePrefix + b.MadeAt.UTC().Format(archiveTime))
	if bytes, err = site.Seek(0, io.SeekCurrent); err != nil {
		return "", 0, err
	}
	if err := errors.Join(site.Sync(), slots.Sync()); err != nil {
		return "", 0, err
	}
	text, err := json.Marshal(marker{b.Installation, b.Origins, b.MadeAt, filepath.Base(archive)})
	if err != nil {
		return "", 0, err
	}
	if err := os.Rename(slots.Name(), filepath.Join(d.path, slotsName)); err != nil {
		return "", 0, err
	}
	if err := server.WriteFile(filepath.Join(d.path, markerName), append(text, '\n'), 0o600); err != nil {
		return "", 0, err
	}
	if err := server.SyncFile(d.path); err != nil {
		return "", 0, err
	}
	if err := os.Rename(site.Name(), archive); err != nil {
		return "", 0, err
	}
	return archive, bytes, server.SyncFile(d.path)
}

// free is a name that no archive has: two backups may begin in one second.
func (d *backupDir) free(name string) string {
	path := filepath.Join(d.path, name+archiveSuffix)
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = filepath.Join(d.path, fmt.Sprintf("%s-%d%s", name, n, archiveSuffix))
	}
}

// sameSite refuses to put one site's slots in the place of another's.
func (d *backupDir) sameSite(b operate.Backup) error {
	var have marker
	found, err := have.read(filepath.Join(d.path, markerName))
	if err != nil || !found {
		return err
	}
	if have.Installation != b.Installation && !slices.Contains(b.Origins, have.Installation) {
		return errors.New(d.path + " has the backups of another installation (" + have.Installation + "): name another directory with --to")
	}
	return nil
}

// close removes what got no name.
func (d *backupDir) close() {
	for _, f := range d.files {
		f.Close()
		os.Remove(f.Name()) // fails once renamed
	}
	d.lock.Close()
}
