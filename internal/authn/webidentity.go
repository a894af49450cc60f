package authn

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/store"
	"daypass/internal/token"
)

// MaxJWT is the most bytes of a token (AssumeRoleWithWebIdentity's own limit).
const MaxJWT = 20000

// foreignLeeway is how far a foreign issuer's clock may be off; our own tokens
// get none.
const foreignLeeway = 60 * time.Second

// webIdentityAlgorithms are what STS accepts.
var webIdentityAlgorithms = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}

// WebIdentity is a verified JWT.
type WebIdentity struct {
	// Issuer is the token's or, where that is an alias of a provider's, the
	// provider's.
	Issuer string
	// OwnRealm is the realm of this installation that signed it, OwnPool the
	// identity pool; both are nil for foreign tokens, whose Provider is set
	// instead.
	OwnRealm *identity.Realm
	OwnPool  *identity.IdentityPool
	Provider *identity.Provider
	Claims   *Claims
}

// OwnMFA is when a second factor was shown (Unix ms) for a token of one of our
// own realms; 0 without one, and for all others, whose word on it does not
// count.
func (w *WebIdentity) OwnMFA() int64 {
	if w.OwnRealm == nil {
		return 0
	}
	return w.Claims.MFAMS
}

// WebIdentity verifies a JWT for use in an account: signed by one of our own
// realms, by an identity pool of the account, or by an issuer that the account
// registered as OIDC provider. It judges form, algorithm, signature, times and, for foreign tokens, the
// audience; for our own issuers issue judges the audience. Errors: KindInvalidIdentity, KindExpiredIdentity,
// KindProviderUnreachable.
func (a *Authn) WebIdentity(ctx context.Context, accountID string, raw identity.Secret) (*WebIdentity, error) {
	w, typ, err := a.webIdentity(ctx, accountID, raw)
	if err != nil {
		return nil, err
	}
	if w.Provider != nil {
		return w, w.judgeForeign(typ)
	}
	return w, nil
}

// webIdentity is WebIdentity but for the kind and the audience of the token; typ
// is its header's.
func (a *Authn) webIdentity(ctx context.Context, accountID string, raw identity.Secret) (w *WebIdentity, typ string, err error) {
	unverified, err := a.open(raw.Reveal())
	if err != nil {
		return nil, "", err
	}
	w = &WebIdentity{Issuer: unverified.header.Issuer}
	if realm := a.OwnRealm(w.Issuer); realm != nil {
		w.OwnRealm = realm
		w.Claims, err = a.verify(unverified, realm.KeySet(), a.ownKey(realm.KeySet()))
	} else if pool := a.ownPool(w.Issuer); pool != nil && pool.AccountID == accountID {
		w.OwnPool = pool
		w.Claims, err = a.verify(unverified, pool.KeySet(), a.ownKey(pool.KeySet()))
	} else {
		p := a.foreignProvider(accountID, w.Issuer)
		if p == nil {
			return nil, "", &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.webidentity", Public: noProvider + printable(w.Issuer)}
		}
		w.Provider, w.Issuer = p, p.URL
		w.Claims, err = a.verify(unverified, p.Key(), func(kid, alg string) (crypto.PublicKey, error) {
			return a.issuers.Key(ctx, p, kid, alg)
		})
	}
	if err != nil {
		return nil, "", err
	}
	leeway := time.Duration(0)
	if w.Provider != nil {
		leeway = foreignLeeway
	}
	return w, unverified.header.Type, w.Claims.judge(a.clock.Now(), leeway)
}

// noProvider is AssumeRoleWithWebIdentity's sentence.
const noProvider = "No OpenIDConnect provider found in your account for "

// foreignProvider returns the provider of an account whose issuer this is, or an
// alias of it, exactly; nil without one.
func (a *Authn) foreignProvider(account, issuer string) *identity.Provider {
	if a.ForOthers(issuer) {
		return nil
	}
	snap := a.db.Snapshot()
	p, err := store.Providers.Get(snap, (&identity.Provider{AccountID: account, URL: issuer}).Key())
	if err == nil && p.URL == issuer {
		return p
	}
	if p, err = store.Providers.By(snap, "alias", store.Join(account, issuer)); err != nil || p.OwnRealm != "" {
		return nil
	}
	return p
}

// ForOthers tells the issuers of this installation whose tokens no account may
// register as a provider's: those of our accounts, which carry no lineage, so
// that what they yielded would outlive their caller's end, and those of user
// pools, of identity pools and of IBM's dialect, whose tokens have uses of their
// own.
func (a *Authn) ForOthers(issuer string) bool {
	path, ok := strings.CutPrefix(issuer, a.external)
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return ok && (path == identity.IBMIssuerPath || strings.HasPrefix(path, identity.OutboundPath) || strings.Contains(first, "_"))
}

// ownPool returns the identity pool whose issuer this is, or nil.
func (a *Authn) ownPool(issuer string) *identity.IdentityPool {
	id, ok := strings.CutPrefix(issuer, a.external+identity.IdentityPoolPath)
	if !ok {
		return nil
	}
	p, err := store.IdentityPools.Get(a.db.Snapshot(), id)
	if err != nil {
		return nil
	}
	return p
}

