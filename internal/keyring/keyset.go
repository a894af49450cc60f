package keyring

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// The key sets. Each version is a row of its own, a tink keyset of one key.
const (
	setAtRest      = "at-rest"
	setHash        = "hash"
	setEnumeration = "enumeration"
	setBox         = "box"
)

var keySetTemplates = map[string]func() *tinkpb.KeyTemplate{
	setAtRest:      aead.XAES256GCM192BitNonceNoPrefixKeyTemplate,
	setHash:        prf.HMACSHA256PRFKeyTemplate,
	setEnumeration: prf.HMACSHA256PRFKeyTemplate,
	setBox:         prf.HKDFSHA256PRFKeyTemplate,
}

// version is one opened key set.
type version struct {
	n          uint32
	createdAt  time.Time
	activeFrom time.Time
	sealed     []byte
	aead       tink.AEAD                      // at-rest
	prf        *prf.Set                       // hash, enumeration, box
	boxes      func(string) (*aeadKey, error) // box: by label, made once
}

// versions are sorted, newest first.
type versions []*version

func (vs versions) byNumber(n uint32) *version {
	for _, v := range vs {
		if v.n == n {
			return v
		}
	}
	return nil
}

// active is the newest version whose time has come; the oldest when a clock
// stands before them all. A loaded keyring has at least one of each set.
func (vs versions) active(now time.Time) *version {
	for _, v := range vs {
		if !v.activeFrom.After(now) {
			return v
		}
	}
	return vs[len(vs)-1]
}

func keySetName(set string, n uint32) string { return fmt.Sprintf("%s/%010d", set, n) }

func splitKeySetName(name string) (set string, n uint32, ok bool) {
	set, num, ok := strings.Cut(name, "/")
	v, err := strconv.ParseUint(num, 10, 32)
	return set, uint32(v), ok && err == nil
}

// newKeySet makes a version, sealed under the root key.
func newKeySet(root tink.AEAD, set string, n uint32, created, active time.Time) (*store.KeySet, error) {
	h, err := keyset.NewHandle(keySetTemplates[set]())
	if err != nil {
		return nil, internal("keyring.new", err)
	}
	name := keySetName(set, n)
	var buf bytes.Buffer
	err = h.WriteWithAssociatedData(keyset.NewBinaryWriter(&buf), root, rowAAD(store.KeySets.Name(), "keyset", name))
	if err != nil {
		return nil, internal("keyring.new", err)
	}
	return &store.KeySet{Name: name, Sealed: buf.Bytes(), CreatedAt: created, ActiveFrom: active}, nil
}

func openKeySet(root tink.AEAD, row *store.KeySet) (set string, v *version, err error) {
	set, n, ok := splitKeySetName(row.Name)
	if _, known := keySetTemplates[set]; !ok || !known {
		return "", nil, internal("keyring.open", fmt.Errorf("unknown key set %q", row.Name))
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(row.Sealed)), root, rowAAD(store.KeySets.Name(), "keyset", row.Name))
	if err != nil {
		return "", nil, &identity.Error{
			Kind: identity.KindValidation, Op: "keyring.open",
			Public: "The root key does not open the keys of this installation.", Err: fmt.Errorf("key set %q: %w", row.Name, err),
		}
	}
	v = &version{n: n, createdAt: row.CreatedAt, activeFrom: row.ActiveFrom, sealed: row.Sealed}
	if set == setAtRest {
		v.aead, err = aead.New(h)
	} else {
		v.prf, err = prf.NewPRFSet(h)
	}
	if set == setBox {
		v.boxes = boxCache(v)
	}
	if err != nil {
		return "", nil, internal("keyring.open", err)
	}
	return set, v, nil
}

// NewXAES returns XAES-256-GCM (192-bit random nonces) under 32 bytes.
func NewXAES(key []byte) (tink.AEAD, error) {
	params, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, 12)
	if err != nil {
		return nil, internal("keyring.xaes", err)
	}
	k, err := xaesgcm.NewKey(secretdata.NewBytesFromData(key, insecuresecretdataaccess.Token{}), 0, params)
	if err != nil {
		return nil, internal("keyring.xaes", err)
	}
	m := keyset.NewManager()
	id, err := m.AddKey(k)
	if err != nil {
		return nil, internal("keyring.xaes", err)
	}
	if err = m.SetPrimary(id); err != nil {
		return nil, internal("keyring.xaes", err)
	}
	h, err := m.Handle()
	if err != nil {
		return nil, internal("keyring.xaes", err)
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, internal("keyring.xaes", err)
	}
	return a, nil
}

// rowAAD names one sealed column of one row, unambiguously.
func rowAAD(table, column, row string) []byte { return lengthPrefixed(table, column, row) }

func lengthPrefixed(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += 4 + len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

func (k *Keyring) loadKeySets(r store.Reader, prev, st *state, strict bool) error {
	rows, err := store.KeySets.List(r, "", "", store.After{}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		set, n, _ := splitKeySetName(row.Name)
		v := prev.sets[set].byNumber(n)
		if v == nil || !bytes.Equal(v.sealed, row.Sealed) || !v.activeFrom.Equal(row.ActiveFrom) {
			if set, v, err = openKeySet(k.root, row); err != nil {
				if strict {
					return err
				}
				k.damaged("key set "+row.Name, err)
				continue
			}
		}
		st.sets[set] = append(st.sets[set], v)
	}
	for _, vs := range st.sets {
		slices.SortFunc(vs, func(a, b *version) int { return cmp.Compare(b.n, a.n) })
	}
	return nil
}
