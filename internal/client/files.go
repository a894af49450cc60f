package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// writeFile writes a whole file under a temporary name and renames it: a reader
// sees the old one or the new one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once renamed
	if err = f.Chmod(mode); err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// private makes a file or folder its owner's alone, and reports whether others
// had access.
func private(path string, mode os.FileMode) (repaired bool, err error) {
	info, err := os.Stat(path)
	if err != nil || !modesCount || info.Mode().Perm()&0o077 == 0 {
		return false, err
	}
	return true, os.Chmod(path, mode)
}

const (
	// lockTimeout is more than two calls to the server can take.
	lockTimeout = 75 * time.Second
	lockPoll    = 10 * time.Millisecond
)

// lock waits for an exclusive lock, but not for a process that was stopped
// while it held it. The file stays: others may be waiting on it.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockTimeout); ; time.Sleep(lockPoll) {
		taken, err := tryLock(f)
		if taken {
			return func() { f.Close() }, nil
		}
		if err == nil && time.Now().After(end) {
			err = fmt.Errorf("%s: another process has held this lock for %s; end it, and try again", path, lockTimeout)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
