package upstream

import (
	"net/http"
	"net/url"

	"daypass/internal/identity"
)

// STS is the token service of one upstream. Its fields are set once, before its
// first use; it is then safe for concurrent use.
type STS struct {
	// Name is the upstream's.
	Name string
	// Endpoint holds scheme and host, and nothing else.
	Endpoint *url.URL
	Region   string
	// Credentials are asked for each request, so that they can change.
	Credentials func() (id string, secret identity.Secret, err error)
	Transport   http.RoundTripper
	Clock       identity.Clock
}
