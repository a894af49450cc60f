package policy

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"daypass/internal/identity"
)

// Principal is what policies can say of a caller. The zero value is anonymous.
type Principal struct {
	Kind identity.PrincipalKind
	// ARN as GetCallerIdentity shows it: of a session its own, not the role's.
	ARN     string
	Account string // "" for callers of no account: anonymous, web identity, SAML, service
	// ID is the unique ID of the user or role behind the caller; for root the
	// account ID.
	ID string
	// UserID is aws:userid: the ID, "AROA…:session", or "<account>:<name>".
	UserID string
	// Name is aws:username; only users have one.
	Name string
	// OwnerARN is the ARN of the user or role behind a session: aws:PrincipalArn.
	// For all others it may stay empty.
	OwnerARN string
	Tags     map[string]string // aws:PrincipalTag/…
	// Provider is what vouches for a web identity or SAML caller: the ARN of
	// the provider, or the host name that a Federated principal names.
	Provider    string
	Service     string // host name of a service principal
	CanonicalID string // S3's name of the account
}

// principalTypes are the values of aws:PrincipalType.
var principalTypes = map[identity.PrincipalKind]string{
	identity.RootUser:    "Account",
	identity.IAMUser:     "User",
	identity.RoleSession: "AssumedRole",
	identity.Federated:   "FederatedUser",
	identity.Anonymous:   "Anonymous",
	identity.ServiceID:   "User",
}

// Request is one action to be judged.
type Request struct {
	Principal Principal
	// Action is "service:Name"; case does not count.
	Action string
	// Resource is an ARN; "" and "*" stand for an action without resource.
	Resource string
	// ResourceAccount owns the resource; of an action without resource it is
	// the caller's own. Empty is nobody's: only a resource policy can allow.
	ResourceAccount string
	// Time is aws:CurrentTime and aws:EpochTime; zero: they have no value.
	Time time.Time
	// Context answers for all further condition keys; nil has none.
	Context Context
}

// Context looks up condition keys. Implementations are asked with keys in
// lower case. Keys that the engine knows from Principal and Request never
// reach it while they have a value there.
type Context interface {
	Lookup(key string) Values
}

// Values are the values of one condition key; the zero Values is a key without
// value.
type Values struct {
	one  string
	many []string
	n    int
}

// One is a key with a single value, which may be the empty string.
func One(value string) Values { return Values{one: value, n: 1} }

// Many is a key with several values; an empty list is a key without value.
func Many(values []string) Values { return Values{many: values, n: len(values)} }

// Len is the number of values.
func (v Values) Len() int { return v.n }

// At is value i.
func (v Values) At(i int) string {
	if v.many == nil {
		return v.one
	}
	return v.many[i]
}

// List copies the values.
func (v Values) List() []string {
	out := make([]string, v.n)
	for i := range out {
		out[i] = v.At(i)
	}
	return out
}

// Keys is a Context held in a map from keys in lower case; Set sees to that.
type Keys map[string][]string

// Set gives a key its values.
func (k Keys) Set(key string, values ...string) { k[lowered(key)] = values }

// Lookup implements Context.
func (k Keys) Lookup(key string) Values { return Many(k[key]) }

// view is a request as one statement sees it.
type view struct {
	req     *Request
	subject subject
	allow   bool // the statement is an Allow
}

func (v *view) prepare(r *Request) {
	v.req = r
	resource := r.Resource
	if resource == "" {
		resource = "*"
	}
	v.subject = subject{text: resource}
}

const (
	principalTag = "aws:principaltag/"
	requestTag   = "aws:requesttag/"
	resourceTag  = "aws:resourcetag/"
)

// lookup finds the values of a key in lower case.
func (v *view) lookup(key string) Values {
	if strings.HasPrefix(key, "aws:") {
		if s, ok := v.known(key); ok {
			return One(s)
		}
	}
	if v.req.Context == nil {
		return Values{}
	}
	return v.req.Context.Lookup(key)
}

func (v *view) known(key string) (string, bool) {
	p := &v.req.Principal
	if name, ok := strings.CutPrefix(key, principalTag); ok {
		for k, value := range p.Tags {
			if sameKey(k, name) {
				return value, true
			}
		}
		return "", false
	}
	switch key {
	case "aws:principalarn":
		if p.OwnerARN != "" && p.Kind == identity.RoleSession {
			return p.OwnerARN, true
		}
		return p.ARN, p.ARN != ""
	case "aws:principalaccount":
		return p.Account, p.Account != ""
	case "aws:principaltype":
		s, ok := principalTypes[p.Kind]
		return s, ok && (p.Kind != identity.Anonymous || p.Provider == "" && p.Service == "")
	case "aws:userid":
		return p.UserID, p.UserID != ""
	case "aws:username":
		return p.Name, p.Name != "" && p.Kind == identity.IAMUser
	case "aws:resourceaccount":
		return v.req.ResourceAccount, v.req.ResourceAccount != ""
	case "aws:federatedprovider":
		return p.Provider, p.Provider != ""
	case "aws:currenttime":
		return v.req.Time.UTC().Format(time.RFC3339), !v.req.Time.IsZero()
	case "aws:epochtime":
		return strconv.FormatInt(v.req.Time.Unix(), 10), !v.req.Time.IsZero()
	}
	return "", false
}

// has reports whether a variable has a value.
func (v *view) has(x *variable) bool {
	n := v.lookup(x.key).Len()
	return n == 1 || (n == 0 && x.hasFallback)
}

// lowered folds ASCII alone: letters that only look alike stay different.
func lowered(key string) string {
	return strings.Map(func(c rune) rune {
		if c < utf8.RuneSelf {
			return rune(lower(byte(c)))
		}
		return c
	}, key)
}

// sameKey compares a key with one in lower case.
func sameKey(key, low string) bool {
	if len(key) != len(low) {
		return false
	}
	for i := 0; i < len(key); i++ {
		if lower(key[i]) != low[i] {
			return false
		}
	}
	return true
}

type valueState uint8

const (
	valuesPresent valueState = iota
	valueMissing
	// valueUnsafe: as part of a resource the value would name another one than
	// its own: empty, "." or "..", or a claim or tag with "/".
	valueUnsafe
)

// valuesOnStack is the number of variables in one pattern that cost no
// allocation.
const valuesOnStack = 4

// substitute appends the value of each variable. A key with several values has
// none that could stand in their place.
func (v *view) substitute(vars []variable, to []string) ([]string, valueState) {
	state := valuesPresent
	for i := range vars {
		x := &vars[i]
		values := v.lookup(x.key)
		switch {
		case values.Len() == 1:
			value := values.At(0)
			if unsafeInResource(x.key, value) {
				state = valueUnsafe
			}
			to = append(to, value)
		case x.hasFallback && values.Len() == 0:
			to = append(to, x.fallback)
		default:
			return to, valueMissing
		}
	}
	return to, state
}

func unsafeInResource(key, value string) bool {
	if value == "" || value == "." || value == ".." {
		return true
	}
	return strings.Contains(value, "/") && !ownPath(key)
}

// ownPath reports whether a key's values are made by this installation, so
// that a "/" in them is meant. All others are claims and tags.
func ownPath(key string) bool {
	switch {
	case strings.HasPrefix(key, principalTag), strings.HasPrefix(key, requestTag), strings.HasPrefix(key, resourceTag):
		return false
	case strings.HasPrefix(key, "s3:"):
		return !strings.Contains(key, "tag/")
	}
	return strings.HasPrefix(key, "aws:")
}
