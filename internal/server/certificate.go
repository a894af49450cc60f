package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
)

func loadCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
	}
	return &c, nil
}

// Certificate is a certificate that is read again when its files change.
// Connections that are open stay as they are.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]
	stamp             string
}

// NewCertificate reads the files for the first time.
func NewCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log, stamp: stampOf(certFile, keyFile)}
	first, err := loadCertificate(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c.current.Store(first)
	return c, nil
}

// TLS is the configuration of a listener with this certificate.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// Reload reads the files again if they changed, or anyway with force. Files
// that do not fit together, as in the middle of a renewal, change nothing and
// are tried again at the next call.
func (c *Certificate) Reload(force bool) {
	stamp := stampOf(c.certFile, c.keyFile)
	if stamp == c.stamp && !force {
		return
	}
	next, err := loadCertificate(c.certFile, c.keyFile)
	if err != nil {
		c.log.Error("the certificate was not reloaded; the old one stays in use", "error", err)
		return
	}
	c.stamp = stamp
	c.current.Store(next)
	c.log.Info("the certificate was reloaded", "file", c.certFile, "expires", next.Leaf.NotAfter)
}

// stampOf is another string after any change of any of the files; "" names none.
func stampOf(files ...string) string {
	var s string
	for _, f := range files {
		if f == "" {
			continue
		}
		if info, err := os.Stat(f); err == nil {
			s += fmt.Sprintf("%d/%d;", info.ModTime().UnixNano(), info.Size())
		} else {
			s += "absent;"
		}
	}
	return s
}
