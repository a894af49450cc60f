package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"daypass/internal/egress"
	"daypass/internal/identity"
	"daypass/internal/keyring"
	"daypass/internal/upstream"
)

// KeyringConfig is about our own keys.
type KeyringConfig struct {
	KMS RootKMSConfig `yaml:"kms"`
}

// RootKMSConfig keeps the root key in a key management service that speaks IBM
// Key Protect's API, such as another Daypass, in place of a file or passphrase.
type RootKMSConfig struct {
	// URL is http[s]://HOST[:PORT] of the service; "" for none.
	URL string `yaml:"url"`
	// TokenURL takes the API key; URL/identity/token by default.
	TokenURL string `yaml:"token_url"`
	// Instance is the ID of the service instance, Key the ID or alias of a root
	// key in it.
	Instance string `yaml:"instance"`
	Key      string `yaml:"key"`
	// APIKeyFile holds the API key, mode 0600.
	APIKeyFile string `yaml:"api_key_file"`
	// CAFile holds the authorities of the service's certificate, in PEM.
	CAFile string `yaml:"ca_file"`
	// Wait is how long a start waits for a service that is away.
	Wait time.Duration `yaml:"wait"`
}

const (
	// rootEvery is how often a running server looks whether its root key would
	// still open.
	rootEvery      = time.Hour
	maxRootWait    = time.Hour
	firstRootPause = time.Second
	maxRootPause   = 15 * time.Second
)

// checkRootKMS judges keyring.kms.
func (c *Config) checkRootKMS(complain complainer) {
	k := c.Keyring.KMS
	if k == (RootKMSConfig{Wait: k.Wait}) {
		return
	}
	of := func(key, format string, args ...any) { complain("keyring.kms."+key, format, args...) }
	c.checkRootPlaces(of)
	if c.RootKeyFile != "" || c.PassphraseFile != "" {
		of("url", "give one of keyring.kms, root_key_file and passphrase_file")
	}
	if !isKMSName(k.Instance) {
		of("instance", "%q is not the ID of a service instance (daypass resource service-instances)", k.Instance)
	}
	if !isKMSName(k.Key) {
		of("key", "%q is neither ID nor alias of a key (daypass kms keys)", k.Key)
	}
	if k.APIKeyFile == "" {
		of("api_key_file", "must be given: secrets are read from files only")
	} else if _, err := k.apiKey(); err != nil {
		of("api_key_file", "%s", publicOf(err))
	}
	if k.Wait < 0 || k.Wait > maxRootWait {
		of("wait", "%s is not within 0s to 1h", k.Wait)
	}
}

func (c *Config) checkRootPlaces(of complainer) {
	k := c.Keyring.KMS
	const form = "%q is not of the form https://HOST[:PORT]"
	service, ok := parseEndpoint(k.URL)
	switch {
	case !ok:
		of("url", form, k.URL)
	case inTheClear(service):
		of("url", "%s is plain HTTP beyond this machine, and the root key passes there: use https", k.URL)
	case c.isOurs(k.URL):
		of("url", "%s is this server's own: a root key that only its own server could open would never open again", k.URL)
	}
	tokens, err := url.Parse(k.TokenURL)
	switch {
	case k.TokenURL == "":
	case err != nil || tokens.RawQuery != "" || tokens.Fragment != "":
		of("token_url", form+"/PATH", k.TokenURL)
	default:
		host, ok := parseEndpoint(tokens.Scheme + "://" + tokens.Host)
		switch {
		case !ok || tokens.User != nil:
			of("token_url", form+"/PATH", k.TokenURL)
		case inTheClear(host):
			of("token_url", "%s is plain HTTP beyond this machine, and the API key passes there: use https", k.TokenURL)
		case c.isOurs(tokens.Scheme + "://" + tokens.Host):
			of("token_url", "%s is this server's own: it does not answer before its root key is open", k.TokenURL)
		}
	}
	if k.CAFile != "" {
		if _, err := loadAuthorities(k.CAFile); err != nil {
			of("ca_file", "%s: %s", k.CAFile, bare(err))
		}
	}
}

