//go:build unix

package client

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// modesCount says that a file's mode says who may read it.
const modesCount = true

// lock waits for an exclusive lock, which ends with the process, however it
// ends. The file stays: another process may be waiting on it.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
