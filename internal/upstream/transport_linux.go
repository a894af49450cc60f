package upstream

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long sent bytes may stay unacknowledged before a
// connection counts as broken. Without it, requests on kept connections to a
// machine that has vanished wait for a quarter of an hour.
const unacknowledged = 20 * time.Second

// limitUnacknowledged is net.Dialer.Control.
func limitUnacknowledged(_, _ string, c syscall.RawConn) error {
	var err error
	if outer := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	}); outer != nil {
		return outer
	}
	return err
}
