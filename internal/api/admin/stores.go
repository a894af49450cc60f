package admin

import (
	"context"
	"net/http"
	"net/url"

	"daypass/internal/identity"
	"daypass/internal/operate"
)

// Stores is what the operator does to the stores behind the gate and to the
// registry of buckets: *operate.Operations.
type Stores interface {
	ListUpstreams(ctx context.Context, c *identity.Caller) ([]operate.Upstream, error)
	UpstreamBuckets(ctx context.Context, c *identity.Caller, name string) ([]operate.UpstreamBucket, error)
	CheckUpstream(ctx context.Context, c *identity.Caller, name string, w operate.CheckWatch) (operate.CheckReport, error)
	ListBuckets(ctx context.Context, c *identity.Caller, f operate.BucketFilter) ([]identity.Bucket, error)
	ClaimBuckets(ctx context.Context, c *identity.Caller, in operate.Claim) (operate.Claimed, error)
	ReleaseBucket(ctx context.Context, c *identity.Caller, name string, dryRun bool) (identity.Bucket, error)
}

type releaseRequest struct {
	Bucket string `json:"bucket"`
	DryRun bool   `json:"dry_run,omitempty"`
}

func (h *Handler) handleStores(s Stores) {
	h.handle("GET /v1/upstreams", func(r *http.Request, c *identity.Caller) (any, error) {
		list, err := s.ListUpstreams(r.Context(), c)
		return orEmpty(list), err
	})
	h.handle("GET /v1/upstreams/{name}/buckets", func(r *http.Request, c *identity.Caller) (any, error) {
		list, err := s.UpstreamBuckets(r.Context(), c, r.PathValue("name"))
		return orEmpty(list), err
	})
	h.mux.HandleFunc("POST /v1/upstreams/{name}/check", h.checkUpstream(s))
	h.handle("GET /v1/buckets", func(r *http.Request, c *identity.Caller) (any, error) {
		q := r.URL.Query()
		list, err := s.ListBuckets(r.Context(), c, operate.BucketFilter{AccountID: q.Get("account"), Upstream: q.Get("upstream")})
		return orEmpty(list), err
	})
	h.handle("POST /v1/buckets/claim", func(r *http.Request, c *identity.Caller) (any, error) {
		var in operate.Claim
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return s.ClaimBuckets(r.Context(), c, in)
	})
	h.handle("POST /v1/buckets/release", func(r *http.Request, c *identity.Caller) (any, error) {
		var in releaseRequest
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return s.ReleaseBucket(r.Context(), c, in.Bucket, in.DryRun)
	})
}

// Upstreams lists the stores behind the gate.
func (c *Client) Upstreams(ctx context.Context) ([]operate.Upstream, error) {
	var out []operate.Upstream
	err := c.call(ctx, http.MethodGet, "/v1/upstreams", nil, &out)
	return out, err
}

// UpstreamBuckets lists the buckets that a store has.
func (c *Client) UpstreamBuckets(ctx context.Context, name string) ([]operate.UpstreamBucket, error) {
	var out []operate.UpstreamBucket
	err := c.call(ctx, http.MethodGet, "/v1/upstreams/"+url.PathEscape(name)+"/buckets", nil, &out)
	return out, err
}

// Buckets lists the registry of buckets.
func (c *Client) Buckets(ctx context.Context, f operate.BucketFilter) ([]identity.Bucket, error) {
	q := url.Values{}
	if f.AccountID != "" {
		q.Set("account", f.AccountID)
	}
	if f.Upstream != "" {
		q.Set("upstream", f.Upstream)
	}
	var out []identity.Bucket
	err := c.call(ctx, http.MethodGet, "/v1/buckets?"+q.Encode(), nil, &out)
	return out, err
}

// ClaimBuckets gives buckets that a store has to an account, or says which with
// DryRun.
func (c *Client) ClaimBuckets(ctx context.Context, in operate.Claim) (operate.Claimed, error) {
	var out operate.Claimed
	err := c.call(ctx, http.MethodPost, "/v1/buckets/claim", in, &out)
	return out, err
}

// ReleaseBucket takes a bucket out of the registry, and returns what was there.
func (c *Client) ReleaseBucket(ctx context.Context, name string, dryRun bool) (identity.Bucket, error) {
	var out identity.Bucket
	err := c.call(ctx, http.MethodPost, "/v1/buckets/release", releaseRequest{name, dryRun}, &out)
	return out, err
}
