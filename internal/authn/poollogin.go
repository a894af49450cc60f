package authn

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"daypass/internal/identity"
	"daypass/internal/policy"
	"daypass/internal/store"
)

// PoolLogin is a verified log-in token of an identity pool: the ID token of a
// user pool, or that of an OIDC provider.
type PoolLogin struct {
	*WebIdentity
	// Name is how the pool names the provider: "cognito-idp.…/<user pool>", or
	// the issuer without scheme.
	Name string
	// ProviderARN is set for OIDC providers.
	ProviderARN string
	// Audience is the client that the token was made for.
	Audience string
	// Login is what the log-in is found by: a hash of who it is.
	Login string
}

// AMR is how the log-in appears in "amr".
func (l *PoolLogin) AMR() []string {
	kind := ":OIDC:"
	if l.ProviderARN == "" {
		kind = ":CognitoSignIn:"
	}
	return []string{l.Name, l.Name + kind + l.Claims.Subject}
}

// loginSource is who may sign what stands under one name of Logins.
type loginSource struct {
	name, issuer string
	realm        *identity.Realm // of a user pool or of OwnRealm
	provider     *identity.Provider
	arn          string
	// clients may be a user pool token's audience; those of providers are the
	// provider's.
	clients []string
}

// PoolLogin verifies a log-in token that a caller of an identity pool shows
// under a provider's name, which may be the issuer, with scheme or without, and
// for user pools the one that they have at Amazon. It judges form, algorithm,
// signature, times, audience and that it is an ID token; whether the log-in
// still stands is judged by issue. Errors: KindInvalidIdentity,
// KindExpiredIdentity, both with Amazon's sentence, and KindProviderUnreachable.
func (a *Authn) PoolLogin(ctx context.Context, pool *identity.IdentityPool, partition, name string, raw identity.Secret) (*PoolLogin, error) {
	src := a.loginSource(pool, partition, name)
	if src == nil {
		return nil, loginError("Token is not from a supported provider of this identity pool.", nil)
	}
	u, err := a.open(raw.Reveal())
	if err != nil {
		return nil, loginTokenError(err)
	}
	if u.header.Issuer != src.issuer && (src.realm != nil || !slices.Contains(src.provider.IssuerAliases, u.header.Issuer)) {
		return nil, loginError("Invalid login token. Issuer doesn't match providerName", nil)
	}
	w := &WebIdentity{Issuer: src.issuer, OwnRealm: src.realm, Provider: src.provider}
	leeway, set, key := time.Duration(0), "", func(kid, alg string) (crypto.PublicKey, error) {
		found, err := a.issuers.Key(ctx, src.provider, kid, alg)
		if identity.KindOf(err) == identity.KindInvalidIdentity {
			err = notSigned(err)
		}
		return found, err
	}
	switch {
	case src.provider == nil:
		set = src.realm.PoolKeySet()
		key = a.ownKey(set)
	case src.realm != nil:
		set = src.realm.KeySet()
		key = a.ownKey(set)
	default:
		set, leeway = src.provider.Key(), foreignLeeway
	}
	if w.Claims, err = a.verify(u, set, key); err != nil {
		return nil, loginTokenError(err)
	}
	now := a.clock.Now()
	if err := w.Claims.judge(now, leeway); err != nil {
		if identity.KindOf(err) == identity.KindExpiredIdentity {
			err = &identity.Error{
				Kind: identity.KindExpiredIdentity, Op: "authn.poollogin",
				Public: fmt.Sprintf("Invalid login token. Token expired: %d >= %d", now.Unix(), w.Claims.Expiry.Time().Unix()),
			}
		}
		return nil, loginTokenError(err)
	}
	return src.finish(w, u.header.Type)
}

