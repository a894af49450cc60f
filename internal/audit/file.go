package audit

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	currentName   = "audit.jsonl"
	rotatedPrefix = "audit-"
	rotatedSuffix = ".jsonl"
	rotatedLayout = "20060102T150405.000000000Z"
)

// file is what the writer needs of an *os.File.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// rotating is the current file and its predecessors. Only the writer touches it.
type rotating struct {
	cfg   *Config
	stats *counters
	open  func(path string) (f file, size int64, torn bool, err error)
	free  func(dir string) (uint64, error)

	f    file // nil after a failure that made the file unfit
	size int64
	last time.Time // stamp of the last rotation
}

// openFile opens path for appending and reports its size and whether its last
// line has no end.
func openFile(path string) (file, int64, bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, false, err
	}
	st, err := f.Stat()
	if err == nil && st.Mode().Perm() != 0o600 {
		err = f.Chmod(0o600)
	}
	torn := false
	if err == nil && st.Size() > 0 {
		var last [1]byte
		_, err = f.ReadAt(last[:], st.Size()-1)
		torn = last[0] != '\n'
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, false, err
	}
	return f, st.Size(), torn, nil
}

func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}

func (r *rotating) path() string { return filepath.Join(r.cfg.Dir, currentName) }

// reopen opens the current file and ends a torn last line.
func (r *rotating) reopen() error {
	if err := os.MkdirAll(r.cfg.Dir, 0o700); err != nil {
		return err
	}
	f, size, torn, err := r.open(r.path())
	if err != nil {
		return err
	}
	if torn {
		if _, err := f.Write([]byte{'\n'}); err != nil {
			_ = f.Close()
			return err
		}
		size++
		r.stats.torn.Add(1)
	}
	if err := syncDir(r.cfg.Dir); err != nil {
		_ = f.Close()
		return err
	}
	r.f, r.size = f, size
	return nil
}

// write appends whole lines and makes them durable. After an error none of
// them is in the file, as far as the file system lets us undo.
func (r *rotating) write(lines []byte) error {
	if err := r.checkRoom(len(lines)); err != nil {
		return err
	}
	if r.f == nil {
		// The last fsync failed. The kernel may have dropped those pages and
		// would now report success, so the old file is set aside.
		if err := r.rotate(); err != nil {
			return err
		}
	} else if r.size > 0 && r.size+int64(len(lines)) > r.cfg.MaxBytes {
		if err := r.rotate(); err != nil {
			return err
		}
	}
	if _, err := r.f.Write(lines); err != nil {
		if terr := r.f.Truncate(r.size); terr != nil {
			r.abandon()
		}
		return err
	}
	if r.cfg.Durability == Fsync {
		if err := r.f.Sync(); err != nil {
			r.abandon()
			return err
		}
	}
	r.size += int64(len(lines))
	return nil
}

func (r *rotating) abandon() {
	_ = r.f.Close()
	r.f = nil
}

func (r *rotating) checkRoom(n int) error {
	if r.cfg.MinFree < 0 {
		return nil
	}
	free, err := r.free(r.cfg.Dir)
	if err != nil {
		return err
	}
	if free < uint64(r.cfg.MinFree)+uint64(n) {
		return errNoRoom
	}
	return nil
}

// rotate renames the current file after the time and opens a new one.
func (r *rotating) rotate() error {
	if r.f != nil {
		err := r.f.Sync()
		r.abandon()
		if err != nil {
			return err
		}
	}
	// Stamps only grow, whatever the clock does: prune goes by them.
	now := r.cfg.Clock.Now()
	stamp := now
	if !stamp.After(r.last) {
		stamp = r.last.Add(1)
	}
	target := ""
	for ; ; stamp = stamp.Add(1) {
		target = filepath.Join(r.cfg.Dir, rotatedPrefix+stamp.UTC().Format(rotatedLayout)+rotatedSuffix)
		if _, err := os.Lstat(target); os.IsNotExist(err) {
			break
		} else if err != nil {
			return err
		}
	}
	r.last = stamp
	if err := os.Rename(r.path(), target); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := r.reopen(); err != nil {
		return err
	}
	r.stats.rotations.Add(1)
	r.prune(now)
	return nil
}

// prune removes rotated files beyond MaxFiles and MaxAge. Failing to remove
// one costs room, not events, so it is only logged.
func (r *rotating) prune(now time.Time) {
	if r.cfg.MaxFiles <= 0 && r.cfg.MaxAge <= 0 {
		return
	}
	entries, err := os.ReadDir(r.cfg.Dir)
	if err != nil {
		r.cfg.Logger.Warn("audit: old files not listed", "err", err)
		return
	}
	type old struct {
		name string
		at   time.Time
	}
	var files []old
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(e.Name(), rotatedPrefix)
		stamp, ok2 := strings.CutSuffix(stamp, rotatedSuffix)
		at, err := time.Parse(rotatedLayout, stamp)
		if ok && ok2 && err == nil && e.Type().IsRegular() {
			files = append(files, old{e.Name(), at})
		}
	}
	slices.SortFunc(files, func(a, b old) int { return b.at.Compare(a.at) })
	for i, f := range files {
		tooMany := r.cfg.MaxFiles > 0 && i >= r.cfg.MaxFiles
		tooOld := r.cfg.MaxAge > 0 && now.Sub(f.at) > r.cfg.MaxAge
		if !tooMany && !tooOld {
			continue
		}
		if err := os.Remove(filepath.Join(r.cfg.Dir, f.name)); err != nil {
			r.cfg.Logger.Warn("audit: old file not removed", "err", err)
		}
	}
}

func (r *rotating) close() error {
	if r.f == nil {
		return nil
	}
	err := r.f.Sync()
	if cerr := r.f.Close(); err == nil {
		err = cerr
	}
	r.f = nil
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", filepath.Base(dir), err)
	}
	return nil
}
