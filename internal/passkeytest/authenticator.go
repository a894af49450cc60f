package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"testing"
)

// Authenticator is a passkey authenticator in software, with the browser around
// it: one discoverable ES256 credential, no attestation. Tests bend its fields.
type Authenticator struct {
	// Origin is what the browser says where it is; RPID, when set, is used in
	// place of the one asked for.
	Origin, RPID string
	// Unverified leaves the person unverified.
	Unverified bool
	// Count is the signature counter; each answer shows the next one, unless
	// Still.
	Count uint32
	Still bool
	// Type, when set, stands for the ceremony's type in the client data.
	Type string

	key      *ecdsa.PrivateKey
	id, user []byte
}

// New makes an authenticator in a browser that is at a URL.
func New(t testing.TB, at string) *Authenticator {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authenticator{Origin: u.Scheme + "://" + u.Host, key: key, id: make([]byte, 32)}
	_, _ = rand.Read(a.id)
	return a
}

type publicKeyOptions struct {
	PublicKey struct {
		Challenge string                            `json:"challenge"`
		RPID      string                            `json:"rpId"`
		RP        struct{ ID string }               `json:"rp"`
		User      struct{ ID string }               `json:"user"`
		Exclude   []struct{ ID string }             `json:"excludeCredentials"`
		Selection struct{ UserVerification string } `json:"authenticatorSelection"`
	} `json:"publicKey"`
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (a *Authenticator) ask(t testing.TB, options json.RawMessage) publicKeyOptions {
	t.Helper()
	var o publicKeyOptions
	if err := json.Unmarshal(options, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func (a *Authenticator) clientData(t testing.TB, kind, challenge string) []byte {
	t.Helper()
	if a.Type != "" {
		kind = a.Type
	}
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// data is the authenticator data (Web Authentication §6.1).
func (a *Authenticator) data(rpID string, attested bool) []byte {
	if a.RPID != "" {
		rpID = a.RPID
	}
	hash := sha256.Sum256([]byte(rpID))
	flags := byte(0x01)
	if !a.Unverified {
		flags |= 0x04
	}
	if attested {
		flags |= 0x40
	}
	if !a.Still {
		a.Count++
	}
	out := append(hash[:], flags)
	return binary.BigEndian.AppendUint32(out, a.Count)
}

// Create answers navigator.credentials.create, as a page sends it.
func (a *Authenticator) Create(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	o := a.ask(t, options)
	user, err := base64.RawURLEncoding.DecodeString(o.PublicKey.User.ID)
	if err != nil || len(user) == 0 {
		t.Fatalf("user handle %q: %v", o.PublicKey.User.ID, err)
	}
	a.user = user
	data := a.data(o.PublicKey.RP.ID, true)
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(append(data, a.id...), a.coseKey()...)
	// {"fmt": "none", "attStmt": {}, "authData": data} in CBOR
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"), byte(len(data)>>8), byte(len(data)))
	object = append(object, data...)
	return a.answer(t, map[string]any{
		"clientDataJSON": encoded(a.clientData(t, "webauthn.create", o.PublicKey.Challenge)), "attestationObject": encoded(object),
		"transports": []string{"internal", "carrier-pigeon"},
	})
}

// coseKey is the public key as COSE_Key (RFC 9053 §7.1.1).
func (a *Authenticator) coseKey() []byte {
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	out := append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, point[1:33]...)
	return append(append(out, 0x22, 0x58, 32), point[33:]...)
}

// Get answers navigator.credentials.get.
func (a *Authenticator) Get(t testing.TB, options json.RawMessage) []byte {
	t.Helper()
	o := a.ask(t, options)
	client := a.clientData(t, "webauthn.get", o.PublicKey.Challenge)
	data := a.data(o.PublicKey.RPID, false)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return a.answer(t, map[string]any{
		"clientDataJSON": encoded(client), "authenticatorData": encoded(data), "signature": encoded(signature), "userHandle": encoded(a.user),
	})
}

func (a *Authenticator) answer(t testing.TB, response map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"id": encoded(a.id), "rawId": encoded(a.id), "type": "public-key", "response": response})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// SetUser makes the authenticator claim to be another user's.
func (a *Authenticator) SetUser(id string) { a.user = []byte(id) }
