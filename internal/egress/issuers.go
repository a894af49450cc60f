package egress

import (
	"context"
	"crypto"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"daypass/internal/identity"
)

// Times of the cache of key sets.
const (
	refreshAfter = 5 * time.Minute  // use after this starts a refresh behind the answer
	maxStale     = time.Hour        // keys fetched longer ago are not used
	forceEvery   = 30 * time.Second // unknown key IDs cause at most one fetch in this time
	firstBackOff = 2 * time.Second  // after a failure, doubled up to lastBackOff
	lastBackOff  = time.Minute
	maxIssuers   = 1024
)

// noKey is AWS's sentence, with its two spaces.
const noKey = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"

// IssuersConfig is what Issuers needs.
type IssuersConfig struct {
	Client *Client
	Clock  identity.Clock // the system's when nil
	Logger *slog.Logger   // none when nil
}

// Issuers holds the keys of foreign issuers. Issuers are told apart by their
// URL and by all that says where their keys come from, such as the CA bundle
// that vouches for their server: what one account settled must not decide what
// another believes.
type Issuers struct {
	client *Client
	clock  identity.Clock
	log    *slog.Logger

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	generations atomic.Uint64 // the last one given out, over all issuers
	mu          sync.RWMutex
	entries     map[entryKey]*entry
}

type entryKey struct{ issuer, caBundle, tokenFile, jwks string }

func keyOf(p *identity.Provider) entryKey {
	if p.JWKS != "" {
		return entryKey{issuer: p.URL, jwks: p.JWKS} // nothing is fetched
	}
	return entryKey{issuer: p.URL, caBundle: p.CABundle, tokenFile: p.BearerTokenFile}
}

type entry struct {
	entryKey
	used atomic.Int64 // Unix nanoseconds
	keys atomic.Pointer[keySet]

	mu        sync.Mutex
	inflight  chan struct{} // closed when the running fetch ends
	notBefore time.Time     // no fetch until then, after failures
	backOff   time.Duration
	lastErr   error
	attempted time.Time // start of the last fetch
}

type keySet struct {
	keys       []jwk
	fetched    time.Time
	generation uint64
}

