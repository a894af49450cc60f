package keyring

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"daypass/internal/store"
)

// Algorithms of our own signing keys (RFC 7518 §3.1).
const (
	RS256 = "RS256" // RSA-2048, with a self-signed certificate as x5c
	ES256 = "ES256" // P-256
	ES384 = "ES384" // P-384
)

const rsaBits = 2048

// SetSpec says which keys an issuer needs. Several specs may name one set with
// different algorithms.
type SetSpec struct {
	// Set is the issuer's name, e.g. "realm/root-accounts". No two issuers
	// share a set, and no part of the name may hold a NUL.
	Set       string
	Algorithm string
	// MaxTokenLife is the longest life of a token signed with the set (24 h by
	// default): retired keys stay public that long.
	MaxTokenLife time.Duration
}

// SigningKey is what signs for an issuer.
type SigningKey struct {
	ID        string // kid: the key's RFC 7638 thumbprint
	Algorithm string
	// Signer signs a SHA-256 digest, with ES384 a SHA-384 one. With RSA it waits in a bounded queue, and
	// fails with KindUnavailable when that is full. ECDSA answers are ASN.1.
	Signer crypto.Signer
}

// signingKey is an opened row.
type signingKey struct {
	row     *store.SigningKey
	jwk     json.RawMessage
	public  crypto.PublicKey
	private crypto.Signer // nil once retired
}

func (s *signingKey) active() bool {
	return s.private != nil && !s.row.SignsFrom.IsZero() && s.row.RetiredAt.IsZero()
}

// Signer returns the active key of a set for an algorithm. While the set's key
// of that algorithm is too young to sign it returns the active one of another,
// so that an issuer that changes its algorithm never stands without a key; an
// empty algorithm means any. KindUnavailable when the set has none.
func (k *Keyring) Signer(set, algorithm string) (SigningKey, error) {
	s := k.state.Load().issuers[set]
	if s == nil || len(s.active) == 0 {
		return SigningKey{}, unavailable("keyring.signer", fmt.Errorf("no key signs for %q", set))
	}
	key := s.active[0]
	for _, a := range s.active {
		if a.row.Algorithm == algorithm {
			key = a
		}
	}
	out := SigningKey{ID: key.row.ID, Algorithm: key.row.Algorithm, Signer: key.private}
	if key.row.Algorithm == RS256 {
		out.Signer = queued{key.private, k.gate}
	}
	return out, nil
}

