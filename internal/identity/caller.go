package identity

import (
	"context"
	"time"
)

// PrincipalKind says what a caller is.
type PrincipalKind string

// Kinds of callers. Operator belongs to no account.
const (
	Anonymous   PrincipalKind = ""
	Operator    PrincipalKind = "operator"
	RootUser    PrincipalKind = "root"
	IAMUser     PrincipalKind = "user"
	RoleSession PrincipalKind = "role-session"
	Federated   PrincipalKind = "federated"
	ServiceID   PrincipalKind = "service-id"
)

// Caller is the principal behind an accepted credential and the facts of its
// session. Only package access makes one from a request.
type Caller struct {
	Kind      PrincipalKind
	AccountID string
	Partition string
	// PrincipalID is the unique ID of the user, root user (account ID) or role.
	PrincipalID string
	// ARN as GetCallerIdentity shows it.
	ARN string
	// UserID as GetCallerIdentity shows it ("AROA…:session" for a role session).
	UserID string
	// Name is the user's or role's name; "root" for root.
	Name        string
	SessionName string
	AccessKeyID string
	// Temporary is set for session keys.
	Temporary bool
	// Interactive is set for a person who logged in and acts by a user pool's
	// access token or at the console, not by keys: what concerns the person
	// alone needs no policy.
	Interactive bool
	// Console is set for one who acts at the console: nobody else gets keys for
	// a log-in alone.
	Console bool
	// Methods are how a person proved to be one at the console (RFC 8176).
	Methods []string
	// APIToken is set for an API token that acts by an access token of its user
	// pool: a machine, which manages nothing of its own.
	APIToken       bool
	SourceIdentity string
	// Tags are the session's tags, or else those of the user; TransitiveKeys
	// the ones that role chaining passes on.
	Tags           map[string]string
	TransitiveKeys []string
	// SessionPolicy (JSON) and SessionPolicyARNs bound the session's rights.
	SessionPolicy     string
	SessionPolicyARNs []string
	MFA               bool
	MFATime           time.Time // zero without MFA
	// OwnerARN is the ARN of the role or user behind a session, else that of
	// the caller.
	OwnerARN string
	// Rights is what package access made of the policies that bear on the
	// caller. Nobody else reads it.
	Rights any
	// Keys, when set, answers for the condition keys of the request that the
	// service knows, in lower case, where a question brings no answers of its
	// own.
	Keys func(key string) []string
	// ProviderARN is set for sessions by web identity; for those of an identity
	// pool it is the pool's.
	ProviderARN string
	// Pool is set for sessions that an identity pool gave.
	Pool *PoolSession
	// Instance is the service instance that a request of IBM's S3 clients names.
	Instance  *ServiceInstance
	IssuedAt  time.Time
	ExpiresAt time.Time // zero for long-term keys
	Position  Position
	Lineage   Lineage
	Request   RequestFacts
}

// Session reports whether the caller acts by something that ends: session keys,
// or a log-in by whatever proof; not by a long-term key.
func (c *Caller) Session() bool { return c.Temporary || c.Interactive || !c.ExpiresAt.IsZero() }

// IAMID is how IBM's dialect names a user, the root user or a service ID that
// calls; "" for other callers.
func (c *Caller) IAMID() string {
	switch c.Kind {
	case RootUser, IAMUser, ServiceID:
		return IAMIDOf(c.PrincipalID)
	case Operator:
		return string(Operator)
	}
	return ""
}

// RequestFacts are what every event and error needs to know of a request.
type RequestFacts struct {
	ID        string
	SourceIP  string // without port, forwarded headers already judged
	UserAgent string
	Referer   string
	Region    string // of the signature's scope, "" when unsigned
	Secure    bool
	// Dialect is the service that answers: sts, iam, s3, oidc, admin, …
	Dialect string
}

type requestKey struct{}

// WithRequest hangs the facts of a request on its context.
func WithRequest(ctx context.Context, f RequestFacts) context.Context {
	return context.WithValue(ctx, requestKey{}, f)
}

// RequestOf returns the facts that WithRequest hung on, or zero.
func RequestOf(ctx context.Context) RequestFacts {
	f, _ := ctx.Value(requestKey{}).(RequestFacts)
	return f
}
