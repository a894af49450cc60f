package sigv4

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Credentials sign requests. They print redacted.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // "" for long-term keys
}

// String shows the access key ID only.
func (c Credentials) String() string { return "[credentials " + c.AccessKeyID + "]" }

// Format hides the secrets from every verb.
func (c Credentials) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue hides the secrets.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Signer signs requests of one region and service. It keeps the derived key of
// the day and is safe for concurrent use. Service s3 means S3's rules.
type Signer struct {
	cred            Credentials
	region, service string            // region is "" for SigV4A
	regionSet       string            // of SigV4A
	private         *ecdsa.PrivateKey // of SigV4A, else nil
	today           atomic.Pointer[datedKey]
}

type datedKey struct {
	date string
	key  *SigningKey
}

// NewSigner makes a Signer.
func NewSigner(cred Credentials, region, service string) *Signer {
	return &Signer{cred: cred, region: region, service: service}
}

// NewAsymmetricSigner makes a Signer that signs with SigV4A for a set of
// regions, comma-separated and possibly with * in them. It fails for a secret
// that yields no key; none is known.
func NewAsymmetricSigner(cred Credentials, regionSet, service string) (*Signer, error) {
	private := derivePrivate(cred.SecretAccessKey, cred.AccessKeyID)
	if private == nil {
		return nil, errors.New("sigv4: the secret yields no key pair")
	}
	return &Signer{cred: cred, regionSet: regionSet, service: service, private: private}, nil
}

// Sign signs r by its headers, with a Signer for one request.
func Sign(r *http.Request, cred Credentials, region, service, payloadHash string, at time.Time) error {
	return NewSigner(cred, region, service).Sign(r, payloadHash, at)
}

// Presign signs r by its query, with a Signer for one request.
func Presign(r *http.Request, cred Credentials, region, service string, expires time.Duration, at time.Time) error {
	return NewSigner(cred, region, service).Presign(r, expires, at)
}

// Sign sets Authorization, X-Amz-Date, X-Amz-Security-Token and, for S3,
// X-Amz-Content-Sha256 on a request about to be sent; earlier ones are
// replaced. payloadHash is the hash of the body in lower-case hexadecimal, or
// for S3 one of the constants; "" means UnsignedPayload for S3 and EmptySHA256
// for other services.
//
// Signed are the path and query that net/http will send for r.URL (Opaque and
// RawPath included), Host, Content-Type, Content-Md5 and every X-Amz-* header.
func (s *Signer) Sign(r *http.Request, payloadHash string, at time.Time) error {
	payloadHash, err := s.payload(payloadHash)
	if err != nil {
		return err
	}
	return s.sign(r, payloadHash, at)
}

