//go:build unix

package client

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// modesCount says that a file's mode says who may read it.
const modesCount = true

// tryLock takes an exclusive lock if nobody has it. It ends with the process,
// however that ends.
func tryLock(f *os.File) (taken bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return err == nil, err
}
