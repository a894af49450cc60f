package s3

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// existsUpstream looks for a bucket. A 403 means that it exists and is not
// ours; with foreign it counts as existing, else it is an error, since it may
// also mean that our own credential is refused.
func (g *Gateway) existsUpstream(ctx context.Context, up *upstream.S3, name string, foreign bool) (bool, error) {
	resp, err := up.Do(ctx, &upstream.Request{Method: http.MethodHead, Bucket: name})
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	switch s := resp.StatusCode; {
	case s < 300, foreign && s < 400:
		return true, nil
	case s == http.StatusNotFound:
		return false, nil
	case s == http.StatusForbidden && foreign:
		return true, g.credentialTaken(ctx, up)
	}
	return false, g.upstreamError(up, resp)
}

// credentialTaken tells a 403 to our credential from one to what was asked with
// it: for a bucket that nobody has, stores answer 404 to a credential that they
// take. Ceph says AccessDenied to one that it does not know. Errors:
// KindUnavailable for a credential of ours that is not taken.
func (g *Gateway) credentialTaken(ctx context.Context, up *upstream.S3) error {
	if up.Own {
		return nil
	}
	resp, err := up.Do(ctx, &upstream.Request{Method: http.MethodHead, Bucket: "daypass-" + strings.ToLower(rand.Text())})
	if err != nil {
		return err
	}
	r := readRefusal(up, resp)
	if !r.isOurs() {
		return nil
	}
	return r.translated(g.log)
}

// Reconcile settles what a crash, of this process or of the upstream, left
// between the registry and the upstream: each unfinished bucket that no request
// is at work on is looked for at its upstream, and the registry follows. It is run
// with the operator's caller, before requests are served and now and then. It
// goes on after a failure and returns the first.
func (g *Gateway) Reconcile(ctx context.Context, operator *identity.Caller) error {
	open, err := g.registry.UnsettledBuckets(ctx, operator)
	if err != nil {
		return err
	}
	var first error
	for _, b := range open {
		up, ok := g.ups.ByName(b.Upstream)
		if !ok || !up.Breaker.Up() {
			continue // requests for it, or the breaker, say so
		}
		if err := g.reconcile(ctx, operator, up, b.Name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (g *Gateway) reconcile(ctx context.Context, operator *identity.Caller, up *upstream.S3, name string) error {
	if !g.changing.enter(name) {
		return nil
	}
	defer g.changing.leave(name)
	if b, ok := g.bucket(name); !ok || b.State == identity.BucketOwned || b.Upstream != up.Name {
		return nil // its request ended meanwhile
	}
	exists, err := g.existsUpstream(ctx, up, name, false)
	if err != nil {
		return err
	}
	return g.registry.SettleBucket(ctx, operator, name, exists)
}
