package authn

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// maxSealedState is the longest text of a sealed state that is opened.
const maxSealedState = 8 << 10

// sealState makes the text of what must come back to us; use binds it to what it
// is for.
func (a *Authn) sealState(use string, v any) (identity.Secret, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "authn.state", Err: err}
	}
	sealed, err := a.keys.Box(keyring.BoxChallenge).Seal(plain, []byte(use))
	if err != nil {
		return "", err
	}
	return identity.Secret(base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// openState opens what sealState made for the same use. KindValidation for
// anything else.
func (a *Authn) openState(use string, text identity.Secret, into any) error {
	bad := identity.NewError(identity.KindValidation, "authn.state", "This page is no longer good; load it again.")
	if len(text) > maxSealedState {
		return bad
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text.Reveal())
	if err != nil {
		return bad
	}
	plain, err := a.keys.Box(keyring.BoxChallenge).Open(sealed, []byte(use))
	if identity.KindOf(err) == identity.KindUnavailable {
		return err
	}
	if err != nil || json.Unmarshal(plain, into) != nil {
		return bad
	}
	return nil
}

// UsedOnce is a proof that is good once.
type UsedOnce struct {
	id      string
	expires time.Time
}

// Use uses the proof up, in the transaction that yields what it was shown for.
// KindInvalidGrant when it was used before.
func (u UsedOnce) Use(tx store.Tx) error {
	err := store.UsedProofs.Insert(tx, &store.UsedProof{ID: u.id, ExpiresAt: u.expires.UTC()})
	if identity.KindOf(err) == identity.KindAlreadyExists {
		return identity.NewError(identity.KindInvalidGrant, "authn.once", "This was used before; begin again.")
	}
	return err
}
