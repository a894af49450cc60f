package cognito

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"daypass/internal/access"
	"daypass/internal/awswire"
	"daypass/internal/identity"
)

// The prefixes of X-Amz-Target, before the dot.
const (
	TargetIDP      = "AWSCognitoIdentityProviderService"
	TargetIdentity = "AWSCognitoIdentityService"
)

// maxBody is the most bytes of a request: two log-in tokens of the longest kind,
// and room for the rest.
const maxBody = 256 << 10

// Authenticator accepts signed requests; *access.Access is the implementation.
type Authenticator interface {
	Authenticate(r *http.Request, svc access.Service, bodySHA256 string) (access.Authenticated, error)
}

var _ Authenticator = (*access.Access)(nil)

// Config is what a Handler needs.
type Config struct {
	Access Authenticator
	SignIn SignIn
	// People and Self serve the user calls.
	People UserTokens
	Self   Self
	// Identities and IdentityPools serve identity pools.
	Identities    Identities
	IdentityPools IdentityPools
	// UserPools, PoolUsers and PoolGroups manage user pools; AdminSignIn logs
	// their users in.
	UserPools   UserPools
	PoolUsers   PoolUsers
	PoolGroups  PoolGroups
	AdminSignIn AdminSignIn
	Log         *slog.Logger
}

// Handler answers every request that was routed to cognito-idp or
// cognito-identity.
type Handler struct {
	Config
}

// New makes a Handler.
func New(c Config) *Handler { return &Handler{c} }

// call is one request to a known operation.
type call struct {
	ctx context.Context
	// caller is who signed the request; nil for operations without signature.
	caller *identity.Caller
	body   []byte
}

// decode reads the body into a struct whose members are pointers, strings,
// slices and maps named as in the service's model. Members that it does not
// have are ignored, as Amazon does; a name that stands twice counts last.
func (c *call) decode(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return serialization(err)
	}
	return nil
}

// operation serves one call and returns what is encoded as the answer; an empty
// struct for operations that answer {}, nil for those that answer nothing.
type operation struct {
	signed bool
	serve  func(*Handler, *call) (any, error)
}

// service is what a target's prefix stands for.
type service struct {
	access     access.Service
	operations map[string]operation
}

// services are the tables of all areas.
var services = map[string]service{
	TargetIDP:      {access.ServiceCognitoIDP, tables(signInCalls, userCalls, softwareTokenCalls, userPoolOperations, poolUserOperations, poolGroupOperations, adminSignInOperations)},
	TargetIdentity: {access.ServiceCognitoIdentity, tables(identityOperations, identityPoolOperations)},
}

func tables(areas ...map[string]operation) map[string]operation {
	all := map[string]operation{}
	for _, area := range areas {
		maps.Copy(all, area)
	}
	return all
}

// Operations are the names of all operations served, sorted.
func Operations() []string {
	var all []string
	for _, s := range services {
		all = slices.AppendSeq(all, maps.Keys(s.operations))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ServeHTTP answers always in the envelope of JSON 1.1, and lets pages of any
// origin read it: browsers call Cognito directly, and nothing here is decided
// by a cookie.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := identity.RequestOf(r.Context()).ID
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	head.Set("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date")
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return
	}
	name, answer, err := h.serve(w, r)
	if err == nil {
		err = write(w, id, answer)
	}
	if err != nil {
		h.refuse(w, r, id, name, err)
	}
}

func write(w http.ResponseWriter, id string, answer any) error {
	if answer != nil {
		return awswire.WriteJSON(w, id, answer)
	}
	w.Header().Set("X-Amzn-Requestid", id)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

func preflight(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Access-Control-Allow-Methods", "POST")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		head.Set("Access-Control-Allow-Headers", asked)
	}
	head.Set("Access-Control-Max-Age", "172800")
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (name string, answer any, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return "", nil, identity.NewError(identity.KindMethodNotAllowed, "cognito", "")
	}
	prefix, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	svc, known := services[prefix]
	if !known {
		return "", nil, identity.NewError(identity.KindInvalidAction, "cognito", "")
	}
	op, known := svc.operations[name]
	if !known {
		return "", nil, identity.NewError(identity.KindInvalidAction, "cognito", "")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return name, nil, identity.NewError(identity.KindTooLarge, "cognito", "")
	}
	if err != nil {
		return name, nil, &identity.Error{Kind: identity.KindIncompleteBody, Op: "cognito", Err: err}
	}
	c := &call{ctx: r.Context(), body: body}
	if op.signed {
		sum := sha256.Sum256(body)
		who, err := h.Access.Authenticate(r, svc.access, hex.EncodeToString(sum[:]))
		if err != nil {
			return name, nil, err
		}
		c.caller = &who.Caller
	}
	answer, err = op.serve(h, c)
	return name, answer, err
}

// serialization is the refusal of a body that is not the JSON of the operation;
// what it holds is not repeated.
func serialization(err error) error {
	return &identity.Error{Kind: identity.KindIncompleteBody, Op: "cognito.decode", Err: errors.New(jsonFault(err))}
}

// jsonFault says what kind of fault it is without the text that has it.
func jsonFault(err error) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return "a member of another type at " + t.Field
	}
	return "not JSON"
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, id, name string, err error) {
	f := awswire.WriteJSONError(w, id, err)
	level := slog.LevelInfo
	if f.Status >= 500 {
		level = slog.LevelError
	}
	h.Log.LogAttrs(r.Context(), level, "cognito request refused", slog.String("request_id", id),
		slog.String("operation", name), slog.Int("status", f.Status), slog.String("code", f.Code), slog.Any("cause", err))
}