// NewIssuers makes an empty cache.
func NewIssuers(cfg IssuersConfig) *Issuers {
	i := &Issuers{client: cfg.Client, clock: cfg.Clock, log: cfg.Logger, entries: make(map[entryKey]*entry)}
	if i.clock == nil {
		i.clock = identity.SystemClock{}
	}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// Close ends running fetches and waits for them.
func (i *Issuers) Close() {
	i.mu.Lock()
	i.cancel() // under the lock: no fetch starts after it
	i.mu.Unlock()
	i.wg.Wait()
}

// VerifyKey is a public key of an issuer and the generation of the key set
// that held it.
type VerifyKey struct {
	Public     crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
	Generation uint64
}

// Key is Lookup for callers that keep nothing.
func (i *Issuers) Key(ctx context.Context, p *identity.Provider, kid, alg string) (crypto.PublicKey, error) {
	k, err := i.Lookup(ctx, p, kid, alg)
	return k.Public, err
}

// Lookup returns the key of an issuer that verifies tokens with this key ID
// and algorithm (RS256 to RS512, ES256 to ES512). Without a key ID the set must
// hold exactly one key for the algorithm. A key ID that is not known causes a
// fetch, at most every 30 s. A provider with a JWKS of its own has those keys
// and no others, and nothing is fetched.
//
// Errors: KindInvalidIdentity when there is no such key;
// KindProviderUnreachable when there are no keys at most 1 h old and they
// cannot be fetched. Failures are remembered for some seconds, so that retrying
// callers do not reach the provider.
func (i *Issuers) Lookup(ctx context.Context, p *identity.Provider, kid, alg string) (VerifyKey, error) {
	const op = "egress.Lookup"
	if !knownAlgorithm(alg) {
		return VerifyKey{}, identity.NewError(identity.KindInvalidIdentity, op, noKey)
	}
	e := i.entry(keyOf(p))
	set, err := i.current(ctx, e)
	if err != nil {
		return VerifyKey{}, err
	}
	k := set.find(kid, alg)
	if k == nil {
		if set, err = i.forced(ctx, e); err != nil {
			return VerifyKey{}, err
		}
		k = set.find(kid, alg)
	}
	if k == nil {
		return VerifyKey{}, identity.NewError(identity.KindInvalidIdentity, op, noKey)
	}
	return VerifyKey{Public: k.key, Generation: set.generation}, nil
}

// Generation is for caches of verified tokens: what was verified with a key of
// generation g holds as long as Generation returns g. It changes when a key
// vanishes from the issuer's set, and is 0 while there is no set at most 1 h
// old. Asking keeps the set fresh, behind the answer.
func (i *Issuers) Generation(p *identity.Provider) uint64 {
	i.mu.RLock()
	e := i.entries[keyOf(p)]
	i.mu.RUnlock()
	if e == nil {
		return 0
	}
	set := i.usable(e)
	if set == nil {
		i.start(e, false)
		return 0
	}
	return set.generation
}

func (s *keySet) find(kid, alg string) *jwk {
	var found *jwk
	for n := range s.keys {
		k := &s.keys[n]
		if kid != "" && k.kid != kid || !k.fits(alg) {
			continue
		}
		if kid != "" {
			return k
		}
		if found != nil {
			return nil // the token does not say which
		}
		found = k
	}
	return found
}

func (i *Issuers) entry(key entryKey) *entry {
	now := i.clock.Now().UnixNano()
	i.mu.RLock()
	e := i.entries[key]
	i.mu.RUnlock()
	if e == nil {
		i.mu.Lock()
		if e = i.entries[key]; e == nil {
			i.evict()
			e = &entry{entryKey: key}
			if key.jwks != "" {
				keys, _ := parseKeySet([]byte(key.jwks)) // of what is none, no keys
				e.keys.Store(&keySet{keys: keys, generation: i.generations.Add(1)})
			}
			i.entries[key] = e
		}
		i.mu.Unlock()
	}
	e.used.Store(now)
	return e
}

// evict makes room for one more by dropping what was used longest ago.
func (i *Issuers) evict() {
	if len(i.entries) < maxIssuers {
		return
	}
	var oldest *entry
	for _, e := range i.entries {
		if oldest == nil || e.used.Load() < oldest.used.Load() {
			oldest = e
		}
	}
	delete(i.entries, oldest.entryKey)
}

// usable returns the keys if they are young enough, and starts a refresh when
// they are due.
func (i *Issuers) usable(e *entry) *keySet {
	set := e.keys.Load()
	if set == nil || e.jwks != "" {
		return set
	}
	age := i.clock.Now().Sub(set.fetched)
	if age > maxStale || age < -maxStale {
		return nil
	}
	if age > refreshAfter {
		i.start(e, false)
	}
	return set
}

// current returns usable keys, waiting for a fetch when there are none.
func (i *Issuers) current(ctx context.Context, e *entry) (*keySet, error) {
	if set := i.usable(e); set != nil {
		return set, nil
	}
	if err := wait(ctx, i.start(e, false)); err != nil {
		return nil, err
	}
	if set := i.usable(e); set != nil {
		return set, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return nil, unreachable(e.lastErr)
}

// forced fetches anew for a key ID that is not in the set, if the last fetch
// was long enough ago, and returns the keys that are usable then.
func (i *Issuers) forced(ctx context.Context, e *entry) (*keySet, error) {
	if err := wait(ctx, i.start(e, true)); err != nil {
		return nil, err
	}
	if set := i.usable(e); set != nil {
		return set, nil
	}
	return nil, unreachable(nil)
}

func unreachable(cause error) error {
	return &identity.Error{Kind: identity.KindProviderUnreachable, Op: "egress.Lookup", Err: cause}
}

func wait(ctx context.Context, done <-chan struct{}) error {
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return unreachable(ctx.Err())
	}
}

// start begins a fetch unless one is running, the last failure is too recent,
// or, when forced by an unknown key ID, the last fetch is. The channel is
// closed when the fetch ends; it is nil when none is running.
func (i *Issuers) start(e *entry, forced bool) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inflight != nil || e.jwks != "" {
		return e.inflight
	}
	now := i.clock.Now()
	if now.Before(e.notBefore) || forced && now.Sub(e.attempted) < forceEvery {
		return nil
	}
	i.mu.RLock()
	closed := i.ctx.Err() != nil
	if !closed {
		i.wg.Add(1)
	}
	i.mu.RUnlock()
	if closed {
		return nil
	}
	e.attempted = now
	e.inflight = make(chan struct{})
	// Not under the caller's context: others wait for the same fetch.
	go i.refresh(e)
	return e.inflight
}

func (i *Issuers) refresh(e *entry) {
	defer i.wg.Done()
	keys, err := i.fetch(e)
	now := i.clock.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() {
		close(e.inflight)
		e.inflight = nil
	}()
	e.lastErr = err
	if err != nil {
		e.backOff = min(max(2*e.backOff, firstBackOff), lastBackOff)
		e.notBefore = now.Add(e.backOff)
		i.log.Warn("egress: keys of an issuer not fetched", "issuer", e.issuer, "err", err)
		return
	}
	e.backOff, e.notBefore = 0, time.Time{}
	old := e.keys.Load()
	set := &keySet{keys: keys, fetched: now}
	if old != nil && !vanished(old.keys, keys) {
		set.generation = old.generation
	} else {
		set.generation = i.generations.Add(1)
	}
	e.keys.Store(set)
}

// vanished reports whether a key of old is not in now.
func vanished(old, now []jwk) bool {
	ids := make(map[string]bool, len(now))
	for _, k := range now {
		ids[k.id] = true
	}
	for _, k := range old {
		if !ids[k.id] {
			return true
		}
	}
	return false
}

// fetch reads discovery document and key set, both within MaxTime.
func (i *Issuers) fetch(e *entry) ([]jwk, error) {
	ctx, cancel := context.WithTimeout(i.ctx, MaxTime)
	defer cancel()
	token, err := readToken(e.tokenFile)
	if err != nil {
		return nil, err
	}
	doc, err := i.client.Get(ctx, discoveryURL(e.issuer), e.caBundle, token)
	if err != nil {
		return nil, err
	}
	uri, err := parseDiscovery(doc, e.issuer)
	if err != nil {
		return nil, err
	}
	// Who wrote the document was shown the token already, so wherever it says
	// the keys are may see it too.
	set, err := i.client.Get(ctx, uri, e.caBundle, token)
	if err != nil {
		return nil, err
	}
	return parseKeySet(set)
}
