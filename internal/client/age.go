package client

import (
	"bytes"
	"errors"
	"io"

	"filippo.io/age"

	"daypass/internal/identity"
)

// ageWork is scrypt's cost, as a power of two: some 60 ms. It is paid at every
// use of the store, and guards what dies within hours.
const ageWork = 14

// ageBackend seals files by a passphrase (age-encryption.org/v1, scrypt).
type ageBackend struct {
	files      fileBackend
	passphrase func() (identity.Secret, error)
}

func (b *ageBackend) secret() (string, error) {
	if b.passphrase != nil {
		p, err := b.passphrase()
		if err != nil || p != "" {
			return p.Reveal(), err
		}
	}
	return "", identity.NewError(identity.KindValidation, "client.age",
		"sessions are sealed by a passphrase and there is none: set DAYPASS_KEYRING_PASSPHRASE_FILE to a file, or DAYPASS_KEYRING_PASSPHRASE; --backend file keeps sessions unsealed")
}

func (b *ageBackend) get(profile string) ([]byte, error) {
	sealed, err := b.files.get(profile)
	if err != nil || sealed == nil {
		return nil, err
	}
	passphrase, err := b.secret()
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	var noMatch *age.NoIdentityMatchError
	if errors.As(err, &noMatch) {
		return nil, identity.NewError(identity.KindValidation, "client.age",
			b.files.path(profile)+" is sealed by another passphrase: correct DAYPASS_KEYRING_PASSPHRASE or its file, or remove that file and log in again")
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func (b *ageBackend) put(profile string, data []byte) error {
	passphrase, err := b.secret()
	if err != nil {
		return err
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return err
	}
	to.SetWorkFactor(ageWork)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return b.files.put(profile, sealed.Bytes())
}

func (b *ageBackend) remove(profile string) error { return b.files.remove(profile) }
