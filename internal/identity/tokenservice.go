package identity

// TokenService gives session keys for a bearer token, in one call without
// parameters (Cray's PUT /apis/sts/token): what the token says chooses the role.
type TokenService struct {
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	// Hosts are the host names, without port, that it answers on; none: every
	// host that no other names.
	Hosts []string `json:"hosts,omitempty"`
	// Realms are realms of this installation, Providers the URLs of foreign OIDC
	// providers of the account, whose access tokens count.
	Realms    []string `json:"realms,omitempty"`
	Providers []string `json:"providers,omitempty"`
	// Audience: a token names one of these in its "aud".
	Audience []string        `json:"audience"`
	Keys     TokenServiceKey `json:"keys"`
	// EndpointURL is the S3 endpoint that callers are told; "", for own keys only,
	// is the installation's external URL.
	EndpointURL string `json:"endpoint_url,omitempty"`
	// Upstream names the upstream whose STS mints UpstreamKeys, and UpstreamMethod
	// how it is asked.
	Upstream       string         `json:"upstream,omitempty"`
	UpstreamMethod UpstreamMethod `json:"upstream_method,omitempty"`
	// Rules: the first that fits chooses; none fits: nothing is given.
	Rules []TokenServiceRule `json:"rules"`
}

// TokenServiceKey says whose keys a token service gives.
type TokenServiceKey string

// Keys of this installation, or keys that an upstream's STS minted.
const (
	OwnKeys      TokenServiceKey = "own"
	UpstreamKeys TokenServiceKey = "upstream"
)

// UpstreamMethod is how an upstream's STS is asked for keys.
type UpstreamMethod string

// Asked with the upstream's own keys (AssumeRole, also meant by ""), or with the
// token that the caller showed (AssumeRoleWithWebIdentity).
const (
	UpstreamAssumeRole  UpstreamMethod = "assume_role"
	UpstreamWebIdentity UpstreamMethod = "web_identity"
)

// TokenServiceRule gives a role to tokens of which a claim has a value, or has
// it in its list.
type TokenServiceRule struct {
	// Claim is the claim's name; dots lead into objects
	// ("resource_access.shasta.roles").
	Claim string `json:"claim"`
	Value string `json:"value"` // "*" and "?" are wildcards
	// Role is the name of a role of the account, whose trust policy must admit the
	// token too.
	Role string `json:"role"`
	// DurationSeconds is how long the keys live (3600 when 0), never longer than
	// the role's MaxSessionDuration.
	DurationSeconds int `json:"duration_seconds,omitempty"`
	// UpstreamRole and SessionPolicy (JSON, "" for none; policy variables in it are
	// replaced by the session's values) are for UpstreamKeys.
	UpstreamRole  string `json:"upstream_role,omitempty"`
	SessionPolicy string `json:"session_policy,omitempty"`
}

// Key is the service's unique name.
func (s *TokenService) Key() string { return s.AccountID + "/" + s.Name }
