package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"

	"github.com/tink-crypto/tink-go/v2/tink"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// Sealed values begin with a format byte and the version of their key set.
const (
	sealFormat   = 1
	sealPrefix   = 5
	hashBytes    = sha256.Size
	maxPlaintext = 16 << 20
)

// Seal encrypts a column of a row for keeping. Table, column and row are bound
// to the result: it opens nowhere else.
func (k *Keyring) Seal(table, column, row string, plaintext []byte) ([]byte, error) {
	v := k.state.Load().sets[setAtRest].active(k.clock.Now())
	return sealWith(v.n, v.aead, plaintext, rowAAD(table, column, row))
}

// Unseal opens what Seal made under any version still kept. KindInternal when
// the value is damaged or belongs elsewhere; KindUnavailable when its version
// is unknown here and the store cannot be asked.
func (k *Keyring) Unseal(table, column, row string, sealed []byte) ([]byte, error) {
	n, box, ok := splitSealed(sealed)
	if !ok {
		return nil, internal("keyring.unseal", errors.New("not a sealed value"))
	}
	v, err := k.keySetVersion(setAtRest, n)
	if err != nil {
		return nil, err
	}
	plain, err := v.aead.Decrypt(box, rowAAD(table, column, row))
	if err != nil {
		return nil, internal("keyring.unseal", errors.New("sealed value of "+table+"."+column+" does not open"))
	}
	return plain, nil
}

// Stale reports whether a sealed value should be sealed anew because a newer
// version of the at-rest keys is in use.
func (k *Keyring) Stale(sealed []byte) bool {
	n, _, ok := splitSealed(sealed)
	v := k.state.Load().sets[setAtRest].active(k.clock.Now())
	return ok && n < v.n
}

// keySetVersion finds a version, asking the store once when it is not known.
func (k *Keyring) keySetVersion(set string, n uint32) (*version, error) {
	vs := k.state.Load().sets[set]
	if v := vs.byNumber(n); v != nil {
		return v, nil
	}
	missing := internal("keyring.version", errors.New("no such version of key set "+set))
	name, now := keySetName(set, n), k.clock.Now()
	if n < vs[0].n || n > vs[0].n+maxAhead || k.absent.has(name, now) {
		return nil, missing
	}
	if err := k.refetch(context.Background()); err != nil {
		return nil, err
	}
	if v := k.state.Load().sets[set].byNumber(n); v != nil {
		return v, nil
	}
	k.absent.add(name, now)
	return nil, missing
}

func sealWith(n uint32, a tink.AEAD, plaintext, aad []byte) ([]byte, error) {
	if len(plaintext) > maxPlaintext {
		return nil, &identity.Error{Kind: identity.KindTooLarge, Op: "keyring.seal"}
	}
	box, err := a.Encrypt(plaintext, aad)
	if err != nil {
		return nil, internal("keyring.seal", err)
	}
	out := make([]byte, sealPrefix, sealPrefix+len(box))
	out[0] = sealFormat
	binary.BigEndian.PutUint32(out[1:], n)
	return append(out, box...), nil
}

func splitSealed(b []byte) (n uint32, box []byte, ok bool) {
	if len(b) < sealPrefix || b[0] != sealFormat {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b[1:]), b[sealPrefix:], true
}

// Hash returns the keyed hash of a value under the newest active version, as
// "v<version>.<base64url>". The label says what the value is, so that equal
// values of different things do not hash alike.
func (k *Keyring) Hash(label string, value []byte) string {
	v := k.state.Load().sets[setHash].active(k.clock.Now())
	return hashUnder(v, label, value)
}

// HashKept is Hash under the newest version that a state of the store has, for what
// leaves together with that state and is judged by it alone.
func (k *Keyring) HashKept(r store.Reader, label string, value []byte) (string, error) {
	for _, v := range k.state.Load().sets[setHash] {
		_, err := store.KeySets.Get(r, keySetName(setHash, v.n))
		if err == nil {
			return hashUnder(v, label, value), nil
		}
		if identity.KindOf(err) != identity.KindNotFound {
			return "", err
		}
	}
	return "", internal("keyring.hash", errors.New("the store has none of the hash keys"))
}

