package sigv4

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Mechanism is where a request carries its signature.
type Mechanism uint8

// The mechanisms that are served.
const (
	MechanismHeader    Mechanism = 1 + iota // Authorization header
	MechanismPresigned                      // query parameters
	MechanismPost                           // fields of a form, see ParsePostForm
	MechanismBearer                         // no signature, see ParseBearer
)

// DefaultMaxSkew is how far a request's clock may be off, both ways.
const DefaultMaxSkew = 15 * time.Minute

const (
	maxExpires       = 604800 // seconds
	maxSignedHeaders = 128
	maxParameters    = 1024
	maxScopePart     = 128 // bytes of an access key ID, region or service
)

// Rules fix how a request is judged. They follow from the service the request
// was routed to, never from the request's own scope.
type Rules struct {
	// Service must equal the service of the scope.
	Service string
	// Regions accepts the region of the scope; nil accepts any.
	Regions func(string) bool
	// Region is named in the refusal of a wrong region, and is the one that a
	// SigV4A region set with a wildcard must match unless Regions is nil.
	Region string
	// Asymmetric allows SigV4A: the caller of Parse looks at
	// Signed.Asymmetric and calls CheckAsymmetric.
	Asymmetric bool
	// S3 selects S3's rules: path encoded once and not normalised, every
	// x-amz-* header signed, payload named by x-amz-content-sha256. Without
	// it the path is normalised and encoded twice, and Check is given the
	// hash of the body.
	S3 bool
	// VerbatimPath selects S3's path rule alone.
	VerbatimPath bool
	// Presigned allows the presigned mechanism.
	Presigned bool
	// UnsignedToken allows a session token header that is not among the
	// signed headers (clients that add it after signing). Only for callers
	// that bind the token to the access key ID.
	UnsignedToken bool
	// Fallbacks lets a header-signed request that is not S3's verify with
	// its query bytes untouched or its path encoded once (execute-api
	// clients). See Signed.Reading.
	Fallbacks bool
	// Hosts are further values to try for Host, from the forwarded headers
	// of listed proxies.
	Hosts []string
	// MaxSkew is DefaultMaxSkew if zero.
	MaxSkew time.Duration
}

func (r *Rules) skew() time.Duration {
	if r.MaxSkew == 0 {
		return DefaultMaxSkew
	}
	return r.MaxSkew
}

// Signed is a signed request that Parse found well-formed and timely. Nothing
// in it is proven before Check returns nil. It refers to the request, whose
// method, target, Host and headers must stay as they are until then.
type Signed struct {
	Mechanism     Mechanism
	AccessKeyID   string
	Date          string // of the scope, yyyymmdd
	Region        string // "" for SigV4A
	Service       string
	Time          time.Time     // when it was signed
	Expires       time.Duration // presigned: validity from Time on
	SignedHeaders []string      // lower case, sorted
	// Signature is 64 lower-case hexadecimal digits, or for SigV4A a DER
	// signature in hexadecimal. The latter is not unique: whoever saw one can
	// make others for the same request, so it must not be the key by which
	// single use is enforced.
	Signature    string
	SessionToken string // "" if there is none; its worth is not judged here
	// Asymmetric: signed with SigV4A, to be checked by CheckAsymmetric.
	Asymmetric bool
	RegionSet  string // of SigV4A, as it was sent
	Payload

	// Reading is the reading of the request that Check verified.
	Reading Reading

	timestamp     string // as in the string to sign
	msg           message
	fallbacks     bool
	presignedS3   bool
	hosts         []string
	policy        string // of a form: the text that is signed
	inlineHeaders [12]string
}

func (s *Signed) algorithm() string {
	if s.Asymmetric {
		return algorithmECDSA
	}
	return algorithmHMAC
}

// Reading says which interpretation of a request its signature covers. What
// decides about the request, and what is passed on, must be that one.
type Reading struct {
	// RawQuery: the query bytes as they are; + does not mean a blank.
	RawQuery bool
	// SinglePath: the path was encoded once.
	SinglePath bool
	// WithoutToken: the token in the query was appended after signing.
	WithoutToken bool
	// Host is the host that was signed.
	Host string
}

// String shows neither signature nor token.
func (s *Signed) String() string {
	return fmt.Sprintf("%s %s/%s", s.algorithm(), s.AccessKeyID, appendScope(nil, s.algorithm(), s.Date, s.Region, s.Service))
}

// GoString is String.
func (s *Signed) GoString() string { return s.String() }

