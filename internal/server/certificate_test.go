package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass/internal/identity"
)

func TestDevCertificateAndReload(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), &fixedClock{now: time.Now()}
	names := devCertificateNames([]string{"x.test"}, []string{"demo"})
	first, err := ensureDevTLS(dir, names, clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{first.keyFile, filepath.Join(dir, caKeyName)} {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info, err)
		}
	}
	stamp := stampOf(first.certFile, first.keyFile, first.caFile)
	if _, err := ensureDevTLS(dir, names, clock); err != nil || stampOf(first.certFile, first.keyFile, first.caFile) != stamp {
		t.Errorf("a good certificate was made again: %v", err)
	}
	certificate, err := NewCertificate(first.certFile, first.keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	before := handshake(t, certificate, first.caFile, "demo.s3.x.test")
	certificate.Reload(false)
	if handshake(t, certificate, first.caFile, "b.demo.s3.x.test") != before {
		t.Error("reloaded without a change")
	}
	clock.add(serverLifetime - renewBefore/2)
	if _, err := ensureDevTLS(dir, names, clock); err != nil {
		t.Fatal(err)
	}
	certificate.Reload(true)
	if certificate.current.Load().Leaf.SerialNumber.String() == before {
		t.Error("not reloaded after a change")
	}
	// Files that do not fit together change nothing.
	good := certificate.current.Load()
	if err := os.WriteFile(first.keyFile, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate.Reload(false)
	if certificate.current.Load() != good {
		t.Error("a torn key was taken")
	}
}

// handshake connects over TLS and returns the serial number of what it got.
func handshake(t *testing.T, c *Certificate, caFile, name string) string {
	t.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		server := tls.Server(far, c.TLS())
		server.Handshake()
	}()
	client := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: name})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestWatchReloads(t *testing.T) {
	t.Parallel()
	files, err := ensureDevTLS(t.TempDir(), []string{"localhost"}, identity.SystemClock{})
	if err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	certificate, err := NewCertificate(files.certFile, files.keyFile, NewLogger(LogConfig{Level: "info"}, &log))
	if err != nil {
		t.Fatal(err)
	}
	tick, hup := make(chan time.Time), make(chan os.Signal)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { watchFiles(ctx, tick, hup, certificate.Reload); close(done) }()
	tick <- time.Now() // nothing changed
	hup <- os.Interrupt
	tick <- time.Now() // taken only after the reload
	cancel()
	<-done
	if n := strings.Count(log.String(), "the certificate was reloaded"); n != 1 {
		t.Errorf("reloaded %d times: %s", n, log.String())
	}
}
