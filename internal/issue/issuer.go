package issue

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/singleflight"

	"daypass/internal/access"
	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
	"daypass/internal/token"
	"daypass/internal/upstream"
)

// maxClockSkew is how far this node's clock may be off the store's before it
// stops issuing.
const maxClockSkew = 5 * time.Second

// Options of an Issuer.
type Options struct {
	DB       *store.DB
	Keyring  *keyring.Keyring
	Sessions *token.Sessions
	JWTs     *token.JWTs
	Authn    *authn.Authn
	Access   *access.Access
	Audit    *audit.Log
	Clock    identity.Clock
	Log      *slog.Logger
	Random   io.Reader // crypto/rand when nil
	// ExternalURL is what the issuers of our own realms begin with.
	ExternalURL string
	// MinDurationSeconds is the least lifetime of session keys (900).
	MinDurationSeconds int
	// AccessKeyMaxAge is how long new long-term keys live; 0: until they are
	// deleted. An account may have a shorter time of its own.
	AccessKeyMaxAge time.Duration
	// PoolSessionSeconds is how long session keys of identity pools live at most
	// (3600); a role's MaxSessionDuration may be less.
	PoolSessionSeconds int
	// Minted is told of every session that was minted, for the index of
	// sessions. It must not block; nil when nobody wants to know.
	Minted func(store.SessionRecord)
	// Brokers finds the STS of an upstream by its name, for token services that
	// give its keys; nil when there are none.
	Brokers func(upstream string) (*upstream.STS, bool)
}

// Issuer mints credentials.
type Issuer struct {
	db       *store.DB
	keys     *keyring.Keyring
	sessions *token.Sessions
	jwts     *token.JWTs
	cookies  *token.Cookies
	authn    *authn.Authn
	access   *access.Access
	audit    *audit.Log
	clock    identity.Clock
	log      *slog.Logger
	random   io.Reader
	external string
	minLife  int
	keyLife  time.Duration
	poolLife int
	minted   func(store.SessionRecord)
	brokers  func(upstream string) (*upstream.STS, bool)
	brokered brokerCache
	minting  singleflight.Group // by the key of the cache
}

// New makes an Issuer.
func New(o Options) *Issuer {
	i := &Issuer{
		db: o.DB, keys: o.Keyring, sessions: o.Sessions, jwts: o.JWTs, authn: o.Authn, access: o.Access, audit: o.Audit,
		clock: o.Clock, log: o.Log, random: o.Random, external: o.ExternalURL, minLife: o.MinDurationSeconds,
		keyLife: o.AccessKeyMaxAge, poolLife: o.PoolSessionSeconds, minted: o.Minted, brokers: o.Brokers, cookies: token.NewCookies(o.Keyring),
	}
	if i.random == nil {
		i.random = rand.Reader
	}
	if i.minted == nil {
		i.minted = func(store.SessionRecord) {}
	}
	if i.brokers == nil {
		i.brokers = func(string) (*upstream.STS, bool) { return nil, false }
	}
	if i.poolLife <= 0 {
		i.poolLife = defaultPoolLife
	}
	if i.minLife <= 0 {
		i.minLife = 900
	}
	return i
}

// ready refuses to issue while this node cannot know what was revoked, or
// what time it is.
func (i *Issuer) ready() error {
	if err := i.db.Fresh(); err != nil {
		return err
	}
	if skew := i.db.ClockSkew(); skew > maxClockSkew || skew < -maxClockSkew {
		return &identity.Error{Kind: identity.KindUnavailable, Op: "issue.clock", RetryAfterSeconds: 5}
	}
	return nil
}

// refused records that nothing was issued, and why.
func (i *Issuer) refused(ctx context.Context, ev audit.Event, err error) {
	e := identity.AsError(err)
	ev.ErrorCode, ev.ErrorMessage = string(e.Kind), e.Public
	i.audit.Refuse(ctx, ev)
}

// permitUser is the part of step 2 that holds for every proof of a user; mfa
// says that a second factor was part of it.
func permitUser(u *identity.User, mfa bool) error {
	switch {
	case u.Disabled:
		return &identity.Error{Kind: identity.KindInvalidCredentials, Op: "issue.permit"}
	case u.MustChangePassword:
		return &identity.Error{Kind: identity.KindPasswordExpired, Op: "issue.permit"}
	case u.MFARequired && !mfa:
		return &identity.Error{Kind: identity.KindMFARequired, Op: "issue.permit"}
	}
	return nil
}
