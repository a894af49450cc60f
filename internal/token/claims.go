package token

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"daypass/internal/identity"
)

// SessionClaims are what a session token says about its bearer. Principals are
// named by unique ID, never by name.
type SessionClaims struct {
	Kind      identity.PrincipalKind
	AccountID string
	Partition string
	// PrincipalID is the unique ID of the user, root user (account ID) or role.
	PrincipalID    string
	SessionName    string
	SourceIdentity string
	// ProviderARN and Audience are set for sessions by web identity.
	ProviderARN string
	Audience    string
	// Tags are the session's tags; TransitiveKeys those that role chaining
	// passes on.
	Tags           map[string]string
	TransitiveKeys []string
	// Policy is the session policy as compact JSON, PolicyARNs the managed ones.
	Policy     string
	PolicyARNs []string
	MFA        bool
	MFATime    time.Time // millisecond precision, as the following
	IssuedMS   int64     // Unix milliseconds
	ExpiresAt  time.Time
	Position   identity.Position
	Lineage    identity.Lineage
}

// The claims' encoding, version 1: a version byte, a kind byte, a flag byte,
// then the fields in the order of the struct. Strings are a uvarint length and
// bytes; integers are uvarints; lists and maps a uvarint count and entries, map
// keys ascending. Equal claims encode to equal bytes, and nothing else decodes.
const claimsVersion = 1

const flagMFA = 1 << 0

// kindCodes are sealed into tokens: never reuse one.
var kindCodes = map[identity.PrincipalKind]byte{
	identity.RootUser:    1,
	identity.IAMUser:     2,
	identity.RoleSession: 3,
	identity.Federated:   4,
	identity.ServiceID:   5,
}

var kindsByCode = func() (k [8]identity.PrincipalKind) {
	for kind, code := range kindCodes {
		k[code] = kind
	}
	return k
}()

// Bounds of lists, well above what the APIs allow.
const (
	maxTags       = 64
	maxPolicyARNs = 16
)

var errClaims = errors.New("malformed session claims")

// packedLen is the size of what PackedPolicySize counts: policies and tags.
func (c *SessionClaims) packedLen() int {
	n := len(c.Policy)
	for k, v := range c.Tags {
		n += len(k) + len(v) + 2
	}
	for _, s := range c.TransitiveKeys {
		n += len(s) + 1
	}
	for _, s := range c.PolicyARNs {
		n += len(s) + 1
	}
	return n
}

// appendClaims fails for claims that no token may carry.
func appendClaims(b []byte, c *SessionClaims) ([]byte, error) {
	code, ok := kindCodes[c.Kind]
	if !ok || len(c.Tags) > maxTags || len(c.TransitiveKeys) > maxTags || len(c.PolicyARNs) > maxPolicyARNs ||
		len(c.Lineage) > identity.MaxLineage {
		return nil, errClaims
	}
	var flags byte
	if c.MFA {
		flags |= flagMFA
	}
	b = append(b, claimsVersion, code, flags)
	for _, s := range [...]string{c.AccountID, c.Partition, c.PrincipalID, c.SessionName, c.SourceIdentity, c.ProviderARN, c.Audience} {
		b = appendString(b, s)
	}
	b = appendTags(b, c.Tags)
	b = appendStrings(b, c.TransitiveKeys)
	b = appendString(b, c.Policy)
	b = appendStrings(b, c.PolicyARNs)
	for _, ms := range [...]int64{unixMS(c.MFATime), c.IssuedMS, unixMS(c.ExpiresAt)} {
		if ms < 0 {
			return nil, errClaims
		}
		b = binary.AppendUvarint(b, uint64(ms))
	}
	b = appendString(b, c.Position.Incarnation)
	b = binary.AppendUvarint(b, c.Position.N)
	b = binary.AppendUvarint(b, uint64(len(c.Lineage)))
	for _, a := range c.Lineage {
		if a.IssuedMS < 0 {
			return nil, errClaims
		}
		b = appendString(b, string(a.Kind))
		b = appendString(b, a.ID)
		b = binary.AppendUvarint(b, uint64(a.IssuedMS))
	}
	return b, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func appendTags(b []byte, tags map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(tags)))
	if len(tags) == 0 {
		return b
	}
	keys := make([]string, 0, len(tags))
	for k := range tags {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		b = appendString(appendString(b, k), tags[k])
	}
	return b
}

// unixMS is 0 for the zero time.
func unixMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// reader takes fields off the front; after the first failure it yields zeros.
type reader struct {
	s      string
	failed bool
}

func (r *reader) fail() { r.s, r.failed = "", true }

func (r *reader) byte() byte {
	if len(r.s) == 0 {
		r.fail()
		return 0
	}
	b := r.s[0]
	r.s = r.s[1:]
	return b
}

// uvarint refuses overlong forms: one value has one encoding.
func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if r.failed || shift == 63 && b > 1 || b == 0 && shift > 0 {
			r.fail()
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.s)) {
		r.fail()
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) count(limit int) int {
	n := r.uvarint()
	if n > uint64(limit) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) ms() int64 {
	v := r.uvarint()
	if v > math.MaxInt64/1_000_000 { // still a valid time.Time in nanoseconds
		r.fail()
		return 0
	}
	return int64(v)
}

func (r *reader) strings(limit int) []string {
	n := r.count(limit)
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.string()
	}
	return out
}

func (r *reader) tags() map[string]string {
	n := r.count(maxTags)
	if n == 0 {
		return nil
	}
	out := make(map[string]string, n)
	last := ""
	for i := range n {
		k := r.string()
		if i > 0 && k <= last {
			r.fail()
			return nil
		}
		out[k], last = r.string(), k
	}
	return out
}

// decodeClaims is the inverse of appendClaims. The strings of the result share
// memory with s.
func decodeClaims(s string) (*SessionClaims, error) {
	r := &reader{s: s}
	c := new(SessionClaims)
	if r.byte() != claimsVersion {
		return nil, errClaims
	}
	code, flags := r.byte(), r.byte()
	if int(code) >= len(kindsByCode) || kindsByCode[code] == "" || flags&^flagMFA != 0 {
		return nil, errClaims
	}
	c.Kind, c.MFA = kindsByCode[code], flags&flagMFA != 0
	for _, f := range [...]*string{&c.AccountID, &c.Partition, &c.PrincipalID, &c.SessionName, &c.SourceIdentity, &c.ProviderARN, &c.Audience} {
		*f = r.string()
	}
	c.Tags = r.tags()
	c.TransitiveKeys = r.strings(maxTags)
	c.Policy = r.string()
	c.PolicyARNs = r.strings(maxPolicyARNs)
	c.MFATime = fromMS(r.ms())
	c.IssuedMS = r.ms()
	c.ExpiresAt = fromMS(r.ms())
	c.Position.Incarnation = r.string()
	c.Position.N = r.uvarint()
	if n := r.count(identity.MaxLineage); n > 0 {
		c.Lineage = make(identity.Lineage, n)
		for i := range c.Lineage {
			c.Lineage[i] = identity.Ancestor{Kind: identity.LineageKind(r.string()), ID: r.string(), IssuedMS: r.ms()}
		}
	}
	if r.failed || len(r.s) != 0 {
		return nil, errClaims
	}
	return c, nil
}
