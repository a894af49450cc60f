package directory

import (
	"encoding/base64"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// Markers are sealed to the account and the listing, so that one cannot be
// made up, nor used to look into another account's list.

func (d *Directory) sealMarker(c *identity.Caller, listing string, at store.After) (string, error) {
	b, err := d.keys.Box(keyring.BoxCursor).Seal([]byte(at.Value+"\x01"+at.Key), []byte(listing+"\x00"+c.AccountID))
	return base64.RawURLEncoding.EncodeToString(b), err
}

func (d *Directory) openMarker(c *identity.Caller, listing, marker string) (store.After, error) {
	if marker == "" {
		return store.After{}, nil
	}
	bad := invalid("Invalid Marker.")
	if len(marker) > 1024 {
		return store.After{}, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil {
		return store.After{}, bad
	}
	b, err = d.keys.Box(keyring.BoxCursor).Open(b, []byte(listing+"\x00"+c.AccountID))
	if err != nil {
		return store.After{}, bad
	}
	value, key, ok := strings.Cut(string(b), "\x01")
	if !ok {
		return store.After{}, bad
	}
	return store.After{Value: value, Key: key}, nil
}