// Hashes returns the hashes under every live version, newest first, for
// look-ups; whoever finds a record under an older one than Hash gives stores
// it anew under Hash.
func (k *Keyring) Hashes(label string, value []byte) []string {
	vs := k.state.Load().sets[setHash]
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = hashUnder(v, label, value)
	}
	return out
}

// Enumeration returns 32 bytes that depend on the value and on a key that is
// never rotated: fake salts and the like must look the same for ever.
func (k *Keyring) Enumeration(label string, value []byte) []byte {
	vs := k.state.Load().sets[setEnumeration]
	return prfUnder(vs[len(vs)-1], label, value)
}

func hashUnder(v *version, label string, value []byte) string {
	b := make([]byte, 0, 56)
	b = append(b, 'v')
	b = strconv.AppendUint(b, uint64(v.n), 10)
	b = append(b, '.')
	return string(base64.RawURLEncoding.AppendEncode(b, prfUnder(v, label, value)))
}

func prfUnder(v *version, label string, value []byte) []byte {
	in := make([]byte, 0, 4+len(label)+len(value))
	in = binary.BigEndian.AppendUint32(in, uint32(len(label)))
	in = append(in, label...)
	in = append(in, value...)
	out, err := v.prf.ComputePrimaryPRF(in, hashBytes)
	if err != nil { // HMAC-SHA256 always yields 32 bytes
		panic("keyring: " + err.Error())
	}
	return out
}

// Box seals short-lived values that leave us and come back: cursors, cookies,
// challenges, encoded messages. Each label has its own key.
type Box struct {
	k     *Keyring
	label string
}

// Labels of the boxes.
const (
	BoxCursor         = "cursor"
	BoxCookie         = "cookie"
	BoxChallenge      = "challenge"
	BoxRefresh        = "refresh"
	BoxEncodedMessage = "encoded-message"
)

// Box returns the box with a label.
func (k *Keyring) Box(label string) *Box { return &Box{k, label} }

// Seal encrypts a value and binds it to aad.
func (b *Box) Seal(plaintext, aad []byte) ([]byte, error) {
	v := b.k.state.Load().sets[setBox].active(b.k.clock.Now())
	a, err := v.boxes(b.label)
	if err != nil {
		return nil, err
	}
	return sealWith(v.n, a, plaintext, aad)
}

// Open decrypts what Seal made with the same label and aad. KindValidation for
// everything else; KindUnavailable when its key is unknown here and the store
// cannot be asked.
func (b *Box) Open(sealed, aad []byte) ([]byte, error) {
	refused := invalid("keyring.box", "")
	n, box, ok := splitSealed(sealed)
	if !ok {
		return nil, refused
	}
	v, err := b.k.keySetVersion(setBox, n)
	if identity.KindOf(err) == identity.KindUnavailable {
		return nil, err
	}
	if err != nil {
		return nil, refused
	}
	a, err := v.boxes(b.label)
	if err != nil {
		return nil, err
	}
	plain, err := a.Decrypt(box, aad)
	if err != nil {
		return nil, refused
	}
	return plain, nil
}

type aeadKey struct{ tink.AEAD }

// boxCache derives the key of a label once. Labels are constants of the
// callers, so the cache is small.
func boxCache(v *version) func(string) (*aeadKey, error) {
	var cache sync.Map
	return func(label string) (*aeadKey, error) {
		if a, ok := cache.Load(label); ok {
			return a.(*aeadKey), nil
		}
		key, err := v.prf.ComputePrimaryPRF([]byte("daypass box "+label), 32)
		if err != nil {
			return nil, internal("keyring.box", err)
		}
		a, err := NewXAES(key)
		if err != nil {
			return nil, err
		}
		got, _ := cache.LoadOrStore(label, &aeadKey{a})
		return got.(*aeadKey), nil
	}
}
