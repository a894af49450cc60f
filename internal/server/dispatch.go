package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"daypass/internal/api/cognito"
	"daypass/internal/api/cray"
	"daypass/internal/api/ibm"
	"daypass/internal/api/keyprotect"
	"daypass/internal/api/oidc"
	"daypass/internal/api/stax"
	"daypass/internal/identity"
)

// Route is where a request goes.
type Route struct {
	// Service answers: s3, sts, iam, oidc, cognito-idp, …
	Service string
	// Action is the query protocol's Action, or the operation of X-Amz-Target; ""
	// for others.
	Action string
	Host   HostName
	// Err is set when the request is refused; Service says in whose envelope.
	Err *identity.Error
}

// Router picks the one service that answers a request.
type Router struct {
	hosts *Hosts
	// localOnly refuses host names that are not of this machine.
	localOnly bool
	pages     Pages
	// tokenHost reports whether a host name is one of a token service's own.
	tokenHost func(host string) bool
	// targets maps the prefix of X-Amz-Target (before the dot) to a service.
	targets map[string]services
}

// NewRouter makes a Router. With localOnly, as under --dev, host names must be
// loopback ones or below a base domain. tokenHost reports whether a host name,
// as Host has it, is one of a token service's own.
func NewRouter(hosts *Hosts, localOnly bool, pages Pages, tokenHost func(host string) bool) *Router {
	return &Router{hosts: hosts, localOnly: localOnly, pages: pages, tokenHost: tokenHost, targets: map[string]services{
		cognito.TargetIDP: setCognitoIDP, cognito.TargetIdentity: setCognitoIdentity,
	}}
}

// Pages are the host names that are kept for pages for people. No API answers
// there: an object that is a page would be of one origin with them.
type Pages struct {
	// Hosts are lower case, without port.
	Hosts []string
	// API is the URL under which the APIs are, for the refusal.
	API string
}

func (p *Pages) refuse(host string) *identity.Error {
	if !slices.Contains(p.Hosts, hostOnly(host)) {
		return nil
	}
	return identity.NewError(identity.KindAccessDenied, "server.Route", "This host name is kept for pages for people; the APIs are at "+p.API+".")
}

// stsActions are all of the model, served or not: an action that is not served
// is refused by the service it belongs to.
var stsActions = []string{
	"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "AssumeRoot", "DecodeAuthorizationMessage",
	"GetAccessKeyInfo", "GetCallerIdentity", "GetDelegatedAccessToken", "GetFederationToken", "GetSessionToken",
	"GetWebIdentityToken",
}

// issuerPrefixes are the control paths of issuers; the name of a realm or the
// ID of an account follows.
var issuerPrefixes = append(oidc.Prefixes(), oidc.OutboundPrefix)

var ibmPrefixes = ibm.Prefixes()

// ControlSegments are the first path segments of control dialects, served or
// promised. No bucket may have such a name, or its objects could not be
// reached by path.
func ControlSegments() []string {
	return []string{"auth", "realms", "keycloak", "apis", "identity", "instance_identity", "oidc", "v1", "v2", "authz", "api", strings.Trim(stax.Prefix, "/")}
}

// services is a set of services that one selector of a request allows; empty
// when the selector is not there.
type services uint16

const (
	setIAM services = 1 << iota
	setSTS
	setOIDC
	setS3
	setCognitoIDP
	setCognitoIdentity
	setPool
	setAPI
	setCray
	setIBM
	setKMS
	// setUnknown is a name that is none of ours: it agrees with nothing.
	setUnknown
	setNone services = 0

	// unsigned are the services without a credential scope.
	unsigned = setOIDC | setPool | setCray | setKMS
)

var serviceSets = []struct {
	set  services
	name string
}{{setIAM, serviceIAM}, {setSTS, serviceSTS}, {setOIDC, serviceOIDC}, {setS3, serviceS3}, {setCognitoIDP, serviceCognitoIDP}, {setCognitoIdentity, serviceCognitoIdentity}, {setPool, servicePool}, {setAPI, serviceAPI}, {setCray, serviceCray}, {setIBM, serviceIBM}, {setKMS, serviceKMS}}

func setOf(service string) services {
	for _, s := range serviceSets {
		if s.name == service {
			return s.set
		}
	}
	return setUnknown
}

// name is the first service of a set, "" when it holds none of ours.
func (s services) name() string {
	for _, known := range serviceSets {
		if s&known.set != 0 {
			return known.name
		}
	}
	return ""
}

