package authn

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"daypass/internal/identity"
)

// Web reaches foreign issuers: *egress.Client.
type Web interface {
	CheckURL(raw string) error
	Get(ctx context.Context, rawURL, caBundle string, bearer identity.Secret) ([]byte, error)
	HTTPClient(caBundle string) (*http.Client, error)
}

const (
	// discoveryKeeps is how long an issuer's endpoints are believed.
	discoveryKeeps = 10 * time.Minute
	maxDiscovered  = 256
)

// CallbackPath begins the paths, at the console, to which foreign issuers send
// the browser back; realm and log-in follow.
const CallbackPath = "/login/callback/"

// foreignIssuers knows the endpoints of the issuers by which people log in.
type foreignIssuers struct {
	web    Web
	origin string // of the console
	clock  identity.Clock

	mu    sync.Mutex
	known map[string]*endpoints // by issuer and CA bundle
}

func newForeignIssuers(web Web, consoleURL string, clock identity.Clock) *foreignIssuers {
	return &foreignIssuers{web: web, origin: originOf(consoleURL), clock: clock, known: map[string]*endpoints{}}
}

// originOf is the origin of a URL as browsers write it: without the scheme's own
// port. "" for what has none.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// endpoints is what is read of an issuer's configuration (OpenID Connect
// Discovery §3, RFC 9207 §3).
type endpoints struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	TellsIssuer   bool     `json:"authorization_response_iss_parameter_supported"`

	read time.Time
}

func (f *foreignIssuers) endpoints(ctx context.Context, l *identity.ForeignLogin) (*endpoints, error) {
	if f.web == nil || f.origin == "" {
		return nil, identity.NewError(identity.KindNotImplemented, "authn.foreign", "There is no log-in by other providers here.")
	}
	key, now := l.Issuer+"\x00"+l.CABundle, f.clock.Now()
	f.mu.Lock()
	have := f.known[key]
	f.mu.Unlock()
	if have != nil && now.Sub(have.read) < discoveryKeeps {
		return have, nil
	}
	got, err := f.discover(ctx, l)
	if err != nil {
		return nil, &identity.Error{Kind: identity.KindProviderUnreachable, Op: "authn.foreign", Public: "The provider cannot be reached now.", Err: err}
	}
	got.read = now
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= maxDiscovered {
		clear(f.known)
	}
	f.known[key] = got
	return got, nil
}

func (f *foreignIssuers) discover(ctx context.Context, l *identity.ForeignLogin) (*endpoints, error) {
	doc, err := f.web.Get(ctx, strings.TrimSuffix(l.Issuer, "/")+"/.well-known/openid-configuration", l.CABundle, "")
	if err != nil {
		return nil, err
	}
	e := new(endpoints)
	if json.Unmarshal(doc, e) != nil || e.Issuer != l.Issuer {
		return nil, errors.New("the discovery document is none, or names another issuer")
	}
	for _, at := range []string{e.Authorization, e.Token} {
		if err := f.web.CheckURL(at); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// client is our registration at an issuer.
func (f *foreignIssuers) client(realm string, l *identity.ForeignLogin, at *endpoints, secret identity.Secret) *oauth2.Config {
	c := &oauth2.Config{
		ClientID: l.ClientID, ClientSecret: secret.Reveal(), RedirectURL: f.origin + CallbackPath + identity.LoginKey(realm, l.Name),
		Scopes:   append([]string{"openid"}, l.Scopes...),
		Endpoint: oauth2.Endpoint{AuthURL: at.Authorization, TokenURL: at.Token, AuthStyle: oauth2.AuthStyleInHeader},
	}
	basic := len(at.AuthMethods) == 0 || slices.Contains(at.AuthMethods, "client_secret_basic")
	if secret == "" || !basic {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return c
}
