package authn

import (
	"context"
	"math"
	"net/netip"
	"sync"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"

	"daypass/internal/identity"
)

// Limits on guessing: how many wrong proofs in a row, and how many per minute
// after that. Zero values take the defaults.
type Limits struct {
	// PrincipalBurst and PrincipalPerMinute bound wrong proofs for one
	// principal from addresses that never logged it in (10; 2).
	PrincipalBurst, PrincipalPerMinute int
	// AddressBurst and AddressPerMinute bound one address, IPv6 by /64 (100; 30).
	AddressBurst, AddressPerMinute int
	// PairBurst and PairPerMinute bound one principal from one address (10; 6).
	PairBurst, PairPerMinute int
	// GuestBurst and GuestPerMinute bound the unauthenticated identities that one
	// address makes (60; 10).
	GuestBurst, GuestPerMinute int
}

const guessKeys = 65536 // of each kind, least recently used go first

// guesses counts wrong proofs in every dialect together. A proof is charged
// before it is checked, so that parallel tries cannot slip through, and given
// back when it was good.
type guesses struct {
	principal, address, pair, guest *throttled.GCRARateLimiterCtx

	mu    sync.Mutex
	known map[string]struct{} // pairs that logged in: strangers cannot lock these out
	order []string
	open  map[string]*open // tries being checked, by address
}

// open counts the tries from one address that are being checked; ended is
// closed, and made anew, when one of them ends.
type open struct {
	tries, waiting int
	ended          chan struct{}
}

// maxWaiting bounds the tries of one address that wait for others.
const maxWaiting = 256

func newGuesses(l Limits) (*guesses, error) {
	g := &guesses{known: map[string]struct{}{}, open: map[string]*open{}}
	for _, q := range []struct {
		limiter          **throttled.GCRARateLimiterCtx
		burst, perMinute int
		defBurst, defPer int
	}{
		{&g.principal, l.PrincipalBurst, l.PrincipalPerMinute, 10, 2},
		{&g.address, l.AddressBurst, l.AddressPerMinute, 100, 30},
		{&g.pair, l.PairBurst, l.PairPerMinute, 10, 6},
		{&g.guest, l.GuestBurst, l.GuestPerMinute, 60, 10},
	} {
		if q.burst <= 0 {
			q.burst = q.defBurst
		}
		if q.perMinute <= 0 {
			q.perMinute = q.defPer
		}
		mem, err := memstore.NewCtx(guessKeys)
		if err != nil {
			return nil, err
		}
		*q.limiter, err = throttled.NewGCRARateLimiterCtx(mem, throttled.RateQuota{
			MaxRate: throttled.PerMin(q.perMinute), MaxBurst: q.burst - 1,
		})
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}

// guess is one try that has been charged.
type guess struct {
	g       *guesses
	pairKey string
	address string
	charged []charge
}

type charge struct {
	limiter *throttled.GCRARateLimiterCtx
	key     string
}

// begin charges a try by the keyed hash of a principal's name and an address.
// A try that is limited while others of the same address are being checked
// waits for them: they give their charge back if they are good. Each try ends
// with end.
func (g *guesses) begin(ctx context.Context, principal, address string) (*guess, error) {
	t := &guess{g: g, address: network(address)}
	t.pairKey = principal + "|" + t.address
	for {
		busy, refusal := t.charge(ctx, principal)
		if refusal == nil || busy == nil {
			return t, refusal
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, refusal
		}
	}
}

// charge takes the try from every allowance, or from none. With the refusal it
// returns, when tries of the address are being checked, what to wait for.
func (t *guess) charge(ctx context.Context, principal string) (busy <-chan struct{}, refusal error) {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	want := []charge{{t.g.address, t.address}, {t.g.pair, t.pairKey}}
	if _, known := t.g.known[t.pairKey]; !known {
		want = append(want, charge{t.g.principal, principal})
	}
	for _, c := range want {
		limited, result, err := c.limiter.RateLimitCtx(ctx, c.key, 1)
		if err == nil && !limited {
			t.charged = append(t.charged, c)
			continue
		}
		t.giveBack(ctx)
		if err != nil {
			return nil, &identity.Error{Kind: identity.KindInternal, Op: "authn.limit", Err: err}
		}
		refusal = &identity.Error{
			Kind: identity.KindThrottled, Op: "authn.limit", Public: "Too many tries",
			RetryAfterSeconds: max(1, int(math.Ceil(result.RetryAfter.Seconds()))),
		}
		if o := t.g.open[t.address]; o != nil && o.waiting < maxWaiting {
			o.waiting++
			return o.ended, refusal
		}
		return nil, refusal
	}
	o := t.g.open[t.address]
	if o == nil {
		o = &open{ended: make(chan struct{})}
		t.g.open[t.address] = o
	}
	o.tries++
	return nil, nil
}

// end says that the try was checked; who waits tries again.
func (t *guess) end() {
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	o := t.g.open[t.address]
	close(o.ended)
	o.ended, o.waiting = make(chan struct{}), 0
	if o.tries--; o.tries == 0 {
		delete(t.g.open, t.address)
	}
}

// giveBack undoes the charge.
func (t *guess) giveBack(ctx context.Context) {
	for _, c := range t.charged {
		_, _, _ = c.limiter.RateLimitCtx(context.WithoutCancel(ctx), c.key, -1)
	}
	t.charged = nil
}

// good gives the charge back and remembers the address as the principal's own.
func (t *guess) good(ctx context.Context) {
	t.giveBack(ctx)
	t.g.mu.Lock()
	defer t.g.mu.Unlock()
	if _, ok := t.g.known[t.pairKey]; ok {
		return
	}
	if len(t.g.order) >= guessKeys {
		delete(t.g.known, t.g.order[0])
		t.g.order = t.g.order[1:]
	}
	t.g.known[t.pairKey] = struct{}{}
	t.g.order = append(t.g.order, t.pairKey)
}

// network is the address as it is limited: IPv4 whole, IPv6 by /64.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "?"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64)
	return p.String()
}

// NewGuest counts an unauthenticated identity that the request's address makes.
// KindThrottled.
func (a *Authn) NewGuest(ctx context.Context) error {
	limited, result, err := a.guesses.guest.RateLimitCtx(ctx, network(identity.RequestOf(ctx).SourceIP), 1)
	if err != nil {
		return &identity.Error{Kind: identity.KindInternal, Op: "authn.limit", Err: err}
	}
	if limited {
		return &identity.Error{Kind: identity.KindThrottled, Op: "authn.limit", RetryAfterSeconds: max(1, int(math.Ceil(result.RetryAfter.Seconds())))}
	}
	return nil
}
