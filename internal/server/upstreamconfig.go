package server

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"daypass/internal/gateway/s3"
	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// embeddedName is the upstream that is the child of this process.
const embeddedName = identity.EmbeddedUpstream

// UpstreamConfig is one S3 store behind the gateway.
type UpstreamConfig struct {
	// Name stands in the registry of buckets: it must stay as it is while
	// buckets are kept there.
	Name string `yaml:"name"`
	// Endpoint is http[s]://HOST[:PORT].
	Endpoint string `yaml:"endpoint"`
	Region   string `yaml:"region"`
	// AccessKeyID or AccessKeyFile, and SecretKeyFile: the key pair that the
	// store gave us. Files are read again when they change.
	AccessKeyID   string `yaml:"access_key_id"`
	AccessKeyFile string `yaml:"access_key_file"`
	SecretKeyFile string `yaml:"secret_key_file"`
	// Addressing is path (the default) or virtual.
	Addressing string `yaml:"addressing"`
	// CAFile holds the authorities of the endpoint's certificate, in PEM.
	CAFile string `yaml:"ca_file"`
	// Mode is passthrough (the default), reframe or plain.
	Mode string `yaml:"mode"`
	// KeySemantics is opaque (the default) or path.
	KeySemantics string `yaml:"key_semantics"`
	// MaxRequests may be under way at a time; more wait.
	MaxRequests int `yaml:"max_requests"`
	// Enable names operations that the gateway does not serve by itself.
	Enable []string          `yaml:"enable"`
	STS    UpstreamSTSConfig `yaml:"sts"`
}

// UpstreamSTSConfig is the token service of an upstream.
type UpstreamSTSConfig struct {
	// Endpoint is the upstream's by default.
	Endpoint string `yaml:"endpoint"`
}

// RouteConfig says where new buckets go. One of Bucket, Prefix (of the bucket's
// name) and Account is given.
type RouteConfig struct {
	Bucket   string `yaml:"bucket"`
	Prefix   string `yaml:"prefix"`
	Account  string `yaml:"account"`
	Upstream string `yaml:"upstream"`
}

const (
	addressingPath    = "path"
	addressingVirtual = "virtual"
	maxUpstreams      = 64
	maxRoutes         = 1000
	defaultInFlight   = 512
)

// withDefaults fills in what was not given.
func (u UpstreamConfig) withDefaults() UpstreamConfig {
	u.Region = cmp.Or(u.Region, "us-east-1")
	u.Addressing = cmp.Or(u.Addressing, addressingPath)
	u.Mode = cmp.Or(u.Mode, string(upstream.Passthrough))
	u.KeySemantics = cmp.Or(u.KeySemantics, string(upstream.KeysAreOpaque))
	u.MaxRequests = cmp.Or(u.MaxRequests, defaultInFlight)
	u.STS.Endpoint = cmp.Or(u.STS.Endpoint, u.Endpoint)
	return u
}

// checkUpstreams judges upstreams, routes and what they name.
func (c *Config) checkUpstreams(complain complainer) {
	known := map[string]bool{}
	if c.ObjectStore.Enabled {
		known[embeddedName] = true
	}
	if len(c.Upstreams) > maxUpstreams {
		complain("upstreams", "%d are more than %d", len(c.Upstreams), maxUpstreams)
	}
	for i, u := range c.Upstreams {
		of := func(key, format string, args ...any) {
			complain(fmt.Sprintf("upstreams[%d].%s", i, key), format, args...)
		}
		switch {
		case u.Name == embeddedName:
			of("name", "%q is the object store that daypass brings along: give another name", u.Name)
		case !identity.ValidUpstreamName(u.Name):
			of("name", "%q is not 1 to 32 of a-z, 0-9 and -", u.Name)
		case known[u.Name]:
			of("name", "%q is the name of an earlier one", u.Name)
		}
		known[u.Name] = true
		u.check(of)
		if c.isOurs(u.Endpoint) {
			of("endpoint", "%s is this server's own: requests would come back to it for ever", u.Endpoint)
		}
	}
	c.checkRoutes(complain, known)
}

func (c *Config) checkRoutes(complain complainer, known map[string]bool) {
	missing := func(key, name string) {
		switch {
		case known[name]:
		case name == embeddedName:
			complain(key, "the embedded object store is switched off (object_store.enabled): name one of upstreams")
		default:
			complain(key, "%q is not the name of an upstream", name)
		}
	}
	missing("s3.default_upstream", c.S3.DefaultUpstream)
	if len(c.S3.Routes) > maxRoutes {
		complain("s3.routes", "%d are more than %d", len(c.S3.Routes), maxRoutes)
	}
	for i, r := range c.S3.Routes {
		key := fmt.Sprintf("s3.routes[%d]", i)
		given := 0
		for _, v := range []string{r.Bucket, r.Prefix, r.Account} {
			if v != "" {
				given++
			}
		}
		if given != 1 {
			complain(key, "give one of bucket, prefix and account")
		}
		if r.Bucket != "" && !identity.ValidBucketName(r.Bucket) {
			complain(key+".bucket", "%q is not the name of a bucket", r.Bucket)
		}
		missing(key+".upstream", r.Upstream)
	}
}

