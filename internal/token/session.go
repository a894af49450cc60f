package token

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
)

// Sizes of session keys.
const (
	// SessionKeyPrefix begins the access key IDs of session keys, and of
	// nothing that is stored.
	SessionKeyPrefix = "ASIA"
	// MaxTokenSize is the most characters of a session token.
	MaxTokenSize = 4096

	idRandom     = 10 // bytes behind the prefix: 16 characters
	idLength     = len(SessionKeyPrefix) + idRandom*8/5
	secretRandom = 30
	tokenVersion = 1
	headerSize   = 1 + 4   // version, epoch
	boxOverhead  = 24 + 16 // XAES-256-GCM nonce and tag
	maxRaw       = MaxTokenSize / 4 * 3
)

const labelSecret = "daypass session secret v1"

// Sessions mints and opens session keys. Nothing is stored: the token is the
// claims, sealed under the epoch, and the secret is derived from the access
// key ID.
type Sessions struct {
	keys  *keyring.Keyring
	clock identity.Clock
	rand  io.Reader
}

// NewSessions takes the source of the access key IDs' randomness
// (crypto/rand.Reader outside tests).
func NewSessions(k *keyring.Keyring, clock identity.Clock, rand io.Reader) *Sessions {
	return &Sessions{keys: k, clock: clock, rand: rand}
}

