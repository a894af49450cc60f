//go:build !unix

package embedded

import "net"

// stillOpen cannot tell here, so that a new connection is made.
func stillOpen(net.Conn) bool { return false }
