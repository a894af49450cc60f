package authn

import (
	"context"
	"crypto/subtle"
	"io"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
)

// APISecretLength is how long the secret of an API token is.
const APISecretLength = 32

const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// NewAPISecret makes the secret of an API token: 32 letters and digits, each as
// likely as any other (190 bits).
func NewAPISecret(random io.Reader) (identity.Secret, error) {
	// Bytes beyond the last whole number of alphabets are dropped: what is left
	// of them would favour the first letters.
	const usable = 256 - 256%len(alphanumerics)
	out := make([]byte, 0, APISecretLength)
	var b [2 * APISecretLength]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", &identity.Error{Kind: identity.KindInternal, Op: "authn.apisecret", Err: err}
		}
		for _, c := range b {
			if int(c) >= usable {
				continue
			}
			if out = append(out, alphanumerics[int(c)%len(alphanumerics)]); len(out) == APISecretLength {
				return identity.Secret(out), nil
			}
		}
	}
}

// APITokenPassword is how the secret of an API token is kept: as the sealed SRP
// verifier under the user's immutable subject and pool name, and nothing else.
// The secret has entropy enough to need no slow hash.
func (a *Authn) APITokenPassword(userID, poolName, subject string, secret identity.Secret, now time.Time) (*store.Password, error) {
	p := &store.Password{UserID: userID, ChangedAt: now}
	var verifier []byte
	var err error
	if p.SRPSalt, verifier, err = newSRP(a.random, poolName, subject, secret); err != nil {
		return nil, err
	}
	p.SRP, err = a.keys.Seal(store.Passwords.Name(), "srp", userID, verifier)
	return p, err
}

// SameAPISecret reports whether the stored secret of an API token is this one;
// false when there is none. For idempotent administration, not for log-ins.
func (a *Authn) SameAPISecret(ctx context.Context, userID, poolName, subject string, secret identity.Secret) (bool, error) {
	var pw *store.Password
	err := a.db.View(ctx, func(r store.Reader) (err error) {
		pw, err = store.Passwords.Get(r, userID)
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	verifier, err := a.keys.Unseal(store.Passwords.Name(), "srp", userID, pw.SRP)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(verifier, srpVerifier(pw.SRPSalt, poolName, subject, secret)) == 1, nil
}
