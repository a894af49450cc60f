package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"daypass/internal/identity"
)

// Files of the authority that --dev --tls makes, in DATA/tls.
const (
	caCertName     = "ca.pem"
	caKeyName      = "ca.key"
	serverCertName = "server.pem"
	serverKeyName  = "server.key"

	caLifetime     = 10 * 365 * 24 * time.Hour
	serverLifetime = 397 * 24 * time.Hour // the longest that browsers accept
	renewBefore    = 30 * 24 * time.Hour
)

// devTLS are the files of a development certificate.
type devTLS struct{ caFile, certFile, keyFile string }

// ensureDevTLS makes, in dir, an authority and a certificate for names where
// they are missing, expire soon, or lack one of the names.
func ensureDevTLS(dir string, names []string, clock identity.Clock) (devTLS, error) {
	files := devTLS{filepath.Join(dir, caCertName), filepath.Join(dir, serverCertName), filepath.Join(dir, serverKeyName)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return files, err
	}
	now := clock.Now()
	caKeyFile := filepath.Join(dir, caKeyName)
	ca, caKey, err := readPair(files.caFile, caKeyFile)
	fresh := false
	if err != nil || now.Add(renewBefore).After(ca.NotAfter) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return files, err
		}
		if ca, caKey, err = issueCertificate(authorityTemplate(now), nil, nil, files.caFile, caKeyFile); err != nil {
			return files, err
		}
		fresh = true
	}
	leaf, _, err := readPair(files.certFile, files.keyFile)
	if err == nil && !fresh && now.Add(renewBefore).Before(leaf.NotAfter) && covers(leaf, names) {
		return files, nil
	}
	_, _, err = issueCertificate(serverTemplate(now, names), ca, caKey, files.certFile, files.keyFile)
	return files, err
}

func covers(leaf *x509.Certificate, names []string) bool {
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			if !slices.ContainsFunc(leaf.IPAddresses, ip.Equal) {
				return false
			}
		} else if !slices.Contains(leaf.DNSNames, n) {
			return false
		}
	}
	return true
}

func authorityTemplate(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Daypass development authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(caLifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func serverTemplate(now time.Time, names []string) *x509.Certificate {
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Daypass development server"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(serverLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	return t
}

// issueCertificate makes a P-256 key and its certificate, signed by parent (nil
// for itself), and writes both.
func issueCertificate(t, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126)); err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, parentKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if err := WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return nil, nil, err
	}
	if err := WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func readPair(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	// Stat first: tls.LoadX509KeyPair hides which error it was.
	for _, f := range []string{certFile, keyFile} {
		if _, err := os.Stat(f); err != nil {
			return nil, nil, err
		}
	}
	pair, err := loadCertificate(certFile, keyFile)
	if err != nil {
		return nil, nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New(keyFile + " is not an ECDSA key")
	}
	return pair.Leaf, key, nil
}

// devCertificateNames are the names that a development certificate is for.
func devCertificateNames(domains []string, aliases []string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	for _, d := range domains {
		names = append(names, d, "*."+d)
		for _, service := range hostServices {
			// By name too: clients refuse a wildcard below a single label.
			names = append(names, service+"."+d, "*."+service+"."+d)
			for _, alias := range aliases {
				names = append(names, "*."+alias+"."+service+"."+d)
			}
		}
	}
	return names
}