// OwnRealm returns the realm whose issuer this is, exactly, or nil.
func (a *Authn) OwnRealm(issuer string) *identity.Realm {
	snap := a.db.Snapshot()
	if name, ok := strings.CutPrefix(issuer, a.external+"/auth/realms/"); ok {
		if r, err := store.Realms.Get(snap, name); err == nil && r.IssuerURL(a.external) == issuer {
			return r
		}
	}
	realms, err := store.Realms.List(snap, "", "", store.After{}, 0)
	if err != nil {
		return nil
	}
	for _, r := range realms {
		if r.Issuer != "" && r.Issuer == issuer {
			return r
		}
	}
	return nil
}

// verify checks the signature, or finds it checked before, and reads the
// claims. The cache holds only that a signature was good under an issuer's
// key; the key is looked up anew each time, so one that vanished takes its
// tokens along.
func (a *Authn) verify(u *unverified, issuer string, key func(kid, alg string) (crypto.PublicKey, error)) (*Claims, error) {
	pub, err := key(u.header.KeyID, u.header.Algorithm)
	if err != nil {
		return nil, err
	}
	if u.seen.claims != nil {
		if u.seen.issuer == issuer && sameKey(u.seen.key, pub) {
			return u.seen.claims, nil
		}
		if err := u.parse(); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(webIdentityAlgorithms, u.header.Algorithm) {
		return nil, notJWT("algorithm not allowed")
	}
	if err := u.token.Verify(pub, webIdentityAlgorithms); err != nil {
		return nil, notSigned(err)
	}
	if err := u.claims.readTags(u.token.Payload); err != nil {
		return nil, err
	}
	if u.claims.Values, u.claims.objects, err = claimValues(u.token.Payload); err != nil {
		return nil, err
	}
	a.seen.put(u.sum, tokenEntry{header: u.header, issuer: issuer, key: pub, claims: u.claims})
	return u.claims, nil
}

// ownKey finds the keys of one of our own signing sets.
func (a *Authn) ownKey(set string) func(kid, alg string) (crypto.PublicKey, error) {
	return func(kid, alg string) (crypto.PublicKey, error) {
		key, keyAlg, ok := a.keys.PublicKey(set, kid)
		if !ok || keyAlg != alg {
			return nil, notSigned(errors.New("signing key unknown"))
		}
		return key, nil
	}
}

// judgeForeign checks the audience of a foreign token against its provider,
// and that it is an ID token: typ is the header's, which other kinds of JWT
// have a name of their own for ("at+jwt" of RFC 9068, "logout+jwt", …).
func (w *WebIdentity) judgeForeign(typ string) error {
	c := w.Claims
	if len(c.Audience) > 1 && c.Azp == "" {
		return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.webidentity", Public: "Token audience contains more than one audience while authorized party is not present"}
	}
	typ = mediaType(typ)
	if c.TokenUse == "access" || c.Events != nil || (typ != "" && typ != "jwt") || (c.Type != "" && c.Type != "ID" && c.Type != "JWT") {
		return notJWT("not an ID token")
	}
	if w.MatchAudience(w.Provider.ClientIDs) == "" {
		return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.webidentity", Public: "Incorrect token audience"}
	}
	return nil
}

// MatchAudience returns the token's audience as trust policies see it: the
// authorised party where there is one, else the one audience, when it is among
// the client IDs; "" when it is not.
func (w *WebIdentity) MatchAudience(clientIDs []string) string {
	c := w.Claims
	candidates := []string(c.Audience)
	if c.Azp != "" && len(c.Audience) > 1 {
		candidates = []string{c.Azp}
	}
	for _, aud := range candidates {
		for _, id := range clientIDs {
			if aud == id && aud != "" {
				return aud
			}
		}
	}
	return ""
}

// header is what chooses the key, and the kind of the token.
type header struct{ Algorithm, KeyID, Issuer, Type string }

// unverified is a token before its signature is judged: parsed, or, when its
// signature was good before, with what is known of it since then.
type unverified struct {
	raw    string
	sum    [sha256.Size]byte
	header header
	seen   tokenEntry // zero when it was never seen
	token  *token.Parsed
	claims *Claims
}

// open reads which issuer and key a token claims.
func (a *Authn) open(raw string) (*unverified, error) {
	if len(raw) > MaxJWT {
		return nil, notJWT("too long")
	}
	var room [2 << 10]byte // keeps the copy of an ordinary token off the heap
	u := &unverified{raw: raw, sum: sha256.Sum256(append(room[:0], raw...))}
	var ok bool
	if u.seen, ok = a.seen.get(u.sum); ok {
		u.header = u.seen.header
		return u, nil
	}
	return u, u.parse()
}

func (u *unverified) parse() error {
	t, err := token.Parse(u.raw)
	if err != nil {
		return notJWT(err.Error())
	}
	c := new(Claims)
	if err := token.DecodeClaims(t.Payload, c); err != nil {
		return notJWT("claims")
	}
	if c.Issuer == "" {
		return missingClaim("iss")
	}
	u.token, u.claims = t, c
	u.header = header{Algorithm: t.Header.Algorithm, KeyID: t.Header.KeyID, Issuer: c.Issuer, Type: t.Header.Type}
	return nil
}

// errSignature marks tokens whose signature is not good.
var errSignature = errors.New("signature not good")

func notSigned(err error) error {
	e := identity.AsError(notJWT(err.Error()))
	e.Err = errSignature
	return e
}

const notAnIDToken = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"

func notJWT(why string) error {
	return &identity.Error{
		Kind: identity.KindInvalidIdentity, Op: "authn.webidentity: " + why,
		Public: notAnIDToken,
	}
}

// printable bounds and cleans foreign text for an error message.
func printable(s string) string {
	if len(s) > 255 {
		s = s[:255]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}
