package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
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
	t := &http.Transport{
		DialContext:            dialer.DialContext,
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
	if c.Socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", c.Socket)
		}
	}
	return t
}
