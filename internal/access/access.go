package access

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"daypass/internal/audit"
	"daypass/internal/authn"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/store"
	"daypass/internal/token"
)

// Options of an Access.
type Options struct {
	DB       *store.DB
	Keyring  *keyring.Keyring
	Sessions *token.Sessions
	Audit    *audit.Log
	Clock    identity.Clock
	Log      *slog.Logger
	// Regions accepts the region of a signature's scope; nil accepts any.
	Regions func(string) bool
	// Authn verifies the tokens of user pools.
	Authn *authn.Authn
	// CachedCredentials bounds how many session tokens and long-term keys stay
	// opened in memory, each (65,536 when 0).
	CachedCredentials int
}

// Access accepts credentials and decides.
type Access struct {
	db       *store.DB
	keys     *keyring.Keyring
	sessions *token.Sessions
	audit    *audit.Log
	clock    identity.Clock
	log      *slog.Logger
	regions  func(string) bool
	authn    *authn.Authn
	tokens   *cache[[32]byte, *credential]
	cookies  *token.Cookies
	longTerm *cache[string, *credential]
	compiled atomic.Pointer[compiled]

	usesMu sync.Mutex
	uses   lastUses
}

// New makes an Access.
func New(o Options) *Access {
	if o.CachedCredentials <= 0 {
		o.CachedCredentials = 65536
	}
	a := &Access{
		db: o.DB, keys: o.Keyring, sessions: o.Sessions, audit: o.Audit, clock: o.Clock, log: o.Log, regions: o.Regions, authn: o.Authn,
		tokens: newCache[[32]byte, *credential](o.CachedCredentials), longTerm: newCache[string, *credential](o.CachedCredentials),
		uses: newLastUses(), cookies: token.NewCookies(o.Keyring),
	}
	a.compiled.Store(newCompiled())
	a.db.OnChange(func(_ *store.Snapshot, tables map[string]bool) {
		// Users, roles and bucket policies are compared record by record.
		if tables[store.ManagedPolicies.Name()] || tables[store.Groups.Name()] {
			a.compiled.Store(newCompiled())
		}
	})
	return a
}

// OperatorCaller is who speaks over the operator's socket, and the server
// itself at start. Nothing else may make one.
func OperatorCaller(f identity.RequestFacts) identity.Caller {
	return identity.Caller{Kind: identity.Operator, ARN: "operator", UserID: "operator", Name: "operator", Request: f}
}
