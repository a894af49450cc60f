package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"sync"
	"time"

	"daypass/internal/gateway/embedded"
	"daypass/internal/identity"
	"daypass/internal/upstream"
)

// Requests beyond what a store takes at a time wait: so many, and no longer
// than clients wait for an answer.
const (
	storeQueue = 4096
	storeWait  = 20 * time.Second
	// The STS of a store shares its processors: so many calls at a time.
	stsCalls = 32
	stsWait  = 5 * time.Second
)

// upstreams makes the members of the set from the configuration.
type upstreams struct {
	set      *upstream.Set
	objects  *embedded.Store
	embedded *upstream.S3 // of objects; both are nil when switched off
	clock    identity.Clock
	log      *slog.Logger

	mu   sync.Mutex
	used *Config // whose upstreams these are
	made map[string]*external
}

// external is one of Config.Upstreams, as it was made.
type external struct {
	config    UpstreamConfig
	stamp     string // of its authorities
	keys      *keyPair
	transport *http.Transport
	member    upstream.Member
}

// openUpstreams makes the set for the first time.
func openUpstreams(c *Config, objects *embedded.Store, clock identity.Clock, log *slog.Logger) (*upstreams, error) {
	u := &upstreams{set: &upstream.Set{}, objects: objects, clock: clock, log: log}
	if objects != nil {
		u.embedded = &upstream.S3{
			Name: embeddedName, Endpoint: &url.URL{Scheme: "http", Host: "objectstore"}, Region: c.Region,
			Credentials: objects.Credentials, Transport: objects.Transport(), Clock: clock,
			KeySemantics: upstream.KeysArePaths, ReservedPrefixes: []string{".sgwtmp/"}, Mode: upstream.Reframe, Own: true,
			Gate: upstream.NewGate(embedded.MaxRequests, storeQueue, storeWait),
		}
	}
	return u, u.apply(c)
}

// apply makes the set what c says. What did not change stays, with its
// connections; requests that are under way at what goes end there. An error
// changes nothing.
func (u *upstreams) apply(c *Config) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.replace(c)
}

func (u *upstreams) replace(c *Config) error {
	made := map[string]*external{}
	var members []upstream.Member
	if u.embedded != nil {
		members = append(members, upstream.Member{S3: u.embedded})
	}
	for _, config := range c.Upstreams {
		config = config.withDefaults()
		e, stamp := u.made[config.Name], stampOf(config.CAFile)
		if e == nil || !reflect.DeepEqual(e.config, config) || e.stamp != stamp {
			var err error
			if e, err = u.make(config); err != nil {
				return fmt.Errorf("upstream %s: %w", config.Name, err)
			}
			e.stamp = stamp
		}
		made[config.Name] = e
		members = append(members, e.member)
	}
	var routes []upstream.Route
	for _, r := range c.S3.Routes {
		routes = append(routes, upstream.Route(r))
	}
	if err := u.set.Replace(members, routes, c.S3.DefaultUpstream); err != nil {
		return err
	}
	old := u.made
	u.used, u.made = c, made
	for name, e := range old {
		if made[name] != e {
			e.transport.CloseIdleConnections()
		}
	}
	return nil
}

// refresh reads the keys and authorities of upstreams again where their files
// changed, keys anyway with force. What cannot be read stays as it was; the
// first error is returned.
func (u *upstreams) refresh(force bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var first error
	note := func(name string, err error) {
		if err != nil && first == nil {
			first = fmt.Errorf("upstream %s: %w", name, err)
		}
	}
	others := false
	for name, e := range u.made {
		changed, err := e.keys.reload(force)
		note(name, err)
		if changed {
			u.log.Info("the keys of an upstream were reloaded", "upstream", name)
		}
		others = others || stampOf(e.config.CAFile) != e.stamp
	}
	if others {
		if err := u.replace(u.used); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (u *upstreams) make(c UpstreamConfig) (*external, error) {
	endpoint, ok := parseEndpoint(c.Endpoint)
	sts, also := parseEndpoint(c.STS.Endpoint)
	if !ok || !also {
		return nil, fmt.Errorf("%q is not an endpoint", c.Endpoint)
	}
	keys, err := openKeyPair(c)
	if err != nil {
		return nil, err
	}
	var way upstream.TransportConfig
	if c.CAFile != "" {
		if way.RootCAs, err = loadAuthorities(c.CAFile); err != nil {
			return nil, err
		}
	}
	if inTheClear(sts) {
		u.log.Warn("keys of this upstream's STS, and tokens for it, travel unencrypted: its network must be trusted", "upstream", c.Name, "endpoint", c.STS.Endpoint)
	}
	if inTheClear(endpoint) {
		u.log.Warn("objects travel unencrypted to this upstream: its network must be trusted", "upstream", c.Name, "endpoint", c.Endpoint)
	}
	transport := upstream.NewTransport(way)
	return &external{config: c, keys: keys, transport: transport, member: upstream.Member{
		S3: &upstream.S3{
			Name: c.Name, Endpoint: endpoint, Region: c.Region, Credentials: keys.credentials, Transport: transport, Clock: u.clock,
			VirtualHost: c.Addressing == addressingVirtual, KeySemantics: upstream.KeySemantics(c.KeySemantics), Mode: upstream.Mode(c.Mode),
			Enable: c.Enable, Gate: upstream.NewGate(c.MaxRequests, storeQueue, storeWait),
			Breaker: upstream.NewBreaker(u.tell("the upstream", "requests for its buckets", c.Name, c.Endpoint)),
		},
		STS: &upstream.STS{
			Name: c.Name, Endpoint: sts, Region: c.Region, Credentials: keys.credentials, Transport: transport, Clock: u.clock,
			Gate:    upstream.NewGate(stsCalls, stsCalls*8, stsWait),
			Breaker: upstream.NewBreaker(u.tell("the upstream's STS", "calls of token services for its keys", c.Name, c.STS.Endpoint)),
		},
	}}, nil
}

// tell says that an upstream, or its STS, goes and comes.
func (u *upstreams) tell(what, refused, name, endpoint string) func(error) {
	return func(cause error) {
		if cause == nil {
			u.log.Info(what+" is back", "upstream", name, "endpoint", endpoint)
			return
		}
		u.log.Error(what+" is away: "+refused+" are refused at once until it is back", "upstream", name, "endpoint", endpoint, "error", cause)
	}
}

// close drops the connections to upstreams that are not in use.
func (u *upstreams) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, e := range u.made {
		e.transport.CloseIdleConnections()
	}
}
