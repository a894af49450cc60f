package client

import (
	"os"

	"golang.org/x/sys/windows"
)

// modesCount: on Windows the folder's access list decides.
const modesCount = false

// lock waits for an exclusive lock, which ends with the process, however it
// ends. The file stays: another process may be waiting on it.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped)); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