// EnsureSets makes the keys that specs ask for and that are not there: in
// parallel, written in one transaction. The first key of a set signs at once;
// one of a further algorithm when it has been public long enough. Algorithms of
// a set that are named no longer are retired by Tick.
func (k *Keyring) EnsureSets(ctx context.Context, specs []SetSpec) error {
	for _, s := range specs {
		if s.Set == "" || s.Algorithm != RS256 && s.Algorithm != ES256 && s.Algorithm != ES384 {
			return invalid("keyring.ensure", fmt.Sprintf("No signing keys of algorithm %q for %q.", s.Algorithm, s.Set))
		}
	}
	k.specs.remember(specs)
	var missing []SetSpec
	longer := false
	st := k.state.Load()
	for _, s := range specs {
		rows := st.rows(s.Set)
		if !hasKey(rows, s.Algorithm) {
			missing = append(missing, s)
		}
		for _, row := range rows {
			longer = longer || row.RetiredAt.IsZero() && row.MaxTokenSeconds < s.maxToken()
		}
	}
	if len(missing) == 0 && !longer {
		return nil
	}
	made, err := k.generate(missing)
	if err != nil {
		return err
	}
	return k.update(ctx, func(tx store.Tx) error {
		for _, s := range specs {
			if err := prolong(tx, s); err != nil {
				return err
			}
		}
		// Nobody has the JWKS of a set that was empty: its keys sign at once.
		empty := map[string]bool{}
		for _, m := range made {
			row := *m
			rows, err := setRows(tx, row.Set)
			if err != nil {
				return err
			}
			if hasKey(rows, row.Algorithm) {
				continue
			}
			if empty[row.Set] = empty[row.Set] || len(rows) == 0; empty[row.Set] {
				row.SignsFrom = row.CreatedAt
			}
			if err := store.SigningKeys.Insert(tx, &row); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s SetSpec) maxToken() int64 {
	if s.MaxTokenLife == 0 {
		return int64((24 * time.Hour).Seconds())
	}
	return int64(s.MaxTokenLife.Round(time.Second).Seconds())
}

func hasKey(rows []*store.SigningKey, algorithm string) bool {
	for _, r := range rows {
		if r.Algorithm == algorithm && r.RetiredAt.IsZero() {
			return true
		}
	}
	return false
}

// prolong notes a longer token life on the keys that may still sign.
func prolong(tx store.Tx, s SetSpec) error {
	rows, err := setRows(tx, s.Set)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.RetiredAt.IsZero() && row.MaxTokenSeconds < s.maxToken() {
			c := *row
			c.MaxTokenSeconds = s.maxToken()
			if err := store.SigningKeys.Put(tx, &c); err != nil {
				return err
			}
		}
	}
	return nil
}

func setRows(r store.Reader, set string) ([]*store.SigningKey, error) {
	return store.SigningKeys.List(r, "set", store.Join(set, ""), store.After{}, 0)
}

func (st *state) rows(set string) []*store.SigningKey {
	s := st.issuers[set]
	if s == nil {
		return nil
	}
	rows := make([]*store.SigningKey, 0, len(s.public))
	for _, key := range s.public {
		rows = append(rows, key.row)
	}
	return rows
}

// generate makes keys in parallel: RSA takes a large part of a second.
func (k *Keyring) generate(specs []SetSpec) ([]*store.SigningKey, error) {
	now := k.now()
	rows, errs := make([]*store.SigningKey, len(specs)), make([]error, len(specs))
	var wg sync.WaitGroup
	for i, s := range specs {
		wg.Go(func() { rows[i], errs[i] = k.newSigningRow(s, now) })
	}
	wg.Wait()
	return rows, errors.Join(errs...)
}

func (k *Keyring) newSigningRow(spec SetSpec, now time.Time) (*store.SigningKey, error) {
	const op = "keyring.generate"
	var private crypto.Signer
	var err error
	switch spec.Algorithm {
	case RS256:
		private, err = k.opt.NewRSA()
	case ES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, internal(op, err)
	}
	jwk := jose.JSONWebKey{Key: private.Public(), Algorithm: spec.Algorithm, Use: "sig"}
	thumb, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, internal(op, err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	if spec.Algorithm == RS256 {
		if err := addCertificate(&jwk, spec.Set, private, now); err != nil {
			return nil, internal(op, err)
		}
	}
	public, err := jwk.MarshalJSON()
	if err != nil {
		return nil, internal(op, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, internal(op, err)
	}
	row := &store.SigningKey{
		Set: spec.Set, ID: jwk.KeyID, Algorithm: spec.Algorithm, Public: public,
		MaxTokenSeconds: spec.maxToken(), CreatedAt: now,
	}
	row.Sealed, err = k.root.Encrypt(der, rowAAD(store.SigningKeys.Name(), "private", signingRowKey(row)))
	if err != nil {
		return nil, internal(op, err)
	}
	return row, nil
}

// addCertificate gives an RSA key the self-signed certificate that Ceph RGW
// takes the key from.
func addCertificate(jwk *jose.JSONWebKey, set string, private crypto.Signer, now time.Time) error {
	serial := make([]byte, 16)
	rand.Read(serial)
	serial[0] &= 0x7f
	tmpl := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: set},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	s1, s256 := sha1.Sum(der), sha256.Sum256(der)
	jwk.Certificates = []*x509.Certificate{cert}
	jwk.CertificateThumbprintSHA1, jwk.CertificateThumbprintSHA256 = s1[:], s256[:]
	return nil
}

func signingRowKey(row *store.SigningKey) string { return row.Set + "/" + row.ID }

func (k *Keyring) openSigning(row *store.SigningKey) (*signingKey, error) {
	const op = "keyring.open"
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(row.Public); err != nil {
		return nil, internal(op, err)
	}
	key := &signingKey{row: row, jwk: row.Public, public: jwk.Key}
	if row.Sealed == nil {
		return key, nil
	}
	der, err := k.root.Decrypt(row.Sealed, rowAAD(store.SigningKeys.Name(), "private", signingRowKey(row)))
	if err != nil {
		return nil, internal(op, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, internal(op, errors.New("private half is not PKCS #8"))
	}
	private, ok := parsed.(crypto.Signer)
	public, cmp := key.public.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !cmp || !public.Equal(private.Public()) {
		return nil, internal(op, errors.New("the halves of a signing key do not belong together"))
	}
	key.private = private
	return key, nil
}

func (k *Keyring) loadSigning(r store.Reader, prev, st *state) error {
	rows, err := store.SigningKeys.List(r, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	st.keys, st.issuers = make(map[string]*signingKey, len(rows)), map[string]*signingSet{}
	for _, row := range rows {
		name := signingRowKey(row)
		key := prev.keys[name]
		if key != nil && bytes.Equal(key.row.Sealed, row.Sealed) && bytes.Equal(key.row.Public, row.Public) {
			key = &signingKey{row: row, jwk: key.jwk, public: key.public, private: key.private}
		} else if key, err = k.openSigning(row); err != nil {
			k.damaged("signing key "+name, err)
			continue
		}
		st.keys[name] = key
		s := st.issuers[row.Set]
		if s == nil {
			s = &signingSet{public: map[string]*signingKey{}}
			st.issuers[row.Set] = s
		}
		s.public[row.ID] = key
	}
	for _, s := range st.issuers {
		if err := s.arrange(); err != nil {
			return internal("keyring.jwks", err)
		}
	}
	return nil
}
