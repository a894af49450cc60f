package s3

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"daypass/internal/identity"
)

// errCut answers a request that was broken off, where its headers are not out.
var errCut = &identity.Error{Kind: identity.KindExpiredToken, Op: "s3.cut"}

// underWay are the requests that were let in and are not answered yet.
type underWay struct {
	mu   sync.Mutex
	all  map[*exchange]context.CancelCauseFunc
	cuts atomic.Uint64 // how often Cut was called
}

// track makes a request one that Cut can break off, until done is called. One
// that was let in while Cut ran is judged again. before is the number of cuts
// read before the request was let in.
func (x *exchange) track(before uint64) (done func(), err error) {
	u := &x.g.running
	ctx, cancel := context.WithCancelCause(x.r.Context())
	x.r = x.r.WithContext(ctx)
	u.mu.Lock()
	u.all[x] = cancel
	u.mu.Unlock()
	done = func() {
		u.mu.Lock()
		delete(u.all, x)
		u.mu.Unlock()
		cancel(nil)
	}
	if u.cuts.Load() != before && x.g.access.Ended(ctx, &x.caller) {
		done()
		return nil, errCut
	}
	return done, nil
}

// Cut breaks off the requests under way whose caller has ended, its streams
// with them, and says how many they were.
func (g *Gateway) Cut(ctx context.Context) int {
	g.running.cuts.Add(1)
	g.running.mu.Lock()
	all := slices.Collect(maps.Keys(g.running.all))
	g.running.mu.Unlock()
	n := 0
	for _, x := range all {
		if g.access.Ended(ctx, &x.caller) && g.running.cut(x) {
			n++
		}
	}
	return n
}

// cut reports whether the request was still under way.
func (u *underWay) cut(x *exchange) bool {
	u.mu.Lock()
	defer u.mu.Unlock() // until it is cut: afterwards the connection may serve another
	cancel, ok := u.all[x]
	if ok {
		cancel(errCut)
		// A client that sends nothing more would keep its upload under way.
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Unix(1, 0))
	}
	return ok
}

// wasCut says whether a request was broken off.
func (x *exchange) wasCut() bool { return context.Cause(x.r.Context()) == errCut }