// finish judges the kind of the token and its audience.
func (src *loginSource) finish(w *WebIdentity, typ string) (*PoolLogin, error) {
	c := w.Claims
	if strings.ContainsFunc(c.Subject, func(r rune) bool { return r < ' ' }) || len(c.Subject) > 255 {
		return nil, loginTokenError(notJWT("subject"))
	}
	out := &PoolLogin{WebIdentity: w, Name: src.name, ProviderARN: src.arn}
	if src.provider == nil {
		if c.TokenUse != PoolIDToken || len(c.Audience) != 1 || c.UserID == "" || c.SessionID == "" {
			return nil, loginTokenError(notJWT("not an ID token"))
		}
		if out.Audience = c.Audience[0]; !slices.Contains(src.clients, out.Audience) {
			return nil, loginError("Invalid login token. Incorrect token audience", nil)
		}
		out.Login = identity.WebIdentityID(src.name, c.Subject)
		return out, nil
	}
	if err := w.judgeForeign(typ); err != nil {
		return nil, loginTokenError(err)
	}
	out.Audience, out.Login = w.MatchAudience(src.provider.ClientIDs), identity.WebIdentityID(src.issuer, c.Subject)
	return out, nil
}

// loginSource finds what a name of Logins stands for in the pool, nil for
// nothing.
func (a *Authn) loginSource(pool *identity.IdentityPool, partition, name string) *loginSource {
	if realm := a.UserPoolNamed(name); realm != nil && realm.AccountID == pool.AccountID {
		src := &loginSource{name: realm.PoolProvider(), issuer: realm.PoolIssuer(a.external), realm: realm}
		for _, l := range pool.UserPools {
			if l.Provider == src.name {
				src.clients = append(src.clients, l.ClientID)
			}
		}
		if src.clients == nil {
			return nil
		}
		return src
	}
	host := identity.TrimScheme(name)
	arn := identity.ProviderARN(partition, pool.AccountID, host)
	if !slices.Contains(pool.OIDCProviders, arn) || policy.AnyAudience(host) {
		return nil
	}
	snap := a.db.Snapshot()
	for _, issuer := range []string{"https://" + host, "http://" + host} {
		p := &identity.Provider{AccountID: pool.AccountID, URL: issuer}
		realm := a.OwnRealm(issuer)
		if realm != nil {
			p.URL, p.OwnRealm = "", realm.Name
		}
		p, err := store.Providers.Get(snap, p.Key())
		if err == nil && (realm != nil && realm.Name != identity.RootRealm || realm == nil && p.URL == issuer && !a.ForOthers(issuer)) {
			return &loginSource{name: host, issuer: issuer, realm: realm, provider: p, arn: arn}
		}
	}
	return nil
}

// UserPoolNamed finds the realm behind the name that Logins have for a user
// pool: "cognito-idp.<region>.amazonaws.com/<pool ID>", or its issuer, with
// scheme or without. nil when there is none.
func (a *Authn) UserPoolNamed(name string) *identity.Realm {
	i := strings.LastIndexByte(name, '/')
	realm, err := store.Realms.By(a.db.Snapshot(), "pool", name[i+1:])
	if err != nil || realm.Pool == nil {
		return nil
	}
	issuer := realm.PoolIssuer(a.external)
	if name != realm.PoolProvider() && name != issuer && name != identity.TrimScheme(issuer) {
		return nil
	}
	return realm
}

func loginError(public string, err error) error {
	return &identity.Error{Kind: identity.KindInvalidIdentity, Op: "authn.poollogin", Public: public, Err: err}
}

// loginTokenError says in Amazon's words what is wrong with a token. The one
// about signatures is for bad signatures alone: clients try again on it.
func loginTokenError(err error) error {
	e := identity.AsError(err)
	switch {
	case e.Kind != identity.KindInvalidIdentity:
		return err
	case errors.Is(err, errSignature):
		return loginError("Invalid login token. Couldn't verify signed token.", err)
	case e.Public == notAnIDToken:
		return loginError("Invalid login token. Not a valid OpenId Connect identity token.", err)
	}
	return loginError("Invalid login token. "+strings.TrimSuffix(e.Public, "."), err)
}