// Route reads a request and, where the Action can be in the body, up to 1 MiB
// of that, which it puts back. Selectors that disagree are refused: the service
// named by the host, then X-Amz-Target, then Action, then path (none of them:
// S3) answers with its wrong-service error.
func (t *Router) Route(r *http.Request) Route {
	path, ok := requestPath(r)
	if !ok {
		return Route{Service: serviceS3, Err: identity.NewError(identity.KindInvalidRequest, "server.Route", "Couldn't parse the specified URI.")}
	}
	host := t.hosts.Lookup(r.Host)
	byHost := hostSelector(host)
	byPath := t.pathSelector(path, r.Host)
	if host.Bucket != "" {
		byPath = setS3 // the path is all key
	}
	if t.localOnly && !t.hosts.Local(r.Host) {
		service := first(byHost, byPath)
		return Route{Service: service, Err: identity.NewError(identity.KindAccessDenied, "server.Route",
			"This host name is not served here; use 127.0.0.1 or a configured base domain.")}
	}
	byTarget := t.target(r)
	byAction, action, err := actionSelector(r, path, host.Bucket != "")
	if byTarget&(setCognitoIDP|setCognitoIdentity) != 0 {
		_, action, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	}
	route := Route{Action: action, Host: host}
	scope, signed := scopeService(r)
	byScope := setNone
	if signed {
		if byScope = setOf(scope); byScope&unsigned != 0 {
			byScope = setUnknown
		}
	}
	agreed, ok := intersect(byScope, byHost, byTarget, byAction, byPath)
	route.Service = agreed
	if !ok {
		route.Service = first(byHost, byTarget, byAction, byPath)
	}
	if refused := t.pages.refuse(r.Host); refused != nil {
		route.Err = refused
		return route
	}
	switch {
	case err != nil:
		route.Err = err
	case !ok:
		route.Err = wrongService(route.Service, scope)
	}
	return route
}

// first is the service of the first selector that names one of ours, else S3.
func first(selectors ...services) string {
	for _, s := range selectors {
		if name := s.name(); name != "" {
			return name
		}
	}
	return serviceS3
}

// intersect finds the service that all selectors allow; without any it is S3.
// It reports false when they disagree or name no service of ours.
func intersect(selectors ...services) (string, bool) {
	common := ^setNone
	for _, s := range selectors {
		if s != setNone {
			common &= s
		}
	}
	if common == ^setNone {
		return serviceS3, true
	}
	name := common.name()
	return name, name != ""
}

func wrongService(service, got string) *identity.Error {
	e := &identity.Error{
		Kind: identity.KindScopeService, Op: "server.Route",
		Public: fmt.Sprintf("The authorization header is malformed; incorrect service %q. This endpoint belongs to %q.", printable(got), service),
		Detail: []identity.Detail{
			{Name: "Service", Value: service},
			{Name: "QueryMessage", Value: fmt.Sprintf("Credential should be scoped to correct service: '%s'.", service)},
		},
	}
	if got == "" || got == service {
		// Nothing is wrong with a scope: host, target, action or path disagree.
		e.Public = fmt.Sprintf("The request names more than one service; this endpoint belongs to %q.", service)
		e.Detail[1].Value = fmt.Sprintf("The request names more than one service; this endpoint belongs to '%s'.", service)
	}
	return e
}

// printable keeps what a stranger wrote short and harmless.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || strings.ContainsRune(`<>&"'`, r) {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 64)]
}

// requestPath is the raw path of an origin-form target; CONNECT, "*" and
// absolute-form targets have none.
func requestPath(r *http.Request) (string, bool) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path, path != "" && path[0] == '/'
}

// hostSelector: an iam host is that of both query services, since installations
// with one host for identities (demo.iam.x) have their users call STS there.
func hostSelector(host HostName) services {
	switch host.Service {
	case "":
		return setNone
	case serviceIAM:
		return setIAM | setSTS
	}
	return setOf(host.Service)
}

// pathSelector: control paths name their service, "/" none, all else is S3. On
// a host of its own the token service has two paths more.
func (t *Router) pathSelector(path, host string) services {
	if path == "/" {
		return setNone
	}
	if strings.HasPrefix(path, cray.Prefix) || cray.Bare(path) && t.tokenHost(host) {
		return setCray
	}
	if strings.HasPrefix(path, stax.Prefix) {
		return setAPI
	}
	if first, rest, _ := strings.Cut(path[1:], "/"); strings.Contains(first, "_") && strings.HasPrefix(rest, ".well-known/") {
		return setPool // no bucket's name has a "_"
	}
	if strings.HasPrefix(path, identity.IdentityPoolPath) {
		return setPool
	}
	if path == ibm.TokenPath || slices.ContainsFunc(ibmPrefixes, func(p string) bool { return strings.HasPrefix(path, p) }) {
		return setIBM
	}
	if strings.HasPrefix(path, keyprotect.Prefix) {
		return setKMS
	}
	for _, prefix := range issuerPrefixes {
		if rest, ok := strings.CutPrefix(path, prefix); ok && rest != "" && rest[0] != '/' {
			return setOIDC
		}
	}
	return setS3
}

// target reads X-Amz-Target ("Service.Operation"). One that names no service of
// ours, or stands twice, disagrees with everything.
func (t *Router) target(r *http.Request) services {
	values := r.Header["X-Amz-Target"]
	if len(values) == 0 {
		return setNone
	}
	prefix, _, _ := strings.Cut(values[0], ".")
	if service, ok := t.targets[prefix]; ok && len(values) == 1 {
		return service
	}
	return setUnknown
}
