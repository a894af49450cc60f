package authn

import (
	"context"
	"encoding/base64"
	"io"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// A passcode is 12 characters of Crockford's base 32 (60 random bits), which
// people read and type: no letter looks like a digit, and case does not count.
const (
	passcodeLength   = 12
	passcodeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	passcodeLabel    = "passcode"
	// maxPasscode is the longest text that is looked at.
	maxPasscode = 64

	authorizationCodeBytes = 32
	authorizationCodeLabel = "authorization-code"
)

// NewPasscode makes the text of a passcode, in groups of four, and the hash it is
// kept by.
func (a *Authn) NewPasscode() (identity.Secret, string, error) {
	var b [passcodeLength]byte
	if _, err := io.ReadFull(a.random, b[:]); err != nil {
		return "", "", &identity.Error{Kind: identity.KindInternal, Op: "authn.passcode", Err: err}
	}
	for i := range b {
		b[i] = passcodeAlphabet[b[i]%byte(len(passcodeAlphabet))]
	}
	text := identity.Secret(string(b[:4]) + "-" + string(b[4:8]) + "-" + string(b[8:]))
	return text, a.keys.Hash(passcodeLabel, b[:]), nil
}

// PasscodeHashes are those that a passcode may be kept by, newest key first,
// however it was typed; none for what cannot be one.
func (a *Authn) PasscodeHashes(text identity.Secret) []string {
	typed, ok := typedPasscode(text.Reveal())
	if !ok {
		return nil
	}
	return a.keys.Hashes(passcodeLabel, []byte(typed))
}

// typedPasscode reads what people type: either case, with or without hyphens and
// spaces, and the letters that the alphabet has not for the digits that they look
// like.
func typedPasscode(text string) (string, bool) {
	if len(text) > maxPasscode {
		return "", false
	}
	b := make([]byte, 0, passcodeLength)
	for _, r := range strings.ToUpper(text) {
		switch r {
		case '-', ' ', '\t', '\r', '\n':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if len(b) == passcodeLength || !strings.ContainsRune(passcodeAlphabet, r) {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), len(b) == passcodeLength
}

// Passcode finds a passcode that is good, and its user. An unknown, a used and an
// expired one, and one of a user who is gone, give the same
// KindInvalidCredentials; too many of those from one address, in whatever dialect,
// KindThrottled. Who yields something for it uses it up, and judges it again, in
// its own transaction.
func (a *Authn) Passcode(ctx context.Context, text identity.Secret) (*store.Passcode, *identity.User, error) {
	return a.oneTimeCode(ctx, passcodeLabel, text, a.PasscodeHashes(text))
}

// NewAuthorizationCode makes the text of an authorization code (RFC 6749 §4.1.2,
// 256 bits), and the hash it is kept by.
func (a *Authn) NewAuthorizationCode() (identity.Secret, string, error) {
	var b [authorizationCodeBytes]byte
	if _, err := io.ReadFull(a.random, b[:]); err != nil {
		return "", "", &identity.Error{Kind: identity.KindInternal, Op: "authn.code", Err: err}
	}
	text := identity.Secret(base64.RawURLEncoding.EncodeToString(b[:]))
	return text, a.keys.Hash(authorizationCodeLabel, []byte(text.Reveal())), nil
}

// AuthorizationCode is Passcode for authorization codes. The code comes with the
// error too where it was used before.
func (a *Authn) AuthorizationCode(ctx context.Context, text identity.Secret) (*store.Passcode, *identity.User, error) {
	var hashes []string
	if len(text) <= maxPasscode {
		hashes = a.keys.Hashes(authorizationCodeLabel, []byte(text.Reveal()))
	}
	return a.oneTimeCode(ctx, authorizationCodeLabel, text, hashes)
}

func (a *Authn) oneTimeCode(ctx context.Context, label string, text identity.Secret, hashes []string) (*store.Passcode, *identity.User, error) {
	guessed := a.keys.Hash(label, []byte(text.Reveal()[:min(len(text), maxPasscode)]))
	try, err := a.guesses.begin(ctx, label+"/"+guessed, identity.RequestOf(ctx).SourceIP)
	if err != nil {
		return nil, nil, err
	}
	defer try.end()
	code, err := a.findPasscode(ctx, hashes)
	var user *identity.User
	if err == nil && code != nil {
		user, err = store.Lookup(ctx, a.db, store.Users, code.UserID)
		err = orNothing(err)
	}
	if err != nil {
		try.giveBack(ctx)
		return nil, nil, err
	}
	if user == nil || user.Disabled || user.AccountID != code.AccountID || !code.Live(a.clock.Now()) {
		return code, nil, &identity.Error{Kind: identity.KindInvalidCredentials, Op: "authn.passcode"}
	}
	try.giveBack(ctx)
	return code, user, nil
}

// findPasscode returns nil when there is none.
func (a *Authn) findPasscode(ctx context.Context, hashes []string) (code *store.Passcode, err error) {
	err = a.db.View(ctx, func(r store.Reader) error {
		code = nil
		for _, hash := range hashes {
			found, err := store.Passcodes.By(r, "hash", hash)
			if err == nil {
				code = found
			} else if identity.KindOf(err) != identity.KindNotFound {
				return err
			}
		}
		return nil
	})
	return code, err
}