// check judges one upstream but for its name.
func (u UpstreamConfig) check(complain complainer) {
	u.checkPlaces(complain)
	u.checkKeys(complain)
	u = u.withDefaults()
	for _, one := range []struct {
		key, value string
		of         []string
	}{
		{"addressing", u.Addressing, []string{addressingPath, addressingVirtual}},
		{"mode", u.Mode, []string{string(upstream.Passthrough), string(upstream.Reframe), string(upstream.Plain)}},
		{"key_semantics", u.KeySemantics, []string{string(upstream.KeysAreOpaque), string(upstream.KeysArePaths)}},
	} {
		if !slices.Contains(one.of, one.value) {
			complain(one.key, "%q is not %s", one.value, strings.Join(one.of, " or "))
		}
	}
	if u.MaxRequests < 1 || u.MaxRequests > 65536 {
		complain("max_requests", "%d is not within 1 to 65536", u.MaxRequests)
	}
	for i, name := range u.Enable {
		if !slices.Contains(s3.OptIn(), name) {
			complain(fmt.Sprintf("enable[%d]", i), "%q is not an operation that can be enabled: %s", name, strings.Join(s3.OptIn(), ", "))
		}
	}
}

func (u UpstreamConfig) checkPlaces(complain complainer) {
	const form = "%q is not of the form https://HOST[:PORT]"
	endpoint, ok := parseEndpoint(u.Endpoint)
	switch {
	case u.Endpoint == "":
		complain("endpoint", "must be given")
	case !ok:
		complain("endpoint", form, u.Endpoint)
	case u.Addressing == addressingVirtual && isAddress(endpoint.Hostname()):
		complain("addressing", "virtual puts the bucket before the host's name, and %s is an address: use path", endpoint.Hostname())
	}
	sts, also := parseEndpoint(u.withDefaults().STS.Endpoint)
	if u.STS.Endpoint != "" && !also {
		complain("sts.endpoint", form, u.STS.Endpoint)
	}
	if u.CAFile != "" && ok && also && endpoint.Scheme != "https" && sts.Scheme != "https" {
		complain("ca_file", "goes with an endpoint of https only")
	}
	if u.CAFile != "" {
		if _, err := loadAuthorities(u.CAFile); err != nil {
			complain("ca_file", "%s: %s", u.CAFile, bare(err))
		}
	}
}

func (u UpstreamConfig) checkKeys(complain complainer) {
	switch {
	case (u.AccessKeyID == "") == (u.AccessKeyFile == ""):
		complain("access_key_id", "give either access_key_id or access_key_file")
	case u.AccessKeyFile != "":
		if _, err := readKeyFile(u.AccessKeyFile); err != nil {
			complain("access_key_file", "%s: %s", u.AccessKeyFile, bare(err))
		}
	case !isKey(u.AccessKeyID):
		complain("access_key_id", "is not an access key ID")
	}
	if u.SecretKeyFile == "" {
		complain("secret_key_file", "must be given: secrets are read from files only")
	} else if _, err := readKeyFile(u.SecretKeyFile); err != nil {
		complain("secret_key_file", "%s: %s", u.SecretKeyFile, bare(err))
	}
}

// isOurs reports whether an endpoint is one that this server answers at, as far
// as the configuration tells.
func (c *Config) isOurs(endpoint string) bool {
	u, ok := parseEndpoint(endpoint)
	if !ok {
		return false
	}
	address := func(u *url.URL) string {
		if u.Port() != "" {
			return u.Host
		}
		return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	external, ok := parseEndpoint(c.ExternalURL)
	if ok && address(external) == address(u) {
		return true
	}
	return slices.ContainsFunc([]string{c.Listen, c.TLS.Listen}, func(listen string) bool {
		host, port, err := net.SplitHostPort(listen)
		if err != nil || !strings.HasSuffix(address(u), ":"+port) {
			return false
		}
		everywhere := host == "" || isUnspecified(host)
		return listen == address(u) || everywhere && IsLoopback(address(u)) || u.Hostname() == "localhost" && IsLoopback(listen)
	})
}

func isUnspecified(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsUnspecified()
}

// parseEndpoint reads http[s]://HOST[:PORT].
func parseEndpoint(s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, false
	}
	if port := u.Port(); port != "" {
		if _, err := net.LookupPort("tcp", port); err != nil {
			return nil, false
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, true
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// inTheClear reports whether requests to the endpoint leave this machine
// unencrypted.
func inTheClear(endpoint *url.URL) bool {
	return endpoint.Scheme == "http" && !IsLoopback(net.JoinHostPort(endpoint.Hostname(), "0"))
}

func loadAuthorities(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, errors.New("holds no certificate in PEM")
	}
	return pool, nil
}
