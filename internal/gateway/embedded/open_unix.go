//go:build unix

package embedded

import (
	"net"
	"syscall"
)

// stillOpen reports whether the other side of an idle connection has neither
// closed it nor sent what nobody asked for.
func stillOpen(c net.Conn) bool {
	if s, ok := c.(storeConn); ok {
		c = s.Conn
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	})
	return open && err == nil
}