// Parse finds the one mechanism of a request and parses it strictly. It checks
// form, scope, that host and the headers the rules name are signed, the
// payload header, and last the time window around now. The error is an *Error.
func Parse(r *http.Request, rules Rules, now time.Time) (*Signed, error) {
	s := &Signed{fallbacks: rules.Fallbacks && !rules.S3, hosts: rules.Hosts}
	s.msg = message{
		method: r.Method, host: r.Host, header: r.Header, length: r.ContentLength, encoding: r.TransferEncoding,
		verbatim: rules.S3 || rules.VerbatimPath,
	}
	s.msg.path, s.msg.query = requestTarget(r)
	q := queryParameters{}
	if err := q.scan(s.msg.query); err != nil {
		return nil, err
	}
	if err := s.parseMechanism(&q, &rules); err != nil {
		return nil, err
	}
	if !wellEscaped(s.msg.path) {
		return nil, s.malformed("The request target holds a malformed percent-encoding.")
	}
	if err := s.checkHeaders(&rules); err != nil {
		return nil, err
	}
	if err := s.parsePayload(&q, &rules); err != nil {
		return nil, err
	}
	if err := s.checkTime(now, &rules); err != nil {
		return nil, err
	}
	return s, nil
}

// parseMechanism picks the mechanism; two at once are refused.
func (s *Signed) parseMechanism(q *queryParameters, rules *Rules) error {
	authorization := s.msg.header["Authorization"]
	presigned := q.seen[paramAlgorithm] || q.seen[paramCredential] || q.seen[paramSignature]
	v2 := q.seen[paramV2AccessKey] && q.seen[paramV2Signature]
	switch {
	case len(authorization) > 1, len(authorization) == 1 && (presigned || v2), presigned && v2:
		return refuse(FailureAuthTwice)
	case len(authorization) == 1:
		s.Mechanism = MechanismHeader
		return s.parseHeader(authorization[0], rules)
	case presigned:
		s.Mechanism = MechanismPresigned
		return s.parsePresigned(q, rules)
	case v2:
		return refuse(FailureSignatureV2)
	}
	return refuse(FailureMissingAuthentication)
}

// malformed refuses a request whose parts cannot be read; the failure depends
// on the mechanism.
func (s *Signed) malformed(format string, args ...any) *Error {
	f := FailureAuthMalformed
	if s.Mechanism == MechanismPresigned {
		f = FailurePresignMalformed
	}
	text := fmt.Sprintf(format, args...)
	return refuse(f).s3f("%s", text).queryf("%s %s", notConforming, text)
}

// only returns the one value of a header, "" if it is absent, and false if it
// is repeated.
func (s *Signed) only(key string) (string, bool) {
	switch v := s.msg.header[key]; len(v) {
	case 0:
		return "", true
	case 1:
		return v[0], true
	}
	return "", false
}

// setSignedHeaders parses a SignedHeaders list.
func (s *Signed) setSignedHeaders(list string) bool {
	names := s.inlineHeaders[:0]
	for {
		name, rest, more := strings.Cut(list, ";")
		if !headerName(name) || len(names) > 0 && names[len(names)-1] >= name || len(names) == maxSignedHeaders {
			return false
		}
		names = append(names, name)
		if !more {
			break
		}
		list = rest
	}
	s.SignedHeaders, s.msg.names = names, names
	return true
}

// headerName reports whether s is a header name in lower case.
func headerName(s string) bool {
	for i := 0; i < len(s); i++ {
		ch := s[i]
		if 'a' <= ch && ch <= 'z' || '0' <= ch && ch <= '9' || ch == '-' {
			continue
		}
		if strings.IndexByte("!#$%&'*+.^_`|~", ch) < 0 {
			return false
		}
	}
	return s != ""
}

// checkHeaders refuses what must be signed and is not.
func (s *Signed) checkHeaders(rules *Rules) error {
	if !slices.Contains(s.SignedHeaders, "host") {
		return refuse(FailureHostNotSigned, Detail{"HeadersNotSigned", "host"})
	}
	if slices.Contains(s.SignedHeaders, "authorization") {
		return s.malformed("A signature cannot cover the Authorization header.")
	}
	var unsigned []string
	if rules.S3 {
		for key := range s.msg.header {
			if len(key) < 6 || !strings.EqualFold(key[:6], "x-amz-") || strings.EqualFold(key, "x-amz-content-sha256") {
				continue
			}
			if !s.signs(key) {
				unsigned = append(unsigned, strings.ToLower(key))
			}
		}
	} else if !rules.UnsignedToken && len(s.msg.header["X-Amz-Security-Token"]) > 0 && !s.signs("x-amz-security-token") {
		unsigned = append(unsigned, "x-amz-security-token")
	}
	if s.Asymmetric && s.Mechanism == MechanismHeader && !rules.S3 && !s.signs(regionSetHeader) {
		unsigned = append(unsigned, "x-amz-region-set")
	}
	if len(unsigned) > 0 {
		slices.Sort(unsigned)
		return refuse(FailureHeadersNotSigned, Detail{"HeadersNotSigned", strings.Join(unsigned, ", ")}).
			queryf("%s Header(s) not signed: %s.", notConforming, shown(strings.Join(unsigned, ", ")))
	}
	return nil
}

func (s *Signed) signs(key string) bool {
	for _, name := range s.SignedHeaders {
		if len(name) == len(key) && strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}
