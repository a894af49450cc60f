package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"daypass/internal/identity"
)

// Bounds on one fetch.
const (
	MaxBody      = 1 << 20         // bytes of an answer
	MaxTime      = 5 * time.Second // name look-up to last byte, redirects included
	MaxRedirects = 5

	maxHeader    = 64 << 10
	maxAddresses = 4 // tried for one name
	dialTime     = 2 * time.Second
)

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what a Client needs.
type Config struct {
	// Exempt lists "host:port" (the host as URLs write it, always with the
	// port) for which the operator allows plain http and any address.
	Exempt []string
	// Own returns the addresses that this process listens on, which are
	// refused; nil for none.
	Own func() []netip.AddrPort
	// Resolver is the system's when nil.
	Resolver Resolver
}

// Client fetches from URLs that strangers chose. It follows no proxy settings
// and keeps no connections, cookies or credentials.
type Client struct {
	exempt   map[string]bool
	own      func() []netip.AddrPort
	resolver Resolver
}

// NewClient fails with KindValidation when an exemption is not "host:port".
func NewClient(cfg Config) (*Client, error) {
	c := &Client{exempt: make(map[string]bool), own: cfg.Own, resolver: cfg.Resolver}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	for _, e := range cfg.Exempt {
		host, port, err := net.SplitHostPort(e)
		if err != nil || host == "" || port == "" {
			return nil, identity.NewError(identity.KindValidation, "egress.NewClient", "An egress exemption must be host:port, got "+e+".")
		}
		c.exempt[hostPort(host, port)] = true
	}
	return c, nil
}

func hostPort(host, port string) string {
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(host), "."), port)
}

// CheckURL says whether a URL may be fetched as far as the URL itself tells:
// absolute, https unless exempt, without user, fragment or a host that is not
// ASCII. It fails with KindValidation.
func (c *Client) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err == nil {
		err = c.checkURL(u)
	}
	if err != nil {
		return &identity.Error{Kind: identity.KindValidation, Op: "egress.CheckURL", Public: "The URL must be an https URL.", Err: withoutURL(err)}
	}
	return nil
}

var (
	errScheme   = errors.New("not an https URL")
	errURL      = errors.New("not a plain absolute URL")
	errTooLarge = errors.New("answer over the size limit")
	errAddress  = errors.New("address refused")
	errBundle   = errors.New("no certificate in the CA bundle")

	errRedirects = errors.New("too many redirects")
	errStatus    = errors.New("status")
	errNoAddress = errors.New("the name has no address")
	errNotTLS    = errors.New("the server does not speak TLS")
	errNotHTTP   = errors.New("the answer is not proper HTTP")
)

func (c *Client) checkURL(u *url.URL) error {
	host := u.Hostname()
	ascii := strings.IndexFunc(host, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
	if host == "" || !ascii || u.Opaque != "" || u.User != nil || u.Fragment != "" {
		return errURL
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		port := u.Port()
		if port == "" {
			port = "80"
		}
		if c.exempt[hostPort(host, port)] {
			return nil
		}
	}
	return errScheme
}

// Get fetches a URL and returns the body of a 200 answer. caBundle (PEM) is
// trusted in addition to the system's roots; "" adds nothing. With a bearer
// token (RFC 6750 section 2.1) redirects are refused: it is for this URL.
//
// Whatever goes wrong is KindProviderUnreachable with the cause in Err, which
// holds nothing of the answer but its status.
func (c *Client) Get(ctx context.Context, rawURL, caBundle string, bearer identity.Secret) ([]byte, error) {
	body, host, err := c.get(ctx, rawURL, caBundle, bearer)
	if err != nil {
		return nil, &identity.Error{
			Kind: identity.KindProviderUnreachable, Op: "egress.Get", Err: fmt.Errorf("fetch from %q: %w", host, cause(err)),
		}
	}
	return body, nil
}

// withoutURL drops the URL that net/url and net/http put into their errors: a
// redirect's is text that the server wrote.
func withoutURL(err error) error {
	var ue *url.Error
	for errors.As(err, &ue) {
		err = ue.Err
	}
	return err
}

// cause keeps errors that are known to hold nothing a server wrote. net/http
// quotes what it could not parse, which may be the greeting of any service.
func cause(err error) error {
	err = withoutURL(err)
	var (
		op     *net.OpError
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		alert  tls.AlertError
		record tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &op), errors.As(err, &dns), errors.As(err, &cert), errors.As(err, &alert):
		return err
	case errors.As(err, &record):
		return errNotTLS
	}
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF,
		errScheme, errURL, errTooLarge, errBundle, errRedirects, errStatus, errNoAddress,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	return errNotHTTP
}

func (c *Client) get(ctx context.Context, rawURL, caBundle string, bearer identity.Secret) (body []byte, host string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, "", err
	}
	if err := c.checkURL(u); err != nil {
		return nil, u.Host, err
	}
	roots, err := rootsWith(caBundle)
	if err != nil {
		return nil, u.Host, err
	}
	ctx, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, u.Host, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "daypass")
	redirects := MaxRedirects
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
		redirects = 0
	}
	res, err := c.httpClient(roots, redirects).Do(req)
	if err != nil {
		return nil, u.Host, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, u.Host, fmt.Errorf("%w %d", errStatus, res.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(res.Body, MaxBody+1))
	if err == nil && len(body) > MaxBody {
		err = errTooLarge
	}
	return body, u.Host, err
}

func rootsWith(caBundle string) (*x509.CertPool, error) {
	if caBundle == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM([]byte(caBundle)) {
		return nil, errBundle
	}
	return roots, nil
}

// httpClient is made per fetch: fetches are rare, and connections that are not
// kept need no second thought about whose CA bundle checked them.
func (c *Client) httpClient(roots *x509.CertPool, redirects int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            c.dial,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > redirects {
				return errRedirects
			}
			req.Header.Del("Referer")
			return c.checkURL(req.URL)
		},
	}
}

// dial resolves once and dials the addresses that it got, so that no second
// look-up can answer differently from the one that was judged.
func (c *Client) dial(ctx context.Context, network, target string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	addrs, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTime, Control: c.control}
	if c.exempt[hostPort(host, port)] {
		dialer.Control = nil
	}
	err = errNoAddress
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := c.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addrs = slices.Clone(addrs)
	for i, a := range addrs {
		// Resolvers may write IPv4 answers as mapped ones.
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}

// control sees the address that the socket is about to connect to.
func (c *Client) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !publicAddress(ap.Addr()) {
		return errAddress
	}
	if c.own != nil && OwnAddress(ap, c.own()) {
		return errAddress
	}
	return nil
}
