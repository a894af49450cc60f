package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// TransportConfig is how an upstream is reached.
type TransportConfig struct {
	// RootCAs verify the endpoint's TLS; nil means the system's.
	RootCAs *x509.CertPool
}

const (
	// headBuffer holds the head of a request or an answer. Bodies do not pass
	// through it: reads and writes larger than it go to the connection.
	headBuffer         = 16 << 10
	copyBuffer         = 128 << 10
	maxIdlePerHost     = 256
	dialTimeout        = 3 * time.Second
	idleTimeout        = 90 * time.Second
	maxAnswerHeaderLen = 64 << 10
)

// NewTransport returns a transport for streaming bodies to an endpoint on the
// network: no proxy, no compression, bodies in large steps, many idle
// connections, HTTP/1.1. The embedded store brings its own.
func NewTransport(c TransportConfig) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: limitUnacknowledged}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return BulkConn(conn), nil
		},
		DisableCompression:     true,
		ReadBufferSize:         headBuffer,
		WriteBufferSize:        headBuffer,
		MaxIdleConns:           2 * maxIdlePerHost,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    dialTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxAnswerHeaderLen,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs},
	}
}

// BulkConn returns conn as one for streaming, for transports that dial
// otherwise than NewTransport's.
func BulkConn(conn net.Conn) net.Conn { return bulkConn{conn} }

// bulkConn sends request bodies through large buffers; net/http's own copy
// takes 32 KiB at a time, which costs a third of the throughput.
type bulkConn struct{ net.Conn }

var bulkBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// ReadFrom implements io.ReaderFrom, which net/http looks for.
func (c bulkConn) ReadFrom(r io.Reader) (int64, error) {
	buf := bulkBuffers.Get().(*[copyBuffer]byte)
	defer bulkBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, struct{ io.Reader }{r}, buf[:])
}
