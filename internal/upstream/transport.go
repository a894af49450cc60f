package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// TransportConfig is how an upstream is reached.
type TransportConfig struct {
	// Socket is the path of a unix socket, or "@name" for an abstract one;
	// "" dials the endpoint's host.
	Socket string
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

// NewTransport returns a transport for streaming bodies: no proxy, no
// compression, large buffers, many idle connections, HTTP/1.1.
func NewTransport(c TransportConfig) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	network, address := "", c.Socket
	if c.Socket != "" {
		network = "unix"
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, cmp.Or(network, n), cmp.Or(address, a))
			if err != nil {
				return nil, err
			}
			return &patientConn{Conn: conn}, nil
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
	return t
}

// patientConn swallows the error of a write that follows another of the same
// request. A store that refuses an upload answers and closes before it has
// read the body; net/http would report the failed write and lose the answer,
// which is still there to be read. Where there is no answer, reading fails in
// place of writing. The first write of a request fails as it is: then nothing
// was sent, and net/http may use another connection.
type patientConn struct {
	net.Conn
	wrote atomic.Bool // since the last answer
}

func (c *patientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.wrote.Store(false)
	}
	return n, err
}

func (c *patientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		c.wrote.Store(true)
		return n, nil
	}
	if c.wrote.Load() && !errors.Is(err, net.ErrClosed) {
		return len(p), nil
	}
	return n, err
}
