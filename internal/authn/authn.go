package authn

import (
	"context"
	"crypto"
	"crypto/rand"
	"io"
	"log/slog"

	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
)

// KeySource finds the public key of a provider's issuer by key ID (package
// egress does). KindProviderUnreachable when it cannot, KindInvalidIdentity when the
// issuer has no such key.
type KeySource interface {
	Key(ctx context.Context, p *identity.Provider, kid, alg string) (crypto.PublicKey, error)
}

// Options of an Authn.
type Options struct {
	DB      *store.DB
	Keyring *keyring.Keyring
	Issuers KeySource
	Clock   identity.Clock
	Log     *slog.Logger
	Random  io.Reader // crypto/rand when nil
	// ExternalURL is what the issuers of our own realms begin with.
	ExternalURL string
	// ConsoleURL is where people log in, by passkey too: its host name is the
	// passkeys' relying party. "" where there is no console.
	ConsoleURL string
	// Web reaches the foreign issuers by which people log in (package egress
	// does); nil where they cannot.
	Web    Web
	Limits Limits
	// HashWorkers is how many argon2 hashes run at once (GOMAXPROCS when 0) and
	// HashQueue how many may wait (64 per worker when 0).
	HashWorkers, HashQueue int
	// HashMemory of new passwords, in KiB; 19 MiB when 0. Only tests, which hash
	// thousands, set it.
	HashMemory uint32
}

// Authn checks proofs.
type Authn struct {
	db       *store.DB
	keys     *keyring.Keyring
	issuers  KeySource
	clock    identity.Clock
	log      *slog.Logger
	random   io.Reader
	external string
	guesses  *guesses
	hashing  *hashing // of argon2
	powers   *hashing // of SRP: its first step needs no proof, and must starve nobody else
	seen     *tokenCache
	passkeys *relyingParty
	foreign  *foreignIssuers
}

// New makes an Authn.
func New(o Options) (*Authn, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	g, err := newGuesses(o.Limits)
	if err != nil {
		return nil, err
	}
	a := &Authn{
		db: o.DB, keys: o.Keyring, issuers: o.Issuers, clock: o.Clock, log: o.Log, random: o.Random,
		external: o.ExternalURL, guesses: g, hashing: newHashing(o.HashWorkers, o.HashQueue, o.HashMemory), powers: newHashing(o.HashWorkers, o.HashQueue, 0), seen: newTokenCache(4096),
		passkeys: newRelyingParty(o.ConsoleURL), foreign: newForeignIssuers(o.Web, o.ConsoleURL, o.Clock),
	}
	return a, nil
}
