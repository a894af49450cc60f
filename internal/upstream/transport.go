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
	bufferSize     = 256 << 10
	maxIdlePerHost = 256
	dialTimeout    = 5 * time.Second
	idleTimeout    = 90 * time.Second
	// answerTimeout is generous: completing a large multipart upload takes
	// a store minutes before its first byte.
	answerTimeout      = 10 * time.Minute
	maxAnswerHeaderLen = 64 << 10
)

// NewTransport returns a transport for streaming bodies to an endpoint on the
// network: no proxy, no compression, large buffers, many idle connections,
// HTTP/1.1. The embedded store brings its own.
func NewTransport(c TransportConfig) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return bulkConn{conn}, nil
		},
		DisableCompression:     true,
		ReadBufferSize:         bufferSize,
		WriteBufferSize:        bufferSize,
		MaxIdleConns:           2 * maxIdlePerHost,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    dialTimeout,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  answerTimeout,
		MaxResponseHeaderBytes: maxAnswerHeaderLen,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs},
	}
}

// bulkConn sends request bodies through large buffers; net/http's own copy
// takes 32 KiB at a time, which costs a third of the throughput.
type bulkConn struct{ net.Conn }

var bulkBuffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// ReadFrom implements io.ReaderFrom, which net/http looks for.
func (c bulkConn) ReadFrom(r io.Reader) (int64, error) {
	buf := bulkBuffers.Get().(*[bufferSize]byte)
	defer bulkBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, struct{ io.Reader }{r}, buf[:])
}
