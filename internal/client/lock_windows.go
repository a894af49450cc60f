package client

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// modesCount: on Windows the folder's access list decides.
const modesCount = false

// tryLock takes an exclusive lock if nobody has it. It ends with the process,
// however that ends.
func tryLock(f *os.File) (taken bool, err error) {
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
