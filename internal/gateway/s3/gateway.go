package s3

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"daypass/internal/access"
	"daypass/internal/identity"
	"daypass/internal/sigv4"
	"daypass/internal/upstream"
)

// Access accepts credentials and decides; *access.Access does.
type Access interface {
	Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error)
	AuthenticateForm(r *http.Request, bucket string) (access.Authenticated, *sigv4.PostForm, error)
	Authorize(c *identity.Caller, action string, res access.Resource) access.Decision
	// Ended says whether a caller that was accepted would not be any more, were
	// it not for its time alone.
	Ended(ctx context.Context, c *identity.Caller) bool
}

// Registry is where buckets and their owners are kept; *directory.Directory
// is. Each method authorises its caller itself.
type Registry interface {
	ReserveBucket(ctx context.Context, c *identity.Caller, name, region, upstream string) error
	ConfirmBucket(ctx context.Context, c *identity.Caller, name string) error
	AbandonBucket(ctx context.Context, c *identity.Caller, name string) error
	BeginDeleteBucket(ctx context.Context, c *identity.Caller, name string) error
	EndDeleteBucket(ctx context.Context, c *identity.Caller, name string, gone bool) error
	ListBuckets(ctx context.Context, c *identity.Caller) ([]identity.Bucket, error)
	PutBucketPolicy(ctx context.Context, c *identity.Caller, name, document string, confirmed bool) error
	BucketPolicy(ctx context.Context, c *identity.Caller, name string) (string, error)
	BucketPolicyIsPublic(ctx context.Context, c *identity.Caller, name string) (bool, error)
	DeleteBucketPolicy(ctx context.Context, c *identity.Caller, name string) error
	UnsettledBuckets(ctx context.Context, c *identity.Caller) ([]identity.Bucket, error)
	SettleBucket(ctx context.Context, c *identity.Caller, name string, existsUpstream bool) error
}

// Config is what a Gateway needs.
type Config struct {
	Access   Access
	Registry Registry
	// Bucket reads one entry of the registry from memory. It is asked after
	// an action on the bucket was allowed, and for the source of copies.
	Bucket func(name string) (identity.Bucket, bool)
	// Upstreams keep the buckets.
	Upstreams *upstream.Set
	Clock     identity.Clock
	// Bases are the base domains of virtual hosts, without port.
	Bases []string
	// BasesFor, when set, is asked in place of Bases for the base domains that
	// count for a host name: with an account's alias there are more.
	BasesFor func(host string) []string
	// ControlSegments are the first path segments of other dialects, which
	// no bucket may be called.
	ControlSegments []string
	// ExternalURL is what clients reach us by, without a trailing slash.
	ExternalURL string
	// Region is given to buckets created without a LocationConstraint.
	Region string
	// MaxPerPrincipal bounds the requests of one principal that are under
	// way at a time; more wait for a while. 0 means no bound.
	MaxPerPrincipal int
	Log             *slog.Logger
}

// Gateway serves S3.
type Gateway struct {
	access   Access
	registry Registry
	bucket   func(string) (identity.Bucket, bool)
	ups      *upstream.Set
	clock    identity.Clock
	bases    []string
	basesFor func(host string) []string
	control  map[string]bool
	external string
	region   string
	limit    limiter
	running  underWay
	cors     corsCache
	uploads  uploadSums
	begun    uploadMemory[begunUpload]
	changing nameSet
	log      *slog.Logger
}

// HostID is the value of x-amz-id-2 and of <HostId>.
const HostID = "daypass"

// New checks the configuration and makes a Gateway.
func New(c Config) (*Gateway, error) {
	if c.Access == nil || c.Registry == nil || c.Bucket == nil || c.Upstreams == nil || c.Clock == nil || c.ExternalURL == "" {
		return nil, errors.New("s3: Access, Registry, Bucket, Upstreams, Clock and ExternalURL are needed")
	}
	g := &Gateway{
		access: c.Access, registry: c.Registry, bucket: c.Bucket, ups: c.Upstreams, clock: c.Clock,
		control: map[string]bool{}, external: strings.TrimSuffix(c.ExternalURL, "/"), region: c.Region,
		log:      c.Log,
		basesFor: c.BasesFor,
		changing: nameSet{names: map[string]bool{}},
		limit:    limiter{most: c.MaxPerPrincipal, wait: limitWait, busy: map[string]*principalGate{}},
		running:  underWay{all: map[*exchange]context.CancelCauseFunc{}},
		cors:     corsCache{entries: map[string]*corsEntry{}},
	}
	for _, b := range c.Bases {
		g.bases = append(g.bases, strings.ToLower(strings.TrimSuffix(b, ".")))
	}
	for _, s := range c.ControlSegments {
		g.control[strings.Trim(s, "/")] = true
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	return g, nil
}

// OptIn names the operations that an upstream must enable, because they make it
// act on other names with our credentials or are known to few stores.
func OptIn() []string {
	var out []string
	for i := range operations {
		if operations[i].serve == serveOptIn {
			out = append(out, operations[i].Name)
		}
	}
	return out
}

// ServeHTTP answers one S3 request. The facts of the request must hang on its
// context (identity.WithRequest). Nothing may have cleaned or redirected the
// request before: RequestURI and Host are read as received.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{g: g, w: w, r: r, id: identity.RequestOf(r.Context()).ID}
	if err := x.serve(); err != nil {
		x.r = r // the context that serve derived has ended
		x.fail(err)
	}
}
