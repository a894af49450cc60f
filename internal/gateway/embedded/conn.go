package embedded

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// storeConn is a connection to the store on which a write that comes too late
// does not fail. The store may refuse an upload before it has read all of it,
// answer, and close; net/http would then report the broken pipe and lose the
// answer that waits to be read. A store that is gone shows at the read.
type storeConn struct{ net.Conn }

func (c storeConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(p), nil
	}
	return n, err
}

var copyBuffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// ReadFrom is used by net/http for request bodies, with small buffers if it
// were not here.
func (c storeConn) ReadFrom(r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copyBytes]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, buf[:])
}
