package issue

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"daypass/internal/audit"
	"daypass/internal/identity"
	"daypass/internal/store"
)

const (
	// IBMPublicClient is the client that everybody may be, and the only one that
	// authorization codes are for.
	IBMPublicClient = "bx"
	ibmCodeLife     = time.Minute
	maxRedirect     = 512
	maxState        = 1024
	// Bounds of a code verifier (RFC 7636 §4.1).
	minVerifier = 43
	maxVerifier = 128
)

// IBMAuthorization is what a program asks a person's browser for (RFC 6749
// §4.1.1, RFC 7636 §4.3).
type IBMAuthorization struct {
	ClientID, RedirectURI, State string
	// Challenge is of method S256, which is the only one.
	Challenge string
}

// Check judges a request. KindValidation, with what is wrong with it.
func (a IBMAuthorization) Check() error {
	bad := func(what string) error { return identity.NewError(identity.KindValidation, "issue.authorize", what) }
	sum, err := base64.RawURLEncoding.Strict().DecodeString(a.Challenge)
	switch {
	case a.ClientID != IBMPublicClient:
		return bad("The program that asks is not known here: client_id must be " + IBMPublicClient + ".")
	case a.Origin() == "":
		return bad("The program that asks is not on this computer: redirect_uri must begin with http://127.0.0.1 or http://localhost.")
	case err != nil || len(sum) != sha256.Size:
		return bad("The program must send a code_challenge of method S256.")
	case len(a.State) > maxState:
		return bad("The parameter state is too long.")
	}
	return nil
}

// Origin is the scheme, host and port of the program, which is on the person's own
// computer (RFC 8252 §7.3); "" for anything else.
func (a IBMAuthorization) Origin() string {
	if len(a.RedirectURI) > maxRedirect || strings.ContainsFunc(a.RedirectURI, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`#\"'<>;,`, r) }) {
		return ""
	}
	u, err := url.Parse(a.RedirectURI)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Opaque != "" {
		return ""
	}
	if name := u.Hostname(); name != "127.0.0.1" && name != "localhost" || u.Host != name && u.Host != name+":"+u.Port() || strings.HasSuffix(u.Host, ":") {
		return ""
	}
	return "http://" + u.Host
}

// ConsoleAuthorize gives the program that asks an authorization code of a person
// who logged in at the console within five minutes, and returns the address that
// takes it there, with the issuer (RFC 9207). The code descends from the log-in, as
// a passcode does. Errors as of Check and ConsolePasscode.
func (i *Issuer) ConsoleAuthorize(ctx context.Context, c *identity.Caller, a IBMAuthorization) (identity.Secret, error) {
	ev := audit.Change(c, ibmDialect, "CreateAuthorizationCode", map[string]string{"clientId": bounded(a.ClientID), "redirectUri": bounded(a.Origin())})
	out, err := i.consoleAuthorize(ctx, c, a, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) consoleAuthorize(ctx context.Context, c *identity.Caller, a IBMAuthorization, ev *audit.Event) (identity.Secret, error) {
	if err := i.fresh(c); err != nil { // before anything is said of the programs
		return "", err
	}
	if err := a.Check(); err != nil {
		return "", err
	}
	text, hash, err := i.authn.NewAuthorizationCode()
	if err != nil {
		return "", err
	}
	p := &store.Passcode{Hash: hash, ClientID: a.ClientID, RedirectURI: a.RedirectURI, Challenge: a.Challenge}
	if err := i.keepCode(ctx, c, p, ibmCodeLife, ev); err != nil {
		return "", err
	}
	u, err := url.Parse(a.RedirectURI)
	if err != nil {
		return "", &identity.Error{Kind: identity.KindInternal, Op: "issue.authorize", Err: err}
	}
	q := u.Query()
	q.Set("code", text.Reveal())
	q.Set("iss", i.authn.IBMIssuer())
	if q.Del("state"); a.State != "" {
		q.Set("state", a.State)
	}
	u.RawQuery = q.Encode()
	return identity.Secret(u.String()), nil
}

// IBMCodeGrant is an authorization code with what it is bound to. ClientID is the
// one in the form, "" where Client says it.
type IBMCodeGrant struct {
	Code, Verifier        identity.Secret
	RedirectURI, ClientID string
	Account               string
	Client                IBMClient
}

// IBMCode logs the person in who let a program have an authorization code (grant
// type authorization_code). Errors as of IBMPasscode; KindInvalidCredentials also
// for a code of another client, address or challenge. One that is shown again, by
// who knows the verifier, ends what it gave (RFC 6749 §4.1.2).
func (i *Issuer) IBMCode(ctx context.Context, g IBMCodeGrant) (IBMTokens, error) {
	ev := ibmEvent("AuthorizationCodeGrant", g.Client)
	out, err := i.ibmCode(ctx, g, &ev)
	if err != nil {
		i.refused(ctx, ev, err)
	}
	return out, err
}

func (i *Issuer) ibmCode(ctx context.Context, g IBMCodeGrant, ev *audit.Event) (IBMTokens, error) {
	l, err := i.beginIBM(IBMGrantCode, g.Client)
	if err != nil {
		return IBMTokens{}, err
	}
	// 1 prove
	p, u, err := i.authn.AuthorizationCode(ctx, g.Code)
	bound := p != nil && g.boundTo(p)
	if err != nil {
		if bound && p.SessionID != "" {
			i.endFamily(ctx, ibmDialect, p.SessionID, "authorization code used twice")
		}
		return IBMTokens{}, err
	}
	if !bound {
		return IBMTokens{}, errBadPasscode
	}
	l.client = p.ClientID
	return i.redeemCode(ctx, l, p, u, g.Account, ev)
}

// boundTo says whether the grant shows what the code is bound to.
func (g *IBMCodeGrant) boundTo(p *store.Passcode) bool {
	if len(g.Verifier) < minVerifier || len(g.Verifier) > maxVerifier {
		return false
	}
	client := g.Client.ID
	if client == "" {
		client = g.ClientID
	}
	sum := sha256.Sum256([]byte(g.Verifier.Reveal()))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(challenge), []byte(p.Challenge)) == 1 && client == p.ClientID && g.RedirectURI == p.RedirectURI &&
		(g.ClientID == "" || g.ClientID == client)
}