// isKMSName takes what may be an ID or an alias.
func isKMSName(s string) bool {
	return s != "" && len(s) <= 90 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// apiKey reads the API key anew: it may have been replaced.
func (k RootKMSConfig) apiKey() (identity.Secret, error) {
	text, err := readSmall(k.APIKeyFile)
	if err != nil && identity.AsError(err).Public == "" {
		err = invalid(k.APIKeyFile + ": " + bare(err))
	}
	if err != nil {
		return "", err
	}
	if !isKey(text) {
		return "", invalid(k.APIKeyFile + " does not hold one API key of visible characters on one line")
	}
	return identity.Secret(text), nil
}

// open makes the root key that the service keeps; own are listeners that it must
// not be.
func (k RootKMSConfig) open(own []netip.AddrPort, log *slog.Logger) (keyring.RootKey, error) {
	p, err := k.patient(own, log)
	if err != nil {
		return nil, err
	}
	return keyring.NewWrappedRoot(p), nil
}

func (k RootKMSConfig) patient(own []netip.AddrPort, log *slog.Logger) (*patientKMS, error) {
	service, ok := parseEndpoint(k.URL)
	if !ok {
		return nil, invalid("keyring.kms.url is no address")
	}
	tokens, err := url.Parse(cmp.Or(k.TokenURL, service.JoinPath("identity/token").String()))
	if err != nil {
		return nil, err
	}
	transport := upstream.TransportConfig{}
	if k.CAFile != "" {
		if transport.RootCAs, err = loadAuthorities(k.CAFile); err != nil {
			return nil, placed(k.CAFile, err)
		}
	}
	return &patientKMS{
		KeyProtect: upstream.KeyProtect{
			URL: service, TokenURL: tokens, Instance: k.Instance, Key: k.Key, APIKey: k.apiKey, Transport: notOurs(upstream.NewTransport(transport), own),
		},
		wait: k.Wait, log: log, pause: pause,
	}, nil
}

// checkRoot tells, while there is still time, of a root key that would not open at
// the next start.
func (c *core) checkRoot(ctx context.Context) error {
	err := c.keys.CheckRoot(ctx)
	if ctx.Err() != nil {
		return err
	}
	c.rootAway.Store(err != nil)
	if err != nil {
		return fmt.Errorf("the root key would not open at the next start: %s", publicOf(err))
	}
	return nil
}

// notOurs keeps a transport from the listeners of this server, whatever name led
// there.
func notOurs(t *http.Transport, own []netip.AddrPort) *http.Transport {
	dial := t.DialContext
	t.DisableKeepAlives = true // it is used at the start, and then never again
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		if err == nil && !egress.OwnAddress(netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), own) {
			return conn, nil
		}
		conn.Close()
		return nil, &identity.Error{
			Kind: identity.KindUpstream, Op: "server.rootkms",
			Public: "keyring.kms leads back to this server (" + address + "): a root key that only its own server could open would never open again",
		}
	}
	return t
}

// patientKMS waits for a service that is away.
type patientKMS struct {
	upstream.KeyProtect
	wait  time.Duration
	log   *slog.Logger
	pause func(context.Context, time.Duration) error
}

// Wrap implements keyring.Wrapper.
func (p *patientKMS) Wrap(ctx context.Context, secret []byte, aad []string) (wrapped string, err error) {
	err = p.try(ctx, func(ctx context.Context) (err error) {
		wrapped, err = p.KeyProtect.Wrap(ctx, secret, aad)
		return err
	})
	return wrapped, err
}

// Unwrap implements keyring.Wrapper.
func (p *patientKMS) Unwrap(ctx context.Context, wrapped string, aad []string) (secret []byte, again string, err error) {
	err = p.try(ctx, func(ctx context.Context) (err error) {
		secret, again, err = p.KeyProtect.Unwrap(ctx, wrapped, aad)
		return err
	})
	return secret, again, err
}

// try asks until there is an answer, or the time is over.
func (p *patientKMS) try(ctx context.Context, ask func(context.Context) error) error {
	waited, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	for rest := firstRootPause; ; rest = min(2*rest, maxRootPause) {
		// The first question is asked whatever the time.
		err := ask(ctx)
		if identity.KindOf(err) != identity.KindUnavailable {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.log.Warn("the key management service that keeps the root key is away and will be asked again", "place", p.Place(), "cause", publicOf(err), "next_try_in", rest, "at_most", p.wait)
		if p.pause(waited, rest) == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &identity.Error{
			Kind: identity.KindUpstream, Op: "server.rootkms", Err: err,
			Public: fmt.Sprintf("the root key is wrapped by %s, which has not answered for %s: %s\nNothing opens without it: bring it back and start again, or let the start wait longer with keyring.kms.wait.", p.Place(), p.wait, publicOf(err)),
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// publicOf is what people read of an error.
func publicOf(err error) string {
	var e *identity.Error
	if errors.As(err, &e) && e.Public != "" {
		return e.Public
	}
	return bare(err)
}