// sign is Sign with a payload hash that was judged.
func (s *Signer) sign(r *http.Request, payloadHash string, at time.Time) error {
	stamp := at.UTC().Format(timestampLayout)
	if r.Header == nil {
		r.Header = http.Header{}
	}
	// One array holds the values; the names are in canonical spelling.
	values := make([]string, 0, 5)
	set := func(name, value string) {
		values = append(values, value)
		r.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	for _, name := range []string{"Authorization", "X-Amz-Security-Token", regionSetHeader, "X-Amz-Content-Sha256"} {
		delete(r.Header, name)
	}
	set("X-Amz-Date", stamp)
	if s.cred.SessionToken != "" {
		set("X-Amz-Security-Token", s.cred.SessionToken)
	}
	if s.private != nil {
		set(regionSetHeader, s.regionSet)
	}
	if s.service == "s3" {
		set("X-Amz-Content-Sha256", payloadHash)
	}
	m, err := s.outgoing(r)
	if err != nil {
		return err
	}
	signature, err := s.signature(m, payloadHash, stamp)
	if err != nil {
		return err
	}
	b := make([]byte, 0, 512)
	b = append(append(append(append(b, s.algorithm()...), " Credential="...), s.cred.AccessKeyID...), '/')
	b = append(appendScope(b, s.algorithm(), stamp[:8], s.region, s.service), ", SignedHeaders="...)
	for i, name := range m.names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	set("Authorization", string(append(append(b, ", Signature="...), signature...)))
	return nil
}

// Presign appends a signature to r.URL.RawQuery, good from at for expires (whole
// seconds, at most a week). Headers as in Sign are signed and must be sent. The
// body is not covered for S3, and empty for other services.
func (s *Signer) Presign(r *http.Request, expires time.Duration, at time.Time) error {
	seconds := int64(expires / time.Second)
	if seconds < 1 || seconds > maxExpires {
		return errors.New("sigv4: presigned requests live from 1 to 604800 seconds")
	}
	payload, err := s.payload("")
	if err != nil {
		return err
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", regionSetHeader} {
		r.Header.Del(name)
	}
	m, err := s.outgoing(r)
	if err != nil {
		return err
	}
	stamp := at.UTC().Format(timestampLayout)
	b := []byte(r.URL.RawQuery)
	add := func(key, value string) {
		if len(b) > 0 {
			b = append(b, '&')
		}
		b = append(append(b, key...), '=')
		for i := 0; i < len(value); i++ {
			if unreserved[value[i]] {
				b = append(b, value[i])
			} else {
				b = appendEscaped(b, value[i])
			}
		}
	}
	add("X-Amz-Algorithm", s.algorithm())
	add("X-Amz-Credential", s.credential(stamp))
	add("X-Amz-Date", stamp)
	add("X-Amz-Expires", strconv.FormatInt(seconds, 10))
	if s.private != nil {
		add(regionSetHeader, s.regionSet)
	}
	if s.cred.SessionToken != "" {
		add("X-Amz-Security-Token", s.cred.SessionToken)
	}
	add("X-Amz-SignedHeaders", strings.Join(m.names, ";"))
	m.query = string(b)
	signature, err := s.signature(m, payload, stamp)
	if err != nil {
		return err
	}
	add("X-Amz-Signature", signature)
	r.URL.RawQuery = string(b)
	return nil
}

func (s *Signer) payload(hash string) (string, error) {
	switch {
	case lowerHex64(hash):
		return hash, nil
	case s.service == "s3":
		switch hash {
		case "":
			return UnsignedPayload, nil
		case UnsignedPayload, StreamingUnsignedTrailer:
			return hash, nil
		}
	case hash == "":
		return EmptySHA256, nil
	}
	return "", errors.New("sigv4: a payload hash must be 64 lower-case hexadecimal digits or a mode that is served")
}

func (s *Signer) credential(stamp string) string {
	return string(appendScope([]byte(s.cred.AccessKeyID+"/"), s.algorithm(), stamp[:8], s.region, s.service))
}

func (s *Signer) algorithm() string {
	if s.private != nil {
		return algorithmECDSA
	}
	return algorithmHMAC
}

func (s *Signer) signature(m *message, payload, stamp string) (string, error) {
	c := scratches.Get().(*scratch)
	defer c.release()
	m.build(c, form{}, payload)
	c.stringToSign(s.algorithm(), stamp, stamp[:8], s.region, s.service)
	if s.private != nil {
		sum := sha256.Sum256(c.text)
		der, err := ecdsa.SignASN1(rand.Reader, s.private, sum[:])
		return hex.EncodeToString(der), err
	}
	s.key(stamp[:8]).mac(c, c.text)
	return hex.EncodeToString(c.sum[:]), nil
}

// key is the signing key of a day.
func (s *Signer) key(date string) *SigningKey {
	today := s.today.Load()
	if today == nil || today.date != date {
		today = &datedKey{date, Derive(s.cred.SecretAccessKey, date, s.region, s.service)}
		s.today.Store(today)
	}
	return today.key
}

// outgoing describes r as net/http will send it.
func (s *Signer) outgoing(r *http.Request) (*message, error) {
	m := &message{method: cmp.Or(r.Method, http.MethodGet), header: r.Header, length: -1, verbatim: s.service == "s3"}
	m.path, m.query = target(r.URL.RequestURI())
	if m.host = cmp.Or(r.Host, r.URL.Host); m.host == "" {
		return nil, errors.New("sigv4: a request without a host cannot be signed")
	}
	m.names = append(make([]string, 0, 12), "host")
	for key := range r.Header {
		name := lowerName(key)
		if name != "content-type" && name != "content-md5" && !strings.HasPrefix(name, "x-amz-") {
			continue
		}
		if key != http.CanonicalHeaderKey(key) {
			return nil, errors.New("sigv4: a header to be signed is not in canonical spelling")
		}
		m.names = append(m.names, name)
	}
	slices.Sort(m.names)
	return m, nil
}

// ordinaryNames are headers that are signed again and again.
var ordinaryNames = func() map[string]string {
	names := map[string]string{}
	for _, name := range []string{
		"content-type", "content-md5", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
		"x-amz-decoded-content-length", "x-amz-trailer", "x-amz-checksum-mode", "x-amz-sdk-checksum-algorithm",
	} {
		names[http.CanonicalHeaderKey(name)] = name
	}
	return names
}()

func lowerName(key string) string {
	if name, ok := ordinaryNames[key]; ok {
		return name
	}
	return strings.ToLower(key)
}
