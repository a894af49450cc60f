package cray

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"daypass/internal/identity"
	"daypass/internal/issue"
)

// Prefix is what the paths begin with on hosts that serve more than this.
const Prefix = "/apis/sts/"

// maxBody is what is read of a body, which says nothing.
const maxBody = 1 << 20

// Issuer gives keys; *issue.Issuer is the implementation.
type Issuer interface {
	TokenService(ctx context.Context, r issue.TokenServiceRequest) (issue.TokenServiceKeys, error)
	TokenServiceReady(ctx context.Context, host string) error
}

var _ Issuer = (*issue.Issuer)(nil)

// Config is what a Handler needs.
type Config struct {
	Issuer Issuer
	Log    *slog.Logger
}

// Handler answers every request below Prefix, and the two bare paths of hosts
// that are a token service's own.
type Handler struct {
	Config
}

// New makes a Handler.
func New(c Config) *Handler { return &Handler{c} }

// endpoint is one path: its methods, and what serves it and writes the answer
// of a success.
type endpoint struct {
	allow string
	serve func(*Handler, http.ResponseWriter, *http.Request) error
}

// endpoints are found by the path as it was sent, never cleaned or decoded.
var endpoints = map[string]endpoint{
	"token":   {http.MethodPut, (*Handler).token},
	"healthz": {http.MethodGet + ", " + http.MethodHead, (*Handler).health},
}

// Bare reports whether a path is one of those that a token service has on a
// host of its own, without Prefix.
func Bare(path string) bool {
	_, ok := endpoints[strings.TrimPrefix(path, "/")]
	return ok && path[0] == '/'
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		h.refuse(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	name, prefixed := strings.CutPrefix(path, Prefix)
	if !prefixed {
		name = strings.TrimPrefix(path, "/")
	}
	e, ok := endpoints[name]
	if !ok {
		return refusal(identity.KindInvalidAction, "")
	}
	if !allowed(e.allow, r.Method) {
		w.Header().Set("Allow", e.allow)
		return refusal(identity.KindMethodNotAllowed, "This path takes "+e.allow+".")
	}
	return e.serve(h, w, r)
}

func allowed(methods, method string) bool {
	for m := range strings.SplitSeq(methods, ", ") {
		if m == method {
			return true
		}
	}
	return false
}

// timestamp is the form of Python's isoformat, which clients parse: with
// microseconds, and the offset in figures.
const timestamp = "2006-01-02T15:04:05.000000-07:00"

type credentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
	EndpointURL     string
}

type tokenAnswer struct{ Credentials credentials }

// token answers 201, which is the only status that all clients take.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) error {
	in, err := readToken(r)
	if err != nil {
		return err
	}
	if err := drain(w, r); err != nil {
		return err
	}
	keys, err := h.Issuer.TokenService(r.Context(), in)
	if err != nil {
		return err
	}
	send(w, http.StatusCreated, "application/json", encode(tokenAnswer{credentials{
		AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.Secret.Reveal(), SessionToken: keys.SessionToken.Reveal(),
		Expiration: keys.ExpiresAt.UTC().Format(timestamp), EndpointURL: keys.EndpointURL,
	}}))
	return nil
}

// drain reads a body to its end: what is left would be taken for the next
// request.
func drain(w http.ResponseWriter, r *http.Request) error {
	_, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refusal(identity.KindTooLarge, "")
	}
	if err != nil {
		return &identity.Error{Kind: identity.KindIncompleteBody, Op: "cray", Err: err}
	}
	return nil
}

func (h *Handler) health(w http.ResponseWriter, r *http.Request) error {
	if err := h.Issuer.TokenServiceReady(r.Context(), r.Host); err != nil {
		return err
	}
	send(w, http.StatusOK, "application/json", encode(struct{ Status string }{"ok"}))
	return nil
}

const (
	bearerScheme    = "Bearer "
	forwardedHeader = "X-Forwarded-Access-Token"
)

// readToken finds the one token of a request: "Authorization: Bearer TOKEN",
// in just this spelling, or the header that a proxy in front sets. Where both
// are there they must be of the same token.
func readToken(r *http.Request) (issue.TokenServiceRequest, error) {
	in := issue.TokenServiceRequest{Host: r.Host}
	bearer, err := one(r, "Authorization")
	if err != nil {
		return in, err
	}
	forwarded, err := one(r, forwardedHeader)
	if err != nil {
		return in, err
	}
	if bearer != "" {
		token, ok := strings.CutPrefix(bearer, bearerScheme)
		if !ok || !isToken(token) {
			return in, refusal(identity.KindInvalidBearer, `The Authorization header is not "Bearer", one space and a token.`)
		}
		bearer = token
	}
	switch {
	case bearer == "" && forwarded == "":
		return in, refusal(identity.KindMissingAuthentication, "")
	case bearer != "" && forwarded != "" && !identity.Secret(bearer).Equal(identity.Secret(forwarded)):
		return in, refusal(identity.KindAuthTwice, "")
	case bearer == "":
		if !isToken(forwarded) {
			return in, refusal(identity.KindInvalidBearer, "")
		}
		in.Token, in.Forwarded = identity.Secret(forwarded), true
	default:
		in.Token = identity.Secret(bearer)
	}
	return in, nil
}

// one is the value of a header that may stand once.
func one(r *http.Request, name string) (string, error) {
	switch values := r.Header[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", refusal(identity.KindAuthTwice, "")
}

// isToken reports whether s is of the characters of a b64token (RFC 6750 §2.1).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/=", c)
	})
}

func refusal(kind identity.Kind, sentence string) error {
	return identity.NewError(kind, "cray", sentence)
}

// encode writes JSON as it is: nobody embeds it in a page.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // structs of strings and numbers always encode
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// send answers in one write. Nothing of it may be cached.
func send(w http.ResponseWriter, status int, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // what fails here failed with the client
}