// ValidSessionKeyID reports whether id has the form of a session's access key
// ID: ASIA and 16 base32 characters.
func ValidSessionKeyID(id string) bool {
	if len(id) != idLength || !strings.HasPrefix(id, SessionKeyPrefix) {
		return false
	}
	for i := len(SessionKeyPrefix); i < len(id); i++ {
		if c := id[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// buffers hold plaintexts and associated data while a token is made or opened.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, MaxTokenSize); return &b }}

// Mint makes session keys for the claims; a zero IssuedMS becomes now. It also
// returns how much of the room for policies and tags is used, in percent, 0
// when there are none (STS PackedPolicySize).
//
// KindPolicyTooLarge: the token would exceed MaxTokenSize (the percentage is
// then above 100); KindValidation: it would outlive its epoch;
// KindUnavailable: no epoch to mint with.
func (s *Sessions) Mint(c *SessionClaims) (keys identity.SessionKeys, packedPercent int, err error) {
	const op = "token.mint"
	epoch, err := s.keys.CurrentEpoch()
	if err != nil {
		return keys, 0, err
	}
	now := s.clock.Now()
	if c.ExpiresAt.IsZero() || c.ExpiresAt.After(epoch.MaxExpiry(now)) {
		return keys, 0, &identity.Error{Kind: identity.KindValidation, Op: op, Public: "The requested duration is longer than session keys can live."}
	}
	if c.IssuedMS == 0 {
		issued := *c
		issued.IssuedMS = now.UnixMilli()
		c = &issued
	}
	id, err := s.newID()
	if err != nil {
		return keys, 0, &identity.Error{Kind: identity.KindInternal, Op: op, Err: err}
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	plain, err := appendClaims((*buf)[:0], c)
	if err != nil {
		return keys, 0, &identity.Error{Kind: identity.KindInternal, Op: op, Err: err}
	}
	room := maxRaw - headerSize - boxOverhead - len(plain)
	if packed := c.packedLen(); packed > 0 {
		whole := max(packed+room, 1)
		packedPercent = (100*packed + whole - 1) / whole
	}
	if room < 0 {
		return keys, max(packedPercent, 101), &identity.Error{Kind: identity.KindPolicyTooLarge, Op: op}
	}
	n := len(plain)
	plain = s.appendAAD(plain, epoch.Number, id)
	*buf = plain
	box, err := epoch.Seal(plain[:n], plain[n:])
	if err != nil {
		return keys, 0, err
	}
	return identity.SessionKeys{
		AccessKeyID:     id,
		SecretAccessKey: s.secret(epoch, id),
		SessionToken:    encodeToken(epoch.Number, box),
		Expiration:      c.ExpiresAt,
	}, packedPercent, nil
}

func (s *Sessions) newID() (string, error) {
	var raw [idRandom]byte
	if _, err := io.ReadFull(s.rand, raw[:]); err != nil {
		return "", err
	}
	var id [idLength]byte
	copy(id[:], SessionKeyPrefix)
	base32.StdEncoding.Encode(id[len(SessionKeyPrefix):], raw[:])
	return string(id[:]), nil
}

// appendAAD binds a token to its version, epoch, installation and access key.
func (s *Sessions) appendAAD(b []byte, epoch uint32, id string) []byte {
	b = append(b, tokenVersion)
	b = binary.BigEndian.AppendUint32(b, epoch)
	b = appendString(b, s.keys.Installation())
	return appendString(b, id)
}

// secret derives the secret access key: 30 bytes as 40 characters, like AWS's.
func (s *Sessions) secret(epoch *keyring.Epoch, id string) identity.Secret {
	var msg [160]byte
	m := appendString(appendString(appendString(msg[:0], labelSecret), s.keys.Installation()), id)
	var sum [32]byte
	mac := epoch.Derive(sum[:0], m)
	return identity.Secret(base64.StdEncoding.EncodeToString(mac[:secretRandom]))
}

func encodeToken(epoch uint32, box []byte) identity.Secret {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	b := append((*buf)[:0], tokenVersion)
	b = binary.BigEndian.AppendUint32(b, epoch)
	b = append(b, box...)
	*buf = b
	return identity.Secret(base64.StdEncoding.EncodeToString(b))
}

var errToken = &identity.Error{Kind: identity.KindInvalidToken, Op: "token.open"}

// Open checks that a token is ours and belongs to the access key ID, and
// returns its claims and the secret. It judges neither expiry nor revocation.
//
// KindInvalidToken: malformed, forged, of another installation or access key;
// KindExpiredToken: of an epoch that was destroyed, or from before a restore;
// KindUnavailable: of an epoch unknown here while the store is away.
func (s *Sessions) Open(ctx context.Context, accessKeyID, sessionToken string) (*SessionClaims, identity.Secret, error) {
	if !ValidSessionKeyID(accessKeyID) || len(sessionToken) > MaxTokenSize ||
		len(sessionToken) < base64.StdEncoding.EncodedLen(headerSize+boxOverhead) {
		return nil, "", errToken
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	raw, err := strictBase64.AppendDecode((*buf)[:0], []byte(sessionToken))
	// The decoder skips line breaks; a token has one text.
	if err != nil || base64.StdEncoding.EncodedLen(len(raw)) != len(sessionToken) || len(raw) < headerSize+boxOverhead || raw[0] != tokenVersion {
		return nil, "", errToken
	}
	n := len(raw)
	raw = s.appendAAD(raw, binary.BigEndian.Uint32(raw[1:]), accessKeyID)
	*buf = raw
	epoch, err := s.keys.EpochByNumber(ctx, binary.BigEndian.Uint32(raw[1:]))
	if err != nil {
		return nil, "", err
	}
	plain, err := epoch.Open(raw[headerSize:n], raw[n:])
	if err != nil {
		return nil, "", err
	}
	c, err := decodeClaims(string(plain))
	if err != nil {
		return nil, "", &identity.Error{Kind: identity.KindInvalidToken, Op: "token.open", Err: errors.Join(err, errOurSeal)}
	}
	return c, s.secret(epoch, accessKeyID), nil
}

// CheckEpoch judges the epoch of a token that Open has opened before: an epoch
// may be destroyed ahead of its time, and what it sealed goes with it, wherever
// it is kept opened. Errors as of Open.
func (s *Sessions) CheckEpoch(ctx context.Context, sessionToken string) error {
	const head = (headerSize + 2) / 3 * 4 // characters that hold the header
	var raw [head / 4 * 3]byte
	if len(sessionToken) < head {
		return errToken
	}
	if _, err := strictBase64.Decode(raw[:], []byte(sessionToken[:head])); err != nil {
		return errToken
	}
	_, err := s.keys.EpochByNumber(ctx, binary.BigEndian.Uint32(raw[1:]))
	return err
}

var errOurSeal = errors.New("the seal is ours")

var strictBase64 = base64.StdEncoding.Strict()

// MaxExpiry is the latest expiry that Mint accepts now.
func (s *Sessions) MaxExpiry() (time.Time, error) {
	epoch, err := s.keys.CurrentEpoch()
	if err != nil {
		return time.Time{}, err
	}
	return epoch.MaxExpiry(s.clock.Now()), nil
}
