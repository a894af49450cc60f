package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"daypass/internal/identity"
)

// KeySemantics says what an upstream makes of an object's key.
type KeySemantics string

// Key semantics. On KeysArePaths two different keys can name one object
// ("a//b", "./a"), so that the gate refuses the aliases.
const (
	KeysAreOpaque KeySemantics = "opaque"
	KeysArePaths  KeySemantics = "path"
)

// Mode says how uploads whose content the signature does not cover travel.
type Mode string

// Modes. Passthrough keeps the client's trailers and adds none. Reframe gives
// every such upload a checksum trailer, for stores that would commit a body cut
// short. Plain sends contents without any, for stores that know no trailers.
const (
	Passthrough Mode = "passthrough"
	Reframe     Mode = "reframe"
	Plain       Mode = "plain"
)

// S3 is one upstream. Its fields are set once, before the first Do; it is then
// safe for concurrent use.
type S3 struct {
	// Name stands in the registry of buckets and in logs.
	Name string
	// Endpoint holds scheme and host, and nothing else.
	Endpoint *url.URL
	Region   string
	// Credentials are asked for each request, so that they can change.
	Credentials func() (id string, secret identity.Secret, err error)
	// Transport sends; see NewTransport. Redirects are not its matter.
	Transport http.RoundTripper
	Clock     identity.Clock
	// VirtualHost puts the bucket into the host name instead of the path.
	VirtualHost  bool
	KeySemantics KeySemantics
	// ReservedPrefixes of keys are the store's own (".sgwtmp/").
	ReservedPrefixes []string
	// Own says that the store serves nobody else and its keys are always right:
	// what it forbids, it forbids the caller.
	Own  bool
	Mode Mode
	// Enable names operations that few stores know, or that make the store act
	// on other names with our credentials, such as "PutBucketReplication".
	Enable []string
	// Gate bounds the requests under way, from Do until the answer's body is
	// closed; nil does not.
	Gate *Gate
	// Breaker keeps requests from an upstream that is away; nil does not.
	Breaker *Breaker
	// Stall is how long the upstream may take or give no byte; 2 minutes when 0.
	Stall time.Duration

	signers signers
}

// Request is what is sent: one S3 request without credentials.
type Request struct {
	Method string
	// Bucket and Key name the target; Key is in canonical percent-encoding
	// without a leading slash, "" for a request on the bucket.
	Bucket, Key string
	// Query is encoded, "" for none.
	Query string
	// Header is taken over, and changed: the caller lets go of it.
	Header http.Header
	// Body is read once and closed; nil for none.
	Body io.ReadCloser
	// Length is the exact length of Body.
	Length int64
	// PayloadHash is the value of x-amz-content-sha256; "" means that of an
	// empty body.
	PayloadHash string
}

const opDo = "upstream.Do"

// retryAfterSeconds is what callers are told when the upstream is away: a
// child that restarts is back within a second or two.
const retryAfterSeconds = 2

// Do signs and sends r once. An answer of any status is returned as it came,
// redirects included; its body is the caller's to close, and holds the place in
// the Gate until then. Errors have KindUnavailable, with RetryAfterSeconds; the
// cause is wrapped, among them an error of reading r.Body.
func (u *S3) Do(ctx context.Context, r *Request) (*http.Response, error) {
	if u.Gate != nil {
		if err := u.Gate.Enter(ctx); err != nil {
			r.close()
			return nil, unavailable(err)
		}
	}
	var resp *http.Response
	var err error
	away := u.Breaker.run(func() error {
		var judged error
		resp, judged, err = u.send(ctx, r)
		return judged
	})
	if away != nil {
		r.close()
		err = away
	}
	if err != nil {
		u.leave()
		return nil, unavailable(err)
	}
	return resp, nil
}

func (u *S3) leave() {
	if u.Gate != nil {
		u.Gate.Leave()
	}
}

// send returns, beside the answer or the error, what either means for the
// Breaker.
func (u *S3) send(ctx context.Context, r *Request) (_ *http.Response, judged, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := u.build(ctx, r)
	if err == nil {
		err = u.sign(req, r.PayloadHash)
	}
	if err != nil {
		cancel(nil)
		r.close()
		return nil, errBlameless, err
	}
	stall := u.Stall
	if stall == 0 {
		stall = stallTimeout
	}
	w := newWatch(ctx, cancel, stall)
	var body *watchedBody
	if req.Body != nil {
		body = &watchedBody{ReadCloser: req.Body, watch: w}
		req.Body = body
	}
	began := u.Clock.Now()
	resp, err := u.Transport.RoundTrip(req)
	w.enter(answered)
	if err != nil {
		judged = verdict(ctx, r, body, u.Clock.Now().Sub(began), err)
		cancel(nil)
		return nil, judged, err
	}
	resp.Body = &answer{ReadCloser: resp.Body, watch: w, from: u}
	return resp, nil, nil
}

func (r *Request) close() {
	if r.Body != nil {
		r.Body.Close()
	}
}

func unavailable(err error) error {
	var e *identity.Error
	if errors.As(err, &e) && e.Kind == identity.KindUnavailable {
		return err // the transport's own words
	}
	return &identity.Error{Kind: identity.KindUnavailable, Op: opDo, Err: err, RetryAfterSeconds: retryAfterSeconds}
}

func (u *S3) build(ctx context.Context, r *Request) (*http.Request, error) {
	if u.Endpoint == nil || u.Endpoint.Host == "" {
		return nil, errors.New("no endpoint")
	}
	host, path := u.Endpoint.Host, "/"
	switch {
	case u.VirtualHost && r.Bucket != "":
		host = r.Bucket + "." + host
		path += r.Key
	case r.Bucket != "":
		path += r.Bucket
		if r.Key != "" {
			path += "/" + r.Key
		}
	}
	target := &url.URL{Scheme: u.Endpoint.Scheme, Host: u.Endpoint.Host, RawQuery: r.Query}
	if strings.HasPrefix(path, "//") {
		// Opaque would read it as an authority.
		plain, err := url.PathUnescape(path)
		if err != nil {
			return nil, err
		}
		target.Path, target.RawPath = plain, path
	} else {
		target.Opaque = path
	}
	header := r.Header
	if header == nil {
		header = http.Header{}
	}
	req := &http.Request{
		Method: r.Method, URL: target, Host: host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.Body != nil && r.Length > 0 {
		req.Body, req.ContentLength = r.Body, r.Length
	} else if r.Body != nil {
		r.Body.Close()
	}
	// An absent User-Agent would be filled in by net/http.
	header["User-Agent"] = []string{"daypass"}
	return req.WithContext(ctx), nil
}
